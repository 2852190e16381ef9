package checkpoint

import (
	"fmt"
	"slices"
	"time"

	"goflink/control"
	"goflink/graph"
)

type stage int

const (
	preparing stage = iota
	snapshotting
	acking
	queued
	writing
	publishing
)

// pending is a checkpoint under way.
type pending struct {
	id      int64
	kind    Kind
	dir     string
	format  string
	drain   bool
	token   string
	last    bool
	full    bool
	base    int64 // whose tables it may refer to
	at      time.Time
	stage   stage
	made    bool // its folder is ours
	waiting map[Task]bool
	acks    map[Task]*control.CheckpointAck
	order   []Task // of acks, for a stable result
	done    []Task // tasks that had finished when it was triggered
	states  map[string][]byte
	size    int64
	meta    *control.CheckpointMetadata
	files   []string
	stats   *Stats
}

// finalising tells that p can no longer be given up: its pointer may become
// durable any moment.
func (p *pending) finalising() bool { return p.stage == writing || p.stage == publishing }

// task is what the coordinator knows of a subtask.
type task struct {
	Task
	vertex   *graph.Vertex
	of       *vertex
	inputs   []*task   // over edges from few subtasks
	all      []*vertex // over edges from every subtask
	drained  bool
	finished bool
}

// vertex counts the subtasks of a vertex that have not finished: so that who
// receives from all of them need not look at each.
type vertex struct{ unfinished int }

// fed tells that a task has inputs that have not finished.
func (t *task) fed() bool {
	return slices.ContainsFunc(t.inputs, func(in *task) bool { return !in.finished }) ||
		slices.ContainsFunc(t.all, func(v *vertex) bool { return v.unfinished > 0 })
}

// Coordinator decides about the checkpoints of one job.
type Coordinator struct {
	cfg       Config
	tasks     []*task
	byID      map[Task]*task
	undrained int // of tasks
	nextID    int64

	running bool
	others  bool       // while not running, tasks go on that have to hear of checkpoints
	pending []*pending // oldest first
	queue   []Request  // that wait for their turn
	// completed are the retained checkpoints, oldest first. The last one is
	// what a restore begins from.
	completed []*Completed

	due       time.Time // of the next periodic one
	lastEnd   time.Time // of the last that completed or failed
	failures  int       // in a row
	failed    bool      // FailJob was given out in this attempt
	ending    Kind      // Stop or Final once the end began
	held      bool      // nothing more begins: the job is cancelled after a savepoint
	committed bool      // FinalCommit was given out, or the last checkpoint completed

	restoring bool            // Restore waits for an answer
	next      *graph.JobGraph // from the answer to Restore on; nil: no other one
	over      bool            // the job ended and retains nothing
	fenced    bool            // another JobManager owns the job
	trash     []*trash
	owned     map[string]bool // files outside cfg.Dir that were claimed

	stats statistics
}

// New makes the coordinator of a job.
func New(cfg Config) *Coordinator {
	cfg.MaxConcurrent = max(1, cfg.MaxConcurrent)
	if cfg.Unaligned {
		cfg.MaxConcurrent = 1
	}
	cfg.Retained = max(1, cfg.Retained)
	if cfg.History == 0 {
		cfg.History = 10
	}
	c := &Coordinator{cfg: cfg, byID: map[Task]*task{}, nextID: max(1, cfg.FirstID), completed: slices.Clone(cfg.Restored)}
	c.stats.limit = cfg.History
	for _, r := range cfg.Restored {
		c.nextID = max(c.nextID, r.ID+1)
		c.takeOver(r)
	}
	c.build()
	return c
}

// build makes the tasks and joins each with those that feed it.
func (c *Coordinator) build() {
	c.tasks, c.byID = nil, map[Task]*task{}
	byVertex := map[string][]*task{}
	for _, v := range c.cfg.Graph.GetVertices() {
		of := &vertex{unfinished: int(v.Parallelism)}
		for s := range int(v.Parallelism) {
			t := &task{Task: Task{v.Id, s}, vertex: v, of: of}
			c.tasks = append(c.tasks, t)
			c.byID[t.Task] = t
			byVertex[v.Id] = append(byVertex[v.Id], t)
		}
	}
	c.undrained = len(c.tasks)
	for _, e := range c.cfg.Graph.GetEdges() {
		from, to := byVertex[e.Source], byVertex[e.Target]
		for i, t := range to {
			if !graph.Pointwise(e.Partitioning) {
				t.all = append(t.all, from[0].of)
				continue
			}
			for _, s := range graph.Sources(e.Partitioning, i, len(from), len(to)) {
				t.inputs = append(t.inputs, from[s])
			}
		}
	}
}

// step collects the actions of one event.
type step struct {
	*Coordinator
	now time.Time
	out []Action
}

func (s *step) do(a Action) { s.out = append(s.out, a) }

