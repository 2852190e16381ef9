package stream_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"goflink/stream"
	"goflink/stream/streamtest"
)

// TestWhole groups and joins bounded data without event time, in both modes: a
// reduction, whole groups in order, an inner and a left join, and all in one.
func TestWhole(t *testing.T) {
	orders := []wordCount{{"ann", 3}, {"bob", 5}, {"ann", 4}, {"cid", 1}}
	cities := []wordCount{{"ann", 100}, {"bob", 200}, {"dan", 300}}
	want := []string{"inner ann 3@100", "inner ann 4@100", "inner bob 5@200", "left ann 2@100", "left bob 1@200", "left cid 1@none",
		"list ann [3 4]", "list bob [5]", "list cid [1]", "sum ann 7", "sum bob 5", "sum cid 1", "total 4"}
	for _, mode := range []string{"BATCH", "STREAMING"} {
		for p := 1; p <= 3; p++ {
			prog := program(t, func(env *stream.Env) {
				env.Configure("execution.runtime-mode", mode)
				env.SetParallelism(p)
				left := stream.KeyBy(stream.FromSlice(env, orders), word)
				both := stream.ConnectKeyed(left, stream.KeyBy(stream.FromSlice(env, cities, stream.Name("cities")), word)).Whole()
				sums := stream.Reduce(left.Whole(), func(a, b wordCount) wordCount { return wordCount{a.Word, a.Count + b.Count} }, stream.UID("sum"))
				stream.Map(sums, func(w wordCount) string { return fmt.Sprintf("sum %s %d", w.Word, w.Count) }).Print()
				stream.Apply(left.Whole(), func(i stream.WindowInfo[string], vs []wordCount, out *stream.Out[string]) error {
					var n []int
					for _, v := range vs {
						n = append(n, v.Count)
					}
					slices.Sort(n)
					out.Emit(fmt.Sprintf("list %s %v", i.Key, n))
					return nil
				}, stream.UID("list")).Print()
				stream.Join(both, func(o, c wordCount) string { return fmt.Sprintf("inner %s %d@%d", o.Word, o.Count, c.Count) }, stream.UID("join")).Print()
				stream.CoGroup(both, func(i stream.WindowInfo[string], os, cs []wordCount, out *stream.Out[string]) error {
					city := "none"
					if len(cs) > 0 {
						city = fmt.Sprint(cs[0].Count)
					}
					if len(os) > 0 {
						out.Emit(fmt.Sprintf("left %s %d@%s", i.Key, len(os), city))
					}
					return nil
				}, stream.UID("left")).Print()
				total := stream.Count(stream.FromSlice(env, orders, stream.Name("all")).WholeAll(), stream.UID("total"))
				stream.Map(total, func(p stream.Pane[stream.NoKey, int64]) string { return fmt.Sprintf("total %d", p.Value) }).Print()
			})
			got := run(t, prog, streamtest.Options{Seed: uint64(p), RemoteShare: 0.5, Dir: t.TempDir()})
			for i, l := range got {
				if _, after, ok := strings.Cut(l, "> "); ok {
					got[i] = after
				}
			}
			slices.Sort(got)
			if !slices.Equal(got, want) {
				t.Errorf("%s, parallelism %d: got %q\nwant %q", mode, p, got, want)
			}
		}
	}
}
