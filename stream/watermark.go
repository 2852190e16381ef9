package stream

import (
	"fmt"
	"time"

	"goflink/dataflow"
)

// WatermarkGenerator makes watermarks of the records it sees. One serves one
// split of a source, or one subtask of AssignTimestamps.
type WatermarkGenerator[T any] interface {
	// OnEvent is called for each record.
	OnEvent(v *T, ts int64, out *WatermarkOutput)
	// OnPeriodic is called each pipeline.auto-watermark-interval.
	OnPeriodic(out *WatermarkOutput)
}

// WatermarkOutput takes watermarks; those that go back are ignored.
type WatermarkOutput struct{ wm int64 }

// Emit tells that no record with an event time up to ts will follow.
func (o *WatermarkOutput) Emit(ts int64) { o.wm = max(o.wm, ts) }

// WatermarkStrategy says where event time comes from and how far it has come. Its
// methods return changed copies.
type WatermarkStrategy[T any] struct {
	generator func() WatermarkGenerator[T] // nil: none
	timestamp func(T) int64
	ingestion bool // the event time is the clock's
	idle      time.Duration
	align     dataflow.Alignment
	alignSet  bool
}

// NoWatermarks has no event time: MaxWatermark comes at the end of bounded input.
func NoWatermarks[T any]() WatermarkStrategy[T] { return WatermarkStrategy[T]{} }

// Monotonous is for event times that only rise within a split.
func Monotonous[T any]() WatermarkStrategy[T] { return BoundedOutOfOrderness[T](0) }

// BoundedOutOfOrderness is for records that come at most d after a newer one of
// the same split.
func BoundedOutOfOrderness[T any](d time.Duration) WatermarkStrategy[T] {
	delay := d.Milliseconds() + 1
	return WatermarkStrategy[T]{generator: func() WatermarkGenerator[T] {
		return &boundedGenerator[T]{newest: dataflow.MinWatermark + delay, delay: delay}
	}}
}

// ForGenerator uses a generator of the program's own.
func ForGenerator[T any](make func() WatermarkGenerator[T]) WatermarkStrategy[T] {
	return WatermarkStrategy[T]{generator: make}
}

// WithTimestamps takes the event time, in milliseconds, from the record.
func (s WatermarkStrategy[T]) WithTimestamps(f func(T) int64) WatermarkStrategy[T] {
	s.timestamp = f
	return s
}

// WithIdleness marks a split that brought nothing for d as idle: it holds the
// watermark back no longer. d is measured in periods of the watermark interval.
func (s WatermarkStrategy[T]) WithIdleness(d time.Duration) WatermarkStrategy[T] {
	s.idle = d
	return s
}

type boundedGenerator[T any] struct{ newest, delay int64 }

func (g *boundedGenerator[T]) OnEvent(_ *T, ts int64, _ *WatermarkOutput) {
	if ts > g.newest {
		g.newest = ts
	}
}

func (g *boundedGenerator[T]) OnPeriodic(out *WatermarkOutput) { out.Emit(g.newest - g.delay) }

// progress is the event time of one split.
type progress[T any] struct {
	gen   WatermarkGenerator[T]
	out   WatermarkOutput
	count int64 // records so far
	seen  int64 // count when the idleness was last looked at
	since int64 // processing time since when count is seen
	idle  bool
	// starved: the split had nothing when it was last asked. One that was not
	// asked, because the task is held back or the split is ahead of its group, is
	// not idle.
	starved bool
}

func newProgress[T any](s *WatermarkStrategy[T], now int64) *progress[T] {
	p := &progress[T]{out: WatermarkOutput{dataflow.MinWatermark}, since: now}
	if s.generator != nil {
		p.gen = s.generator()
	}
	return p
}

// event looks at a record and tells whether the split's watermark rose or the
// split woke up.
func (p *progress[T]) event(r *dataflow.Rec[T]) bool {
	p.count++
	woke := p.idle
	p.idle, p.starved = false, false
	if p.gen == nil {
		return woke
	}
	before := p.out.wm
	p.gen.OnEvent(&r.V, r.TS, &p.out)
	return woke || p.out.wm > before
}

// periodic lets the generator emit and decides on idleness.
func (p *progress[T]) periodic(now, idleMS int64, pushed bool) {
	if p.gen != nil {
		p.gen.OnPeriodic(&p.out)
	}
	if p.count != p.seen || !pushed && !p.starved && !p.idle {
		p.seen, p.since = p.count, now
	} else if idleMS > 0 && now-p.since >= idleMS {
		p.idle = true
	}
}

// eventTime merges the progress of splits and tells the chain; with one split it
// serves AssignTimestamps.
type eventTime[T any] struct {
	strategy WatermarkStrategy[T]
	splits   []*progress[T]
	base     *base
	period   int64 // milliseconds; 0: no periodic watermarks
	next     int64 // processing time of the next period
	wm       int64
	newest   int64 // ingestion time last given
	idle     bool
	// pushed: records come by themselves (AssignTimestamps), so that a pause is
	// all that idleness can be told by.
	pushed bool
}

