package cli

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"

	ucli "github.com/urfave/cli/v2"

	"goflink/client/clientlog"
	"goflink/conf"
	"goflink/hdfsstore"
)

// Targets: where a job runs.
const (
	targetLocal       = "local"
	targetRemote      = "remote"
	targetSession     = "yarn-session"
	targetPerJob      = "yarn-per-job"
	targetApplication = "yarn-application"
)

// sessionCommand is the action behind yarn-session.sh.
const sessionCommand = "yarn-session"

// yarnCluster is the address that means a YARN cluster of the job's own.
const yarnCluster = "yarn-cluster"

// settings is the effective configuration of a command and where it came from.
type settings struct {
	conf *conf.Config
	// target is one of the five.
	target string
	// given holds what the command line set, without the file.
	given *conf.Config
	// sessionFile is the properties file that named the session; empty when
	// something else did.
	sessionFile string
}

// resolve layers the configuration: file, -D and -yD, named options.
func (e *Env) resolve(c *ucli.Context) (*settings, error) {
	file, err := e.loadConf()
	if err != nil {
		return nil, &ExitError{Code: exitBootstrap, Err: err}
	}
	dynamic, err := properties(c)
	if err != nil {
		return nil, err
	}
	named, err := namedOptions(c)
	if err != nil {
		return nil, err
	}
	s := &settings{given: conf.Merge(dynamic, named)}
	s.conf = conf.Merge(file, s.given)
	if err := s.chooseTarget(e, c); err != nil {
		return nil, err
	}
	if err := conf.Validate(s.conf); err != nil {
		return nil, argErrorf("%v", err)
	}
	if err := checkFileSystems(s.conf); err != nil {
		return nil, argErrorf("%v", err)
	}
	e.note(s)
	return s, nil
}

// note logs what there is to say about the keys, and shows warnings about what
// was typed.
func (e *Env) note(s *settings) {
	warnings, _ := conf.Notes(s.given)
	for _, w := range warnings {
		fmt.Fprintf(e.Stderr, "WARNING: %s\n", w)
	}
	all, notes := conf.Notes(s.conf)
	for _, w := range all {
		e.log.Warn(w)
	}
	for _, n := range notes {
		e.log.Info(n)
	}
}

// properties reads -yD and -D.
func properties(c *ucli.Context) (*conf.Config, error) {
	out := conf.New()
	for _, name := range []string{"yD", "D"} {
		for _, kv := range c.StringSlice(name) {
			key, value, _ := strings.Cut(kv, "=")
			if key = strings.TrimSpace(key); key == "" {
				return nil, argErrorf("The option -%s needs a key and a value: -%skey=value.", name, name)
			}
			out.Set(key, value)
		}
	}
	return out, nil
}

// keyOptions are the options that set one key, by the option's name.
var keyOptions = map[string]func(c *conf.Config, v string) error{
	"target":                 plain(conf.ExecutionTarget.Key),
	"executor":               plain(conf.ExecutionTarget.Key),
	"parallelism":            number(conf.ParallelismDefault, "parallelism"),
	"fromSavepoint":          plain(conf.StateRecoveryPath.Key),
	"claimMode":              claimMode,
	"restoreMode":            claimMode,
	"zookeeperNamespace":     plain(conf.HighAvailabilityClusterID.Key),
	"yarnzookeeperNamespace": plain(conf.HighAvailabilityClusterID.Key),
	"yarnapplicationId":      plain(conf.YarnApplicationID.Key),
	"yarnjobManagerMemory":   megabytes(conf.JobManagerProcessSize),
	"yarntaskManagerMemory":  megabytes(conf.TaskManagerProcessSize),
	"yarnslots":              number(conf.TaskManagerNumberOfTaskSlots, "number of slots"),
	"yarncontainer":          plain(conf.YarnInitialTaskManagers.Key),
	"yarnqueue":              plain(conf.YarnApplicationQueue.Key),
	"yarnname":               plain(conf.YarnApplicationName.Key),
	"yarnapplicationType":    plain(conf.YarnApplicationType.Key),
	"yarnnodeLabel":          plain(conf.YarnApplicationNodeLabel.Key),
	"yarnjar":                plain(conf.YarnFlinkDistJar.Key),
	// The names of yarn-session.sh for the same keys.
	"applicationId":     plain(conf.YarnApplicationID.Key),
	"jobManagerMemory":  megabytes(conf.JobManagerProcessSize),
	"taskManagerMemory": megabytes(conf.TaskManagerProcessSize),
	"slots":             number(conf.TaskManagerNumberOfTaskSlots, "number of slots"),
	"container":         plain(conf.YarnInitialTaskManagers.Key),
	"queue":             plain(conf.YarnApplicationQueue.Key),
	"name":              plain(conf.YarnApplicationName.Key),
	"applicationType":   plain(conf.YarnApplicationType.Key),
	"nodeLabel":         plain(conf.YarnApplicationNodeLabel.Key),
	"jar":               plain(conf.YarnFlinkDistJar.Key),
}

