package jobmanager

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"time"

	"goflink/conf"
	"goflink/control"
	"goflink/graph"
	"goflink/hdfsstore"
	"goflink/jobmanager/ha"
	"goflink/jobmanager/rest"
)

// Store is what must survive the JobManager; ha.Store is one. Its errors may
// wrap ha.ErrFenced and ha.ErrUnknownOutcome.
type Store interface {
	PutJob(ctx context.Context, jobID string, jobGraph []byte) error
	UpdateJob(ctx context.Context, jobID string, jobGraph []byte) error
	PublishCheckpoint(ctx context.Context, jobID string, p ha.CheckpointPointer) error
	PutResult(ctx context.Context, jobID string, result []byte) error
	RemoveJob(ctx context.Context, jobID string) error
}

// ResourceProvider starts and stops TaskManagers. Its methods are called on the
// JobManager's loop and must return at once.
type ResourceProvider interface {
	// Declare tells how many TaskManagers there should be in all, registered
	// ones included. Those beyond are not stopped until they are released.
	Declare(taskManagers int)
	// Registered tells that a TaskManager has reported, for the first time or
	// again: it need not be replaced.
	Registered(id string)
	// Release gives up a TaskManager: it idles, or was lost.
	Release(id, reason string)
}

// CoordinatorLauncher starts the process that runs a job's enumerators; see
// ExecLauncher.
type CoordinatorLauncher interface {
	// Launch starts the process. It may take as long as fetching the program
	// does; ctx ends when the job does.
	Launch(ctx context.Context, s CoordinatorSpec) (CoordinatorProcess, error)
}

// CoordinatorSpec is what a coordinator process is started with.
type CoordinatorSpec struct {
	JobID, JobName string
	Program        *graph.Program
	Bootstrap      *control.Bootstrap
}

// CoordinatorProcess is a running coordinator.
type CoordinatorProcess interface {
	// Done is closed when the process has ended.
	Done() <-chan struct{}
	// Reason tells how it ended, once Done is closed.
	Reason() string
	// Kill ends it at once.
	Kill()
}

// Clock is the time; tests use their own.
type Clock interface {
	Now() time.Time
	// AfterFunc calls f once, on a goroutine of its own, after d. stop prevents
	// it, unless it has begun.
	AfterFunc(d time.Duration, f func()) (stop func())
}

// Mode is how the cluster is used.
type Mode int

const (
	// Session takes any number of jobs; each TaskManager runs a worker process
	// for each.
	Session Mode = iota
	// Dedicated is for one job; TaskManagers run it in their own process.
	Dedicated
)

// Options configure a JobManager.
type Options struct {
	// Conf is the cluster's configuration.
	Conf *conf.Config
	// Secret of the cluster; required.
	Secret control.Secret
	// ClusterID names the cluster in logs and to TaskManagers.
	ClusterID string
	// Epoch is the number of this attempt; part of the names of workers and
	// files.
	Epoch int64
	// HA keeps jobs, pointers and results; nil: nothing survives.
	HA Store
	// Files opens file systems by URI; required. The caller closes it.
	Files *hdfsstore.Resolver
	// Programs are the job binaries that have no URI; nil: there are none.
	Programs rest.ProgramStore
	// Listener is where the control plane is served; required. New takes it
	// over.
	Listener net.Listener
	// Address is host:port under which processes reach Listener; empty: its
	// own address.
	Address string
	// Provider starts TaskManagers; nil: they come by themselves.
	Provider ResourceProvider
	// MinTaskManagers are started at once and kept when idle (yarn-session.sh -n).
	MinTaskManagers int
	// Coordinators starts coordinator processes; required for programs with
	// sources that have enumerators.
	Coordinators CoordinatorLauncher
	// Clock is the time; nil: the system's.
	Clock Clock
	// Log is where the JobManager logs; nil: slog.Default.
	Log  *slog.Logger
	Mode Mode
	// Random yields numbers in [0, 1) for jitter; nil: math/rand.
	Random func() float64
}

func (o *Options) validate() error {
	var errs []error
	if len(o.Secret) == 0 {
		errs = append(errs, errors.New("the cluster has no secret"))
	}
	if o.Files == nil {
		errs = append(errs, errors.New("no file systems"))
	}
	if o.Listener == nil {
		errs = append(errs, errors.New("no listener"))
	}
	if o.Conf == nil {
		o.Conf = conf.New()
	}
	if o.HA == nil {
		o.HA = ha.None()
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Clock == nil {
		o.Clock = systemClock{}
	}
	if o.Listener != nil && o.Address == "" {
		o.Address = o.Listener.Addr().String()
	}
	return errors.Join(errs...)
}

type systemClock struct{}

func (systemClock) Now() time.Time { return time.Now() }

func (systemClock) AfterFunc(d time.Duration, f func()) func() {
	t := time.AfterFunc(d, f)
	return func() { t.Stop() }
}
