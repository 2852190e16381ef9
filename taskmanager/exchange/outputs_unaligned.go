package exchange

import "bytes"

// HeldBuffer is a copy of a buffer that a barrier overtook at its sender.
type HeldBuffer struct {
	Edge    int // index of the outgoing edge
	Channel ChannelID
	Data    []byte
	Rows    int
}

// heldBarrier is a barrier with an aligned time-out that waits behind records.
type heldBarrier struct {
	id      int64
	writers int
}

// Force lets sends go beyond the overdraft instead of blocking, so that a task
// can send a barrier that overtakes although nobody takes its records. What a
// task sends then is bounded: what it gathered for each channel.
func (o *Outputs) Force(on bool) { o.forced = on }

// SendBarrier sends a barrier on all channels. An unaligned one goes before the
// records that wait for credit, which are returned. Otherwise held tells that it
// waits behind records on an edge where it may overtake them later.
func (o *Outputs) SendBarrier(b Barrier) (over []HeldBuffer, held bool, err error) {
	o.mu.Lock()
	o.held = heldBarrier{}
	o.mu.Unlock()
	for i, edge := range o.edges {
		for _, w := range edge {
			if w.isLocal || w.finished || !w.overtake || !b.overtakes() {
				err = w.sendEvent(Event{Barrier: &b})
			} else {
				over, err = w.sendBarrier(i, b, over)
			}
			if err != nil {
				return nil, false, err
			}
		}
	}
	return over, o.Held(), nil
}

func (w *Writer) sendBarrier(edge int, b Barrier, over []HeldBuffer) ([]HeldBuffer, error) {
	o := w.out
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.closed:
		return nil, ErrClosed
	case b.Unaligned:
		return w.copyLocked(edge, w.queue.len(), over), w.conn.sendEvent(w.id, Event{Barrier: &b})
	case w.queue.len() == 0:
		return over, w.conn.sendEvent(w.id, Event{Barrier: &b})
	}
	w.queue.push(queued{event: &Event{Barrier: &b}})
	o.held.id = b.ID
	o.held.writers++
	return over, nil
}

// copyLocked copies the first n items of the queue, as far as they are buffers.
func (w *Writer) copyLocked(edge, n int, over []HeldBuffer) []HeldBuffer {
	for i := range n {
		if q := w.queue.at(i); q.buffer != nil {
			over = append(over, HeldBuffer{Edge: edge, Channel: w.id, Data: bytes.Clone(q.buffer.Data), Rows: q.buffer.Rows})
		}
	}
	return over
}

// Held tells whether a barrier waits behind records that it may overtake.
func (o *Outputs) Held() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.held.writers > 0
}

// Overtake sends the barrier of checkpoint id that waits behind records before
// them, and returns these.
func (o *Outputs) Overtake(id int64) (over []HeldBuffer, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.held.id != id || o.closed {
		return nil, nil
	}
	o.held = heldBarrier{}
	for i, edge := range o.edges {
		for _, w := range edge {
			if at := w.barrierAt(id); at >= 0 && w.overtake {
				b := *w.queue.remove(at).event.Barrier
				b.Unaligned, b.AlignedTimeout = true, 0
				over = w.copyLocked(i, at, over)
				if err := w.conn.sendEvent(w.id, Event{Barrier: &b}); err != nil {
					return nil, err
				}
			}
		}
	}
	return over, nil
}

func (w *Writer) barrierAt(id int64) int {
	for i := range w.queue.len() {
		if e := w.queue.at(i).event; e != nil && e.Barrier != nil && e.Barrier.ID == id {
			return i
		}
	}
	return -1
}

// passedLocked counts a barrier that waited and has been sent.
func (w *Writer) passedLocked(e *Event) {
	if o := w.out; e.Barrier != nil && e.Barrier.ID == o.held.id && w.overtake && o.held.writers > 0 {
		o.held.writers--
	}
}
