package stream

import (
	"context"
	"fmt"
	"strings"

	"goflink/codec"
	"goflink/dataflow"
)

// Source describes where records come from. From puts it into a graph.
type Source[T any] struct {
	kind string // for the fingerprint
	// what is in the source and decides what it emits: part of the fingerprint
	// (one-build).
	digest string
	// fixed is the parallelism of a source that cannot have another one; usual
	// is its parallelism unless an option says otherwise.
	fixed, usual int
	// shared splits are read in turn, one record each; others one after the
	// other.
	shared     bool
	newSplit   func(r *readerEnv, split []byte) (splitReader[T], error)
	enumerator func() dataflow.Enumerator // nil: the source has one split, nil
	// unbounded sources never end by themselves.
	unbounded bool
	err       error
}

// readStatus is what a split says when it is asked for a record.
type readStatus uint8

const (
	readRecord readStatus = iota
	readWait              // nothing now; ready is signalled, or wakeAt says when
	readEnd               // nothing any more
)

// splitReader reads one split, on the task's goroutine.
type splitReader[T any] interface {
	next(r *dataflow.Rec[T]) (readStatus, error)
	// wakeAt is the processing time at which a split that waits has more, or 0;
	// woken tells that this time has come and was acted on.
	wakeAt() int64
	woken()
	// snapshot encodes the split as it is, the next record first.
	snapshot() []byte
	close() error
}

// readerEnv is what splits get of their task.
type readerEnv struct {
	env   *dataflow.Env
	name  string
	ready chan struct{}
}

// wake makes the runtime poll again; from any goroutine.
func (r *readerEnv) wake() {
	select {
	case r.ready <- struct{}{}:
	default:
	}
}

// From reads a source. The watermark strategy applies to each split by itself.
func From[T any](e *Env, src Source[T], ws WatermarkStrategy[T], opts ...Option) Stream[T] {
	o := e.addOp("source", "Source", opts)
	if !strings.HasPrefix(o.node.Name, "Source") {
		o.node.Name = "Source: " + o.node.Name
	} else if !o.named {
		o.node.Name = "Source: " + src.kind
	}
	o.node.Source, o.node.Stateful = true, false
	o.node.Enumerator = src.enumerator != nil
	o.enumerator = src.enumerator
	o.node.InSchema = src.kind + " " + src.digest
	emits[T](o)
	ws.check(o)
	if src.err != nil {
		e.failf("operator %q: %w", o.node.Name, src.err)
	}
	src.settleParallelism(o)
	e.unbounded = e.unbounded || src.unbounded
	o.build = func(t *task) error {
		x := &sourceOp[T]{base: newBase(t), src: src}
		out, err := mainOutput[T](&x.base)
		if err != nil {
			return err
		}
		x.next, x.time = out, newEventTime(&x.base, ws)
		x.reader = readerEnv{env: t.env, name: x.name, ready: make(chan struct{}, 1)}
		t.source = x
		t.install(x, x)
		return nil
	}
	return streamOf[T](o)
}

func (s *Source[T]) settleParallelism(o *op) {
	n := &o.node.Parallelism
	if s.fixed > 0 && *n > 0 && *n != s.fixed {
		o.env.failf("operator %q: this source has parallelism %d and cannot have %d", o.node.Name, s.fixed, *n)
	}
	if s.fixed > 0 {
		*n = s.fixed
	} else if *n == 0 {
		*n = s.usual
	}
}

// splitsState is the list state that holds the splits.
const splitsState = "splits"

// pollRecords bounds the records of one Poll, so that mail waits a few
// microseconds at most for cheap records.
const pollRecords = 512

type activeSplit[T any] struct {
	reader splitReader[T]
	time   *progress[T]
}

// sourceOp reads splits and emits their records. It is both the operator and the
// source of its chain.
type sourceOp[T any] struct {
	base
	src    Source[T]
	next   dataflow.Input[T]
	time   eventTime[T]
	reader readerEnv
	active []activeSplit[T]
	queued [][]byte // splits that wait for their turn
	turn   int
	// asked is true while a request for a split is out.
	asked, noMore, done bool
	started             bool
	rec                 dataflow.Rec[T]
}

// Open takes back the splits of the checkpoint.
func (o *sourceOp[T]) Open(context.Context) error {
	restored := false
	if o.t.env.RestoreOf != nil {
		r, ok := o.t.env.RestoreOf(o.id)
		restored = ok
		for _, l := range r.Lists {
			if l.Name == splitsState {
				o.queued = append(o.queued, l.Items...)
			}
		}
	}
	if o.src.enumerator == nil {
		if !restored { // else it has its split back, or had read it to the end
			o.queued = [][]byte{nil}
		}
		o.noMore = true
	}
	return nil
}

// AddSplits queues splits.
func (o *sourceOp[T]) AddSplits(splits [][]byte) error {
	o.asked = false
	o.queued = append(o.queued, splits...)
	o.reader.wake()
	return nil
}

// NoMoreSplits lets the source finish when it has read what it has.
func (o *sourceOp[T]) NoMoreSplits() error {
	o.noMore, o.asked = true, false
	o.reader.wake()
	return nil
}

// Ready is signalled when a waiting source may have more.
func (o *sourceOp[T]) Ready() <-chan struct{} { return o.reader.ready }

