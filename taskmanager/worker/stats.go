package worker

import (
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/proto"

	"goflink/control"
	"goflink/dataflow"
	"goflink/metrics"
)

// publishEvery is how many batches a busy task processes between two
// publications of its figures: often enough for a display, rare enough to cost
// nothing beside a batch.
const publishEvery = 16

type waitKind int

const (
	waitInput waitKind = iota
	waitOutput
	// waitResults: for calls of operators, with no room for further records. The
	// task is what holds others back, so it counts as busy, as in Flink.
	waitResults
)

// stats are the figures of a task. The plain fields belong to the task's
// goroutine; published is what others read.
type stats struct {
	timers    int64
	clock     clock
	published atomic.Pointer[control.TaskIO]
}

// clock divides a task's time, as Flink does: it is idle while it waits for input,
// under back pressure while it waits for its output, and busy else. What goes on
// counts up to the moment at which it is asked, which any goroutine may do: a task
// that is stuck for minutes says so meanwhile.
type clock struct {
	mu      sync.Mutex // taken for each wait, not for records
	began   time.Time  // of running; zero before
	idle    time.Duration
	soft    time.Duration // for output, between records
	since   time.Time     // of the wait that goes on; zero: none does
	last    time.Time     // end of the last one
	waiting waitKind
}

func (c *clock) begin(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.began = now
}

func (c *clock) waitBegan(kind waitKind, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting, c.since = kind, now
}

func (c *clock) waitEnded(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.idle, c.soft = c.untilLocked(now)
	c.since, c.last = time.Time{}, now
}

// untilLocked are the times waited, with the wait that goes on.
func (c *clock) untilLocked(now time.Time) (idle, soft time.Duration) {
	idle, soft = c.idle, c.soft
	if c.since.IsZero() {
		return idle, soft
	}
	switch d := max(0, now.Sub(c.since)); c.waiting {
	case waitInput:
		idle += d
	case waitOutput:
		soft += d
	}
	return idle, soft
}

// until tells how long the task runs, and how long of it it was waiting for input
// and for output.
func (c *clock) until(now time.Time) (running, idle, soft time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.began.IsZero() {
		return 0, 0, 0
	}
	if now.Before(c.last) { // it ended behind the caller's look at the clock
		now = c.last
	}
	idle, soft = c.untilLocked(now)
	return now.Sub(c.began), idle, soft
}

// idleUntil is how long the task has waited for input.
func (s *stats) idleUntil(now time.Time) time.Duration {
	_, idle, _ := s.clock.until(now)
	return idle
}

// timed fills in how the task's time divides; any goroutine may call it.
func (t *task) timed(io *control.TaskIO, now time.Time) (soft, hard time.Duration) {
	running, idle, soft := t.stats.clock.until(now)
	if t.out != nil {
		hard = t.out.BlockedTime(now)
	}
	io.IdleMs, io.BackpressuredMs = idle.Milliseconds(), (soft + hard).Milliseconds()
	io.BusyMs = max(0, (running - idle - soft - hard).Milliseconds())
	return soft, hard
}

// figures returns what was last published, with the times as they are now; never
// nil. Any goroutine may call it.
func (t *task) figures(now time.Time) *control.TaskIO {
	io := &control.TaskIO{Watermark: dataflow.MinWatermark}
	if p := t.stats.published.Load(); p != nil {
		io = proto.CloneOf(p)
	}
	t.timed(io, now)
	return io
}

// showTimes brings the task's times into its metrics; for the ticker, whose they
// are: the task does not run while it waits.
func (t *task) showTimes(now time.Time) {
	var io control.TaskIO
	soft, hard := t.timed(&io, now)
	m := &t.metrics.IO
	for c, ms := range map[*metrics.AtomicCounter]int64{m.IdleMs: io.IdleMs, m.BackPressuredMs: io.BackpressuredMs, m.BusyMs: io.BusyMs,
		m.SoftBackPressuredMs: soft.Milliseconds(), m.HardBackPressuredMs: hard.Milliseconds()} {
		c.Add(ms - c.Published())
	}
}

// watermarked is an input that knows its watermark.
type watermarked interface{ CurrentWatermark() int64 }

// publish makes the figures visible to others.
func (t *task) publish() {
	t.sincePrint = 0
	if t.chain == nil || t.state.Load() == nil {
		return
	}
	io := &control.TaskIO{Watermark: t.watermark()}
	for _, in := range t.chain.Inputs {
		io.RecordsIn += in.Rows()
	}
	for _, out := range t.chain.Outputs {
		io.RecordsOut += out.Rows()
	}
	if t.gate != nil {
		io.BytesIn = t.gate.BytesIn()
	}
	io.BytesOut = t.out.BytesOut()
	t.stats.published.Store(io)
	t.publishMetrics(io)
}

// watermark is the lowest of the inputs that know one.
func (t *task) watermark() int64 {
	low := int64(dataflow.MaxWatermark)
	known := false
	for _, in := range t.chain.Inputs {
		if w, ok := in.(watermarked); ok {
			known = true
			low = min(low, w.CurrentWatermark())
		}
	}
	if !known {
		return dataflow.MinWatermark
	}
	return low
}

func (t *task) publishMetrics(io *control.TaskIO) {
	m := &t.metrics.IO
	m.RecordsIn.Add(io.RecordsIn - m.RecordsIn.Count())
	m.RecordsOut.Add(io.RecordsOut - m.RecordsOut.Count())
	m.BytesIn.Add(io.BytesIn - m.BytesIn.Count())
	m.BytesInRemote.Add(io.BytesIn - m.BytesInRemote.Count())
	m.BytesOut.Add(io.BytesOut - m.BytesOut.Count())
	m.FiredTimers.Add(t.stats.timers - m.FiredTimers.Count())
	m.CurrentInputWatermark.Set(io.Watermark)
	t.metrics.Publish()
}

// showDebloated registers what debloating has decided for the task's input.
func (t *task) showDebloated() {
	if size, ms, ok := t.gate.Debloated(); ok {
		t.metrics.Gauge("debloatedBufferSize", metrics.IntGauge(size))
		t.metrics.Gauge("estimatedTimeToConsumeBuffersMs", metrics.IntGauge(ms))
	}
}
