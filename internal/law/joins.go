package law

import (
	"fmt"

	"goflink/stream"
)

// joinKinds join two inputs: over windows, which C picks (0 tumbling, 1 sliding,
// 2 sessions; A and B are their sizes), and over intervals, A to B, the bits of C
// leaving out the bounds.
func joinKinds() []*kind {
	windows := func(name string, build func(b *builder, n *Node, w joinOf) stream.Stream[Event], of func(n *Node, p pane, as, bs []Timed) []Timed) *kind {
		return &kind{name: name, two: true, keyed: true, timed: true, counted: true, state: "window", classes: []Class{Free},
			meets: func(n *Node) bool { return n.C == 2 },
			draw:  func(g *gen, n *Node) { n.B = 10 + g.n(40); n.A, n.C = n.B+g.n(2*n.B), g.n(3) },
			text:  func(n *Node) string { return fmt.Sprintf("%d/%d/%d", n.A, n.B, n.C) },
			buildTwo: func(b *builder, n *Node, in, second stream.Stream[Event]) stream.Stream[Event] {
				return build(b, n, joinOf{in, second})
			},
			evalTwo: func(n *Node, in, second []Timed) (out, side []Timed) {
				keys, of2 := groups(append(sorted(in), marked(second)...))
				for _, k := range keys {
					for _, p := range joinPanes(n, of2[k]) {
						as, bs := unmarked(p.content)
						out = append(out, of(n, p, as, bs)...)
					}
				}
				return out, nil
			}}
	}
	return []*kind{
		windows("co-group", func(b *builder, n *Node, w joinOf) stream.Stream[Event] {
			if n.Text {
				return coGroup(b, n, coWindows(n, w, textKey))
			}
			return coGroup(b, n, coWindows(n, w, numberKey))
		}, func(_ *Node, p pane, as, bs []Timed) []Timed {
			return []Timed{{coGrouped(append(as[:len(as):len(as)], bs...)[0].Key, p.start, events(as), events(bs)), p.ts}}
		}),
		windows("window-join", func(b *builder, n *Node, w joinOf) stream.Stream[Event] {
			if n.Text {
				return windowJoin(b, n, coWindows(n, w, textKey))
			}
			return windowJoin(b, n, coWindows(n, w, numberKey))
		}, func(_ *Node, p pane, as, bs []Timed) (out []Timed) {
			for _, a := range as {
				for _, b := range bs {
					if matches(a.Event, b.Event) {
						out = append(out, Timed{pairOf(a.Event, b.Event), p.ts})
					}
				}
			}
			return out
		}),
		intervalKind(),
	}
}

type joinOf struct{ first, second stream.Stream[Event] }

func coWindows[K comparable](n *Node, w joinOf, key func(Event) K) stream.CoWindowed[K, Event, Event] {
	c := stream.ConnectKeyed(stream.KeyBy(w.first, key), stream.KeyBy(w.second, key))
	switch n.C {
	case 0:
		return c.Window(stream.Tumbling(ms(n.A)))
	case 1:
		return c.Window(stream.Sliding(ms(n.A), ms(n.B)))
	}
	return c.Window(stream.Session(ms(n.B)))
}

func joinPanes(n *Node, list []Timed) []pane {
	switch n.C {
	case 0:
		return aligned(list, n.A, n.A, 0)
	case 1:
		return aligned(list, n.A, n.B, 0)
	}
	return sessions(list, n.B)
}

func coGroup[K comparable](b *builder, n *Node, w stream.CoWindowed[K, Event, Event]) stream.Stream[Event] {
	return stream.CoGroup(w, func(i stream.WindowInfo[K], as, bs []Event, out *stream.Out[Event]) error {
		out.Emit(coGrouped(keyOf(i.Key), i.Start, as, bs))
		return nil
	}, b.options(n)...)
}

func coGrouped(key, start int64, as, bs []Event) Event {
	return Event{ID: small(digest(as, false), digest(bs, false)), Key: key, At: start, N: int64(len(as)*1000 + len(bs))}
}

