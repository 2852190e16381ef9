package stream

import (
	"fmt"
	"math"
	"time"

	"goflink/dataflow"
	"goflink/metrics"
)

// Span is the bounds of a window in milliseconds; End is exclusive.
type Span struct{ Start, End int64 }

// globalSpan is the one window of Global.
var globalSpan = Span{math.MinInt64, math.MaxInt64}

// maxTimestamp is the last event time that belongs to the window.
func (s Span) maxTimestamp() int64 {
	if s == globalSpan {
		return math.MaxInt64
	}
	return s.End - 1
}

type assignerKind uint8

const (
	alignedWindows assignerKind = iota // tumbling and sliding
	sessionWindows
	globalWindow
	customWindows
)

// Assigner cuts a stream into windows.
type Assigner struct {
	kind                assignerKind
	size, slide, offset int64 // milliseconds
	gap                 int64
	proc                bool
	merging             bool
	// of is a dynamicGap or an AssignerSpec, whose title is that of the windows.
	of    any
	title string
	err   error
}

// Tumbling windows have a fixed size and do not overlap.
func Tumbling(size time.Duration) Assigner { return Sliding(size, size) }

// Sliding windows have a fixed size; one begins each slide. Records are kept once
// for each pane, not once for each window, so a record costs the same however
// many windows it belongs to.
func Sliding(size, slide time.Duration) Assigner {
	a := Assigner{kind: alignedWindows, size: size.Milliseconds(), slide: slide.Milliseconds()}
	if a.size < 1 || a.slide < 1 {
		a.err = fmt.Errorf("window size %s and slide %s must be 1 ms at least", size, slide)
	}
	return a
}

// Session windows end when no record came for gap.
func Session(gap time.Duration) Assigner {
	a := Assigner{kind: sessionWindows, gap: gap.Milliseconds(), merging: true}
	if a.gap < 1 {
		a.err = fmt.Errorf("session gap %s must be 1 ms at least", gap)
	}
	return a
}

// Global is one window that never ends; it needs a trigger.
func Global() Assigner { return Assigner{kind: globalWindow} }

// ProcessingTime goes by the clock of the machine in place of event time.
func (a Assigner) ProcessingTime() Assigner { a.proc = true; return a }

// Offset moves the start of tumbling and sliding windows, which are aligned to
// the epoch otherwise.
func (a Assigner) Offset(d time.Duration) Assigner {
	a.offset = d.Milliseconds()
	if a.kind != alignedWindows {
		a.err = fmt.Errorf("only tumbling and sliding windows have an offset")
	} else if max(a.offset, -a.offset) >= a.slide {
		a.err = fmt.Errorf("window offset %s must be less than the slide", d)
	}
	return a
}

// floorTo is the largest multiple of step, plus offset, that is not above ts.
func floorTo(ts, offset, step int64) int64 {
	r := (ts - offset) % step
	if r < 0 {
		r += step
	}
	return ts - r
}

// name is Flink's name of the assigner.
func (a Assigner) name() string {
	time := "EventTime"
	if a.proc {
		time = "ProcessingTime"
	}
	switch {
	case a.kind == globalWindow:
		return "GlobalWindows"
	case a.kind == customWindows:
		return a.title
	case a.kind == sessionWindows && a.of != nil:
		return "Dynamic" + time + "SessionWindows"
	case a.kind == sessionWindows:
		return time + "SessionWindows"
	case a.size == a.slide:
		return "Tumbling" + time + "Windows"
	}
	return "Sliding" + time + "Windows"
}

// windowing is a window definition as a Windowed builds it up.
type windowing[T any] struct {
	a        Assigner
	lateness int64
	late     *Tag[T]
	trigger  *Trigger[T]
	evictor  *Evictor[T]
	all      bool // of a stream without keys
	life     bool // the function must know when a window is forgotten
}

// Windowed is a keyed stream cut into windows. Its methods return changed copies.
type Windowed[K comparable, T any] struct {
	in Keyed[K, T]
	w  windowing[T]
}

// Window cuts the stream into windows.
func (s Keyed[K, T]) Window(a Assigner) Windowed[K, T] {
	return Windowed[K, T]{s, windowing[T]{a: a}}
}

// CountWindow cuts the stream into windows of n records of a key.
func (s Keyed[K, T]) CountWindow(n int64) Windowed[K, T] {
	return s.Window(Global()).Trigger(Purging(CountTrigger[T](n)))
}

// SlidingCountWindow fires each slide records, over the last n of a key.
func (s Keyed[K, T]) SlidingCountWindow(n, slide int64) Windowed[K, T] {
	return s.Window(Global()).Trigger(CountTrigger[T](slide)).Evict(CountEvictor[T](n))
}

// AllowedLateness keeps event-time windows for d after they fired; a record that
// comes in that time makes its window fire again.
func (w Windowed[K, T]) AllowedLateness(d time.Duration) Windowed[K, T] {
	w.w.lateness = d.Milliseconds()
	return w
}

