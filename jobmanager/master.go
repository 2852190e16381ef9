package jobmanager

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"goflink/conf"
	"goflink/control"
	"goflink/graph"
	"goflink/jobmanager/adaptive"
	"goflink/jobmanager/checkpoint"
	"goflink/jobmanager/execution"
	"goflink/jobmanager/slots"
)

// master runs one job: the job master. All of it belongs to its loop, but what
// is said to be fixed.
type master struct {
	jm    *JobManager                       // fixed, as are the next ones
	id    string                            //
	graph *graph.JobGraph                   //
	conf  *conf.Config                      // effective
	log   *slog.Logger                      //
	start *control.StartWorker              // what workers are started with
	dir   string                            // its folder of checkpoints, a URI; empty: none
	loop  *loop                             //
	done  chan struct{}                     // closed when the job has ended and nothing of it runs
	ctx   context.Context                   // of its I/O
	stop  context.CancelFunc                //
	spec  execution.Config                  //
	over  atomic.Pointer[ended]             // set before done is closed
	shown atomic.Pointer[map[string]string] // figures for reporters

	scaled  *graph.JobGraph // with the parallelism that it runs with
	scaling scaling

	exec *execution.Graph
	cp   *checkpoint.Coordinator
	todo []func()
	deep bool

	workers  map[string]*worker
	expected map[string]bool  // workers that were started for the job
	slots    []execution.Slot // for what waits, once allocated; hosts and ports are still to come
	waiting  bool             // tasks are to be deployed once all below is there
	restored bool
	assigned *checkpoint.Assignment
	from     int64 // id of the checkpoint that the attempt begins from

	coord   coordinating
	held    map[execution.TaskID][]*control.WorkerCommand // splits of tasks that do not run yet
	serving map[int]*servers                              // of partitions, by the region that reads
	figures map[execution.TaskID]*taskFigures
	replies map[string]func(checkpoint.Reply)
	began   map[int64]time.Time // when finalising a checkpoint began, for the log

	startBy  time.Time // workers must have registered
	cancelBy time.Time // tasks must have been cancelled
	client   time.Time // an attached client must have been heard of
	busy     int       // background work that will report to the loop
	ending   *execution.Ended
	settled  bool // the result is durable
	removed  bool // its folder of checkpoints was removed, if it was empty
}

// worker is one process of the job.
type worker struct {
	id    string
	reg   *control.RegisterWorker
	conn  *conn[control.WorkerCommand]
	grace func()
}

// newMaster makes the master of a job; the checkpoint configuration says what
// it begins from.
func newMaster(jm *JobManager, g *graph.JobGraph, c *conf.Config, cc checkpoint.Config) *master {
	m := &master{jm: jm, id: g.JobId, graph: g, scaled: g, conf: c, dir: cc.Dir, log: jm.log.With("job", g.JobId), done: make(chan struct{}),
		workers: map[string]*worker{}, expected: map[string]bool{}, held: map[execution.TaskID][]*control.WorkerCommand{},
		serving: map[int]*servers{}, figures: map[execution.TaskID]*taskFigures{}, replies: map[string]func(checkpoint.Reply){}, began: map[int64]time.Time{}}
	m.ctx, m.stop = context.WithCancel(jm.ctx)
	m.spec = execution.Config{JobID: g.JobId, Name: g.Name, Restart: strategyOf(c, jm.o.Random),
		History: conf.WebExceptionHistorySize.Get(c), Submitted: time.UnixMilli(g.SubmittedMs)}
	if g.SubmittedMs == 0 {
		m.spec.Submitted = jm.clock.Now()
	}
	describeGraph(&m.spec, g)
	m.spec.Full = wholeJob(g, c)
	m.scaling.decider = m.newDecider()
	m.spec.Adaptive = m.scaling.decider != nil
	for _, w := range []string{stateWarning(g, c), batchWarning(g, jm.o.Conf)} {
		if w != "" {
			m.log.Warn(w)
		}
	}
	m.start = startWorkerOf(jm, g, c)
	m.exec = execution.New(m.spec, jm.clock.Now())
	m.cp = checkpoint.New(cc)
	m.loop = newLoop(jm.clock, m.deadline, m.tick)
	m.registerGauges()
	return m
}

func (m *master) post(f func()) { m.loop.post(f) }

// run executes f after what is being executed, so that the actions of one step
// are carried out before the next step begins.
func (m *master) run(f func()) {
	m.todo = append(m.todo, f)
	if m.deep {
		return
	}
	m.deep = true
	for len(m.todo) > 0 {
		f := m.todo[0]
		m.todo = m.todo[1:]
		f()
	}
	m.deep = false
	m.settle()
}

