package execution

import (
	"fmt"
	"net"
	"strconv"
	"time"
)

// Event is something that happened to the job.
type Event interface{ event() }

// Start schedules a job that was CREATED.
type Start struct{}

// SlotsReady tells what slots the job holds, with their workers registered. Those
// that are in use keep their place; the others are given to what is scheduled in
// the order of the list.
type SlotsReady struct{ Slots []Slot }

// TaskReport is news of a task from its worker.
type TaskReport struct {
	Task    TaskID
	Attempt int
	State   TaskState
	Failure *Failure
}

// WorkerLost tells that a worker is gone, with all of its tasks. With Planned
// tasks that wait to be deployed were to run there, too.
type WorkerLost struct {
	Worker  string
	Planned bool
	Cause   Failure
}

// GlobalFailure is a failure of no single task: all of them are run again.
type GlobalFailure struct{ Cause Failure }

// SchedulingFailed tells that what waits to be deployed cannot be: only its
// regions fail.
type SchedulingFailed struct{ Cause Failure }

// Stopping tells that sources were told to stop for good: from here on only all
// tasks can be run again, or those that stopped would not go on.
type Stopping struct{}

// Cancel is a user's wish to end the job.
type Cancel struct{}

// Committing tells that a job without checkpoints begins to make its output
// visible: it cannot run again, because it would write all of it a second time.
type Committing struct{}

// Suspend ends the job here; another JobManager may go on with it.
type Suspend struct{}

// RestartDue tells that the pause before a restart may be over.
type RestartDue struct{}

func (Start) event()            {}
func (SlotsReady) event()       {}
func (TaskReport) event()       {}
func (WorkerLost) event()       {}
func (GlobalFailure) event()    {}
func (SchedulingFailed) event() {}
func (Stopping) event()         {}
func (Cancel) event()           {}
func (Committing) event()       {}
func (Suspend) event()          {}
func (RestartDue) event()       {}

// Action is something that the caller has to do, in the order given.
type Action interface{ action() }

// JobSwitched tells that the job changed its state; for logs, listeners and
// the high-availability store.
type JobSwitched struct {
	From, To JobState
	Cause    *Failure
}

// TaskSwitched tells that a task changed its state.
type TaskSwitched struct {
	Task     *Execution
	From, To TaskState
}

// Schedule asks for the job's slots and for what the regions begin from; answer
// with SlotsReady, SchedulingFailed or GlobalFailure. It comes again when more
// regions are scheduled before that. Tasks are those scheduled now.
type Schedule struct {
	Attempt, Slots int
	Tasks          []*Execution
}

// Deploy sends tasks to the workers of their slots.
type Deploy struct{ Tasks []*Execution }

// StartTasks tells the workers of a region that every task of its attempt is
// deployed.
type StartTasks struct{ Region, Attempt int }

// AllRunning tells that every task of the job runs: checkpoints may begin.
type AllRunning struct{ Attempt int }

// CancelTasks ends the tasks of a region's attempt that still run.
type CancelTasks struct {
	Region, Attempt int
	Reason          string
}

// Restarting tells that regions are over and run again after Delay: checkpoints
// stop. With Others tasks of other regions go on meanwhile.
type Restarting struct {
	Delay  time.Duration
	Others bool
	// Rescale tells that they did not fail: the job gets another parallelism.
	Rescale bool
}

// Ended tells that the job is over here and nothing of it runs.
type Ended struct {
	State JobState
	Cause *Failure
}

func (JobSwitched) action()  {}
func (TaskSwitched) action() {}
func (Schedule) action()     {}
func (Deploy) action()       {}
func (StartTasks) action()   {}
func (AllRunning) action()   {}
func (CancelTasks) action()  {}
func (Restarting) action()   {}
func (Ended) action()        {}

// step collects the actions of one event.
type step struct {
	*Graph
	now time.Time
	out []Action
}

