package worker

import (
	"sync/atomic"
	"time"

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
	timers     int64
	began      time.Time // of running
	waitSince  time.Time
	waiting    waitKind
	inWait     bool
	idle       time.Duration
	backlogged time.Duration
	published  atomic.Pointer[control.TaskIO]
	// What any goroutine may read of the idle time: what is over, in nanoseconds, and
	// when the wait that goes on began (0: none), in nanoseconds since the epoch.
	idleOver, idleSince atomic.Int64
}

func (s *stats) begin(now time.Time) { s.began = now }

func (s *stats) waitBegan(kind waitKind, now time.Time) {
	s.waiting, s.waitSince, s.inWait = kind, now, true
	if kind == waitInput {
		s.idleSince.Store(now.UnixNano())
	}
}

func (s *stats) waitEnded(now time.Time) {
	if !s.inWait {
		return
	}
	s.inWait = false
	d := now.Sub(s.waitSince)
	switch s.waiting {
	case waitInput:
		s.idle += d
		s.idleSince.Store(0)
		s.idleOver.Store(int64(s.idle))
	case waitOutput:
		s.backlogged += d
	}
}

// idleUntil is how long the task has waited for input, for any goroutine. A wait
// that ends just now may be left out: the next call has it.
func (s *stats) idleUntil(now time.Time) time.Duration {
	idle, since := s.idleOver.Load(), s.idleSince.Load()
	if since > 0 {
		idle += max(0, now.UnixNano()-since)
	}
	return time.Duration(idle)
}

// snapshot returns the figures last published; never nil.
func (s *stats) snapshot() *control.TaskIO {
	if io := s.published.Load(); io != nil {
		return io
	}
	return &control.TaskIO{Watermark: dataflow.MinWatermark}
}

// watermarked is an input that knows its watermark.
type watermarked interface{ CurrentWatermark() int64 }

// publish makes the figures visible to others. A wait that begins now is
// counted when it ends.
func (t *task) publish() {
	t.sincePrint = 0
	now := time.Now()
	if t.chain == nil || t.stats.began.IsZero() {
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
	blocked := t.stats.backlogged + t.out.BlockedTime()
	io.IdleMs, io.BackpressuredMs = t.stats.idle.Milliseconds(), blocked.Milliseconds()
	io.BusyMs = max(0, (now.Sub(t.stats.began) - t.stats.idle - blocked).Milliseconds())
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
	m.IdleMs.Add(io.IdleMs - m.IdleMs.Count())
	m.BackPressuredMs.Add(io.BackpressuredMs - m.BackPressuredMs.Count())
	m.BusyMs.Add(io.BusyMs - m.BusyMs.Count())
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