// LateTo sends records that belong to no window any more to a side output of the
// window operator, in place of dropping them.
func (w Windowed[K, T]) LateTo(tag Tag[T]) Windowed[K, T] { w.w.late = &tag; return w }

// Trigger fires windows otherwise than at their end.
func (w Windowed[K, T]) Trigger(t Trigger[T]) Windowed[K, T] { w.w.trigger = &t; return w }

// Evict drops records of a window when it is evaluated. The window then keeps all
// its records, not an accumulator.
func (w Windowed[K, T]) Evict(e Evictor[T]) Windowed[K, T] { w.w.evictor = &e; return w }

func (w Windowed[K, T]) group() (Keyed[K, T], *windowing[T]) { return w.in, &w.w }

// check reports what does not go together.
func (w *windowing[T]) check(o *op) {
	fail := func(format string, args ...any) {
		o.env.failf("operator %q: "+format, append([]any{o.node.Name}, args...)...)
	}
	switch {
	case w.a.err != nil:
		fail("%w", w.a.err)
	case w.a.kind == globalWindow && w.trigger == nil:
		fail("a global window never ends: it needs a trigger")
	case w.typed() != nil:
		fail("%w", w.typed())
	case w.a.merging && w.triggerOf().onMerge == nil:
		fail("%s merge and cannot be used with %s, which does not say how it merges: use another trigger, or give one of your own OnMerge", w.a.name(), w.triggerOf().name)
	case w.lateness < 0 || w.lateness > 0 && (w.a.proc || w.a.kind == globalWindow):
		fail("allowed lateness is for windows of event time, and not negative")
	}
	if w.late != nil {
		declareSide(o, *w.late)
	}
}

// WindowInfo is what a window function is told.
type WindowInfo[K comparable] struct {
	Key K
	// Start and End are milliseconds; End is exclusive.
	Start, End int64
	// Watermark is the task's event time.
	Watermark int64
}

// Apply calls f with all records of each window, in the order in which they came.
// The window keeps its records; Aggregate and Reduce keep less. With an evictor f
// sees what is left, which may be nothing.
func Apply[K comparable, T, Res any](w Windowed[K, T], f func(info WindowInfo[K], vs []T, out *Out[Res]) error, opts ...Option) Stream[Res] {
	return windowList(w.in, &w.w, applied, f, opts)
}

// windowOp is what the window operators share: where records come from and
// where they go when they are late.
type windowOp[K comparable, T any] struct {
	keyedBase[K]
	w       *windowing[T]
	key     func(T) K
	records contents[T]
	late    dataflow.Input[T]
	dropped *metrics.Counter // numLateRecordsDropped; nil without metrics
	at      int64            // time of the record or timer in work, kept for the global window
	// ended is told when a window is forgotten, and closing when the task ends; nil
	// if nobody wants to know.
	ended   func(w Span) error
	closing func() error
}

// tooLate hands a late record on or drops it.
func (o *windowOp[K, T]) tooLate(r *dataflow.Rec[T]) error {
	if o.late != nil {
		return o.late.Collect(r)
	}
	if o.dropped != nil {
		o.dropped.Inc()
	}
	return nil
}

// timeOf is the time by which a record is put into windows.
func (o *windowOp[K, T]) timeOf(r *dataflow.Rec[T]) (int64, error) {
	if o.w.a.proc {
		return o.now(), nil
	}
	if r.TS == dataflow.NoTimestamp {
		return 0, o.fail(fmt.Errorf("a record has no event time: give the source a watermark strategy with timestamps, or use windows of processing time"))
	}
	return r.TS, nil
}

// clock is the time that has passed for sure: the watermark, or the machine's
// clock less the current millisecond.
func (o *windowOp[K, T]) clock() int64 {
	if o.w.a.proc {
		return o.now() - 1
	}
	return o.wm
}

// timerAt calls onTimer once the millisecond ms has passed. A watermark says so
// itself; the clock does when it shows the next one.
func (o *windowOp[K, T]) timerAt(ms int64) {
	if o.w.a.proc {
		o.timers.RegisterProc(ms + 1)
	} else {
		o.timers.RegisterEvent(ms)
	}
}

// newTimerAt is timerAt for a timer that is not set.
func (o *windowOp[K, T]) newTimerAt(ms int64) {
	if o.w.a.proc {
		o.timers.RegisterProcNew(ms + 1)
	} else {
		o.timers.RegisterEventNew(ms)
	}
}

// outTime is the event time of a window's result: the last one that belongs to
// the window, or, where it has no end, that of the record or timer in work.
func (o *windowOp[K, T]) outTime(s Span) int64 {
	if s == globalSpan {
		return o.at
	}
	return s.maxTimestamp()
}

func addClamped(a, b int64) int64 {
	if b > 0 && a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}
