package worker

import (
	"fmt"
	"os"
	"time"

	"goflink/control"
	"goflink/dataflow"
	"goflink/graph"
	"goflink/taskmanager/exchange"
)

func (w *worker) registration() *control.WorkerEvent {
	return &control.WorkerEvent{Event: &control.WorkerEvent_Register{Register: &control.RegisterWorker{
		Protocol: control.ProtocolVersion, WorkerId: w.start.WorkerId, TaskManagerId: w.Bootstrap.TaskManagerId, JobId: w.start.JobId,
		Host: w.Bootstrap.Host, DataPort: int32(w.net.Port()), Pid: int32(os.Getpid()), ProgramSha256: w.program.Sha256,
		Fingerprint: graph.Fingerprint(w.graph), Slots: w.start.Slots, FingerprintDiffBase: graph.Describe(w.graph),
	}}}
}

// carryOut does what a command says. It never waits for a task, except for
// those of an attempt that is being replaced.
func (w *worker) carryOut(c *control.WorkerCommand) error {
	switch c := c.Command.(type) {
	case *control.WorkerCommand_Deploy:
		w.deploy(c.Deploy)
	case *control.WorkerCommand_Start:
		if a := w.attempt(c.Start.Region, c.Start.Attempt); a != nil {
			a.start()
		}
	case *control.WorkerCommand_Cancel:
		w.cancelTasks(c.Cancel)
	case *control.WorkerCommand_Trigger:
		w.trigger(c.Trigger)
	case *control.WorkerCommand_Complete:
		w.each(func(t *task) func() error { return func() error { return t.completed(c.Complete) } })
	case *control.WorkerCommand_Aborted:
		w.segments.abort(c.Aborted.CheckpointId, c.Aborted.Reason)
		w.each(func(t *task) func() error { return func() error { return t.abortedByJob(c.Aborted.CheckpointId) } })
	case *control.WorkerCommand_Assign:
		w.assign(c.Assign)
	case *control.WorkerCommand_SourceEvent:
		w.sourceEvent(c.SourceEvent)
	case *control.WorkerCommand_FinalCommit:
		w.finalCommit(c.FinalCommit)
	case *control.WorkerCommand_Release:
		w.release(c.Release)
	case *control.WorkerCommand_Shutdown:
		return fmt.Errorf("%w: %s", errShutdown, c.Shutdown.Reason)
	}
	return nil
}

// attempt is the current attempt of a region if it has that number.
func (w *worker) attempt(region, n int32) *attempt {
	if a := w.current[region]; a != nil && a.id.Attempt == n {
		return a
	}
	return nil
}

func (w *worker) deploy(d *control.DeployTasks) {
	if a := w.attempt(d.Region, d.Attempt); a != nil && a.id.Epoch == w.epoch {
		w.Log.Warn("a second deployment of the same attempt is ignored", "region", d.Region, "attempt", d.Attempt)
		return
	}
	if a := w.current[d.Region]; a != nil && a.id.Epoch == w.epoch && a.id.Attempt > d.Attempt {
		w.Log.Warn("a deployment that came late is ignored", "region", d.Region, "attempt", d.Attempt, "current", a.id.Attempt)
		return
	}
	w.endAttempt(d.Region, fmt.Errorf("%w: attempt %d replaces it", errOrdered, d.Attempt))
	a, err := newAttempt(w, d, w.epoch)
	if err != nil {
		for _, td := range d.Tasks {
			w.send(&control.WorkerEvent{Event: &control.WorkerEvent_TaskState{TaskState: &control.TaskState{Task: td.Task, State: stateFailed,
				TimeMs: time.Now().UnixMilli(), Failure: failureOf("deploying on worker "+w.start.WorkerId, err)}}})
		}
		return
	}
	w.current[d.Region] = a
	a.deploy(d)
	for key, t := range a.tasks {
		w.running[key] = t
	}
	w.showTasks()
}

// cancelTasks ends some tasks of a region's attempt, or all.
func (w *worker) cancelTasks(c *control.CancelTasks) {
	a := w.attempt(c.Region, c.Attempt)
	if a == nil {
		return
	}
	cause := errOrdered
	if c.Reason != "" {
		cause = fmt.Errorf("%w: %s", errOrdered, c.Reason)
	}
	if len(c.Tasks) == 0 {
		a.end(cause)
		return
	}
	for _, id := range c.Tasks {
		if t := a.tasks[taskKey{id.VertexId, id.Subtask}]; t != nil {
			t.fail(cause)
		}
	}
}

// each puts a letter for every task of the current attempts.
func (w *worker) each(letter func(*task) func() error) {
	for _, t := range w.running {
		t.mail.put(letter(t))
	}
}

