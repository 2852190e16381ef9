package stream

import (
	"context"
	"fmt"
	"math"
	"reflect"

	"goflink/codec"
	"goflink/dataflow"
	"goflink/graph"
	"goflink/state"
)

const triggerState = "_trigger"

func declareTrigger[T any](o *op) { declareOwn[TriggerState[T]](o, triggerState, "trigger") }

// declareOwn declares a value state of the engine's own.
func declareOwn[V any](o *op, name, what string) {
	c, ok := codecOf[V](o.env, what)
	if !ok || c == nil {
		return
	}
	b, err := c.Schema().MarshalBinary()
	if err != nil {
		o.env.failf("%s: %w", what, err)
	}
	o.node.States = append(o.node.States, &graph.State{Name: name, Kind: "value", Schema: b, Type: reflect.TypeFor[V]().String()})
}

// triggered is what operators have that ask a trigger. Its state and timers of a
// window lie in the namespace of the window's bounds.
type triggered[K comparable, T any] struct {
	windowOp[K, T]
	trigger Trigger[T]
	state   state.Value[TriggerState[T]]
	ctx     TriggerCtx[T]
	cur     TriggerState[T]
	had     bool // cur is in the state
	one     [1]state.Namespace
}

func (w Span) ns() state.Namespace { return state.Namespace{A: w.Start, B: w.End} }

func (o *triggered[K, T]) openTriggered(ctx context.Context, onTimer func(ts int64, proc bool) error) error {
	if err := o.open(ctx, nil); err != nil {
		return err
	}
	o.onEvent = func(ts int64) error { return onTimer(ts, false) }
	o.onProc = func(ts int64) error { return onTimer(ts, true) }
	c, err := codec.For[TriggerState[T]]()
	if err != nil {
		return fmt.Errorf("operator %q: trigger: %w", o.name, err)
	}
	if o.state, err = state.NewValue(o.keyed, state.Desc[TriggerState[T]]{Name: triggerState, Codec: c}); err != nil {
		return o.stateError(err)
	}
	o.ctx.timers, o.ctx.byClock, o.ctx.State = o.timers, o.w.a.proc, &o.cur
	if o.t.sorting != nil {
		o.ctx.timers = sortedTimers{o.timers, &o.base}
	}
	o.trigger = o.w.triggerOf()
	return nil
}

// endOfLife is when a window is forgotten.
func (o *triggered[K, T]) endOfLife(w Span) int64 {
	return addClamped(w.maxTimestamp(), o.w.lateness)
}

// tooOld tells whether a window is not kept any more. By the clock none is, until
// its timer came; one without end never is, not even when event time has ended.
func (o *triggered[K, T]) tooOld(w Span) bool {
	end := o.endOfLife(w)
	return !o.w.a.proc && end <= o.wm && end != math.MaxInt64
}

// behind tells whether a record that no window took is late, and not just left out
// by the assigner.
func (o *triggered[K, T]) behind(ts int64) bool {
	return !o.w.a.proc && addClamped(ts, o.w.lateness) <= o.wm
}

// keepUntilEnd sets the timer of the end of the window's life; windows without end
// have none.
func (o *triggered[K, T]) keepUntilEnd(w Span) {
	if end := o.endOfLife(w); end != math.MaxInt64 {
		o.keyed.SetNamespace(w.ns())
		o.timerAt(end)
	}
}

// enter makes a window the trigger's.
func (o *triggered[K, T]) enter(w Span) {
	o.keyed.SetNamespace(w.ns())
	o.ctx.Start, o.ctx.End, o.ctx.deleted = w.Start, w.End, false
	o.ctx.Watermark, o.ctx.Now = o.wm, o.now()
	if !o.trigger.stateless {
		o.cur, o.had = o.state.Get()
	}
}

// leave keeps what the trigger changed. The window of enter is current still.
func (o *triggered[K, T]) leave() {
	switch {
	case o.trigger.stateless:
	case o.cur.kept():
		o.state.Set(o.cur)
	case o.had:
		o.state.Clear()
	}
}

