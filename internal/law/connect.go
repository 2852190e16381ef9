package law

import (
	"fmt"

	"goflink/stream"
)

// connectKinds are functions of two inputs, each of which does something else with
// the records of one than with those of the other.
func connectKinds() []*kind {
	return []*kind{
		ofTwo("co-map", false, 2, func(b *builder, n *Node, c stream.Connection[Event, Event]) stream.Stream[Event] {
			return stream.CoMap(c, changed, otherwise, b.options(n)...)
		}),
		ofTwo("keyed-co-map", true, 2, func(b *builder, n *Node, c stream.Connection[Event, Event]) stream.Stream[Event] {
			return stream.CoMap(c, changed, otherwise, b.options(n)...)
		}),
		ofTwo("co-flatmap", false, 4, coFlatMap),
		ofTwo("keyed-co-flatmap", true, 4, coFlatMap),
		coProcessKind(), coRunKind(),
	}
}

// otherwise is what becomes of records of second inputs.
func otherwise(e Event) Event {
	e.N = e.N*5%997 + 2
	e.Path = append([]int64{e.N % 7}, e.Path[:min(1, len(e.Path))]...)
	return e
}

// ofTwo is a kind that changes the records of its inputs; n.A of each half become
// of one.
func ofTwo(name string, keyed bool, times int64, build func(*builder, *Node, stream.Connection[Event, Event]) stream.Stream[Event]) *kind {
	return &kind{name: name, two: true, keyed: keyed, classes: []Class{Free},
		draw: func(_ *gen, n *Node) { n.A = times },
		buildTwo: func(b *builder, n *Node, in, second stream.Stream[Event]) stream.Stream[Event] {
			switch {
			case !keyed:
				return build(b, n, stream.Connect(in, second))
			case n.Text:
				return build(b, n, stream.ConnectKeyed(stream.KeyBy(in, textKey), stream.KeyBy(second, textKey)))
			}
			return build(b, n, stream.ConnectKeyed(stream.KeyBy(in, numberKey), stream.KeyBy(second, numberKey)))
		},
		evalTwo: func(n *Node, in, second []Timed) (out, side []Timed) {
			for i, of := range [][]Timed{in, second} {
				for _, e := range of {
					for j := range coCopies(e.Event, n.A) {
						out = append(out, Timed{coCopied(e.Event, i, j), e.TS})
					}
				}
			}
			return out, nil
		}}
}

// coCopies is one for a map; coCopied are they.
func coCopies(e Event, times int64) int64 {
	if times == 2 {
		return 1
	}
	return mix(e.ID, 29) % times
}

func coCopied(e Event, input int, i int64) Event {
	if input == 0 {
		e = changed(e)
	} else {
		e = otherwise(e)
	}
	e.ID += i * 100_000
	return e
}

func coFlatMap(b *builder, n *Node, c stream.Connection[Event, Event]) stream.Stream[Event] {
	half := func(input int) func(e Event, out *stream.Out[Event]) error {
		return func(e Event, out *stream.Out[Event]) error {
			for i := range coCopies(e, n.A) {
				out.Emit(coCopied(e, input, i))
			}
			return nil
		}
	}
	return stream.CoFlatMap(c, half(0), half(1), b.options(n)...)
}

// coProcessKind sends records of one input where it does not send those of the
// other.
func coProcessKind() *kind {
	return &kind{name: "co-process", two: true, classes: []Class{Free}, side: func(*Node) bool { return true },
		buildTwo: func(b *builder, n *Node, in, second stream.Stream[Event]) stream.Stream[Event] {
			return keepSide(b, n, stream.CoProcess(stream.Connect(in, second), func(s *stream.Setup[stream.NoKey]) *crossing {
				return &crossing{stream.SideOutput(s, sideTag)}
			}, b.options(n)...))
		},
		evalTwo: func(_ *Node, in, second []Timed) (out, side []Timed) {
			for _, e := range in {
				if toSide(e.Event) {
					side = append(side, e)
				} else {
					out = append(out, e)
				}
			}
			for _, e := range second {
				e.Event = otherwise(e.Event)
				if toSide(e.Event) {
					out = append(out, e)
				} else {
					side = append(side, e)
				}
			}
			return out, side
		}}
}

type crossing struct{ side *stream.SideOut[Event] }

func (c *crossing) emit(aside bool, e Event, out *stream.Out[Event]) error {
	if aside {
		c.side.Emit(e)
	} else {
		out.Emit(e)
	}
	return nil
}

// OnFirst implements stream.CoFunc.
func (c *crossing) OnFirst(_ *stream.Ctx[stream.NoKey], e Event, out *stream.Out[Event]) error {
	return c.emit(toSide(e), e, out)
}

// OnSecond implements stream.CoFunc.
func (c *crossing) OnSecond(_ *stream.Ctx[stream.NoKey], e Event, out *stream.Out[Event]) error {
	e = otherwise(e)
	return c.emit(!toSide(e), e, out)
}

// coRunKind adds up both inputs by intervals of event time; timers end them.
func coRunKind() *kind {
	return &kind{name: "co-run", two: true, keyed: true, timed: true, state: "map", classes: []Class{Free},
		draw: func(g *gen, n *Node) { n.A = 20 + g.n(100) }, text: func(n *Node) string { return fmt.Sprintf("%dms", n.A) },
		buildTwo: func(b *builder, n *Node, in, second stream.Stream[Event]) stream.Stream[Event] {
			if n.Text {
				return coRun(b, n, stream.KeyBy(in, textKey), stream.KeyBy(second, textKey))
			}
			return coRun(b, n, stream.KeyBy(in, numberKey), stream.KeyBy(second, numberKey))
		},
		evalTwo: func(n *Node, in, second []Timed) (out, side []Timed) {
			all := sorted(in)
			for _, e := range second {
				e.N = weighted(e.N)
				all = append(all, e)
			}
			return evalBuckets(n, all)
		}}
}

func coRun[K comparable](b *builder, n *Node, in, second stream.Keyed[K, Event]) stream.Stream[Event] {
	return stream.CoRun(stream.ConnectKeyed(in, second), func(s *stream.Setup[K]) *coBuckets[K] {
		return &coBuckets[K]{newBuckets(n, s)}
	}, b.options(n)...)
}

func weighted(n int64) int64 { return n*7 + 100_000 }

type coBuckets[K comparable] struct{ *buckets[K] }

// OnFirst implements stream.CoFunc.
func (c *coBuckets[K]) OnFirst(ctx *stream.Ctx[K], e Event, out *stream.Out[Event]) error {
	return c.OnRecord(ctx, e, out)
}

// OnSecond implements stream.CoFunc.
func (c *coBuckets[K]) OnSecond(ctx *stream.Ctx[K], e Event, out *stream.Out[Event]) error {
	e.N = weighted(e.N)
	return c.OnRecord(ctx, e, out)
}
