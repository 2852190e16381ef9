package jobmanager

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"goflink/control"
	"goflink/graph"
	"goflink/jobmanager/checkpoint"
	"goflink/jobmanager/execution"
	"goflink/jobmanager/slots"
)

// The bounds that the simulation must keep: 100,000 tasks on 10,000
// TaskManagers are scheduled, and a checkpoint of them costs the coordinator at
// most that much.
const (
	scheduleBound   = 5 * time.Second
	checkpointBound = time.Second
)

// shape is a job of the simulation and the cluster that it runs on.
type shape struct {
	name                     string
	vertices, parallelism    int
	partitioning             graph.Partitioning // of every second edge; the others are forward
	taskManagers, slotsOfOne int
	spread                   bool
}

var shapes = []shape{
	{"ten forward vertices", 10, 10_000, graph.Partitioning_FORWARD, 10_000, 1, false},
	{"ten vertices with a shuffle", 10, 10_000, graph.Partitioning_HASH, 10_000, 1, false},
	{"few vertices spread", 4, 25_000, graph.Partitioning_RESCALE, 10_000, 4, true},
	{"few vertices packed", 4, 25_000, graph.Partitioning_HASH, 10_000, 4, false},
}

// TestScale drives the pure cores as the shell does, without processes: submit,
// slots, deployment, all running, then one checkpoint.
func TestScale(t *testing.T) {
	for _, s := range shapes {
		t.Run(s.name, func(t *testing.T) {
			if raceEnabled { // a tenth, since the detector slows everything down by as much
				s.parallelism, s.taskManagers = s.parallelism/10, s.taskManagers/10
			}
			began := worked(t)
			sim := newSimulation(t, s)
			sim.schedule()
			scheduled := worked(t) - began
			acks := sim.acks()
			began = worked(t)
			sim.checkpoint(acks)
			checkpointed := worked(t) - began
			t.Logf("%d tasks on %d TaskManagers: scheduled in %s, a checkpoint in %s", s.vertices*s.parallelism, s.taskManagers,
				scheduled.Round(time.Millisecond), checkpointed.Round(time.Millisecond))
			if scheduled > scheduleBound || checkpointed > checkpointBound {
				t.Errorf("scheduling took %s (bound %s), the checkpoint %s (bound %s)", scheduled, scheduleBound, checkpointed, checkpointBound)
			}
		})
	}
}

// worked is the processor time that the process has used: the bounds are of work,
// and the machine may have other work, too.
func worked(t *testing.T) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// simulation is a job in a cluster in which everything goes well at once.
type simulation struct {
	t     *testing.T
	shape shape
	now   time.Time
	graph *graph.JobGraph
	pool  *slots.Pool
	exec  *execution.Graph
	cp    *checkpoint.Coordinator
}

func newSimulation(t *testing.T, s shape) *simulation {
	sim := &simulation{t: t, shape: s, now: time.Unix(1_700_000_000, 0), graph: s.graph()}
	sim.pool = slots.New(slots.Config{Spread: s.spread, Elastic: true, SlotsPerTaskManager: s.slotsOfOne, RequestTimeout: time.Hour, IdleTimeout: time.Hour})
	spec := execution.Config{JobID: "job", Name: sim.graph.Name}
	describeGraph(&spec, sim.graph)
	sim.exec = execution.New(spec, sim.now)
	sim.cp = checkpoint.New(checkpoint.Config{JobID: "job", Graph: sim.graph, Interval: time.Second, Timeout: time.Hour, Dir: "/cp"})
	return sim
}

func (s shape) graph() *graph.JobGraph {
	g := &graph.JobGraph{Name: "scale"}
	for i := range s.vertices {
		id := fmt.Sprintf("%032x", i+1)
		g.Vertices = append(g.Vertices, &graph.Vertex{Id: id, Name: fmt.Sprintf("Vertex %d", i), Parallelism: int32(s.parallelism), MaxParallelism: 1 << 15,
			Operators: []*graph.Operator{{Id: id, Name: "op"}}})
		if i > 0 {
			p := graph.Partitioning_FORWARD
			if i%2 == 1 {
				p = s.partitioning
			}
			g.Edges = append(g.Edges, &graph.Edge{Source: g.Vertices[i-1].Id, Target: id, Partitioning: p})
		}
	}
	return g
}

