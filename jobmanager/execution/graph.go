package execution

import (
	"fmt"
	"time"
)

// Vertex is what the machine knows of a vertex of the JobGraph.
type Vertex struct {
	ID, Name       string
	Parallelism    int
	MaxParallelism int
}

// Config is what a Graph is made of.
type Config struct {
	JobID, Name string
	// Vertices in topological order.
	Vertices []Vertex
	// Restart decides on restarts; nil means NoRestart.
	Restart Strategy
	// History is how many root exceptions are kept
	// (web.exception-history-size); 0 means 16.
	History int
	// Attempts is how many earlier executions of a subtask are kept
	// (jobmanager.execution.attempts-history-size); 0 means 16.
	Attempts int
	// Submitted is when the job arrived: the time of INITIALIZING.
	Submitted time.Time
}

// TaskID names a subtask of the graph.
type TaskID struct {
	Vertex  string
	Subtask int
}

// Slot is where the subtasks of one index run.
type Slot struct {
	// TaskManager and Worker are ids; Host and DataPort reach the worker.
	TaskManager, Worker, Host string
	DataPort                  int
	// Index is the slot's number within the worker.
	Index      int
	Allocation string
}

// Execution is one attempt at running one subtask.
type Execution struct {
	Vertex  *Vertex
	Subtask int
	Attempt int
	State   TaskState
	// Times tells when a state was entered; states never entered are absent.
	Times map[TaskState]time.Time
	// Slot is where it runs, from DEPLOYING on.
	Slot Slot
	// Failure is why it FAILED.
	Failure *Failure
}

// ID is the subtask's id.
func (e *Execution) ID() TaskID { return TaskID{e.Vertex.ID, e.Subtask} }

// Name is the subtask's name for people: "Map (1/4)".
func (e *Execution) Name() string {
	return fmt.Sprintf("%s (%d/%d)", e.Vertex.Name, e.Subtask+1, e.Vertex.Parallelism)
}

// AttemptID is a unique name of the execution, for logs.
func (e *Execution) AttemptID() string {
	return fmt.Sprintf("%s_%d_%d", e.Vertex.ID, e.Subtask, e.Attempt)
}

// RetryNone marks failures that come again whenever the job runs: it fails at
// once, whatever the restart strategy.
const RetryNone = "none"

// Failure is why a task or the job failed.
type Failure struct {
	Message string
	Stack   string
	// Domain is user, external or internal.
	Domain string
	// Retry is none, backoff or restart.
	Retry string
	// Task, TaskManager and Location tell where, when it was a task.
	Task        string
	TaskManager string
	Location    string
	At          time.Time
}

// Error is the message.
func (f *Failure) Error() string { return f.Message }

// HistoryEntry is one root exception and what failed along with it.
type HistoryEntry struct {
	Failure
	// Global is true when no task was the cause.
	Global     bool
	Concurrent []Failure
}

// Graph is the execution graph of one job.
type Graph struct {
	cfg     Config
	state   JobState
	times   map[JobState]time.Time
	attempt int

	tasks    []*Execution
	byID     map[TaskID]*Execution
	previous map[TaskID][]*Execution

	history   []*HistoryEntry
	truncated bool
	cause     *Failure // why the job FAILED
	restarts  int

	announced bool      // StartTasks of this attempt was given out
	running   bool      // AllRunning of this attempt was given out
	restartAt time.Time // end of the pause while RESTARTING

	committing bool // the job cannot run again
}

// New makes the graph of a job in state CREATED.
func New(cfg Config, now time.Time) *Graph {
	if cfg.Restart == nil {
		cfg.Restart = NoRestart{}
	}
	if cfg.History == 0 {
		cfg.History = 16
	}
	if cfg.Attempts == 0 {
		cfg.Attempts = 16
	}
	if cfg.Submitted.IsZero() {
		cfg.Submitted = now
	}
	g := &Graph{cfg: cfg, state: JobCreated, times: map[JobState]time.Time{JobInitializing: cfg.Submitted, JobCreated: now},
		byID: map[TaskID]*Execution{}, previous: map[TaskID][]*Execution{}}
	g.reset(now)
	return g
}

// reset makes the executions of the current attempt.
func (g *Graph) reset(now time.Time) {
	for _, e := range g.tasks {
		kept := append(g.previous[e.ID()], e)
		g.previous[e.ID()] = kept[max(0, len(kept)-g.cfg.Attempts):]
	}
	g.tasks, g.announced, g.running = nil, false, false
	for i := range g.cfg.Vertices {
		v := &g.cfg.Vertices[i]
		for s := range v.Parallelism {
			e := &Execution{Vertex: v, Subtask: s, Attempt: g.attempt, State: TaskCreated, Times: map[TaskState]time.Time{TaskCreated: now}}
			g.tasks = append(g.tasks, e)
			g.byID[e.ID()] = e
		}
	}
}

// State is the job's state.
func (g *Graph) State() JobState { return g.state }

// Times tells when each state was entered last; the map is the graph's own.
func (g *Graph) Times() map[JobState]time.Time { return g.times }

// Attempt is the number of the current attempt, from 0.
func (g *Graph) Attempt() int { return g.attempt }

// Restarts is how often the job restarted.
func (g *Graph) Restarts() int { return g.restarts }

// Cause is why the job failed; nil for any other state.
func (g *Graph) Cause() *Failure { return g.cause }

// Tasks are the current executions, by vertex in topological order, then by
// subtask. The slice is the graph's own.
func (g *Graph) Tasks() []*Execution { return g.tasks }

// Task is the current execution of a subtask; nil when there is none.
func (g *Graph) Task(id TaskID) *Execution { return g.byID[id] }

// Previous are the earlier executions of a subtask, oldest first.
func (g *Graph) Previous(id TaskID) []*Execution { return g.previous[id] }

// Vertices are the vertices in topological order.
func (g *Graph) Vertices() []Vertex { return g.cfg.Vertices }

// History are the root exceptions, oldest first, and whether older ones were
// dropped.
func (g *Graph) History() (entries []*HistoryEntry, truncated bool) { return g.history, g.truncated }

// Slots is how many slots the job needs: all vertices share them, so the
// highest parallelism.
func (g *Graph) Slots() int {
	n := 0
	for _, v := range g.cfg.Vertices {
		n = max(n, v.Parallelism)
	}
	return n
}

// Deadline is when RestartDue has to be given; the zero time when there is
// nothing to wait for.
func (g *Graph) Deadline() time.Time {
	if g.state == JobRestarting {
		return g.restartAt
	}
	return time.Time{}
}
