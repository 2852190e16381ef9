package cli

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"

	ucli "github.com/urfave/cli/v2"

	"goflink/conf"
	"goflink/internal/logfile"
)

// action is one command of bin/flink.
type action struct {
	name    string
	summary string // for the list of actions
	usage   string // what stands behind the action's name
	own     []option
	generic bool // takes -D, -t, -m … and the YARN options
	program bool // a program follows, and its arguments
	hidden  bool // daemons and scripts call it
	run     func(*command) error
}

// command is one run of an action.
type command struct {
	env  *Env
	act  *action
	opts *ucli.Context
	args []string  // behind the options
	set  *settings // of actions that talk to a cluster
	// cleanup removes what the command made on this host.
	cleanup []func()
}

func (c *command) printf(format string, args ...any) { fmt.Fprintf(c.env.Stdout, format, args...) }

// actions are all commands, in the order of the help.
func actions() []*action {
	all := []*action{
		{name: "run", summary: "compiles and runs a program.", usage: "[OPTIONS] <program> <arguments>", own: join(programOptions, pythonOptions), generic: true, program: true, run: runAction},
		{name: "run-application", summary: "runs an application in Application Mode.", usage: "[OPTIONS] <program> <arguments>", own: join(programOptions, pythonOptions), generic: true, program: true, run: runApplicationAction},
		{name: "info", summary: "shows the optimized execution plan of the program (JSON).", usage: "[OPTIONS] <program> <arguments>", own: join(programOptions, pythonOptions), generic: true, program: true, run: infoAction},
		{name: "list", summary: "lists running and scheduled programs.", usage: "[OPTIONS]", own: listOptions, generic: true, run: listAction},
		{name: "stop", summary: "stops a running program with a savepoint.", usage: "[OPTIONS] <Job ID>", own: stopOptions, generic: true, run: stopAction},
		{name: "cancel", summary: "cancels a running program.", usage: "[OPTIONS] <Job ID>", own: cancelOptions, generic: true, run: cancelAction},
		{name: "savepoint", summary: "triggers savepoints for a running job or disposes existing ones.", usage: "[OPTIONS] <Job ID> [<target directory>]", own: savepointOptions, generic: true, run: savepointAction},
		{name: "checkpoint", summary: "triggers checkpoints for a running job.", usage: "[OPTIONS] <Job ID>", own: checkpointOptions, generic: true, run: checkpointAction},
		{name: "state", summary: "looks at checkpoints and savepoints, without a cluster.", usage: "[OPTIONS] " + stateUsage, own: stateOptions, run: stateAction},
		{name: sessionCommand, summary: "starts a session cluster on YARN, or attaches to one (yarn-session.sh).", usage: "[OPTIONS]", own: sessionOptions, hidden: true, run: sessionAction},
	}
	for _, d := range []struct{ name, summary string }{
		{"jobmanager", "runs a JobManager in the foreground (jobmanager.sh)."},
		{"taskmanager", "runs a TaskManager in the foreground (taskmanager.sh)."},
		{"yarn-appmaster", "runs the ApplicationMaster; YARN starts it."},
		{"yarn-taskmanager", "runs a TaskManager in a container; the ApplicationMaster starts it."},
	} {
		all = append(all, &action{name: d.name, summary: d.summary, usage: "[OPTIONS]", own: daemonOptions, hidden: true, run: daemonAction})
	}
	return all
}

var daemonOptions = []option{
	{short: "D", takes: property, value: "property=value", usage: "Set any configuration key, over the configuration file."},
	{short: "c", long: "configDir", takes: oneValue, value: "folder", usage: "Folder of the configuration file."},
	verboseOption, helpOption,
}

// options are all options of an action. An action's own come first: flink list
// -s means scheduled, flink run -s a savepoint.
func (a *action) options() []option {
	if !a.generic {
		return a.own
	}
	return join(a.own, genericOptions, legacyYarnOptions)
}

