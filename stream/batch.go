package stream

import (
	"sync"

	"goflink/dataflow"
)

// batch is what travels between tasks of one process: records, and in-band marks
// between them.
type batch[T any] struct {
	recs  []dataflow.Rec[T]
	marks []mark
	next  int // first mark not yet processed; the receiver's
	pool  *sync.Pool
}

// mark is a watermark or a change of status before the record at pos.
type mark struct {
	pos  int32
	kind byte // tagWatermark, tagIdle, tagActive, tagLatency
	ts   int64
	// latency is a marker of kind tagLatency.
	latency *dataflow.LatencyMarker
}

func newPool[T any]() *sync.Pool { return &sync.Pool{New: func() any { return new(batch[T]) }} }

func newBatch[T any](pool *sync.Pool) *batch[T] {
	b := pool.Get().(*batch[T])
	b.pool = pool
	return b
}

func (b *batch[T]) Rows() int { return len(b.recs) }

// Release clears the records, so that the pool keeps no user memory alive.
func (b *batch[T]) Release() {
	clear(b.recs)
	clear(b.marks)
	b.recs, b.marks, b.next = b.recs[:0], b.marks[:0], 0
	b.pool.Put(b)
}

func (b *batch[T]) mark(kind byte, ts int64) {
	b.marks = append(b.marks, mark{pos: int32(len(b.recs)), kind: kind, ts: ts})
}
