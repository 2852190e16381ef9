package stream

import (
	"context"
	"slices"

	"goflink/codec"
	"goflink/dataflow"
	"goflink/state"
)

const mergingState = "_merging"

// liveWindow is a window of a key that may merge with others. Its contents lie in
// the namespace (A, B): the bounds that it, or the oldest one of those that were
// merged into it, had at first, so that they need not move. Trigger and timers go
// by the bounds that it has now.
type liveWindow struct {
	Start, End int64
	A, B       int64
}

func (w liveWindow) span() Span          { return Span{w.Start, w.End} }
func (w liveWindow) ns() state.Namespace { return state.Namespace{A: w.A, B: w.B} }

// mergingOp serves windows that merge and have a trigger or an evictor of their
// own, or an assigner of the program. Plain sessions have sessionOp.
type mergingOp[K comparable, T any] struct {
	triggered[K, T]
	assign spans[T]
	merge  windowMerger
	live   state.Value[[]liveWindow] // of a key, in the zero namespace
	buf    []Span
	list   []liveWindow // of the current key
	// olds are the windows of one merge, states what their trigger kept, and
	// sources where the contents of all but the oldest lie.
	olds    []liveWindow
	states  []TriggerState[T]
	sources []state.Namespace
}

func (o *mergingOp[K, T]) Open(ctx context.Context) error {
	if err := o.openTriggered(ctx, o.onTimer); err != nil {
		return err
	}
	o.assign = o.w.spans()
	if spec, ok := o.w.a.of.(AssignerSpec[T]); ok {
		o.merge.by = spec.Merge
	}
	c, err := codec.For[[]liveWindow]()
	if err != nil {
		return o.stateError(err)
	}
	if o.live, err = state.NewValue(o.keyed, state.Desc[[]liveWindow]{Name: mergingState, Codec: c}); err != nil {
		return o.stateError(err)
	}
	return nil
}

// load reads the windows of the current key into list.
func (o *mergingOp[K, T]) load() {
	o.keyed.SetNamespace(state.Namespace{})
	live, _ := o.live.Get()
	o.list = append(o.list[:0], live...)
}

// save keeps list.
func (o *mergingOp[K, T]) save() {
	o.keyed.SetNamespace(state.Namespace{})
	if len(o.list) == 0 {
		o.live.Clear()
		return
	}
	live, _ := o.live.Ptr()
	*live = append((*live)[:0], o.list...)
}

func (o *mergingOp[K, T]) Collect(r *dataflow.Rec[T]) error {
	o.at = r.TS
	ts, err := o.timeOf(r)
	if err != nil {
		return err
	}
	if o.buf, err = o.assign(r.V, ts, o.buf[:0]); err != nil {
		return o.fail(err)
	}
	o.keyed.SetKey(o.key(r.V))
	o.load()
	taken := false
	for _, w := range o.buf {
		ok, err := o.addTo(r, w)
		if err != nil {
			return err
		}
		taken = taken || ok
	}
	if !taken && o.behind(ts) {
		return o.tooLate(r)
	}
	return o.stateErr()
}

// addTo puts a record into the window that w becomes among those of the key, and
// tells whether there is one.
func (o *mergingOp[K, T]) addTo(r *dataflow.Rec[T], w Span) (bool, error) {
	at, changed, err := o.place(w)
	if err != nil {
		return false, o.fail(err)
	}
	x := o.list[at]
	if o.tooOld(x.span()) { // a window of its own, which came too late
		o.list = slices.Delete(o.list, at, at+1)
		o.save()
		return false, nil
	}
	if changed {
		o.save()
		o.keepUntilEnd(x.span())
	}
	o.keyed.SetNamespace(x.ns())
	o.records.add(r)
	o.enter(x.span())
	a := o.trigger.onRecord(&o.ctx, r.V, r.TS)
	o.leave()
	o.keepAlive(x.span())
	return true, o.obey(x.span(), x.ns(), a)
}