func plain(key string) func(*conf.Config, string) error {
	return func(c *conf.Config, v string) error { c.Set(key, v); return nil }
}

func number(o conf.Option[int], what string) func(*conf.Config, string) error {
	return func(c *conf.Config, v string) error {
		n, err := strconv.Atoi(strings.TrimSpace(v))
		if err != nil || n < 1 {
			return argErrorf("The %s must be a positive number: %s", what, v)
		}
		o.Set(c, n)
		return nil
	}
}

func megabytes(o conf.Option[conf.Size]) func(*conf.Config, string) error {
	return func(c *conf.Config, v string) error {
		size, err := conf.ParseSizeMB(v)
		if err != nil {
			return argErrorf("%v", err)
		}
		o.Set(c, size)
		return nil
	}
}

func claimMode(c *conf.Config, v string) error {
	if _, err := conf.StateRecoveryClaimMode.Parse(v); err != nil {
		return argErrorf("The claim mode %q is unknown: claim, no_claim or legacy.", v)
	}
	c.Set(conf.StateRecoveryClaimMode.Key, v)
	return nil
}

// switches are the options without a value that set one key.
var switches = map[string]func(*conf.Config){
	"detached":               func(c *conf.Config) { conf.ExecutionAttached.Set(c, false) },
	"yarndetached":           func(c *conf.Config) { conf.ExecutionAttached.Set(c, false) },
	"shutdownOnAttachedExit": func(c *conf.Config) { conf.ExecutionShutdownOnAttachedExit.Set(c, true) },
	"allowNonRestoredState":  func(c *conf.Config) { conf.StateRecoveryIgnoreUnclaimed.Set(c, true) },
}

// namedOptions turns the options that stand for a key into that key.
func namedOptions(c *ucli.Context) (*conf.Config, error) {
	out := conf.New()
	for _, f := range c.Command.Flags {
		name := f.Names()[0]
		if !c.IsSet(name) {
			continue
		}
		if set, ok := keyOptions[name]; ok {
			if err := set(out, c.String(name)); err != nil {
				return nil, err
			}
		}
		if set, ok := switches[name]; ok {
			set(out)
		}
	}
	for _, name := range []string{"yarnship", "ship"} {
		if c.IsSet(name) {
			conf.YarnShipFiles.Set(out, c.StringSlice(name))
		}
	}
	return out, address(c, out)
}

// address reads -m host:port.
func address(c *ucli.Context, out *conf.Config) error {
	m := c.String("jobmanager")
	if m == "" || m == yarnCluster {
		return nil
	}
	host, port, err := net.SplitHostPort(strings.TrimPrefix(m, "http://"))
	n, perr := strconv.Atoi(port)
	if err != nil || perr != nil || host == "" || n < 1 || n > 65535 {
		return argErrorf("The address of the JobManager has to be host:port (or yarn-cluster), not %q.", m)
	}
	conf.RestAddress.Set(out, host)
	conf.RestPort.Set(out, n)
	conf.JobManagerRPCAddress.Set(out, host)
	return nil
}

