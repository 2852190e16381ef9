// Command flink is goflink's one program: the client that users and schedulers
// call (run, list, stop, …), and the daemons of a cluster (jobmanager,
// taskmanager, and what YARN's containers run). The command line is package
// client/cli's; this file gives it the process.
package main

import (
	"context"
	"os"
	"os/signal"
	"os/user"
	"path/filepath"
	"syscall"
	"time"
	_ "time/tzdata" // hosts of a cluster may have no zone files

	"goflink/client/cli"
	"goflink/conf"
)

func main() {
	os.Exit(run())
}

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// A second Ctrl-C ends the process at once.
	context.AfterFunc(ctx, stop)
	exe, err := os.Executable()
	if err != nil {
		exe = os.Args[0]
	}
	if real, err := filepath.EvalSymlinks(exe); err == nil {
		exe = real
	}
	host, err := os.Hostname()
	if err != nil {
		host = "localhost"
	}
	return cli.Main(&cli.Env{
		Args: os.Args[1:], Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Getenv: os.Getenv,
		Executable: exe, User: userName(), Host: host, Now: time.Now, Interrupted: ctx,
		Daemons: daemons, Version: conf.Version, Commit: conf.Commit,
	})
}

// userName is the system's name for us: files are named after it.
func userName() string {
	if u, err := user.Current(); err == nil && u.Username != "" {
		return u.Username
	}
	if u := os.Getenv("USER"); u != "" {
		return u
	}
	return "nobody"
}
