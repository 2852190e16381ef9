package execution

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"goflink/graph"
)

// disks is where the partitions of finished tasks lie.
type disks struct {
	t       *testing.T
	g       *Graph
	now     time.Time
	held    map[string]string // worker, by task and attempt
	workers int
	reruns  int // of tasks that had finished
}

func partition(e *Execution) string { return fmt.Sprint(e.ID(), e.Attempt) }

// step gives an event to the graph and does what it says.
func (d *disks) step(ev Event) {
	if lost, ok := ev.(WorkerLost); ok {
		for k, w := range d.held {
			if w == lost.Worker {
				delete(d.held, k)
			}
		}
	}
	before := d.g.Tasks()
	finished := map[TaskID]bool{}
	for _, e := range before {
		finished[e.ID()] = e.State == TaskFinished
	}
	for _, a := range d.g.Step(d.now, ev) {
		switch a := a.(type) {
		case TaskSwitched:
			if a.To == TaskFinished {
				d.held[partition(a.Task)] = a.Task.Slot.Worker
			}
			if a.To == TaskScheduled && finished[a.Task.ID()] {
				d.reruns++
			}
		case ReleasePartitions:
			for _, e := range d.g.RegionTasks(a.Region) {
				delete(d.held, fmt.Sprint(e.ID(), a.Attempt))
			}
		case Deploy:
			for _, e := range a.Tasks {
				d.readable(e)
			}
		}
	}
}

// readable checks that all that a task reads is there.
func (d *disks) readable(e *Execution) {
	for _, x := range d.g.cfg.Edges {
		if x.Target != e.Vertex.ID || !x.Blocking {
			continue
		}
		for _, from := range d.g.Tasks() {
			if from.Vertex.ID != x.Source || !feeds(d.g, x, from, e) {
				continue
			}
			if d.held[partition(from)] == "" || d.held[partition(from)] != from.Slot.Worker {
				d.t.Fatalf("%s is deployed, and what %s wrote is not there:\n%s", e.Name(), from.Name(), describe(d.g))
			}
		}
	}
}

func feeds(g *Graph, x Edge, from, to *Execution) bool {
	if !graph.Pointwise(x.Partitioning) {
		return true
	}
	for _, s := range graph.Sources(x.Partitioning, to.Subtask, from.Vertex.Parallelism, to.Vertex.Parallelism) {
		if s == from.Subtask {
			return true
		}
	}
	return false
}

// slots offers those of the workers that live.
func (d *disks) slots() SlotsReady {
	var list []Slot
	for i := range d.g.Slots() {
		list = append(list, Slot{Worker: fmt.Sprintf("w%d", d.workers+i)})
	}
	return SlotsReady{list}
}

// advance lets one task go on; false when there is none that can.
func (d *disks) advance(r *rand.Rand) bool {
	tasks := d.g.Tasks()
	for _, i := range r.Perm(len(tasks)) {
		e := tasks[i]
		next := map[TaskState]TaskState{TaskDeploying: TaskInitializing, TaskInitializing: TaskRunning, TaskRunning: TaskFinished, TaskCanceling: TaskCanceled}[e.State]
		if e.State == TaskCanceling && r.IntN(3) == 0 {
			next = TaskFinished // it was told too late
		}
		if next != "" {
			d.step(TaskReport{Task: e.ID(), Attempt: e.Attempt, State: next})
			return true
		}
	}
	return false
}

func stagedJob(r *rand.Rand) Config {
	kinds := []graph.Partitioning{graph.Partitioning_FORWARD, graph.Partitioning_RESCALE, graph.Partitioning_HASH}
	cfg := Config{Restart: &FixedDelay{Attempts: 1000}, Full: r.IntN(8) == 0}
	names := []string{"a", "b", "c", "d", "e"}
	for _, n := range names {
		cfg.Vertices = append(cfg.Vertices, Vertex{ID: n, Name: n, Parallelism: 1 + r.IntN(3), Coupled: n == "a" && r.IntN(2) == 0})
	}
	for i, to := range names[1:] {
		inputs := 1 + r.IntN(2)
		for range inputs {
			from := r.IntN(i + 1)
			e := Edge{Source: names[from], Target: to, Partitioning: kinds[r.IntN(3)], Blocking: true}
			if e.Partitioning == graph.Partitioning_FORWARD {
				cfg.Vertices[i+1].Parallelism = cfg.Vertices[from].Parallelism
				e.Blocking = inputs > 1 // as graph.Build decides
			}
			cfg.Edges = append(cfg.Edges, e)
		}
	}
	for _, e := range cfg.Edges { // a second forward edge may have changed it
		var p, q int
		for _, v := range cfg.Vertices {
			if v.ID == e.Source {
				p = v.Parallelism
			}
			if v.ID == e.Target {
				q = v.Parallelism
			}
		}
		if e.Partitioning == graph.Partitioning_FORWARD && p != q {
			return stagedJob(r)
		}
	}
	return cfg
}

// TestStagesUnderFailures runs random graphs of stages while tasks fail, workers
// die and partitions are damaged: a task is never deployed before all that it
// reads is there, and once nothing fails any more every job finishes and leaves
// no partition behind.
func TestStagesUnderFailures(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	reruns := 0
	for range 500 {
		d := &disks{t: t, g: New(stagedJob(r), zero), now: zero, held: map[string]string{}}
		d.step(Start{})
		for range 150 {
			d.now = d.now.Add(time.Millisecond)
			e := d.g.Tasks()[r.IntN(len(d.g.Tasks()))]
			switch n := r.IntN(100); {
			case n < 3:
				d.step(TaskReport{Task: e.ID(), Attempt: e.Attempt, State: TaskFailed})
			case n < 5:
				d.step(WorkerLost{Worker: e.Slot.Worker})
				d.workers += 10 // others take its place
			case n < 6 && e.State == TaskFinished:
				delete(d.held, partition(e))
				d.step(PartitionLost{Task: e.ID(), Attempt: e.Attempt})
			case n < 30:
				d.step(d.slots())
			default:
				d.advance(r)
			}
		}
		for i := 0; !d.g.State().Terminal(); i++ {
			d.step(RestartDue{})
			d.step(d.slots())
			if !d.advance(r) && i > 1000 {
				t.Fatalf("the job hangs:\n%s", describe(d.g))
			}
		}
		if d.g.State() != JobFinished {
			t.Fatalf("%s:\n%s", d.g.State(), describe(d.g))
		}
		for _, x := range d.g.cfg.Edges {
			for k := range d.held {
				if x.Blocking && k[:2] == "{"+x.Source {
					t.Fatalf("the partition of %s is left behind:\n%s", k, describe(d.g))
				}
			}
		}
		reruns += d.reruns
	}
	if reruns < 100 {
		t.Fatalf("only %d finished tasks were run again: the test tests nothing", reruns)
	}
}
