package tmtest

import (
	"fmt"
	"maps"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"

	"goflink/control"
)

// Secret is the secret of test clusters.
var Secret = control.Secret("0123456789abcdef0123456789abcdef")

// Patience is how long a test waits for what must happen: long, since the
// machine may be busy.
const Patience = 30 * time.Second

// Key names a subtask in tests: "source/0".
func Key(t *control.Task) string { return fmt.Sprintf("%s/%d", t.VertexId, t.Subtask) }

// Worker is a registered worker.
type Worker struct {
	*control.RegisterWorker
	out  chan *control.WorkerCommand
	gone chan struct{}
}

// Send sends the worker a command.
func (w *Worker) Send(c *control.WorkerCommand) {
	select {
	case w.out <- c:
	case <-w.gone:
	}
}

// TaskManager is a registered TaskManager.
type TaskManager struct {
	*control.RegisterTaskManager
	out  chan *control.TaskManagerCommand
	gone chan struct{}
}

// Send sends the TaskManager a command.
func (m *TaskManager) Send(c *control.TaskManagerCommand) {
	select {
	case m.out <- c:
	case <-m.gone:
	}
}

// JM is a JobManager that only listens and does what it is told.
type JM struct {
	control.UnimplementedJobManagerServer
	Addr string
	// Refuse, Epoch and Program are set before anything registers.
	Refuse  string
	Epoch   int64
	Program []byte // served by FetchProgram
	// Fate says what happens to a command on its way to a worker: how long it holds
	// up those behind it, and after how many further ones it comes once more (0: not
	// again). It is called on the worker's goroutine; nil: nothing happens.
	Fate func(workerID string, c *control.WorkerCommand) (hold time.Duration, again int)

	t      testing.TB
	server *grpc.Server
	wg     sync.WaitGroup
	mu     sync.Mutex
	change chan struct{}
	// What has been heard, by the names of Key.
	Workers      map[string]*Worker
	TaskManagers map[string]*TaskManager
	Lost         map[string]bool
	Partitions   []*control.PartitionLost
	States       map[string]*control.TaskState // of the newest attempt
	History      []string
	Acks         map[int64]map[string]*control.CheckpointAck
	Declines     []*control.CheckpointDecline
	Drained      map[string]bool
	Commits      map[string]int64
	Splits       []*control.SplitRequest
	Metrics      map[string]*control.TaskMetrics
	Heartbeats   int
	Exits        map[string]*control.WorkerExited
	Started      map[string]*control.WorkerStarted
	Logs         []*control.LogReply
	Attempt      int32
	attempts     map[string]int32 // newest, by vertex
	fetches      int
}

// NewJM starts one on a loopback port.
func NewJM(t testing.TB) *JM { return NewJMAt(t, "127.0.0.1:0") }

// NewJMAt starts one at an address.
func NewJMAt(t testing.TB, addr string) *JM {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	j := &JM{t: t, Addr: l.Addr().String(), change: make(chan struct{}), Workers: map[string]*Worker{}, TaskManagers: map[string]*TaskManager{},
		Lost: map[string]bool{}, States: map[string]*control.TaskState{}, Acks: map[int64]map[string]*control.CheckpointAck{},
		Drained: map[string]bool{}, Commits: map[string]int64{}, Metrics: map[string]*control.TaskMetrics{},
		Exits: map[string]*control.WorkerExited{}, Started: map[string]*control.WorkerStarted{}, Attempt: -1, attempts: map[string]int32{}}
	j.server = grpc.NewServer(grpc.Creds(control.Credentials(Secret)), grpc.MaxRecvMsgSize(256<<20))
	control.RegisterJobManagerServer(j.server, j)
	j.wg.Go(func() { _ = j.server.Serve(l) })
	t.Cleanup(j.Close)
	return j
}

// Close ends it, as a death would.
func (j *JM) Close() {
	j.server.Stop()
	j.wg.Wait()
}

// update changes what has been heard and tells who waits.
func (j *JM) update(f func()) {
	j.mu.Lock()
	defer j.mu.Unlock()
	f()
	close(j.change)
	j.change = make(chan struct{})
}

// Look reads what has been heard.
func (j *JM) Look(f func()) {
	j.mu.Lock()
	defer j.mu.Unlock()
	f()
}

// Wait waits until cond, which reads what has been heard, is true.
func (j *JM) Wait(what string, cond func() bool) {
	j.t.Helper()
	deadline := time.NewTimer(Patience)
	defer deadline.Stop()
	for {
		j.mu.Lock()
		ok, change := cond(), j.change
		j.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-change:
		case <-deadline.C:
			j.mu.Lock()
			defer j.mu.Unlock()
			j.t.Fatalf("waited in vain for %s\nstates: %v\nhistory: %v\ndeclines: %v", what, j.States, j.History, j.Declines)
		}
	}
}

// Worker implements the service.
func (j *JM) Worker(s grpc.BidiStreamingServer[control.WorkerEvent, control.WorkerCommand]) error {
	e, err := s.Recv()
	if err != nil {
		return err
	}
	w := &Worker{RegisterWorker: e.GetRegister(), out: make(chan *control.WorkerCommand, 1000), gone: make(chan struct{})}
	answer := &control.WorkerRegistered{Refused: j.Refuse, Epoch: j.Epoch}
	if err := s.Send(&control.WorkerCommand{Command: &control.WorkerCommand_Registered{Registered: answer}}); err != nil {
		return err
	}
	j.update(func() { j.Workers[w.WorkerId] = w; delete(j.Lost, w.WorkerId) })
	fated := &fated{j: j, id: w.WorkerId, to: s}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case c := <-w.out:
				if fated.send(c) != nil {
					return
				}
			case <-w.gone:
				return
			case <-s.Context().Done():
				return
			}
		}
	})
	for {
		e, err := s.Recv()
		if err != nil {
			break
		}
		j.update(func() { j.workerEvent(e) })
	}
	close(w.gone)
	wg.Wait()
	j.update(func() { j.Lost[w.WorkerId] = true })
	return nil
}

