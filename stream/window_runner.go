package stream

import (
	"context"
	"reflect"
)

// windowRunner is the WindowFunc of one subtask.
type windowRunner[K comparable, In, Res any] struct {
	o      *op
	make   func(*Setup[K]) any
	fn     WindowFunc[K, In, Res]
	clean  WindowCleaner[K] // nil if fn is none
	ctx    WindowCtx[K]
	now    moment
	window windowScope
}

func newWindowRunner[K comparable, In, Res, F any](o *op, factory func(*Setup[K]) F) *windowRunner[K, In, Res] {
	return &windowRunner[K, In, Res]{o: o, make: func(s *Setup[K]) any { return factory(s) }}
}

// attach makes the function of an operator's windows, with its state restored.
func attach[K comparable, T, In, Res any](ctx context.Context, x *windowOp[K, T], r *windowRunner[K, In, Res]) error {
	r.window = windowScope{k: x.keyed, per: true}
	s := &Setup[K]{o: r.o, b: &x.base, keyed: x.keyed, key: true, now: &r.now,
		scope: &windowScope{k: x.keyed}, windows: &windowSetup{scope: &r.window}}
	r.fn = r.make(s).(WindowFunc[K, In, Res])
	if s.err != nil {
		return s.err
	}
	x.watch(r.fn)
	r.clean, _ = r.fn.(WindowCleaner[K])
	r.ctx.b = &x.base
	x.closing = func() error { return x.fail(closeUser(r.fn)) }
	x.ended = func(w Span) error { return x.fail(r.ended(x.keyed.Key(), w, x.wm)) }
	return x.fail(openUser(ctx, r.fn))
}

// call hands a window to the function.
func (r *windowRunner[K, In, Res]) call(info WindowInfo[K], v In, out *Out[Res]) error {
	r.ctx.WindowInfo, r.now.ts = info, out.rec.TS
	r.window.ns = Span{info.Start, info.End}.ns()
	if err := r.fn.OnWindow(&r.ctx, v, out); err != nil {
		return err
	}
	return r.now.err
}

// ended tells the function that a window is forgotten, and removes its state.
func (r *windowRunner[K, In, Res]) ended(key K, w Span, wm int64) error {
	r.window.ns = w.ns()
	if r.clean != nil {
		r.ctx.WindowInfo = WindowInfo[K]{Key: key, Start: w.Start, End: w.End, Watermark: wm}
		r.now.ts = w.maxTimestamp()
		if err := r.clean.OnClear(&r.ctx); err != nil {
			return err
		}
	}
	r.window.clear()
	return r.now.err
}

// planWindow adds the operator of a function and declares its states, those of the
// windows too. first is what comes before the function in the description.
func planWindow[K comparable, T, In, Res any, F WindowFunc[K, In, Res]](w *Windowed[K, T], first string, factory func(*Setup[K]) F, opts []Option) *op {
	o := addKeyedOp(w.in, "window", w.w.a.name(), opts)
	windows := &windowSetup{merging: w.w.a.merging, scope: &windowScope{per: true}}
	f := planWith(o, &Setup[K]{o: o, key: true, now: &moment{}, windows: windows}, factory)
	_, cleans := any(f).(WindowCleaner[K])
	w.w.life = cleans || windows.used
	checkCleaner[K](o, f, cleans)
	name := reflect.TypeFor[F]()
	if name.Kind() == reflect.Pointer {
		name = name.Elem()
	}
	function := name.Name()
	if name == reflect.TypeFor[plainWindow[K, In, Res]]() || function == "" {
		function = "WindowFunction"
	}
	w.w.declare(o, first+function)
	return o
}

// checkCleaner reports an OnClear of the wrong type, which would never be called.
func checkCleaner[K comparable](o *op, f any, cleans bool) {
	if f == nil || cleans {
		return
	}
	if m, has := reflect.TypeOf(f).MethodByName("OnClear"); has {
		o.env.failf("operator %q: %T.OnClear is %s, want func(*WindowCtx) error with the key's type", o.node.Name, f, m.Type)
	}
}
