package exchange

import "slices"

// tracker counts the barriers of a task that takes records at least once: no
// channel is ever blocked, so several checkpoints may be under way, and a
// checkpoint is taken when its barrier has come on every channel that goes on.
// It is Flink's CheckpointBarrierTracker, and a pure core like aligner.
type tracker struct {
	ended   []bool
	running int
	done    int64      // newest checkpoint that was taken or is forgotten; no older one will be
	open    []*tracked // oldest first
	// cancelled are checkpoints above done that get no further barrier.
	cancelled map[int64]bool
}

// tracked is a checkpoint whose first barrier came.
type tracked struct {
	id      int64
	got     []bool
	waiting int // channels that neither ended nor had the barrier
}

func newTracker(channels int) *tracker {
	return &tracker{ended: make([]bool, channels), running: channels, cancelled: map[int64]bool{}}
}

// barrier takes the barrier of checkpoint id on channel ch.
func (k *tracker) barrier(ch int, id int64) (r alignment) {
	if id <= k.done || k.ended[ch] || k.cancelled[id] {
		return r
	}
	c := k.find(id)
	if c == nil {
		c = &tracked{id: id, got: make([]bool, len(k.ended)), waiting: k.running}
		at := slices.IndexFunc(k.open, func(o *tracked) bool { return o.id > id })
		if at < 0 {
			at = len(k.open)
		}
		k.open = slices.Insert(k.open, at, c)
		r.started = true
	}
	if !c.got[ch] {
		c.got[ch] = true
		c.waiting--
	}
	r.then = k.settle()
	return r
}

// end takes the end of channel ch: it counts as having had every barrier.
func (k *tracker) end(ch int) (r alignment) {
	if k.ended[ch] {
		return r
	}
	k.ended[ch] = true
	k.running--
	for _, c := range k.open {
		if !c.got[ch] {
			c.waiting--
		}
	}
	r.then = k.settle()
	return r
}

// cancel gives up checkpoint id; all others go on.
func (k *tracker) cancel(id int64) (r alignment) {
	if id <= k.done || k.cancelled[id] {
		return r
	}
	k.open = slices.DeleteFunc(k.open, func(c *tracked) bool { return c.id == id })
	k.cancelled[id] = true
	if len(k.cancelled) > maxCancelled {
		k.forget()
	}
	return alignment{aborted: id, forward: true}
}

// settle takes what has become complete, oldest first. An older one that a
// newer one has left behind cannot become complete any more: barriers travel
// in order, so a channel that had the newer one has lost the older one's.
func (k *tracker) settle() (steps []alignment) {
	for {
		i := slices.IndexFunc(k.open, func(c *tracked) bool { return c.waiting == 0 })
		if i < 0 {
			break
		}
		for _, c := range k.open[:i] {
			steps = append(steps, alignment{aborted: c.id})
		}
		k.done = k.open[i].id
		steps = append(steps, alignment{aligned: k.done})
		k.open = slices.Delete(k.open, 0, i+1)
	}
	if len(k.open) > maxCancelled { // their senders have given them up, or there would not be so many
		steps = append(steps, alignment{aborted: k.open[0].id})
		k.done = k.open[0].id
		k.open = slices.Delete(k.open, 0, 1)
	}
	k.clean()
	return steps
}

func (k *tracker) find(id int64) *tracked {
	for _, c := range k.open {
		if c.id == id {
			return c
		}
	}
	return nil
}

// forget drops the oldest cancelled checkpoint, and with it all older ones that
// never began.
func (k *tracker) forget() {
	oldest := int64(-1)
	for id := range k.cancelled {
		if oldest < 0 || id < oldest {
			oldest = id
		}
	}
	delete(k.cancelled, oldest)
	if len(k.open) == 0 || oldest < k.open[0].id {
		k.done = max(k.done, oldest)
	}
}

func (k *tracker) clean() {
	for id := range k.cancelled {
		if id <= k.done {
			delete(k.cancelled, id)
		}
	}
}
