package stream

import (
	"context"
	"errors"
	"fmt"

	"goflink/dataflow"
	"goflink/state"
)

// BroadcastFunc is what an operator with a broadcast input implements (Flink's
// BroadcastProcessFunction, and with a key KeyedBroadcastProcessFunction). One
// value serves one subtask; its methods are called on one goroutine. With a key
// it may be a TimerFunc.
//
// OnRecord and OnTimer read broadcast states; only OnBroadcast, which every
// subtask calls for every record of the broadcast input, can write them.
type BroadcastFunc[K comparable, A, B, Res any] interface {
	OnRecord(ctx *Ctx[K], v A, out *Out[Res]) error
	OnBroadcast(ctx *BroadcastCtx[K], v B, out *Out[Res]) error
}

// BroadcastCtx is the context of one call of OnBroadcast. It has no key: keyed
// state is reached through ApplyToKeyedState only, and there are no timers.
type BroadcastCtx[K comparable] struct {
	// Time is the event time of the record in milliseconds.
	Time int64

	states broadcastStates
	keyed  *state.Keyed[K] // nil without a key
	wm     *int64
	b      *base
}

// Watermark is the task's event time in milliseconds; no record at or before it
// is expected any more.
func (c *BroadcastCtx[K]) Watermark() int64 { return *c.wm }

// Now is the processing time in milliseconds.
func (c *BroadcastCtx[K]) Now() int64 { return c.b.now() }

func (c *BroadcastCtx[K]) writes(b *broadcastStates) bool { return b == &c.states && b.open }

// ApplyToKeyedState calls f for every key of this subtask that has a value in the
// named keyed state, with that key current for all keyed states, in no particular
// order (Flink's applyToKeyedState). f may change the state of the key it is
// given. An error of f ends it and is returned.
func (c *BroadcastCtx[K]) ApplyToKeyedState(name string, f func(key K) error) error {
	if c.keyed == nil {
		return errors.New("there is no keyed state: use KeyBy and RunBroadcast in place of ProcessBroadcast")
	}
	if !c.states.open {
		return fmt.Errorf("ApplyToKeyedState(%q): called outside of OnBroadcast, with a context that was kept", name)
	}
	return c.keyed.EachKey(name, func(key K, _ state.Namespace) error { return f(key) })
}

// setUp readies the context for a factory and restores what it will declare.
func (c *BroadcastCtx[K]) setUp(b *base, s *Setup[K], wm *int64) {
	c.b, c.keyed, c.wm = b, s.keyed, wm
	c.states.operator, c.states.now = b.name, s.now
	if b.t.env.RestoreOf != nil {
		if r, ok := b.t.env.RestoreOf(b.id); ok {
			c.states.restored = r.Lists
		}
	}
	s.broadcast = &c.states
}

// opened frees what was restored, once the factory has declared its states.
func (c *BroadcastCtx[K]) opened() { c.states.restored = nil }

type broadcastRunOp[K comparable, A, B, Res any] struct {
	processOp[K, A, Res]
	both BroadcastFunc[K, A, B, Res]
	bctx BroadcastCtx[K]
}

func (p *broadcastRunOp[K, A, B, Res]) Open(ctx context.Context) error {
	defer p.bctx.opened()
	return p.processOp.Open(ctx)
}

func (p *broadcastRunOp[K, A, B, Res]) collectBroadcast(r *dataflow.Rec[B]) error {
	p.keyed.DropKey()
	p.bctx.Time, p.bctx.states.open = r.TS, true
	p.out.rec.TS, p.now.ts = r.TS, r.TS
	err := p.both.OnBroadcast(&p.bctx, r.V, &p.out)
	p.bctx.states.open = false
	p.keyed.SetNamespace(state.Namespace{})
	return p.done(err)
}

// Snapshot is that of the keyed state and the broadcast states.
func (p *broadcastRunOp[K, A, B, Res]) Snapshot(c dataflow.Checkpoint) (dataflow.OperatorSnapshot, error) {
	s, err := p.processOp.Snapshot(c)
	s.Lists = append(s.Lists, p.bctx.states.snapshot()...)
	return s, err
}

