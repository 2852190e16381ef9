package worker

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime/pprof"
	"slices"
	"sync"
	"syscall"
	"time"

	"goflink/conf"
	"goflink/control"
	"goflink/metrics"
	"goflink/taskmanager/exchange"
	"goflink/taskmanager/partition"
	"goflink/taskmanager/uplink"
)

type link = uplink.Link[control.WorkerEvent, control.WorkerCommand]

// worker is the running process. current, running and epoch belong to Run's
// goroutine.
type worker struct {
	*settings
	ctx      context.Context
	net      *exchange.Network
	registry *metrics.Registry
	segments *segments
	scratch  string
	// partitions are what tasks wrote for those of later stages.
	partitions *partition.Store
	wg         sync.WaitGroup     // attempts that end, the ticker
	current    map[int32]*attempt // by region
	running    map[taskKey]*task  // of the current attempts
	epoch      int64
	flushers   flushers
	mu         struct {
		sync.Mutex
		link  *link
		tasks []*task // of the current attempts, for the ticker
	}
}

// Run runs a worker until the JobManager shuts it down (nil), refuses it, stays
// lost, or ctx ends. Tasks that still run are cancelled first.
func Run(ctx context.Context, o Options) (err error) {
	s, err := newSettings(o)
	if err != nil {
		return err
	}
	if s.Fatal == nil {
		s.Fatal = s.exit
	}
	w := &worker{settings: s, current: map[int32]*attempt{}, running: map[taskKey]*task{}}
	if w.net, err = s.listen(); err != nil {
		return err
	}
	defer w.net.Close()
	w.scratch = ScratchFolder(scratchRoot(o.Bootstrap), s.start.WorkerId)
	if err := os.MkdirAll(w.scratch, 0o700); err != nil {
		return fmt.Errorf("worker: scratch folder: %w", err)
	}
	defer os.RemoveAll(w.scratch)
	w.partitions = partition.NewStore(filepath.Join(w.scratch, "partitions"))
	defer func() { err = errors.Join(err, w.partitions.Close()) }()
	w.registry = metrics.NewRegistry(metrics.Options{Host: o.Bootstrap.Host, TaskManagerID: o.Bootstrap.TaskManagerId, Scopes: metrics.ScopesFrom(s.conf)})
	inner, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	w.ctx = inner
	w.segments = newSegments(inner, w)
	w.wg.Go(w.tick)
	err = w.serve(ctx)
	w.endAttempts(errCancelled)
	cancel(errCancelled)
	w.wg.Wait()
	w.segments.close()
	w.dropLink(2 * time.Second)
	return err
}

// listen opens the data plane. A port that is configured can serve one worker
// of a host; further ones take any free port.
func (s *settings) listen() (*exchange.Network, error) {
	c := s.conf
	o := exchange.Options{WorkerID: s.start.WorkerId, Bind: conf.TaskManagerBindHost.Get(c), Port: conf.TaskManagerDataPort.Get(c),
		Secret: s.Bootstrap.Secret, NetworkBytes: s.start.NetworkBytes, Log: s.Log, Credits: exchange.Credits{
			Exclusive: conf.NetworkBuffersPerChannel.Get(c), Floating: conf.NetworkFloatingBuffersPerGate.Get(c),
			Overdraft: conf.NetworkMaxOverdraftBuffersPerGate.Get(c)}, Debloat: s.debloat, Compression: compressionOf(c), Wrap: s.wrap}
	n, err := exchange.Listen(o)
	if errors.Is(err, syscall.EADDRINUSE) && o.Port != 0 {
		s.Log.Warn("the data port is taken by another worker: taking any free one", "port", o.Port)
		o.Port = 0
		n, err = exchange.Listen(o)
	}
	return n, err
}

// ScratchFolder is where a worker keeps its files, below a folder that it is
// given. It removes it at its end; whoever started its process does when that was
// killed.
func ScratchFolder(root, workerID string) string {
	return filepath.Join(root, "worker-"+filepath.Base(workerID))
}

func scratchRoot(b *control.Bootstrap) string {
	if b.ScratchDir != "" {
		return b.ScratchDir
	}
	return os.TempDir()
}

// exit is the default of Options.Fatal.
func (s *settings) exit(err error) {
	s.Log.Error("ending the process", "error", err)
	fmt.Fprintln(os.Stderr, err)
	_ = pprof.Lookup("goroutine").WriteTo(os.Stderr, 1)
	os.Exit(ExitWatchdog)
}

// errShutdown is the JobManager's order to end.
var errShutdown = errors.New("shut down by the JobManager")

// refused is the JobManager's answer to a worker that it does not want.
type refused struct{ reason string }

func (r *refused) Error() string { return "the JobManager refused this worker: " + r.reason }

// serve keeps the worker registered at a JobManager until one of them ends it.
func (w *worker) serve(ctx context.Context) error {
	address := w.Bootstrap.Jobmanager
	lostAt := time.Now()
	for {
		began := time.Now()
		registered, err := w.session(ctx, address, lostAt)
		var no *refused
		switch {
		case errors.Is(err, errShutdown):
			w.Log.Info("worker is shut down", "reason", err)
			return nil
		case errors.As(err, &no):
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		}
		if registered {
			lostAt = time.Now()
			w.Log.Warn("the JobManager is lost", "address", address, "error", err)
		}
		if time.Since(lostAt) > w.timeout {
			w.endAttempts(fmt.Errorf("%w: the JobManager is lost for %s", errCancelled, w.timeout))
		}
		if time.Since(lostAt) > w.patience() {
			return fmt.Errorf("the JobManager at %s is lost since %s: %w", address, lostAt.Format(time.RFC3339), err)
		}
		address = w.leader(ctx, address)
		if left := retryPause - time.Since(began); left > 0 {
			pause(ctx, left)
		}
	}
}

