package exchange

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"goflink/dataflow"
)

// ItemKind says what Gate.Next returns.
type ItemKind int

// What a task gets from its gate.
const (
	// ItemData is a batch or buffer: process it, then call Gate.Done.
	ItemData ItemKind = iota
	// ItemBarrier: the barrier has come on all channels that go on.
	ItemBarrier
	// ItemCancelled: checkpoint Checkpoint will get no barrier. With Forward,
	// tell it downstream.
	ItemCancelled
	// ItemChannelEnded: no data follows on the channel.
	ItemChannelEnded
	// ItemEndOfData: no data follows on any channel.
	ItemEndOfData
	// ItemEndOfPartition: nothing at all follows.
	ItemEndOfPartition
	// ItemRecorded: Held is the last of what belongs to the unaligned checkpoint
	// Checkpoint.
	ItemRecorded
)

// Item is what a task does next with its input.
type Item struct {
	Kind ItemKind
	// Input and Channel say where data came from.
	Input, Channel int
	// Batch (local) or Buffer (remote) of ItemData.
	Batch  dataflow.Batch
	Buffer *dataflow.Buffer

	Barrier    Barrier
	Alignment  time.Duration // of ItemBarrier: since the first channel had it
	EndOfData  EndOfData     // of ItemChannelEnded and ItemEndOfData
	Checkpoint int64
	Forward    bool
	// Held is what an unaligned barrier overtook, channel by channel in order;
	// it stays in the gate. The task keeps a copy before it calls Next again.
	Held []Item
	// Recording of ItemBarrier: more follows, up to ItemRecorded.
	Recording bool
	// Record of ItemData: it belongs to the unaligned checkpoint that was taken.
	Record bool

	channel *inputChannel
	units   int
}

// GateSource is the sending end of a channel.
type GateSource struct {
	Subtask int
	Peer    Peer
	// Finished: the sender was finished before this attempt; the channel has
	// ended from the start.
	Finished bool
}

// openBarrier is a barrier that has come on some channels.
type openBarrier struct {
	barrier Barrier
	since   time.Time // of the first
}

// GateInput is one incoming edge.
type GateInput struct {
	Edge    int
	Sources []GateSource // by channel
	// Overtakes: unaligned barriers overtake records on this edge.
	Overtakes bool
	// First: nothing of the other inputs is given out before its channels have
	// ended. It is for inputs that wait on disk: senders of the others would block.
	First bool
}

// GateOptions describe the receiving end of a task.
type GateOptions struct {
	// Task is the task's name for errors.
	Task string
	// Subtask is the channels' target.
	Subtask int
	Inputs  []GateInput // by Edge.input_index
	// ExactlyOnce blocks a channel after its barrier until the others had it;
	// else a checkpoint is taken when all had its barrier, and records that came
	// behind it meanwhile may be processed again after a restore.
	ExactlyOnce bool
	// Wake is called, on any goroutine, when Next may have something new.
	Wake func()
	// Urgent is set, on any goroutine, when Gate.Urgent has something; nil: the
	// task never takes unaligned checkpoints.
	Urgent *atomic.Bool
	// Announced is called, on any goroutine, when the first barrier of a
	// checkpoint with an AlignedTimeout has come in.
	Announced func(Barrier)
	// Fail is called, on any goroutine, when a peer that is still needed is
	// lost; nil: only Next tells.
	Fail func(error)
}

// Gate is the receiving end of all channels of a task. Next and Done are for
// the task's goroutine.
type Gate struct {
	o        GateOptions
	net      *Network
	reserved int // network buffers
	mu       sync.Mutex
	channels []*inputChannel
	align    barriers
	exact    *aligner              // align, when it is one
	opened   map[int64]openBarrier // checkpoints whose first barrier came
	rec      int64                 // unaligned checkpoint being recorded
	recorded int64                 // … whose last barrier came in, and ItemRecorded is due
	ready    fifo[*inputChannel]
	out      fifo[Item] // decided, not taken yet
	floating int        // free floating credits
	debloat  *debloater // nil: off
	hungry   fifo[*inputChannel]
	eod      EndOfData
	eods     int // channels that ended their data
	firsts   int // channels of First inputs that did not
	eops     int
	closed   bool
	err      error

	bytesIn int64 // task's goroutine only
}

func newGate(net *Network, o GateOptions) *Gate {
	g := &Gate{o: o, net: net, floating: net.o.Credits.Floating, opened: map[int64]openBarrier{}, debloat: newDebloater(net.o.Debloat)}
	for i, in := range o.Inputs {
		for j, src := range in.Sources {
			c := &inputChannel{gate: g, input: i, index: j, flat: len(g.channels), peer: src.Peer,
				id: ChannelID{Edge: in.Edge, Source: src.Subtask, Target: o.Subtask}}
			c.credit.exclusive = net.o.Credits.Exclusive
			g.channels = append(g.channels, c)
		}
	}
	g.holdBack()
	if o.ExactlyOnce {
		g.exact = newAligner(len(g.channels))
		for _, c := range g.channels {
			g.exact.strict[c.flat] = !o.Inputs[c.input].Overtakes
		}
		g.align = g.exact
	} else {
		g.align = newTracker(len(g.channels))
	}
	for _, c := range g.channels {
		if c.finished() {
			g.pushLocked(c, queued{event: &Event{EndOfData: &EndOfData{Drain: true}}})
			g.pushLocked(c, queued{event: &Event{EndOfPartition: true}})
		}
	}
	return g
}