// step gives an event to the state machine.
func (m *master) step(ev execution.Event) {
	m.run(func() {
		for _, a := range m.exec.Step(m.jm.clock.Now(), ev) {
			m.execute(a)
		}
	})
}

// check gives an event to the checkpoint coordinator.
func (m *master) check(ev checkpoint.Event) {
	m.run(func() {
		for _, a := range m.cp.Step(m.jm.clock.Now(), ev) {
			m.obey(a)
		}
	})
}

// background runs f away from the loop, then what it returns on it. The job has
// not ended before.
func (m *master) background(f func(ctx context.Context) func()) {
	m.busy++
	ok := m.jm.start(func() {
		then := f(m.ctx)
		m.post(func() {
			m.busy--
			m.run(then)
		})
	})
	if !ok {
		m.busy--
	}
}

func (m *master) deadline() time.Time {
	var next time.Time
	list := []time.Time{m.exec.Deadline(), m.cp.Deadline(), m.startBy, m.cancelBy, m.client}
	if m.scaling.decider != nil {
		list = append(list, m.scaling.decider.Deadline())
	}
	for _, t := range list {
		if !t.IsZero() && (next.IsZero() || t.Before(next)) {
			next = t
		}
	}
	return next
}

// tick is called when a deadline has come.
func (m *master) tick() {
	now := m.jm.clock.Now()
	due := func(t time.Time) bool { return !t.IsZero() && !now.Before(t) }
	if due(m.exec.Deadline()) {
		m.step(execution.RestartDue{})
	}
	if due(m.startBy) {
		m.startBy = time.Time{}
		m.step(execution.SchedulingFailed{Cause: execution.Failure{Domain: "external",
			Message: "the job's workers did not register in time (resourcemanager.taskmanager-registration.timeout); see the logs of the TaskManagers"}})
	}
	if due(m.cancelBy) {
		m.cancelBy = time.Time{}
		m.abandonHanging()
	}
	if due(m.client) {
		m.client = time.Time{}
		m.log.Info("The job's client was not heard of for client.heartbeat.timeout: cancelling the job")
		m.step(execution.Cancel{})
	}
	m.check(checkpoint.Tick{})
	m.decide(adaptive.Tick{})
}

// execute carries out an action of the state machine.
func (m *master) execute(a execution.Action) {
	switch a := a.(type) {
	case execution.JobSwitched:
		m.logJob(a)
	case execution.TaskSwitched:
		m.taskSwitched(a)
	case execution.AwaitResources:
		m.decide(adaptive.Wait{})
	case execution.Schedule:
		m.schedule(a)
	case execution.Deploy:
		m.deploy(a.Tasks)
	case execution.StartTasks:
		m.tellRegion(a.Region, &control.WorkerCommand{Command: &control.WorkerCommand_Start{Start: &control.StartTasks{Region: int32(a.Region), Attempt: int32(a.Attempt)}}})
	case execution.AllRunning:
		m.check(checkpoint.Begin{})
	case execution.CancelTasks:
		m.cancelTasks(a)
	case execution.RegionFinished:
		m.regionFinished(a)
	case execution.ReleasePartitions:
		m.releasePartitions(a)
	case execution.Restarting:
		if !m.exec.Waiting() {
			m.waiting, m.startBy = false, time.Time{}
		}
		if !a.Rescale {
			m.decide(adaptive.Stop{})
		}
		m.check(checkpoint.Suspend{Reason: "the job is restarting", Others: a.Others})
	case execution.Ended:
		m.end(a)
	}
}

func (m *master) logJob(a execution.JobSwitched) {
	msg := "Job " + m.graph.Name + " (" + m.id + ") switched from state " + string(a.From) + " to " + string(a.To) + "."
	if a.Cause != nil {
		m.log.Info(msg, "cause", a.Cause.Message)
	} else {
		m.log.Info(msg)
	}
	if a.To == execution.JobFailing || a.To == execution.JobCancelling {
		m.waiting, m.startBy = false, time.Time{}
		m.decide(adaptive.Stop{})
		m.check(checkpoint.Suspend{Reason: "the job is " + map[bool]string{true: "failing", false: "being cancelled"}[a.To == execution.JobFailing]})
	}
}

func (m *master) taskSwitched(a execution.TaskSwitched) {
	msg := a.Task.Name() + " (" + a.Task.AttemptID() + ") switched from " + string(a.From) + " to " + string(a.To) + "."
	switch a.To {
	case execution.TaskFailed:
		m.log.Warn(msg, "task", a.Task.Name(), "attempt", a.Task.Attempt, "cause", a.Task.Failure.Message)
	default:
		m.log.Info(msg, "task", a.Task.Name(), "attempt", a.Task.Attempt)
	}
	id := a.Task.ID()
	switch a.To {
	case execution.TaskRunning:
		m.release(id)
	case execution.TaskFinished:
		m.check(checkpoint.TaskFinished{Task: checkpoint.Task(id)})
	}
}

