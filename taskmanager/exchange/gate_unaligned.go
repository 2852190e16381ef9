package exchange

import (
	"time"

	"goflink/dataflow"
)

// This file is what a Gate does for unaligned checkpoints: see aligner.

// cameInLocked looks at an event when it comes in, before the records ahead of
// it are processed. gone tells that it needs no place in the queue.
func (g *Gate) cameInLocked(c *inputChannel, e *Event) (announced *Barrier, gone bool) {
	switch {
	case e.Barrier != nil && e.Barrier.overtakes() && g.o.Urgent != nil:
		r := g.exact.announce(c.flat, e.Barrier.ID, e.Barrier.Unaligned)
		if r.gone {
			c.rec = false
		}
		g.decided(c, r, e.Barrier)
		if o, ok := g.opened[e.Barrier.ID]; ok && e.Barrier.Unaligned {
			o.barrier = *e.Barrier
			g.opened[e.Barrier.ID] = o
		}
		if r.started && e.Barrier.AlignedTimeout > 0 {
			return e.Barrier, false
		}
		return nil, r.gone
	case e.EndOfPartition:
		c.rec = false
		g.decided(c, g.exact.endCame(c.flat), nil)
	}
	return nil, false
}

// announce tells the task of a barrier whose time-out begins. No lock is held.
func (g *Gate) announce(b *Barrier) {
	if b != nil && g.o.Announced != nil {
		g.o.Announced(*b)
	}
}

// Expire makes checkpoint id unaligned, if its barriers are still awaited.
func (g *Gate) Expire(id int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	o, ok := g.opened[id]
	if !ok || g.exact == nil || g.closed || o.barrier.AlignedTimeout == 0 {
		return
	}
	r := g.exact.expire(id)
	o.barrier.Unaligned, o.barrier.AlignedTimeout = true, 0
	g.opened[id] = o
	if r.due {
		g.o.Urgent.Store(true)
	}
}

// Urgent returns what goes before all records: ItemBarrier of an unaligned
// checkpoint, with what it overtook, or ItemRecorded. It is for the task's
// goroutine, between two records, also while the task's output is blocked.
func (g *Gate) Urgent() (Item, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed || g.exact == nil {
		return Item{}, false
	}
	if id := g.recorded; id != 0 {
		held := g.restLocked(id)
		g.forgetLocked(id)
		return Item{Kind: ItemRecorded, Checkpoint: id, Held: held}, true
	}
	if g.exact.due() {
		return g.takeLocked(), true
	}
	g.o.Urgent.Store(false)
	return Item{}, false
}

// takeLocked begins the unaligned checkpoint that is due.
func (g *Gate) takeLocked() Item {
	id := g.exact.cur
	o := g.opened[id]
	item := Item{Kind: ItemBarrier, Barrier: o.barrier, Alignment: time.Since(o.since), Checkpoint: id}
	g.forgetLocked(id)
	for _, c := range g.channels {
		if g.exact.pendingOn(c.flat) {
			item.Held = append(item.Held, c.heldLocked(id)...)
			c.rec = g.exact.missingOn(c.flat)
		}
	}
	if _, done := g.exact.take(); !done {
		g.rec, item.Recording = id, true
	}
	for _, c := range g.channels {
		c.state.blocked = false
		g.enqueueLocked(c)
	}
	return item
}

// heldLocked lists what is queued ahead of the barrier of checkpoint id, and
// takes the barrier out: it has overtaken.
func (c *inputChannel) heldLocked(id int64) []Item {
	var held []Item
	for i := range c.queue.len() {
		q := c.queue.at(i)
		if q.event == nil {
			held = append(held, Item{Kind: ItemData, Input: c.input, Channel: c.index, Batch: q.batch, Buffer: q.buffer})
			continue
		}
		if q.event.Barrier != nil && q.event.Barrier.ID == id {
			c.queue.remove(i)
			break
		}
	}
	return held
}

// restLocked lists what of checkpoint id waits in the queues.
func (g *Gate) restLocked(id int64) []Item {
	var held []Item
	for _, c := range g.channels {
		for i := range c.queue.len() {
			if q := c.queue.at(i); q.rec == id {
				held = append(held, Item{Kind: ItemData, Input: c.input, Channel: c.index, Batch: q.batch, Buffer: q.buffer})
			}
		}
	}
	return held
}

// forgetLocked drops what is known of a checkpoint that was taken or given up.
func (g *Gate) forgetLocked(id int64) {
	delete(g.opened, id)
	if g.rec == id {
		g.rec = 0
		for _, c := range g.channels {
			c.rec = false
		}
	}
	if g.recorded == id {
		g.recorded = 0
	}
}

// Preload puts records from a checkpoint before all that a channel brings.
// Call it before the task takes anything.
func (g *Gate) Preload(input, channel int, buffers []*dataflow.Buffer) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, c := range g.channels {
		if c.input != input || c.index != channel {
			continue
		}
		items := make([]queued, len(buffers))
		for i, b := range buffers {
			items[i] = queued{buffer: b}
		}
		c.queue.pushFront(items)
		g.enqueueLocked(c)
	}
}

// Source is the subtask that sends on a channel.
func (g *Gate) Source(input, channel int) int { return g.o.Inputs[input].Sources[channel].Subtask }
