package jobmanager

import (
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"goflink/conf"
	"goflink/control"
	"goflink/graph"
	"goflink/jobmanager/checkpoint"
	"goflink/jobmanager/execution"
	"goflink/jobmanager/slots"
)

func encodeProgram(p *graph.Program) []byte {
	b, err := proto.Marshal(p)
	if err != nil { // what was decoded can be encoded; only invalid UTF-8 cannot, and that was never decoded
		return nil
	}
	return b
}

// allocated takes the slots for what waits, whose workers may still be starting.
func (m *master) allocated(list []slots.Slot) {
	if !m.waiting {
		return
	}
	m.slots = make([]execution.Slot, len(list))
	for i, s := range list {
		m.slots[i] = execution.Slot{TaskManager: s.TaskManager, Worker: s.Worker, Host: s.Host, Index: s.Index, Allocation: fmt.Sprintf("%s_%d", s.Worker, s.Index)}
	}
	if len(list) >= m.exec.Slots() {
		m.slots = m.exec.Arrange(m.slots)
	}
	m.startBy = m.jm.clock.Now().Add(conf.ResourceManagerRegistrationTimeout.Get(m.conf))
	m.deployIfReady()
}

// admitWorker registers a worker; the result says why it is refused.
func (m *master) admitWorker(reg *control.RegisterWorker, c *conn[control.WorkerCommand]) string {
	if !m.expected[reg.WorkerId] {
		return fmt.Sprintf("worker %s was not started by this JobManager, or was given up", reg.WorkerId)
	}
	if problem := graphProblem(m.graph, reg.ProgramSha256, reg.Fingerprint, reg.FingerprintDiffBase); problem != "" {
		m.step(execution.GlobalFailure{Cause: execution.Failure{Message: "worker " + reg.WorkerId + " cannot run the job: " + problem, Domain: "user", Retry: execution.RetryNone}})
		return problem
	}
	if m.workers[reg.WorkerId] != nil { // its tasks may have missed what was sent meanwhile
		return "its connection was lost before; the job restarts without it"
	}
	interval, timeout := heartbeats(m.jm.o.Conf)
	c.send(&control.WorkerCommand{Command: &control.WorkerCommand_Registered{Registered: &control.WorkerRegistered{
		HeartbeatIntervalMs: interval.Milliseconds(), HeartbeatTimeoutMs: timeout.Milliseconds(), Epoch: m.jm.o.Epoch}}})
	m.workers[reg.WorkerId] = &worker{id: reg.WorkerId, reg: reg, conn: c}
	m.log.Info("Worker registered", "worker", reg.WorkerId, "address", fmt.Sprintf("%s:%d", reg.Host, reg.DataPort), "pid", reg.Pid)
	m.deployIfReady()
	return ""
}

// deployIfReady deploys what waits once state, slots, workers and coordinator
// are there.
func (m *master) deployIfReady() {
	if !m.waiting || !m.restored || !m.coord.ready || m.slots == nil {
		return
	}
	list := slices.Clone(m.slots)
	for i, s := range list {
		w := m.workers[s.Worker]
		if w == nil || w.grace != nil {
			return
		}
		list[i].Host, list[i].DataPort = w.reg.Host, int(w.reg.DataPort)
	}
	m.waiting, m.startBy = false, time.Time{}
	m.step(execution.SlotsReady{Slots: list})
}

func taskOf(e *execution.Execution) *control.Task {
	return &control.Task{VertexId: e.Vertex.ID, Subtask: int32(e.Subtask), Attempt: int32(e.Attempt)}
}

func (m *master) tell(workerID string, c *control.WorkerCommand) {
	if w := m.workers[workerID]; w != nil {
		w.conn.send(c)
	}
}

// everyWorker tells all workers that have tasks of the job.
func (m *master) everyWorker(c *control.WorkerCommand) { m.tellAll(m.exec.Tasks(), c) }

// tellRegion tells the workers that have tasks of a region, or serve it.
func (m *master) tellRegion(region int, c *control.WorkerCommand) {
	told := m.tellAll(m.exec.RegionTasks(region), c)
	s := m.serving[region]
	if s == nil {
		return
	}
	for w := range s.workers {
		if !told[w] {
			m.tell(w, c)
		}
	}
}

func (m *master) tellAll(tasks []*execution.Execution, c *control.WorkerCommand) (told map[string]bool) {
	told = map[string]bool{}
	for _, e := range tasks {
		if w := e.Slot.Worker; w != "" && !told[w] {
			told[w] = true
			m.tell(w, c)
		}
	}
	return told
}

// cancelMargin is how much longer than task.cancellation.timeout the JobManager
// waits before it gives up a worker: the worker's own watchdog comes first.
const cancelMargin = 10 * time.Second

// cancelPatience is how long a task may take to end after it was cancelled; 0:
// for ever.
func (m *master) cancelPatience() time.Duration {
	if timeout := conf.TaskCancellationTimeout.Get(m.conf); timeout > 0 {
		return timeout + cancelMargin
	}
	return 0
}

func (m *master) cancelTasks(a execution.CancelTasks) {
	m.tellRegion(a.Region, cancelRegion(a.Region, a.Attempt, a.Reason))
	if p := m.cancelPatience(); p > 0 && m.cancelBy.IsZero() {
		m.cancelBy = m.jm.clock.Now().Add(p)
	}
}

