package stream

import (
	"context"
	"fmt"
	"reflect"
	"time"

	"goflink/codec"
	"goflink/dataflow"
	"goflink/graph"
	"goflink/state"
)

// Action is what a trigger decides.
type Action uint8

// The actions of triggers.
const (
	Continue     Action = iota // nothing
	Fire                       // evaluate the window
	Purge                      // drop what it holds
	FireAndPurge               // both
)

// TriggerState is what a trigger keeps for each window of each key.
type TriggerState[T any] struct {
	N    int64 // free for the trigger: a count, a time
	Last T     // free for the trigger: a record
	Set  bool  // whether N or Last are set
}

// TriggerCtx is the context of one decision.
type TriggerCtx[T any] struct {
	// State of the current key and window; changes are kept.
	State *TriggerState[T]
	// Start and End of the window in milliseconds.
	Start, End int64
	// Watermark and Now are the task's event time and processing time.
	Watermark, Now int64

	timers interface {
		RegisterEvent(ms int64)
		RegisterProc(ms int64)
	}
}

// TimerAt asks for OnTimer at event time ms.
func (c *TriggerCtx[T]) TimerAt(ms int64) { c.timers.RegisterEvent(ms) }

// ProcTimerAt asks for OnTimer at processing time ms.
func (c *TriggerCtx[T]) ProcTimerAt(ms int64) { c.timers.RegisterProc(ms) }

// Trigger decides when a window is evaluated. Its functions hold no state
// themselves: all keys share them.
type Trigger[T any] struct {
	name     string
	onRecord func(c *TriggerCtx[T], v T, ts int64) Action
	onTimer  func(c *TriggerCtx[T], ms int64, proc bool) Action
}

// NewTrigger makes a trigger; onTimer may be nil.
func NewTrigger[T any](name string, onRecord func(c *TriggerCtx[T], v T, ts int64) Action, onTimer func(c *TriggerCtx[T], ms int64, proc bool) Action) Trigger[T] {
	if onTimer == nil {
		onTimer = func(*TriggerCtx[T], int64, bool) Action { return Continue }
	}
	return Trigger[T]{name, onRecord, onTimer}
}

// CountTrigger fires each n records.
func CountTrigger[T any](n int64) Trigger[T] {
	return NewTrigger("CountTrigger", func(c *TriggerCtx[T], _ T, _ int64) Action {
		c.State.N++
		if c.State.N < n {
			return Continue
		}
		c.State.N = 0
		return Fire
	}, nil)
}

// DeltaTrigger fires when a record differs from the one of the last firing by
// more than threshold.
func DeltaTrigger[T any](threshold float64, delta func(old, next T) float64) Trigger[T] {
	return NewTrigger("DeltaTrigger", func(c *TriggerCtx[T], v T, _ int64) Action {
		if !c.State.Set {
			c.State.Last, c.State.Set = v, true
			return Continue
		}
		if delta(c.State.Last, v) <= threshold {
			return Continue
		}
		c.State.Last = v
		return Fire
	}, nil)
}

// EventTimeTrigger fires when the watermark passes the window's end.
func EventTimeTrigger[T any]() Trigger[T] {
	return NewTrigger("EventTimeTrigger", func(c *TriggerCtx[T], _ T, _ int64) Action {
		if c.End-1 <= c.Watermark {
			return Fire
		}
		c.TimerAt(c.End - 1)
		return Continue
	}, func(c *TriggerCtx[T], ms int64, proc bool) Action {
		if !proc && ms == c.End-1 {
			return Fire
		}
		return Continue
	})
}

// ContinuousEventTimeTrigger fires each interval of event time, and at the
// window's end.
func ContinuousEventTimeTrigger[T any](interval time.Duration) Trigger[T] {
	step := max(1, interval.Milliseconds())
	return NewTrigger("ContinuousEventTimeTrigger", func(c *TriggerCtx[T], _ T, ts int64) Action {
		if c.End-1 <= c.Watermark {
			return Fire
		}
		c.TimerAt(c.End - 1)
		if !c.State.Set {
			c.State.N, c.State.Set = min(floorTo(ts, 0, step)+step, c.End-1), true
			c.TimerAt(c.State.N)
		}
		return Continue
	}, func(c *TriggerCtx[T], ms int64, proc bool) Action {
		if proc || ms != c.End-1 && (!c.State.Set || ms != c.State.N) {
			return Continue
		}
		if c.State.N = min(ms+step, c.End-1); ms < c.End-1 {
			c.TimerAt(c.State.N)
		}
		return Fire
	})
}

// ProcessingTimeTrigger fires when the clock passes the window's end.
func ProcessingTimeTrigger[T any]() Trigger[T] {
	return NewTrigger("ProcessingTimeTrigger", func(c *TriggerCtx[T], _ T, _ int64) Action {
		c.ProcTimerAt(c.End) // when the last millisecond of the window is over
		return Continue
	}, func(_ *TriggerCtx[T], _ int64, proc bool) Action {
		if proc {
			return Fire
		}
		return Continue
	})
}

// Purging makes a trigger drop what a window holds whenever it fires.
func Purging[T any](t Trigger[T]) Trigger[T] {
	purge := func(a Action) Action {
		if a == Fire {
			return FireAndPurge
		}
		return a
	}
	return Trigger[T]{"PurgingTrigger",
		func(c *TriggerCtx[T], v T, ts int64) Action { return purge(t.onRecord(c, v, ts)) },
		func(c *TriggerCtx[T], ms int64, proc bool) Action { return purge(t.onTimer(c, ms, proc)) }}
}

