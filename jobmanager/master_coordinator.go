package jobmanager

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"goflink/control"
	"goflink/graph"
	"goflink/jobmanager/checkpoint"
	"goflink/jobmanager/execution"
)

// coordinating is what a job's master knows of its coordinator process.
type coordinating struct {
	needed  bool
	busy    bool // being launched
	process CoordinatorProcess
	conn    *conn[control.CoordinatorCommand]
	ready   bool           // the enumerators of what waits run
	asked   int            // attempt of the job that those started last were told
	age     int            // attempt of the job that the process was started in
	running map[string]int // enumerators that run, by operator, with their attempt
	grace   func()
}

// forget ends the enumerators of tasks that are run again: what they still say
// is of an older attempt. Those of other tasks go on.
func (c *coordinating) forget(g *graph.JobGraph, tasks []*execution.Execution) {
	c.ready = false
	again := map[string]bool{}
	for _, e := range tasks {
		again[e.Vertex.ID] = true
	}
	for _, v := range g.GetVertices() {
		for _, op := range v.Operators {
			if again[v.Id] {
				delete(c.running, op.Id)
			}
		}
	}
}

// idle lists the enumerators that do not run, with the parallelism of their
// readers, and whether none does.
func (c *coordinating) idle(g *graph.JobGraph) (list map[string]int32, all bool) {
	list, all = map[string]int32{}, true
	for _, v := range g.GetVertices() {
		for _, op := range v.Operators {
			if _, runs := c.running[op.Id]; op.Enumerator && runs {
				all = false
			} else if op.Enumerator {
				list[op.Id] = v.Parallelism
			}
		}
	}
	return list, all
}

// startCoordinator makes the enumerators of what waits begin from the restored
// state; a job without any needs no coordinator.
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
	list, all := m.coord.idle(m.scaled)
	if len(list) == 0 { // the regions that are run again have none
		m.coord.ready = true
		return
	}
	cmd := &control.StartEnumerators{Attempt: int32(m.exec.Attempt()), Parallelism: list}
	if !all {
		cmd.Operators = slices.Sorted(maps.Keys(list))
	}
	if m.assigned != nil {
		cmd.Restored, cmd.States = true, map[string][]byte{}
		for id, b := range m.assigned.Coordinators {
			if _, again := list[id]; again {
				cmd.States[id] = b
			}
		}
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
	m.coord.ready, m.coord.running = false, nil
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
	alive := len(m.coord.running) > 0
	if m.coord.grace != nil {
		m.coord.grace()
		m.coord.grace = nil
	}
	m.coord.process = nil
	if m.coord.conn != nil {
		m.coord.conn.close()
		m.coord.conn = nil
	}
	m.coord.ready, m.coord.running = false, nil
	if m.ending != nil {
		return
	}
	if n := m.exec.Attempt(); !alive && m.waiting && m.restored && m.coord.asked < n && m.coord.age < n {
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

// toCoordinator sends something to the enumerators that run.
func (m *master) toCoordinator(c *control.CoordinatorCommand) {
	if m.coord.conn != nil && len(m.coord.running) > 0 {
		m.coord.conn.send(c)
	}
}

// splitRequest forwards a reader's wish to its enumerator, unless one of them is
// of another attempt.
func (m *master) splitRequest(r *control.SplitRequest) {
	n, runs := m.coord.running[r.OperatorId]
	e := m.reader(r.OperatorId, r.Subtask)
	if !runs || e == nil || e.Attempt != int(r.Attempt) {
		return
	}
	r.Attempt = int32(n)
	m.toCoordinator(&control.CoordinatorCommand{Command: &control.CoordinatorCommand_SplitRequest{SplitRequest: r}})
}

// sourceEvent forwards what a reader sent to its enumerator, unless one of them is
// of another attempt.
func (m *master) sourceEvent(ev *control.SourceEvent) {
	n, runs := m.coord.running[ev.OperatorId]
	e := m.reader(ev.OperatorId, ev.Subtask)
	if !runs || e == nil || e.Attempt != int(ev.Attempt) {
		return
	}
	ev.Attempt = int32(n)
	m.toCoordinator(&control.CoordinatorCommand{Command: &control.CoordinatorCommand_SourceEvent{SourceEvent: ev}})
}

// started notes that the coordinator runs the enumerators that it was told last:
// what it says of them from here on is of their new attempt.
func (m *master) started(attempt int) {
	if m.coord.asked != attempt || !m.waiting {
		return
	}
	if m.coord.running == nil {
		m.coord.running = map[string]int{}
	}
	list, _ := m.coord.idle(m.scaled)
	for id := range list {
		m.coord.running[id] = attempt
	}
	m.coord.ready = true
	m.deployIfReady()
}

// fromCoordinator handles an event of the coordinator. Until it has said that an
// enumerator runs for the current attempt, what that says is of the one before.
func (m *master) fromCoordinator(c *conn[control.CoordinatorCommand], e *control.CoordinatorEvent) {
	if m.coord.conn != c {
		return
	}
	switch e := e.Event.(type) {
	case *control.CoordinatorEvent_Ready:
		if int(e.Ready.GetAttempt()) == m.exec.Attempt() {
			m.started(int(e.Ready.GetAttempt()))
		}
	case *control.CoordinatorEvent_Failed:
		f := failureOf(e.Failed.GetFailure())
		f.Message = "source coordinator: " + f.Message
		m.coordinatorFailed(f)
	case *control.CoordinatorEvent_Assign:
		if _, runs := m.coord.running[e.Assign.OperatorId]; runs {
			m.toReader(e.Assign.OperatorId, e.Assign.Subtask, &control.WorkerCommand{Command: &control.WorkerCommand_Assign{Assign: e.Assign}})
		}
	case *control.CoordinatorEvent_SourceEvent:
		if _, runs := m.coord.running[e.SourceEvent.OperatorId]; runs {
			m.toReader(e.SourceEvent.OperatorId, e.SourceEvent.Subtask, &control.WorkerCommand{Command: &control.WorkerCommand_SourceEvent{SourceEvent: e.SourceEvent}})
		}
	case *control.CoordinatorEvent_Snapshot:
		if m.coord.ready {
			m.check(checkpoint.CoordinatorSnapshot{ID: e.Snapshot.CheckpointId, States: e.Snapshot.States, Err: e.Snapshot.Error})
		}
	}
}

// reader finds the task that runs a source; nil when there is none.
func (m *master) reader(operator string, subtask int32) *execution.Execution {
	for _, v := range m.graph.Vertices {
		if slices.ContainsFunc(v.Operators, func(op *graph.Operator) bool { return op.Id == operator }) {
			return m.exec.Task(execution.TaskID{Vertex: v.Id, Subtask: int(subtask)})
		}
	}
	return nil
}

// toReader sends something to a source task, at once if it runs, else when it
// does.
func (m *master) toReader(operator string, subtask int32, c *control.WorkerCommand) {
	e := m.reader(operator, subtask)
	switch {
	case e == nil || e.State.Terminal() || e.State == execution.TaskCanceling:
	case e.State == execution.TaskRunning:
		m.tell(e.Slot.Worker, c)
	default:
		m.held[e.ID()] = append(m.held[e.ID()], c)
	}
}

// release sends what was held back for a task that runs now.
func (m *master) release(id execution.TaskID) {
	for _, c := range m.held[id] {
		m.tell(m.exec.Task(id).Slot.Worker, c)
	}
	delete(m.held, id)
}
