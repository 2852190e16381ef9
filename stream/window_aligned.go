package stream

import (
	"context"

	"goflink/dataflow"
	"goflink/state"
)

// tumblingOp serves windows that do not overlap: contents and timers of a window
// lie in its namespace.
type tumblingOp[K comparable, T any] struct {
	windowOp[K, T]
	one  [1]state.Namespace
	last Span // the window of the record before; another one is a division away
}

// window returns the window of a time; with a slide longer than the size, it may
// end before it.
func (o *tumblingOp[K, T]) window(ts int64) Span {
	if ts < o.last.Start || ts >= o.last.End {
		start := floorTo(ts, o.w.a.offset, o.w.a.slide)
		o.last = Span{start, start + o.w.a.size}
	}
	return o.last
}

func (o *tumblingOp[K, T]) Open(ctx context.Context) error { return o.open(ctx, o.onTimer) }

func (o *tumblingOp[K, T]) Collect(r *dataflow.Rec[T]) error {
	ts, err := o.timeOf(r)
	if err != nil {
		return err
	}
	w := o.window(ts)
	if ts >= w.End {
		return nil // between two windows
	}
	now := o.clock()
	if addClamped(w.End-1, o.w.lateness) <= now {
		return o.tooLate(r)
	}
	o.keyed.SetKey(o.key(r.V))
	o.keyed.SetNamespace(state.Namespace{A: w.Start, B: w.End})
	if o.records.add(r) {
		o.created(w.End-1, now)
	}
	if w.End-1 <= now {
		return o.fire(w)
	}
	return o.stateErr()
}

// created sets the timers of a new window whose last millisecond is last. While a
// window has contents it keeps them; without, it has none: they are new.
func (o *tumblingOp[K, T]) created(last, now int64) {
	if last > now {
		o.newTimerAt(last)
	}
	if o.w.lateness > 0 {
		o.newTimerAt(addClamped(last, o.w.lateness))
	}
}

func (o *windowOp[K, T]) stateErr() error {
	if err := o.keyed.Err(); err != nil {
		return o.stateError(err)
	}
	return nil
}

func (o *tumblingOp[K, T]) fire(s Span) error {
	o.one[0] = state.Namespace{A: s.Start, B: s.End}
	return o.records.fire(s, o.one[:])
}

func (o *tumblingOp[K, T]) onTimer(ts int64) error {
	ns := o.keyed.Namespace()
	s := Span{ns.A, ns.B}
	if ts == s.End-1 {
		if err := o.fire(s); err != nil {
			return err
		}
	}
	if ts == addClamped(s.End-1, o.w.lateness) {
		o.keyed.SetNamespace(ns)
		o.records.clear()
	}
	return nil
}

// slidingOp serves overlapping windows. A record goes into one slice, as long as
// the greatest common divisor of size and slide; slices lie in namespaces of
// their own, and a window is put together from its slices when it fires. Only
// the next window of a key has a timer: when it fires, it sets that of its
// successor if any of its slices live on.
type slidingOp[K comparable, T any] struct {
	windowOp[K, T]
	slice  int64
	slices []state.Namespace
}

func (o *slidingOp[K, T]) Open(ctx context.Context) error { return o.open(ctx, o.onTimer) }

// bounds are the starts of the first and the last window that hold the slice.
func (o *slidingOp[K, T]) bounds(slice int64) (first, last int64) {
	a := &o.w.a
	last = floorTo(slice, a.offset, a.slide)
	first = last - (a.size-1-(slice-last))/a.slide*a.slide
	return first, last
}

func (o *slidingOp[K, T]) Collect(r *dataflow.Rec[T]) error {
	ts, err := o.timeOf(r)
	if err != nil {
		return err
	}
	a := &o.w.a
	slice := floorTo(ts, a.offset, o.slice)
	first, last := o.bounds(slice)
	now := o.clock()
	if o.gone(last, now) {
		return o.tooLate(r)
	}
	o.keyed.SetKey(o.key(r.V))
	o.keyed.SetNamespace(state.Namespace{A: slice, B: slice + o.slice})
	if o.records.add(r) {
		o.schedule(slice, first, last, now)
	}
	for s := first; s <= last && s+a.size-1 <= now; s += a.slide { // windows that fired before this record
		if o.gone(s, now) {
			continue
		}
		if err := o.fire(s); err != nil {
			return err
		}
	}
	return o.stateErr()
}

// gone tells whether the window that begins at start is not kept any more.
func (o *slidingOp[K, T]) gone(start, now int64) bool {
	return addClamped(start+o.w.a.size-1, o.w.lateness) <= now
}

// schedule sets the timers that a new slice needs: of the first window that has
// not fired, and of its own end where windows outlive their firing.
func (o *slidingOp[K, T]) schedule(slice, first, last, now int64) {
	a := &o.w.a
	if o.w.lateness > 0 {
		o.timerAt(addClamped(last+a.size-1, o.w.lateness))
	}
	s := first
	if s+a.size-1 <= now {
		s += ((now-(s+a.size-1))/a.slide + 1) * a.slide
	}
	if s <= last {
		o.keyed.SetNamespace(state.Namespace{A: s, B: s + a.size})
		o.timerAt(s + a.size - 1)
	}
}

// fire emits the window that begins at start, from its slices.
func (o *slidingOp[K, T]) fire(start int64) error {
	o.gather(start, start+o.w.a.size)
	return o.records.fire(Span{start, start + o.w.a.size}, o.slices)
}

func (o *slidingOp[K, T]) gather(from, to int64) {
	o.slices = o.slices[:0]
	for s := from; s < to; s += o.slice {
		ns := state.Namespace{A: s, B: s + o.slice}
		o.keyed.SetNamespace(ns)
		if o.records.has() {
			o.slices = append(o.slices, ns)
		}
	}
}

func (o *slidingOp[K, T]) onTimer(ts int64) error {
	ns := o.keyed.Namespace()
	a := &o.w.a
	if ns.B-ns.A == o.slice { // the end of a slice's life; windows are longer
		o.records.clear()
		return nil
	}
	if err := o.fire(ns.A); err != nil {
		return err
	}
	next := ns.A + a.slide
	live := len(o.slices) > 0 && o.slices[len(o.slices)-1].A >= next
	if o.w.lateness == 0 {
		for _, s := range o.slices {
			if s.A < next {
				o.keyed.SetNamespace(s)
				o.records.clear()
			}
		}
	}
	if live {
		o.keyed.SetNamespace(state.Namespace{A: next, B: next + a.size})
		o.timerAt(next + a.size - 1)
	}
	return nil
}
