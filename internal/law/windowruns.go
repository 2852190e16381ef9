package law

import (
	"fmt"

	"goflink/stream"
)

// windowRunKinds are functions of windows with state of the key and of the window.
// The windows, of A milliseconds each B, fire each C records and at their end; a
// tumbling window of an even size is one of the program.
//
// Each firing emits its number, the last one what the window holds; when a window is
// forgotten, the side output gets which one of its key's it was and how often it
// fired.
func windowRunKinds() []*kind {
	mk := func(name string, build func(b *builder, n *Node, in stream.Stream[Event]) stream.Stream[Event], value func(vs []Event) int64) *kind {
		return &kind{name: name, state: "window+per-window value+per-window list", keyed: true, timed: true, classes: []Class{Free},
			side: always,
			draw: func(g *gen, n *Node) {
				n.A, n.C, n.D = 20+g.n(80), 1+g.n(6), []int64{0, 0, 30, 500}[g.n(4)]
				if n.B = n.A; g.n(2) == 0 {
					n.B = n.A/3 + 1 + g.n(n.A/2)
				}
				// What is told of windows that lateness kept is behind the watermark.
				n.Timed = n.Timed && n.D == 0
			},
			text:  func(n *Node) string { return fmt.Sprintf("%d/%d each %d lateness=%d", n.A, n.B, n.C, n.D) },
			grows: func(n *Node, count int) int { return count * (1 + int(n.A/n.B)) },
			build: build,
			eval:  func(n *Node, in []Timed) (out, side []Timed) { return evalRuns(n, in, value) }}
	}
	digested := func(vs []Event) int64 { return digest(vs, false) }
	return []*kind{
		mk("run-window", func(b *builder, n *Node, in stream.Stream[Event]) stream.Stream[Event] {
			if n.Text {
				return runWindow(b, n, stream.KeyBy(in, textKey))
			}
			return runWindow(b, n, stream.KeyBy(in, numberKey))
		}, digested),
		mk("aggregate-run", func(b *builder, n *Node, in stream.Stream[Event]) stream.Stream[Event] {
			if n.Text {
				return aggregateRun(b, n, stream.KeyBy(in, textKey))
			}
			return aggregateRun(b, n, stream.KeyBy(in, numberKey))
		}, func(vs []Event) int64 {
			a := digester{}.New()
			for _, v := range vs {
				a = digester{}.Add(a, v)
			}
			return digester{}.Result(a).ID
		}),
		mk("reduce-run", func(b *builder, n *Node, in stream.Stream[Event]) stream.Stream[Event] {
			if n.Text {
				return reduceRun(b, n, stream.KeyBy(in, textKey))
			}
			return reduceRun(b, n, stream.KeyBy(in, numberKey))
		}, func(vs []Event) int64 {
			id, sum := int64(0), int64(0)
			for _, v := range vs {
				id, sum = (id+v.ID)%1_000_000_007, sum+v.N
			}
			return small(id, sum)
		}),
	}
}

// runWindows are the windows of the kinds.
func runWindows[K comparable](n *Node, k stream.Keyed[K, Event]) stream.Windowed[K, Event] {
	a := stream.Sliding(ms(n.A), ms(n.B))
	if n.A == n.B && n.A%2 == 0 {
		a = stream.NewAssigner(stream.AssignerSpec[Event]{Assign: func(_ Event, ts int64) []stream.Span {
			return []stream.Span{{Start: ts - ts%n.A, End: ts - ts%n.A + n.A}}
		}})
	}
	w := k.Window(a).Trigger(eachAndEnd(n.C))
	if n.D > 0 {
		w = w.AllowedLateness(ms(n.D))
	}
	return w
}

// eachAndEnd fires each so many records and at the window's end.
func eachAndEnd(each int64) stream.Trigger[Event] {
	return stream.NewTrigger("EachAndEnd", func(c *stream.TriggerCtx[Event], _ Event, _ int64) stream.Action {
		c.TimerAt(c.End - 1)
		if c.State.N++; c.State.N%each == 0 {
			return stream.Fire
		}
		return stream.Continue
	}, func(c *stream.TriggerCtx[Event], at int64, _ bool) stream.Action {
		if at == c.End-1 {
			return stream.Fire
		}
		return stream.Continue
	})
}

