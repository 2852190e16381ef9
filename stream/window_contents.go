package stream

import (
	"context"
	"fmt"

	"goflink/codec"
	"goflink/dataflow"
	"goflink/state"
)

// contents is what windows hold, for the current key, by namespace: a window, a
// pane or a session.
type contents[T any] interface {
	open(ctx context.Context) error
	// add puts a record into the current namespace; created tells that it is
	// the first one there.
	add(r *dataflow.Rec[T]) (created bool)
	has() bool
	clear()
	// fire emits the result of a window that is made of these namespaces.
	fire(s Span, from []state.Namespace) error
	// merge moves the contents of sources to target.
	merge(target state.Namespace, sources []state.Namespace)
}

// foldContents keeps an accumulator.
type foldContents[K comparable, T, Acc, Res any] struct {
	o      *windowOp[K, T]
	codec  codec.Codec[Acc]
	fold   folder[T, Acc]
	result resultFunc[K, T, Acc, Res]
	value  state.Value[Acc]
	next   dataflow.Input[Res]
	rec    dataflow.Rec[Res]
}

func (c *foldContents[K, T, Acc, Res]) open(context.Context) (err error) {
	c.value, err = state.NewValue(c.o.keyed, state.Desc[Acc]{Name: accState, Codec: c.codec})
	return err
}

func (c *foldContents[K, T, Acc, Res]) add(r *dataflow.Rec[T]) bool {
	acc, created := c.value.Ptr()
	if created {
		c.fold.first(acc, &r.V)
	} else {
		c.fold.add(acc, &r.V)
	}
	return created
}

func (c *foldContents[K, T, Acc, Res]) has() bool {
	_, ok := c.value.Get()
	return ok
}

func (c *foldContents[K, T, Acc, Res]) clear() { c.value.Clear() }

func (c *foldContents[K, T, Acc, Res]) fire(s Span, from []state.Namespace) error {
	acc, have := c.gather(from)
	if !have {
		return nil
	}
	c.rec.V, c.rec.TS = c.result(nil, &acc, c.o.keyed.Key(), s), c.o.outTime(s)
	return c.next.Collect(&c.rec)
}

// gather puts an accumulator together.
func (c *foldContents[K, T, Acc, Res]) gather(from []state.Namespace) (acc Acc, have bool) {
	for _, ns := range from {
		c.o.keyed.SetNamespace(ns)
		x, ok := c.value.Get()
		switch {
		case !ok:
		case have:
			c.fold.merge(&acc, &x)
		case len(from) > 1 && !c.codec.Flat():
			acc, have = c.codec.Copy(x), true // merge changes it
		default:
			acc, have = x, true
		}
	}
	return acc, have
}

func (c *foldContents[K, T, Acc, Res]) merge(target state.Namespace, sources []state.Namespace) {
	state.MergeValue(c.o.keyed, c.value, target, sources, func(a, b Acc) Acc {
		c.fold.merge(&a, &b)
		return a
	})
}

// windowFold builds a window operator that keeps accumulators; with an evictor
// it keeps records and folds them when the window fires.
func windowFold[K comparable, T, Acc, Res any](k Keyed[K, T], w *windowing[T], name string, f folder[T, Acc], result resultFunc[K, T, Acc, Res], opts []Option) Stream[Res] {
	name += ", PassThroughWindowFunction"
	if w.evictor != nil {
		return windowList(k, w, name, func(info WindowInfo[K], vs []T, out *Out[Res]) error {
			if acc, ok := f.all(vs); ok {
				out.Emit(result(nil, &acc, info.Key, Span{info.Start, info.End}))
			}
			return nil
		}, opts)
	}
	o := addWindowOp(k, w, name, opts)
	emits[Res](o)
	c, _ := declareAcc[Acc](o, "window")
	o.build = func(t *task) error {
		return buildWindow(t, k, w, func(x *windowOp[K, T]) (contents[T], error) {
			out, err := mainOutput[Res](&x.base)
			return &foldContents[K, T, Acc, Res]{o: x, codec: c, fold: f, result: result, next: out}, err
		})
	}
	return streamOf[Res](o)
}

