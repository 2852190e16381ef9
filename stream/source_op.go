package stream

import (
	"context"
	"fmt"

	"goflink/codec"
	"goflink/dataflow"
)

// splitsState is the list state that holds the splits.
const splitsState = "splits"

// pollRecords bounds the records of one Poll, so that mail waits a few
// microseconds at most for cheap records.
const pollRecords = 512

// splitKind is what a source's operators share.
type splitKind[S, T any] struct {
	codec    codec.Codec[S]
	oneByOne bool
	reader   func(ctx *ReaderContext) (Reader[S, T], error)
	// enumerated: an enumerator hands out splits; else the source has one, the
	// zero S.
	enumerated bool
}

type activeSplit[S, T any] struct {
	reader SplitReader[S, T]
	time   *progress[T]
}

// sourceOp reads splits and emits their records. It is both the operator and the
// source of its chain.
type sourceOp[S, T any] struct {
	base
	kind    *splitKind[S, T]
	next    dataflow.Input[T]
	time    eventTime[T]
	ctx     ReaderContext
	reader  Reader[S, T]
	align   alignedReader
	latency latencyClock
	active  []activeSplit[S, T]
	queued  []S // splits that wait for their turn
	turn    int
	// asked is true while a request for a split is out.
	asked, noMore, done bool
	started             bool
	// patient: nothing is emitted before the first request is answered.
	patient bool
	rec     dataflow.Rec[T]
}

func newSourceOp[S, T any](b base, ws WatermarkStrategy[T], kind *splitKind[S, T]) (*sourceOp[S, T], error) {
	o := &sourceOp[S, T]{base: b, kind: kind}
	out, err := mainOutput[T](&o.base)
	if err != nil {
		return nil, err
	}
	o.next, o.time, o.align = out, newEventTime(&o.base, ws), newAlignedReader(ws.align)
	o.ctx = ReaderContext{env: b.t.env, id: b.id, name: b.name, ready: make(chan struct{}, 1)}
	return o, nil
}

// atOnce is implemented by readers whose enumerator answers a reader's one request
// at once, with all splits that it will get. A restored one has splits of its own
// and may still be given others, which nobody had when the checkpoint was taken:
// it emits nothing before it has them, or its watermark would pass their records.
type atOnce interface{ atOnce() }

// Open makes the reader and takes back the splits of the checkpoint.
func (o *sourceOp[S, T]) Open(context.Context) error {
	r, err := o.kind.reader(&o.ctx)
	if err != nil {
		return o.fail(err)
	}
	o.reader = r
	_, o.patient = r.(atOnce)
	restored, err := o.restore()
	if err != nil {
		return fmt.Errorf("operator %q: %w", o.name, err)
	}
	if !o.kind.enumerated {
		if !restored { // else it has its split back, or had read it to the end
			o.queued = make([]S, 1)
		}
		o.noMore = true
	}
	return nil
}

func (o *sourceOp[S, T]) restore() (restored bool, err error) {
	lists, ok := restoredLists(&o.base)
	for _, l := range lists {
		if l.Name != splitsState {
			continue
		}
		read, err := readerOf(o.kind.codec, l.Schema)
		if err != nil {
			return ok, fmt.Errorf("splits of the checkpoint: %w", err)
		}
		for _, item := range l.Items {
			s, err := o.splitOf(item, read)
			if err != nil {
				return ok, err
			}
			o.queued = append(o.queued, s)
		}
	}
	return ok, nil
}

// splitOf decodes a split. That of a source without an enumerator was stored
// as nothing by earlier versions.
func (o *sourceOp[S, T]) splitOf(data []byte, read func([]byte, *S) (int, error)) (s S, err error) {
	if len(data) == 0 && !o.kind.enumerated {
		return s, nil
	}
	return decodeWhole(data, read)
}

// AddSplits queues splits.
func (o *sourceOp[S, T]) AddSplits(splits [][]byte) error {
	o.asked = false
	for _, data := range splits {
		s, err := decodeWhole(data, o.kind.codec.Decode)
		if err != nil {
			return fmt.Errorf("operator %q: %w", o.name, err)
		}
		o.queued = append(o.queued, s)
	}
	o.ctx.Wake()
	return nil
}

