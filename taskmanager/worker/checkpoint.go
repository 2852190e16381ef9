package worker

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"goflink/control"
	"goflink/dataflow"
	"goflink/taskmanager/exchange"
)

const (
	kindStop         = "stop" // savepoint, then the job ends
	kindSavepoint    = "savepoint"
	taskHasEnded     = "the task has finished"
	taskIsNotRunning = "the task is not running yet"
)

// trigger is a checkpoint ordered by the JobManager: a source begins it at
// once, a task whose inputs have all ended too; any other one has seen or will
// see the end of its inputs in a moment.
func (t *task) trigger(b exchange.Barrier) error {
	if t.chain.Source == nil && !t.allEnded {
		t.postponed = append(t.postponed, b)
		return nil
	}
	return t.checkpoint(b, 0, nil)
}

// postponedTriggers takes the checkpoints that came before the end of the
// inputs.
func (t *task) postponedTriggers() error {
	list := t.postponed
	t.postponed = nil
	for _, b := range list {
		if err := t.checkpoint(b, 0, nil); err != nil {
			return err
		}
	}
	return nil
}

// checkpoint takes part in a checkpoint: the barrier goes on first, then the
// state is frozen; the rest happens elsewhere. item is what the gate gave, nil
// without one.
func (t *task) checkpoint(b exchange.Barrier, alignment time.Duration, item *exchange.Item) error {
	if b.ID <= t.taken {
		return nil
	}
	if t.aborted[b.ID] {
		return t.cancelled(b.ID, true)
	}
	t.taken = b.ID
	maps.DeleteFunc(t.aborted, func(id int64, _ bool) bool { return id <= b.ID })
	t.metrics.IO.CheckpointAlignmentNanos.Set(alignment.Nanoseconds())
	delay := max(0, t.w.Now().UnixMilli()-b.TimestampMS-alignment.Milliseconds())
	t.metrics.IO.CheckpointStartDelayNanos.Set(delay * int64(time.Millisecond))
	if err := t.endBefore(b); err != nil {
		return err
	}
	if b.Kind == kindStop && t.chain.Source != nil {
		if err := t.stopSource(b.Drain); err != nil {
			return err
		}
	}
	began := time.Now()
	over, held, err := t.sendBarrier(b)
	if err != nil {
		return err
	}
	if t.finished && t.final == 0 {
		t.final = b.ID
	}
	ack := &control.CheckpointAck{CheckpointId: b.ID, Task: t.id, AlignmentMs: alignment.Milliseconds(), StartDelayMs: delay, Finished: t.drained, Unaligned: b.Unaligned}
	part, err := t.snapshot(b, ack)
	if err != nil {
		t.w.segments.decline(t, b, err)
		return nil
	}
	f := &flight{barrier: b, part: part, byKey: map[channelKey]*channelData{}, inputs: item != nil && item.Recording, outputs: held}
	err = t.overtook(f, item, over)
	ack.SyncMs = time.Since(began).Milliseconds()
	if err != nil {
		part.release()
		if errors.Is(err, errInflight) {
			t.w.segments.decline(t, b, err)
			return nil
		}
		return err
	}
	return t.takeOff(f)
}

// sendBarrier has the operators emit what goes before the barrier, flushes and
// sends it on. A barrier that may overtake does not wait for room.
func (t *task) sendBarrier(b exchange.Barrier) (over []exchange.HeldBuffer, held bool, err error) {
	t.out.Force(b.Unaligned || b.AlignedTimeout > 0)
	defer t.out.Force(false)
	for _, op := range t.chain.Operators {
		if err := op.PrepareBarrier(b.ID); err != nil {
			return nil, false, fmt.Errorf("operator %s before checkpoint %d: %w", t.operatorName(op.ID()), b.ID, err)
		}
	}
	if err := t.flushOutputs(); err != nil {
		return nil, false, err
	}
	return t.out.SendBarrier(b)
}

// stopSource ends the source before the barrier of a stop: what the drain
// emits belongs to the savepoint.
func (t *task) stopSource(drain bool) error {
	if t.finished {
		return nil
	}
	t.source.stopped = true
	if err := t.chain.Source.Stop(drain); err != nil {
		return fmt.Errorf("stopping the source: %w", err)
	}
	return t.endOfData(exchange.EndOfData{Drain: drain, Stop: true})
}