// activate opens queued splits: all of a shared source, otherwise one.
func (o *sourceOp[T]) activate() error {
	for len(o.queued) > 0 && (o.src.shared || len(o.active) == 0) {
		split := o.queued[0]
		r, err := o.src.newSplit(&o.reader, split)
		if err != nil {
			return fmt.Errorf("operator %q: open split: %w", o.name, err)
		}
		o.queued = o.queued[1:]
		o.active = append(o.active, activeSplit[T]{r, o.time.add(o.now())})
	}
	// A shared source asks once; others ask ahead, when they begin their last split.
	if !o.noMore && !o.asked && len(o.queued) == 0 && (!o.src.shared || !o.started) {
		o.asked = true
		o.t.env.RequestSplit(o.id)
	}
	o.started = true
	return nil
}

// Poll emits records.
func (o *sourceOp[T]) Poll() (dataflow.PollStatus, error) {
	if o.done {
		return dataflow.Finished, nil
	}
	if err := o.activate(); err != nil {
		return dataflow.Waiting, err
	}
	waiting := 0 // splits that had nothing, one after the other
	for range pollRecords {
		if waiting >= len(o.active) {
			break
		}
		if o.turn >= len(o.active) {
			o.turn = 0
		}
		s := &o.active[o.turn]
		status, err := s.reader.next(&o.rec)
		if err != nil {
			return dataflow.Waiting, o.fail(err)
		}
		switch status {
		case readRecord:
			waiting = 0
			o.turn++
			if err := o.emit(s.time); err != nil {
				return dataflow.Waiting, err
			}
			if *o.t.env.Blocked {
				return dataflow.More, nil
			}
		case readWait:
			waiting++
			o.turn++
		case readEnd:
			if err := o.ended(); err != nil {
				return dataflow.Waiting, err
			}
		}
	}
	return o.status(waiting)
}

func (o *sourceOp[T]) emit(p *progress[T]) error {
	changed := o.time.stamp(p, &o.rec)
	if err := o.next.Collect(&o.rec); err != nil {
		return err
	}
	if changed {
		return o.time.emit()
	}
	return nil
}

// ended takes out the split in turn and opens the next one.
func (o *sourceOp[T]) ended() error {
	s := o.active[o.turn]
	o.active = append(o.active[:o.turn], o.active[o.turn+1:]...)
	if err := s.reader.close(); err != nil {
		return fmt.Errorf("operator %q: close split: %w", o.name, err)
	}
	if err := o.activate(); err != nil {
		return err
	}
	return o.time.remove(s.time)
}

func (o *sourceOp[T]) status(waiting int) (dataflow.PollStatus, error) {
	switch {
	case len(o.active) == 0 && len(o.queued) == 0 && o.noMore:
		o.done = true
		return dataflow.Finished, o.time.finish()
	case waiting >= len(o.active):
		return dataflow.Waiting, nil
	}
	return dataflow.More, nil
}

// Stop ends the source early.
func (o *sourceOp[T]) Stop(drain bool) error {
	o.done = true
	if drain {
		return o.time.finish()
	}
	return nil
}

// Snapshot lists the splits that are not read to the end.
func (o *sourceOp[T]) Snapshot(dataflow.Checkpoint) (dataflow.OperatorSnapshot, error) {
	l := dataflow.ListState{Name: splitsState, Mode: dataflow.ListSplit}
	for _, s := range o.active {
		l.Items = append(l.Items, s.reader.snapshot())
	}
	l.Items = append(l.Items, o.queued...)
	return dataflow.OperatorSnapshot{Lists: []dataflow.ListState{l}}, nil
}

// Close closes the open splits.
func (o *sourceOp[T]) Close() error {
	var first error
	for _, s := range o.active {
		if err := s.reader.close(); err != nil && first == nil {
			first = fmt.Errorf("operator %q: close split: %w", o.name, err)
		}
	}
	o.active = nil
	return first
}

// nextProc is the next watermark period, or when a paced split has more.
func (o *sourceOp[T]) nextProc() (int64, bool) {
	best, ok := o.time.nextPeriod(o.now)
	for _, s := range o.active {
		if at := s.reader.wakeAt(); at > 0 && (!ok || at < best) {
			best, ok = at, true
		}
	}
	return best, ok && !o.done
}

func (o *sourceOp[T]) fireProc(now int64) error {
	for _, s := range o.active {
		if at := s.reader.wakeAt(); at > 0 && at <= now {
			s.reader.woken()
			o.reader.wake()
		}
	}
	return o.time.firePeriod(now)
}

// Collect is never called: a source has no input. It makes the source fit where
// the chain keeps the inputs of operators.
func (o *sourceOp[T]) Collect(*dataflow.Rec[T]) error { return nil }

// decodeSplit reads a split that was encoded with a codec, all of it.
func decodeSplit[S any](c codec.Codec[S], data []byte) (S, error) {
	var s S
	n, err := c.Decode(data, &s)
	if err != nil {
		return s, fmt.Errorf("damaged split: %w", err)
	}
	if n != len(data) {
		return s, fmt.Errorf("damaged split: %d bytes too many", len(data)-n)
	}
	return s, nil
}

func encodeSplits[S any](c codec.Codec[S], splits []S) [][]byte {
	out := make([][]byte, len(splits))
	for i := range splits {
		out[i] = c.Append(nil, &splits[i])
	}
	return out
}