// finished tells that the channel has ended from the start: its sender is not
// there.
func (c *inputChannel) finished() bool { return c.gate.o.Inputs[c.input].Sources[c.index].Finished }

// pushLocked appends to a channel's queue. The lock is held. It returns a
// barrier whose time-out begins.
func (g *Gate) pushLocked(c *inputChannel, q queued) (announced *Barrier) {
	if g.closed {
		q.release()
		return nil
	}
	if q.event != nil && g.exact != nil {
		var gone bool
		if announced, gone = g.cameInLocked(c, q.event); gone {
			return nil
		}
	} else if c.rec {
		q.rec = g.rec
	}
	c.queue.push(q)
	g.enqueueLocked(c)
	return announced
}

func (g *Gate) enqueueLocked(c *inputChannel) {
	if !c.state.enqueued && !c.state.blocked && !c.state.held && c.queue.len() > 0 {
		c.state.enqueued = true
		g.ready.push(c)
	}
}

// receive takes a frame that came in over a connection; it takes ownership. An
// error means that the peer does not keep the protocol.
func (g *Gate) receive(c *inputChannel, q queued, backlog int) error {
	g.mu.Lock()
	if c.state.ended {
		g.mu.Unlock()
		q.release()
		return fmt.Errorf("exchange: %s: a frame after the end of the channel", c.id)
	}
	if q.buffer != nil {
		if c.credit.unused() <= 0 {
			g.mu.Unlock()
			q.release()
			return fmt.Errorf("exchange: %s: a buffer without credit", c.id)
		}
		c.credit.received += int64(q.units)
		c.credit.backlog = backlog
		g.feedLocked(c)
	} else if q.event.EndOfPartition {
		c.state.ended = true // for frames; the task sees it in order
	}
	announced := g.pushLocked(c, q)
	g.mu.Unlock()
	g.announce(announced)
	g.o.Wake()
	return nil
}

// Next returns what to do next; false when there is nothing now. It never
// blocks.
func (g *Gate) Next() (Item, bool, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for {
		if item, ok := g.out.pop(); ok {
			return item, true, nil
		}
		if g.err != nil {
			return Item{}, false, g.err
		}
		c, ok := g.ready.pop()
		if !ok {
			return Item{}, false, nil
		}
		c.state.enqueued = false
		if c.state.blocked {
			continue // blocked while it was in the queue
		}
		q, ok := c.queue.pop()
		if !ok {
			continue // a barrier that has overtaken was all there was
		}
		if q.event == nil {
			g.enqueueLocked(c)
			return Item{Kind: ItemData, Input: c.input, Channel: c.index, Batch: q.batch, Buffer: q.buffer, channel: c, units: q.units,
				Record: q.rec != 0 && q.rec == g.rec}, true, nil
		}
		g.eventLocked(c, q.event)
		g.enqueueLocked(c)
	}
}

func (g *Gate) eventLocked(c *inputChannel, e *Event) {
	switch {
	case e.Barrier != nil:
		g.decided(c, g.align.barrier(c.flat, e.Barrier.ID), e.Barrier)
	case e.Cancel != 0:
		g.decided(c, g.align.cancel(e.Cancel), nil)
	case e.EndOfData != nil:
		g.endOfDataLocked(c, *e.EndOfData)
	case e.EndOfPartition:
		if !c.eod { // a sender that was finished before
			g.endOfDataLocked(c, EndOfData{Drain: true})
		}
		g.eops++
		g.decided(c, g.align.end(c.flat), nil)
		if g.eops == len(g.channels) {
			g.out.push(Item{Kind: ItemEndOfPartition})
		}
	}
}

func (g *Gate) endOfDataLocked(c *inputChannel, e EndOfData) {
	if c.eod {
		return
	}
	c.eod = true
	if g.eods == 0 {
		g.eod = EndOfData{Drain: true}
	}
	g.eods++
	g.eod.Drain = g.eod.Drain && e.Drain
	g.eod.Stop = g.eod.Stop || e.Stop
	g.out.push(Item{Kind: ItemChannelEnded, Input: c.input, Channel: c.index, EndOfData: e})
	if g.o.Inputs[c.input].First {
		g.firstEndedLocked()
	}
	if g.eods == len(g.channels) {
		g.out.push(Item{Kind: ItemEndOfData, EndOfData: g.eod})
	}
}

