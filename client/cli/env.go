package cli

import (
	"context"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"goflink/conf"
)

// Daemon runs one of the long-lived roles of bin/flink until ctx ends.
type Daemon func(ctx context.Context, a DaemonArgs) error

// DaemonArgs are what a daemon is started with.
type DaemonArgs struct {
	// Conf is the configuration file with -D over it; empty for the roles that
	// YARN starts, which find theirs in the container.
	Conf *conf.Config
	// ConfDir is the configuration folder; the cluster's secret lies there
	// (internal/standalone).
	ConfDir string
	// LogPrefix is the path of the log file without .log, from FLINK_LOG_PREFIX;
	// empty: in the foreground, log to standard error.
	LogPrefix string
	// Args is what the command line had behind the options.
	Args []string
}

// Env is what a command sees of its surroundings; cmd/flink fills it from the
// process, tests from what they please.
type Env struct {
	// Args are the arguments behind the program's name.
	Args []string
	// Stdin, Stdout, Stderr are the terminal's.
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	// Getenv looks up the environment.
	Getenv func(string) string
	// Executable is the absolute path of bin/flink itself.
	Executable string
	// User and Host name the log file; User is also who Hadoop sees.
	User, Host string
	// Now is the clock of what is printed.
	Now func() time.Time
	// Interrupted ends with the first Ctrl-C or SIGTERM.
	Interrupted context.Context
	// Daemons are the roles by the name of their command.
	Daemons map[string]Daemon
	// Version and Commit are printed by --version.
	Version, Commit string

	log *slog.Logger
}

// home is the installation's folder: bin/flink lies one below it.
func (e *Env) home() string { return filepath.Dir(filepath.Dir(e.Executable)) }

// confDir is where the configuration file is looked for.
func (e *Env) confDir() string {
	if dir := e.Getenv("FLINK_CONF_DIR"); dir != "" {
		return dir
	}
	return filepath.Join(e.home(), "conf")
}

// logDir is where the client's log goes.
func (e *Env) logDir(c *conf.Config) string {
	if dir := e.Getenv("FLINK_LOG_DIR"); dir != "" {
		return dir
	}
	if dir := conf.EnvLogDir.Get(c); dir != "" {
		return dir
	}
	return filepath.Join(e.home(), "log")
}

// loadConf reads the configuration file. Without FLINK_CONF_DIR a missing
// folder means the defaults: a single copied binary works.
func (e *Env) loadConf() (*conf.Config, error) {
	dir := e.confDir()
	if e.Getenv("FLINK_CONF_DIR") == "" {
		if _, err := os.Stat(dir); os.IsNotExist(err) {
			return conf.New(), nil
		}
	}
	c, err := conf.Load(dir)
	if err != nil {
		return nil, err
	}
	return c, nil
}
