package execution

import (
	"fmt"
	"time"
)

// Event is something that happened to the job.
type Event interface{ event() }

// Start schedules a job that was CREATED.
type Start struct{}

// SlotsReady tells that the job has its slots and their workers registered:
// subtask i of every vertex runs in Slots[i].
type SlotsReady struct{ Slots []Slot }

// TaskReport is news of a task from its worker.
type TaskReport struct {
	Task    TaskID
	Attempt int
	State   TaskState
	Failure *Failure
}

// WorkerLost tells that a worker is gone, with all of its tasks.
type WorkerLost struct {
	Worker string
	Cause  Failure
}

// GlobalFailure is a failure of no single task.
type GlobalFailure struct{ Cause Failure }

// Cancel is a user's wish to end the job.
type Cancel struct{}

// Committing tells that a job without checkpoints begins to make its output
// visible: it cannot run again, because it would write all of it a second time.
type Committing struct{}

// Suspend ends the job here; another JobManager may go on with it.
type Suspend struct{}

// RestartDue tells that the pause before a restart may be over.
type RestartDue struct{}

func (Start) event()         {}
func (SlotsReady) event()    {}
func (TaskReport) event()    {}
func (WorkerLost) event()    {}
func (GlobalFailure) event() {}
func (Cancel) event()        {}
func (Committing) event()    {}
func (Suspend) event()       {}
func (RestartDue) event()    {}

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

// Schedule asks for the slots of an attempt; answer with SlotsReady, or
// GlobalFailure.
type Schedule struct{ Attempt, Slots int }

// Deploy sends every task to the worker of its slot.
type Deploy struct{ Attempt int }

// StartTasks tells the workers that every task of the attempt is deployed.
type StartTasks struct{ Attempt int }

// AllRunning tells that every task of the attempt runs: checkpoints may begin.
type AllRunning struct{ Attempt int }

// CancelTasks ends the tasks of an attempt that still run.
type CancelTasks struct {
	Attempt int
	Reason  string
}

// Restarting tells that an attempt is over and another one follows after
// Delay: checkpoints stop.
type Restarting struct{ Delay time.Duration }

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
		if s.state == JobCreated {
			s.toJob(JobRunning, nil)
			s.schedule()
		}
	case SlotsReady:
		s.slotsReady(ev)
	case TaskReport:
		s.report(ev)
	case WorkerLost:
		s.workerLost(ev)
	case GlobalFailure:
		s.fail(ev.Cause, nil)
	case Cancel:
		s.cancel()
	case Committing:
		s.committing = true
	case Suspend:
		s.toJob(JobSuspended, nil)
		s.out = append(s.out, Ended{State: JobSuspended})
	case RestartDue:
		s.settle()
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
	s.do(TaskSwitched{Task: e, From: from, To: to})
}

func (s *step) schedule() {
	for _, e := range s.tasks {
		s.toTask(e, TaskScheduled)
	}
	s.do(Schedule{Attempt: s.attempt, Slots: s.Slots()})
}

func (s *step) slotsReady(ev SlotsReady) {
	if s.state != JobRunning || s.tasks[0].State != TaskScheduled {
		return
	}
	if len(ev.Slots) < s.Slots() {
		s.fail(Failure{Message: fmt.Sprintf("the job needs %d slots and got %d", s.Slots(), len(ev.Slots)), Domain: "internal"}, nil)
		return
	}
	for _, e := range s.tasks {
		e.Slot = ev.Slots[e.Subtask]
		s.toTask(e, TaskDeploying)
	}
	s.do(Deploy{Attempt: s.attempt})
}

func (s *step) report(ev TaskReport) {
	e := s.byID[ev.Task]
	if e == nil || ev.Attempt != s.attempt || e.State.Terminal() || !e.State.onWorker() {
		return
	}
	switch ev.State {
	case TaskFailed:
		s.taskFailed(e, ev.Failure)
	case TaskCanceled:
		s.taskCanceled(e)
	case TaskFinished:
		s.toTask(e, TaskFinished)
		s.progress()
		s.settle()
	case TaskInitializing, TaskRunning:
		if e.State != TaskCanceling && ev.State.rank() > e.State.rank() {
			s.toTask(e, ev.State)
			s.progress()
		}
	}
}

func (s *step) taskFailed(e *Execution, f *Failure) {
	if f == nil {
		f = &Failure{Message: "the worker gave no reason", Domain: "internal"}
	}
	cause := *f
	cause.Task, cause.TaskManager, cause.Location = e.Name(), e.Slot.TaskManager, e.Slot.Host
	cause.At = s.now
	e.Failure = &cause
	s.toTask(e, TaskFailed)
	s.fail(cause, e)
}

// taskCanceled takes the end of a task that was told to end. One that ends
// itself with CANCELED has failed: nobody would restart it otherwise.
func (s *step) taskCanceled(e *Execution) {
	if e.State != TaskCanceling && s.state == JobRunning {
		s.taskFailed(e, &Failure{Message: "the task was cancelled by its worker", Domain: "internal"})
		return
	}
	s.toTask(e, TaskCanceled)
	s.settle()
}

// progress announces the stages of an attempt: all tasks deployed, all tasks
// running.
func (s *step) progress() {
	if s.state != JobRunning {
		return
	}
	low := TaskFinished.rank()
	for _, e := range s.tasks {
		low = min(low, e.State.rank())
	}
	if low >= TaskInitializing.rank() && !s.announced {
		s.announced = true
		s.do(StartTasks{Attempt: s.attempt})
	}
	if low >= TaskRunning.rank() && !s.running {
		s.running = true
		s.do(AllRunning{Attempt: s.attempt})
	}
}

func (s *step) workerLost(ev WorkerLost) {
	first := true
	for _, e := range s.tasks {
		if e.Slot.Worker != ev.Worker || !e.State.onWorker() {
			continue
		}
		if e.State == TaskCanceling {
			s.toTask(e, TaskCanceled)
			continue
		}
		cause := ev.Cause
		if !first { // one root exception a lost worker, not one a task
			cause.Task, cause.TaskManager, cause.Location, cause.At = e.Name(), e.Slot.TaskManager, e.Slot.Host, s.now
			e.Failure = &cause
			s.toTask(e, TaskFailed)
			continue
		}
		first = false
		s.taskFailed(e, &cause)
	}
	s.settle()
}

func (s *step) cancel() {
	switch s.state {
	case JobInitializing, JobCreated, JobRunning, JobRestarting:
		s.toJob(JobCancelling, nil)
		s.cancelTasks("the job was cancelled")
		s.settle()
	}
}
