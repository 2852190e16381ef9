package stream

import (
	"context"

	"goflink/dataflow"
	"goflink/state"
)

// WindowFunc is what a window's function implements that has state, side outputs or
// a life of its own: Flink's ProcessWindowFunction. One value serves one subtask.
type WindowFunc[K comparable, In, Res any] interface {
	// OnWindow is called each time a window fires, with its records or what was
	// made of them.
	OnWindow(ctx *WindowCtx[K], v In, out *Out[Res]) error
}

// WindowCleaner is implemented by a WindowFunc that wants to know when a window is
// forgotten: when it and its lateness have passed (Flink's
// ProcessWindowFunction.clear). It may use side outputs. Per-window state is removed
// after it. Global windows are never forgotten, nor are windows that merged into
// others; their heir is.
type WindowCleaner[K comparable] interface {
	OnClear(ctx *WindowCtx[K]) error
}

// WindowCtx is the context of a WindowFunc.
type WindowCtx[K comparable] struct {
	WindowInfo[K]
	b *base
}

// Now is the processing time in milliseconds.
func (c *WindowCtx[K]) Now() int64 { return c.b.now() }

// RunWindow calls the OnWindow of a function that factory makes for each subtask,
// with all records of each window that fires. State that the factory declares is
// the key's, for all its windows (Flink's globalState); that of Setup.PerWindow is
// the window's (windowState). The slice is OnWindow's during the call only.
func RunWindow[K comparable, T, Res any, F WindowFunc[K, []T, Res]](w Windowed[K, T], factory func(*Setup[K]) F, opts ...Option) Stream[Res] {
	o := planWindow[K, T, []T, Res](&w, "", factory, opts)
	emits[Res](o)
	c, _ := declareAcc[dataflow.Rec[T]](o, "window-list")
	k, win := w.in, &w.w
	o.build = func(t *task) error {
		return buildWindow(t, k, win, func(x *windowOp[K, T]) (contents[T], error) {
			run := newWindowRunner[K, []T, Res](o, factory)
			l, err := newListContents(x, c, run.call)
			return &listRun[K, T, []T, Res]{l, run}, err
		})
	}
	return streamOf[Res](o)
}

// AggregateRun is RunWindow with what an aggregate made of the window's records: the
// window keeps an accumulator, not the records.
func AggregateRun[K comparable, T, Acc, V, Res any, F WindowFunc[K, V, Res]](w Windowed[K, T], a Aggregator[T, Acc, V], factory func(*Setup[K]) F, opts ...Option) Stream[Res] {
	result := func(_ *T, acc *Acc, _ K, _ Span) V { return a.Result(*acc) }
	return foldRun[K, T, Acc, V, Res](w, "AggregateFunction", aggregatorFolder(a), result, factory, opts)
}

// ReduceRun is RunWindow with the one record that reduce joined those of the window
// to, two by two; reduce may change a and return it.
func ReduceRun[K comparable, T, Res any, F WindowFunc[K, T, Res]](w Windowed[K, T], reduce func(a, b T) T, factory func(*Setup[K]) F, opts ...Option) Stream[Res] {
	c, _ := codecOf[T](w.in.in.env, "ReduceFunction")
	f := reduceFolder(c, func(acc, v *T) { *acc = reduce(*acc, *v) })
	return foldRun[K, T, T, T, Res](w, "ReduceFunction", f, reduced[K](c), factory, opts)
}

// AggregateApply is Aggregate with a function that makes any number of results of a
// window's one.
func AggregateApply[K comparable, T, Acc, V, Res any](w Windowed[K, T], a Aggregator[T, Acc, V], f func(info WindowInfo[K], v V, out *Out[Res]) error, opts ...Option) Stream[Res] {
	return AggregateRun[K, T, Acc, V, Res](w, a, func(*Setup[K]) plainWindow[K, V, Res] { return f }, opts...)
}

