package checkpoint

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"goflink/control"
	"goflink/graph"
	"goflink/state"
)

// inflightGraph is source:s -> map:m over an edge of a kind.
func inflightGraph(s, m int32, p graph.Partitioning) *graph.JobGraph {
	g := testGraph(s, m)
	g.Edges[0].Partitioning, g.Edges[0].SourceOperator, g.Edges[0].SchemaHash = p, vertexID("source"), 77
	return g
}

// flights is an unaligned checkpoint of g: each channel has something at its
// receiver and at its sender.
func flights(g *graph.JobGraph) *Completed {
	m := &control.CheckpointMetadata{CheckpointId: 1}
	for _, v := range g.Vertices {
		m.Operators = append(m.Operators, &control.OperatorInfo{Id: v.Id, Name: v.Name, Parallelism: v.Parallelism, MaxParallelism: v.MaxParallelism})
	}
	channel := func(from, to int32, output bool) *control.ChannelState {
		return &control.ChannelState{SourceOperator: vertexID("source"), TargetOperator: mapID, Source: from, Target: to, Output: output, SchemaHash: 77,
			Data: &control.StateHandle{Path: fmt.Sprintf("%d-%d-%t", from, to, output)}}
	}
	s, t := g.Vertices[0].Parallelism, g.Vertices[1].Parallelism
	for from := range s {
		st := &control.OperatorState{OperatorId: vertexID("source"), Subtask: from, Parallelism: s, MaxParallelism: 128}
		for to := range t {
			st.Inflight = append(st.Inflight, channel(from, to, true))
		}
		m.States = append(m.States, st)
	}
	for to := range t {
		st := &control.OperatorState{OperatorId: mapID, Subtask: to, Parallelism: t, MaxParallelism: 128}
		for from := range s {
			st.Inflight = append(st.Inflight, channel(from, to, false))
		}
		m.States = append(m.States, st)
	}
	return &Completed{ID: 1, Dir: "/cp/chk-1", Metadata: m}
}

// TestAssignInflight: whatever the parallelism, every channel's records go to
// exactly those who own some of them, the receiver's before the sender's, and
// without keys to one subtask alone.
func TestAssignInflight(t *testing.T) {
	for _, part := range []graph.Partitioning{graph.Partitioning_HASH, graph.Partitioning_REBALANCE, graph.Partitioning_SHUFFLE, graph.Partitioning_GLOBAL} {
		for _, from := range [][2]int32{{2, 2}, {1, 3}, {3, 1}} {
			for _, to := range [][2]int32{{2, 2}, {2, 3}, {4, 1}, {1, 5}, {3, 1}, {1, 3}} {
				c := flights(inflightGraph(from[0], from[1], part))
				g := inflightGraph(to[0], to[1], part)
				if _, err := Compatible(g, c, false); err != nil {
					t.Fatal(err)
				}
				checkFlights(t, Assign(g, c), part, from, to)
			}
		}
	}
}

func checkFlights(t *testing.T, a *Assignment, part graph.Partitioning, from, to [2]int32) {
	t.Helper()
	where := fmt.Sprintf("%v, %v -> %v", part, from, to)
	owners := map[string][]int{}
	for s := range int(to[1]) {
		last := map[string]bool{} // channels whose sender's records came
		for _, st := range a.Tasks[Task{mapID, s}][0].Inflight {
			channel := fmt.Sprintf("%d-%d", st.Source, st.Target)
			if last[channel] {
				t.Fatalf("%s: subtask %d gets %s behind what its sender had", where, s, st.Data.Path)
			}
			last[channel] = st.Output
			owners[st.Data.Path] = append(owners[st.Data.Path], s)
			if !strings.HasPrefix(st.Data.Path, "/cp/chk-1/") {
				t.Fatalf("%s: path %s", where, st.Data.Path)
			}
			if st.Still != (from != to) || st.Sift != (part == graph.Partitioning_HASH && from[1] != to[1]) {
				t.Fatalf("%s: sift %t, still %t", where, st.Sift, st.Still)
			}
		}
	}
	for s := range from[0] {
		for m := range from[1] {
			in, out := owners[fmt.Sprintf("/cp/chk-1/%d-%d-false", s, m)], owners[fmt.Sprintf("/cp/chk-1/%d-%d-true", s, m)]
			if fmt.Sprint(in) != fmt.Sprint(out) {
				t.Fatalf("%s: channel %d-%d is torn apart: %v and %v", where, s, m, in, out)
			}
			var want []int
			theirs := state.KeyGroupRange(128, int(from[1]), int(m))
			for n := range int(to[1]) {
				if from[1] == to[1] && n == int(m) || from[1] != to[1] && !theirs.Intersect(state.KeyGroupRange(128, int(to[1]), n)).Empty() {
					want = append(want, n)
				}
			}
			if part == graph.Partitioning_HASH && fmt.Sprint(in) != fmt.Sprint(want) || len(in) == 0 || part != graph.Partitioning_HASH && len(in) != 1 {
				t.Fatalf("%s: channel %d-%d goes to %v", where, s, m, in)
			}
		}
	}
	for _, st := range a.Tasks[Task{vertexID("source"), 0}] {
		if len(st.Inflight) > 0 {
			t.Fatalf("%s: a source gets records in flight", where)
		}
	}
}

// TestInflightWithoutAPlace: records in flight are never dropped in silence.
func TestInflightWithoutAPlace(t *testing.T) {
	for name, change := range map[string]func(g *graph.JobGraph){
		"the edge is gone": func(g *graph.JobGraph) { g.Edges = nil },
		"other records":    func(g *graph.JobGraph) { g.Edges[0].SchemaHash = 78 },
		"another sender":   func(g *graph.JobGraph) { g.Edges[0].SourceOperator = strings.Repeat("c", 32) },
		"a side output":    func(g *graph.JobGraph) { g.Edges[0].Side = "late" },
		"a custom division": func(g *graph.JobGraph) {
			g.Edges[0].Partitioning, g.Vertices[1].Parallelism = graph.Partitioning_CUSTOM, 3
		},
	} {
		g := inflightGraph(2, 2, graph.Partitioning_HASH)
		c := flights(g)
		change(g)
		var bad *IncompatibleError
		if _, err := Compatible(g, c, true); !errors.As(err, &bad) || !strings.Contains(err.Error(), "in flight") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