// Evictor drops records of a window before it is evaluated, for good.
type Evictor[T any] struct {
	name  string
	evict func(recs []dataflow.Rec[T]) []dataflow.Rec[T]
}

// CountEvictor keeps the last n records.
func CountEvictor[T any](n int64) Evictor[T] {
	return Evictor[T]{"CountEvictor", func(recs []dataflow.Rec[T]) []dataflow.Rec[T] {
		return recs[max(0, len(recs)-int(n)):]
	}}
}

// TimeEvictor keeps the records of the last d, counted back from the newest.
func TimeEvictor[T any](d time.Duration) Evictor[T] {
	ms := d.Milliseconds()
	return Evictor[T]{"TimeEvictor", func(recs []dataflow.Rec[T]) []dataflow.Rec[T] {
		newest := int64(dataflow.NoTimestamp)
		for i := range recs {
			newest = max(newest, recs[i].TS)
		}
		kept := recs[:0:0]
		for i := range recs {
			if recs[i].TS == dataflow.NoTimestamp || recs[i].TS > newest-ms {
				kept = append(kept, recs[i])
			}
		}
		return kept
	}}
}

const triggerState = "_trigger"

// triggerOp serves windows with a trigger or an evictor of their own. A record is
// kept in each window that it belongs to.
type triggerOp[K comparable, T any] struct {
	windowOp[K, T]
	trigger Trigger[T]
	state   state.Value[TriggerState[T]]
	ctx     TriggerCtx[T]
	cur     TriggerState[T]
	one     [1]state.Namespace
}

func declareTrigger[T any](o *op) {
	c, ok := codecOf[TriggerState[T]](o.env, "trigger")
	if !ok || c == nil {
		return
	}
	b, err := c.Schema().MarshalBinary()
	if err != nil {
		o.env.failf("trigger: %w", err)
	}
	o.node.States = append(o.node.States, &graph.State{Name: triggerState, Kind: "value", Schema: b, Type: reflect.TypeFor[TriggerState[T]]().String()})
}

func (o *triggerOp[K, T]) Open(ctx context.Context) error {
	if err := o.open(ctx, nil); err != nil {
		return err
	}
	o.onEvent = func(ts int64) error { return o.onTimer(ts, false) }
	o.onProc = func(ts int64) error { return o.onTimer(ts, true) }
	c, err := codec.For[TriggerState[T]]()
	if err != nil {
		return fmt.Errorf("operator %q: trigger: %w", o.name, err)
	}
	if o.state, err = state.NewValue(o.keyed, state.Desc[TriggerState[T]]{Name: triggerState, Codec: c}); err != nil {
		return o.stateError(err)
	}
	o.ctx.timers = o.timers
	switch {
	case o.w.trigger != nil:
		o.trigger = *o.w.trigger
	case o.w.a.proc:
		o.trigger = ProcessingTimeTrigger[T]()
	default:
		o.trigger = EventTimeTrigger[T]()
	}
	return nil
}

func (o *triggerOp[K, T]) Collect(r *dataflow.Rec[T]) error {
	o.at = r.TS
	o.keyed.SetKey(o.key(r.V))
	if o.w.a.kind == globalWindow {
		return o.addTo(r, globalSpan)
	}
	ts, err := o.timeOf(r)
	if err != nil {
		return err
	}
	a := &o.w.a
	late := true
	for s := floorTo(ts, a.offset, a.slide); s+a.size > ts; s -= a.slide {
		w := Span{s, s + a.size}
		if o.endOfLife(w) <= o.clock() {
			continue
		}
		late = false
		if err := o.addTo(r, w); err != nil {
			return err
		}
	}
	if late {
		return o.tooLate(r)
	}
	return nil
}

// endOfLife is when a window is forgotten.
func (o *triggerOp[K, T]) endOfLife(w Span) int64 {
	return addClamped(w.maxTimestamp(), o.w.lateness)
}

func (o *triggerOp[K, T]) addTo(r *dataflow.Rec[T], w Span) error {
	o.keyed.SetNamespace(state.Namespace{A: w.Start, B: w.End})
	if o.records.add(r) && w != globalSpan {
		o.timerAt(o.endOfLife(w))
	}
	return o.decide(w, func() Action { return o.trigger.onRecord(&o.ctx, r.V, r.TS) })
}

// decide asks the trigger, with its state at hand, and does what it says.
func (o *triggerOp[K, T]) decide(w Span, ask func() Action) error {
	o.cur, _ = o.state.Get()
	o.ctx.State, o.ctx.Start, o.ctx.End = &o.cur, w.Start, w.End
	o.ctx.Watermark, o.ctx.Now = o.wm, o.now()
	action := ask()
	o.state.Set(o.cur)
	if action == Fire || action == FireAndPurge {
		o.one[0] = o.keyed.Namespace()
		if err := o.records.fire(w, o.one[:]); err != nil {
			return err
		}
	}
	if action == Purge || action == FireAndPurge {
		o.records.clear()
	}
	return o.stateErr()
}

func (o *triggerOp[K, T]) onTimer(ts int64, proc bool) error {
	ns := o.keyed.Namespace()
	w := Span{ns.A, ns.B}
	if o.at = ts; proc {
		o.at = dataflow.NoTimestamp
	}
	if err := o.decide(w, func() Action { return o.trigger.onTimer(&o.ctx, ts, proc) }); err != nil {
		return err
	}
	if proc {
		ts-- // see timerAt
	}
	if w != globalSpan && proc == o.w.a.proc && ts == o.endOfLife(w) {
		o.records.clear()
		o.state.Clear()
	}
	return nil
}
