package jobmanager

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"

	"goflink/control"
	"goflink/jobmanager/execution"
	"goflink/jobmanager/ha"
	"goflink/jobmanager/rest"
	"goflink/jobmanager/slots"
	"goflink/metrics"
)

// FinalStatus is how a cluster ends.
type FinalStatus string

// The final statuses, named as YARN's.
const (
	StatusSucceeded FinalStatus = "SUCCEEDED"
	StatusFailed    FinalStatus = "FAILED"
	StatusKilled    FinalStatus = "KILLED"
	// StatusUndefined leaves jobs to the next JobManager.
	StatusUndefined FinalStatus = "UNDEFINED"
)

// JobManager runs the jobs of a cluster.
type JobManager struct {
	o      Options
	log    *slog.Logger
	clock  Clock
	loop   *loop
	server *grpc.Server

	ctx    context.Context // of everything but the loops
	cancel context.CancelFunc
	group  struct {
		sync.Mutex
		sync.WaitGroup
		closed bool
	}
	stopping chan struct{} // closed when Shutdown begins or the JobManager was fenced
	done     chan struct{} // closed when everything has ended
	end      struct {
		sync.Once
		err    error
		status FinalStatus
	}

	// Of the loop.
	pool     *slots.Pool
	tms      map[string]*taskManager
	jobs     map[string]*master
	coming   map[string]bool // jobs that are being prepared
	order    []string        // job ids, oldest first
	archive  archive
	metrics  *metrics.Registry
	workers  map[string]string // worker id -> job id
	beatStop func()
}

// New makes a JobManager. It serves nothing before Start.
func New(o Options) (*JobManager, error) {
	if err := o.validate(); err != nil {
		return nil, fmt.Errorf("JobManager: %w", err)
	}
	jm := &JobManager{o: o, log: o.Log, clock: o.Clock, stopping: make(chan struct{}), done: make(chan struct{}),
		pool: slots.New(poolConfig(&o)), tms: map[string]*taskManager{}, jobs: map[string]*master{}, coming: map[string]bool{}, workers: map[string]string{}}
	jm.archive = newArchive(o.Conf)
	jm.metrics = metrics.NewRegistry(metrics.Options{Host: hostname(), Scopes: metrics.ScopesFrom(o.Conf), Now: o.Clock.Now})
	metrics.RegisterProcess(jm.metrics.Process())
	jm.ctx, jm.cancel = context.WithCancel(context.Background())
	jm.loop = newLoop(o.Clock, jm.pool.Deadline, func() { jm.allot(slots.Tick{}) })
	jm.server = grpc.NewServer(grpc.Creds(control.Credentials(o.Secret)),
		grpc.MaxRecvMsgSize(maxMessage), grpc.MaxSendMsgSize(maxMessage),
		grpc.WaitForHandlers(true), // Close leaves nothing behind; they end with jm.ctx
		// A dead peer is noticed by heartbeats; this only frees its socket.
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: 30 * time.Second, Timeout: 20 * time.Second}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: time.Second, PermitWithoutStream: true}))
	control.RegisterJobManagerServer(jm.server, &service{jm: jm})
	return jm, nil
}

// start runs f on a goroutine of the JobManager's group, unless it is closing.
func (jm *JobManager) start(f func()) bool {
	jm.group.Lock()
	defer jm.group.Unlock()
	if jm.group.closed {
		return false
	}
	jm.group.Go(f)
	return true
}

// Start begins to serve the control plane.
func (jm *JobManager) Start() error {
	ok := jm.start(jm.loop.run) && jm.start(func() {
		if err := jm.server.Serve(jm.o.Listener); err != nil && !errors.Is(err, net.ErrClosed) {
			jm.log.Error("The control plane ended", "error", err)
		}
	})
	if !ok {
		return errEnded
	}
	jm.log.Info("JobManager is listening", "address", jm.o.Address, "cluster", jm.o.ClusterID, "epoch", jm.o.Epoch)
	jm.loop.post(func() {
		jm.allot(slots.Begin{})
		jm.beat()
	})
	return nil
}

// Address is host:port of the control plane.
func (jm *JobManager) Address() string { return jm.o.Address }

// Stopping is closed when the JobManager begins to end: by Shutdown, through
// REST, or because another one has taken over.
func (jm *JobManager) Stopping() <-chan struct{} { return jm.stopping }

