package law

import (
	"cmp"
	"slices"

	"goflink/stream"
)

// ownWindowKinds are windows that the program cuts: some that do not merge, some
// that merge when they touch, and some that merge as the program says.
func ownWindowKinds() []*kind {
	draw := func(g *gen, n *Node) { n.A = 10 + g.n(80); n.B = n.A + 1 + g.n(60) }
	own := shape{fns: freeFns, assigner: ownAssigner, draw: draw, panes: ownPanes}.kind("own-windows")
	own.classes = []Class{Free} // two windows of a key may end together
	own.grows = func(_ *Node, count int) int { return count/2 + 1 }
	return []*kind{
		own,
		shape{fns: freeFns, merges: true, assigner: mergingAssigner, draw: draw, panes: func(n *Node, list []Timed) []pane {
			return spans(list, func(e Timed) int64 { return e.TS + n.gapOf(e.Event) })
		}}.kind("own-merging"),
		shape{fns: freeFns, merges: true, assigner: blockAssigner, draw: draw, panes: func(n *Node, list []Timed) []pane {
			return aligned(list, n.A, n.A, 0)
		}}.kind("own-merge"),
	}
}

// ownAssigner puts a record into one window, two, or none.
func ownAssigner(n *Node) stream.Assigner {
	return stream.NewAssigner(stream.AssignerSpec[Event]{Name: "OwnWindows", Assign: func(e Event, ts int64) []stream.Span {
		a, b := floor(ts, 0, n.A), floor(ts, 7, n.B)
		switch {
		case e.N%5 == 0:
			return nil
		case e.N%2 == 0:
			return []stream.Span{{Start: a, End: a + n.A}, {Start: b, End: b + n.B}}
		}
		return []stream.Span{{Start: a, End: a + n.A}}
	}})
}

func ownPanes(n *Node, list []Timed) []pane {
	var small, large []Timed
	for _, e := range list {
		if e.N%5 == 0 {
			continue
		}
		if small = append(small, e); e.N%2 == 0 {
			large = append(large, e)
		}
	}
	out := append(aligned(small, n.A, n.A, 0), aligned(large, n.B, n.B, 7)...)
	slices.SortFunc(out, func(a, b pane) int { return cmp.Compare(a.ts, b.ts) })
	return out
}

func mergingAssigner(n *Node) stream.Assigner {
	return stream.NewAssigner(stream.AssignerSpec[Event]{Merging: true, Assign: func(e Event, ts int64) []stream.Span {
		return []stream.Span{{Start: ts, End: ts + n.gapOf(e)}}
	}})
}

// blockAssigner puts each record into a window of its own; all that begin in one
// interval of A milliseconds become that interval.
func blockAssigner(n *Node) stream.Assigner {
	return stream.NewAssigner(stream.AssignerSpec[Event]{Name: "Blocks",
		Assign: func(_ Event, ts int64) []stream.Span { return []stream.Span{{Start: ts, End: ts + 1}} },
		Merge: func(windows []stream.Span, merge func(result stream.Span, of []stream.Span)) {
			for i := 0; i < len(windows); {
				block := floor(windows[i].Start, 0, n.A)
				j := i
				for j < len(windows) && windows[j].Start < block+n.A {
					j++
				}
				merge(stream.Span{Start: block, End: block + n.A}, windows[i:j])
				i = j
			}
		}})
}
