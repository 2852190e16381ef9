package coordinator

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"runtime/debug"
	"time"

	"google.golang.org/protobuf/proto"

	"goflink/conf"
	"goflink/control"
	"goflink/dataflow"
	"goflink/graph"
)

// Options configure Run.
type Options struct {
	// Bootstrap says which job this is and how to reach the JobManager: the
	// fields Jobmanager, Secret, Worker (job id, program, configuration).
	Bootstrap *control.Bootstrap
	// Program is the job's graph, rebuilt in this process.
	Program dataflow.Program
	// Files opens file systems by URI; usually an hdfsstore.Resolver. The caller
	// closes it.
	Files dataflow.FileSystems
	// Log is the process's logger; nil: slog.Default.
	Log *slog.Logger
}

// Run serves as a job's coordinator until the JobManager ends it or is lost, or
// ctx ends. Losing the JobManager is an error; its successor starts another
// coordinator.
func Run(ctx context.Context, o Options) error {
	r, err := newRuntime(o)
	if err != nil {
		return err
	}
	if r.link, err = dial(ctx, o.Bootstrap.Jobmanager, o.Bootstrap.Secret); err != nil {
		return err
	}
	defer r.link.close()
	defer r.end(func(string) bool { return true })
	r.register()
	return r.serve(ctx)
}

// runtime is a coordinator process. Its fields belong to Run's goroutine.
type runtime struct {
	o       Options
	log     *slog.Logger
	job     *control.StartWorker
	program graph.Program
	conf    *conf.Config
	link    *link
	tasks   chan func()
	running []*enumerator // in the order of the graph, each start's apart
	aligner *dataflow.Aligner
	timeout time.Duration
	failed  bool
}

func newRuntime(o Options) (*runtime, error) {
	if o.Bootstrap == nil || o.Bootstrap.Worker == nil || o.Program == nil || o.Files == nil {
		return nil, errors.New("coordinator: no bootstrap, program or file systems")
	}
	r := &runtime{o: o, log: o.Log, job: o.Bootstrap.Worker, conf: conf.FromMap(o.Bootstrap.Worker.Config), tasks: make(chan func()), aligner: dataflow.NewAligner()}
	if err := proto.Unmarshal(r.job.Program, &r.program); err != nil {
		return nil, fmt.Errorf("coordinator: the program's description is damaged: %w", err)
	}
	if r.log == nil {
		r.log = slog.Default()
	}
	r.timeout = conf.HeartbeatTimeout.Get(r.conf)
	return r, nil
}

func (r *runtime) register() {
	g := r.o.Program.JobGraph()
	r.link.send(&control.CoordinatorEvent{Event: &control.CoordinatorEvent_Register{Register: &control.RegisterCoordinator{
		Protocol: control.ProtocolVersion, JobId: r.job.JobId, ProgramSha256: r.program.Sha256, Fingerprint: g.Fingerprint,
		Pid: int32(os.Getpid()), Description: graph.Describe(g)}}})
}

// serve handles commands and the enumerators' own callbacks, one at a time.
func (r *runtime) serve(ctx context.Context) error {
	silence := time.NewTimer(r.timeout)
	defer silence.Stop()
	for {
		select {
		case c, ok := <-r.link.commands:
			if !ok {
				return fmt.Errorf("the connection to the JobManager was lost: %w", r.link.err)
			}
			silence.Reset(r.timeout)
			if over, err := r.command(ctx, c); over || err != nil {
				return err
			}
		case f := <-r.tasks:
			f()
		case <-silence.C:
			return fmt.Errorf("the JobManager was silent for %s (heartbeat.timeout)", r.timeout)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (r *runtime) command(ctx context.Context, c *control.CoordinatorCommand) (over bool, err error) {
	switch c := c.Command.(type) {
	case *control.CoordinatorCommand_Registered:
		if c.Registered.Refused != "" {
			return true, errors.New("the JobManager refuses this process: " + c.Registered.Refused)
		}
		if t := c.Registered.HeartbeatTimeoutMs; t > 0 {
			r.timeout = time.Duration(t) * time.Millisecond
		}
		r.log.Info("Registered at the JobManager", "job", r.job.JobId, "epoch", c.Registered.Epoch)
	case *control.CoordinatorCommand_Start:
		r.start(ctx, c.Start)
	case *control.CoordinatorCommand_SplitRequest:
		r.request(c.SplitRequest)
	case *control.CoordinatorCommand_SourceEvent:
		r.event(c.SourceEvent)
	case *control.CoordinatorCommand_Checkpoint:
		r.snapshot(c.Checkpoint.CheckpointId)
	case *control.CoordinatorCommand_Complete:
		r.completed(c.Complete.CheckpointId)
	case *control.CoordinatorCommand_Heartbeat:
		r.link.send(&control.CoordinatorEvent{Event: &control.CoordinatorEvent_Heartbeat{Heartbeat: &control.Heartbeat{SentMs: time.Now().UnixMilli()}}})
	case *control.CoordinatorCommand_Shutdown:
		r.log.Info("Shutting down", "reason", c.Shutdown.Reason)
		return true, nil
	}
	return false, nil
}

// call runs user code. Its panic is its error, and any error fails the job.
func (r *runtime) call(what string, f func() error) error {
	err := guard(f)
	if err == nil || r.failed {
		return err
	}
	r.failed = true
	err = fmt.Errorf("%s: %w", what, err)
	failure := &control.Failure{Message: err.Error(), Domain: "user", Retry: "restart"}
	var p *panicked
	switch {
	case errors.As(err, &p):
		failure.Stack = p.stack
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission):
		failure.Domain, failure.Retry = "external", "none" // trying again does not help
	}
	r.log.Error("The source coordinator failed", "error", err)
	r.link.send(&control.CoordinatorEvent{Event: &control.CoordinatorEvent_Failed{Failed: &control.CoordinatorFailed{Failure: failure}}})
	return err
}

// panicked is a panic of user code as an error.
type panicked struct {
	value any
	stack string
}

func (p *panicked) Error() string { return fmt.Sprintf("panic: %v", p.value) }

func (p *panicked) Unwrap() error {
	err, _ := p.value.(error)
	return err
}

// maxStack bounds a stack in a failure: its top is what tells.
const maxStack = 32 << 10

func guard(f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			s := string(debug.Stack())
			err = &panicked{value: v, stack: s[:min(len(s), maxStack)]}
		}
	}()
	return f()
}
