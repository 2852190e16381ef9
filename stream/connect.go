package stream

import (
	"context"
	"fmt"

	"goflink/dataflow"
)

// Connected is two streams, mostly of different types, that one operator reads
// (Flink's ConnectedStreams). Records of one input keep their order, those of
// different inputs come in no particular order. The operator's event time is the
// lower one of its inputs.
type Connected[A, B any] struct {
	first  Stream[A]
	second Stream[B]
}

// Connect pairs two streams for CoMap, CoFlatMap and CoProcess. Each keeps its
// partitioning.
func Connect[A, B any](first Stream[A], second Stream[B]) Connected[A, B] {
	return Connected[A, B]{first, second}
}

// ConnectedKeyed is two streams with keys of one type: records with equal keys of
// both reach the same subtask and share its state and timers.
type ConnectedKeyed[K comparable, A, B any] struct {
	first  Keyed[K, A]
	second Keyed[K, B]
}

// ConnectKeyed pairs two keyed streams for CoRun, CoMap and CoFlatMap, for joins
// over windows (Window) and over intervals of time (Between).
func ConnectKeyed[K comparable, A, B any](first Keyed[K, A], second Keyed[K, B]) ConnectedKeyed[K, A, B] {
	return ConnectedKeyed[K, A, B]{first, second}
}

// Connection is two streams, keyed or not: what CoMap and CoFlatMap take.
type Connection[A, B any] interface {
	pair() (Stream[A], Stream[B])
}

func (c Connected[A, B]) pair() (Stream[A], Stream[B]) { return c.first, c.second }

func (c ConnectedKeyed[K, A, B]) pair() (Stream[A], Stream[B]) { return c.first.in, c.second.in }

type coMapOp[A, B, Res any] struct {
	base
	first  func(A) Res
	second func(B) Res
	next   dataflow.Input[Res]
	rec    dataflow.Rec[Res]
}

func (o *coMapOp[A, B, Res]) collectFirst(r *dataflow.Rec[A]) error {
	o.rec.V, o.rec.TS = o.first(r.V), r.TS
	return o.next.Collect(&o.rec)
}

func (o *coMapOp[A, B, Res]) collectSecond(r *dataflow.Rec[B]) error {
	o.rec.V, o.rec.TS = o.second(r.V), r.TS
	return o.next.Collect(&o.rec)
}

// CoMap replaces every record of the first input by first of it, and every one of
// the second input by second of it.
func CoMap[A, B, Res any](c Connection[A, B], first func(A) Res, second func(B) Res, opts ...Option) Stream[Res] {
	a, b := c.pair()
	o := addOpOfTwo(a, b, "co-map", "Co-Map", opts)
	emits[Res](o)
	o.build = func(t *task) error {
		x := &coMapOp[A, B, Res]{base: newBase(t), first: first, second: second}
		out, err := mainOutput[Res](&x.base)
		if err != nil {
			return err
		}
		x.next = out
		installTwo(t, x, x.collectFirst, x.collectSecond)
		return nil
	}
	return streamOf[Res](o)
}

type coFlatMapOp[A, B, Res any] struct {
	base
	first  func(A, *Out[Res]) error
	second func(B, *Out[Res]) error
	out    Out[Res]
}

func (o *coFlatMapOp[A, B, Res]) collectFirst(r *dataflow.Rec[A]) error {
	o.out.rec.TS = r.TS
	if err := o.first(r.V, &o.out); err != nil {
		return o.fail(err)
	}
	return o.out.err
}

func (o *coFlatMapOp[A, B, Res]) collectSecond(r *dataflow.Rec[B]) error {
	o.out.rec.TS = r.TS
	if err := o.second(r.V, &o.out); err != nil {
		return o.fail(err)
	}
	return o.out.err
}

// CoFlatMap calls first for every record of the first input and second for every
// one of the second input; both emit any number of results. An error fails the
// job.
func CoFlatMap[A, B, Res any](c Connection[A, B], first func(v A, out *Out[Res]) error, second func(v B, out *Out[Res]) error, opts ...Option) Stream[Res] {
	a, b := c.pair()
	o := addOpOfTwo(a, b, "co-flatmap", "Co-Flat Map", opts)
	emits[Res](o)
	o.build = func(t *task) error {
		x := &coFlatMapOp[A, B, Res]{base: newBase(t), first: first, second: second}
		return installEmitter(t, x, &x.base, &x.out, x.collectFirst, x.collectSecond)
	}
	return streamOf[Res](o)
}