// Step takes one event and returns what is to be done.
func (g *Graph) Step(now time.Time, ev Event) []Action {
	s := &step{Graph: g, now: now}
	if g.state.Terminal() || g.state == JobSuspended {
		return nil
	}
	switch ev := ev.(type) {
	case Start:
		switch {
		case s.state != JobCreated:
		case s.cfg.Adaptive:
			s.await()
		default:
			s.toJob(JobRunning, nil)
			s.schedule(ready(s.regions))
		}
	case Scale:
		s.scale(ev)
	case Rescale:
		s.rescale(ev)
	case SlotsReady:
		s.slotsReady(ev)
	case TaskReport:
		s.report(ev)
	case WorkerLost:
		s.workerLost(ev)
	case PartitionLost:
		s.partitionLost(ev)
	case GlobalFailure:
		s.fail(ev.Cause, s.regions, nil)
	case SchedulingFailed:
		if scope := s.scheduledRegions(); len(scope) > 0 {
			s.fail(ev.Cause, scope, nil)
		}
	case Cancel:
		s.cancel()
	case Committing:
		s.committing = true
	case Stopping:
		s.stopping = true
	case Suspend:
		s.toJob(JobSuspended, nil)
		s.out = append(s.out, Ended{State: JobSuspended})
	case RestartDue:
		s.restartDue()
	}
	return s.out
}

func (s *step) do(a Action) { s.out = append(s.out, a) }

func (s *step) toJob(to JobState, cause *Failure) {
	from := s.state
	s.state = to
	s.times[to] = s.now
	s.do(JobSwitched{From: from, To: to, Cause: cause})
}

func (s *step) toTask(e *Execution, to TaskState) {
	from := e.State
	e.State = to
	e.Times[to] = s.now
	s.tally(e.region, from, -1)
	s.tally(e.region, to, 1)
	if f := e.region.pending; f != nil && !from.Terminal() && e.region.ended() {
		f.alive--
	}
	s.do(TaskSwitched{Task: e, From: from, To: to})
}

// schedule asks for what regions need to run.
func (s *step) schedule(regions []*region) {
	var list []*Execution
	if len(regions) == 0 { // all of them wait for others
		return
	}
	for _, r := range regions {
		r.begun = true
		for _, i := range r.members {
			list = append(list, s.tasks[i])
		}
	}
	for _, e := range list {
		s.toTask(e, TaskScheduled)
	}
	s.do(Schedule{Attempt: s.attempt, Slots: s.need, Tasks: list})
}

// scheduledRegions are the regions that wait for their slots.
func (s *step) scheduledRegions() []*region {
	var list []*region
	for _, r := range s.regions {
		if r.count.scheduled > 0 {
			list = append(list, r)
		}
	}
	return list
}

func (s *step) slotsReady(ev SlotsReady) {
	if !s.Waiting() || s.state != JobRunning && s.state != JobRestarting {
		return
	}
	if len(ev.Slots) < s.need {
		s.fail(Failure{Message: fmt.Sprintf("the job needs %d slots and got %d", s.need, len(ev.Slots)), Domain: "internal"}, s.scheduledRegions(), nil)
		return
	}
	s.slots = s.Arrange(ev.Slots)
	var list []*Execution
	for _, e := range s.tasks {
		if e.State == TaskScheduled {
			e.Slot = s.slots[s.offsets[e.Vertex.Group]+e.Subtask]
			s.toTask(e, TaskDeploying)
			list = append(list, e)
		}
	}
	s.do(Deploy{Tasks: list})
}

// Arrange chooses the slots that the job needs of those that it holds, which are
// as many at least: those that it uses keep their place, the others fill the gaps
// as they come.
func (g *Graph) Arrange(offered []Slot) []Slot {
	before, n := g.slots, g.need
	type key struct {
		worker string
		index  int
	}
	place := map[key]int{}
	for i, s := range before {
		place[key{s.Worker, s.Index}] = i
	}
	out := make([]Slot, n)
	taken := make([]bool, n)
	var rest []Slot
	for _, s := range offered {
		if i, ok := place[key{s.Worker, s.Index}]; ok && i < n && !taken[i] {
			out[i], taken[i] = s, true
		} else {
			rest = append(rest, s)
		}
	}
	for i := range out {
		if !taken[i] {
			out[i], rest = rest[0], rest[1:]
		}
	}
	return out
}

