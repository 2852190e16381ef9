package law

import (
	"fmt"
	"slices"

	"goflink/stream"
)

// holding keeps the first record of each interval as it came and folds the later
// ones into it, in place: nobody else may hold that record. A is the interval.
type holding[K comparable] struct {
	n    *Node
	held stream.Value[[]heldSum]
}

type heldSum struct {
	Start int64
	Sum   Event
}

func newHolding[K comparable](n *Node, s *stream.Setup[K]) *holding[K] {
	return &holding[K]{n, stream.NewValue[[]heldSum](s, "held")}
}

// OnRecord implements stream.KeyedFunc.
func (h *holding[K]) OnRecord(ctx *stream.Ctx[K], e Event, _ *stream.Out[Event]) error {
	start := floor(ctx.Time, 0, h.n.A)
	held, _ := h.held.Ptr()
	if i := slices.IndexFunc(*held, func(x heldSum) bool { return x.Start == start }); i >= 0 {
		(*held)[i].Sum = combine((*held)[i].Sum, e)
	} else {
		*held = append(*held, heldSum{start, e})
	}
	ctx.TimerAt(start + h.n.A - 1)
	return nil
}

// OnTimer implements stream.TimerFunc.
func (h *holding[K]) OnTimer(ctx *stream.Ctx[K], out *stream.Out[Event]) error {
	start := ctx.Time - h.n.A + 1
	held, _ := h.held.Get()
	i := slices.IndexFunc(held, func(x heldSum) bool { return x.Start == start })
	if i < 0 {
		return fmt.Errorf("timer %d of %v has no state", ctx.Time, ctx.Key)
	}
	sum, rest := held[i].Sum, slices.Concat(held[:i], held[i+1:])
	if len(rest) == 0 {
		h.held.Clear()
	} else {
		h.held.Set(rest)
	}
	out.Emit(sum)
	return nil
}

func evalHolding(n *Node, in []Timed) (out, side []Timed) {
	keys, of := groups(in)
	for _, k := range keys {
		for _, b := range bucketed(of[k], n.A) {
			sum := b[0].Event
			sum.Path = slices.Clone(sum.Path)
			for _, e := range b[1:] {
				sum = combine(sum, e.Event)
			}
			out = append(out, Timed{sum, floor(b[0].TS, 0, n.A) + n.A - 1})
		}
	}
	return out, nil
}
