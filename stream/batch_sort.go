package stream

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"goflink/codec"
	"goflink/dataflow"
	"goflink/graph"
)

// In BATCH a keyed operator gets its records key by key, as in Flink: they are
// sorted by key, then event time, once the input has ended. So its state is that of
// one key, however many there are. At the end of a key its timers fire, of event
// and of processing time; then its state is forgotten. Watermarks count only there.

var errBatchSnapshot = errors.New("a job in BATCH takes no checkpoints or savepoints")

// sortSlice is how many records are given to the operator before the task looks at
// its mailbox.
const sortSlice = 1000

// sorting is what a keyed operator's records wait in; it is the chain's backlog.
type sorting struct {
	t     *task
	head  keySorted
	runs  *runSort
	sides []sortedSide
	open  int // inputs of the operator that have not ended, those that are not sorted too
	ready bool
	over  bool // all was given out
	key   []byte
	some  bool // there is a current key
}

// keySorted is a keyed operator, which gets its records key by key.
type keySorted interface {
	dataflow.Operator
	marker
	setQuiet(quiet bool)
	fireRest() error
	nextKey() error
}

// sortedSide is one input of the operator.
type sortedSide interface {
	// deliver hands an encoded record to the operator.
	deliver(ts int64, value []byte) error
	// end hands it the end of the input.
	end() error
}

// keyer is a router that knows a record's key.
type keyer[T any] interface {
	appendKey(dst []byte, v *T) []byte
}

func (h hashRouter[K, T]) appendKey(dst []byte, v *T) []byte { return h.codec.Append(dst, h.key(*v)) }

// sortedInput puts the sort before an input of a keyed operator in BATCH. Another
// input of such an operator, a broadcast one, goes to it as it comes; the sort waits
// for its end, so that all of it comes before the first key, also where exchanges are
// not blocking and nothing holds the keyed input back (op.readsFirst). Other
// operators' inputs stay as they are.
func sortedInput[T any](t *task, logical int, to dataflow.Input[T], c codec.Codec[T], route router[T]) dataflow.Input[T] {
	head, sorts := t.operators[0].(keySorted)
	n := t.chain.Nodes[0]
	if !t.program.batch || !sorts || n.KeySchema == "" || !anyHashed(n) {
		return to
	}
	s := t.sortingFor(head)
	s.open++
	k, keyed := route.(keyer[T])
	if !keyed || !hashed(n, logical) {
		return &unsortedIn[T]{Input: to, s: s}
	}
	in := &sortedIn[T]{s: s, side: byte(len(s.sides)), to: to, codec: c, key: k}
	s.sides = append(s.sides, in)
	return in
}

// sortingFor is the sort before the head of the task's chain.
func (t *task) sortingFor(head keySorted) *sorting {
	if t.sorting == nil {
		t.sorting = &sorting{t: t, head: head, runs: newRunSort(t.env.State.Dir, t.env.State.MemoryBudget)}
		if ctx := t.env.Ctx; ctx != nil {
			t.sorting.runs.stopped = func() error { return context.Cause(ctx) }
		}
		t.backlog = append(t.backlog, t.sorting) // the head: those downstream were built before
	}
	return t.sorting
}

// anyHashed tells that an input of a node is partitioned by key.
func anyHashed(n *graph.Node) bool {
	return slices.ContainsFunc(n.Inputs, func(in *graph.Input) bool { return hashed(n, in.Logical) })
}

// hashed tells that a logical input is partitioned by key.
func hashed(n *graph.Node, logical int) bool {
	for _, in := range n.Inputs {
		if in.Logical == logical && in.Partitioning != graph.Partitioning_HASH {
			return false
		}
	}
	return true
}

// unsortedIn is an input of a keyed operator that is not partitioned by key.
type unsortedIn[T any] struct {
	dataflow.Input[T]
	s     *sorting
	ended bool
}

// Watermark notes the end of the input.
func (in *unsortedIn[T]) Watermark(ts int64) error {
	if ts == dataflow.MaxWatermark && !in.ended {
		in.ended = true
		in.s.open--
	}
	return in.Input.Watermark(ts)
}

// sortedIn gathers the records of one input, and decodes them again.
type sortedIn[T any] struct {
	s          *sorting
	side       byte
	to         dataflow.Input[T]
	codec      codec.Codec[T]
	key        keyer[T]
	buf, value []byte
	rec        dataflow.Rec[T]
	ended      bool
}

