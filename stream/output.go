package stream

import (
	"fmt"
	"sync"
	"time"

	"goflink/codec"
	"goflink/conf"
	"goflink/dataflow"
	"goflink/graph"
)

// outPort is the sending end of an edge: the chain pushes records into it, the
// runtime flushes it.
type outPort[T any] struct {
	chans []outChan[T]
	sel   selector[T] // nil: the first channel
	all   bool        // broadcast
	codec codec.Codec[T]
	pool  *sync.Pool
	name  string // of the operator that emits
	rows  int64
	dirty bool // Flush has something to send
	// wm and idle are what the channels are to be told (marks-lazy).
	wm   int64
	idle bool
	copy bool // broadcast of a type that is not flat
	size int  // of a buffer
	// single: each record is sent by itself.
	single     bool
	flushAfter *time.Duration
}

// sized is a channel whose buffers have a size of its own.
type sized interface{ BufferSize() int }

// outChan is one channel and what was written to it so far.
type outChan[T any] struct {
	w     dataflow.ChannelWriter
	local bool
	batch *batch[T]
	buf   *dataflow.Buffer
	ts    int64 // event time of the last record in buf
	wm    int64 // told to the receiver
	idle  bool
	full  int // rows of batch or bytes of buf at which it is sent
}

func newOutPort[T any](t *task, e *graph.Edge, w []dataflow.ChannelWriter, c codec.Codec[T], route router[T], pool *sync.Pool) *outPort[T] {
	w = channelsFor(t, e, w)
	p := &outPort[T]{chans: make([]outChan[T], len(w)), codec: c, pool: pool, wm: dataflow.MinWatermark,
		all: e.Partitioning == graph.Partitioning_BROADCAST, copy: !c.Flat(), sel: selectorOf(t, e, len(w), route),
		name: t.program.chained.Node(e.SourceOperator).Name, size: dataflow.BufferSize}
	p.setTimeout(t, t.program.ops[t.program.chained.Node(e.SourceOperator)].flushAfter)
	for i, x := range w {
		if s, ok := x.(sized); ok {
			p.size = s.BufferSize()
		}
		p.chans[i] = outChan[T]{w: x, local: x.Local(), wm: dataflow.MinWatermark}
	}
	return p
}

// Collect writes a record to its channel, or to all.
func (p *outPort[T]) Collect(r *dataflow.Rec[T]) error {
	p.rows++
	p.dirty = true
	if p.all {
		return p.broadcast(r)
	}
	i := 0
	if p.sel != nil {
		if i = p.sel.pick(&r.V); uint(i) >= uint(len(p.chans)) {
			return &OperatorError{p.name, fmt.Errorf("the partitioner chose subtask %d of %d", i, len(p.chans))}
		}
	}
	return p.write(&p.chans[i], r)
}

func (p *outPort[T]) broadcast(r *dataflow.Rec[T]) error {
	for i := range p.chans {
		c := &p.chans[i]
		if !p.copy || !c.local || i == len(p.chans)-1 {
			if err := p.write(c, r); err != nil {
				return err
			}
			continue
		}
		x := dataflow.Rec[T]{V: p.codec.Copy(r.V), TS: r.TS}
		if err := p.write(c, &x); err != nil {
			return err
		}
	}
	return nil
}

func (p *outPort[T]) write(c *outChan[T], r *dataflow.Rec[T]) error {
	if c.wm != p.wm || c.idle != p.idle {
		p.tell(c)
	}
	if !c.local {
		return p.encode(c, r)
	}
	if c.batch == nil {
		p.begin(c)
	}
	b := c.batch
	b.recs = append(b.recs, *r)
	if len(b.recs) < c.full {
		return nil
	}
	c.batch = nil
	return c.w.SendBatch(b)
}

// encode appends a record to the channel's buffer, which is sent when the next
// one would hardly fit.
func (p *outPort[T]) encode(c *outChan[T], r *dataflow.Rec[T]) error {
	p.buffer(c)
	start, last := len(c.buf.Data), c.ts
	data := appendRecord(c.buf.Data, p.codec, r, &c.ts)
	if len(data) > cap(c.buf.Data) {
		c.ts = last
		return p.overflow(c, len(data)-start, r)
	}
	c.buf.Data = data
	c.buf.Rows++
	if len(data) < c.full {
		return nil
	}
	return p.send(c)
}

