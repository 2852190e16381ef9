package exchange

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"goflink/dataflow"
)

// TargetChannel is a channel to make: where it leads.
type TargetChannel struct {
	Channel ChannelID
	Peer    Peer
	// Finished: the receiver was finished before this attempt; what is sent to
	// it is dropped.
	Finished bool
	// Overtakes: unaligned barriers overtake records on this edge.
	Overtakes bool
	// Encoded: it takes buffers, also when the receiver is in this process.
	Encoded bool
}

// OutputsOptions describe the sending end of a task.
type OutputsOptions struct {
	// Task is the task's name for errors.
	Task string
	// Blocked is Env.Blocked: set by a send that found no credit.
	Blocked *bool
	// Wake is called, on any goroutine, when Available became true.
	Wake func()
	// Served: what is sent comes from files (Serve). Then only as much is in
	// memory as receivers gave credit for, and little is reserved for it.
	Served bool
	// Edges are the channels of each outgoing edge, by Edge.output_index.
	Edges [][]TargetChannel
}

// Outputs is the sending end of all channels of a task. Its writers are for
// the task's goroutine.
type Outputs struct {
	o        OutputsOptions
	net      *Network
	ctx      context.Context // of the task
	reserved int
	edges    [][]*Writer
	remote   int

	overdraft int32
	over      atomic.Int32 // items that wait without credit
	waiting   atomic.Bool  // the task waits inside a send
	space     chan struct{}

	forced bool // sends never block; task's goroutine only

	mu     sync.Mutex // guards credit and queue of remote writers
	closed bool
	held   heldBarrier

	bytesOut int64    // task's goroutine only
	blocked  struct { // inside sends
		sync.Mutex
		over  time.Duration
		since time.Time // zero: none is blocked now
	}
}

// Writer is the sending end of one channel; it is a dataflow.ChannelWriter.
type Writer struct {
	out      *Outputs
	id       ChannelID
	peer     Peer
	finished bool
	overtake bool
	encoded  bool
	target   *inputChannel // local: bound by Session.Connect
	isLocal  bool
	limit    atomic.Int32 // see Limit; set by whoever hears of it

	conn   *conn // remote: bound by Session.Connect
	credit int   // may be negative after a jumbo buffer
	queue  fifo[queued]
}

func newOutputs(ctx context.Context, net *Network, o OutputsOptions) *Outputs {
	out := &Outputs{o: o, net: net, ctx: ctx, overdraft: int32(net.o.Credits.Overdraft), space: make(chan struct{}, 1)}
	for _, edge := range o.Edges {
		var writers []*Writer
		for _, t := range edge {
			w := &Writer{out: out, id: t.Channel, peer: t.Peer, finished: t.Finished, overtake: t.Overtakes, encoded: t.Encoded}
			w.isLocal = t.Finished || t.Peer.WorkerID == net.o.WorkerID
			w.limit.Store(dataflow.BatchRows)
			if !w.isLocal {
				out.remote++
				w.limit.Store(dataflow.BufferSize)
			}
			writers = append(writers, w)
		}
		out.edges = append(out.edges, writers)
	}
	return out
}

// Writers returns the channels for Env.Outputs.
func (o *Outputs) Writers() [][]dataflow.ChannelWriter {
	all := make([][]dataflow.ChannelWriter, len(o.edges))
	for i, edge := range o.edges {
		all[i] = make([]dataflow.ChannelWriter, len(edge))
		for j, w := range edge {
			all[i][j] = w
		}
	}
	return all
}

// Available tells that nothing waits for credit.
func (o *Outputs) Available() bool { return o.over.Load() == 0 }

// BytesOut is the number of bytes sent to other processes.
func (o *Outputs) BytesOut() int64 { return o.bytesOut }

// BlockedTime is how long sends have blocked until now, for backpressure figures.
// Any goroutine may call it.
func (o *Outputs) BlockedTime(now time.Time) time.Duration {
	o.blocked.Lock()
	defer o.blocked.Unlock()
	if o.blocked.since.IsZero() {
		return o.blocked.over
	}
	return o.blocked.over + max(0, now.Sub(o.blocked.since))
}

// blocking counts the time of a blocked send from now on; call what it returns at
// its end.
func (o *Outputs) blocking() (ended func()) {
	o.blocked.Lock()
	defer o.blocked.Unlock()
	o.blocked.since = time.Now()
	return func() {
		over := o.BlockedTime(time.Now())
		o.blocked.Lock()
		defer o.blocked.Unlock()
		o.blocked.over, o.blocked.since = over, time.Time{}
	}
}

// Broadcast sends an event on all channels. The task has flushed before.
func (o *Outputs) Broadcast(e Event) error {
	for _, edge := range o.edges {
		for _, w := range edge {
			if err := w.sendEvent(e); err != nil {
				return err
			}
		}
	}
	return nil
}

// progress is called after a waiting item got its credit (delta -1) or a
// channel got room (0).
func (o *Outputs) progress(delta int32) {
	left := o.over.Add(delta)
	if o.waiting.Load() {
		select {
		case o.space <- struct{}{}:
		default:
		}
	}
	if left == 0 && delta != 0 {
		o.o.Wake()
	}
}

