package jobmanager

import (
	"maps"
	"slices"

	"goflink/control"
	"goflink/graph"
	"goflink/jobmanager/execution"
)

// Blocking edges: the workers that hold what a region reads take part in its
// attempt, though they may run none of its tasks. They hear what the region's own
// workers hear.

// servers are the workers that serve partitions to an attempt of a region.
type servers struct {
	attempt int
	workers map[string]bool
}

// readKey names a partition that a deployment reads.
type readKey struct {
	edge, subtask int
}

// addReads tells the workers that hold partitions who is going to read them. of
// finds or makes the deployment of a worker for a region's attempt.
func (m *master) addReads(list []*execution.Execution, of func(worker string, e *execution.Execution) *deployment) {
	sizes, edges := map[string]int{}, map[string][]int{}
	for _, v := range m.graph.Vertices {
		sizes[v.Id] = int(v.Parallelism)
	}
	for i, x := range m.graph.Edges {
		if x.Blocking {
			edges[x.Target] = append(edges[x.Target], i)
		}
	}
	for _, e := range list {
		for _, i := range edges[e.Vertex.ID] {
			x := m.graph.Edges[i]
			for _, s := range graph.Sources(x.Partitioning, e.Subtask, sizes[x.Source], sizes[x.Target]) {
				p := m.exec.Task(execution.TaskID{Vertex: x.Source, Subtask: s})
				of(p.Slot.Worker, e).read(i, p, e)
				m.serves(p.Slot.Worker, e)
			}
		}
	}
}

// read adds that a task reads the partition of another one.
func (d *deployment) read(edge int, producer, reader *execution.Execution) {
	key := readKey{edge, producer.Subtask}
	r := d.reads[key]
	if r == nil {
		r = &control.PartitionRead{Edge: int32(edge), Producer: taskOf(producer), Region: int32(producer.Region())}
		if d.reads == nil {
			d.reads = map[readKey]*control.PartitionRead{}
		}
		d.reads[key] = r
		d.Reads = append(d.Reads, r)
	}
	r.Targets = append(r.Targets, int32(reader.Subtask))
	d.peer(reader.ID())
}

// serves notes that a worker serves a task's region.
func (m *master) serves(worker string, e *execution.Execution) {
	s := m.serving[e.Region()]
	if s == nil {
		s = &servers{attempt: e.Attempt, workers: map[string]bool{}}
		m.serving[e.Region()] = s
	}
	s.workers[worker] = true
}

// stopServing ends what served the attempts of tasks that are scheduled again.
func (m *master) stopServing(tasks []*execution.Execution) {
	for _, e := range tasks {
		s := m.serving[e.Region()]
		if s == nil {
			continue
		}
		delete(m.serving, e.Region())
		for _, w := range slices.Sorted(maps.Keys(s.workers)) {
			m.tell(w, cancelRegion(e.Region(), s.attempt, "the region is run again"))
		}
	}
}

// regionFinished ends the channels of a region on all of its workers.
func (m *master) regionFinished(a execution.RegionFinished) {
	m.tellRegion(a.Region, cancelRegion(a.Region, a.Attempt, "the region has finished"))
	delete(m.serving, a.Region)
}

func cancelRegion(region, attempt int, reason string) *control.WorkerCommand {
	return &control.WorkerCommand{Command: &control.WorkerCommand_Cancel{Cancel: &control.CancelTasks{
		Region: int32(region), Attempt: int32(attempt), Reason: reason}}}
}

func (m *master) releasePartitions(a execution.ReleasePartitions) {
	for _, w := range a.Workers {
		m.tell(w, &control.WorkerCommand{Command: &control.WorkerCommand_Release{Release: &control.ReleasePartitions{
			Region: int32(a.Region), Attempt: int32(a.Attempt)}}})
	}
}

// partitionLost handles that a partition cannot be read any more.
func (m *master) partitionLost(p *control.PartitionLost) {
	t := p.GetProducer()
	m.step(execution.PartitionLost{Task: execution.TaskID{Vertex: t.GetVertexId(), Subtask: int(t.GetSubtask())}, Attempt: int(t.GetAttempt()),
		Cause: execution.Failure{Message: "what the task wrote for the next stage is lost: " + p.GetReason(), Domain: "external", Retry: "restart"}})
}
