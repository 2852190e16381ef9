package stream

import (
	"fmt"
	"time"
)

// AssignerSpec is a window assigner of the program: Flink's WindowAssigner, and its
// MergingWindowAssigner if Merging is set or Merge is there.
type AssignerSpec[T any] struct {
	// Name is shown in the plan; "CustomWindows" if it is empty.
	Name string
	// Assign returns the windows that a record belongs to; none drops the record.
	// ts is its event time, or the clock's for windows of processing time, in
	// milliseconds. All keys share the function: it must be pure, and the slice is
	// the engine's until the next call.
	Assign func(v T, ts int64) []Span
	// Merging joins windows of a key that overlap or meet into one, as sessions do.
	Merging bool
	// Merge joins windows of a key otherwise. It is given all windows that the key
	// has, and the new one, by their starts; for windows that become one it calls
	// merge with those and with what they become. It must be pure.
	Merge func(windows []Span, merge func(result Span, of []Span))
	// Trigger is what windows fire by unless Windowed.Trigger gives another one;
	// nil is EventTimeTrigger or ProcessingTimeTrigger.
	Trigger *Trigger[T]
}

// NewAssigner makes windows that the program cuts itself, for a stream of T. They
// take triggers, evictors, lateness and functions as all windows do; with
// Assigner.ProcessingTime they go by the clock.
func NewAssigner[T any](spec AssignerSpec[T]) Assigner {
	a := Assigner{kind: customWindows, of: spec, merging: spec.Merging || spec.Merge != nil, title: spec.Name}
	if a.title == "" {
		a.title = "CustomWindows"
	}
	if spec.Assign == nil {
		a.err = fmt.Errorf("window assigner %s has no Assign function", a.title)
	}
	return a
}

// DynamicSession is Session with a gap that each record says for itself (Flink's
// DynamicEventTimeSessionWindows and DynamicProcessingTimeSessionWindows): a record
// is in one session with those that come before its time and its gap have passed.
// The session ends when the latest of these ends passed. A gap under 1 ms fails the
// job. The function must be pure.
func DynamicSession[T any](gap func(v T) time.Duration) Assigner {
	a := Assigner{kind: sessionWindows, of: dynamicGap[T](gap), merging: true}
	if gap == nil {
		a.err = fmt.Errorf("a dynamic session has no gap function")
	}
	return a
}

// dynamicGap is the gap of a record.
type dynamicGap[T any] func(v T) time.Duration

// of returns the gap in milliseconds.
func (f dynamicGap[T]) of(v T) (int64, error) {
	d := f(v)
	if ms := d.Milliseconds(); ms > 0 {
		return ms, nil
	}
	return 0, fmt.Errorf("the gap of a session is %s for a record: it must be 1 ms at least", d)
}

// typed reports an assigner that was made for other records. Assigner has no type
// parameter, so that most of them serve every stream.
func (w *windowing[T]) typed() error {
	if w.a.of == nil {
		return nil
	}
	switch w.a.of.(type) {
	case AssignerSpec[T], dynamicGap[T]:
		return nil
	}
	var v T
	return fmt.Errorf("the assigner %s was made for records of another type than those of the stream, %T", w.a.name(), v)
}

// spans puts the windows of a record into dst.
type spans[T any] func(v T, ts int64, dst []Span) ([]Span, error)

// spans is how records are put into windows by operators that do so one by one.
func (w *windowing[T]) spans() spans[T] {
	a := w.a
	switch {
	case a.kind == globalWindow:
		return func(_ T, _ int64, dst []Span) ([]Span, error) { return append(dst, globalSpan), nil }
	case a.kind == sessionWindows:
		return w.sessionSpans()
	case a.kind == customWindows:
		return customSpans(w.a.of.(AssignerSpec[T]).Assign)
	}
	return func(_ T, ts int64, dst []Span) ([]Span, error) {
		for s := floorTo(ts, a.offset, a.slide); s+a.size > ts; s -= a.slide {
			dst = append(dst, Span{s, s + a.size})
		}
		return dst, nil
	}
}

func (w *windowing[T]) sessionSpans() spans[T] {
	gap := w.gapOf()
	return func(v T, ts int64, dst []Span) ([]Span, error) {
		ms, err := w.a.gap, error(nil)
		if gap != nil {
			if ms, err = gap.of(v); err != nil {
				return dst, err
			}
		}
		return append(dst, Span{ts, addClamped(ts, ms)}), nil
	}
}

// gapOf is the function of dynamic sessions, nil for others.
func (w *windowing[T]) gapOf() dynamicGap[T] {
	gap, _ := w.a.of.(dynamicGap[T])
	return gap
}

func customSpans[T any](assign func(v T, ts int64) []Span) spans[T] {
	return func(v T, ts int64, dst []Span) ([]Span, error) {
		for _, w := range assign(v, ts) {
			if w.End <= w.Start {
				return dst, fmt.Errorf("the assigner put a record of time %d into the window [%d,%d): its end must be behind its start", ts, w.Start, w.End)
			}
			dst = append(dst, w)
		}
		return dst, nil
	}
}

// triggerOf is the trigger that windows have.
func (w *windowing[T]) triggerOf() Trigger[T] {
	if w.trigger != nil {
		return *w.trigger
	}
	if spec, ok := w.a.of.(AssignerSpec[T]); ok && spec.Trigger != nil {
		return *spec.Trigger
	}
	if w.a.proc {
		return ProcessingTimeTrigger[T]()
	}
	return EventTimeTrigger[T]()
}

// asks tells whether the windows need an operator that asks a trigger about each
// record and keeps track of each window.
func (w *windowing[T]) asks() bool {
	return w.trigger != nil || w.evictor != nil || w.a.kind == customWindows || w.life
}
