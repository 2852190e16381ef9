package jobmanager

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"goflink/control"
	"goflink/jobmanager/checkpoint"
	"goflink/jobmanager/execution"
)

// coordinating is what a job's master knows of its coordinator process.
type coordinating struct {
	needed  bool
	busy    bool // being launched
	process CoordinatorProcess
	conn    *conn[control.CoordinatorCommand]
	ready   bool // its enumerators run for the current attempt
	asked   int  // attempt they were told to run for
	age     int  // attempt the process was started in
	grace   func()
}

// startCoordinator makes the enumerators begin from the restored state; a job
// without any needs no coordinator.
func (m *master) startCoordinator() {
	m.coord.needed = hasEnumerators(m.graph)
	switch {
	case !m.coord.needed:
		m.coord.ready = true
	case m.coord.conn != nil:
		m.startEnumerators()
	case m.coord.process == nil && !m.coord.busy:
		m.launchCoordinator()
	}
}

func (m *master) startEnumerators() {
	if !m.waiting || !m.restored || m.coord.conn == nil {
		return
	}
	cmd := &control.StartEnumerators{Attempt: int32(m.exec.Attempt()), Parallelism: map[string]int32{}}
	for _, v := range m.graph.Vertices {
		for _, op := range v.Operators {
			if op.Enumerator {
				cmd.Parallelism[op.Id] = v.Parallelism
			}
		}
	}
	if m.assigned != nil {
		cmd.Restored, cmd.States = true, m.assigned.Coordinators
	}
	m.coord.asked = m.exec.Attempt()
	m.coord.conn.send(&control.CoordinatorCommand{Command: &control.CoordinatorCommand_Start{Start: cmd}})
}

func (m *master) launchCoordinator() {
	if m.jm.o.Coordinators == nil {
		m.step(execution.GlobalFailure{Cause: execution.Failure{Message: "this cluster cannot start source coordinators", Domain: "internal", Retry: execution.RetryNone}})
		return
	}
	m.coord.busy, m.coord.age = true, m.exec.Attempt()
	spec := CoordinatorSpec{JobID: m.id, JobName: m.graph.Name, Program: m.graph.Program, Bootstrap: &control.Bootstrap{
		Protocol: control.ProtocolVersion, Role: control.RoleCoordinator, Jobmanager: m.jm.o.Address, Secret: m.jm.o.Secret,
		Worker: proto.CloneOf(m.start), Once: m.graph.Once, Config: m.conf.Map(), Entry: m.graph.GetProgram().GetEntry(),
		LogName: "coordinator-" + m.id}}
	m.background(func(ctx context.Context) func() {
		p, err := m.jm.o.Coordinators.Launch(ctx, spec)
		return func() {
			m.coord.busy = false
			if err != nil {
				m.coordinatorFailed(&execution.Failure{Message: fmt.Sprintf("the source coordinator could not be started: %v", err), Domain: "external"})
				return
			}
			m.launched(p)
		}
	})
}

func (m *master) launched(p CoordinatorProcess) {
	m.coord.process = p
	m.background(func(context.Context) func() {
		<-p.Done()
		return func() { m.coordinatorEnded(p) }
	})
	if m.ending != nil {
		m.stopCoordinator()
	}
}

// admitCoordinator registers the coordinator; the result says why it is refused.
func (m *master) admitCoordinator(reg *control.RegisterCoordinator, c *conn[control.CoordinatorCommand]) string {
	if m.coord.conn != nil || m.ending != nil || m.coord.process == nil && !m.coord.busy {
		return "the job has a source coordinator, or is ending"
	}
	if problem := graphProblem(m.graph, reg.ProgramSha256, reg.Fingerprint, reg.Description); problem != "" {
		m.coordinatorFailed(&execution.Failure{Message: "the source coordinator cannot run: " + problem, Domain: "user", Retry: execution.RetryNone})
		return problem
	}
	interval, timeout := heartbeats(m.jm.o.Conf)
	c.send(&control.CoordinatorCommand{Command: &control.CoordinatorCommand_Registered{Registered: &control.WorkerRegistered{
		HeartbeatIntervalMs: interval.Milliseconds(), HeartbeatTimeoutMs: timeout.Milliseconds(), Epoch: m.jm.o.Epoch}}})
	m.coord.conn = c
	m.log.Info("Source coordinator registered", "pid", reg.Pid)
	m.startEnumerators()
	return ""
}

// coordinatorFailed fails the attempt; the next one gets a fresh process.
func (m *master) coordinatorFailed(f *execution.Failure) {
	if m.coord.conn != nil {
		m.coord.conn.close()
		m.coord.conn = nil
	}
	m.coord.ready = false
	if m.coord.process != nil {
		m.coord.process.Kill()
	}
	if m.ending == nil {
		m.step(execution.GlobalFailure{Cause: *f})
	}
}

// coordinatorEnded handles the end of the process.
func (m *master) coordinatorEnded(p CoordinatorProcess) {
	if m.coord.process != p {
		return
	}
	failed := m.coord.conn != nil || m.waiting
	if m.coord.grace != nil {
		m.coord.grace()
		m.coord.grace = nil
	}
	m.coord.process = nil
	if m.coord.conn != nil {
		m.coord.conn.close()
		m.coord.conn = nil
	}
	m.coord.ready = false
	if m.ending != nil {
		return
	}
	if n := m.exec.Attempt(); m.waiting && m.restored && m.coord.asked < n && m.coord.age < n {
		// The one of the attempt before has ended now: this attempt has not
		// begun with it.
		m.startCoordinator()
		return
	}
	if failed {
		m.step(execution.GlobalFailure{Cause: execution.Failure{Message: "the source coordinator ended: " + p.Reason(), Domain: "external", Retry: "restart"}})
	}
}

