package law

import (
	"fmt"
	"slices"
	"time"

	"goflink/stream"
)

// pane is what one firing of a window holds, and the event time of its result.
type pane struct {
	start   int64
	ts      int64
	content []Timed
}

// shape is how a kind cuts a stream into windows, and what comes of it.
type shape struct {
	assigner func(n *Node) stream.Assigner
	trigger  func(n *Node) stream.Trigger[Event]
	evictor  func(n *Node) stream.Evictor[Event]
	// panes are the firings over the records of one key, in the order in which
	// they fire.
	panes func(n *Node, list []Timed) []pane
	draw  func(g *gen, n *Node)
	// fns of graphs that are not ordered; those may use all.
	fns []string
	// noLateness: the window has no end of event time.
	noLateness bool
	// merges: windows become one with others that they touch.
	merges bool
}

func ms(n int64) time.Duration { return time.Duration(n) * time.Millisecond }

// kind makes a kind of a shape. A and B are its sizes, C a count; D is the allowed
// lateness.
func (s shape) kind(name string) *kind {
	return &kind{name: name, state: "window", keyed: true, timed: true,
		side:  func(n *Node) bool { return n.Late },
		meets: func(*Node) bool { return s.merges },
		draw: func(g *gen, n *Node) {
			s.draw(g, n)
			n.Fn = pick(g, s.fns)
			if g.spec.Class == Ordered {
				n.Fn = pick(g, freeFns)
			}
			if !s.noLateness {
				n.D, n.Late = []int64{0, 0, 30, 500}[g.n(4)], g.n(3) == 0
			}
		},
		text: func(n *Node) string { return fmt.Sprintf("%d/%d/%d lateness=%d", n.A, n.B, n.C, n.D) },
		grows: func(n *Node, count int) int {
			if !s.merges && s.assigner(n) != stream.Tumbling(ms(n.A)) && n.B > 0 && n.A > n.B {
				return count/4*int(n.A/n.B) + 1
			}
			return count/4 + 1
		},
		build: func(b *builder, n *Node, in stream.Stream[Event]) stream.Stream[Event] {
			if n.Text {
				return window(b, n, s, stream.KeyBy(in, textKey))
			}
			return window(b, n, s, stream.KeyBy(in, numberKey))
		},
		eval: func(n *Node, in []Timed) (out, side []Timed) {
			keys, of := groups(in)
			for _, k := range keys {
				for _, p := range s.panes(n, of[k]) {
					out = append(out, Timed{folded(n, k, p.start, p.content), p.ts})
				}
			}
			return out, nil
		}}
}

func window[K comparable](b *builder, n *Node, s shape, k stream.Keyed[K, Event]) stream.Stream[Event] {
	w := k.Window(s.assigner(n))
	if s.trigger != nil {
		w = w.Trigger(s.trigger(n))
	}
	if s.evictor != nil {
		w = w.Evict(s.evictor(n))
	}
	if n.D > 0 {
		w = w.AllowedLateness(ms(n.D))
	}
	if n.Late {
		w = w.LateTo(sideTag)
	}
	if n.Fn == "apply" {
		return apply(b, n, w)
	}
	return fold(b, n, w)
}

// aligned are the panes of windows of a size that begin each slide; each fires
// once, at its end.
func aligned(list []Timed, size, slide, offset int64) []pane {
	of := map[int64][]Timed{}
	for _, e := range list {
		for s := floor(e.TS, offset, slide); s+size > e.TS; s -= slide {
			of[s] = append(of[s], e)
		}
	}
	var out []pane
	for s, content := range of {
		out = append(out, pane{s, s + size - 1, content})
	}
	slices.SortFunc(out, func(a, b pane) int { return int(a.start - b.start) })
	return out
}

// sessions are the panes of windows that end after a gap; those that only meet are
// one.
func sessions(list []Timed, gap int64) []pane {
	var out []pane
	for _, e := range sorted(list) {
		if i := len(out) - 1; i >= 0 && e.TS <= out[i].ts+1 {
			out[i].content = append(out[i].content, e)
			out[i].ts = e.TS + gap - 1
			continue
		}
		out = append(out, pane{e.TS, e.TS + gap - 1, []Timed{e}})
	}
	return out
}

func windowKinds() []*kind {
	return []*kind{
		shape{fns: freeFns, assigner: func(n *Node) stream.Assigner { return stream.Tumbling(ms(n.A)).Offset(ms(n.B)) },
			draw:  func(g *gen, n *Node) { n.A = 20 + g.n(150); n.B = g.n(20) },
			panes: func(n *Node, list []Timed) []pane { return aligned(list, n.A, n.A, n.B) }}.kind("tumbling"),
		shape{fns: freeFns, assigner: func(n *Node) stream.Assigner { return stream.Sliding(ms(n.A), ms(n.B)).Offset(ms(n.C)) },
			draw:  func(g *gen, n *Node) { n.B = 15 + g.n(50); n.A = n.B + g.n(3*n.B); n.C = g.n(15) },
			panes: func(n *Node, list []Timed) []pane { return aligned(list, n.A, n.B, n.C) }}.kind("sliding"),
		shape{fns: freeFns, assigner: func(n *Node) stream.Assigner { return stream.Sliding(ms(n.A), ms(n.B)) },
			draw:  func(g *gen, n *Node) { n.A = 20 + g.n(50); n.B = n.A + g.n(60) },
			panes: func(n *Node, list []Timed) []pane { return aligned(list, n.A, n.B, 0) }}.kind("hopping"),
		shape{fns: freeFns, merges: true, assigner: func(n *Node) stream.Assigner { return stream.Session(ms(n.A)) },
			draw:  func(g *gen, n *Node) { n.A = 3 + g.n(60) },
			panes: func(n *Node, list []Timed) []pane { return sessions(list, n.A) }}.kind("session"),
	}
}
