package law

import (
	"fmt"
	"slices"

	"goflink/stream"
)

// A times the records of a flatmap; B what is added to event times.
func statelessKinds() []*kind {
	a := func(n *Node) string { return fmt.Sprint(n.A) }
	return []*kind{
		each("map", nil, func(e Timed, n *Node, emit func(Timed)) { emit(Timed{changed(e.Event), e.TS}) },
			func(b *builder, n *Node, in stream.Stream[Event]) stream.Stream[Event] {
				return stream.Map(in, changed, b.options(n)...)
			}),
		each("trymap", nil, func(e Timed, n *Node, emit func(Timed)) { emit(Timed{changed(e.Event), e.TS}) },
			func(b *builder, n *Node, in stream.Stream[Event]) stream.Stream[Event] {
				return stream.TryMap(in, func(e Event) (Event, error) { return changed(e), nil }, b.options(n)...)
			}),
		each("filter", nil, func(e Timed, n *Node, emit func(Timed)) {
			if kept(e.Event) {
				emit(e)
			}
		}, func(b *builder, n *Node, in stream.Stream[Event]) stream.Stream[Event] {
			return in.Filter(kept, b.options(n)...)
		}),
		func() *kind {
			k := each("flatmap", a, func(e Timed, n *Node, emit func(Timed)) {
				for i := range copies(e.Event, n) {
					emit(Timed{copied(e.Event, i), e.TS})
				}
			}, func(b *builder, n *Node, in stream.Stream[Event]) stream.Stream[Event] {
				return stream.FlatMap(in, func(e Event, out *stream.Out[Event]) error {
					for i := range copies(e, n) {
						out.Emit(copied(e, i))
					}
					return nil
				}, b.options(n)...)
			})
			k.draw = func(g *gen, n *Node) { n.A = 1 + g.n(2) }
			k.grows = func(n *Node, count int) int { return count * int(n.A+1) / 2 }
			return k
		}(),
		laterKind(), timestampsKind(), mineKind(), splitKind(),
	}
}

// each is a kind that looks at one record at a time.
func each(name string, text func(*Node) string, f func(e Timed, n *Node, emit func(Timed)),
	build func(b *builder, n *Node, in stream.Stream[Event]) stream.Stream[Event]) *kind {
	return &kind{name: name, text: text, build: build, eval: func(n *Node, in []Timed) (out, side []Timed) {
		for _, e := range in {
			f(e, n, func(x Timed) { out = append(out, x) })
		}
		return out, nil
	}}
}

// changed is a record made of another one, with the same key.
func changed(e Event) Event {
	e.N = e.N*3%1009 + 1
	e.Path = append([]int64{e.N % 5}, e.Path...)
	if len(e.Path) > 4 {
		e.Path = e.Path[:4]
	}
	return e
}

func kept(e Event) bool { return mix(e.ID, e.N, 7)%4 != 0 }

func copies(e Event, n *Node) int64 { return mix(e.ID, 11) % (n.A + 1) }

func copied(e Event, i int64) Event {
	e.ID += (i + 1) * 100_000
	e.Path = slices.Clone(e.Path) // each is a record of its own
	return e
}

// laterKind emits records with a later event time, up to A milliseconds.
func laterKind() *kind {
	later := func(e Event, n *Node) int64 { return mix(e.ID, 13) % (n.A + 1) }
	k := each("emit-at", func(n *Node) string { return fmt.Sprint(n.A) },
		func(e Timed, n *Node, emit func(Timed)) { emit(Timed{e.Event, e.TS + later(e.Event, n)}) },
		func(b *builder, n *Node, in stream.Stream[Event]) stream.Stream[Event] {
			return stream.Process(in, func(*stream.Setup[stream.NoKey]) emitLater { return emitLater{n, later} }, b.options(n)...)
		})
	k.timed = true
	k.draw = func(g *gen, n *Node) { n.A = g.n(60) }
	return k
}

type emitLater struct {
	n     *Node
	later func(e Event, n *Node) int64
}

// OnRecord implements stream.KeyedFunc.
func (l emitLater) OnRecord(ctx *stream.Ctx[stream.NoKey], e Event, out *stream.Out[Event]) error {
	out.EmitAt(e, ctx.Time+l.later(e, l.n))
	return nil
}

// timestampsKind gives records new event times. What reaches it is in no order, so
// its bound is longer than a graph's whole time and its only watermark the last.
func timestampsKind() *kind {
	const bound = 1 << 30
	ts := func(e Event) int64 { return 1000 + mix(e.ID, 17)%400 }
	k := each("timestamps", nil, func(e Timed, n *Node, emit func(Timed)) { emit(Timed{e.Event, ts(e.Event)}) },
		func(b *builder, n *Node, in stream.Stream[Event]) stream.Stream[Event] {
			return stream.AssignTimestamps(in, stream.BoundedOutOfOrderness[Event](bound*1e6).WithTimestamps(ts), b.options(n)...)
		})
	k.classes = []Class{Free}
	return k
}

// mineKind reads everything in each subtask, which keeps its share.
func mineKind() *kind {
	k := each("mine", nil, func(e Timed, n *Node, emit func(Timed)) { emit(e) },
		func(b *builder, n *Node, in stream.Stream[Event]) stream.Stream[Event] {
			return stream.Process(in, func(s *stream.Setup[stream.NoKey]) mine {
				return mine{int64(s.Subtask()), int64(s.Parallelism())}
			}, b.options(n)...)
		})
	k.broadcast, k.classes = true, []Class{Free}
	return k
}

type mine struct{ subtask, of int64 }

// OnRecord implements stream.KeyedFunc.
func (m mine) OnRecord(_ *stream.Ctx[stream.NoKey], e Event, out *stream.Out[Event]) error {
	if mix(e.ID, 19)%m.of == m.subtask {
		out.Emit(e)
	}
	return nil
}

// splitKind sends some records to a side output.
func splitKind() *kind {
	return &kind{name: "split", side: func(*Node) bool { return true },
		grows: func(_ *Node, count int) int { return count / 2 },
		build: func(b *builder, n *Node, in stream.Stream[Event]) stream.Stream[Event] {
			return keepSide(b, n, stream.Process(in, func(s *stream.Setup[stream.NoKey]) *split {
				return &split{stream.SideOutput(s, sideTag)}
			}, b.options(n)...))
		},
		eval: func(n *Node, in []Timed) (out, side []Timed) {
			for _, e := range in {
				if toSide(e.Event) {
					side = append(side, e)
				} else {
					out = append(out, e)
				}
			}
			return out, side
		}}
}

func toSide(e Event) bool { return mix(e.ID, e.N, 23)%3 == 0 }

type split struct{ side *stream.SideOut[Event] }

// OnRecord implements stream.KeyedFunc.
func (s *split) OnRecord(_ *stream.Ctx[stream.NoKey], e Event, out *stream.Out[Event]) error {
	if toSide(e) {
		s.side.Emit(e)
	} else {
		out.Emit(e)
	}
	return nil
}
