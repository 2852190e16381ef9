package execution

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"goflink/graph"
)

// TestRandomEvents throws events at the machine in any order, for jobs of one
// and of several regions: it never panics, terminal states are never left, an
// attempt never starts while a task of the one before lives, a failure leaves
// the tasks of other regions alone, and a job whose tasks all end does not hang.
func TestRandomEvents(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	partial := 0
	for range 800 {
		g := New(randomJob(r), zero)
		w := &watch{t: t, g: g, now: zero}
		for range 80 {
			w.now = w.now.Add(time.Duration(r.IntN(700)) * time.Millisecond)
			w.step(randomEvent(r, g))
		}
		partial += w.partial
		finishOff(t, g, w.now)
	}
	if partial < 300 {
		t.Fatalf("only %d restarts were of some regions: the test tests nothing", partial)
	}
}

func randomJob(r *rand.Rand) Config {
	cfg := Config{Vertices: []Vertex{{ID: "a", Parallelism: 2}, {ID: "b", Parallelism: 3}, {ID: "c", Parallelism: 2}, {ID: "d", Parallelism: 2}},
		Restart: &FixedDelay{Attempts: 1 + r.IntN(8), Delay: time.Duration(r.IntN(2)) * time.Second}, Full: r.IntN(5) == 0}
	if r.IntN(2) == 0 {
		cfg.Vertices[3].Group = "own"
	}
	cfg.Vertices[2].Coupled = r.IntN(2) == 0
	kinds := []graph.Partitioning{graph.Partitioning_FORWARD, graph.Partitioning_RESCALE, graph.Partitioning_HASH}
	for _, e := range [][2]string{{"a", "b"}, {"a", "c"}, {"c", "d"}} {
		if r.IntN(2) == 0 {
			cfg.Edges = append(cfg.Edges, Edge{Source: e[0], Target: e[1], Partitioning: kinds[r.IntN(3)]})
		}
	}
	return cfg
}

// watch gives events to a graph and checks what becomes of it.
type watch struct {
	t       *testing.T
	g       *Graph
	now     time.Time
	stopped bool
	partial int // restarts of some regions while tasks of others ran
}

// was is an execution before an event.
type was struct {
	e     *Execution
	state TaskState
	slot  Slot
}

func (w *watch) step(ev Event) {
	before, job, attempt := w.snapshot(), w.g.State(), w.g.Attempt()
	touched := w.touches(ev)
	actions := w.g.Step(w.now, ev)
	if job.Terminal() && w.g.State() != job {
		w.t.Fatalf("left %s for %s", job, w.g.State())
	}
	if _, ok := ev.(Stopping); ok {
		w.stopped = true
	}
	for _, a := range actions {
		if c, ok := a.(CancelTasks); ok && c.Attempt != w.g.RegionTasks(c.Region)[0].Attempt && w.g.Attempt() == attempt {
			w.t.Fatalf("%+v is of another attempt", c)
		}
	}
	alive, replaced := false, false
	for i, e := range w.g.Tasks() {
		w.compare(before[i], e, touched)
		replaced = replaced || e != before[i].e
		alive = alive || e == before[i].e && e.State == TaskRunning
	}
	for r := range w.g.Regions() {
		for _, e := range w.g.RegionTasks(r) {
			if e.Attempt != w.g.RegionTasks(r)[0].Attempt {
				w.t.Fatalf("region %d runs in two attempts:\n%s", r, describe(w.g))
			}
		}
	}
	if replaced && alive {
		w.partial++
	}
}

func (w *watch) snapshot() []was {
	var list []was
	for _, e := range w.g.Tasks() {
		list = append(list, was{e, e.State, e.Slot})
	}
	return list
}

// touches tells which regions an event may end the tasks of; nil: any.
func (w *watch) touches(ev Event) []int {
	switch ev := ev.(type) {
	case TaskReport:
		return []int{w.g.Task(ev.Task).Region()}
	case WorkerLost:
		list := []int{-1}
		for _, e := range w.g.Tasks() {
			if e.Slot.Worker == ev.Worker || ev.Planned && e.State == TaskScheduled {
				list = append(list, e.Region())
			}
		}
		return list
	case SchedulingFailed:
		list := []int{-1}
		for _, e := range w.g.Tasks() {
			if e.State == TaskScheduled {
				list = append(list, e.Region())
			}
		}
		return list
	case SlotsReady, RestartDue, Committing, Stopping:
		return []int{-1}
	}
	return nil
}

func (w *watch) compare(b was, e *Execution, touched []int) {
	if e != b.e { // run again
		if b.e.State.onWorker() {
			w.t.Fatalf("%s started beside its attempt before, which is %s", e.Name(), b.e.State)
		}
		if e.Attempt != b.e.Attempt+1 {
			w.t.Fatalf("%s: attempt %d follows %d", e.Name(), e.Attempt, b.e.Attempt)
		}
		return
	}
	giveUp := w.g.State() == JobFailing || w.g.State() == JobFailed
	foreign := touched != nil && !slices.Contains(touched, e.Region()) && !giveUp && !w.stopped
	if foreign && e.State != b.state && (e.State == TaskCanceling || e.State == TaskCanceled || e.State == TaskFailed) {
		w.t.Fatalf("%s of region %d went from %s to %s; only %v were touched\n%s", e.Name(), e.Region(), b.state, e.State, touched, describe(w.g))
	}
	if e.Slot != b.slot && b.state != TaskScheduled {
		w.t.Fatalf("%s was moved while it was %s", e.Name(), b.state)
	}
}

func randomEvent(r *rand.Rand, g *Graph) Event {
	e := g.Tasks()[r.IntN(len(g.Tasks()))]
	report := func(s TaskState) Event { return TaskReport{Task: e.ID(), Attempt: e.Attempt - r.IntN(8)/7, State: s} }
	slots := SlotsReady{Slots: []Slot{{Worker: "w0"}, {Worker: "w1"}, {Worker: "w0", Index: 1}, {Worker: "w1", Index: 1}, {Worker: "w2"}}}
	switch n := r.IntN(400); {
	case n < 12:
		return report(TaskFailed)
	case n < 24:
		return report(TaskCanceled)
	case n < 30:
		return report(TaskFinished)
	case n < 120:
		return report(TaskInitializing)
	case n < 250:
		return report(TaskRunning)
	case n < 300:
		return RestartDue{}
	case n < 303:
		return GlobalFailure{Failure{Message: "global"}}
	case n < 306:
		return WorkerLost{Worker: "w1", Planned: r.IntN(2) == 0}
	case n < 309:
		return SchedulingFailed{Failure{Message: "no slots"}}
	case n == 310 && r.IntN(2) == 0:
		return Cancel{}
	case n == 311 && r.IntN(2) == 0:
		return Stopping{}
	case n < 360: // the others end as they were told
		for _, e := range g.Tasks() {
			if e.State == TaskCanceling {
				return TaskReport{Task: e.ID(), Attempt: e.Attempt, State: TaskCanceled}
			}
		}
	}
	if g.State() == JobCreated {
		return Start{}
	}
	return slots
}

// finishOff cancels the job, lets every worker answer and expects an end.
func finishOff(t *testing.T, g *Graph, now time.Time) {
	g.Step(now, Cancel{})
	for _, w := range []string{"w0", "w1", "w2"} {
		g.Step(now, WorkerLost{Worker: w})
	}
	if !g.State().Terminal() {
		t.Fatalf("the job hangs:\n%s", describe(g))
	}
}