// chooseTarget finds out where the command goes, as Flink's three front ends
// do in their order: a target that is named; YARN, because of -m yarn-cluster,
// an application id or a session that yarn-session.sh left a note of; else the
// JobManager at the configured address.
func (s *settings) chooseTarget(e *Env, c *ucli.Context) error {
	if c.Command.Name == sessionCommand {
		s.target = targetSession
		conf.ExecutionTarget.Set(s.conf, targetSession)
		return nil
	}
	target := strings.TrimSpace(conf.ExecutionTarget.Get(s.conf))
	m := c.String("jobmanager")
	id := conf.YarnApplicationID.Get(s.conf)
	_, typed := s.given.Lookup(conf.ExecutionTarget.Key)
	switch {
	case typed, target != "" && m == "" && !c.IsSet("yarnapplicationId"): // what is typed beats what is in a file
	case m == yarnCluster && id == "":
		target = targetPerJob
	case id != "":
		target = targetSession
	case m == "":
		if err := s.fromSessionFile(e); err != nil {
			return err
		}
		if target = targetRemote; s.sessionFile != "" {
			target = targetSession
		}
	default:
		target = targetRemote
	}
	if err := checkTarget(target); err != nil {
		return err
	}
	if target == targetSession && conf.YarnApplicationID.Get(s.conf) == "" {
		if err := s.fromSessionFile(e); err != nil {
			return err
		}
	}
	s.target = target
	conf.ExecutionTarget.Set(s.conf, target)
	return nil
}

// fromSessionFile takes over the session that yarn-session.sh noted.
func (s *settings) fromSessionFile(e *Env) error {
	file := sessionFile(s.conf, e)
	note, err := readSessionFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	s.conf = conf.Merge(note, s.conf)
	s.sessionFile = file
	e.console().Infof(clientlog.SessionCLI, "Found Yarn properties file under %s.", file)
	return nil
}

// checkTarget refuses targets that there are not, with a sentence.
func checkTarget(target string) error {
	switch target {
	case targetLocal, targetRemote, targetSession, targetPerJob, targetApplication:
		return nil
	case "":
		return argErrorf("The target is empty: give -t local, remote, yarn-session, yarn-per-job or yarn-application.")
	case "kubernetes-session", "kubernetes-application":
		return argErrorf("The target %s is not supported: goflink runs on YARN (yarn-session, yarn-per-job, yarn-application), on a cluster of its own (remote) and in one process (local).", target)
	}
	return argErrorf("The target %q is unknown: local, remote, yarn-session, yarn-per-job or yarn-application.", target)
}

// pathOptions are the keys that hold the path of a file or folder.
var pathOptions = []conf.Option[string]{
	conf.StateRecoveryPath, conf.CheckpointingDir, conf.CheckpointingSavepointDir, conf.YarnStagingDirectory,
	conf.HighAvailabilityStorageDir, conf.JobManagerArchiveDir, conf.FSDefaultScheme,
}

// checkFileSystems refuses paths on file systems that there are not, before
// anything starts.
func checkFileSystems(c *conf.Config) error {
	var errs []error
	for _, o := range pathOptions {
		if err := checkScheme(o.Get(c)); err != nil {
			errs = append(errs, fmt.Errorf("configuration key %q: %w", o.Key, err))
		}
	}
	return errors.Join(errs...)
}

// checkScheme refuses a path whose scheme nothing here reads.
func checkScheme(path string) error {
	scheme, _, ok := strings.Cut(path, ":")
	if !ok || scheme == "" || strings.ContainsAny(scheme, "/. ") {
		return nil
	}
	switch strings.ToLower(scheme) {
	case "file", "hdfs":
		return nil
	}
	return hdfsstore.UnknownScheme(scheme, path)
}