func (s *step) report(ev TaskReport) {
	e := s.Task(ev.Task)
	if e == nil || ev.Attempt != e.Attempt || e.State.Terminal() || !e.State.onWorker() {
		return
	}
	switch ev.State {
	case TaskFailed:
		s.taskFailed(e, ev.Failure)
	case TaskCanceled:
		s.taskCanceled(e)
	case TaskFinished:
		s.toTask(e, TaskFinished)
		s.progress(e.region)
		s.regionFinished(e.region)
		s.settle(e.region)
	case TaskInitializing, TaskRunning:
		if e.State != TaskCanceling && ev.State.rank() > e.State.rank() {
			s.toTask(e, ev.State)
			s.progress(e.region)
		}
	}
}

// mark makes a task FAILED and returns its failure.
func (s *step) mark(e *Execution, f Failure) Failure {
	f.Task, f.Attempt, f.TaskManager, f.At = e.Name(), e.Attempt, e.Slot.TaskManager, s.now
	f.Location = net.JoinHostPort(e.Slot.Host, strconv.Itoa(e.Slot.DataPort))
	e.Failure = &f
	s.toTask(e, TaskFailed)
	return f
}

func (s *step) taskFailed(e *Execution, f *Failure) {
	if f == nil {
		f = &Failure{Message: "the worker gave no reason", Domain: "internal"}
	}
	s.fail(s.mark(e, *f), []*region{e.region}, nil)
}

// taskCanceled takes the end of a task that was told to end. One that ends
// itself with CANCELED has failed: nobody would restart it otherwise.
func (s *step) taskCanceled(e *Execution) {
	if e.State != TaskCanceling && (s.state == JobRunning || s.state == JobRestarting) {
		s.taskFailed(e, &Failure{Message: "the task was cancelled by its worker", Domain: "internal"})
		return
	}
	s.toTask(e, TaskCanceled)
	s.settle(e.region)
}

// progress announces the stages of an attempt: all tasks of a region deployed,
// all tasks of the job running.
func (s *step) progress(r *region) {
	if s.state != JobRunning && s.state != JobRestarting {
		return
	}
	if !r.started && r.count.deployed == len(r.members) {
		r.started = true
		s.do(StartTasks{Region: r.id, Attempt: r.attempt})
	}
	if !s.running && s.state == JobRunning && s.count.running == len(s.tasks) {
		s.running = true
		s.do(AllRunning{Attempt: s.attempt})
	}
}

// workerLost fails the tasks of a worker: one failure with its first task as
// the root, however many regions it touches.
func (s *step) workerLost(ev WorkerLost) {
	var scope []*region
	var failed []Failure
	seen := map[*region]bool{}
	if ev.Planned {
		scope = s.scheduledRegions()
	}
	for _, r := range scope {
		seen[r] = true
	}
	for _, e := range s.tasks {
		if e.Slot.Worker != ev.Worker || !e.State.onWorker() {
			continue
		}
		if e.State == TaskCanceling {
			s.toTask(e, TaskCanceled)
			s.settle(e.region)
			continue
		}
		failed = append(failed, s.mark(e, ev.Cause))
		if !seen[e.region] {
			seen[e.region] = true
			scope = append(scope, e.region)
		}
	}
	for _, r := range s.partitionsLost(ev.Worker) {
		if !seen[r] {
			seen[r] = true
			scope = append(scope, r)
		}
	}
	if len(scope) == 0 {
		return
	}
	root := ev.Cause
	if len(failed) > 0 {
		root, failed = failed[0], failed[1:]
	}
	s.fail(root, scope, failed)
}

func (s *step) cancel() {
	switch s.state {
	case JobInitializing, JobCreated, JobRunning, JobRestarting:
		s.toJob(JobCancelling, nil)
		s.cancelTasks(s.regions, "the job was cancelled")
		s.settleAll()
	}
}
