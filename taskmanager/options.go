package taskmanager

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"time"

	"goflink/conf"
	"goflink/control"
	"goflink/dataflow"
)

// Options configure Run.
type Options struct {
	// JobManager is host:port of the control plane.
	JobManager string
	// Secret is the cluster's.
	Secret control.Secret
	// ResourceID names this TaskManager: the container's id on YARN.
	ResourceID string
	// Host is the address that others reach it at; see DetectHost.
	Host string
	// Slots it offers.
	Slots int
	// Memory is Flink's memory model, for display and for the shares of workers.
	Memory *control.MemoryPlan
	// VCores is how many virtual cores were asked for; workers get
	// GOMAXPROCS = max(2, VCores).
	VCores int
	// LogDir is the only folder that log requests may read. Workers write their
	// files there.
	LogDir string
	// LogName is the TaskManager's log file without .log; workers append their
	// id. Empty: taskmanager.
	LogName string
	// ScratchDir takes working files and the cache of programs.
	ScratchDir string
	// Conf is the cluster's configuration.
	Conf *conf.Config
	// Files opens the URIs of programs; nil: all programs are fetched from the
	// JobManager.
	Files dataflow.FileSystems
	// Version is shown by the JobManager.
	Version string
	// PassEnv names variables that workers inherit besides the usual ones
	// (see workerEnv).
	PassEnv []string
	// Stdout takes the standard output of workers, as in an embedded cluster;
	// nil: their .out files.
	Stdout *os.File
	// Stderr also takes the standard error of workers, as in an embedded
	// cluster; nil: their .out files only.
	Stderr io.Writer
	// Dedicated is set in per-job and application mode.
	Dedicated *Dedicated
	// FindLeader finds the JobManager's address anew after it was lost.
	FindLeader func(ctx context.Context) (string, error)
	// Grace is how long a worker may take to end after SIGTERM; 0: 5 s, half of
	// what a cluster has to be gone after it was stopped.
	Grace time.Duration
	// Log is the process's logger; nil: slog.Default.
	Log *slog.Logger

	// command makes a worker's command from its program; tests use their own.
	command func(path string, args []string) *exec.Cmd
}

// Dedicated runs the worker in this very process.
type Dedicated struct {
	// SHA256 is the digest of this program: the job that it can run.
	SHA256 string
	// Run runs the worker until ctx ends; usually it rebuilds the program and
	// calls worker.Run.
	Run func(ctx context.Context, b *control.Bootstrap) error
}

func (o *Options) complete() error {
	var errs []error
	need := func(ok bool, what string) {
		if !ok {
			errs = append(errs, errors.New("taskmanager: no "+what))
		}
	}
	need(o.JobManager != "", "address of the JobManager (jobmanager.rpc.address)")
	need(len(o.Secret) > 0, "cluster secret")
	need(o.ResourceID != "", "resource id")
	need(o.Host != "", "host")
	need(o.Slots > 0, "slots (taskmanager.numberOfTaskSlots)")
	need(o.LogDir != "", "log folder")
	need(o.ScratchDir != "", "scratch folder (io.tmp.dirs)")
	if o.Conf == nil {
		o.Conf = conf.New()
	}
	if o.LogName == "" {
		o.LogName = "taskmanager"
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Grace <= 0 {
		o.Grace = 5 * time.Second
	}
	if o.Memory == nil {
		o.Memory = &control.MemoryPlan{}
	}
	if o.command == nil {
		o.command = func(path string, args []string) *exec.Cmd { return exec.Command(path, args...) }
	}
	for _, dir := range []string{o.LogDir, o.ScratchDir} {
		if dir != "" {
			errs = append(errs, os.MkdirAll(dir, 0o755))
		}
	}
	return errors.Join(errs...)
}
