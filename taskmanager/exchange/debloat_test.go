package exchange

import (
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"goflink/dataflow"
)

// bloat is a channel whose sender always has more, and a receiver on a clock of
// its own.
type bloat struct {
	*pair
	t       *testing.T
	now     time.Time
	idle    time.Duration
	sent    atomic.Int64 // rows
	stalled atomic.Bool
	barrier atomic.Int64 // to be sent
	taken   int64        // rows
	debt    float64
	got     int64 // last barrier
	done    chan struct{}
}

func newBloat(t *testing.T, p *pair) *bloat {
	b := &bloat{pair: p, t: t, now: time.Unix(1000, 0), done: make(chan struct{})}
	go func() {
		defer close(b.done)
		for b.feed() == nil {
		}
	}()
	t.Cleanup(func() { p.from.cancel(); <-b.done })
	return b
}

// feed sends as much as the receiver asks for at a time.
func (b *bloat) feed() error {
	if b.from.blocked {
		b.stalled.Store(true)
		err := b.from.awaitSpace()
		b.stalled.Store(false)
		if err != nil {
			return err
		}
	}
	if id := b.barrier.Swap(0); id != 0 {
		if err := b.from.out.Broadcast(Event{Barrier: &Barrier{ID: id}}); err != nil {
			return err
		}
	}
	w := b.writer()
	rows := int64(w.Limit())
	if !w.Local() {
		rows = max(1, rows/8)
	}
	b.sent.Add(rows)
	return b.from.send(w, 0, rows)
}

// until waits for something that happens without our doing.
func (b *bloat) until(what string, cond func() bool) {
	b.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !cond(); runtime.Gosched() {
		if time.Now().After(deadline) {
			b.t.Fatalf("waited in vain for %s", what)
		}
	}
}

// take processes an item.
func (b *bloat) take() {
	item, err := b.to.next()
	if err != nil {
		b.t.Fatal(err)
	}
	if item.Kind == ItemBarrier {
		b.got = item.Barrier.ID
	}
	if item.Kind != ItemData {
		return
	}
	n := len(item.values())
	b.taken += int64(n)
	b.debt += float64(n)
	b.to.gate.Done(item)
}

// pass lets a period pass with a task that takes so many rows a second, or as
// fast as they come when that is 0.
func (b *bloat) pass(rate float64) {
	if rate == 0 {
		for range 100 {
			b.take()
		}
		b.idle += period * 95 / 100
	} else {
		for b.debt -= rate * period.Seconds(); b.debt < 0; {
			b.take()
		}
	}
	if rate > 0 {
		b.until("a blocked sender", b.full)
	}
	b.now = b.now.Add(period)
	b.to.gate.Debloat(b.now, b.idle)
	d := b.to.gate.debloat
	want := d.local.told
	if !b.writer().Local() {
		want = d.remote.told
	}
	b.until("the size at the sender", func() bool { return b.writer().Limit() == want })
}

// full tells that the sender has sent all it may.
func (b *bloat) full() bool {
	if !b.stalled.Load() {
		return false
	}
	if b.writer().Local() {
		return b.from.out.over.Load() > 0
	}
	g := b.to.gate
	g.mu.Lock()
	defer g.mu.Unlock()
	c := &g.channels[0].credit
	return c.unused() == 0 && c.backlog > 0 && g.floating == 0
}

func (b *bloat) inFlight() float64 {
	b.until("a blocked sender", b.full)
	return float64(b.sent.Load() - b.taken)
}

// TestDebloat: with a slow task what is in flight shrinks to what it takes in the
// target time, a barrier gets through in about that time, and all is as before
// when the task is fast again.
func TestDebloat(t *testing.T) {
	bothKinds(t, func(t *testing.T, p *pair) {
		b := newBloat(t, p)
		most := float64(dataflow.BatchRows)
		rate := 300.0 // rows a second: a hundredth of what may be in flight
		if !b.writer().Local() {
			most, rate = dataflow.BufferSize/8, 5000
		}
		b.pass(rate)
		before := b.inFlight()
		if before < 8*most {
			t.Fatalf("%.0f rows in flight to begin with", before)
		}
		for range 150 {
			b.pass(rate)
		}
		slow := b.inFlight()
		if slow < 0.5*rate || slow > 1.6*rate {
			t.Errorf("%.0f rows in flight to a task that takes %.0f a second; %.0f before", slow, rate, before)
		}
		id := int64(1)
		b.barrier.Store(id)
		from := b.taken
		for b.got != id {
			b.take()
		}
		if n := float64(b.taken - from); n > 1.8*rate {
			t.Errorf("the barrier took %.1f s", n/rate)
		}
		t.Logf("%.0f rows in flight, then %.0f; the barrier took %.2f s; %d ms shown", before, slow, float64(b.taken-from)/rate, b.to.gate.debloat.shownTime.Load())
		if ms := b.to.gate.debloat.shownTime.Load(); ms < 400 || ms > 1700 {
			t.Errorf("%d ms are shown to consume what is in flight", ms)
		}
		for range 60 {
			b.pass(0)
		}
		unit := 1
		if !b.writer().Local() {
			unit = 8
		}
		if got := float64(b.writer().Limit() / unit); got != most {
			t.Errorf("%.0f rows a buffer for a fast task, not %.0f", got, most)
		}
	})
}

// TestDebloatOff: nothing changes.
func TestDebloatOff(t *testing.T) {
	g := newGate(&Network{}, GateOptions{Inputs: []GateInput{{Sources: []GateSource{{}}}}})
	g.Debloat(time.Now(), 0)
	if _, _, ok := g.Debloated(); ok {
		t.Error("figures without debloating")
	}
}