// Main runs one command line and returns the exit code.
func Main(env *Env) int {
	if env.log == nil {
		env.log = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	if len(env.Args) == 0 {
		printHelp(env.Stdout)
		fmt.Fprintln(env.Stdout, "Please specify an action.")
		return exitFailure
	}
	if err := typographic(env.Args[0]); err != nil {
		return report(env, err, false)
	}
	switch name := env.Args[0]; name {
	case "-h", "--help", "-help", "help":
		printHelp(env.Stdout)
		return 0
	case "-v", "--version", "-version":
		fmt.Fprintf(env.Stdout, "Version: %s, Commit ID: %s\n", env.Version, env.Commit)
		return 0
	default:
		for _, a := range actions() {
			if a.name == name {
				return env.runAction(a)
			}
		}
		fmt.Fprintf(env.Stdout, "\"%s\" is not a valid action.\n\nValid actions are \"run\", \"run-application\", \"list\", \"info\", \"savepoint\", \"checkpoint\", \"stop\", \"cancel\", or \"state\".\n\n"+
			"Specify the version option (-v or --version) to print Flink version.\n\nSpecify the help option (-h or --help) to get help on the command.\n", name)
		return exitFailure
	}
}

// runAction reads the arguments of an action and runs it.
func (e *Env) runAction(a *action) int {
	rest := e.Args[1:]
	args, err := syntax{options: a.options(), programFollows: a.program}.normalize(rest)
	if err != nil {
		return report(e, err, false)
	}
	options := args[:slices.Index(args, "--")]
	if slices.Contains(options, "--help") || slices.Contains(options, "--yarnhelp") {
		a.printHelp(e.Stdout)
		return 0
	}
	verbose := false
	app := &ucli.App{
		Name: "flink", HideHelp: true, HideHelpCommand: true, HideVersion: true, DisableSliceFlagSeparator: true,
		Writer: e.Stdout, ErrWriter: e.Stderr,
		ExitErrHandler: func(*ucli.Context, error) {}, // the caller reports
		Commands: []*ucli.Command{{
			Name: a.name, HideHelp: true, HideHelpCommand: true, Flags: flags(a.options()),
			OnUsageError: func(_ *ucli.Context, err error, _ bool) error { return argErrorf("%v", err) },
			Action: func(c *ucli.Context) error {
				verbose = c.Bool("verbose")
				return (&command{env: e, act: a, opts: c, args: c.Args().Slice()}).run()
			},
		}},
	}
	err = app.RunContext(e.Interrupted, append([]string{"flink", a.name}, args...))
	if err != nil {
		e.log.Error("command failed", "action", a.name, "error", err)
	}
	return report(e, err, verbose)
}

// run opens the log and does what the action does.
func (c *command) run() error {
	if !c.act.hidden || c.act.name == sessionCommand {
		closeLog := c.openLog()
		defer closeLog()
	}
	c.env.log.Info("flink "+c.act.name, "arguments", redactArgs(c.env.Args[1:]), "version", c.env.Version)
	if c.act.generic || c.act.name == sessionCommand {
		var err error
		if c.set, err = c.env.resolve(c.opts); err != nil {
			return err
		}
	}
	defer func() {
		for _, f := range c.cleanup {
			f()
		}
	}()
	if c.opts.Bool("yarnquery") {
		return c.onYarn(c.query)
	}
	return c.act.run(c)
}

// openLog starts the client's log file. A folder that cannot be written is no
// reason to fail: the log is for people who look for a reason later.
func (c *command) openLog() func() {
	file, err := c.env.loadConf()
	if err != nil {
		file = conf.New() // what is wrong with it is said when it is read again
	}
	kind := "client"
	if c.act.name == sessionCommand {
		kind = sessionCommand
	}
	name := fmt.Sprintf("flink-%s-%s-%s.log", c.env.User, kind, c.env.Host)
	l, err := logfile.Open(logfile.FromConf(filepath.Join(c.env.logDir(file), strings.ReplaceAll(name, "/", "_")), file))
	if err != nil {
		return func() {}
	}
	c.env.log = l.Logger()
	return func() { _ = l.Close() } // nothing is lost that anybody could still act on
}

// redactArgs hides the values of secret keys: "--token=x", "--token x".
func redactArgs(args []string) []string {
	out := slices.Clone(args)
	for i, a := range out {
		key, _, ok := strings.Cut(a, "=")
		switch {
		case !strings.HasPrefix(key, "-") && !ok || !conf.IsSecret(key):
		case ok:
			out[i] = key + "=******"
		case i+1 < len(out) && !strings.HasPrefix(out[i+1], "-"):
			out[i+1] = "******"
		}
	}
	return out
}

func flags(options []option) []ucli.Flag {
	var out []ucli.Flag
	seen := map[string]bool{}
	for _, o := range options {
		if seen[o.name()] {
			continue
		}
		seen[o.name()] = true
		f := o
		// An alias may belong to an earlier option: normalize writes whole names.
		if f.short != "" && f.short != f.name() {
			f.short = ""
		}
		out = append(out, f.flag())
	}
	return out
}

// errNoSuchDaemon is a role that this binary was built without.
var errNoSuchDaemon = errors.New("this binary was built without that role")

// daemonAction runs a long-lived role.
func daemonAction(c *command) error {
	d := c.env.Daemons[c.act.name]
	if d == nil {
		return fmt.Errorf("flink %s: %w", c.act.name, errNoSuchDaemon)
	}
	a := DaemonArgs{Conf: conf.New(), LogPrefix: c.env.Getenv("FLINK_LOG_PREFIX"), Args: c.args}
	if !strings.HasPrefix(c.act.name, "yarn-") {
		if a.ConfDir = c.opts.String("configDir"); a.ConfDir == "" {
			a.ConfDir = c.env.confDir()
		}
		file, err := conf.Load(a.ConfDir)
		if err != nil {
			return &ExitError{Code: exitBootstrap, Err: err}
		}
		dynamic, err := properties(c.opts)
		if err != nil {
			return err
		}
		a.Conf = conf.Merge(file, dynamic)
	}
	if err := conf.Validate(a.Conf); err != nil {
		return &ExitError{Code: exitBootstrap, Err: err}
	}
	return daemonEnd(c, d(c.env.Interrupted, a))
}

// daemonEnd tells why a daemon ended, in a line of its own: no program of a
// user's has failed.
func daemonEnd(c *command, err error) error {
	if err == nil {
		return nil
	}
	fmt.Fprintf(c.env.Stderr, "flink %s: %v\n", c.act.name, err)
	return &ExitError{Code: exitFailure, Quiet: true, Err: err}
}
