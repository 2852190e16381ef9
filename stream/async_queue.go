package stream

import (
	"context"

	"goflink/dataflow"
)

// inflight is a record of an asynchronous operator from its arrival until its
// results are emitted, or a mark that came between two records.
type inflight[In, R any] struct {
	rec  dataflow.Rec[In]
	res  R
	done bool // res is final, or mark is set
	mark *gapMark

	deadline int64 // of processing time in ms; 0: none
	attempts int   // calls begun
	retryAt  int64
	cancel   context.CancelCauseFunc // of the call that runs; nil without a time-out

	segment    int64 // number of marks before it
	prev, next *inflight[In, R]
}

// gapMark is what is to be told downstream between two records: the last
// watermark and the last status that came there. Those before are of no
// consequence, since no record stands between.
type gapMark struct {
	wm           int64
	marked       bool // wm is set
	idle, status bool // idle is the new status when status is set
}

// asyncQueue holds the records of an asynchronous operator in the order of
// their arrival, and decides what may be emitted next.
//
// Ordered: the head, once it is done. Unordered: whatever is done first, among
// the records between two marks (a segment, as in Flink's
// UnorderedStreamElementQueue); a mark comes after all records that came before
// it, and before all that came after.
type asyncQueue[In, R any] struct {
	ordered    bool
	head, tail *inflight[In, R]
	records    int

	// Of unordered queues: the segment whose results may leave, how many of its
	// records are not done, and those done, in the order in which they were.
	segment int64
	open    int
	ready   []*inflight[In, R]
}

func (q *asyncQueue[In, R]) empty() bool { return q.head == nil }

// add appends a record.
func (q *asyncQueue[In, R]) add(e *inflight[In, R]) {
	q.push(e)
	q.records++
	if e.segment == q.segment {
		q.open++
	}
}

// mark appends a mark, or changes the one that is last already.
func (q *asyncQueue[In, R]) mark(change func(*gapMark)) {
	if q.tail == nil || q.tail.mark == nil {
		q.push(&inflight[In, R]{mark: &gapMark{}, done: true})
	}
	change(q.tail.mark)
}

func (q *asyncQueue[In, R]) push(e *inflight[In, R]) {
	e.segment = q.segment
	if e.prev = q.tail; e.prev == nil {
		q.head = e
	} else {
		e.prev.next = e
		e.segment = e.prev.segment
		if e.prev.mark != nil {
			e.segment++
		}
	}
	q.tail = e
}

// complete tells that a record has its results.
func (q *asyncQueue[In, R]) complete(e *inflight[In, R]) {
	e.done = true
	if !q.ordered && e.segment == q.segment {
		q.open--
		q.ready = append(q.ready, e)
	}
}

// next takes out the record or mark to emit now, or returns nil.
func (q *asyncQueue[In, R]) next() *inflight[In, R] {
	switch {
	case q.ordered:
		if q.head == nil || !q.head.done {
			return nil
		}
		return q.remove(q.head)
	case len(q.ready) > 0:
		e := q.ready[0]
		q.ready[0] = nil
		if q.ready = q.ready[1:]; len(q.ready) == 0 {
			q.ready = nil // its memory goes with it: a burst is no burden for ever
		}
		return q.remove(e)
	case q.head == nil || q.open > 0:
		return nil
	}
	e := q.remove(q.head) // a mark: all before it has left
	q.begin(e.segment + 1)
	return e
}

// begin makes a segment the one whose results may leave. Each record is visited
// once here.
func (q *asyncQueue[In, R]) begin(segment int64) {
	q.segment, q.open = segment, 0
	for e := q.head; e != nil && e.mark == nil; e = e.next {
		if e.done {
			q.ready = append(q.ready, e)
		} else {
			q.open++
		}
	}
}

func (q *asyncQueue[In, R]) remove(e *inflight[In, R]) *inflight[In, R] {
	if e.mark == nil {
		q.records--
	}
	if e.prev == nil {
		q.head = e.next
	} else {
		e.prev.next = e.next
	}
	if e.next == nil {
		q.tail = e.prev
	} else {
		e.next.prev = e.prev
	}
	e.prev, e.next = nil, nil
	return e
}