func (j *JM) workerEvent(e *control.WorkerEvent) {
	switch e := e.Event.(type) {
	case *control.WorkerEvent_TaskState:
		t := e.TaskState
		j.History = append(j.History, fmt.Sprintf("%s#%d %s", Key(t.Task), t.Task.Attempt, t.State))
		newest, some := j.attempts[t.Task.VertexId]
		if !some {
			newest = j.Attempt
		}
		if t.Task.Attempt == newest {
			j.States[Key(t.Task)] = t
		}
	case *control.WorkerEvent_Ack:
		id := e.Ack.CheckpointId
		if j.Acks[id] == nil {
			j.Acks[id] = map[string]*control.CheckpointAck{}
		}
		j.Acks[id][Key(e.Ack.Task)] = e.Ack
	case *control.WorkerEvent_PartitionLost:
		j.Partitions = append(j.Partitions, e.PartitionLost)
	case *control.WorkerEvent_Decline:
		j.Declines = append(j.Declines, e.Decline)
	case *control.WorkerEvent_Drained:
		j.Drained[Key(e.Drained.Task)] = true
	case *control.WorkerEvent_CommitDone:
		j.Commits[Key(e.CommitDone.Task)] = e.CommitDone.CheckpointId
	case *control.WorkerEvent_SplitRequest:
		j.Splits = append(j.Splits, e.SplitRequest)
	case *control.WorkerEvent_Heartbeat:
		j.Heartbeats++
	case *control.WorkerEvent_Metrics:
		for _, m := range e.Metrics.Tasks {
			j.Metrics[Key(m.Task)] = m
		}
	}
}

// TaskManager implements the service.
func (j *JM) TaskManager(s grpc.BidiStreamingServer[control.TaskManagerEvent, control.TaskManagerCommand]) error {
	e, err := s.Recv()
	if err != nil {
		return err
	}
	m := &TaskManager{RegisterTaskManager: e.GetRegister(), out: make(chan *control.TaskManagerCommand, 1000), gone: make(chan struct{})}
	answer := &control.Registered{Refused: j.Refuse, Epoch: j.Epoch, ClusterId: "test"}
	if err := s.Send(&control.TaskManagerCommand{Command: &control.TaskManagerCommand_Registered{Registered: answer}}); err != nil {
		return err
	}
	j.update(func() { j.TaskManagers[m.Id] = m; delete(j.Lost, m.Id) })
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case c := <-m.out:
				if s.Send(c) != nil {
					return
				}
			case <-m.gone:
				return
			case <-s.Context().Done():
				return
			}
		}
	})
	for {
		e, err := s.Recv()
		if err != nil {
			break
		}
		j.update(func() { j.taskManagerEvent(m.Id, e) })
	}
	close(m.gone)
	wg.Wait()
	j.update(func() { j.Lost[m.Id] = true })
	return nil
}

func (j *JM) taskManagerEvent(id string, e *control.TaskManagerEvent) {
	switch e := e.Event.(type) {
	case *control.TaskManagerEvent_WorkerStarted:
		j.Started[e.WorkerStarted.WorkerId] = e.WorkerStarted
	case *control.TaskManagerEvent_WorkerExited:
		j.Exits[e.WorkerExited.WorkerId] = e.WorkerExited
	case *control.TaskManagerEvent_LogReply:
		j.Logs = append(j.Logs, e.LogReply)
	case *control.TaskManagerEvent_Leaving:
		j.History = append(j.History, id+" leaving")
	case *control.TaskManagerEvent_Heartbeat:
		j.Heartbeats++
	}
}

// FetchProgram implements the service.
func (j *JM) FetchProgram(r *control.FetchProgramRequest, s grpc.ServerStreamingServer[control.Chunk]) error {
	j.update(func() { j.fetches++ })
	for data := j.Program[min(int(r.Offset), len(j.Program)):]; len(data) > 0; {
		n := min(len(data), 256<<10)
		if err := s.Send(&control.Chunk{Data: data[:n]}); err != nil {
			return err
		}
		data = data[n:]
	}
	return nil
}

// Fetches is how often FetchProgram was called.
func (j *JM) Fetches() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.fetches
}

// WaitWorkers waits for workers to register and returns them by id, sorted.
func (j *JM) WaitWorkers(n int) []*Worker {
	j.t.Helper()
	j.Wait(fmt.Sprintf("%d workers", n), func() bool { return len(j.Workers) >= n })
	j.mu.Lock()
	defer j.mu.Unlock()
	var list []*Worker
	for _, id := range slices.Sorted(maps.Keys(j.Workers)) {
		list = append(list, j.Workers[id])
	}
	return list
}

// Forget drops the workers that have gone.
func (j *JM) Forget() {
	j.t.Helper()
	j.Wait("the workers being gone", func() bool {
		for id := range j.Workers {
			if !j.Lost[id] {
				return false
			}
		}
		return true
	})
	j.update(func() { clear(j.Workers) })
}
