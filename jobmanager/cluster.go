package jobmanager

import (
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"goflink/control"
	"goflink/jobmanager/adaptive"
	"goflink/jobmanager/execution"
	"goflink/jobmanager/rest"
	"goflink/jobmanager/slots"
)

// graceTime is how long a process whose stream broke may take to come back, or
// its supervisor to tell how it ended: longer than a lost connection takes to
// be made anew on the same network, short beside a restart.
const graceTime = time.Second

// taskManager is one that registered. It belongs to the cluster's loop.
type taskManager struct {
	id      string
	reg     *control.RegisterTaskManager
	conn    *conn[control.TaskManagerCommand]
	gone    chan struct{} // closed when its stream has ended
	since   time.Time
	metrics map[string]string
	rss     int64
	grace   func() // stops the timer after its stream broke
	logs    map[string]*logRequest
	nextLog int
}

// allot gives an event to the slot pool and does what it says.
func (jm *JobManager) allot(ev slots.Event) {
	for _, a := range jm.pool.Step(jm.clock.Now(), ev) {
		jm.obey(a)
	}
}

func (jm *JobManager) obey(a slots.Action) {
	switch a := a.(type) {
	case slots.StartWorker:
		jm.startWorker(a)
	case slots.StopWorker:
		jm.tell(a.TaskManager, &control.TaskManagerCommand{Command: &control.TaskManagerCommand_StopWorker{
			StopWorker: &control.StopWorker{WorkerId: a.Worker, Reason: a.Reason}}})
	case slots.Allocated:
		if m := jm.jobs[a.Job]; m != nil {
			m.post(func() { m.allocated(a.Slots) })
		}
	case slots.Refused:
		if m := jm.jobs[a.Job]; m != nil {
			m.post(m.refused)
		}
	case slots.Available:
		if m := jm.jobs[a.Job]; m != nil {
			m.post(func() { m.decide(adaptive.Slots{Slots: a.Slots}) })
		}
	case slots.Denied:
		if m := jm.jobs[a.Job]; m != nil {
			m.post(func() {
				m.step(execution.SchedulingFailed{Cause: execution.Failure{Message: a.Reason, Domain: "external"}})
			})
		}
	case slots.WorkerLost:
		delete(jm.workers, a.Worker)
		if m := jm.jobs[a.Job]; m != nil {
			m.post(func() { m.workerLost(a.Worker, a.Reason) })
		}
	case slots.Declare:
		jm.log.Info("TaskManagers wanted", "total", a.TaskManagers)
		jm.o.Provider.Declare(a.TaskManagers)
	case slots.ReleaseTaskManager:
		jm.log.Info("Releasing a TaskManager", "id", a.ID, "reason", a.Reason)
		jm.tell(a.ID, &control.TaskManagerCommand{Command: &control.TaskManagerCommand_Shutdown{Shutdown: &control.Shutdown{Reason: a.Reason}}})
		jm.o.Provider.Release(a.ID, a.Reason)
	}
}

func (jm *JobManager) tell(id string, c *control.TaskManagerCommand) {
	if t := jm.tms[id]; t != nil && t.conn != nil {
		t.conn.send(c)
	}
}

// startWorker starts a process for a job: its share of the TaskManager's memory
// follows from the slots.
func (jm *JobManager) startWorker(a slots.StartWorker) {
	m, t := jm.jobs[a.Job], jm.tms[a.TaskManager]
	if m == nil || t == nil {
		return
	}
	jm.workers[a.Worker] = a.Job
	m.post(func() { m.expected[a.Worker] = true }) // before it can register
	cmd := proto.CloneOf(m.start)
	share := func(total int64) int64 { return total * int64(a.Slots) / int64(max(1, t.reg.GetSlots())) }
	mem := t.reg.GetMemory()
	cmd.WorkerId, cmd.Slots = a.Worker, int32(a.Slots)
	cmd.MemoryBytes, cmd.ManagedBytes, cmd.NetworkBytes = share(mem.GetTotalProcess()), share(mem.GetManaged()), share(mem.GetNetwork())
	m.log.Info("Starting a worker", "worker", a.Worker, "taskmanager", a.TaskManager, "slots", a.Slots)
	jm.tell(a.TaskManager, &control.TaskManagerCommand{Command: &control.TaskManagerCommand_StartWorker{StartWorker: cmd}})
}