// ReduceApply is Reduce with a function that makes any number of results of a
// window's one.
func ReduceApply[K comparable, T, Res any](w Windowed[K, T], reduce func(a, b T) T, f func(info WindowInfo[K], v T, out *Out[Res]) error, opts ...Option) Stream[Res] {
	return ReduceRun[K, T, Res](w, reduce, func(*Setup[K]) plainWindow[K, T, Res] { return f }, opts...)
}

// plainWindow is a WindowFunc without state.
type plainWindow[K comparable, V, Res any] func(info WindowInfo[K], v V, out *Out[Res]) error

// OnWindow calls the function.
func (f plainWindow[K, V, Res]) OnWindow(ctx *WindowCtx[K], v V, out *Out[Res]) error {
	return f(ctx.WindowInfo, v, out)
}

// foldRun builds a window operator that keeps accumulators and calls a function
// with what they result in; with an evictor it keeps records and folds them when
// the window fires.
func foldRun[K comparable, T, Acc, V, Res any, F WindowFunc[K, V, Res]](w Windowed[K, T], name string, f folder[T, Acc], result resultFunc[K, T, Acc, V], factory func(*Setup[K]) F, opts []Option) Stream[Res] {
	o := planWindow[K, T, V, Res](&w, name+", ", factory, opts)
	emits[Res](o)
	k, win := w.in, &w.w
	if win.evictor != nil {
		c, _ := declareAcc[dataflow.Rec[T]](o, "window-list")
		o.build = func(t *task) error {
			return buildWindow(t, k, win, func(x *windowOp[K, T]) (contents[T], error) {
				run := newWindowRunner[K, V, Res](o, factory)
				l, err := newListContents(x, c, func(info WindowInfo[K], vs []T, out *Out[Res]) error {
					if acc, ok := f.all(vs); ok {
						return run.call(info, result(nil, &acc, info.Key, Span{info.Start, info.End}), out)
					}
					return nil
				})
				return &listRun[K, T, V, Res]{l, run}, err
			})
		}
		return streamOf[Res](o)
	}
	c, _ := declareAcc[Acc](o, "window")
	o.build = func(t *task) error {
		return buildWindow(t, k, win, func(x *windowOp[K, T]) (contents[T], error) {
			out, err := mainOutput[Res](&x.base)
			return &foldedRun[K, T, Acc, V, Res]{
				foldContents: foldContents[K, T, Acc, V]{o: x, codec: c, fold: f, result: result},
				run:          newWindowRunner[K, V, Res](o, factory), out: Out[Res]{next: out}}, err
		})
	}
	return streamOf[Res](o)
}

// foldedRun is foldContents with a function behind.
type foldedRun[K comparable, T, Acc, V, Res any] struct {
	foldContents[K, T, Acc, V]
	run *windowRunner[K, V, Res]
	out Out[Res]
}

func (c *foldedRun[K, T, Acc, V, Res]) open(ctx context.Context) error {
	if err := c.foldContents.open(ctx); err != nil {
		return err
	}
	return attach(ctx, c.o, c.run)
}

func (c *foldedRun[K, T, Acc, V, Res]) fire(s Span, from []state.Namespace) error {
	acc, have := c.gather(from)
	if !have {
		return nil
	}
	info := WindowInfo[K]{Key: c.o.keyed.Key(), Start: s.Start, End: s.End, Watermark: c.o.wm}
	c.out.rec.TS = c.o.outTime(s)
	if err := c.run.call(info, c.result(nil, &acc, info.Key, s), &c.out); err != nil {
		return c.o.fail(err)
	}
	return c.out.err
}

// listRun is listContents with a function that has a life of its own.
type listRun[K comparable, T, V, Res any] struct {
	*listContents[K, T, Res]
	run *windowRunner[K, V, Res]
}

func (c *listRun[K, T, V, Res]) open(ctx context.Context) error {
	if err := c.listContents.open(ctx); err != nil {
		return err
	}
	return attach(ctx, c.o, c.run)
}