// retryPause is the least time between two tries to reach a JobManager.
const retryPause = 200 * time.Millisecond

// patience is how long a worker outlives its JobManager: with a way to find
// the next one as long as a TaskManager waits for its registration.
func (w *worker) patience() time.Duration {
	if w.FindLeader == nil {
		return w.timeout
	}
	return max(w.timeout, conf.TaskManagerRegistrationTimeout.Get(w.conf))
}

// leader is the JobManager's address, found anew if there is a way to.
func (w *worker) leader(ctx context.Context, last string) string {
	if w.FindLeader == nil {
		return last
	}
	address, err := w.FindLeader(ctx)
	if err != nil || address == "" {
		return last
	}
	if address != last {
		w.Log.Info("another JobManager leads", "address", address)
		w.endAttempts(fmt.Errorf("%w: another JobManager leads", errCancelled))
	}
	return address
}

// endAttempts cancels all that runs and waits for its end.
func (w *worker) endAttempts(cause error) {
	for _, a := range w.current {
		a.end(cause)
	}
	for region := range w.current {
		w.endAttempt(region, cause)
	}
}

// endAttempt cancels the current attempt of a region and waits for its end.
func (w *worker) endAttempt(region int32, cause error) {
	a := w.current[region]
	if a == nil {
		return
	}
	a.end(cause)
	<-a.ended
	delete(w.current, region)
	for key, t := range a.tasks {
		if w.running[key] == t {
			delete(w.running, key)
		}
	}
	w.showTasks()
}

// showTasks lets the ticker see the tasks there are.
func (w *worker) showTasks() {
	tasks := slices.Collect(maps.Values(w.running))
	w.mu.Lock()
	defer w.mu.Unlock()
	w.mu.tasks = tasks
}

// session is one connection to a JobManager, from registration to its end. It
// tells whether the registration succeeded.
func (w *worker) session(ctx context.Context, address string, lostAt time.Time) (registered bool, err error) {
	conn, err := uplink.Dial(address, w.Bootstrap.Secret)
	if err != nil {
		return false, err
	}
	defer conn.Close()
	deadline := lostAt.Add(w.timeout)
	if w.FindLeader != nil { // look for the next one soon
		deadline = time.Now().Add(min(w.timeout, 3*time.Second))
	}
	until, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	if err := uplink.Await(until, conn); err != nil {
		return false, err
	}
	l, err := uplink.Open(control.NewJobManagerClient(conn).Worker)
	if err != nil {
		return false, err
	}
	l.Send(w.registration()) // the first event
	w.setLink(l)
	registered, err = w.commands(ctx, l, address)
	linger := time.Duration(0)
	if errors.Is(err, errShutdown) || ctx.Err() != nil {
		w.endAttempts(errCancelled)
		linger = time.Second
	}
	w.setLink(nil)
	l.Close(linger)
	return registered, err
}

func (w *worker) setLink(l *link) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.mu.link = l
}

// dropLink closes a link that is still open.
func (w *worker) dropLink(linger time.Duration) {
	w.mu.Lock()
	l := w.mu.link
	w.mu.link = nil
	w.mu.Unlock()
	if l != nil {
		l.Close(linger)
	}
}

// send queues an event for the JobManager; without one it is dropped.
func (w *worker) send(e *control.WorkerEvent) {
	w.mu.Lock()
	l := w.mu.link
	w.mu.Unlock()
	if l != nil {
		l.Send(e)
	}
}

// commands carries out what the JobManager says until the stream ends.
func (w *worker) commands(ctx context.Context, l *link, address string) (registered bool, err error) {
	check := time.NewTicker(uplink.JudgeEvery(w.timeout))
	defer check.Stop()
	for {
		select {
		case <-ctx.Done():
			return registered, ctx.Err()
		case <-check.C:
			if w.beats == 0 {
				continue
			}
			if err := l.Judge(ctx, w.beats, w.timeout, address, w.FindLeader); err != nil {
				return registered, err
			}
		case c, ok := <-l.Commands():
			if !ok {
				return registered, l.Err()
			}
			if r := c.GetRegistered(); r != nil {
				if err := w.accepted(r); err != nil {
					return false, err
				}
				registered = true
				continue
			}
			if !registered {
				continue // nothing counts before the answer to the registration
			}
			if err := w.carryOut(c); err != nil {
				return registered, err
			}
		}
	}
}

// accepted takes the answer to a registration.
func (w *worker) accepted(r *control.WorkerRegistered) error {
	if r.Refused != "" {
		return &refused{r.Refused}
	}
	if r.Epoch != w.epoch {
		w.endAttempts(fmt.Errorf("%w: another JobManager leads", errCancelled))
	}
	w.epoch = r.Epoch
	if err := w.partitions.Keep(r.Epoch); err != nil {
		w.Log.Warn("result partitions of another JobManager's attempts are left behind", "error", err)
	}
	if r.HeartbeatTimeoutMs > 0 {
		w.timeout = time.Duration(r.HeartbeatTimeoutMs) * time.Millisecond
	}
	w.beats = time.Duration(r.HeartbeatIntervalMs) * time.Millisecond
	w.Log.Info("worker is registered", "worker", w.start.WorkerId, "epoch", r.Epoch)
	w.repeatStates()
	return nil
}

// repeatStates tells a JobManager that was out of reach for a moment how the
// tasks stand.
func (w *worker) repeatStates() {
	for _, t := range w.running {
		if state, ok := t.state.Load().(*control.TaskState); ok {
			w.send(&control.WorkerEvent{Event: &control.WorkerEvent_TaskState{TaskState: state}})
		}
		if t.told.Load() {
			w.sendDrained(t)
		}
	}
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
