package execution

import (
	"fmt"
	"time"

	"goflink/graph"
)

// Vertex is what the machine knows of a vertex of the JobGraph.
type Vertex struct {
	ID, Name       string
	Parallelism    int
	MaxParallelism int
	// Group is its slot-sharing group: subtasks of one index share a slot with
	// the vertices of the same group only.
	Group string
	// Coupled tells that its subtasks can only run again together, because an
	// enumerator hands out splits to all of them.
	Coupled bool
}

// Edge joins two vertices, by their ids.
type Edge struct {
	Source, Target string
	Partitioning   graph.Partitioning
	// Blocking edges do not join regions: the target's tasks begin when the
	// source's have finished.
	Blocking bool
}

// Config is what a Graph is made of.
type Config struct {
	JobID, Name string
	// Vertices in topological order.
	Vertices []Vertex
	Edges    []Edge
	// Full makes every failure restart all tasks
	// (jobmanager.execution.failover-strategy: full); else only their region.
	// With blocking edges there are regions all the same, since they are what is
	// scheduled.
	Full bool
	// Adaptive makes every attempt wait for Scale, which says with which parallelism
	// it runs; all tasks run again together. There are no blocking edges then.
	Adaptive bool
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

	region *region
}

// Region is the number of the region that the task belongs to.
func (e *Execution) Region() int { return e.region.id }

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
	// Task, TaskManager and Location (host:port) tell where, when it was a task;
	// Attempt is the attempt of it.
	Task        string
	Attempt     int
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
	index    map[TaskID]int // of tasks
	previous map[TaskID][]*Execution
	regions  []*region
	staged   bool           // there are blocking edges
	offsets  map[string]int // of each slot-sharing group among the slots
	need     int            // slots
	slots    []Slot         // by number, of the last deployment
	count    tally

	history   []*HistoryEntry
	truncated bool
	cause     *Failure // why the job FAILED
	restarts  int
	rescales  int

	awaiting   bool        // Scale
	running    bool        // AllRunning was given out since the last restart
	failovers  []*failover // that are under way
	stopping   bool        // only all tasks can run again
	committing bool        // the job cannot run again
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
		previous: map[TaskID][]*Execution{}}
	g.populate(now)
	return g
}

// populate makes the tasks and regions of the vertices, for the current attempt.
func (g *Graph) populate(now time.Time) {
	g.tasks, g.regions, g.count = nil, nil, tally{}
	g.index = map[TaskID]int{}
	g.placeGroups()
	for i := range g.cfg.Vertices {
		v := &g.cfg.Vertices[i]
		for s := range v.Parallelism {
			g.index[TaskID{v.ID, s}] = len(g.tasks)
			g.tasks = append(g.tasks, &Execution{Vertex: v, Subtask: s, Attempt: g.attempt, State: TaskCreated, Times: map[TaskState]time.Time{TaskCreated: now}})
		}
	}
	g.divide()
	for _, r := range g.regions {
		r.attempt = g.attempt
	}
}

// placeGroups gives each slot-sharing group the numbers of its slots, as many
// as the highest parallelism in it.
func (g *Graph) placeGroups() {
	sizes := map[string]int{}
	var order []string
	g.offsets, g.need = map[string]int{}, 0
	for _, v := range g.cfg.Vertices {
		if _, known := sizes[v.Group]; !known {
			order = append(order, v.Group)
		}
		sizes[v.Group] = max(sizes[v.Group], v.Parallelism)
	}
	for _, name := range order {
		g.offsets[name] = g.need
		g.need += sizes[name]
	}
}

// renew makes the executions of a region's next attempt.
func (g *Graph) renew(r *region, now time.Time) {
	r.attempt++
	r.started = false
	for _, i := range r.members {
		old := g.tasks[i]
		kept := append(g.previous[old.ID()], old)
		g.previous[old.ID()] = kept[max(0, len(kept)-g.cfg.Attempts):]
		g.tally(r, old.State, -1)
		g.tasks[i] = &Execution{Vertex: old.Vertex, Subtask: old.Subtask, Attempt: r.attempt, State: TaskCreated,
			Times: map[TaskState]time.Time{TaskCreated: now}, region: r}
		g.tally(r, TaskCreated, 1)
	}
}

// State is the job's state.
func (g *Graph) State() JobState { return g.state }

// Times tells when each state was entered last; the map is the graph's own.
func (g *Graph) Times() map[JobState]time.Time { return g.times }

// Attempt counts the failovers of the job; a task's own attempts are those of
// its region.
func (g *Graph) Attempt() int { return g.attempt }

// Restarts is how often the job restarted, or regions of it.
func (g *Graph) Restarts() int { return g.restarts }

// Cause is why the job failed; nil for any other state.
func (g *Graph) Cause() *Failure { return g.cause }

// Tasks are the current executions, by vertex in topological order, then by
// subtask. The slice is the graph's own.
func (g *Graph) Tasks() []*Execution { return g.tasks }

// Task is the current execution of a subtask; nil when there is none.
func (g *Graph) Task(id TaskID) *Execution {
	if i, ok := g.index[id]; ok {
		return g.tasks[i]
	}
	return nil
}

// Regions is how many regions the tasks are divided into.
func (g *Graph) Regions() int { return len(g.regions) }

// RegionTasks are the current executions of a region.
func (g *Graph) RegionTasks(region int) []*Execution {
	list := make([]*Execution, 0, len(g.regions[region].members))
	for _, i := range g.regions[region].members {
		list = append(list, g.tasks[i])
	}
	return list
}

// Waiting tells that tasks are scheduled and wait for their slots.
func (g *Graph) Waiting() bool { return g.count.scheduled > 0 }

// Previous are the earlier executions of a subtask, oldest first.
func (g *Graph) Previous(id TaskID) []*Execution { return g.previous[id] }

// Vertices are the vertices in topological order.
func (g *Graph) Vertices() []Vertex { return g.cfg.Vertices }

// History are the root exceptions, oldest first, and whether older ones were
// dropped.
func (g *Graph) History() (entries []*HistoryEntry, truncated bool) { return g.history, g.truncated }

// Slots is how many slots the job needs: the vertices of a slot-sharing group
// share them, so the highest parallelism of each group.
func (g *Graph) Slots() int { return g.need }

// Deadline is when RestartDue has to be given; the zero time when there is
// nothing to wait for. A failover whose tasks are still ending waits for them.
func (g *Graph) Deadline() time.Time {
	var next time.Time
	if g.state != JobRestarting {
		return next
	}
	for _, f := range g.failovers {
		if f.alive == 0 && (next.IsZero() || f.at.Before(next)) {
			next = f.at
		}
	}
	return next
}