// NoMoreSplits lets the source finish when it has read what it has.
func (o *sourceOp[S, T]) NoMoreSplits() error {
	o.noMore, o.asked = true, false
	o.ctx.Wake()
	return nil
}

// OnEvent takes what the coordinator sent.
func (o *sourceOp[S, T]) OnEvent(data []byte) error {
	e, err := dataflow.ParseEvent(data)
	if err != nil {
		return fmt.Errorf("operator %q: %w", o.name, err)
	}
	switch e.Kind {
	case dataflow.EventWatermark:
		o.align.limit = e.Watermark
		o.ctx.Wake()
	case dataflow.EventUser:
		if h, ok := o.reader.(ReaderEvents); ok {
			return o.fail(h.OnEvent(e.Data))
		}
		return fmt.Errorf("operator %q: the enumerator sent an event, but %T has no OnEvent", o.name, o.reader)
	}
	return nil
}

// Ready is signalled when a waiting source may have more.
func (o *sourceOp[S, T]) Ready() <-chan struct{} { return o.ctx.ready }

// activate opens queued splits: all of them, or one with OneByOne.
func (o *sourceOp[S, T]) activate() error {
	if err := o.openSplits(); err != nil {
		return err
	}
	// Splits that are read in turn are asked for once; others ahead, when the
	// last one there is begins.
	if !o.noMore && !o.asked && len(o.queued) == 0 && (o.kind.oneByOne || !o.started) {
		o.asked = true
		o.t.env.RequestSplit(o.id)
	}
	o.started = true
	if o.patient {
		return o.openSplits() // the answer may be there already
	}
	return nil
}

func (o *sourceOp[S, T]) openSplits() error {
	for len(o.queued) > 0 && (!o.kind.oneByOne || len(o.active) == 0) {
		r, err := o.reader.Open(o.queued[0])
		if err != nil {
			return fmt.Errorf("operator %q: open split: %w", o.name, err)
		}
		o.queued = o.queued[1:]
		o.active = append(o.active, activeSplit[S, T]{r, o.time.add(o.now())})
	}
	return nil
}

// Poll emits records.
func (o *sourceOp[S, T]) Poll() (dataflow.PollStatus, error) {
	if o.done {
		return dataflow.Finished, nil
	}
	if err := o.begin(); err != nil {
		return dataflow.Waiting, err
	}
	if o.patient && o.asked {
		return dataflow.Waiting, nil
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
		if s.time.out.wm > o.align.limit { // ahead of its group
			waiting++
			o.turn++
			continue
		}
		o.rec.TS = dataflow.NoTimestamp
		status, err := s.reader.Next(&o.rec)
		if err != nil {
			return dataflow.Waiting, o.fail(err)
		}
		switch status {
		case ReadRecord:
			waiting = 0
			o.turn++
			if err := o.emit(s.time); err != nil {
				return dataflow.Waiting, err
			}
			if *o.t.env.Blocked {
				return dataflow.More, nil
			}
		case ReadWait:
			s.time.starved = true
			waiting++
			o.turn++
		case ReadEnd:
			if err := o.ended(); err != nil {
				return dataflow.Waiting, err
			}
		}
	}
	return o.status(waiting)
}

// begin registers the reader with its enumerator, once, and opens splits.
func (o *sourceOp[S, T]) begin() error {
	if !o.started && o.kind.enumerated && o.t.env.SendEvent != nil {
		o.t.env.SendEvent(o.id, dataflow.RegisterEvent(o.t.env.Host))
	}
	return o.activate()
}

