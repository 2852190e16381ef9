package state

import (
	"sync"
	"sync/atomic"
)

// clock counts snapshots. A snapshot is named by the epoch that it ends; pages and values of that epoch or an
// earlier one may be visible to it until it is released.
type clock struct {
	epoch uint64 // current; starts at 1, owned by the task

	// native is the latest epoch that a native snapshot ended, 0 before the first; owned by the task. drained is the
	// latest one whose changed entries are all in the store.
	native  uint64
	drained atomic.Uint64

	// frozen is the latest epoch that a running snapshot ended, 0 when none runs. The task reads it only when it
	// first touches something of an older epoch.
	frozen atomic.Uint64

	mu struct {
		sync.Mutex
		running map[uint64]bool
		last    func() // called once when no snapshot runs any more
	}
}

func newClock() *clock {
	c := &clock{epoch: 1}
	c.mu.running = map[uint64]bool{}
	return c
}

// tick ends the current epoch for a snapshot and returns its name.
func (c *clock) tick() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	ended := c.epoch
	c.epoch++
	c.mu.running[ended] = true
	c.frozen.Store(ended)
	return ended
}

// release says that the snapshot which ended epoch reads no longer.
func (c *clock) release(epoch uint64) {
	c.mu.Lock()
	delete(c.mu.running, epoch)
	latest := uint64(0)
	for e := range c.mu.running {
		latest = max(latest, e)
	}
	c.frozen.Store(latest)
	var last func()
	if latest == 0 {
		last, c.mu.last = c.mu.last, nil
	}
	c.mu.Unlock()
	if last != nil {
		last()
	}
}

// after calls f when no snapshot runs any more, and tells whether it has.
func (c *clock) after(f func()) bool {
	c.mu.Lock()
	if len(c.mu.running) > 0 {
		c.mu.last = f
		c.mu.Unlock()
		return false
	}
	c.mu.Unlock()
	f()
	return true
}
