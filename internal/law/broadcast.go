package law

import (
	"fmt"

	"goflink/stream"
)

// theEnd is an event time behind all records: its timers fire when all inputs have
// ended.
const theEnd = 1 << 40

// broadcastKinds read their second input whole in each subtask. In what order the
// inputs come is not determined; what is emitted does not depend on it.
func broadcastKinds() []*kind {
	return []*kind{
		{name: "keyed-broadcast", two: true, keyed: true, timed: true, broadcast: true, state: "broadcast+value", classes: []Class{Free},
			grows: func(_ *Node, count int) int { return count/4 + 1 },
			buildTwo: func(b *builder, n *Node, in, second stream.Stream[Event]) stream.Stream[Event] {
				if n.Text {
					return stream.RunBroadcast(stream.KeyBy(in, textKey), second, newProducts[string], b.options(n)...)
				}
				return stream.RunBroadcast(stream.KeyBy(in, numberKey), second, newProducts[int64], b.options(n)...)
			},
			evalTwo: func(_ *Node, in, second []Timed) (out, side []Timed) {
				weights := int64(0)
				for _, e := range second {
					weights += e.N + 1
				}
				keys, of := groups(in)
				for _, k := range keys {
					sum := int64(0)
					for _, e := range of[k] {
						sum += e.N + 1
					}
					out = append(out, Timed{productResult(k, product{sum, sum * weights}), theEnd})
				}
				return out, nil
			}},
		{name: "plain-broadcast", two: true, broadcast: true, timeless: true, state: "broadcast", classes: []Class{Free},
			buildTwo: func(b *builder, n *Node, in, second stream.Stream[Event]) stream.Stream[Event] {
				return stream.ProcessBroadcast(in, second, func(s *stream.Setup[stream.NoKey]) *announcer {
					return &announcer{int64(s.Subtask()), int64(s.Parallelism()), stream.NewBroadcastState[int64, Event](s, "counts")}
				}, b.options(n)...)
			},
			evalTwo: func(_ *Node, in, second []Timed) (out, side []Timed) {
				out = append(out, in...)
				keys, of := groups(second)
				for _, k := range keys {
					for i, e := range of[k] {
						out = append(out, Timed{announced(k, int64(i)+1), e.TS})
					}
				}
				return out, nil
			}},
	}
}

// products adds up, for each key, the products of each of its records with each
// record of the broadcast input, whichever comes first.
type products[K comparable] struct {
	weights stream.BroadcastState[int64, int64]
	of      stream.Value[product]
}

type product struct{ Sum, Total int64 }

func newProducts[K comparable](s *stream.Setup[K]) *products[K] {
	return &products[K]{stream.NewBroadcastState[int64, int64](s, "weights"), stream.NewValue[product](s, "products")}
}

// OnRecord implements stream.BroadcastFunc.
func (p *products[K]) OnRecord(ctx *stream.Ctx[K], e Event, _ *stream.Out[Event]) error {
	weights := int64(0)
	p.weights.Each(func(_, w int64) bool { weights += w; return true })
	x, _ := p.of.Ptr()
	x.Sum += e.N + 1
	x.Total += (e.N + 1) * weights
	ctx.TimerAt(theEnd)
	return nil
}

// OnBroadcast implements stream.BroadcastFunc.
func (p *products[K]) OnBroadcast(ctx *stream.BroadcastCtx[K], e Event, _ *stream.Out[Event]) error {
	w := e.N + 1
	old, _ := p.weights.Get(e.Key % 3)
	p.weights.Put(ctx, e.Key%3, old+w)
	return ctx.ApplyToKeyedState("products", func(K) error {
		x, _ := p.of.Ptr()
		x.Total += x.Sum * w
		return nil
	})
}

// OnTimer implements stream.TimerFunc.
func (p *products[K]) OnTimer(ctx *stream.Ctx[K], out *stream.Out[Event]) error {
	x, ok := p.of.Get()
	if !ok {
		return fmt.Errorf("key %v has no state at the end", ctx.Key)
	}
	p.of.Clear()
	out.Emit(productResult(keyOf(ctx.Key), x))
	return nil
}

func productResult(key int64, x product) Event {
	return Event{ID: small(key, x.Sum, x.Total), Key: key, At: x.Sum, N: x.Total % 1_000_003}
}

// announcer counts the records of each key of the broadcast input; one subtask
// tells each count. It lets the records of the other input pass.
type announcer struct {
	subtask, of int64
	counts      stream.BroadcastState[int64, Event]
}

// OnRecord implements stream.BroadcastFunc.
func (a *announcer) OnRecord(_ *stream.Ctx[stream.NoKey], e Event, out *stream.Out[Event]) error {
	out.Emit(e)
	return nil
}

// OnBroadcast implements stream.BroadcastFunc.
func (a *announcer) OnBroadcast(ctx *stream.BroadcastCtx[stream.NoKey], e Event, out *stream.Out[Event]) error {
	last, _ := a.counts.Get(e.Key)
	next := announced(e.Key, last.N+1)
	if a.counts.Put(ctx, e.Key, next); next.ID%a.of == a.subtask {
		out.Emit(next)
	}
	return nil
}

func announced(key, n int64) Event {
	return Event{ID: small(key, n, 31), Key: key, N: n, Path: []int64{n % 3}}
}
