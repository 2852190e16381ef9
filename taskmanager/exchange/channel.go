package exchange

import "goflink/dataflow"

// inputChannel is the receiving end of a channel; its gate's lock guards it.
type inputChannel struct {
	gate   *Gate
	id     ChannelID
	peer   Peer
	input  int
	index  int // within the input
	flat   int // within the gate
	conn   *conn
	local  *Outputs // the sender, when it is in this process
	writer *Writer  // … and its end of the channel
	queue  fifo[queued]
	state  channelState
	eod    bool // end of data seen
	rec    bool // what comes belongs to the checkpoint being recorded
	credit creditBook
}

// channelState says why a channel is in the ready queue or not.
type channelState struct {
	enqueued bool // in the ready queue
	blocked  bool // by alignment
	held     bool // until the First inputs have ended
	ended    bool // end of partition seen
	hungry   bool // in the queue for floating credits
}

type queued struct {
	batch  dataflow.Batch
	buffer *dataflow.Buffer
	event  *Event
	units  int   // 0: from a checkpoint, without credit
	rec    int64 // unaligned checkpoint that it belongs to
}

func (q *queued) release() {
	switch {
	case q.batch != nil:
		q.batch.Release()
	case q.buffer != nil:
		freeBuffer(q.buffer)
	}
}
