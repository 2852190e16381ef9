package checkpoint

import (
	"cmp"
	"slices"

	"google.golang.org/protobuf/proto"

	"goflink/control"
	"goflink/graph"
	"goflink/state"
)

// flying is what was in flight on one channel, and its place in a graph.
type flying struct {
	*control.ChannelState
	edge   *graph.Edge
	target *graph.Vertex
	// Parallelism of both ends when the checkpoint was taken, and the receiver's
	// largest one.
	sources, targets, most int
}

// edgeFor finds the edge of a graph on which records were in flight: between the
// same operators, for the same records.
func edgeFor(g *graph.JobGraph, vertices map[string]*graph.Vertex, st *control.ChannelState) (*graph.Edge, *graph.Vertex) {
	var found []*graph.Edge
	for _, e := range g.GetEdges() {
		v := vertices[e.Target]
		if v != nil && len(v.Operators) > 0 && v.Operators[0].Id == st.TargetOperator && e.SourceOperator == st.SourceOperator &&
			e.Side == st.Side && e.SchemaHash == st.SchemaHash {
			found = append(found, e)
		}
	}
	if len(found) > 1 { // a stream that is united with itself
		found = slices.DeleteFunc(found, func(e *graph.Edge) bool { return e.InputIndex != st.InputIndex })
	}
	if len(found) != 1 {
		return nil, nil
	}
	return found[0], vertices[found[0].Target]
}

// inFlight lists what a checkpoint holds of records in flight: by channel, what
// its receiver had before what its sender had.
func inFlight(g *graph.JobGraph, m *control.CheckpointMetadata) (placed []flying, lost []*control.ChannelState) {
	vertices := map[string]*graph.Vertex{}
	for _, v := range g.GetVertices() {
		vertices[v.Id] = v
	}
	old := map[string]*control.OperatorInfo{}
	for _, op := range m.GetOperators() {
		old[op.Id] = op
	}
	for _, op := range m.GetStates() {
		for _, st := range op.Inflight {
			e, v := edgeFor(g, vertices, st)
			if e == nil {
				lost = append(lost, st)
				continue
			}
			placed = append(placed, flying{st, e, v, int(old[st.SourceOperator].GetParallelism()),
				int(old[st.TargetOperator].GetParallelism()), int(old[st.TargetOperator].GetMaxParallelism())})
		}
	}
	slices.SortStableFunc(placed, func(a, b flying) int {
		return cmp.Or(cmp.Compare(a.Target, b.Target), cmp.Compare(a.Source, b.Source), compareBool(a.Output, b.Output))
	})
	return placed, lost
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// moves tells whether the receivers are others now.
func (f flying) moves() bool { return f.targets != int(f.target.Parallelism) || f.remapped() }

// remapped tells whether keys belong to other key groups now.
func (f flying) remapped() bool {
	return f.edge.Partitioning == graph.Partitioning_HASH && f.most != int(f.target.MaxParallelism)
}

// receivers are the subtasks that get what was in flight. With the parallelism
// unchanged it is the one that it was sent to. Else records with a key go to all
// that may own some of them, who take their own, and others to any one subtask.
func (f flying) receivers() (subtasks []int, sift bool) {
	n := int(f.target.Parallelism)
	switch {
	case !f.moves():
		return []int{int(f.Target)}, false
	case f.edge.Partitioning != graph.Partitioning_HASH:
		if f.edge.Partitioning == graph.Partitioning_GLOBAL {
			return []int{0}, false
		}
		return []int{(int(f.Target)*f.sources + int(f.Source)) % n}, false
	}
	theirs := state.KeyGroupRange(int(f.target.MaxParallelism), f.targets, int(f.Target))
	for s := range n {
		if f.remapped() || !theirs.Intersect(state.KeyGroupRange(int(f.target.MaxParallelism), n, s)).Empty() {
			subtasks = append(subtasks, s)
		}
	}
	return subtasks, true
}

// assignInflight gives records in flight to those that receive them now. When
// anything of the job has another parallelism, watermarks in flight do not count:
// the subtask that sent them may have had other splits than the one that takes
// its place.
func assignInflight(g *graph.JobGraph, c *Completed, a *Assignment) {
	placed, _ := inFlight(g, c.Metadata)
	still := rescaled(g, c.Metadata)
	for _, f := range placed {
		subtasks, sift := f.receivers()
		for _, s := range subtasks {
			st := proto.CloneOf(f.ChannelState)
			st.InputIndex, st.Sift, st.Still = f.edge.InputIndex, sift, still
			if st.Data.GetPath() != "" {
				st.Data.Path = Resolve(c.Dir, st.Data.Path)
			}
			for _, op := range a.Tasks[Task{f.target.Id, s}] {
				if op.OperatorId == f.TargetOperator {
					op.Inflight = append(op.Inflight, st)
				}
			}
		}
	}
}

func rescaled(g *graph.JobGraph, m *control.CheckpointMetadata) bool {
	now := map[string]int32{}
	for _, v := range g.GetVertices() {
		for _, op := range v.Operators {
			now[op.Id] = v.Parallelism
		}
	}
	return slices.ContainsFunc(m.GetOperators(), func(op *control.OperatorInfo) bool { return now[op.Id] != op.Parallelism })
}

// inflight refuses a program that has no place for records in flight: dropping
// them would lose them, whatever is allowed.
func (d *Diff) inflight(g *graph.JobGraph, m *control.CheckpointMetadata) {
	placed, lost := inFlight(g, m)
	for _, st := range lost {
		d.broken = true
		d.add("~ records in flight from operator %s to %s have no place: the edge is gone or carries other records; begin from a savepoint, or from an aligned checkpoint", st.SourceOperator, st.TargetOperator)
	}
	for _, f := range placed {
		if f.edge.Partitioning == graph.Partitioning_CUSTOM && f.moves() {
			d.broken = true
			d.add("~ records in flight to operator %s were partitioned by the program for %d subtasks, now there are %d: keep the parallelism, or begin from a savepoint", f.TargetOperator, f.targets, f.target.Parallelism)
		}
	}
}