// listContents keeps the records themselves.
type listContents[K comparable, T, Res any] struct {
	o     *windowOp[K, T]
	codec codec.Codec[dataflow.Rec[T]]
	f     func(info WindowInfo[K], vs []T, out *Out[Res]) error
	list  state.List[dataflow.Rec[T]]
	out   Out[Res]
	copy  func(T) T // nil for flat types
	recs  []dataflow.Rec[T]
	vs    []T
}

func (c *listContents[K, T, Res]) open(context.Context) (err error) {
	c.list, err = state.NewList(c.o.keyed, state.Desc[dataflow.Rec[T]]{Name: accState, Codec: c.codec})
	return err
}

func (c *listContents[K, T, Res]) add(r *dataflow.Rec[T]) bool {
	created := c.list.Empty()
	c.list.Add(*r)
	return created
}

func (c *listContents[K, T, Res]) has() bool { return !c.list.Empty() }
func (c *listContents[K, T, Res]) clear()    { c.list.Clear() }

func (c *listContents[K, T, Res]) fire(s Span, from []state.Namespace) error {
	c.recs = c.recs[:0]
	for _, ns := range from {
		c.o.keyed.SetNamespace(ns)
		c.list.Each(func(r dataflow.Rec[T]) bool {
			c.recs = append(c.recs, r)
			return true
		})
	}
	if len(c.recs) == 0 {
		return nil
	}
	e := c.o.w.evictor // its windows have one namespace
	if e != nil && e.before != nil {
		c.evictInto(e.before, s)
	}
	err := c.call(s)
	if err == nil && e != nil && e.after != nil {
		c.o.keyed.SetNamespace(from[0])
		c.evictInto(e.after, s)
	}
	clear(c.recs)
	return err
}

// call calls the function with the records at hand.
func (c *listContents[K, T, Res]) call(s Span) error {
	c.vs = c.vs[:0]
	for i := range c.recs {
		c.vs = append(c.vs, c.value(c.recs[i].V))
	}
	c.out.rec.TS = c.o.outTime(s)
	err := c.f(WindowInfo[K]{Key: c.o.keyed.Key(), Start: s.Start, End: s.End, Watermark: c.o.wm}, c.vs, &c.out)
	clear(c.vs)
	if err != nil {
		return c.o.fail(err)
	}
	return c.out.err
}

// value is v as it may be handed out: the state keeps its own.
func (c *listContents[K, T, Res]) value(v T) T {
	if c.copy == nil {
		return v
	}
	return c.copy(v)
}

func (c *listContents[K, T, Res]) merge(target state.Namespace, sources []state.Namespace) {
	state.MergeList(c.o.keyed, c.list, target, sources)
}

func windowList[K comparable, T, Res any](k Keyed[K, T], w *windowing[T], name string, f func(info WindowInfo[K], vs []T, out *Out[Res]) error, opts []Option) Stream[Res] {
	o := addWindowOp(k, w, name, opts)
	emits[Res](o)
	c, _ := declareAcc[dataflow.Rec[T]](o, "window-list")
	o.build = func(t *task) error {
		return buildWindow(t, k, w, func(x *windowOp[K, T]) (contents[T], error) {
			return newListContents(x, c, f)
		})
	}
	return streamOf[Res](o)
}

func newListContents[K comparable, T, Res any](x *windowOp[K, T], c codec.Codec[dataflow.Rec[T]], f func(info WindowInfo[K], vs []T, out *Out[Res]) error) (*listContents[K, T, Res], error) {
	out, err := mainOutput[Res](&x.base)
	l := &listContents[K, T, Res]{o: x, codec: c, f: f, out: Out[Res]{next: out}}
	if !c.Flat() {
		l.copy = func(v T) T { return c.Copy(dataflow.Rec[T]{V: v}).V }
	}
	return l, err
}

// applied is the function of Apply, which Flink's descriptions call so.
const applied = "InternalIterableWindowFunction"

func addWindowOp[K comparable, T any](k Keyed[K, T], w *windowing[T], function string, opts []Option) *op {
	o := addKeyedOp(k, "window", w.a.name(), opts)
	w.declare(o, function)
	return o
}

