package taskmanager

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"
	"google.golang.org/grpc"

	"goflink/conf"
	"goflink/control"
	"goflink/taskmanager/uplink"
)

type link = uplink.Link[control.TaskManagerEvent, control.TaskManagerCommand]

// supervisor is a running TaskManager.
type supervisor struct {
	o       *Options
	cache   *cache
	timeout time.Duration
	beats   time.Duration // between the JobManager's heartbeats, 0: it sends none; Run's goroutine only
	workers sync.WaitGroup
	others  sync.WaitGroup // heartbeats, log requests
	logs    chan struct{}  // log requests under way
	mu      struct {
		sync.Mutex
		link    *link
		conn    *grpc.ClientConn
		leader  string
		running map[string]*supervised
		closed  bool
	}
}

// supervised is a worker from StartWorker to its exit.
type supervised struct {
	cancel context.CancelFunc
	kill   chan struct{}
	once   sync.Once
	pid    int // 0 until it has started, and in this process; guarded by supervisor.mu
}

func (w *supervised) killNow() { w.once.Do(func() { close(w.kill) }) }

// errShutdown is the JobManager's order to end.
var errShutdown = errors.New("shut down by the JobManager")

// refused is the answer of a JobManager that does not want this TaskManager.
type refused struct{ reason string }

func (r *refused) Error() string {
	return "the JobManager refused this TaskManager: " + r.reason
}

// logRequests bounds the log requests that are answered at a time.
const logRequests = 4

// Run runs a TaskManager until the JobManager shuts it down (nil), refuses it,
// stays lost, or ctx ends. Workers that still run are ended first.
func Run(ctx context.Context, o Options) error {
	if err := o.complete(); err != nil {
		return err
	}
	s := &supervisor{o: &o, timeout: conf.HeartbeatTimeout.Get(o.Conf), logs: make(chan struct{}, logRequests)}
	s.mu.running, s.mu.leader = map[string]*supervised{}, o.JobManager
	var err error
	if s.cache, err = newCache(filepath.Join(o.ScratchDir, "programs"), o.Files, o.Log); err != nil {
		return err
	}
	s.cache.fetch = fetchFrom(s.client)
	if o.Dedicated != nil { // the container is the worker: all of its memory is
		if err := (Limits{MemoryBytes: o.Memory.TotalProcess, VCores: o.VCores}).ApplyToSelf(); err != nil {
			o.Log.Warn("this process runs without limits", "error", err)
		}
	}
	beats, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s.others.Go(func() { s.beat(beats) })
	err = s.serve(ctx)
	reason := "it was stopped"
	if err != nil && ctx.Err() == nil {
		reason = err.Error()
	}
	s.leave(reason)
	cancel()
	s.others.Wait()
	return err
}

// leave says goodbye, ends all workers and waits for them.
func (s *supervisor) leave(reason string) {
	s.send(&control.TaskManagerEvent{Event: &control.TaskManagerEvent_Leaving{Leaving: &control.Leaving{Reason: reason}}})
	s.mu.Lock()
	s.mu.closed = true
	running := slices.Collect(maps.Values(s.mu.running))
	s.mu.Unlock()
	for _, w := range running {
		w.cancel()
	}
	s.workers.Wait()
	s.mu.Lock()
	l, conn := s.mu.link, s.mu.conn
	s.mu.link, s.mu.conn = nil, nil
	s.mu.Unlock()
	if l != nil {
		l.Close(time.Second)
	}
	if conn != nil {
		conn.Close()
	}
}

// retryPause is the least time between two tries to reach a JobManager.
const retryPause = 200 * time.Millisecond