// waitUntil blocks the task inside a send until try succeeds.
func (o *Outputs) waitUntil(try func() (bool, error)) error {
	defer o.blocking()()
	o.waiting.Store(true)
	defer o.waiting.Store(false)
	for {
		if done, err := try(); done || err != nil {
			return err
		}
		select {
		case <-o.space:
		case <-o.ctx.Done():
			return context.Cause(o.ctx)
		}
	}
}

// Local implements dataflow.ChannelWriter.
func (w *Writer) Local() bool { return w.isLocal }

// NewBuffer implements dataflow.ChannelWriter.
func (w *Writer) NewBuffer(n int) *dataflow.Buffer { return newBuffer(n) }

var errKind = errors.New("exchange: batches go to local channels, buffers to remote ones")

// SendBatch implements dataflow.ChannelWriter.
func (w *Writer) SendBatch(b dataflow.Batch) error {
	if !w.isLocal {
		return errKind
	}
	if w.finished {
		b.Release()
		return nil
	}
	return w.sendLocal(queued{batch: b, units: 1})
}

// sendLocal hands an item to the gate of this process that it is for.
func (w *Writer) sendLocal(q queued) error {
	g := w.target.gate
	sent, over := g.sendLocal(w.target, q, w.out.roomy())
	if sent {
		w.blockIf(over)
		return nil
	}
	w.blockIf(true)
	return w.out.waitUntil(func() (bool, error) {
		sent, _ := g.sendLocal(w.target, q, w.out.over.Load() < w.out.overdraft)
		return sent, nil
	})
}

// roomy tells that one more item may wait without credit.
func (o *Outputs) roomy() bool { return o.forced || o.over.Load() < o.overdraft }

func (w *Writer) blockIf(over bool) {
	if over {
		*w.out.o.Blocked = true
	}
}

// SendBuffer implements dataflow.ChannelWriter.
func (w *Writer) SendBuffer(b *dataflow.Buffer) error {
	if w.isLocal && !w.encoded {
		return errKind
	}
	if len(b.Data) == 0 || w.finished {
		freeBuffer(b)
		return nil
	}
	if len(b.Data) > MaxRecord {
		return &Error{Domain: "user", Retry: "none", Err: fmt.Errorf("%s: a record of %d bytes is larger than the %d that a channel takes: split it, or send a reference to it",
			w.out.o.Task, len(b.Data), MaxRecord)}
	}
	w.out.bytesOut += int64(len(b.Data))
	q := queued{buffer: b, units: units(len(b.Data))}
	if w.isLocal {
		return w.sendLocal(q)
	}
	sent, over := w.trySend(q)
	w.blockIf(over || !sent)
	if sent {
		return nil
	}
	return w.out.waitUntil(func() (bool, error) {
		sent, _ := w.trySend(q)
		return sent, nil
	})
}

// trySend sends with credit, or queues within the overdraft (over).
func (w *Writer) trySend(q queued) (sent, over bool) {
	o := w.out
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		q.release()
		return true, false
	}
	if w.queue.len() == 0 && w.credit > 0 {
		w.credit -= q.units
		w.conn.sendBuffer(w.id, q.buffer, 0)
		return true, false
	}
	if !o.roomy() {
		return false, true
	}
	w.queue.push(q)
	o.over.Add(1)
	if w.conn != nil {
		w.conn.backlog(w.id, w.queue.len())
	}
	return true, true
}

func (w *Writer) sendEvent(e Event) error {
	if w.finished {
		return nil
	}
	if w.isLocal {
		w.target.gate.sendLocal(w.target, queued{event: &e}, true)
		return nil
	}
	o := w.out
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return ErrClosed
	}
	if w.queue.len() > 0 {
		w.queue.push(queued{event: &e})
		return nil
	}
	return w.conn.sendEvent(w.id, e)
}

// credited takes n more credits from the receiver and sends what waited.
func (w *Writer) credited(n int) error {
	o := w.out
	o.mu.Lock()
	w.credit += n
	sent := int32(0)
	heldBefore := o.held.writers
	var err error
	for q := w.queue.front(); q != nil && err == nil && (q.event != nil || w.credit > 0); q = w.queue.front() {
		item, _ := w.queue.pop()
		if item.event != nil {
			err = w.conn.sendEvent(w.id, *item.event)
			w.passedLocked(item.event)
			continue
		}
		w.credit -= item.units
		w.conn.sendBuffer(w.id, item.buffer, w.buffersWaiting())
		sent++
	}
	released := heldBefore > 0 && o.held.writers == 0
	o.mu.Unlock()
	if sent > 0 || n > 0 {
		o.progress(-sent)
	}
	if released {
		o.o.Wake()
	}
	return err
}

// buffersWaiting is at most the length of the queue: events in it may ask for
// a credit too many, which does no harm.
func (w *Writer) buffersWaiting() int { return w.queue.len() }

// close drops what waits for credit.
func (o *Outputs) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return
	}
	o.closed = true
	for _, edge := range o.edges {
		for _, w := range edge {
			for q, ok := w.queue.pop(); ok; q, ok = w.queue.pop() {
				q.release()
			}
		}
	}
	o.net.budget.release(o.reserved)
}