func (o *sourceOp[S, T]) emit(p *progress[T]) error {
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
func (o *sourceOp[S, T]) ended() error {
	s := o.active[o.turn]
	o.active = append(o.active[:o.turn], o.active[o.turn+1:]...)
	if err := s.reader.Close(); err != nil {
		return fmt.Errorf("operator %q: close split: %w", o.name, err)
	}
	if err := o.activate(); err != nil {
		return err
	}
	return o.time.remove(s.time)
}

func (o *sourceOp[S, T]) status(waiting int) (dataflow.PollStatus, error) {
	switch {
	case len(o.active) == 0 && len(o.queued) == 0 && o.noMore:
		return dataflow.Finished, o.finish()
	case waiting >= len(o.active):
		return dataflow.Waiting, nil
	}
	return dataflow.More, nil
}

// finish ends the source: it holds nobody back any more.
func (o *sourceOp[S, T]) finish() error {
	o.done = true
	if err := o.time.finish(); err != nil {
		return err
	}
	o.align.report(&o.base, o.time.wm, false)
	return nil
}

// Stop ends the source early.
func (o *sourceOp[S, T]) Stop(drain bool) error {
	if drain {
		return o.finish()
	}
	o.done = true
	return nil
}

// Snapshot lists the splits that are not read to the end.
func (o *sourceOp[S, T]) Snapshot(c dataflow.Checkpoint) (dataflow.OperatorSnapshot, error) {
	schema, err := o.kind.codec.Schema().MarshalBinary()
	if err != nil {
		return dataflow.OperatorSnapshot{}, fmt.Errorf("operator %q: schema of its splits: %w", o.name, err)
	}
	splits := make([]S, 0, len(o.active)+len(o.queued))
	for _, s := range o.active {
		splits = append(splits, s.reader.Split())
	}
	splits = append(splits, o.queued...)
	l := dataflow.ListState{Name: splitsState, Mode: dataflow.ListSplit, Items: encodeSplits(o.kind.codec, splits), Schema: schema}
	if h, ok := o.reader.(SplitsListener[S]); ok {
		h.OnSnapshot(c.ID, splits)
	}
	return dataflow.OperatorSnapshot{Lists: []dataflow.ListState{l}}, nil
}

// CheckpointComplete tells the reader.
func (o *sourceOp[S, T]) CheckpointComplete(id int64) error {
	if h, ok := o.reader.(SourceCheckpoints); ok {
		return o.fail(h.OnCheckpointComplete(id))
	}
	return nil
}

// Close closes the open splits and the reader.
func (o *sourceOp[S, T]) Close() error {
	var first error
	for _, s := range o.active {
		if err := s.reader.Close(); err != nil && first == nil {
			first = fmt.Errorf("operator %q: close split: %w", o.name, err)
		}
	}
	o.active = nil
	if o.reader != nil {
		if err := o.reader.Close(); err != nil && first == nil {
			first = o.fail(err)
		}
		o.reader = nil
	}
	return first
}

// nextProc is the next watermark period or report, or when the reader wants to
// be woken.
func (o *sourceOp[S, T]) nextProc() (int64, bool) {
	if o.done {
		return 0, false
	}
	best, ok := o.time.nextPeriod(o.now)
	if at := o.ctx.wakeAt; at > 0 && (!ok || at < best) {
		best, ok = at, true
	}
	if at, has := o.align.nextReport(o.now); has && (!ok || at < best) {
		best, ok = at, true
	}
	if at, has := o.latency.due(o.t.env); has && (!ok || at < best) {
		best, ok = at, true
	}
	return best, ok
}

func (o *sourceOp[S, T]) fireProc(now int64) error {
	if at := o.ctx.wakeAt; at > 0 && at <= now {
		o.ctx.wakeAt = 0
		o.ctx.Wake()
	}
	if err := o.time.firePeriod(now); err != nil {
		return err
	}
	o.align.fire(&o.base, now, o.time.wm, o.time.idle)
	return o.latency.fire(&o.base, now)
}

// Collect is never called: a source has no input. It makes the source fit where
// the chain keeps the inputs of operators.
func (o *sourceOp[S, T]) Collect(*dataflow.Rec[T]) error { return nil }

// readerOf decodes values that were written with a schema, where it is known:
// fields that came or went are matched by name.
func readerOf[S any](c codec.Codec[S], schema []byte) (func([]byte, *S) (int, error), error) {
	if len(schema) == 0 {
		return c.Decode, nil
	}
	old := &codec.Schema{}
	if err := old.UnmarshalBinary(schema); err != nil {
		return nil, err
	}
	return codec.Resolve[S](old)
}

// decodeWhole reads a value that takes all of data.
func decodeWhole[S any](data []byte, read func([]byte, *S) (int, error)) (S, error) {
	var s S
	n, err := read(data, &s)
	if err != nil {
		return s, fmt.Errorf("damaged: %w", err)
	}
	if n != len(data) {
		return s, fmt.Errorf("damaged: %d bytes too many", len(data)-n)
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
