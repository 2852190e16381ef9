package stream

import (
	"context"
	"fmt"
	"reflect"

	"goflink/dataflow"
	"goflink/state"
)

// KeyedFunc is what a keyed operator implements. One value serves one subtask;
// its methods are called on one goroutine.
type KeyedFunc[K comparable, In, Res any] interface {
	OnRecord(ctx *Ctx[K], v In, out *Out[Res]) error
}

// TimerFunc is implemented by a KeyedFunc that sets timers.
type TimerFunc[K comparable, Res any] interface {
	OnTimer(ctx *Ctx[K], out *Out[Res]) error
}

// Opener is implemented by functions that ready themselves, after their state
// was restored and before the first record.
type Opener interface {
	Open(ctx context.Context) error
}

// Closer is implemented by functions that hold resources.
type Closer interface {
	Close() error
}

// Ctx is the context of one call of a keyed function.
type Ctx[K comparable] struct {
	// Key is the current key.
	Key K
	// Time is the event time of the record, or the time of the timer, in
	// milliseconds.
	Time int64
	// ProcessingTime is true in OnTimer for a timer of processing time.
	ProcessingTime bool

	wm     *int64
	timers *state.Timers[K]
	b      *base
}

// Watermark is the task's event time in milliseconds; no record at or before it
// is expected any more.
func (c *Ctx[K]) Watermark() int64 { return *c.wm }

// Now is the processing time in milliseconds.
func (c *Ctx[K]) Now() int64 { return c.b.now() }

// TimerAt asks for OnTimer at event time ms for the current key. Setting the same
// timer twice has no effect.
func (c *Ctx[K]) TimerAt(ms int64) {
	if s := c.service(); !c.over() {
		s.RegisterEvent(ms)
	}
}

// over tells that the key is at its end in BATCH: a timer that sets the next one
// would never come to an end.
func (c *Ctx[K]) over() bool { return c.b.quiet }

// DeleteTimer takes TimerAt back.
func (c *Ctx[K]) DeleteTimer(ms int64) { c.service().DeleteEvent(ms) }

// ProcTimerAt asks for OnTimer at processing time ms for the current key.
func (c *Ctx[K]) ProcTimerAt(ms int64) {
	if s := c.service(); !c.over() {
		s.RegisterProc(ms)
	}
}

// DeleteProcTimer takes ProcTimerAt back.
func (c *Ctx[K]) DeleteProcTimer(ms int64) { c.service().DeleteProc(ms) }

func (c *Ctx[K]) service() *state.Timers[K] {
	if c.timers == nil {
		panic("timers need a key: use KeyBy and Run in place of Process")
	}
	return c.timers
}

type processOp[K comparable, In, Res any] struct {
	keyedBase[K]
	o     *op
	key   func(In) K
	make  func(*Setup[K]) any
	fn    KeyedFunc[K, In, Res]
	timer TimerFunc[K, Res]
	ctx   Ctx[K]
	out   Out[Res]
	now   moment
}

// Open makes the function, with its state restored.
func (p *processOp[K, In, Res]) Open(ctx context.Context) error {
	if err := p.openState(ctx); err != nil {
		return err
	}
	s := &Setup[K]{o: p.o, b: &p.base, keyed: p.keyed, key: true, now: &p.now}
	p.fn = p.make(s).(KeyedFunc[K, In, Res])
	if s.err != nil {
		return s.err
	}
	p.watch(p.fn)
	p.timer, _ = p.fn.(TimerFunc[K, Res])
	p.ctx = Ctx[K]{wm: &p.wm, timers: p.timers, b: &p.base}
	p.onEvent = func(ts int64) error { return p.fire(ts, false) }
	p.onProc = func(ts int64) error { return p.fire(ts, true) }
	return p.fail(openUser(ctx, p.fn))
}

func openUser(ctx context.Context, fn any) error {
	if o, ok := fn.(Opener); ok {
		return o.Open(ctx)
	}
	return nil
}

// Collect calls the function with the record's key set.
func (p *processOp[K, In, Res]) Collect(r *dataflow.Rec[In]) error {
	k := p.key(r.V)
	p.keyed.SetKey(k)
	p.ctx.Key, p.ctx.Time, p.ctx.ProcessingTime = k, r.TS, false
	p.out.rec.TS, p.now.ts = r.TS, r.TS
	return p.done(p.fn.OnRecord(&p.ctx, r.V, &p.out))
}

