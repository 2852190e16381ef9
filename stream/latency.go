package stream

import (
	"encoding/binary"
	"encoding/hex"
	"math"
	"math/rand/v2"

	"goflink/dataflow"
)

// Latency markers go the way of records, past the operators that hold records
// back: what an operator is told is how long a record takes to it, without the
// time that windows keep it. A marker takes one way: one output, one channel, by
// chance.

// latencyInput is what takes markers: operators, ports and what lies between. It
// is apart from dataflow.Input, since a marker is rare and few know of it.
type latencyInput interface {
	onLatency(m *dataflow.LatencyMarker) error
}

// onLatency tells the runtime and hands the marker on.
func (b *base) onLatency(m *dataflow.LatencyMarker) error {
	if b.t.env.Latency != nil {
		b.t.env.Latency(b.id, m)
	}
	return b.sendLatency(m)
}

func (b *base) sendLatency(m *dataflow.LatencyMarker) error { return oneOf(b.marks, m) }

// oneOf hands a marker to one of several outputs.
func oneOf[T any](outputs []T, m *dataflow.LatencyMarker) error {
	if len(outputs) == 0 {
		return nil
	}
	if in, ok := any(outputs[rand.IntN(len(outputs))]).(latencyInput); ok {
		return in.onLatency(m)
	}
	return nil
}

func (f *fan[T]) onLatency(m *dataflow.LatencyMarker) error { return oneOf(f.to, m) }

// onLatency reaches the operator that both sides belong to.
func (s *side[T]) onLatency(m *dataflow.LatencyMarker) error { return oneOf([]marker{s.m.to}, m) }

// latencyClock is when a source sends its next marker.
type latencyClock struct{ next int64 }

func (c *latencyClock) due(env *dataflow.Env) (int64, bool) { return c.next, env.LatencyEvery > 0 }

// fire sends a marker if it is time.
func (c *latencyClock) fire(b *base, now int64) error {
	env := b.t.env
	if env.LatencyEvery <= 0 || now < c.next {
		return nil
	}
	c.next = now + max(1, env.LatencyEvery.Milliseconds())
	return b.sendLatency(&dataflow.LatencyMarker{Marked: now, Operator: b.id, Subtask: env.Subtask})
}

// onLatency writes the marker to one channel.
func (p *outPort[T]) onLatency(m *dataflow.LatencyMarker) error {
	if len(p.chans) == 0 {
		return nil
	}
	c := &p.chans[rand.IntN(len(p.chans))]
	p.dirty = true
	if c.local {
		if c.batch == nil {
			p.begin(c)
		}
		c.batch.marks = append(c.batch.marks, mark{pos: int32(len(c.batch.recs)), kind: tagLatency, latency: m})
		return nil
	}
	p.buffer(c)
	c.buf.Data = appendLatency(c.buf.Data, m)
	c.buf.Data[0] = formatLatency
	return nil
}

// latency takes a marker that came in.
func (p *inPort[T]) latency(m *dataflow.LatencyMarker) error {
	if in, ok := any(p.g.to).(latencyInput); ok {
		return in.onLatency(m)
	}
	return nil
}

// operatorID is the length of an operator's id on the wire, in bytes.
const operatorID = 16

func appendLatency(dst []byte, m *dataflow.LatencyMarker) []byte {
	dst = binary.AppendVarint(append(dst, tagLatency), m.Marked)
	var id [operatorID]byte
	_, _ = hex.Decode(id[:], []byte(m.Operator)[:min(2*operatorID, len(m.Operator))])
	return binary.AppendUvarint(append(dst, id[:]...), uint64(m.Subtask))
}

// decodeLatency reads the marker whose tag is at data[at] and returns the position
// behind it.
func decodeLatency(data []byte, at int) (*dataflow.LatencyMarker, int, error) {
	m := &dataflow.LatencyMarker{}
	at++
	ms, n := binary.Varint(data[at:])
	if n <= 0 || len(data) < at+n+operatorID {
		return nil, at, badBuffer(at, "no latency marker")
	}
	m.Marked = ms
	at += n
	m.Operator = hex.EncodeToString(data[at : at+operatorID])
	at += operatorID
	sub, n := binary.Uvarint(data[at:])
	if n <= 0 || sub > math.MaxInt32 {
		return nil, at, badBuffer(at, "no subtask of a latency marker")
	}
	m.Subtask = int(sub)
	return m, at + n, nil
}
