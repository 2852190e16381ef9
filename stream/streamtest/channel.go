package streamtest

import (
	"goflink/dataflow"
)

// eventKind is what travels between batches.
type eventKind uint8

const (
	noEvent eventKind = iota
	barrier
	endOfData
)

// item is a batch, a buffer or an event.
type item struct {
	batch dataflow.Batch
	buf   *dataflow.Buffer
	event eventKind
	ckpt  int64
}

// channel is a queue from one subtask to another.
type channel struct {
	remote bool
	queue  []item
	credit int
	from   *task
	to     *task
	// in and ch are the receiver's input port and the channel's number on it.
	in, ch  int
	at      int // progress in the first item
	blocked bool
	first   bool // read to its end before the task's others
	ended   bool
}

// writer is the sending side.
type writer struct{ c *channel }

// Local tells whether the receiver takes batches.
func (w writer) Local() bool { return !w.c.remote }

// Limit is that of a receiver that keeps up.
func (w writer) Limit() int {
	if w.c.remote {
		return dataflow.BufferSize
	}
	return dataflow.BatchRows
}

// SendBatch queues a batch and blocks the sender when its credit is used up.
func (w writer) SendBatch(b dataflow.Batch) error {
	w.push(item{batch: b})
	return nil
}

// NewBuffer makes a buffer.
func (w writer) NewBuffer(n int) *dataflow.Buffer {
	return &dataflow.Buffer{Data: make([]byte, 0, max(n, dataflow.BufferSize))}
}

// SendBuffer queues a buffer.
func (w writer) SendBuffer(b *dataflow.Buffer) error {
	w.push(item{buf: b})
	return nil
}

func (w writer) push(i item) {
	if w.c.to.finished { // before this attempt: nobody reads the channel
		if i.batch != nil {
			i.batch.Release()
		}
		return
	}
	w.c.queue = append(w.c.queue, i)
	if len(w.c.queue) >= w.c.credit {
		w.c.from.blocked = true
	}
}
