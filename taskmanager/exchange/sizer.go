package exchange

import (
	"math"
	"time"
)

// Debloat bounds what is in flight to a task by time instead of by buffers: as
// much as the task consumes in Target. It is decided each Period from the
// throughput, outside of the path of records.
type Debloat struct {
	// Enabled switches it on (taskmanager.network.memory.buffer-debloat.enabled).
	Enabled bool
	// Target is how long what is in flight should take to be consumed (….target);
	// 0: 1 s.
	Target time.Duration
	// Period is how often Gate.Debloat is called (….period); 0: 200 ms.
	Period time.Duration
	// Samples smooth the size as an average over so many periods (….samples); 0: 20.
	Samples int
	// Threshold is by how many percent the size has to change to be told to
	// senders (….threshold-percentages); 0: each change is.
	Threshold int
	// MinBytes is the smallest buffer (taskmanager.memory.min-segment-size); 0: 256.
	MinBytes int
}

func (d *Debloat) complete() {
	if d.Target <= 0 {
		d.Target = time.Second
	}
	if d.Period <= 0 {
		d.Period = 200 * time.Millisecond
	}
	if d.Samples <= 0 {
		d.Samples = 20
	}
	if d.MinBytes <= 0 {
		d.MinBytes = 256
	}
}

// leastBusy is the shortest busy time that a throughput is made of: what a
// shorter one says is noise, and high in any case.
const leastBusy = time.Millisecond

// sizer decides how much senders put into a buffer: bytes for remote channels,
// rows for local ones. It is a pure core; Gate drives it.
type sizer struct {
	o           Debloat
	least, most int
	size        float64 // smoothed
	told        int     // what senders go by
	// What was consumed, and in which time, since the last sample.
	count   int64
	busy    time.Duration
	elapsed time.Duration
	rate    float64 // per second, of the last sample
}

func newSizer(o Debloat, least, most int) sizer {
	o.complete()
	least = min(least, most)
	return sizer{o: o, least: least, most: most, size: float64(most), told: most}
}

// step takes what was consumed in the last period, of which the task was busy (or
// held back by its own output) for some time, and how many buffers are in flight.
// It tells whether senders are to be told another size.
//
// A task that is inside a large buffer consumes nothing for some periods and much
// in one: a sample begins with the first period in which the task did something
// and ends when something was consumed, or when nothing was for the target time.
func (s *sizer) step(consumed int64, busy, elapsed time.Duration, inFlight int) (news bool) {
	s.count += consumed
	s.busy += busy
	if s.count == 0 && s.busy < leastBusy {
		return false // idle
	}
	s.elapsed += elapsed
	if s.count == 0 && s.busy < s.o.Target {
		return false
	}
	s.rate = float64(s.count) / max(s.busy, leastBusy).Seconds()
	want := s.rate * s.o.Target.Seconds() / float64(max(1, inFlight))
	want = min(max(want, float64(s.least)), float64(s.most))
	// The weight of an exponential average over Samples periods.
	keep := math.Pow(1-2/float64(s.o.Samples+1), float64(s.elapsed)/float64(s.o.Period))
	s.size = keep*s.size + (1-keep)*want
	s.count, s.busy, s.elapsed = 0, 0, 0
	return s.decide()
}

// decide tells senders what differs enough. An average never reaches its limits:
// what is close to them counts as one of them.
func (s *sizer) decide() bool {
	size := int(math.Round(s.size))
	const close = 0.05
	switch {
	case s.size >= float64(s.most)*(1-close):
		size = s.most
	case s.size <= float64(s.least)*(1+close):
		size = s.least
	}
	change := size - s.told
	if change == 0 {
		return false
	}
	limit := size == s.most || size == s.least
	if !limit && max(change, -change)*100 < s.o.Threshold*s.told {
		return false
	}
	s.told = size
	return true
}