// snapshot is the synchronous part of all operators.
func (t *task) snapshot(b exchange.Barrier, ack *control.CheckpointAck) (*part, error) {
	p := &part{task: t, ack: ack}
	c := dataflow.Checkpoint{ID: b.ID, Timestamp: time.UnixMilli(b.TimestampMS), Kind: b.Kind, Format: b.Format, Epoch: int64(b.Epoch)}
	for _, op := range t.chain.Operators {
		s, err := op.Snapshot(c)
		if err != nil {
			p.release()
			return nil, fmt.Errorf("operator %s: %w", t.operatorName(op.ID()), err)
		}
		state := &control.OperatorState{OperatorId: op.ID(), Subtask: t.id.Subtask, Parallelism: t.vertex.Parallelism,
			MaxParallelism: int32(t.env.MaxParallelism), Finished: t.drained}
		for _, l := range s.Lists {
			state.Lists = append(state.Lists, &control.ListState{Name: l.Name, Mode: string(l.Mode), Items: l.Items, Schema: l.Schema})
		}
		ack.States = append(ack.States, state)
		if s.Keyed != nil {
			p.keyed = append(p.keyed, keyedPart{state: state, snapshot: s.Keyed})
		}
	}
	return p, nil
}

// cancelled handles that a checkpoint was given up before its barrier came. If
// it is not to be forwarded, a newer one has overtaken it here, which nobody
// else knows.
func (t *task) cancelled(id int64, forward bool) error {
	t.markAborted(id)
	if t.flight != nil && t.flight.barrier.ID == id {
		t.dropFlight()
	}
	if !forward {
		t.w.reportDeclined(t.id, id, "a newer checkpoint has overtaken it", false)
		return nil
	}
	return t.out.Broadcast(exchange.Event{Cancel: id})
}

// markAborted remembers a checkpoint that the task will take no part in. The
// oldest are forgotten: they do not come any more.
func (t *task) markAborted(id int64) {
	if id <= t.taken {
		return
	}
	t.aborted[id] = true
	for len(t.aborted) > openSegments {
		delete(t.aborted, slices.Min(slices.Collect(maps.Keys(t.aborted))))
	}
}

// completed commits: the checkpoint is durable and published. It ends a task
// whose data had ended before that checkpoint.
func (t *task) completed(c *control.CheckpointComplete) error {
	id := c.CheckpointId
	for _, op := range t.chain.Operators {
		if err := op.CheckpointComplete(id); err != nil {
			return fmt.Errorf("operator %s committing checkpoint %d: %w", t.operatorName(op.ID()), id, err)
		}
	}
	t.w.reportCommitted(t, id)
	if t.finished && t.final != 0 && id >= t.final {
		t.over = true
	}
	return nil
}

// abortedByJob drops what is left of an aborted checkpoint.
func (t *task) abortedByJob(id int64) error {
	t.markAborted(id)
	if t.flight != nil && t.flight.barrier.ID == id {
		t.dropFlight()
	}
	t.postponed = slices.DeleteFunc(t.postponed, func(b exchange.Barrier) bool { return b.ID == id })
	if t.gate != nil && t.gate.Cancel(id) {
		if err := t.cancelled(id, true); err != nil {
			return err
		}
	}
	for _, op := range t.chain.Operators {
		if err := op.CheckpointAborted(id); err != nil {
			return fmt.Errorf("operator %s aborting checkpoint %d: %w", t.operatorName(op.ID()), id, err)
		}
	}
	return nil
}

// finalCommit ends a task of a job without checkpoints.
func (t *task) finalCommit() error {
	if !t.finished {
		return internalf("a final commit was ordered before the end of the data")
	}
	for _, op := range t.chain.Operators {
		if err := op.CommitFinal(); err != nil {
			return fmt.Errorf("operator %s committing: %w", t.operatorName(op.ID()), err)
		}
	}
	t.w.reportCommitted(t, 0)
	t.over = true
	return nil
}