// overflow takes a record of about n bytes that did not fit into the channel's
// buffer: it goes into the next one, or into a larger one of its own. The
// first attempt wrote to memory that append allocated; the buffer is as it was.
func (p *outPort[T]) overflow(c *outChan[T], n int, r *dataflow.Rec[T]) error {
	const room = 16 // version byte, tag, and an event time that is not a small difference any more
	if n > MaxRecordSize {
		return &OperatorError{p.name, fmt.Errorf("a record of %d bytes is longer than the limit of %d bytes: split it up", n, MaxRecordSize)}
	}
	if len(c.buf.Data) > 1 {
		if err := p.send(c); err != nil {
			return err
		}
	}
	if n+room <= p.size {
		return p.encode(c, r)
	}
	big := c.w.NewBuffer(n + room)
	var ts int64
	big.Data = appendRecord(append(big.Data, formatVersion), p.codec, r, &ts)
	big.Rows = 1
	return c.w.SendBuffer(big)
}

// setTimeout sets how long records wait; nil takes the job's time.
func (p *outPort[T]) setTimeout(t *task, own *time.Duration) {
	p.flushAfter = own
	if own != nil {
		p.single = *own == 0
	} else if c := t.env.Conf; c != nil {
		p.single = conf.ExecutionBufferTimeoutEnabled.Get(c) && conf.ExecutionBufferTimeout.Get(c) == 0
	}
}

// FlushAfter implements dataflow.TimedPort.
func (p *outPort[T]) FlushAfter() (time.Duration, bool) {
	if p.flushAfter == nil {
		return 0, false
	}
	return *p.flushAfter, true
}

// begin makes the next batch of a local channel.
func (p *outPort[T]) begin(c *outChan[T]) {
	c.batch, c.full = newBatch[T](p.pool), c.w.Limit()
	if p.single {
		c.full = 1
	}
}

// buffer makes the next buffer of a remote channel, unless it is there.
func (p *outPort[T]) buffer(c *outChan[T]) {
	const slack = 64 // a typical record: filling up to the last byte would encode one record in vain each time
	if c.buf == nil {
		c.full = c.w.Limit() - slack
		if p.single {
			c.full = 1
		}
		c.buf = c.w.NewBuffer(p.size)
		c.buf.Data = append(c.buf.Data, formatVersion)
		c.ts = 0
	}
}

func (p *outPort[T]) send(c *outChan[T]) error {
	if c.local {
		b := c.batch
		c.batch = nil
		return c.w.SendBatch(b)
	}
	b := c.buf
	c.buf = nil
	return c.w.SendBuffer(b)
}

// tell writes what the channel does not know yet. A watermark wakes an idle
// channel at the receiver, so idleness comes behind it.
func (p *outPort[T]) tell(c *outChan[T]) {
	if c.idle && !p.idle {
		p.mark(c, tagActive, 0)
	}
	if c.wm != p.wm {
		p.mark(c, tagWatermark, p.wm)
		c.idle = false
	}
	if p.idle && !c.idle {
		p.mark(c, tagIdle, 0)
	}
	c.wm, c.idle = p.wm, p.idle
}

func (p *outPort[T]) mark(c *outChan[T], kind byte, ts int64) {
	if c.local {
		if c.batch == nil {
			p.begin(c)
		}
		c.batch.mark(kind, ts)
		return
	}
	p.buffer(c)
	// A mark that does not fit makes append move the data; that buffer is sent
	// as it is and is no burden on the pool.
	if kind == tagWatermark {
		c.buf.Data = appendWatermark(c.buf.Data, ts)
	} else {
		c.buf.Data = appendStatus(c.buf.Data, kind == tagIdle)
	}
}

// Watermark keeps ts for the channels (marks-lazy).
func (p *outPort[T]) Watermark(ts int64) error {
	if ts > p.wm {
		p.wm, p.dirty = ts, true
	}
	return nil
}

// Status keeps the idleness for the channels (marks-lazy).
func (p *outPort[T]) Status(idle bool) error {
	if idle != p.idle {
		p.idle, p.dirty = idle, true
	}
	return nil
}

// Flush sends what is pending in all channels.
func (p *outPort[T]) Flush() error {
	if !p.dirty {
		return nil
	}
	for i := range p.chans {
		c := &p.chans[i]
		if c.wm != p.wm || c.idle != p.idle {
			p.tell(c)
		}
		if c.batch == nil && (c.buf == nil || len(c.buf.Data) <= 1) {
			continue
		}
		if err := p.send(c); err != nil {
			return err
		}
	}
	p.dirty = false
	return nil
}

// Pending is true when Flush would send something.
func (p *outPort[T]) Pending() bool { return p.dirty }

// Rows is the number of records emitted so far.
func (p *outPort[T]) Rows() int64 { return p.rows }
