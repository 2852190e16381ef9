package stream

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"time"

	"goflink/codec"
	"goflink/dataflow"
)

// rangeSplit is a part of 0 … n-1: Next, Next+Stride, … below End. Interleaved
// parts keep the order of the whole, roughly, however they are spread over
// readers.
type rangeSplit struct {
	Next, End, Stride int64
	// Share is the part of the whole in it, for pacing.
	Share float64
}

// splitsPerReader leaves room to give readers work when the job restarts with a
// higher parallelism. More would cost a little for each record.
const splitsPerReader = 4

func rangeSplits(n int64, splits int) []rangeSplit {
	count := min(int64(splits), n)
	out := make([]rangeSplit, count)
	for i := range out {
		out[i] = rangeSplit{Next: int64(i), End: n, Stride: count, Share: 1 / float64(count)}
	}
	return out
}

// rangeSource makes the i-th record of n on demand; get is called for each split.
func rangeSource[T any](kind, digest string, n int64, perReader int, perSecond float64, get func() func(i int64, r *dataflow.Rec[T])) Source[T] {
	c, err := codec.For[rangeSplit]()
	return Source[T]{kind: kind, digest: digest, shared: true, err: err,
		enumerator: func() dataflow.Enumerator {
			return &staticEnumerator{make: func(parallelism int) [][]byte { return encodeSplits(c, rangeSplits(n, perReader*parallelism)) }}
		},
		newSplit: func(r *readerEnv, data []byte) (splitReader[T], error) {
			s, err := decodeSplit(c, data)
			if err == nil && (s.Stride < 1 || s.Next < 0) {
				err = fmt.Errorf("damaged split: %+v", s)
			}
			return &rangeReader[T]{s: s, codec: c, get: get(), pace: pace{perSecond: perSecond * s.Share, now: r.env.Now}}, err
		}}
}

type rangeReader[T any] struct {
	s     rangeSplit
	codec codec.Codec[rangeSplit]
	get   func(i int64, r *dataflow.Rec[T])
	pace  pace
}

func (r *rangeReader[T]) next(rec *dataflow.Rec[T]) (readStatus, error) {
	if r.s.Next >= r.s.End {
		return readEnd, nil
	}
	if r.pace.perSecond > 0 && !r.pace.take() {
		return readWait, nil
	}
	rec.TS = dataflow.NoTimestamp
	r.get(r.s.Next, rec)
	if r.s.Next > math.MaxInt64-r.s.Stride {
		r.s.Next = r.s.End
	} else {
		r.s.Next += r.s.Stride
	}
	return readRecord, nil
}

func (r *rangeReader[T]) wakeAt() int64    { return r.pace.wake }
func (r *rangeReader[T]) woken()           { r.pace.wake = 0 }
func (r *rangeReader[T]) snapshot() []byte { return r.codec.Append(nil, &r.s) }
func (r *rangeReader[T]) close() error     { return nil }

// pace limits the rate of a split. It counts from its start, so that small
// delays are made up for; after a pause (backpressure) it begins anew.
type pace struct {
	perSecond float64
	now       func() time.Time
	start     time.Time
	taken     float64
	allowed   float64
	wake      int64 // milliseconds, when more is allowed
}

func (p *pace) take() bool {
	if p.taken < p.allowed {
		p.taken++
		return true
	}
	const slip = 2 // seconds of records that are made up for
	now := p.now()
	if p.start.IsZero() {
		p.start = now
	}
	p.allowed = now.Sub(p.start).Seconds()*p.perSecond + 1
	if p.allowed-p.taken > slip*p.perSecond+1 {
		p.start, p.taken, p.allowed = now, 0, 1
	}
	if p.taken+1 <= p.allowed {
		p.taken++
		p.wake = 0
		return true
	}
	due := p.start.Add(time.Duration(p.taken / p.perSecond * float64(time.Second)))
	p.wake = max(due.UnixMilli(), now.UnixMilli()) + 1
	return false
}

// staticEnumerator hands out splits that are known from the start. Subtask i of n
// gets every n-th of them when it asks for the first time.
type staticEnumerator struct {
	make func(parallelism int) [][]byte
	ctx  dataflow.EnumeratorContext
	rest [][]byte // not handed out
	n    int      // subtasks still to come share rest
	seen map[int]bool
}

// Start makes the splits, or takes back those that nobody asked for.
func (e *staticEnumerator) Start(ctx dataflow.EnumeratorContext, restored []byte) error {
	e.ctx, e.n, e.seen = ctx, ctx.Parallelism(), map[int]bool{}
	if restored == nil {
		e.rest = e.make(e.n)
		return nil
	}
	rest, err := decodeBlobs(restored)
	e.rest = rest
	return err
}

// Request hands out the subtask's share.
func (e *staticEnumerator) Request(subtask int, _ string) error {
	if !e.seen[subtask] {
		e.seen[subtask] = true
		left := e.n - len(e.seen) + 1 // subtasks that have not had their share, this one included
		share := (len(e.rest) + left - 1) / max(1, left)
		if mine := e.takeEvery(max(1, left), share); len(mine) > 0 {
			e.ctx.Assign(subtask, mine)
		}
	}
	e.ctx.NoMoreSplits(subtask)
	return nil
}