// schedule runs the job from its submission until all of its tasks run.
func (s *simulation) schedule() {
	var got []slots.Slot
	step := func(ev slots.Event) {
		for _, a := range s.pool.Step(s.now, ev) {
			if a, ok := a.(slots.Allocated); ok {
				got = a.Slots
			}
		}
		s.pool.Deadline()
	}
	for _, a := range s.exec.Step(s.now, execution.Start{}) {
		if a, ok := a.(execution.Schedule); ok {
			step(slots.Request{Job: "job", Name: "scale", Slots: a.Slots})
		}
	}
	for i := range s.shape.taskManagers { // they come one after another, as containers do
		step(slots.Joined{ID: fmt.Sprintf("tm-%05d", i), Host: "host", Slots: s.shape.slotsOfOne})
	}
	if len(got) < s.shape.parallelism {
		s.t.Fatalf("%d slots were allocated", len(got))
	}
	var places []execution.Slot
	for _, p := range got {
		places = append(places, execution.Slot{TaskManager: p.TaskManager, Worker: p.Worker, Host: p.Host, Index: p.Index})
	}
	s.exec.Step(s.now, execution.SlotsReady{Slots: places})
	s.report(execution.TaskInitializing)
	if !s.report(execution.TaskRunning) {
		s.t.Fatal("the tasks do not all run")
	}
}

// report lets every task tell a state, and whether they all run then.
func (s *simulation) report(state execution.TaskState) (running bool) {
	for _, e := range s.exec.Tasks() {
		for _, a := range s.exec.Step(s.now, execution.TaskReport{Task: e.ID(), Attempt: e.Attempt, State: state}) {
			if _, ok := a.(execution.AllRunning); ok {
				running = true
			}
		}
		s.exec.Deadline()
	}
	return running
}

// acks are the acknowledgements of the first checkpoint, made by the tasks.
func (s *simulation) acks() []checkpoint.Event {
	var list []checkpoint.Event
	for _, e := range s.exec.Tasks() {
		list = append(list, checkpoint.Ack{CheckpointAck: simulatedAck(1, e)})
	}
	return list
}

// checkpoint takes one, with all the work that the coordinator has with it.
func (s *simulation) checkpoint(acks []checkpoint.Event) {
	s.cp.Step(s.now, checkpoint.Begin{})
	s.now = s.now.Add(2 * time.Second)
	events := []checkpoint.Event{checkpoint.Tick{}}
	done := false
	for len(events) > 0 {
		ev := events[0]
		events = events[1:]
		for _, a := range s.cp.Step(s.now, ev) {
			switch a := a.(type) {
			case checkpoint.Prepare:
				events = append(events, checkpoint.Prepared{ID: a.ID, Dir: a.Dir})
			case checkpoint.Trigger:
				events = append(events, acks...)
			case checkpoint.Write:
				b, err := checkpoint.EncodeMetadata(a.Metadata)
				events = append(events, checkpoint.Written{ID: a.ID, Size: int64(len(b)), Err: err})
			case checkpoint.Publish:
				events = append(events, checkpoint.Published{ID: a.ID})
			case checkpoint.Complete:
				done = true
			}
		}
		s.cp.Deadline()
	}
	if !done {
		s.t.Fatal("the checkpoint did not complete")
	}
}

func simulatedAck(id int64, e *execution.Execution) *control.CheckpointAck {
	return &control.CheckpointAck{CheckpointId: id, Task: taskOf(e), StateBytes: 1000,
		States: []*control.OperatorState{{OperatorId: e.Vertex.ID, Subtask: int32(e.Subtask), Parallelism: int32(e.Vertex.Parallelism), MaxParallelism: 1 << 15,
			Keyed: []*control.StateHandle{{Path: "state-" + e.Slot.Worker, Offset: 1000, Length: 1000}}}}}
}