// admit registers a TaskManager, or one that comes back over a new stream.
func (jm *JobManager) admit(reg *control.RegisterTaskManager, c *conn[control.TaskManagerCommand], gone chan struct{}) {
	t := jm.tms[reg.Id]
	if t != nil && (int(t.reg.Slots) != int(reg.Slots) || jm.released(reg.Id)) {
		jm.drop(t, "the TaskManager registered anew")
		t = nil
	}
	interval, timeout := heartbeats(jm.o.Conf)
	c.send(&control.TaskManagerCommand{Command: &control.TaskManagerCommand_Registered{Registered: &control.Registered{
		ClusterId: jm.o.ClusterID, Epoch: jm.o.Epoch, HeartbeatIntervalMs: interval.Milliseconds(), HeartbeatTimeoutMs: timeout.Milliseconds()}}})
	if t == nil {
		t = &taskManager{id: reg.Id, since: jm.clock.Now(), logs: map[string]*logRequest{}}
		jm.tms[reg.Id] = t
		jm.log.Info("Registering TaskManager", "id", reg.Id, "host", reg.Host, "slots", reg.Slots)
		if w := slotsWarning(reg); w != "" {
			jm.log.Warn(w)
		}
	} else {
		t.disconnect()
		jm.log.Info("TaskManager is back", "id", reg.Id)
	}
	fresh := t.reg == nil
	t.reg, t.conn, t.gone = reg, c, gone
	if jm.o.Provider != nil {
		jm.o.Provider.Registered(reg.Id)
	}
	jm.reconcile(t, fresh)
	if fresh {
		jm.allot(slots.Joined{ID: reg.Id, Host: reg.Host, Slots: int(reg.Slots)})
	}
}

func (jm *JobManager) released(id string) bool {
	return slices.ContainsFunc(jm.pool.TaskManagers(), func(t *slots.TaskManager) bool { return t.ID == id && t.Releasing })
}

// reconcile stops workers that this JobManager did not start, and notices those
// that it did start and that are gone.
func (jm *JobManager) reconcile(t *taskManager, fresh bool) {
	running := map[string]bool{}
	for _, w := range t.reg.RunningWorkers {
		running[w] = true
		if jm.workers[w] == "" {
			t.conn.send(&control.TaskManagerCommand{Command: &control.TaskManagerCommand_StopWorker{StopWorker: &control.StopWorker{
				WorkerId: w, Reason: "it belongs to an earlier JobManager", Force: true}}})
		}
	}
	if fresh {
		return
	}
	for _, p := range jm.pool.TaskManagers() {
		if p.ID != t.id {
			continue
		}
		for _, h := range slices.Clone(p.Slots) {
			if h.Worker != "" && !running[h.Worker] {
				jm.allot(slots.WorkerEnded{Worker: h.Worker, Reason: "it ended while its TaskManager was not connected"})
			}
		}
	}
}

// disconnect forgets the stream.
func (t *taskManager) disconnect() {
	if t.grace != nil {
		t.grace()
		t.grace = nil
	}
	if t.conn != nil {
		t.conn.close()
		t.conn = nil
	}
	for id, r := range t.logs {
		r.fail(fmt.Errorf("the connection to TaskManager %s is lost", t.id))
		delete(t.logs, id)
	}
}

// broken handles the end of a TaskManager's stream.
func (jm *JobManager) broken(id string, c *conn[control.TaskManagerCommand]) {
	t := jm.tms[id]
	if t == nil || t.conn != c {
		return
	}
	t.disconnect()
	t.grace = jm.clock.AfterFunc(graceTime, func() {
		jm.loop.post(func() {
			if jm.tms[id] == t && t.conn == nil {
				jm.drop(t, fmt.Sprintf("TaskManager %s on %s is no longer reachable", id, t.reg.Host))
			}
		})
	})
}

