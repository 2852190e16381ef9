package cli

import (
	"fmt"
	"strings"

	ucli "github.com/urfave/cli/v2"
)

// arity is what an option takes.
type arity int

const (
	noValue arity = iota
	oneValue
	optionalValue // the next argument, unless it is an option or there is none
	manyValues    // may be repeated
	property      // key=value, glued or not, may be repeated
)

// option is one option of an action, in Flink's spelling: both names take one
// dash or two.
type option struct {
	short, long string
	takes       arity
	value       string // name of the value in the help
	usage       string
	hidden      bool // old spellings: accepted, not shown
}

// name is the one that flags are looked up by.
func (o option) name() string {
	if o.long != "" {
		return o.long
	}
	return o.short
}

// flag makes the option known to the command-line library.
func (o option) flag() ucli.Flag {
	var aliases []string
	if o.short != "" && o.short != o.name() {
		aliases = []string{o.short}
	}
	switch o.takes {
	case noValue:
		return &ucli.BoolFlag{Name: o.name(), Aliases: aliases, Usage: o.usage, Hidden: o.hidden}
	case manyValues, property:
		return &ucli.StringSliceFlag{Name: o.name(), Aliases: aliases, Usage: o.usage, Hidden: o.hidden}
	default:
		return &ucli.StringFlag{Name: o.name(), Aliases: aliases, Usage: o.usage, Hidden: o.hidden}
	}
}

// help is the option's entry in the help, in Flink's layout.
func (o option) help() string {
	var names []string
	if o.short != "" {
		names = append(names, "-"+o.short)
	}
	if o.long != "" {
		names = append(names, "--"+o.long)
	}
	left := strings.Join(names, ",")
	if o.takes != noValue {
		left += " <" + o.value + ">"
	}
	const column = 44 // where descriptions begin; the longest option leaves two blanks
	var b strings.Builder
	fmt.Fprintf(&b, "     %-*s", column, left)
	if len(left) > column-2 {
		fmt.Fprintf(&b, "\n     %-*s", column, "")
	}
	for i, line := range fold(o.usage, 72) {
		if i > 0 {
			fmt.Fprintf(&b, "\n     %-*s", column, "")
		}
		b.WriteString(line)
	}
	return b.String()
}