// Collect keeps a record until the input has ended.
func (in *sortedIn[T]) Collect(r *dataflow.Rec[T]) error {
	in.buf = in.key.appendKey(in.buf[:0], &r.V)
	in.value = in.codec.Append(in.value[:0], &r.V)
	return in.s.runs.add(in.side, in.buf, r.TS, in.value)
}

// Watermark notes the end of the input; before it, event time does not count.
func (in *sortedIn[T]) Watermark(ts int64) error {
	if ts != dataflow.MaxWatermark || in.ended {
		return nil
	}
	in.ended = true
	in.s.open--
	return nil
}

// Status does not count.
func (in *sortedIn[T]) Status(bool) error { return nil }

func (in *sortedIn[T]) deliver(ts int64, value []byte) error {
	in.rec.TS = ts
	if n, err := in.codec.Decode(value, &in.rec.V); err != nil || n != len(value) {
		return fmt.Errorf("%w: a record that was sorted: %w", errBuffer, err)
	}
	return in.to.Collect(&in.rec)
}

func (in *sortedIn[T]) end() error { return in.to.Watermark(dataflow.MaxWatermark) }

// Full is false: the input may be taken as it comes.
func (s *sorting) Full() bool { return false }

// Empty is true when the operator has got everything.
func (s *sorting) Empty() bool { return s.over }

// Emit gives records to the operator once all have come, until the output is
// blocked; what is left comes soon.
func (s *sorting) Emit() error {
	if s.open > 0 || s.over {
		return nil
	}
	if !s.ready {
		s.ready = true
		s.head.setQuiet(true)
		if err := s.runs.sorted(); err != nil {
			return err
		}
	}
	for range sortSlice {
		if *s.t.env.Blocked { // it goes on when there is room
			return nil
		}
		e, err := s.runs.take()
		if errors.Is(err, io.EOF) {
			return s.finish()
		}
		if err == nil {
			err = s.give(e)
		}
		if err != nil {
			return err
		}
	}
	s.t.env.Mailbox(func() error { return nil }) // wakes the task, which has nothing else to do
	return nil
}

func (s *sorting) give(e *sortEntry) error {
	if !s.some || !bytes.Equal(e.key, s.key) {
		if err := s.endKey(); err != nil {
			return err
		}
		s.key, s.some = append(s.key[:0], e.key...), true
		s.head.setQuiet(false)
	}
	return s.sides[e.side].deliver(e.ts, e.value)
}

// endKey lets the timers of the key fire and forgets it.
func (s *sorting) endKey() error {
	if !s.some {
		return nil
	}
	s.head.setQuiet(true)
	if err := s.head.Watermark(dataflow.MaxWatermark); err != nil {
		return err
	}
	if err := s.head.fireRest(); err != nil {
		return err
	}
	return s.head.nextKey()
}

// finish ends the last key, and then the input.
func (s *sorting) finish() error {
	if err := s.endKey(); err != nil {
		return err
	}
	s.head.setQuiet(false)
	s.over = true
	s.runs.close()
	for _, side := range s.sides {
		if err := side.end(); err != nil {
			return err
		}
	}
	return nil
}

func (s *sorting) close() { s.runs.close() }

func (b *base) setQuiet(quiet bool) { b.quiet = quiet }

// fireRest fires the processing-time timers of a key that is at its end. Those that
// windows set meanwhile, which are of records that have come, fire, too; functions
// and triggers set none any more.
func (o *keyedBase[K]) fireRest() error {
	if o.onProc == nil {
		return nil
	}
	if err := o.timers.AdvanceProc(dataflow.MaxWatermark, o.onProc); err != nil {
		return err
	}
	if err := o.keyed.Err(); err != nil {
		return o.stateError(err)
	}
	return nil
}

// sortedTimers are those of a trigger in BATCH: at the end of a key it sets no more,
// see Ctx.over.
type sortedTimers struct {
	triggerTimers
	b *base
}

// RegisterEvent sets a timer of event time.
func (s sortedTimers) RegisterEvent(ms int64) {
	if !s.b.quiet {
		s.triggerTimers.RegisterEvent(ms)
	}
}

// RegisterProc sets a timer of processing time.
func (s sortedTimers) RegisterProc(ms int64) {
	if !s.b.quiet {
		s.triggerTimers.RegisterProc(ms)
	}
}

// nextKey forgets the key that is at its end.
func (o *keyedBase[K]) nextKey() error {
	o.keyed.Reset()
	o.wm = dataflow.MinWatermark
	if err := o.keyed.Err(); err != nil {
		return o.stateError(err)
	}
	return nil
}
