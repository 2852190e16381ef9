package law

import (
	"fmt"

	"goflink/stream"
)

// countKinds are windows without an end, which fire by their records.
func countKinds() []*kind {
	global := func(*Node) stream.Assigner { return stream.Global() }
	draw := func(g *gen, n *Node) { n.C, n.B = 1+g.n(7), 1+g.n(5) }
	list := []*kind{
		shape{fns: countFns, noLateness: true, assigner: global, draw: draw, panes: chunks,
			trigger: func(n *Node) stream.Trigger[Event] { return stream.Purging(stream.CountTrigger[Event](n.C)) }}.kind("count-window"),
		shape{fns: countFns, noLateness: true, assigner: global, draw: draw, panes: lastChunks,
			trigger: func(n *Node) stream.Trigger[Event] { return stream.CountTrigger[Event](n.B) },
			evictor: func(n *Node) stream.Evictor[Event] { return stream.CountEvictor[Event](n.C) }}.kind("sliding-count"),
		shape{fns: countFns, noLateness: true, assigner: global, draw: func(g *gen, n *Node) { n.C = g.n(60) }, panes: deltas,
			trigger: func(n *Node) stream.Trigger[Event] {
				return stream.Purging(stream.DeltaTrigger(float64(n.C), func(old, next Event) float64 {
					return float64(max(old.N-next.N, next.N-old.N))
				}))
			}}.kind("delta"),
	}
	list[0].build, list[1].build = countWindows, countWindows
	list[2].classes = []Class{Ordered}
	for _, k := range list {
		k.timeless, k.timed = true, false
		k.text = func(n *Node) string { return fmt.Sprintf("%d/%d", n.C, n.B) }
	}
	return list
}

// countWindows uses the short forms that users do.
func countWindows(b *builder, n *Node, in stream.Stream[Event]) stream.Stream[Event] {
	if n.Text {
		return countWindow(b, n, stream.KeyBy(in, textKey))
	}
	return countWindow(b, n, stream.KeyBy(in, numberKey))
}

func countWindow[K comparable](b *builder, n *Node, k stream.Keyed[K, Event]) stream.Stream[Event] {
	w := k.CountWindow(n.C)
	if n.Kind == "sliding-count" {
		w = k.SlidingCountWindow(n.C, n.B)
	}
	if n.Fn == "apply" {
		return apply(b, n, w)
	}
	return fold(b, n, w)
}

func chunks(n *Node, list []Timed) (out []pane) {
	for i := n.C; i <= int64(len(list)); i += n.C {
		out = append(out, pane{0, list[i-1].TS, list[i-n.C : i]})
	}
	return out
}

func lastChunks(n *Node, list []Timed) (out []pane) {
	for i := n.B; i <= int64(len(list)); i += n.B {
		out = append(out, pane{0, list[i-1].TS, list[max(0, i-n.C):i]})
	}
	return out
}

func deltas(n *Node, list []Timed) (out []pane) {
	if len(list) == 0 {
		return nil
	}
	last, from := list[0].N, 0
	for i, e := range list {
		if max(last-e.N, e.N-last) > n.C {
			out = append(out, pane{0, e.TS, list[from : i+1]})
			last, from = e.N, i+1
		}
	}
	return out
}