// RunBroadcast runs a keyed function beside a broadcast stream: factory makes it
// for each subtask. Records of s reach the subtask of their key, those of all
// reach every subtask.
func RunBroadcast[K comparable, A, B, Res any, F BroadcastFunc[K, A, B, Res]](s Keyed[K, A], all Stream[B], factory func(*Setup[K]) F, opts ...Option) Stream[Res] {
	o := addKeyedOpOfTwo(s, all.Broadcast(), "broadcast-process", "Co-Process-Broadcast-Keyed", opts)
	o.readsFirst(1)
	emits[Res](o)
	checkTimer[K, Res](o, plan(o, true, broadcasting(factory)))
	o.node.States = append(o.node.States, timersOf())
	o.build = func(t *task) error {
		p := &broadcastRunOp[K, A, B, Res]{}
		p.processOp = processOp[K, A, Res]{keyedBase: newKeyedBase(t, s.codec), o: o, key: s.key,
			make: func(s *Setup[K]) any {
				p.bctx.setUp(&p.base, s, &p.wm)
				p.both = factory(s)
				return p.both
			}}
		return installEmitter(t, p, &p.base, &p.out, p.Collect, p.collectBroadcast)
	}
	return streamOf[Res](o)
}

// broadcasting makes a factory whose Setup takes broadcast states, for the plan.
func broadcasting[K comparable, F any](factory func(*Setup[K]) F) func(*Setup[K]) F {
	return func(s *Setup[K]) F {
		s.broadcast = &broadcastStates{}
		return factory(s)
	}
}

type broadcastPlainOp[A, B, Res any] struct {
	plainOp[A, Res]
	both BroadcastFunc[NoKey, A, B, Res]
	bctx BroadcastCtx[NoKey]
}

func (p *broadcastPlainOp[A, B, Res]) Open(ctx context.Context) error {
	defer p.bctx.opened()
	return p.plainOp.Open(ctx)
}

func (p *broadcastPlainOp[A, B, Res]) collectBroadcast(r *dataflow.Rec[B]) error {
	p.bctx.Time, p.bctx.states.open = r.TS, true
	p.out.rec.TS, p.now.ts = r.TS, r.TS
	err := p.both.OnBroadcast(&p.bctx, r.V, &p.out)
	p.bctx.states.open = false
	switch {
	case err != nil:
		return p.fail(err)
	case p.out.err != nil:
		return p.out.err
	}
	return p.now.err
}

// Snapshot is that of the broadcast states.
func (p *broadcastPlainOp[A, B, Res]) Snapshot(c dataflow.Checkpoint) (dataflow.OperatorSnapshot, error) {
	s, err := p.plainOp.Snapshot(c)
	s.Lists = append(s.Lists, p.bctx.states.snapshot()...)
	return s, err
}

// ProcessBroadcast runs a function without a key beside a broadcast stream:
// factory makes it for each subtask. Records of s keep their partitioning, those
// of all reach every subtask.
func ProcessBroadcast[A, B, Res any, F BroadcastFunc[NoKey, A, B, Res]](s Stream[A], all Stream[B], factory func(*Setup[NoKey]) F, opts ...Option) Stream[Res] {
	o := addOpOfTwo(s, all.Broadcast(), "broadcast-process", "Co-Process-Broadcast", opts)
	o.readsFirst(1)
	o.node.Stateful = true
	emits[Res](o)
	plan(o, false, broadcasting(factory))
	o.build = func(t *task) error {
		p := &broadcastPlainOp[A, B, Res]{}
		p.plainOp = plainOp[A, Res]{base: newBase(t), o: o, wm: dataflow.MinWatermark,
			make: func(s *Setup[NoKey]) any {
				p.bctx.setUp(&p.base, s, &p.wm)
				p.both = factory(s)
				return p.both
			}}
		return installEmitter(t, p, &p.base, &p.out, p.Collect, p.collectBroadcast)
	}
	return streamOf[Res](o)
}