// tally is the window function; V is what it gets of a window.
type tally[K comparable, V any] struct {
	value   func(v V) int64
	cleared stream.Value[int64] // of the key
	firings stream.Value[int64] // of the window
	numbers stream.List[int64]
	side    *stream.SideOut[Event]
}

func newTally[K comparable, V any](s *stream.Setup[K], value func(v V) int64) *tally[K, V] {
	w := s.PerWindow()
	return &tally[K, V]{value, stream.NewValue[int64](s, "cleared"), stream.NewValue[int64](w, "firings"),
		stream.NewList[int64](w, "numbers"), stream.SideOutput(s, sideTag)}
}

// OnWindow implements stream.WindowFunc.
func (t *tally[K, V]) OnWindow(ctx *stream.WindowCtx[K], v V, out *stream.Out[Event]) error {
	n := t.firings.Or(0) + 1
	t.firings.Set(n)
	t.numbers.Add(n)
	e := Event{Key: keyOf(ctx.Key), At: ctx.Start, N: n}
	if ctx.Watermark >= ctx.End-1 { // no record is to come
		e.ID = t.value(v)
	}
	out.Emit(e)
	return nil
}

// OnClear implements stream.WindowCleaner.
func (t *tally[K, V]) OnClear(ctx *stream.WindowCtx[K]) error {
	windows := t.cleared.Or(0) + 1
	t.cleared.Set(windows)
	t.side.Emit(tallied(keyOf(ctx.Key), ctx.Start, windows, t.firings.Or(0), t.numbers.Get()))
	return nil
}

func tallied(key, start, windows, firings int64, numbers []int64) Event {
	return Event{ID: small(append([]int64{windows, firings}, numbers...)...), Key: key, At: start, N: firings, Path: []int64{windows}}
}

func runWindow[K comparable](b *builder, n *Node, k stream.Keyed[K, Event]) stream.Stream[Event] {
	return keepSide(b, n, stream.RunWindow[K, Event, Event](runWindows(n, k), func(s *stream.Setup[K]) *tally[K, []Event] {
		return newTally(s, func(vs []Event) int64 { return digest(vs, false) })
	}, b.options(n)...))
}

func aggregateRun[K comparable](b *builder, n *Node, k stream.Keyed[K, Event]) stream.Stream[Event] {
	return keepSide(b, n, stream.AggregateRun[K, Event, digestAcc, Event, Event](runWindows(n, k), digester{}, func(s *stream.Setup[K]) *tally[K, Event] {
		return newTally(s, func(v Event) int64 { return v.ID })
	}, b.options(n)...))
}

func reduceRun[K comparable](b *builder, n *Node, k stream.Keyed[K, Event]) stream.Stream[Event] {
	return keepSide(b, n, stream.ReduceRun[K, Event, Event](runWindows(n, k), combine, func(s *stream.Setup[K]) *tally[K, Event] {
		return newTally(s, func(v Event) int64 { return small(v.ID, v.N) })
	}, b.options(n)...))
}

func evalRuns(n *Node, in []Timed, value func(vs []Event) int64) (out, side []Timed) {
	keys, of := groups(in)
	for _, k := range keys {
		for i, p := range aligned(of[k], n.A, n.B, 0) {
			firings := int64(len(p.content))/n.C + 1
			var numbers []int64
			for f := int64(1); f <= firings; f++ {
				e := Event{Key: k, At: p.start, N: f}
				if f == firings {
					e.ID = value(events(p.content))
				}
				numbers = append(numbers, f)
				out = append(out, Timed{e, p.ts})
			}
			side = append(side, Timed{tallied(k, p.start, int64(i)+1, firings, numbers), p.ts})
		}
	}
	return out, side
}