// Step takes one event and returns what is to be done.
func (c *Coordinator) Step(now time.Time, ev Event) []Action {
	s := &step{Coordinator: c, now: now}
	s.handle(ev)
	s.expire()
	s.advance()
	s.answerRestore()
	s.sweep()
	return s.out
}

func (s *step) handle(ev Event) {
	switch ev := ev.(type) {
	case Begin:
		s.begin()
	case Suspend:
		s.others = ev.Others
		s.suspend(ev.Reason)
	case TaskFinished:
		s.ended(ev.Task, true)
	case TaskDrained:
		s.ended(ev.Task, false)
	case Prepared:
		s.prepared(ev)
	case CoordinatorSnapshot:
		s.snapshot(ev)
	case Ack:
		s.ack(ev.CheckpointAck)
	case Decline:
		s.decline(ev.CheckpointDecline)
	case Written:
		s.written(ev)
	case Published:
		s.published(ev)
	case Request:
		s.request(ev)
	case Restore:
		s.forget(ev.Tasks)
		s.restoring = true
		if s.next = nil; ev.Graph != s.cfg.Graph {
			s.next = ev.Graph
		}
	case Terminate:
		s.terminate(ev)
	}
}

func (s *step) begin() {
	s.running, s.others, s.failed, s.ending, s.held, s.committed, s.failures = true, false, false, "", false, false, 0
	s.due = s.now.Add(s.cfg.Interval)
}

// forget begins a new attempt of tasks, or with nil of all: none of them has
// ended. It is not done at Begin, because quick tasks end before the slowest one
// runs.
func (s *step) forget(which []Task) {
	again := func(t *task) {
		if t.drained {
			t.drained = false
			s.undrained++
		}
		if t.finished {
			t.finished = false
			t.of.unfinished++
		}
	}
	if which == nil {
		for _, t := range s.tasks {
			again(t)
		}
	}
	for _, id := range which {
		if t := s.byID[id]; t != nil {
			again(t)
		}
	}
}

func (s *step) suspend(reason string) {
	s.running = false
	for _, p := range slices.Clone(s.pending) {
		if !p.finalising() {
			s.abort(p, reason, false)
		}
	}
	for _, r := range s.queue {
		s.do(Reply{Token: r.Token, Err: reason})
	}
	s.queue = nil
}

func (s *step) ended(id Task, finished bool) {
	t := s.byID[id]
	if t == nil {
		return
	}
	if !t.drained {
		t.drained = true
		s.undrained--
	}
	if !finished {
		return
	}
	if !t.finished {
		t.finished = true
		t.of.unfinished--
	}
	for _, p := range slices.Clone(s.pending) {
		if p.waiting[id] && p.stage == acking {
			s.abort(p, fmt.Sprintf("task %s finished before it acknowledged", s.name(id)), false)
		}
	}
}

func (c *Coordinator) name(id Task) string {
	if t := c.byID[id]; t != nil {
		return fmt.Sprintf("%s (%d/%d)", t.vertex.Name, id.Subtask+1, t.vertex.Parallelism)
	}
	return fmt.Sprintf("%s (%d)", id.Vertex, id.Subtask+1)
}

func (c *Coordinator) find(id int64) *pending {
	for _, p := range c.pending {
		if p.id == id {
			return p
		}
	}
	return nil
}

func (c *Coordinator) allDrained() bool { return c.undrained == 0 && len(c.tasks) > 0 }

// Reserved tells that a savepoint is under way or waits, or the end of the job: it
// should not be disturbed.
func (c *Coordinator) Reserved() bool {
	return c.held || c.ending != "" || slices.ContainsFunc(c.queue, func(r Request) bool { return r.Kind.IsSavepoint() }) ||
		slices.ContainsFunc(c.pending, func(p *pending) bool { return p.kind.IsSavepoint() })
}

// listening tells that there are tasks that have to hear of checkpoints.
func (c *Coordinator) listening() bool { return c.running || c.others }

// Latest is the newest completed checkpoint, nil when there is none.
func (c *Coordinator) Latest() *Completed {
	if len(c.completed) == 0 {
		return nil
	}
	return c.completed[len(c.completed)-1]
}

// Retained are the completed checkpoints that are kept, oldest first.
func (c *Coordinator) Retained() []*Completed { return slices.Clone(c.completed) }

// Deadline is when Tick has to be given next; the zero time when nothing is
// awaited.
func (c *Coordinator) Deadline() time.Time {
	var next time.Time
	earlier := func(t time.Time) {
		if next.IsZero() || t.Before(next) {
			next = t
		}
	}
	for _, p := range c.pending {
		if !p.finalising() {
			earlier(p.at.Add(c.cfg.Timeout))
		}
	}
	if c.mayTrigger() {
		earlier(c.periodicAt())
	}
	if c.endDue() && !c.failed {
		earlier(c.endAt())
	}
	return next
}

// Stats are the statistics; what they point to is the coordinator's.
func (c *Coordinator) Stats() Snapshot { return c.stats.snapshot() }