// takeEvery takes share splits, spread evenly over the rest.
func (e *staticEnumerator) takeEvery(step, share int) [][]byte {
	var mine, rest [][]byte
	for i, s := range e.rest {
		if i%step == 0 && len(mine) < share {
			mine = append(mine, s)
		} else {
			rest = append(rest, s)
		}
	}
	e.rest = rest
	return mine
}

// Snapshot keeps what was not handed out.
func (e *staticEnumerator) Snapshot(int64) ([]byte, error) { return encodeBlobs(e.rest), nil }

// CheckpointComplete has nothing to do.
func (e *staticEnumerator) CheckpointComplete(int64) error { return nil }

// Close has nothing to do.
func (e *staticEnumerator) Close() error { return nil }

// SliceSource emits the values of a slice. They are part of the fingerprint: every
// process builds them again, and they must be the same.
func SliceSource[T any](values []T) Source[T] {
	c, err := codec.For[T]()
	if err != nil {
		return Source[T]{kind: "Collection", err: err, usual: 1}
	}
	h := sha256.New()
	var buf []byte
	for i := range values {
		buf = c.Append(buf[:0], &values[i])
		h.Write(buf)
	}
	digest := fmt.Sprintf("%d values %s", len(values), hex.EncodeToString(h.Sum(nil)[:8]))
	get := func(i int64, r *dataflow.Rec[T]) { r.V = values[i] }
	if !c.Flat() {
		get = func(i int64, r *dataflow.Rec[T]) { r.V = c.Copy(values[i]) }
	}
	src := rangeSource("Collection", digest, int64(len(values)), 1, 0, always(get))
	src.usual = 1
	return src
}

// FromSlice is a bounded stream of values. It has parallelism 1 unless an option
// says otherwise.
func FromSlice[T any](e *Env, values []T, opts ...Option) Stream[T] {
	return From(e, SliceSource(values), NoWatermarks[T](), opts...)
}

// FromValues is a bounded stream of values.
func FromValues[T any](e *Env, values ...T) Stream[T] { return FromSlice(e, values) }

func always[T any](get func(i int64, r *dataflow.Rec[T])) func() func(i int64, r *dataflow.Rec[T]) {
	return func() func(i int64, r *dataflow.Rec[T]) { return get }
}

// GeneratorSource emits gen(0), gen(1), … gen(n-1), at most perSecond of them over
// all subtasks. n < 0 never ends, perSecond 0 sets no limit. gen must be pure: a
// restored job calls it again from where it stood.
func GeneratorSource[T any](n int64, perSecond float64, gen func(i int64) T) Source[T] {
	return generator(n, splitsPerReader, perSecond, always(func(i int64, r *dataflow.Rec[T]) { r.V = gen(i) }))
}

// StatefulGeneratorSource is GeneratorSource with a function of its own for each
// subtask, which may keep what it likes between calls; a restored job begins with
// new functions.
func StatefulGeneratorSource[T any](n int64, perSecond float64, factory func() func(i int64) T) Source[T] {
	return generator(n, 1, perSecond, func() func(i int64, r *dataflow.Rec[T]) {
		gen := factory()
		return func(i int64, r *dataflow.Rec[T]) { r.V = gen(i) }
	})
}

func generator[T any](n int64, perReader int, perSecond float64, get func() func(i int64, r *dataflow.Rec[T])) Source[T] {
	unbounded := n < 0
	if unbounded {
		n = math.MaxInt64
	}
	src := rangeSource("Generator", fmt.Sprintf("%d at %g/s", n, perSecond), n, perReader, perSecond, get)
	src.unbounded = unbounded
	if perSecond < 0 || math.IsNaN(perSecond) || math.IsInf(perSecond, 0) {
		src.err = fmt.Errorf("a generator's rate of %g per second must be 0 or more", perSecond)
	}
	return src
}

// Generate is the stream of GeneratorSource without event time.
func Generate[T any](e *Env, n int64, perSecond float64, gen func(i int64) T, opts ...Option) Stream[T] {
	return From(e, GeneratorSource(n, perSecond, gen), NoWatermarks[T](), opts...)
}

// SequenceSource emits the numbers from first to last.
func SequenceSource(first, last int64) Source[int64] {
	if last < first {
		return Source[int64]{kind: "Sequence", err: fmt.Errorf("sequence from %d to %d is empty", first, last)}
	}
	return rangeSource("Sequence", fmt.Sprintf("%d to %d", first, last), last-first+1, splitsPerReader, 0, always(func(i int64, r *dataflow.Rec[int64]) { r.V = first + i }))
}

// Sequence is the stream of SequenceSource.
func Sequence(e *Env, first, last int64, opts ...Option) Stream[int64] {
	return From(e, SequenceSource(first, last), NoWatermarks[int64](), opts...)
}