// coordinatorBroken handles the end of the stream: the process is about to end,
// or is of no use.
func (m *master) coordinatorBroken(c *conn[control.CoordinatorCommand]) {
	if m.coord.conn != c || m.coord.grace != nil {
		return
	}
	m.coord.grace = m.jm.clock.AfterFunc(graceTime, func() {
		m.post(func() {
			if m.coord.conn == c {
				m.coord.grace = nil
				m.coordinatorFailed(&execution.Failure{Message: "the connection to the source coordinator was lost", Domain: "external", Retry: "restart"})
			}
		})
	})
}

// coordinatorPatience is how long a coordinator may take to end by itself.
const coordinatorPatience = 2 * time.Second

func (m *master) stopCoordinator() {
	if m.coord.conn != nil {
		m.coord.conn.send(&control.CoordinatorCommand{Command: &control.CoordinatorCommand_Shutdown{Shutdown: &control.Shutdown{Reason: "the job has ended"}}})
		m.coord.conn.close()
	}
	p := m.coord.process
	switch {
	case p == nil:
	case m.coord.conn == nil:
		p.Kill()
	default:
		m.jm.clock.AfterFunc(coordinatorPatience, p.Kill)
	}
}

func (m *master) beatCoordinator(h *control.Heartbeat, now time.Time, timeout time.Duration) {
	c := m.coord.conn
	if c == nil || m.coord.grace != nil {
		return
	}
	if silent := now.Sub(c.heard()); silent > timeout {
		m.coordinatorFailed(&execution.Failure{Domain: "external", Retry: "restart",
			Message: fmt.Sprintf("no heartbeat came from the source coordinator for %s (heartbeat.timeout)", silent.Round(time.Millisecond))})
		return
	}
	c.send(&control.CoordinatorCommand{Command: &control.CoordinatorCommand_Heartbeat{Heartbeat: h}})
}

func (m *master) toCoordinator(c *control.CoordinatorCommand) {
	if m.coord.conn != nil && m.coord.ready {
		m.coord.conn.send(c)
	}
}

// splitRequest forwards a reader's wish, unless it is of another attempt.
func (m *master) splitRequest(r *control.SplitRequest) {
	if int(r.Attempt) == m.exec.Attempt() {
		m.toCoordinator(&control.CoordinatorCommand{Command: &control.CoordinatorCommand_SplitRequest{SplitRequest: r}})
	}
}

// sourceEvent forwards what a reader sent, unless it is of another attempt.
func (m *master) sourceEvent(e *control.SourceEvent) {
	if int(e.Attempt) == m.exec.Attempt() {
		m.toCoordinator(&control.CoordinatorCommand{Command: &control.CoordinatorCommand_SourceEvent{SourceEvent: e}})
	}
}

// fromCoordinator handles an event of the coordinator. Until it has said that
// its enumerators run for the current attempt, what it says is of the one
// before.
func (m *master) fromCoordinator(c *conn[control.CoordinatorCommand], e *control.CoordinatorEvent) {
	if m.coord.conn != c {
		return
	}
	switch e := e.Event.(type) {
	case *control.CoordinatorEvent_Ready:
		if int(e.Ready.GetAttempt()) == m.exec.Attempt() && m.coord.asked == m.exec.Attempt() {
			m.coord.ready = true
			m.deployIfReady()
		}
	case *control.CoordinatorEvent_Failed:
		f := failureOf(e.Failed.GetFailure())
		f.Message = "source coordinator: " + f.Message
		m.coordinatorFailed(f)
	case *control.CoordinatorEvent_Assign:
		if m.coord.ready {
			m.toReader(e.Assign.OperatorId, e.Assign.Subtask, &control.WorkerCommand{Command: &control.WorkerCommand_Assign{Assign: e.Assign}})
		}
	case *control.CoordinatorEvent_SourceEvent:
		if m.coord.ready {
			m.toReader(e.SourceEvent.OperatorId, e.SourceEvent.Subtask, &control.WorkerCommand{Command: &control.WorkerCommand_SourceEvent{SourceEvent: e.SourceEvent}})
		}
	case *control.CoordinatorEvent_Snapshot:
		if m.coord.ready {
			m.check(checkpoint.CoordinatorSnapshot{ID: e.Snapshot.CheckpointId, States: e.Snapshot.States, Err: e.Snapshot.Error})
		}
	}
}

// toReader sends something to a source task, at once if it runs, else when it
// does.
func (m *master) toReader(operator string, subtask int32, c *control.WorkerCommand) {
	for _, v := range m.graph.Vertices {
		for _, op := range v.Operators {
			if op.Id != operator {
				continue
			}
			id := execution.TaskID{Vertex: v.Id, Subtask: int(subtask)}
			e := m.exec.Task(id)
			switch {
			case e == nil || e.State.Terminal() || e.State == execution.TaskCanceling:
			case e.State == execution.TaskRunning:
				m.tell(e.Slot.Worker, c)
			default:
				m.held[id] = append(m.held[id], c)
			}
			return
		}
	}
}

// release sends what was held back for a task that runs now.
func (m *master) release(id execution.TaskID) {
	for _, c := range m.held[id] {
		m.tell(m.exec.Task(id).Slot.Worker, c)
	}
	delete(m.held, id)
}