// abandonHanging gives up workers whose tasks could not be cancelled, and looks
// again when the next one would have to be.
func (m *master) abandonHanging() {
	hanging := map[string]bool{}
	now := m.jm.clock.Now()
	for _, e := range m.exec.Tasks() {
		if e.State != execution.TaskCanceling {
			continue
		}
		switch due := e.Times[execution.TaskCanceling].Add(m.cancelPatience()); {
		case !now.Before(due):
			hanging[e.Slot.Worker] = true
		case m.cancelBy.IsZero() || due.Before(m.cancelBy):
			m.cancelBy = due
		}
	}
	for id := range hanging {
		m.giveUp(id, "its tasks could not be cancelled within task.cancellation.timeout")
	}
}

// giveUp stops using a worker and has its process ended.
func (m *master) giveUp(id, reason string) {
	m.jm.loop.post(func() { m.jm.allot(slots.Abandon{Worker: id, Reason: reason}) })
	m.workerLost(id, fmt.Sprintf("worker %s is given up: %s", id, reason))
}

// workerBroken handles the end of a worker's stream: its TaskManager is about
// to tell why, or it is gone too.
func (m *master) workerBroken(id string, c *conn[control.WorkerCommand]) {
	w := m.workers[id]
	if w == nil || w.conn != c || w.grace != nil {
		return
	}
	w.grace = m.jm.clock.AfterFunc(graceTime, func() {
		m.post(func() {
			if m.workers[id] == w {
				m.giveUp(id, "the connection to it was lost")
			}
		})
	})
}

// workerLost tells that a worker is gone.
func (m *master) workerLost(id, reason string) {
	if !m.expected[id] {
		return
	}
	delete(m.expected, id)
	if w := m.workers[id]; w != nil {
		if w.grace != nil {
			w.grace()
		}
		w.conn.close()
		delete(m.workers, id)
	}
	lost := execution.WorkerLost{Worker: id, Cause: execution.Failure{Message: reason, Domain: "external", Retry: "restart"}}
	for _, s := range m.slots {
		if m.waiting && s.Worker == id { // it was to run tasks, and runs none of them yet
			lost.Planned, lost.Cause.TaskManager, lost.Cause.Location = true, s.TaskManager, s.Host
		}
	}
	m.step(lost)
}

// beat sends heartbeats and looks who has been silent for too long.
func (m *master) beat(h *control.Heartbeat, timeout time.Duration) {
	now := m.jm.clock.Now()
	for id, w := range m.workers {
		if w.grace != nil {
			continue
		}
		if silent := now.Sub(w.conn.heard()); silent > timeout {
			m.giveUp(id, fmt.Sprintf("no heartbeat came from it for %s (heartbeat.timeout)", silent.Round(time.Millisecond)))
			continue
		}
		w.conn.send(&control.WorkerCommand{Command: &control.WorkerCommand_Heartbeat{Heartbeat: h}})
	}
	m.beatCoordinator(h, now, timeout)
	m.refreshGauges()
}

// fromWorker handles an event of a worker.
func (m *master) fromWorker(id string, c *conn[control.WorkerCommand], e *control.WorkerEvent) {
	w := m.workers[id]
	if w == nil || w.conn != c {
		return
	}
	switch e := e.Event.(type) {
	case *control.WorkerEvent_TaskState:
		m.taskState(id, e.TaskState)
	case *control.WorkerEvent_Ack:
		if m.current(e.Ack.GetTask()) != nil {
			m.check(checkpoint.Ack{CheckpointAck: e.Ack})
		}
	case *control.WorkerEvent_Decline:
		if m.current(e.Decline.GetTask()) != nil {
			m.check(checkpoint.Decline{CheckpointDecline: e.Decline})
		}
	case *control.WorkerEvent_Drained:
		if t := m.current(e.Drained.GetTask()); t != nil {
			m.check(checkpoint.TaskDrained{Task: checkpoint.Task(t.ID())})
		}
	case *control.WorkerEvent_PartitionLost:
		m.partitionLost(e.PartitionLost)
	case *control.WorkerEvent_SplitRequest:
		m.splitRequest(e.SplitRequest)
	case *control.WorkerEvent_SourceEvent:
		m.sourceEvent(e.SourceEvent)
	case *control.WorkerEvent_Metrics:
		m.metricsReport(e.Metrics)
	}
}

// current finds the execution that a message is about; nil when it is of
// another attempt.
func (m *master) current(t *control.Task) *execution.Execution {
	e := m.exec.Task(execution.TaskID{Vertex: t.GetVertexId(), Subtask: int(t.GetSubtask())})
	if e == nil || e.Attempt != int(t.GetAttempt()) {
		return nil
	}
	return e
}

func (m *master) taskState(workerID string, ts *control.TaskState) {
	e := m.current(ts.GetTask())
	if e == nil || e.Slot.Worker != workerID {
		return
	}
	m.figuresOf(e).update(ts.GetIo(), ts.GetAccumulators())
	r := execution.TaskReport{Task: e.ID(), Attempt: e.Attempt, State: execution.TaskState(ts.GetState())}
	if f := ts.GetFailure(); f != nil {
		r.Failure = failureOf(f)
	}
	m.step(r)
}

// maxFailureText bounds the text of a failure that is kept.
const maxFailureText = 64 << 10

func failureOf(f *control.Failure) *execution.Failure {
	cut := func(s string) string {
		if len(s) > maxFailureText {
			return s[:maxFailureText] + "…"
		}
		return s
	}
	return &execution.Failure{Message: cut(f.GetMessage()), Stack: cut(f.GetStack()), Domain: f.GetDomain(), Retry: f.GetRetry()}
}
