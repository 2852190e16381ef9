package metrics

import (
	"math"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// Metric is anything that has a current figure.
type Metric interface {
	// text is the figure as REST and reporters show it.
	text() string
}

// Counter counts. It belongs to one goroutine, which changes and publishes it; see Group.Counter.
type Counter struct {
	n         int64
	last      int64
	published atomic.Int64
}

// Inc adds one.
func (c *Counter) Inc() { c.n++ }

// Add adds n.
func (c *Counter) Add(n int64) { c.n += n }

// Count returns the current count; for the owning goroutine.
func (c *Counter) Count() int64 { return c.n }

// Published returns the count as last published; for any goroutine.
func (c *Counter) Published() int64 { return c.published.Load() }

func (c *Counter) publish() {
	if c.n != c.last {
		c.last = c.n
		c.published.Store(c.n)
	}
}

func (c *Counter) text() string { return strconv.FormatInt(c.published.Load(), 10) }

// AtomicCounter counts for several goroutines at once, such as connections. It costs an atomic addition.
type AtomicCounter struct{ n atomic.Int64 }

// Add adds n.
func (c *AtomicCounter) Add(n int64) { c.n.Add(n) }

// Published returns the count.
func (c *AtomicCounter) Published() int64 { return c.n.Load() }

func (c *AtomicCounter) text() string { return strconv.FormatInt(c.n.Load(), 10) }

// Value is a figure that its owner sets, such as a watermark. It belongs to one goroutine, which sets and publishes it.
type Value struct {
	v         int64
	last      int64
	published atomic.Int64
}

// Set sets the figure.
func (v *Value) Set(n int64) { v.v = n }

// Published returns the figure as last published; for any goroutine.
func (v *Value) Published() int64 { return v.published.Load() }

func (v *Value) publish() {
	if v.v != v.last {
		v.last = v.v
		v.published.Store(v.v)
	}
}

func (v *Value) text() string { return strconv.FormatInt(v.published.Load(), 10) }

// Gauge is a figure asked for when it is read. The functions are called from the reader's goroutine, must not block and must
// be safe beside the goroutines that change what they read.
type Gauge func() string

func (g Gauge) text() string { return g() }

// IntGauge makes a gauge of a whole number.
func IntGauge(f func() int64) Gauge {
	return func() string { return strconv.FormatInt(f(), 10) }
}

// FloatGauge makes a gauge of a decimal number.
func FloatGauge(f func() float64) Gauge {
	return func() string { return formatFloat(f()) }
}

// formatFloat writes a number as Flink does: always with a decimal point, NaN as such.
func formatFloat(f float64) string {
	if f == math.Trunc(f) && math.Abs(f) < 1e15 {
		return strconv.FormatFloat(f, 'f', 1, 64)
	}
	return strconv.FormatFloat(f, 'g', -1, 64)
}

// Source is what a Meter measures: a count that any goroutine may read.
type Source interface{ Published() int64 }

const (
	// TickInterval is how often Registry.Tick is to be called.
	TickInterval = 5 * time.Second
	// meterWindow is the number of ticks a rate looks back: a minute, as Flink's meters.
	meterWindow = 12
)

// sample is a count at a time.
type sample struct {
	at    time.Time
	count int64
}

// Meter is the rate per second of a count over the last minute, or since it began when that is less.
type Meter struct {
	source Source
	rate   atomic.Uint64 // bits of the float64
	// samples is a ring; only tick touches it, under the registry's lock.
	samples [meterWindow + 1]sample
	taken   int
}

func newMeter(s Source) *Meter { return &Meter{source: s} }

// Rate returns the events per second as of the last tick.
func (m *Meter) Rate() float64 { return math.Float64frombits(m.rate.Load()) }

func (m *Meter) tick(now time.Time) {
	newest := sample{at: now, count: m.source.Published()}
	m.samples[m.taken%len(m.samples)] = newest
	m.taken++
	oldest := m.samples[max(0, m.taken-len(m.samples))%len(m.samples)]
	seconds := newest.at.Sub(oldest.at).Seconds()
	rate := 0.0
	if seconds > 0 {
		rate = float64(newest.count-oldest.count) / seconds
	}
	m.rate.Store(math.Float64bits(rate))
}

func (m *Meter) text() string { return formatFloat(m.Rate()) }

// Histogram keeps the last values of something that happens now and then: a latency, a size. It takes a lock; it is not for
// each record.
type Histogram struct {
	mu struct {
		sync.Mutex
		ring  []int64
		count int64
	}
}

// maxWindow bounds a histogram: 1024 values give a 99.9th percentile some meaning and cost 8 KiB.
const maxWindow = 1024

func newHistogram(window int) *Histogram {
	h := &Histogram{}
	h.mu.ring = make([]int64, 0, max(1, min(window, maxWindow)))
	return h
}

// Update adds a value.
func (h *Histogram) Update(v int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.mu.ring) < cap(h.mu.ring) {
		h.mu.ring = append(h.mu.ring, v)
	} else {
		h.mu.ring[int(h.mu.count%int64(cap(h.mu.ring)))] = v
	}
	h.mu.count++
}

// Statistics returns the distribution of the last values.
func (h *Histogram) Statistics() Statistics {
	h.mu.Lock()
	values := append([]int64(nil), h.mu.ring...)
	count := h.mu.count
	h.mu.Unlock()
	s := Summarise(values)
	s.Count = count
	return s
}

func (h *Histogram) text() string { return strconv.FormatInt(h.Statistics().Count, 10) }