// declare checks the window of an operator and declares its states; function is
// what Flink's description calls the window function.
func (w *windowing[T]) declare(o *op, function string) {
	w.check(o)
	if w.all {
		o.single()
	}
	if o.node.Description == "" && !o.named {
		o.node.Description = "Window(" + w.describe() + ", " + function + ")"
	}
	o.node.States = append(o.node.States, timersOf())
	switch {
	case w.asks():
		declareTrigger[T](o)
		if w.a.merging {
			declareOwn[[]liveWindow](o, mergingState, "windows")
		}
	case w.a.kind == sessionWindows:
		declareSessions(o)
	}
}

// describe is the inner part of Flink's description of a window.
func (w *windowing[T]) describe() string {
	text := w.a.name()
	switch w.a.kind {
	case alignedWindows:
		text += fmt.Sprintf("(%d", w.a.size)
		if w.a.slide != w.a.size {
			text += fmt.Sprintf(", %d", w.a.slide)
		}
		if w.a.offset != 0 {
			text += fmt.Sprintf(", offset=%d", w.a.offset)
		}
		text += ")"
	case sessionWindows:
		if w.a.of == nil {
			text += fmt.Sprintf("(%d)", w.a.gap)
		}
	case globalWindow:
		text += "(trigger=NeverTrigger)"
	}
	text += ", " + w.triggerOf().name
	if w.evictor != nil {
		text += ", " + w.evictor.name
	}
	return text
}

// windowOperator is one of the kinds of window operators.
type windowOperator[T any] interface {
	dataflow.Operator
	dataflow.Input[T]
}

func buildWindow[K comparable, T any](t *task, k Keyed[K, T], w *windowing[T], make func(*windowOp[K, T]) (contents[T], error)) error {
	op, err := newWindow(t, k, w, make)
	if err == nil {
		t.install(op, op)
	}
	return err
}

// newWindow makes the operator of one subtask, without what feeds it.
func newWindow[K comparable, T any](t *task, k Keyed[K, T], w *windowing[T], make func(*windowOp[K, T]) (contents[T], error)) (windowOperator[T], error) {
	x := windowOp[K, T]{keyedBase: newKeyedBase(t, k.codec), w: w, key: k.key}
	if w.late != nil {
		late, err := sideOutput[T](&x.base, w.late.name)
		if err != nil {
			return nil, err
		}
		x.late = late
	}
	op, inner := newWindowOperator(x)
	c, err := make(inner)
	if err != nil {
		return nil, err
	}
	inner.records = c
	return op, nil
}

// newWindowOperator picks the operator that a window definition needs, and
// returns it with its common part.
func newWindowOperator[K comparable, T any](x windowOp[K, T]) (windowOperator[T], *windowOp[K, T]) {
	switch {
	case x.w.asks() && x.w.a.merging:
		o := &mergingOp[K, T]{triggered: triggered[K, T]{windowOp: x}}
		return o, &o.windowOp
	case x.w.asks():
		o := &triggerOp[K, T]{triggered: triggered[K, T]{windowOp: x}}
		return o, &o.windowOp
	case x.w.a.kind == sessionWindows:
		o := &sessionOp[K, T]{windowOp: x, gap: x.w.gapOf()}
		return o, &o.windowOp
	case x.w.a.slide < x.w.a.size:
		o := &slidingOp[K, T]{windowOp: x, slice: gcd(x.w.a.size, x.w.a.slide)}
		return o, &o.windowOp
	}
	o := &tumblingOp[K, T]{windowOp: x}
	return o, &o.windowOp
}

func gcd(a, b int64) int64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// open opens state and contents; onTimer serves both kinds of time.
func (o *windowOp[K, T]) open(ctx context.Context, onTimer func(ts int64) error) error {
	if err := o.openState(ctx); err != nil {
		return err
	}
	if g := o.t.env.Metrics; g != nil {
		o.dropped = g.Counter("numLateRecordsDropped")
	}
	o.onEvent = onTimer
	o.onProc = func(ts int64) error { return onTimer(ts - 1) } // see timerAt
	if err := o.records.open(ctx); err != nil {
		return o.stateError(err)
	}
	return nil
}

// Close closes the windows' function and the state.
func (o *windowOp[K, T]) Close() error {
	var err error
	if o.closing != nil {
		err = o.closing()
	}
	if serr := o.keyedBase.Close(); err == nil {
		err = serr
	}
	return err
}