// decided does what the aligner said.
func (g *Gate) decided(c *inputChannel, r alignment, b *Barrier) {
	if r.unblock {
		for _, other := range g.channels {
			if other.state.blocked {
				other.state.blocked = false
				g.enqueueLocked(other)
			}
		}
	}
	if r.aborted != 0 {
		g.forgetLocked(r.aborted)
		g.out.push(Item{Kind: ItemCancelled, Checkpoint: r.aborted, Forward: r.forward})
	}
	if r.started {
		g.opened[b.ID] = openBarrier{*b, time.Now()}
	}
	c.state.blocked = c.state.blocked || r.block
	if r.due {
		g.o.Urgent.Store(true)
	}
	if r.recorded != 0 {
		g.recorded = r.recorded
		g.o.Urgent.Store(true)
	}
	if r.aligned != 0 {
		o := g.opened[r.aligned]
		delete(g.opened, r.aligned)
		g.out.push(Item{Kind: ItemBarrier, Barrier: o.barrier, Alignment: time.Since(o.since)})
	}
	for _, next := range r.then {
		g.decided(c, next, b)
	}
}

// Cancel gives up the alignment of checkpoint id, which the JobManager aborted.
// Barriers of it that come later are dropped. It tells whether the barrier had
// not passed yet, so that downstream should be told.
func (g *Gate) Cancel(id int64) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	r := g.align.cancel(id)
	g.forgetLocked(id)
	if r.unblock {
		for _, c := range g.channels {
			c.state.blocked = false
			g.enqueueLocked(c)
		}
	}
	return r.forward
}

// Done gives a batch or buffer back after the last record of it, and its
// credit to the sender.
func (g *Gate) Done(item Item) {
	c := item.channel
	rows, bytes := 0, 0
	if item.Batch != nil {
		rows = item.Batch.Rows()
		item.Batch.Release()
	} else {
		bytes = len(item.Buffer.Data)
		g.bytesIn += int64(bytes)
		freeBuffer(item.Buffer)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed || item.units == 0 {
		return
	}
	if d := g.debloat; d != nil {
		d.rows += int64(rows)
		d.bytes += int64(bytes)
	}
	c.credit.consumed += int64(item.units)
	if c.local != nil {
		g.consumedLocalLocked(c)
		return
	}
	g.consumedRemoteLocked(c, item.units)
}

// sendLocal hands an item of a sender in this process over. Without room and
// with force false it does nothing and returns false; over tells that the item
// went beyond the channel's credits.
func (g *Gate) sendLocal(c *inputChannel, q queued, force bool) (sent, over bool) {
	g.mu.Lock()
	b := &c.credit
	if q.event == nil && !g.closed {
		room := b.inFlight() < int64(b.exclusive+b.floating)
		if !room && g.floating > 0 && !c.state.held {
			g.floating--
			b.floating++
			room = true
		}
		if !room && !force {
			g.mu.Unlock()
			return false, false
		}
		if !room {
			over = true
			b.over++
			c.local.over.Add(1)
		}
		b.received += int64(q.units)
	}
	announced := g.pushLocked(c, q)
	g.mu.Unlock()
	g.announce(announced)
	g.o.Wake()
	return true, over
}

// fail makes Next return err unless all channels of the connection have ended.
func (g *Gate) fail(on *conn, err error) {
	g.mu.Lock()
	lost := g.err == nil && !g.closed && g.openOnLocked(on)
	if lost {
		g.err = err
	}
	g.mu.Unlock()
	if !lost {
		return
	}
	if g.o.Fail != nil {
		g.o.Fail(err)
	}
	g.o.Wake()
}

func (g *Gate) openOnLocked(on *conn) bool {
	for _, c := range g.channels {
		if c.conn == on && !c.state.ended {
			return true
		}
	}
	return false
}

// BytesIn is the number of bytes received from other processes and processed.
func (g *Gate) BytesIn() int64 { return g.bytesIn }

// Channels is the number of channels.
func (g *Gate) Channels() int { return len(g.channels) }

// Queued is the number of items that wait, for tests and metrics.
func (g *Gate) Queued() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	n := g.out.len()
	for _, c := range g.channels {
		n += c.queue.len()
	}
	return n
}

// close drops everything that is queued.
func (g *Gate) close() {
	g.mu.Lock()
	if g.closed {
		g.mu.Unlock()
		return
	}
	g.closed = true
	if g.err == nil {
		g.err = ErrClosed
	}
	var drop []queued
	for _, c := range g.channels {
		for q, ok := c.queue.pop(); ok; q, ok = c.queue.pop() {
			drop = append(drop, q)
		}
	}
	g.mu.Unlock()
	for i := range drop {
		drop[i].release()
	}
	g.net.budget.release(g.reserved)
	g.o.Wake()
}

var errUnknownChannel = errors.New("no such channel")
