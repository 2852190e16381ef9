package stream

import (
	"slices"
	"testing"

	"goflink/dataflow"
	"goflink/graph"
)

// TestRescaleAboveTheGraph: a sender that has two channels of four receivers uses
// both, though the program was built for two receivers in all.
func TestRescaleAboveTheGraph(t *testing.T) {
	for subtask := range 2 {
		env := &dataflow.Env{Subtask: subtask, Parallelism: 2, ParallelismOf: func(string) int { return 4 }}
		e := &graph.Edge{Target: "b", Partitioning: graph.Partitioning_RESCALE}
		s := selectorOf[int](&task{env: env}, e, len(graph.Targets(e.Partitioning, subtask, 2, 4)), nil)
		var rec int
		var got []int
		for range 4 {
			got = append(got, s.pick(&rec))
		}
		if !slices.Equal(got, []int{0, 1, 0, 1}) {
			t.Errorf("subtask %d takes %v", subtask, got)
		}
	}
}