// CoFunc is what an operator with two inputs implements (Flink's
// CoProcessFunction, and with a key KeyedCoProcessFunction). One value serves one
// subtask; its methods are called on one goroutine. With a key it may be a
// TimerFunc; both inputs share its state and timers.
type CoFunc[K comparable, A, B, Res any] interface {
	OnFirst(ctx *Ctx[K], v A, out *Out[Res]) error
	OnSecond(ctx *Ctx[K], v B, out *Out[Res]) error
}

// firstOf is a CoFunc as the operators of one input know functions; the rest of
// it is called beside them.
type firstOf[K comparable, A, B, Res any] struct{ fn CoFunc[K, A, B, Res] }

func (f firstOf[K, A, B, Res]) OnRecord(ctx *Ctx[K], v A, out *Out[Res]) error {
	return f.fn.OnFirst(ctx, v, out)
}

func (f firstOf[K, A, B, Res]) OnTimer(ctx *Ctx[K], out *Out[Res]) error {
	if t, ok := f.fn.(TimerFunc[K, Res]); ok {
		return t.OnTimer(ctx, out)
	}
	return fmt.Errorf("%T set a timer but has no OnTimer", f.fn)
}

func (f firstOf[K, A, B, Res]) Open(ctx context.Context) error { return openUser(ctx, f.fn) }
func (f firstOf[K, A, B, Res]) Close() error                   { return closeUser(f.fn) }

// function is what the hooks of checkpoints are looked for at.
func (f firstOf[K, A, B, Res]) function() any { return f.fn }

type coRunOp[K comparable, A, B, Res any] struct {
	processOp[K, A, Res]
	co        CoFunc[K, A, B, Res]
	secondKey func(B) K
}

func (p *coRunOp[K, A, B, Res]) collectSecond(r *dataflow.Rec[B]) error {
	k := p.secondKey(r.V)
	p.keyed.SetKey(k)
	p.ctx.Key, p.ctx.Time, p.ctx.ProcessingTime = k, r.TS, false
	p.out.rec.TS, p.now.ts = r.TS, r.TS
	return p.done(p.co.OnSecond(&p.ctx, r.V, &p.out))
}

// CoRun runs a keyed function with two inputs that factory makes for each
// subtask. A, B and Res are inferred from its methods.
func CoRun[K comparable, A, B, Res any, F CoFunc[K, A, B, Res]](c ConnectedKeyed[K, A, B], factory func(*Setup[K]) F, opts ...Option) Stream[Res] {
	o := addKeyedOpOfTwo(c.first, c.second.in, "co-process", "Co-Keyed-Process", opts)
	emits[Res](o)
	checkTimer[K, Res](o, plan(o, true, factory))
	o.node.States = append(o.node.States, timersOf())
	o.build = func(t *task) error {
		p := &coRunOp[K, A, B, Res]{secondKey: c.second.key}
		p.processOp = processOp[K, A, Res]{keyedBase: newKeyedBase(t, c.first.codec), o: o, key: c.first.key,
			make: func(s *Setup[K]) any {
				p.co = factory(s)
				return firstOf[K, A, B, Res]{p.co}
			}}
		return installEmitter(t, p, &p.base, &p.out, p.Collect, p.collectSecond)
	}
	return streamOf[Res](o)
}

type coPlainOp[A, B, Res any] struct {
	plainOp[A, Res]
	co CoFunc[NoKey, A, B, Res]
}

func (p *coPlainOp[A, B, Res]) collectSecond(r *dataflow.Rec[B]) error {
	p.ctx.Time, p.out.rec.TS, p.now.ts = r.TS, r.TS, r.TS
	if err := p.co.OnSecond(&p.ctx, r.V, &p.out); err != nil {
		return p.fail(err)
	}
	if p.out.err != nil {
		return p.out.err
	}
	return p.now.err
}

// CoProcess runs a function with two inputs and without key, state or timers that
// factory makes for each subtask; it may have side outputs.
func CoProcess[A, B, Res any, F CoFunc[NoKey, A, B, Res]](c Connected[A, B], factory func(*Setup[NoKey]) F, opts ...Option) Stream[Res] {
	o := addOpOfTwo(c.first, c.second, "co-process", "Co-Process", opts)
	emits[Res](o)
	plan(o, false, factory)
	o.build = func(t *task) error {
		p := &coPlainOp[A, B, Res]{}
		p.plainOp = plainOp[A, Res]{base: newBase(t), o: o, wm: dataflow.MinWatermark,
			make: func(s *Setup[NoKey]) any {
				p.co = factory(s)
				return firstOf[NoKey, A, B, Res]{p.co}
			}}
		return installEmitter(t, p, &p.base, &p.out, p.Collect, p.collectSecond)
	}
	return streamOf[Res](o)
}