func windowJoin[K comparable](b *builder, n *Node, w stream.CoWindowed[K, Event, Event]) stream.Stream[Event] {
	return stream.FlatJoin(w, func(x, y Event, out *stream.Out[Event]) error {
		if matches(x, y) {
			out.Emit(pairOf(x, y))
		}
		return nil
	}, b.options(n)...)
}

// matches keeps joins small.
func matches(a, b Event) bool { return mix(a.ID, b.ID, a.N, b.N)%3 == 0 }

func pairOf(a, b Event) Event {
	return Event{ID: small(a.ID, b.ID, 1), Key: a.Key, At: max(a.At, b.At), N: (a.N + 3*b.N) % 1009, Path: []int64{a.N % 10, b.N % 10}}
}

// mark is put before the paths of second inputs, to tell them from first ones in
// one list.
const mark = -987_654_321

func marked(in []Timed) []Timed {
	out := make([]Timed, len(in))
	for i, e := range in {
		out[i] = e
		out[i].Path = append([]int64{mark}, e.Path...)
	}
	return out
}

func unmarked(in []Timed) (as, bs []Timed) {
	for _, e := range in {
		if len(e.Path) > 0 && e.Path[0] == mark {
			e.Path = e.Path[1:]
			bs = append(bs, e)
		} else {
			as = append(as, e)
		}
	}
	return as, bs
}

func intervalKind() *kind {
	return &kind{name: "interval-join", two: true, keyed: true, timed: true, counted: true, state: "join buffer", classes: []Class{Free},
		side: func(n *Node) bool { return n.Late },
		draw: func(g *gen, n *Node) {
			n.A = g.n(80) - 50
			n.B, n.C, n.Late = n.A+g.n(60), g.n(4), g.n(4) == 0
		},
		text: func(n *Node) string { return fmt.Sprintf("%d to %d open %d", n.A, n.B, n.C) },
		buildTwo: func(b *builder, n *Node, in, second stream.Stream[Event]) stream.Stream[Event] {
			if n.Text {
				return intervalJoin(b, n, stream.ConnectKeyed(stream.KeyBy(in, textKey), stream.KeyBy(second, textKey)))
			}
			return intervalJoin(b, n, stream.ConnectKeyed(stream.KeyBy(in, numberKey), stream.KeyBy(second, numberKey)))
		},
		evalTwo: func(n *Node, in, second []Timed) (out, side []Timed) {
			_, of := groups(second)
			for _, a := range in {
				for _, b := range of[a.Key] {
					if n.joins(b.TS-a.TS) && matches(a.Event, b.Event) {
						out = append(out, Timed{pairOf(a.Event, b.Event), max(a.TS, b.TS)})
					}
				}
			}
			return out, nil
		}}
}

// joins tells whether records whose event times differ by d make a pair.
func (n *Node) joins(d int64) bool {
	return (d > n.A || d == n.A && n.C&1 == 0) && (d < n.B || d == n.B && n.C&2 == 0)
}

func intervalJoin[K comparable](b *builder, n *Node, c stream.ConnectedKeyed[K, Event, Event]) stream.Stream[Event] {
	i := c.Between(ms(n.A), ms(n.B))
	if n.C&1 != 0 {
		i = i.LowerBoundExclusive()
	}
	if n.C&2 != 0 {
		i = i.UpperBoundExclusive()
	}
	if n.Late {
		i = i.LateFirstTo(sideTag)
	}
	return keepSide(b, n, stream.IntervalJoin(i, func(p stream.Pair[K], x, y Event, out *stream.Out[Event]) error {
		if d := p.Second - p.First; !n.joins(d) {
			return fmt.Errorf("key %v: records %d ms apart made a pair", p.Key, d)
		}
		if matches(x, y) {
			out.Emit(pairOf(x, y))
		}
		return nil
	}, b.options(n)...))
}