func (p *processOp[K, In, Res]) fire(ts int64, proc bool) error {
	if p.timer == nil {
		return p.fail(fmt.Errorf("%T set a timer but has no OnTimer", p.fn))
	}
	p.ctx.Key, p.ctx.Time, p.ctx.ProcessingTime = p.keyed.Key(), ts, proc
	p.out.rec.TS, p.now.ts = ts, ts
	if proc { // a record that comes of the clock has no event time
		p.out.rec.TS, p.now.ts = dataflow.NoTimestamp, dataflow.NoTimestamp
	}
	return p.done(p.timer.OnTimer(&p.ctx, &p.out))
}

// done reports the function's error, or that of what it emitted, or of its
// state.
func (p *processOp[K, In, Res]) done(err error) error {
	switch {
	case err != nil:
		return p.fail(err)
	case p.out.err != nil:
		return p.out.err
	case p.now.err != nil:
		return p.now.err
	}
	if err := p.keyed.Err(); err != nil {
		return p.stateError(err)
	}
	return nil
}

// Close closes the function and its state.
func (p *processOp[K, In, Res]) Close() error {
	err := p.fail(closeUser(p.fn))
	if serr := p.keyedBase.Close(); err == nil {
		err = serr
	}
	return err
}

func closeUser(fn any) error {
	if c, ok := fn.(Closer); ok {
		return c.Close()
	}
	return nil
}

// Run runs a keyed function that factory makes for each subtask. In and Res are
// inferred from its OnRecord.
func Run[K comparable, In, Res any, F KeyedFunc[K, In, Res]](s Keyed[K, In], factory func(*Setup[K]) F, opts ...Option) Stream[Res] {
	o := addKeyedOp(s, "process", "KeyedProcess", opts)
	emits[Res](o)
	checkTimer[K, Res](o, plan(o, true, factory))
	o.node.States = append(o.node.States, timersOf())
	o.build = func(t *task) error {
		p := &processOp[K, In, Res]{keyedBase: newKeyedBase(t, s.codec), o: o, key: s.key,
			make: func(s *Setup[K]) any { return factory(s) }}
		out, err := mainOutput[Res](&p.base)
		if err != nil {
			return err
		}
		p.out.next = out
		t.install(p, p)
		return nil
	}
	return streamOf[Res](o)
}

// checkTimer reports an OnTimer of the wrong type, which would never be called.
func checkTimer[K comparable, Res any](o *op, probe any) {
	if _, ok := probe.(TimerFunc[K, Res]); ok || probe == nil {
		return
	}
	if m, has := reflect.TypeOf(probe).MethodByName("OnTimer"); has {
		o.env.failf("operator %q: %T.OnTimer is %s, want func(*Ctx, *Out) error with the types of OnRecord", o.node.Name, probe, m.Type)
	}
}

type plainOp[In, Res any] struct {
	base
	o    *op
	make func(*Setup[NoKey]) any
	fn   KeyedFunc[NoKey, In, Res]
	ctx  Ctx[NoKey]
	out  Out[Res]
	now  moment
	wm   int64
}

func (p *plainOp[In, Res]) Open(ctx context.Context) error {
	s := &Setup[NoKey]{o: p.o, b: &p.base, now: &p.now}
	p.fn = p.make(s).(KeyedFunc[NoKey, In, Res])
	if s.err != nil {
		return s.err
	}
	p.watch(p.fn)
	p.ctx = Ctx[NoKey]{wm: &p.wm, b: &p.base}
	return p.fail(openUser(ctx, p.fn))
}

func (p *plainOp[In, Res]) Collect(r *dataflow.Rec[In]) error {
	p.ctx.Time, p.out.rec.TS, p.now.ts = r.TS, r.TS, r.TS
	if err := p.fn.OnRecord(&p.ctx, r.V, &p.out); err != nil {
		return p.fail(err)
	}
	if p.out.err != nil {
		return p.out.err
	}
	return p.now.err
}

func (p *plainOp[In, Res]) Watermark(ts int64) error {
	p.wm = ts
	return p.sendWatermark(ts)
}

func (p *plainOp[In, Res]) Close() error { return p.fail(closeUser(p.fn)) }

// Process runs a function without key, keyed state or timers that factory makes
// for each subtask; it may have side outputs and lists of operator state.
func Process[In, Res any, F KeyedFunc[NoKey, In, Res]](s Stream[In], factory func(*Setup[NoKey]) F, opts ...Option) Stream[Res] {
	o := addOpOf(s, "process", "Process", opts)
	emits[Res](o)
	plan(o, false, factory)
	o.build = func(t *task) error {
		p := &plainOp[In, Res]{base: newBase(t), o: o, wm: dataflow.MinWatermark,
			make: func(s *Setup[NoKey]) any { return factory(s) }}
		out, err := mainOutput[Res](&p.base)
		if err != nil {
			return err
		}
		p.out.next = out
		t.install(p, p)
		return nil
	}
	return streamOf[Res](o)
}