// serve keeps the TaskManager registered until one side ends it.
func (s *supervisor) serve(ctx context.Context) error {
	lostAt := time.Now()
	for {
		began := time.Now()
		registered, err := s.session(ctx)
		var no *refused
		switch {
		case errors.Is(err, errShutdown):
			s.o.Log.Info("TaskManager is shut down", "reason", err)
			return nil
		case errors.As(err, &no):
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		}
		s.drop()
		if registered {
			lostAt = time.Now()
			s.o.Log.Warn("the JobManager is lost", "address", s.address(), "error", err)
		}
		if limit := conf.TaskManagerRegistrationTimeout.Get(s.o.Conf); time.Since(lostAt) > limit {
			return fmt.Errorf("no JobManager took this TaskManager's registration within %s (taskmanager.registration.timeout): %w", limit, err)
		}
		s.findLeader(ctx)
		if left := retryPause - time.Since(began); left > 0 {
			pause(ctx, left)
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

func (s *supervisor) findLeader(ctx context.Context) {
	if s.o.FindLeader == nil {
		return
	}
	address, err := s.o.FindLeader(ctx)
	if err != nil || address == "" || address == s.address() {
		return
	}
	s.o.Log.Info("another JobManager leads", "address", address)
	s.mu.Lock()
	s.mu.leader = address
	s.mu.Unlock()
}

// address is the JobManager's.
func (s *supervisor) address() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mu.leader
}

// client talks to the JobManager of the moment; nil when there is none.
func (s *supervisor) client() control.JobManagerClient {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.conn == nil {
		return nil
	}
	return control.NewJobManagerClient(s.mu.conn)
}

// drop lets go of a broken connection.
func (s *supervisor) drop() {
	s.mu.Lock()
	l, conn := s.mu.link, s.mu.conn
	s.mu.link, s.mu.conn = nil, nil
	s.mu.Unlock()
	if l != nil {
		l.Close(0)
	}
	if conn != nil {
		conn.Close()
	}
}

// send queues an event; without a JobManager it is dropped: the registration
// says which workers run.
func (s *supervisor) send(e *control.TaskManagerEvent) {
	s.mu.Lock()
	l := s.mu.link
	s.mu.Unlock()
	if l != nil {
		l.Send(e)
	}
}

// session is one connection, from registration to its end.
func (s *supervisor) session(ctx context.Context) (registered bool, err error) {
	conn, err := uplink.Dial(s.address(), s.o.Secret)
	if err != nil {
		return false, err
	}
	until, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	if err := uplink.Await(until, conn); err != nil {
		conn.Close()
		return false, err
	}
	l, err := uplink.Open(control.NewJobManagerClient(conn).TaskManager)
	if err != nil {
		conn.Close()
		return false, err
	}
	l.Send(s.registration())
	s.mu.Lock()
	s.mu.link, s.mu.conn = l, conn
	s.mu.Unlock()
	return s.commands(ctx, l)
}

func (s *supervisor) registration() *control.TaskManagerEvent {
	r := &control.RegisterTaskManager{Protocol: control.ProtocolVersion, Id: s.o.ResourceID, Host: s.o.Host, Slots: int32(s.o.Slots),
		Memory: s.o.Memory, CpuCores: int32(runtime.NumCPU()), PhysicalMemory: physicalMemory(), LogDir: s.o.LogDir, Version: s.o.Version}
	if s.o.Dedicated != nil {
		r.DedicatedJob = s.o.Dedicated.SHA256
	}
	s.mu.Lock()
	r.RunningWorkers = slices.Sorted(maps.Keys(s.mu.running))
	s.mu.Unlock()
	return &control.TaskManagerEvent{Event: &control.TaskManagerEvent_Register{Register: r}}
}

func physicalMemory() int64 {
	var info unix.Sysinfo_t
	if unix.Sysinfo(&info) != nil {
		return 0
	}
	return int64(info.Totalram) * int64(info.Unit)
}

// commands carries out what the JobManager says until the stream ends.
func (s *supervisor) commands(ctx context.Context, l *link) (registered bool, err error) {
	check := time.NewTicker(uplink.JudgeEvery(s.timeout))
	defer check.Stop()
	for {
		select {
		case <-ctx.Done():
			return registered, ctx.Err()
		case <-check.C:
			if s.beats == 0 {
				continue
			}
			if err := l.Judge(ctx, s.beats, s.timeout, s.address(), s.o.FindLeader); err != nil {
				return registered, err
			}
		case c, ok := <-l.Commands():
			if !ok {
				return registered, l.Err()
			}
			if r := c.GetRegistered(); r != nil {
				if r.Refused != "" {
					return false, &refused{r.Refused}
				}
				registered, s.beats = true, time.Duration(r.HeartbeatIntervalMs)*time.Millisecond
				if r.HeartbeatTimeoutMs > 0 {
					s.timeout = time.Duration(r.HeartbeatTimeoutMs) * time.Millisecond
				}
				s.o.Log.Info("TaskManager is registered", "id", s.o.ResourceID, "cluster", r.ClusterId, "epoch", r.Epoch)
			} else if err := s.carryOut(ctx, c); err != nil {
				return registered, err
			}
		}
	}
}

func (s *supervisor) carryOut(ctx context.Context, c *control.TaskManagerCommand) error {
	switch c := c.Command.(type) {
	case *control.TaskManagerCommand_StartWorker:
		s.startWorker(ctx, c.StartWorker)
	case *control.TaskManagerCommand_StopWorker:
		s.stopWorker(c.StopWorker)
	case *control.TaskManagerCommand_LogRequest:
		s.logRequest(c.LogRequest)
	case *control.TaskManagerCommand_Shutdown:
		return fmt.Errorf("%w: %s", errShutdown, c.Shutdown.Reason)
	}
	return nil
}

// startWorker starts a worker in the background; a second order for one that
// runs is ignored.
func (s *supervisor) startWorker(ctx context.Context, w *control.StartWorker) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	sv := &supervised{cancel: cancel, kill: make(chan struct{})}
	s.mu.Lock()
	if s.mu.running[w.WorkerId] != nil || s.mu.closed {
		s.mu.Unlock()
		cancel()
		return
	}
	s.mu.running[w.WorkerId] = sv
	s.mu.Unlock()
	s.workers.Go(func() {
		defer cancel()
		s.o.Log.Info("starting a worker", "worker", w.WorkerId, "job", w.JobName, "slots", w.Slots, "memory", conf.Size(w.MemoryBytes).Human())
		x := s.runWorker(ctx, sv, w)
		s.mu.Lock()
		delete(s.mu.running, w.WorkerId)
		s.mu.Unlock()
		s.o.Log.Info("worker "+x.reason, "worker", w.WorkerId, "job", w.JobName, "code", x.code)
		s.send(&control.TaskManagerEvent{Event: &control.TaskManagerEvent_WorkerExited{WorkerExited: &control.WorkerExited{WorkerId: w.WorkerId,
			Code: int32(x.code), Signal: x.signal, Reason: x.reason, StderrTail: x.tail, OutOfMemory: x.outOfMemory}}})
	})
}

func (s *supervisor) runWorker(ctx context.Context, sv *supervised, w *control.StartWorker) exit {
	started := func(pid int) {
		if pid != os.Getpid() {
			s.mu.Lock()
			sv.pid = pid
			s.mu.Unlock()
		}
		s.send(&control.TaskManagerEvent{Event: &control.TaskManagerEvent_WorkerStarted{WorkerStarted: &control.WorkerStarted{WorkerId: w.WorkerId, Pid: int32(pid)}}})
	}
	if s.o.Dedicated == nil {
		return s.runProcess(ctx, sv.kill, w, started)
	}
	return s.runHere(ctx, w, started)
}

// stopWorker asks a worker to end, or ends it.
func (s *supervisor) stopWorker(c *control.StopWorker) {
	s.mu.Lock()
	sv := s.mu.running[c.WorkerId]
	s.mu.Unlock()
	if sv == nil {
		return
	}
	s.o.Log.Info("stopping a worker", "worker", c.WorkerId, "reason", c.Reason, "force", c.Force)
	if c.Force {
		sv.killNow()
	}
	sv.cancel()
}

// runHere runs the worker of a dedicated TaskManager in this process.
func (s *supervisor) runHere(ctx context.Context, w *control.StartWorker, started func(pid int)) (x exit) {
	b := s.bootstrap(w, programOf(w))
	if digest := programOf(w).Sha256; digest != s.o.Dedicated.SHA256 {
		return exit{code: -1, reason: fmt.Sprintf("this TaskManager is dedicated to program %s and cannot run %s", s.o.Dedicated.SHA256, digest)}
	}
	defer func() {
		if v := recover(); v != nil {
			x = exit{code: 2, reason: fmt.Sprintf("panicked: %v", v), tail: string(debug.Stack())}
		}
	}()
	started(os.Getpid())
	err := s.o.Dedicated.Run(ctx, b)
	if err != nil && ctx.Err() == nil {
		return exit{code: 1, reason: err.Error()}
	}
	return exit{reason: "ended"}
}

// logRequest answers in the background, a few at a time.
func (s *supervisor) logRequest(r *control.LogRequest) {
	reply := func(l *control.LogReply) {
		s.send(&control.TaskManagerEvent{Event: &control.TaskManagerEvent_LogReply{LogReply: l}})
	}
	select {
	case s.logs <- struct{}{}:
	default:
		reply(&control.LogReply{RequestId: r.RequestId, Error: "the TaskManager is busy with other log requests: try again", Last: true})
		return
	}
	s.others.Go(func() {
		defer func() { <-s.logs }()
		serveLog(s.o.LogDir, r, reply)
	})
}
