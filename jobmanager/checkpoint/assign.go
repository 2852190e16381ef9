package checkpoint

import (
	"cmp"
	"slices"

	"google.golang.org/protobuf/proto"

	"goflink/control"
	"goflink/graph"
	"goflink/state"
)

// Assignment is what each subtask of a job gets back.
type Assignment struct {
	// Tasks holds the states of each task's operators.
	Tasks map[Task][]*control.OperatorState
	// Coordinators holds the state of enumerators by operator id.
	Coordinators map[string][]byte
}

// Assign divides the state of a checkpoint among the subtasks of a graph, which
// may have another parallelism. Compatible must have agreed to both. Paths
// become full ones, so that the result is independent of the folder.
func Assign(g *graph.JobGraph, c *Completed) *Assignment {
	a := &Assignment{Tasks: map[Task][]*control.OperatorState{}, Coordinators: map[string][]byte{}}
	byOperator := map[string][]*control.OperatorState{}
	for _, st := range c.Metadata.GetStates() {
		if st.Subtask == noSubtask {
			a.Coordinators[st.OperatorId] = st.Coordinator
			continue
		}
		byOperator[st.OperatorId] = append(byOperator[st.OperatorId], st)
	}
	known := map[string]bool{}
	for _, op := range c.Metadata.GetOperators() {
		known[op.Id] = true
	}
	for _, v := range g.GetVertices() {
		for _, op := range v.Operators {
			if !known[op.Id] {
				continue
			}
			old := byOperator[op.Id]
			slices.SortFunc(old, func(x, y *control.OperatorState) int { return cmp.Compare(x.Subtask, y.Subtask) })
			for s, st := range assignOperator(v, op.Id, old, c.Dir) {
				id := Task{v.Id, s}
				a.Tasks[id] = append(a.Tasks[id], st)
			}
		}
	}
	assignInflight(g, c, a)
	return a
}

// assignOperator divides the states of one operator. A subtask gets an entry
// even when nothing of the state is its own: it knows then that it was
// restored.
func assignOperator(v *graph.Vertex, id string, old []*control.OperatorState, dir string) []*control.OperatorState {
	p := int(v.Parallelism)
	out := make([]*control.OperatorState, p)
	finished := allFinished(old)
	for s := range p {
		out[s] = &control.OperatorState{OperatorId: id, Subtask: int32(s), Parallelism: v.Parallelism, MaxParallelism: v.MaxParallelism, Finished: finished}
	}
	assignKeyed(v, old, out, dir)
	assignLists(old, out)
	return out
}

// allFinished tells whether every subtask that the operator had was done. One
// that was done among others that were not starts again, with its state.
func allFinished(old []*control.OperatorState) bool {
	if len(old) == 0 || len(old) < int(old[0].Parallelism) {
		return false
	}
	return !slices.ContainsFunc(old, func(st *control.OperatorState) bool { return !st.Finished })
}

func assignKeyed(v *graph.Vertex, old, out []*control.OperatorState, dir string) {
	for s := range out {
		mine := state.KeyGroupRange(int(v.MaxParallelism), len(out), s)
		for _, st := range old {
			for _, h := range st.Keyed {
				theirs := state.Range{Start: int(h.KeyGroupStart), End: int(h.KeyGroupEnd) + 1}
				if mine.Intersect(theirs).Empty() {
					continue
				}
				h = proto.CloneOf(h)
				if h.Path != "" {
					h.Path = Resolve(dir, h.Path)
				}
				for _, t := range h.Tables {
					t.Path = Resolve(dir, t.Path)
				}
				out[s].Keyed = append(out[s].Keyed, h)
			}
		}
	}
}

// listKey tells list states apart.
type listKey struct{ name, mode string }

// assignLists divides the list states: split ones evenly and in order (as they
// are when the parallelism is the same), union ones whole to everyone,
// broadcast ones as a copy of one old subtask's.
func assignLists(old, out []*control.OperatorState) {
	for _, key := range listKeys(old) {
		parts := make([]*control.ListState, len(old))
		for i, st := range old {
			for _, l := range st.Lists {
				if l.Name == key.name && l.Mode == key.mode {
					parts[i] = l
				}
			}
		}
		for s, l := range divide(key, parts, old, len(out)) {
			if l != nil {
				out[s].Lists = append(out[s].Lists, l)
			}
		}
	}
}

func listKeys(old []*control.OperatorState) []listKey {
	var keys []listKey
	for _, st := range old {
		for _, l := range st.Lists {
			if k := (listKey{l.Name, l.Mode}); !slices.Contains(keys, k) {
				keys = append(keys, k)
			}
		}
	}
	return keys
}

func divide(key listKey, parts []*control.ListState, old []*control.OperatorState, p int) []*control.ListState {
	out := make([]*control.ListState, p)
	var present []*control.ListState
	var all [][]byte
	for _, l := range parts {
		if l != nil {
			present = append(present, l)
			all = append(all, l.Items...)
		}
	}
	last := present[len(present)-1]
	same := len(old) > 0 && int(old[0].Parallelism) == p
	for s := range p {
		l := &control.ListState{Name: key.name, Mode: key.mode, Schema: last.Schema}
		switch {
		case key.mode == "union":
			l.Items = all
		case key.mode == "broadcast":
			l.Items = present[s%len(present)].Items
		case !same:
			l.Items = all[s*len(all)/p : (s+1)*len(all)/p]
		default:
			l.Items = own(parts, old, s)
		}
		out[s] = l
	}
	return out
}

func own(parts []*control.ListState, old []*control.OperatorState, subtask int) [][]byte {
	for i, st := range old {
		if int(st.Subtask) == subtask && parts[i] != nil {
			return parts[i].Items
		}
	}
	return nil
}