// place puts a new window among those of the key, and says where it is and whether
// anything changed.
func (o *mergingOp[K, T]) place(w Span) (at int, changed bool, err error) {
	same := func(x liveWindow) bool { return x.span() == w }
	if at = slices.IndexFunc(o.list, same); at >= 0 {
		return at, false, nil
	}
	merges, err := o.merge.plan(o.list, w)
	if err != nil {
		return 0, false, err
	}
	alone := true
	for i := range merges {
		m := &merges[i]
		if slices.Contains(m.of, w) {
			w, alone = m.result, false
		}
		if err := o.join(m); err != nil {
			return 0, false, err
		}
	}
	if alone {
		o.begin(w)
	}
	return slices.IndexFunc(o.list, same), true, nil
}

// begin adds a window without contents.
func (o *mergingOp[K, T]) begin(w Span) {
	x := liveWindow{Start: w.Start, End: w.End, A: w.Start, B: w.End}
	taken := func(y liveWindow) bool { return y.ns() == x.ns() }
	if slices.ContainsFunc(o.list, taken) {
		// A window that began with these bounds was merged away from them, which
		// only a Merge function of the program does. No window ends before it begins.
		for x.A, x.B = w.End, w.Start; slices.ContainsFunc(o.list, taken); x.B-- {
		}
	}
	o.list = append(o.list, x)
}

// join makes one window of several.
func (o *mergingOp[K, T]) join(m *merge) error {
	o.olds = o.olds[:0]
	kept := o.list[:0]
	for _, x := range o.list {
		if !slices.Contains(m.of, x.span()) {
			kept = append(kept, x)
			continue
		}
		if o.olds = append(o.olds, x); len(o.olds) == 1 { // the place of the oldest
			kept = append(kept, liveWindow{Start: m.result.Start, End: m.result.End, A: x.A, B: x.B})
		}
	}
	o.list = kept
	if len(o.olds) == 0 {
		o.begin(m.result)
		return nil
	}
	first := o.olds[0]
	if len(o.olds) == 1 && first.span() == m.result {
		return nil
	}
	if end := o.endOfLife(m.result); end <= o.clock() {
		return endedByMerge(m, end, o.clock())
	}
	o.joinTriggers(m.result)
	o.sources = o.sources[:0]
	for _, x := range o.olds[1:] {
		o.sources = append(o.sources, x.ns())
	}
	if len(o.sources) > 0 {
		o.records.merge(first.ns(), o.sources)
	}
	o.keepUntilEnd(m.result)
	return nil
}

// joinTriggers takes the old windows from the trigger, and the timers of their
// ends, and gives it the new one.
func (o *mergingOp[K, T]) joinTriggers(w Span) {
	o.states = o.states[:0]
	for _, x := range o.olds {
		if old := o.clearTrigger(x.span()); old.kept() {
			o.states = append(o.states, old)
		}
		o.dropEnd(x.span())
	}
	o.enter(w)
	o.trigger.onMerge(&o.ctx, o.states)
	o.leave()
	clear(o.states)
}

// dropEnd takes back keepUntilEnd of the current window.
func (o *mergingOp[K, T]) dropEnd(w Span) {
	if end := o.endOfLife(w); o.w.a.proc {
		o.timers.DeleteProc(end + 1)
	} else {
		o.timers.DeleteEvent(end)
	}
}

// onTimer leaves out timers of windows that were merged or forgotten.
func (o *mergingOp[K, T]) onTimer(ts int64, proc bool) error {
	ns := o.keyed.Namespace()
	w := Span{ns.A, ns.B}
	o.load()
	at := slices.IndexFunc(o.list, func(x liveWindow) bool { return x.span() == w })
	if at < 0 {
		return nil
	}
	over, err := o.decideTimer(w, o.list[at].ns(), ts, proc)
	if over {
		o.list = slices.Delete(o.list, at, at+1)
		o.save()
	}
	return err
}
