package stream

import (
	"context"
	"fmt"
	"reflect"

	"goflink/dataflow"
	"goflink/graph"
	"goflink/state"
)

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
	live    state.Value[sessions] // of a key, in the zero namespace
	gap     dynamicGap[T]         // nil: one for all
	list    []session
	sources []state.Namespace
	one     [1]state.Namespace
}

func (o *sessionOp[K, T]) Open(ctx context.Context) error {
	if err := o.open(ctx, o.onTimer); err != nil {
		return err
	}
	c, err := newSessionsCodec()
	if err != nil {
		return o.stateError(err)
	}
	v, err := state.NewValue(o.keyed, state.Desc[sessions]{Name: sessionsState, Codec: c})
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
	gap := o.w.a.gap
	if o.gap != nil {
		if gap, err = o.gap.of(r.V); err != nil {
			return o.fail(err)
		}
	}
	span := Span{ts, addClamped(ts, gap)}
	now := o.clock()
	o.keyed.SetKey(o.key(r.V))
	o.keyed.SetNamespace(state.Namespace{})
	if addClamped(span.End-1, o.w.lateness) <= now && !o.reaches(span, now) {
		return o.tooLate(r)
	}
	s := o.absorb(span, now)
	o.keyed.SetNamespace(s.ns())
	o.records.add(r)
	if s.End-1 <= now {
		return o.fire(s)
	}
	return o.stateErr()
}

// reaches tells whether a span that is late by itself touches sessions that are
// not.
func (o *sessionOp[K, T]) reaches(span Span, now int64) bool {
	live, _ := o.live.Get()
	end := span.End
	o.list = live.appendTo(o.list[:0])
	for _, s := range o.list {
		if s.touches(span) {
			end = max(end, s.End)
		}
	}
	return addClamped(end-1, o.w.lateness) > now
}

// absorb puts the new span into the key's sessions and sets the timer of the
// result.
func (o *sessionOp[K, T]) absorb(span Span, now int64) session {
	live, _ := o.live.Ptr()
	at := live.take(span)
	o.sources = o.sources[:0]
	several := at == nil
	if several {
		o.list = live.appendTo(o.list[:0])
		at = o.merge(span)
	}
	due, wait := o.due(at, now)
	s := *at
	if several {
		live.set(o.list)
	}
	if wait {
		o.arm(s.ns(), due)
	}
	if len(o.sources) > 0 {
		o.records.merge(s.ns(), o.sources)
	}
	return s
}

// merge puts a span into o.list, together with the sessions that it touches: the
// first of them takes in the others, which become o.sources. It returns the
// session, in the list.
func (o *sessionOp[K, T]) merge(span Span) *session {
	grown := session{Start: span.Start, End: span.End, A: span.Start, B: span.End}
	at, kept := -1, o.list[:0]
	for _, s := range o.list {
		if !s.touches(span) {
			kept = append(kept, s)
			continue
		}
		grown.Start, grown.End = min(grown.Start, s.Start), max(grown.End, s.End)
		if at < 0 {
			at = len(kept)
			grown.A, grown.B, grown.Armed = s.A, s.B, s.Armed
			kept = append(kept, s)
		} else {
			o.sources = append(o.sources, s.ns())
		}
	}
	if at < 0 {
		at = len(kept)
		kept = append(kept, grown)
	}
	kept[at], o.list = grown, kept
	return &kept[at]
}

// due tells when s must be looked at next, unless a timer that is set says so. A
// session that had ended when its record arrived has only its end of life to
// wait for.
func (o *sessionOp[K, T]) due(s *session, now int64) (ms int64, wait bool) {
	last := s.End - 1
	switch {
	case last <= now:
		return addClamped(last, o.w.lateness), o.w.lateness > 0
	case s.Armed:
		return 0, false
	}
	s.Armed = true
	return last, true
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
	if _, ok := o.live.Get(); !ok {
		return nil
	}
	live, _ := o.live.Ptr()
	s := live.in(ns)
	if s == nil {
		return nil
	}
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
	live, _ := o.live.Ptr()
	if !live.drop(ns) {
		o.live.Clear()
	}
}

// String is for debugging and tests.
func (s session) String() string {
	return fmt.Sprintf("[%d,%d) in %d/%d armed=%t", s.Start, s.End, s.A, s.B, s.Armed)
}
