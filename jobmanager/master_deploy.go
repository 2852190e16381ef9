package jobmanager

import (
	"fmt"

	"goflink/control"
	"goflink/graph"
	"goflink/jobmanager/checkpoint"
	"goflink/jobmanager/execution"
)

// deployment is what one worker gets of one region.
type deployment struct {
	*control.DeployTasks
	worker string
	// peers are the tasks that these exchange data with, in order.
	peers []execution.TaskID
	known map[execution.TaskID]bool
	whole map[string]bool // vertices all of whose subtasks are in peers
	reads map[readKey]*control.PartitionRead
}

// deploymentKey tells deployments apart.
type deploymentKey struct {
	worker string
	region int
}

// deploy sends each worker its tasks, and where the tasks are that they exchange
// data with: those of the same region are being deployed, too, and those behind
// blocking edges have finished.
func (m *master) deploy(list []*execution.Execution) {
	var order []*deployment
	byKey := map[deploymentKey]*deployment{}
	places := make(map[execution.TaskID]*control.TaskLocation, len(list))
	parallelism := m.changedParallelism()
	edges, operators := edgesOf(m.scaled), map[string]int{}
	for _, v := range m.graph.Vertices {
		operators[v.Id] = len(v.Operators)
	}
	of := func(worker string, e *execution.Execution) *deployment {
		key := deploymentKey{worker, e.Region()}
		d := byKey[key]
		if d == nil {
			d = &deployment{worker: worker, known: map[execution.TaskID]bool{}, whole: map[string]bool{}, DeployTasks: &control.DeployTasks{
				Region: int32(e.Region()), Attempt: int32(e.Attempt), CheckpointDir: m.dir, RestoredCheckpoint: m.from,
				Parallelism: parallelism}}
			byKey[key] = d
			order = append(order, d)
		}
		return d
	}
	for _, e := range list {
		d := of(e.Slot.Worker, e)
		states := m.statesOf(e.ID())
		d.Tasks = append(d.Tasks, &control.TaskDeployment{Task: taskOf(e), Restore: states, Slot: int32(e.Slot.Index), AllocationId: e.Slot.Allocation})
		for _, x := range edges[e.Vertex.ID] {
			d.connect(x, e.Subtask)
		}
		places[e.ID()] = locationOf(e)
		places[e.ID()].Finished = control.FinishedBefore(states, operators[e.Vertex.ID])
		m.log.Info("Deploying "+e.Name()+" (attempt #"+fmt.Sprint(e.Attempt)+") to "+e.Slot.TaskManager+" @ "+e.Slot.Host, "task", e.Name(), "worker", e.Slot.Worker)
	}
	m.assigned = nil // it may be large
	m.addReads(list, of)
	for _, d := range order {
		for _, id := range d.peers {
			if places[id] == nil {
				places[id] = locationOf(m.exec.Task(id))
			}
			d.Locations = append(d.Locations, places[id])
		}
		m.tell(d.worker, &control.WorkerCommand{Command: &control.WorkerCommand_Deploy{Deploy: d.DeployTasks}})
	}
}

func locationOf(e *execution.Execution) *control.TaskLocation {
	return &control.TaskLocation{VertexId: e.Vertex.ID, Subtask: int32(e.Subtask), WorkerId: e.Slot.Worker, Host: e.Slot.Host, DataPort: int32(e.Slot.DataPort)}
}

// edgeEnd is an edge as a vertex at one end sees it.
type edgeEnd struct {
	to        string // the vertex at the other end
	pointwise bool
	peers     func(subtask int) []int // of the other end
	parallel  int                     // subtasks at the other end
}

// edgesOf lists for each vertex the ends of its edges. Who writes to a blocking one
// need not know who reads it.
func edgesOf(g *graph.JobGraph) map[string][]edgeEnd {
	sizes := map[string]int{}
	for _, v := range g.GetVertices() {
		sizes[v.Id] = int(v.Parallelism)
	}
	out := map[string][]edgeEnd{}
	for _, e := range g.GetEdges() {
		p, from, to := e.Partitioning, sizes[e.Source], sizes[e.Target]
		if !e.Blocking {
			out[e.Source] = append(out[e.Source], edgeEnd{e.Target, graph.Pointwise(p), func(s int) []int { return graph.Targets(p, s, from, to) }, to})
		}
		out[e.Target] = append(out[e.Target], edgeEnd{e.Source, graph.Pointwise(p), func(s int) []int { return graph.Sources(p, s, from, to) }, from})
	}
	return out
}

// connect adds the peers of a subtask over an edge.
func (d *deployment) connect(x edgeEnd, subtask int) {
	if d.whole[x.to] {
		return
	}
	add := func(s int) { d.peer(execution.TaskID{Vertex: x.to, Subtask: s}) }
	if x.pointwise {
		for _, s := range x.peers(subtask) {
			add(s)
		}
		return
	}
	d.whole[x.to] = true
	for s := range x.parallel {
		add(s)
	}
}

// peer adds a task, once.
func (d *deployment) peer(id execution.TaskID) {
	if !d.known[id] {
		d.known[id] = true
		d.peers = append(d.peers, id)
	}
}

func (m *master) statesOf(id execution.TaskID) []*control.OperatorState {
	if m.assigned == nil {
		return nil
	}
	return m.assigned.Tasks[checkpoint.Task(id)]
}