// schedule gathers what tasks need to run: the state they begin from, slots with
// their workers, and the enumerators of their sources. When others are scheduled
// while some wait, all are deployed together.
func (m *master) schedule(a execution.Schedule) {
	m.waiting, m.restored, m.assigned, m.slots = true, false, nil, nil
	var again []checkpoint.Task // all of them: nil
	for _, e := range a.Tasks {
		delete(m.held, e.ID())
		if len(a.Tasks) < len(m.exec.Tasks()) {
			again = append(again, checkpoint.Task(e.ID()))
		}
	}
	m.stopServing(a.Tasks)
	m.coord.forget(m.graph, a.Tasks)
	m.check(checkpoint.Restore{Tasks: again, Graph: m.scaled})
	var want slots.Event = slots.Request{Job: m.id, Name: m.graph.Name, Slots: a.Slots}
	if m.scaling.decider != nil {
		want = slots.Take{Job: m.id, Slots: a.Slots}
	}
	m.jm.loop.post(func() { m.jm.allot(want) })
}

// end is reached when no task of the job runs any more and none will here.
func (m *master) end(a execution.Ended) {
	m.decide(adaptive.Stop{})
	m.ending = &a
	m.waiting, m.startBy, m.cancelBy, m.client = false, time.Time{}, time.Time{}, time.Time{}
	m.check(checkpoint.Suspend{Reason: "the job has ended"})
	m.stopCoordinator()
	for _, w := range m.workers {
		w.conn.send(&control.WorkerCommand{Command: &control.WorkerCommand_Shutdown{Shutdown: &control.Shutdown{Reason: "the job is " + string(a.State)}}})
	}
	m.jm.loop.post(func() { m.jm.allot(slots.Release{Job: m.id}) })
	if !a.State.Terminal() {
		m.settled = true
		return
	}
	m.recordResult(a)
}

// resultRetry is the pause between attempts to make a result durable.
const resultRetry = 2 * time.Second

// recordResult makes the result durable, however long it takes: what is deleted
// before that a next JobManager would miss.
func (m *master) recordResult(a execution.Ended) {
	record, err := encodeEnded(m.outcome())
	if err != nil {
		m.log.Error("The result cannot be stored", "error", err)
	}
	m.background(func(ctx context.Context) func() {
		err := m.jm.o.HA.PutResult(ctx, m.id, record)
		return func() {
			switch {
			case err == nil:
				m.settled = true
				m.check(checkpoint.Terminate{Finished: a.State == execution.JobFinished, Cancelled: a.State == execution.JobCanceled})
			case lost(err):
				m.jm.fatal(err)
			case m.ctx.Err() == nil:
				m.log.Error("The result of the job could not be stored; trying again", "error", err)
				m.jm.clock.AfterFunc(resultRetry, func() { m.post(func() { m.recordResult(a) }) })
			}
		}
	})
}

// settle finishes the job once nothing of it is under way.
func (m *master) settle() {
	if m.ending == nil || !m.settled || m.busy > 0 || m.over.Load() != nil {
		return
	}
	if !m.removed && m.ending.State.Terminal() { // after all that was deleted in it
		m.removed = true
		if m.removeFolder() {
			return
		}
	}
	m.over.Store(m.outcome())
	m.jm.metrics.RemoveJob(m.id)
	m.stop()
	for _, w := range m.workers {
		w.conn.close()
	}
	m.jm.loop.post(func() { m.jm.retired(m) })
	m.loop.close()
	close(m.done)
}

// abandon drops the job without telling anybody: the JobManager ends at once.
func (m *master) abandon() {
	m.stop()
	m.post(func() {
		if m.coord.process != nil {
			m.coord.process.Kill()
		}
	})
	m.loop.close()
}

// unfinished tells, once done is closed, that the job did not end for good.
func (m *master) unfinished() bool {
	o := m.over.Load()
	return o == nil || !execution.JobState(o.Job.State).Terminal()
}

// shortEpoch is the epoch as it goes into the names of files: attempts of an
// ApplicationMaster are small numbers, a standalone JobManager takes the time.
func shortEpoch(epoch int64) int32 { return int32(epoch & 0x7fffffff) }

// startWorkerOf is what every worker of a job is started with.
func startWorkerOf(jm *JobManager, g *graph.JobGraph, c *conf.Config) *control.StartWorker {
	return &control.StartWorker{JobId: g.JobId, JobName: g.Name, Program: encodeProgram(g.GetProgram()), Config: c.Map(),
		Fingerprint: g.Fingerprint, Once: g.Once, Epoch: shortEpoch(jm.o.Epoch)}
}