// fold breaks text into lines of at most width characters.
func fold(text string, width int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && len(line)+1+len(word) > width {
			lines = append(lines, line)
			line = ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	return append(lines, line)
}

var (
	helpOption    = option{short: "h", long: "help", usage: "Show the help message of the action."}
	verboseOption = option{short: "v", long: "verbose", usage: "Print the whole chain of causes when something goes wrong."}
)

// genericOptions are those of every action that talks to a cluster.
var genericOptions = []option{
	{short: "D", takes: property, value: "property=value", usage: "Set any configuration key, over the configuration file."},
	{short: "t", long: "target", takes: oneValue, value: "arg", usage: `Where to run: "local", "remote", "yarn-session", "yarn-per-job" or "yarn-application". The same as the key "execution.target".`},
	{short: "e", long: "executor", takes: oneValue, value: "arg", usage: "Old name of -t.", hidden: true},
	{short: "m", long: "jobmanager", takes: oneValue, value: "arg", usage: `Address (host:port) of the JobManager to connect to, or "yarn-cluster" for a YARN cluster of the job's own.`},
	{short: "z", long: "zookeeperNamespace", takes: oneValue, value: "arg", usage: `Name of the cluster for high availability; the key "high-availability.cluster-id".`},
	verboseOption, helpOption,
}

// legacyYarnOptions are the options of flink run -m yarn-cluster.
var legacyYarnOptions = []option{
	{short: "yid", long: "yarnapplicationId", takes: oneValue, value: "arg", usage: "Attach to the session with this application id."},
	{short: "yjm", long: "yarnjobManagerMemory", takes: oneValue, value: "arg", usage: "Memory of the JobManager's container, in MB unless a unit is given."},
	{short: "ytm", long: "yarntaskManagerMemory", takes: oneValue, value: "arg", usage: "Memory of a TaskManager's container, in MB unless a unit is given."},
	{short: "ys", long: "yarnslots", takes: oneValue, value: "arg", usage: "Slots of each TaskManager."},
	{short: "yn", long: "yarncontainer", takes: oneValue, value: "arg", usage: "TaskManagers to start at once and to keep."},
	{short: "yqu", long: "yarnqueue", takes: oneValue, value: "arg", usage: "YARN queue."},
	{short: "ynm", long: "yarnname", takes: oneValue, value: "arg", usage: "Name of the application."},
	{short: "yat", long: "yarnapplicationType", takes: oneValue, value: "arg", usage: "Type of the application."},
	{short: "ynl", long: "yarnnodeLabel", takes: oneValue, value: "arg", usage: "Node label of the application."},
	{short: "yz", long: "yarnzookeeperNamespace", takes: oneValue, value: "arg", usage: "Name of the cluster for high availability."},
	{short: "yt", long: "yarnship", takes: manyValues, value: "arg", usage: "Ship the files of this folder."},
	{short: "yj", long: "yarnjar", takes: oneValue, value: "arg", usage: "Another flink binary for the cluster."},
	{short: "yD", takes: property, value: "property=value", usage: "Set any configuration key."},
	{short: "yd", long: "yarndetached", usage: "Old name of -d.", hidden: true},
	{short: "yq", long: "yarnquery", usage: "Show what YARN has: NodeManagers, memory, cores, queues."},
	{short: "yst", long: "yarnstreaming", usage: "Does nothing any more.", hidden: true},
	{short: "yh", long: "yarnhelp", usage: "Help for the YARN options."},
}

// programOptions are those of run, run-application and info.
var programOptions = []option{
	{short: "c", long: "class", takes: oneValue, value: "name", usage: "Which program of the binary to run, where it registers several."},
	{short: "C", long: "classpath", takes: manyValues, value: "url", usage: "Class path of a JVM; refused.", hidden: true},
	{short: "j", long: "jarfile", takes: oneValue, value: "program", usage: "Old way to name the program.", hidden: true},
	{short: "a", long: "arguments", takes: manyValues, value: "arguments", usage: "Old way to give the program's arguments.", hidden: true},
	{short: "p", long: "parallelism", takes: oneValue, value: "parallelism", usage: "Parallelism of the program, over the configured default."},
	{short: "d", long: "detached", usage: "Return when the job is submitted."},
	{short: "sae", long: "shutdownOnAttachedExit", usage: "End the job, and the cluster started for it, when this client is interrupted (CTRL+C)."},
	{short: "s", long: "fromSavepoint", takes: oneValue, value: "savepointPath", usage: "Savepoint or retained checkpoint to start from, for example hdfs:///flink/savepoint-1537."},
	{short: "n", long: "allowNonRestoredState", usage: "Skip state of the savepoint that belongs to no operator of the program."},
	{short: "cm", long: "claimMode", takes: oneValue, value: "arg", usage: `Who owns the savepoint's files: "claim" (the job, and it deletes them), "no_claim" (default) or "legacy".`},
	{short: "rm", long: "restoreMode", takes: oneValue, value: "arg", usage: "Old name of -cm.", hidden: true},
}

// pythonOptions are recognised, so that they are refused by name.
var pythonOptions = []option{
	{short: "py", long: "python", takes: oneValue, hidden: true}, {short: "pym", long: "pyModule", takes: oneValue, hidden: true},
	{short: "pyfs", long: "pyFiles", takes: oneValue, hidden: true}, {short: "pyarch", long: "pyArchives", takes: oneValue, hidden: true},
	{short: "pyreq", long: "pyRequirements", takes: oneValue, hidden: true}, {short: "pyexec", long: "pyExecutable", takes: oneValue, hidden: true},
	{short: "pyclientexec", long: "pyClientExecutable", takes: oneValue, hidden: true}, {short: "pypath", long: "pyPythonPath", takes: oneValue, hidden: true},
}

var listOptions = []option{
	{short: "r", long: "running", usage: "Show only running programs and their JobIDs."},
	{short: "s", long: "scheduled", usage: "Show only scheduled programs and their JobIDs."},
	{short: "a", long: "all", usage: "Show all programs and their JobIDs."},
}

var cancelOptions = []option{
	{short: "s", long: "withSavepoint", takes: optionalValue, value: "targetDirectory", usage: "Take a savepoint first; deprecated, use stop. Without a folder the configured one (execution.checkpointing.savepoint-dir) is used."},
}

var formatOption = option{short: "type", long: "type", takes: oneValue, value: "arg", usage: `Format of the savepoint: "canonical" (default) or "native".`}

var detachedTriggerOption = option{long: "detached", usage: "Return when the savepoint is triggered."}

var stopOptions = []option{
	{short: "d", long: "drain", usage: "Send MAX_WATERMARK before taking the savepoint and stopping."},
	{short: "p", long: "savepointPath", takes: oneValue, value: "savepointPath", usage: "Folder for the savepoint, for example hdfs:///flink/savepoints. Without it the configured one (execution.checkpointing.savepoint-dir) is used."},
	formatOption, detachedTriggerOption,
}

var savepointOptions = []option{
	{short: "d", long: "dispose", takes: oneValue, value: "arg", usage: "Path of a savepoint to dispose of."},
	{short: "j", long: "jarfile", takes: oneValue, value: "program", usage: "Not needed any more.", hidden: true},
	formatOption, detachedTriggerOption,
}

var checkpointOptions = []option{
	{short: "full", long: "full", usage: "Take a full checkpoint where the backend would take an incremental one."},
}

// sessionOptions are those of yarn-session.sh.
var sessionOptions = []option{
	{short: "at", long: "applicationType", takes: oneValue, value: "arg", usage: "Set a custom application type for the application on YARN"},
	{short: "D", takes: property, value: "property=value", usage: "use value for given property"},
	{short: "d", long: "detached", usage: "If present, runs the job in detached mode"},
	helpOption,
	{short: "id", long: "applicationId", takes: oneValue, value: "arg", usage: "Attach to running YARN session"},
	{short: "j", long: "jar", takes: oneValue, value: "arg", usage: "Another flink binary for the cluster"},
	{short: "jm", long: "jobManagerMemory", takes: oneValue, value: "arg", usage: "Memory for JobManager Container with optional unit (default: MB)"},
	{short: "m", long: "jobmanager", takes: oneValue, value: "arg", usage: "Set to yarn-cluster to use YARN execution mode."},
	{short: "n", long: "container", takes: oneValue, value: "arg", usage: "TaskManagers to start at once and to keep"},
	{short: "nl", long: "nodeLabel", takes: oneValue, value: "arg", usage: "Specify YARN node label for the YARN application"},
	{short: "nm", long: "name", takes: oneValue, value: "arg", usage: "Set a custom name for the application on YARN"},
	{short: "q", long: "query", usage: "Display available YARN resources (memory, cores)"},
	{short: "qu", long: "queue", takes: oneValue, value: "arg", usage: "Specify YARN queue."},
	{short: "s", long: "slots", takes: oneValue, value: "arg", usage: "Number of slots per TaskManager"},
	{short: "st", long: "streaming", usage: "Does nothing any more.", hidden: true},
	{short: "t", long: "ship", takes: manyValues, value: "arg", usage: "Ship files in the specified directory (t for transfer)"},
	{short: "tm", long: "taskManagerMemory", takes: oneValue, value: "arg", usage: "Memory per TaskManager Container with optional unit (default: MB)"},
	{short: "yd", long: "yarndetached", usage: "If present, runs the job in detached mode (deprecated; use -d instead)", hidden: true},
	verboseOption,
	{short: "z", long: "zookeeperNamespace", takes: oneValue, value: "arg", usage: "Namespace to create the Zookeeper sub-paths for high availability mode"},
}

// join concatenates option tables.
func join(tables ...[]option) []option {
	var out []option
	for _, t := range tables {
		out = append(out, t...)
	}
	return out
}