// obey does what the trigger decided for a window whose contents lie in at.
func (o *triggered[K, T]) obey(w Span, at state.Namespace, a Action) error {
	if a.fires() {
		o.one[0] = at
		if err := o.records.fire(w, o.one[:]); err != nil {
			return err
		}
	}
	if a.purges() {
		o.keyed.SetNamespace(at)
		o.records.clear()
	}
	return o.stateErr()
}

// clearTrigger takes a window from the trigger, and returns what that kept.
func (o *triggered[K, T]) clearTrigger(w Span) TriggerState[T] {
	o.enter(w)
	old := o.cur
	o.trigger.onClear(&o.ctx)
	if o.had {
		o.state.Clear()
	}
	return old
}

// forget removes all that a window has.
func (o *triggered[K, T]) forget(w Span, at state.Namespace) error {
	o.keyed.SetNamespace(at)
	o.records.clear()
	o.clearTrigger(w)
	if o.ended != nil {
		return o.ended(w)
	}
	return nil
}

// decideTimer asks the trigger about a timer of a window, and removes the window if
// its life is over with it.
func (o *triggered[K, T]) decideTimer(w Span, at state.Namespace, ts int64, proc bool) (over bool, err error) {
	if o.at = ts; proc {
		o.at = dataflow.NoTimestamp
	}
	o.enter(w)
	a := o.trigger.onTimer(&o.ctx, ts, proc)
	o.leave()
	if err := o.obey(w, at, a); err != nil {
		return false, err
	}
	if end := o.endOfLife(w); proc == o.w.a.proc && passed(ts, proc) == end && end != math.MaxInt64 {
		return true, o.forget(w, at)
	}
	o.keepAlive(w)
	return false, nil
}

// keepAlive sets the timer of the end of a window's life again if the trigger has
// deleted one: it may be the same as one of the trigger's own.
func (o *triggered[K, T]) keepAlive(w Span) {
	if o.ctx.deleted {
		o.keepUntilEnd(w)
	}
}

// passed is the millisecond that a timer tells to be over, see timerAt.
func passed(ts int64, proc bool) int64 {
	if proc {
		return ts - 1
	}
	return ts
}

// triggerOp serves windows that do not merge with a trigger or an evictor of their
// own, and those of an assigner of the program. A record is kept in each window
// that it belongs to.
type triggerOp[K comparable, T any] struct {
	triggered[K, T]
	assign spans[T]
	buf    []Span
}

func (o *triggerOp[K, T]) Open(ctx context.Context) error {
	o.assign = o.w.spans()
	return o.openTriggered(ctx, o.onTimer)
}

func (o *triggerOp[K, T]) Collect(r *dataflow.Rec[T]) (err error) {
	o.at = r.TS
	var ts int64
	if o.w.a.kind != globalWindow {
		if ts, err = o.timeOf(r); err != nil {
			return err
		}
	}
	if o.buf, err = o.assign(r.V, ts, o.buf[:0]); err != nil {
		return o.fail(err)
	}
	o.keyed.SetKey(o.key(r.V))
	taken := false
	for _, w := range o.buf {
		if o.tooOld(w) {
			continue
		}
		taken = true
		if err := o.addTo(r, w); err != nil {
			return err
		}
	}
	if !taken && o.behind(ts) {
		return o.tooLate(r)
	}
	return nil
}

func (o *triggerOp[K, T]) addTo(r *dataflow.Rec[T], w Span) error {
	o.keyed.SetNamespace(w.ns())
	if o.records.add(r) {
		o.keepUntilEnd(w)
	}
	o.enter(w)
	a := o.trigger.onRecord(&o.ctx, r.V, r.TS)
	o.leave()
	o.keepAlive(w)
	return o.obey(w, w.ns(), a)
}

// onTimer leaves out timers that a trigger did not delete when its window ended.
func (o *triggerOp[K, T]) onTimer(ts int64, proc bool) error {
	ns := o.keyed.Namespace()
	w := Span{ns.A, ns.B}
	if end := o.endOfLife(w); proc == o.w.a.proc && passed(ts, proc) > end || proc && o.tooOld(w) {
		return nil
	}
	_, err := o.decideTimer(w, ns, ts, proc)
	return err
}
