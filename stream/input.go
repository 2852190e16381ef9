package stream

import (
	"encoding/binary"
	"fmt"
	"sync/atomic"

	"goflink/codec"
	"goflink/dataflow"
)

// gate is one logical input of a task: the channels of all edges that lead to it
// and their common watermark.
type gate[T any] struct {
	valve  *dataflow.Valve
	to     dataflow.Input[T]
	opened int // channels that ports took so far
}

// inPort is the receiving end of an edge.
type inPort[T any] struct {
	g       *gate[T]
	first   int // the edge's first channel in the gate
	codec   codec.Codec[T]
	route   router[T]
	env     *dataflow.Env
	blocked *bool
	yield   *atomic.Bool
	rows    int64
	ahead   ahead[T] // nil: the head of the chain does not look ahead
	rec     dataflow.Rec[T]
	last    []int64 // by channel: event time of the record before, in the buffer
}

func newInPort[T any](t *task, logical, channels int, c codec.Codec[T], route router[T]) *inPort[T] {
	g, ok := t.gates[logical].(*gate[T])
	if !ok {
		g = &gate[T]{valve: dataflow.NewValve(t.channelsOf(logical)), to: sortedInput(t, logical, inputOf[T](t, logical), c, route)}
		t.gates[logical] = g
	}
	p := &inPort[T]{g: g, first: g.opened, codec: c, route: route, env: t.env, blocked: t.env.Blocked, yield: t.env.Yield,
		last: make([]int64, channels)}
	if p.yield == nil {
		p.yield = new(atomic.Bool)
	}
	g.opened += channels
	p.ahead, _ = g.to.(ahead[T])
	return p
}

// inputOf is what the head takes on a logical input.
func inputOf[T any](t *task, logical int) dataflow.Input[T] {
	switch x := t.inputs[t.chain.Nodes[0]].(type) {
	case dataflow.Input[T]:
		return x
	case [2]any:
		return x[logical].(dataflow.Input[T])
	default:
		panic(fmt.Sprintf("head of %s takes %T", t.env.TaskName, x)) // the graph is typed: a bug of this package
	}
}

// ProcessBatch pushes the records of a local batch into the chain, from row from
// on.
func (p *inPort[T]) ProcessBatch(ch int, b dataflow.Batch, from int) (int, bool, error) {
	tb, ok := b.(*batch[T])
	if !ok {
		return from, false, fmt.Errorf("got %T for records of %T", b, p.rec.V)
	}
	for i := from; ; i++ {
		for tb.next < len(tb.marks) && int(tb.marks[tb.next].pos) <= i {
			m := tb.marks[tb.next]
			tb.next++
			err := error(nil)
			if m.kind == tagLatency {
				err = p.latency(m.latency)
			} else {
				err = p.mark(ch, m.kind, m.ts)
			}
			if err != nil {
				return i, false, err
			}
		}
		if i == len(tb.recs) {
			return i, true, nil
		}
		if (*p.blocked || p.yield.Load()) && i > from {
			return i, false, nil
		}
		if p.ahead != nil && (i-from)%aheadRows == 0 {
			p.ahead.Ahead(tb.recs[i:min(i+aheadRows, len(tb.recs))])
		}
		p.rows++
		if err := p.g.to.Collect(&tb.recs[i]); err != nil {
			return i, false, err
		}
	}
}

// ProcessBytes decodes a buffer from byte from on and pushes its records into
// the chain.
func (p *inPort[T]) ProcessBytes(ch int, data []byte, from int) (int, bool, error) {
	at := from
	if at == 0 {
		if err := checkFormat(data); err != nil {
			return 0, false, err
		}
		p.last[ch] = 0
		at = 1
	}
	start := at
	for at < len(data) {
		var err error
		switch tag := data[at]; tag {
		case tagRecord, tagTimed:
			if (*p.blocked || p.yield.Load()) && at > start {
				return at, false, nil
			}
			if at, err = decodeRecord(data, at, p.codec, &p.rec, &p.last[ch]); err == nil {
				p.rows++
				err = p.g.to.Collect(&p.rec)
			}
		case tagWatermark:
			ts, n := binary.Varint(data[at+1:])
			if n <= 0 {
				return at, false, badBuffer(at, "no watermark")
			}
			at += 1 + n
			err = p.mark(ch, tag, ts)
		case tagIdle, tagActive:
			at++
			err = p.mark(ch, tag, 0)
		case tagLatency:
			var m *dataflow.LatencyMarker
			if m, at, err = decodeLatency(data, at); err == nil {
				err = p.latency(m)
			}
		default:
			err = badBuffer(at, fmt.Sprintf("unknown element %d", tag))
		}
		if err != nil {
			return at, false, err
		}
	}
	return at, true, nil
}

func (p *inPort[T]) mark(ch int, kind byte, ts int64) error {
	ch += p.first
	if kind == tagWatermark {
		return p.g.pass(p.g.valve.Watermark(ch, ts))
	}
	return p.g.pass(p.g.valve.Status(ch, kind == tagIdle))
}

// ChannelEnded tells the gate that a channel holds nothing back any more. When all
// have ended no record will come: a sender that was finished before the task was
// restored says so with no watermark, and the task may have restored what it held
// back until that (asyncOp), or have another input.
func (p *inPort[T]) ChannelEnded(ch int) error {
	if err := p.g.pass(p.g.valve.Ended(p.first + ch)); err != nil || !p.g.valve.Over() || p.g.valve.Current() == dataflow.MaxWatermark {
		return err
	}
	return p.g.to.Watermark(dataflow.MaxWatermark)
}

// Rows is the number of records received so far.
func (p *inPort[T]) Rows() int64 { return p.rows }

// CurrentWatermark is the watermark of the port's gate, for currentInputWatermark.
func (p *inPort[T]) CurrentWatermark() int64 { return p.g.valve.Current() }

// pass hands on what the valve let through. An input that wakes up says so
// before its watermark, one that falls idle after it.
func (g *gate[T]) pass(wm int64, advanced, statusChanged bool) error {
	idle := g.valve.Idle()
	if statusChanged && !idle {
		if err := g.to.Status(false); err != nil {
			return err
		}
	}
	if advanced {
		if err := g.to.Watermark(wm); err != nil {
			return err
		}
	}
	if statusChanged && idle {
		return g.to.Status(true)
	}
	return nil
}
