package stream

import (
	"encoding/binary"
	"fmt"

	"goflink/dataflow"
)

// This file is what an inPort does for unaligned checkpoints.

// recoder gathers records and marks in buffers.
type recoder[T any] struct {
	p    *inPort[T]
	done []dataflow.Buffer
	buf  dataflow.Buffer
	last int64
}

func (f *recoder[T]) room() {
	if len(f.buf.Data) >= dataflow.BufferSize {
		f.finish()
	}
	if len(f.buf.Data) == 0 {
		f.buf.Data, f.last = append(f.buf.Data, formatVersion), 0
	}
}

func (f *recoder[T]) record(r *dataflow.Rec[T]) {
	f.room()
	f.buf.Data = appendRecord(f.buf.Data, f.p.codec, r, &f.last)
	f.buf.Rows++
}

func (f *recoder[T]) mark(kind byte, ts int64) {
	f.room()
	if kind == tagWatermark {
		f.buf.Data = appendWatermark(f.buf.Data, ts)
	} else {
		f.buf.Data = appendStatus(f.buf.Data, kind == tagIdle)
	}
}

func (f *recoder[T]) finish() []dataflow.Buffer {
	if len(f.buf.Data) > 1 {
		f.done = append(f.done, f.buf)
	}
	f.buf = dataflow.Buffer{}
	return f.done
}

// EncodeBatch implements dataflow.InflightPort.
func (p *inPort[T]) EncodeBatch(b dataflow.Batch, from int) ([]dataflow.Buffer, error) {
	tb, ok := b.(*batch[T])
	if !ok {
		return nil, fmt.Errorf("got %T for records of %T", b, p.rec.V)
	}
	f := &recoder[T]{p: p}
	next := tb.next
	for i := from; ; i++ {
		for ; next < len(tb.marks) && int(tb.marks[next].pos) <= i; next++ {
			if m := &tb.marks[next]; m.kind != tagLatency { // it would tell how long the job stood still
				f.mark(m.kind, m.ts)
			}
		}
		if i == len(tb.recs) {
			return f.finish(), nil
		}
		f.record(&tb.recs[i])
	}
}

// EncodeBytes implements dataflow.InflightPort.
func (p *inPort[T]) EncodeBytes(ch int, data []byte, from int) ([]dataflow.Buffer, error) {
	if from == 0 {
		return p.recode(data, 0, func(*T) bool { return true }, false)
	}
	f := &recoder[T]{p: p}
	if err := p.each(data, from, p.last[ch], f.record, f.mark); err != nil {
		return nil, err
	}
	return f.finish(), nil
}

// Sift implements dataflow.InflightPort.
func (p *inPort[T]) Sift(data []byte, own, still bool) ([]dataflow.Buffer, error) {
	keep := func(*T) bool { return true }
	if own {
		if p.route == nil {
			return nil, fmt.Errorf("records in flight to %s are not partitioned by key", p.env.TaskName)
		}
		sel := p.route.selector(p.env.MaxParallelism, p.env.Parallelism)
		keep = func(v *T) bool { return sel.pick(v) == p.env.Subtask }
	}
	return p.recode(data, 0, keep, still)
}

// Settled implements dataflow.InflightPort.
func (p *inPort[T]) Settled() dataflow.Buffer {
	return dataflow.Buffer{Data: appendStatus([]byte{formatVersion}, false)}
}

// recode encodes what is to be kept of a buffer.
func (p *inPort[T]) recode(data []byte, last int64, keep func(*T) bool, still bool) ([]dataflow.Buffer, error) {
	if err := checkFormat(data); err != nil {
		return nil, err
	}
	f := &recoder[T]{p: p}
	err := p.each(data, 1, last, func(r *dataflow.Rec[T]) {
		if keep(&r.V) {
			f.record(r)
		}
	}, func(kind byte, ts int64) {
		if !still {
			f.mark(kind, ts)
		}
	})
	if err != nil {
		return nil, err
	}
	return f.finish(), nil
}

// each decodes a buffer from byte at on; last is the event time of the record
// before.
func (p *inPort[T]) each(data []byte, at int, last int64, record func(*dataflow.Rec[T]), mark func(kind byte, ts int64)) error {
	var rec dataflow.Rec[T]
	for at < len(data) {
		var err error
		switch tag := data[at]; tag {
		case tagRecord, tagTimed:
			if at, err = decodeRecord(data, at, p.codec, &rec, &last); err != nil {
				return err
			}
			record(&rec)
		case tagWatermark:
			ts, n := binary.Varint(data[at+1:])
			if n <= 0 {
				return badBuffer(at, "no watermark")
			}
			at += 1 + n
			mark(tag, ts)
		case tagIdle, tagActive:
			at++
			mark(tag, 0)
		case tagLatency: // left out, as in EncodeBatch
			if _, at, err = decodeLatency(data, at); err != nil {
				return err
			}
		default:
			return badBuffer(at, fmt.Sprintf("unknown element %d", tag))
		}
	}
	return nil
}

var _ dataflow.InflightPort = (*inPort[int])(nil)