func newEventTime[T any](b *base, s WatermarkStrategy[T]) eventTime[T] {
	e := eventTime[T]{strategy: s, base: b, wm: dataflow.MinWatermark}
	if s.generator != nil || s.idle > 0 {
		e.period = b.t.program.periodMS
	}
	return e
}

func (e *eventTime[T]) add(now int64) *progress[T] {
	p := newProgress(&e.strategy, now)
	e.splits = append(e.splits, p)
	return p
}

// remove takes out a split that ended: it holds the others back no longer. What
// it reached since the last period is not told, because the reader's next split
// may begin anywhere.
func (e *eventTime[T]) remove(p *progress[T]) error {
	for i := range e.splits {
		if e.splits[i] == p {
			e.splits = append(e.splits[:i], e.splits[i+1:]...)
			break
		}
	}
	if len(e.splits) == 0 {
		return nil
	}
	return e.emit()
}

// stamp gives the record its event time and looks at it.
func (e *eventTime[T]) stamp(p *progress[T], r *dataflow.Rec[T]) (changed bool) {
	if e.strategy.timestamp != nil {
		r.TS = e.strategy.timestamp(r.V)
	} else if e.strategy.ingestion {
		r.TS = e.ingested()
	}
	return p.event(r)
}

// emit tells the chain what changed: the least watermark of the splits that are
// not idle, and whether all are.
func (e *eventTime[T]) emit() error {
	low, idle := int64(dataflow.MaxWatermark), true
	for _, p := range e.splits {
		if !p.idle {
			low, idle = min(low, p.out.wm), false
		}
	}
	if idle && len(e.splits) == 0 {
		return nil
	}
	if e.idle && !idle {
		e.idle = false
		if err := e.base.sendStatus(false); err != nil {
			return err
		}
	}
	if !idle && low > e.wm {
		e.wm = low
		if err := e.base.sendWatermark(low); err != nil {
			return err
		}
	}
	if idle && !e.idle {
		e.idle = true
		return e.base.sendStatus(true)
	}
	return nil
}

func (e *eventTime[T]) nextPeriod(now func() int64) (int64, bool) {
	if e.period <= 0 {
		return 0, false
	}
	if e.next == 0 {
		e.next = now() + e.period
	}
	return e.next, true
}

func (e *eventTime[T]) firePeriod(now int64) error {
	if e.period <= 0 || now < e.next {
		return nil
	}
	e.next = now + e.period
	for _, p := range e.splits {
		p.periodic(now, e.strategy.idle.Milliseconds(), e.pushed)
	}
	return e.emit()
}

// finish sends MaxWatermark.
func (e *eventTime[T]) finish() error {
	if e.wm == dataflow.MaxWatermark {
		return nil
	}
	if e.idle {
		e.idle = false
		if err := e.base.sendStatus(false); err != nil {
			return err
		}
	}
	e.wm = dataflow.MaxWatermark
	return e.base.sendWatermark(dataflow.MaxWatermark)
}

type timestampsOp[T any] struct {
	base
	time eventTime[T]
	one  *progress[T]
	next dataflow.Input[T]
	rec  dataflow.Rec[T]
}

func (o *timestampsOp[T]) Collect(r *dataflow.Rec[T]) error {
	o.rec = *r
	changed := o.time.stamp(o.one, &o.rec)
	if err := o.next.Collect(&o.rec); err != nil {
		return err
	}
	if changed {
		return o.time.emit()
	}
	return nil
}

// Watermark swallows what comes from above, but for the end of data: event time
// begins here.
func (o *timestampsOp[T]) Watermark(ts int64) error {
	if ts == dataflow.MaxWatermark {
		return o.time.finish()
	}
	return nil
}

func (o *timestampsOp[T]) Status(bool) error { return nil }

func (o *timestampsOp[T]) nextProc() (int64, bool)  { return o.time.nextPeriod(o.now) }
func (o *timestampsOp[T]) fireProc(now int64) error { return o.time.firePeriod(now) }

// AssignTimestamps gives records event times and makes watermarks anew. Where a
// source can have the strategy itself (From), that is better: it keeps the
// splits of one reader apart.
func AssignTimestamps[T any](s Stream[T], ws WatermarkStrategy[T], opts ...Option) Stream[T] {
	o := addOpOf(s, "timestamps", "Timestamps/Watermarks", opts)
	emits[T](o)
	ws.check(o)
	o.build = func(t *task) error {
		x := &timestampsOp[T]{base: newBase(t)}
		out, err := mainOutput[T](&x.base)
		if err != nil {
			return err
		}
		x.next, x.time = out, newEventTime(&x.base, ws)
		x.time.pushed = true
		x.one = x.time.add(t.env.Now().UnixMilli())
		t.install(x, x)
		return nil
	}
	return streamOf[T](o)
}

func (s WatermarkStrategy[T]) check(o *op) {
	s.checkAlignment(o)
	if s.idle < 0 {
		o.env.fail(fmt.Errorf("operator %q: idleness %s is negative", o.node.Name, s.idle))
	}
}
