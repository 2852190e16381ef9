package stream

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"

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
func rangeSource[T any](kind, digest string, n int64, perReader int, rate Rate, get func() func(i int64, r *dataflow.Rec[T])) Source[T] {
	src := newSplitSource(kind, digest, false, func(ctx *ReaderContext) (Reader[rangeSplit, T], error) {
		g, err := rate.allowance(ctx)
		return &rangeReader[T]{ctx: ctx, rate: rate, get: get, gate: g}, err
	})
	if src.err != nil {
		return src
	}
	c, err := codec.For[rangeSplit]()
	src.err = err
	src.enumerator = func() dataflow.Enumerator {
		return &staticEnumerator{make: func(parallelism int) [][]byte { return encodeSplits(c, rangeSplits(n, perReader*parallelism)) }}
	}
	return src
}

// rangeReader reads parts of a range.
type rangeReader[T any] struct {
	ctx  *ReaderContext
	rate Rate
	get  func() func(i int64, r *dataflow.Rec[T])
	gate *allowance
}

// atOnce: see staticEnumerator.
func (r *rangeReader[T]) atOnce() {}

// Open begins a part.
func (r *rangeReader[T]) Open(s rangeSplit) (SplitReader[rangeSplit, T], error) {
	if s.Stride < 1 || s.Next < 0 {
		return nil, fmt.Errorf("damaged split: %+v", s)
	}
	x := &rangeSplitReader[T]{s: s, get: r.get(), gate: r.gate,
		pace: pace{perSecond: r.rate.perSecond * s.Share, now: r.ctx.Now, wakeAt: r.ctx.WakeAt}}
	x.limited = r.gate != nil || x.pace.perSecond > 0
	return x, nil
}

// OnCheckpointComplete lets the records of the next checkpoint pass.
func (r *rangeReader[T]) OnCheckpointComplete(int64) error {
	if r.gate != nil {
		r.gate.left = r.gate.each
		r.ctx.Wake()
	}
	return nil
}

func (r *rangeReader[T]) Close() error { return nil }

type rangeSplitReader[T any] struct {
	s       rangeSplit
	get     func(i int64, r *dataflow.Rec[T])
	limited bool
	pace    pace
	gate    *allowance // of all splits of the reader, or nil
}

// Next computes the next record.
func (r *rangeSplitReader[T]) Next(rec *dataflow.Rec[T]) (ReadStatus, error) {
	if r.s.Next >= r.s.End {
		return ReadEnd, nil
	}
	if r.limited && !r.pass() {
		return ReadWait, nil
	}
	r.get(r.s.Next, rec)
	if r.s.Next > math.MaxInt64-r.s.Stride {
		r.s.Next = r.s.End
	} else {
		r.s.Next += r.s.Stride
	}
	return ReadRecord, nil
}

// pass tells whether a limited split may emit a record now.
func (r *rangeSplitReader[T]) pass() bool {
	if r.gate != nil {
		return r.gate.pass()
	}
	return r.pace.take()
}

// Split is what is left.
func (r *rangeSplitReader[T]) Split() rangeSplit { return r.s }

// Close has nothing to do.
func (r *rangeSplitReader[T]) Close() error { return nil }

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
	src := rangeSource("Collection", digest, int64(len(values)), 1, Rate{}, always(get))
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

// SequenceSource emits the numbers from first to last.
func SequenceSource(first, last int64) Source[int64] {
	if last < first {
		return Source[int64]{kind: "Sequence", err: fmt.Errorf("sequence from %d to %d is empty", first, last)}
	}
	return rangeSource("Sequence", fmt.Sprintf("%d to %d", first, last), last-first+1, splitsPerReader, Rate{}, always(func(i int64, r *dataflow.Rec[int64]) { r.V = first + i }))
}

// Sequence is the stream of SequenceSource.
func Sequence(e *Env, first, last int64, opts ...Option) Stream[int64] {
	return From(e, SequenceSource(first, last), NoWatermarks[int64](), opts...)
}