// Done is closed when the JobManager has ended and nothing of it runs.
func (jm *JobManager) Done() <-chan struct{} { return jm.done }

// Err tells why the JobManager ended by itself: it wraps ha.ErrFenced or
// ha.ErrUnknownOutcome. It is nil before Stopping is closed, and after a
// shutdown that somebody asked for.
func (jm *JobManager) Err() error {
	select {
	case <-jm.stopping:
		return jm.end.err
	default:
		return nil
	}
}

// Status is how Shutdown was asked to end the cluster; empty before.
func (jm *JobManager) Status() FinalStatus {
	select {
	case <-jm.stopping:
		return jm.end.status
	default:
		return ""
	}
}

// fatal ends the JobManager at once, without touching anything shared.
func (jm *JobManager) fatal(err error) {
	jm.end.Do(func() {
		jm.log.Error("The JobManager stops", "error", err)
		jm.end.err, jm.end.status = err, StatusUndefined
		close(jm.stopping)
		jm.cancel()
	})
}

// lost tells whether err says that another JobManager leads, or may.
func lost(err error) bool {
	return errors.Is(err, ha.ErrFenced) || errors.Is(err, ha.ErrUnknownOutcome)
}

// announce tells that the cluster is to end; Shutdown then ends it. It is what
// DELETE /cluster does.
func (jm *JobManager) announce(status FinalStatus) {
	jm.end.Do(func() {
		jm.end.status = status
		close(jm.stopping)
	})
}

// Shutdown ends the cluster: jobs that run are given up (with any status but
// UNDEFINED for good), TaskManagers are told to go. It waits until nothing of
// the JobManager runs, at most until ctx ends; then it cuts off what is left.
func (jm *JobManager) Shutdown(ctx context.Context, status FinalStatus) error {
	jm.announce(status)
	status = jm.end.status
	jm.log.Info("Shutting the cluster down", "status", status)
	if jm.end.err == nil {
		jm.retire(ctx, status)
	}
	return jm.Close()
}

// farewell is how long TaskManagers may take to hear that they are to go: a
// round trip, with room for a busy machine. Those that do not lose their
// JobManager instead.
const farewell = 5 * time.Second

// retire ends jobs and TaskManagers in good order.
func (jm *JobManager) retire(ctx context.Context, status FinalStatus) {
	masters, err := ask(ctx, jm.loop, func() []*master {
		var out []*master
		for _, m := range jm.jobs {
			m.post(func() { m.step(execution.Suspend{}) })
			out = append(out, m)
		}
		return out
	})
	if err != nil {
		return
	}
	for _, m := range masters {
		select {
		case <-m.done:
		case <-ctx.Done():
			return
		}
		if status != StatusUndefined && m.unfinished() {
			if err := jm.o.HA.RemoveJob(ctx, m.id); err != nil {
				jm.log.Warn("A job could not be removed from the recovery store", "job", m.id, "error", err)
			}
		}
	}
	streams, err := ask(ctx, jm.loop, func() []*taskManager {
		var out []*taskManager
		for _, t := range jm.tms {
			if t.conn != nil && status != StatusUndefined {
				t.conn.send(&control.TaskManagerCommand{Command: &control.TaskManagerCommand_Shutdown{
					Shutdown: &control.Shutdown{Reason: "the cluster ends: " + string(status)}}})
				out = append(out, t)
			}
		}
		return out
	})
	if err != nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, farewell)
	defer cancel()
	for _, t := range streams { // a TaskManager that has heard it ends its stream
		select {
		case <-t.gone:
		case <-ctx.Done():
			return
		}
	}
}

// Close ends everything at once and waits for it. It may be called more than
// once.
func (jm *JobManager) Close() error {
	jm.announce(StatusUndefined)
	jm.cancel()
	jm.server.Stop()
	_ = jm.o.Listener.Close() // closed already, unless Start was never called
	jm.loop.post(func() {
		if jm.beatStop != nil {
			jm.beatStop()
		}
		for _, m := range jm.jobs {
			m.abandon()
		}
	})
	jm.loop.close()
	jm.group.Lock()
	first := !jm.group.closed
	jm.group.closed = true
	jm.group.Unlock()
	jm.group.Wait()
	if first {
		close(jm.done)
	}
	<-jm.done
	return jm.end.err
}

// REST is what the REST server shows and steers.
func (jm *JobManager) REST() rest.Cluster { return &restCluster{jm} }
