package stream

import (
	"context"
	"fmt"
	"reflect"

	"goflink/dataflow"
	"goflink/graph"
	"goflink/state"
)

// session is an open session of a key. Its contents lie in the namespace (A, B):
// the bounds that it, or the oldest one of those that were merged into it, had
// at first. Timers move lazily: a session that grew keeps its timer, which sets
// the next one when it comes.
type session struct {
	Start, End int64
	A, B       int64
	// Armed is true while a timer at or before End-1 is set.
	Armed bool
}

const sessionsState = "_sessions"

func declareSessions(o *op) {
	c, ok := codecOf[[]session](o.env, "sessions")
	if !ok || c == nil {
		return
	}
	b, err := c.Schema().MarshalBinary()
	if err != nil {
		o.env.failf("sessions: %w", err)
	}
	o.node.States = append(o.node.States, &graph.State{Name: sessionsState, Kind: "value", Schema: b, Type: reflect.TypeFor[[]session]().String()})
}

// sessionOp serves session windows.
type sessionOp[K comparable, T any] struct {
	windowOp[K, T]
	live    state.Value[[]session] // of a key, in the zero namespace
	sources []state.Namespace
	one     [1]state.Namespace
}

func (o *sessionOp[K, T]) Open(ctx context.Context) error {
	if err := o.open(ctx, o.onTimer); err != nil {
		return err
	}
	v, err := state.NewValue(o.keyed, state.Desc[[]session]{Name: sessionsState})
	if err != nil {
		return o.stateError(err)
	}
	o.live = v
	return nil
}

func (o *sessionOp[K, T]) Collect(r *dataflow.Rec[T]) error {
	ts, err := o.timeOf(r)
	if err != nil {
		return err
	}
	span := Span{ts, addClamped(ts, o.w.a.gap)}
	now := o.clock()
	o.keyed.SetKey(o.key(r.V))
	o.keyed.SetNamespace(state.Namespace{})
	list, _ := o.live.Get()
	merged := span
	for i := range list {
		if touches(list[i], span) {
			merged.Start, merged.End = min(merged.Start, list[i].Start), max(merged.End, list[i].End)
		}
	}
	if addClamped(merged.End-1, o.w.lateness) <= now {
		return o.tooLate(r)
	}
	s := o.absorb(span, merged, now)
	o.keyed.SetNamespace(s.ns())
	o.records.add(r)
	if s.End-1 <= now {
		return o.fire(s)
	}
	return o.stateErr()
}

func (s session) ns() state.Namespace { return state.Namespace{A: s.A, B: s.B} }

// touches is Flink's TimeWindow.intersects: sessions that only meet are one.
func touches(s session, w Span) bool { return s.Start <= w.End && s.End >= w.Start }

// absorb puts the new span into the key's sessions, merging those it touches
// into the first of them, and arms the timer of the result.
func (o *sessionOp[K, T]) absorb(span, merged Span, now int64) session {
	list, _ := o.live.Ptr()
	o.sources = o.sources[:0]
	at, kept := -1, (*list)[:0]
	for _, s := range *list {
		switch {
		case !touches(s, span):
			kept = append(kept, s)
		case at < 0:
			at = len(kept)
			kept = append(kept, s)
		default:
			o.sources = append(o.sources, s.ns())
		}
	}
	if at < 0 {
		at = len(kept)
		kept = append(kept, session{A: span.Start, B: span.End})
	}
	s := &kept[at]
	s.Start, s.End = merged.Start, merged.End
	arm := !s.Armed && s.End-1 > now
	s.Armed = s.Armed || arm
	keep := o.w.lateness > 0 && s.End-1 <= now // arrived after the session ended: only its end of life is left to wait for
	result := *s
	*list = kept
	if arm {
		o.keyed.SetNamespace(result.ns())
		o.timerAt(result.End - 1)
	} else if keep {
		o.keyed.SetNamespace(result.ns())
		o.timerAt(addClamped(result.End-1, o.w.lateness))
	}
	if len(o.sources) > 0 {
		o.records.merge(result.ns(), o.sources)
	}
	return result
}

func (o *sessionOp[K, T]) fire(s session) error {
	o.one[0] = s.ns()
	return o.records.fire(Span{s.Start, s.End}, o.one[:])
}

// onTimer fires the session of the current namespace if it ended, and removes it
// at the end of its life. A session that was merged away has no entry.
func (o *sessionOp[K, T]) onTimer(ts int64) error {
	ns := o.keyed.Namespace()
	o.keyed.SetNamespace(state.Namespace{})
	list, created := o.live.Ptr()
	if created {
		o.live.Clear()
		return nil
	}
	i := -1
	for k := range *list {
		if (*list)[k].ns() == ns {
			i = k
		}
	}
	if i < 0 {
		return nil
	}
	s := &(*list)[i]
	now := *s
	life := addClamped(now.End-1, o.w.lateness)
	switch {
	case now.Armed && ts < now.End-1: // it grew
		o.arm(ns, now.End-1)
		return nil
	case now.Armed:
		s.Armed = false
		if o.w.lateness > 0 {
			o.arm(ns, life)
		}
		if err := o.fire(now); err != nil {
			return err
		}
	case ts < life:
		o.arm(ns, life)
		return nil
	}
	if ts >= life {
		o.remove(ns)
	}
	return nil
}

func (o *sessionOp[K, T]) arm(ns state.Namespace, ms int64) {
	o.keyed.SetNamespace(ns)
	o.timerAt(ms)
}

func (o *sessionOp[K, T]) remove(ns state.Namespace) {
	o.keyed.SetNamespace(ns)
	o.records.clear()
	o.keyed.SetNamespace(state.Namespace{})
	list, _ := o.live.Ptr()
	kept := (*list)[:0]
	for _, s := range *list {
		if s.ns() != ns {
			kept = append(kept, s)
		}
	}
	*list = kept
	if len(kept) == 0 {
		o.live.Clear()
	}
}

// String is for debugging and tests.
func (s session) String() string {
	return fmt.Sprintf("[%d,%d) in %d/%d armed=%t", s.Start, s.End, s.A, s.B, s.Armed)
}