func (w *worker) trigger(c *control.TriggerCheckpoint) {
	b := exchange.BarrierOf(c)
	for _, id := range c.Tasks {
		t, reason := w.taskFor(id)
		if t == nil {
			w.reportDeclined(id, b.ID, reason, reason == taskHasEnded)
			continue
		}
		if !t.mail.put(func() error { return t.trigger(b) }) {
			w.reportDeclined(id, b.ID, taskHasEnded, true)
		}
	}
}

// taskFor finds a running task; else it says why there is none.
func (w *worker) taskFor(id *control.Task) (*task, string) {
	t := w.running[taskKey{id.VertexId, id.Subtask}]
	switch {
	case t == nil:
		return nil, "the worker has no such task"
	case t.id.Attempt != id.Attempt:
		return nil, "the worker runs no such attempt"
	}
	state, _ := t.state.Load().(*control.TaskState)
	switch {
	case state == nil || state.State == stateInitializing:
		return nil, taskIsNotRunning
	case state.State != stateRunning:
		return nil, taskHasEnded
	}
	return t, ""
}

// assign hands splits to the source of an operator. They may come before the
// task runs: its mailbox keeps them.
func (w *worker) assign(c *control.AssignSplits) {
	if t := w.sourceTask(c.OperatorId, c.Subtask); t != nil {
		t.mail.put(func() error { return t.addSplits(c) })
	}
}

// sourceTask finds the task of a source that something has come for.
func (w *worker) sourceTask(operator string, subtask int32) *task {
	v := w.operators[operator]
	if v == nil {
		w.Log.Warn("splits or an event for an operator that is not here", "operator", operator)
		return nil
	}
	t := w.running[taskKey{v.Id, subtask}]
	if t == nil {
		w.Log.Warn("splits or an event for a task that is not here", "operator", operator, "subtask", subtask)
	}
	return t
}

// sourceEvent hands what the coordinator sent to a source. One that takes no events does not
// need them.
func (w *worker) sourceEvent(c *control.SourceEvent) {
	t := w.sourceTask(c.OperatorId, c.Subtask)
	if t == nil {
		return
	}
	t.mail.put(func() error {
		source, ok := t.chain.Source.(dataflow.EventSource)
		if !ok || t.source.stopped {
			return nil
		}
		t.source.waiting = false
		return source.OnEvent(c.Data)
	})
}

func (w *worker) sendEvent(t *task, operatorID string, data []byte) {
	w.send(&control.WorkerEvent{Event: &control.WorkerEvent_SourceEvent{SourceEvent: &control.SourceEvent{OperatorId: operatorID,
		Subtask: t.id.Subtask, Data: data, Attempt: t.id.Attempt}}})
}

func (t *task) addSplits(c *control.AssignSplits) error {
	source := t.chain.Source
	if source == nil || t.source.stopped {
		return nil
	}
	t.source.waiting = false
	if len(c.Splits) > 0 {
		if err := source.AddSplits(c.Splits); err != nil {
			return fmt.Errorf("adding splits: %w", err)
		}
	}
	if c.NoMore {
		return source.NoMoreSplits()
	}
	return nil
}

func (w *worker) finalCommit(c *control.FinalCommit) {
	if len(c.Tasks) == 0 {
		w.each(func(t *task) func() error { return t.finalCommit })
		return
	}
	for _, id := range c.Tasks {
		if t, _ := w.taskFor(id); t != nil {
			t.mail.put(t.finalCommit)
		}
	}
}

func (w *worker) requestSplit(t *task, operatorID string) {
	w.send(&control.WorkerEvent{Event: &control.WorkerEvent_SplitRequest{SplitRequest: &control.SplitRequest{OperatorId: operatorID,
		Subtask: t.id.Subtask, Host: w.Bootstrap.Host, Attempt: t.id.Attempt}}})
}

func (w *worker) reportAck(t *task, ack *control.CheckpointAck) {
	w.send(&control.WorkerEvent{Event: &control.WorkerEvent_Ack{Ack: ack}})
}

func (w *worker) reportDeclined(id *control.Task, checkpoint int64, reason string, finished bool) {
	w.send(&control.WorkerEvent{Event: &control.WorkerEvent_Decline{Decline: &control.CheckpointDecline{CheckpointId: checkpoint, Task: id,
		Reason: reason, TaskFinished: finished}}})
}

func (w *worker) reportDrained(t *task) {
	t.told.Store(true)
	w.sendDrained(t)
}

func (w *worker) sendDrained(t *task) {
	w.send(&control.WorkerEvent{Event: &control.WorkerEvent_Drained{Drained: &control.TaskDrained{Task: t.id}}})
}

// reportCommitted tells that a task with something to commit has done so.
func (w *worker) reportCommitted(t *task, checkpoint int64) {
	for _, op := range t.vertex.Operators {
		if op.Commits {
			w.send(&control.WorkerEvent{Event: &control.WorkerEvent_CommitDone{CommitDone: &control.CommitDone{Task: t.id, CheckpointId: checkpoint}}})
			return
		}
	}
}