// drop forgets a TaskManager with everything on it.
func (jm *JobManager) drop(t *taskManager, reason string) {
	jm.log.Info("TaskManager is gone", "id", t.id, "reason", reason)
	t.disconnect()
	delete(jm.tms, t.id)
	jm.allot(slots.Gone{ID: t.id, Reason: reason})
	if jm.o.Provider != nil {
		jm.o.Provider.Release(t.id, reason)
	}
}

// TaskManagerGone tells that a TaskManager has ended, before the JobManager
// notices itself; the provider knows it from YARN.
func (jm *JobManager) TaskManagerGone(id, reason string) {
	jm.loop.post(func() {
		if t := jm.tms[id]; t != nil {
			jm.drop(t, reason)
		}
	})
}

// fromTaskManager handles an event of a TaskManager.
func (jm *JobManager) fromTaskManager(id string, c *conn[control.TaskManagerCommand], e *control.TaskManagerEvent) {
	t := jm.tms[id]
	if t == nil || t.conn != c {
		return
	}
	switch e := e.Event.(type) {
	case *control.TaskManagerEvent_Heartbeat:
		t.rss = e.Heartbeat.GetRssBytes()
		if t.metrics == nil {
			t.metrics = map[string]string{}
		}
		for k, v := range e.Heartbeat.GetMetrics() {
			if len(t.metrics) < maxFigures {
				t.metrics[k] = v
			}
		}
	case *control.TaskManagerEvent_WorkerStarted:
		jm.log.Debug("Worker started", "worker", e.WorkerStarted.GetWorkerId(), "pid", e.WorkerStarted.GetPid())
	case *control.TaskManagerEvent_WorkerExited:
		reason := exitReason(t, e.WorkerExited)
		jm.log.Info("Worker ended", "worker", e.WorkerExited.GetWorkerId(), "reason", reason)
		jm.allot(slots.WorkerEnded{Worker: e.WorkerExited.GetWorkerId(), Reason: reason})
		delete(jm.workers, e.WorkerExited.GetWorkerId())
	case *control.TaskManagerEvent_LogReply:
		t.logReply(e.LogReply)
	case *control.TaskManagerEvent_Leaving:
		jm.drop(t, fmt.Sprintf("TaskManager %s on %s is leaving: %s", id, t.reg.Host, e.Leaving.GetReason()))
	}
}

// exitReason tells in a sentence or two how a worker ended.
func exitReason(t *taskManager, e *control.WorkerExited) string {
	how := fmt.Sprintf("exit code %d", e.GetCode())
	if e.GetSignal() != "" {
		how = "signal " + e.GetSignal()
	}
	s := fmt.Sprintf("worker process %s on %s (%s) ended with %s", e.GetWorkerId(), t.reg.Host, t.id, how)
	if e.GetOutOfMemory() {
		s += ": it used more memory than its slots have; raise taskmanager.memory.process.size or lower the number of slots"
	}
	if e.GetReason() != "" {
		s += ": " + e.GetReason()
	}
	if e.GetStderrTail() != "" {
		s += "\n" + rest.StderrHead + "\n" + e.GetStderrTail()
	}
	return s
}

// maxFigures bounds the metrics kept of a TaskManager or task.
const maxFigures = 5000

// beat sends heartbeats and looks who has been silent for too long.
func (jm *JobManager) beat() {
	interval, timeout := heartbeats(jm.o.Conf)
	now := jm.clock.Now()
	h := &control.Heartbeat{SentMs: now.UnixMilli()}
	for _, t := range jm.tms {
		if t.conn == nil {
			continue
		}
		if silent := now.Sub(t.conn.heard()); silent > timeout {
			jm.drop(t, fmt.Sprintf("no heartbeat came from TaskManager %s on %s for %s (heartbeat.timeout)", t.id, t.reg.Host, silent.Round(time.Millisecond)))
			continue
		}
		t.conn.send(&control.TaskManagerCommand{Command: &control.TaskManagerCommand_Heartbeat{Heartbeat: h}})
	}
	for _, m := range jm.jobs {
		m.post(func() { m.beat(h, timeout) })
	}
	jm.archive.expire(now)
	jm.beatStop = jm.clock.AfterFunc(interval, func() { jm.loop.post(jm.beat) })
}
