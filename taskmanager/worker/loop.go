package worker

import (
	"context"
	"fmt"
	"time"

	"goflink/dataflow"
	"goflink/taskmanager/exchange"
)

// pollPause is how long a source without Ready is left alone after Waiting.
const pollPause = 5 * time.Millisecond

// loop runs letters, timers, flushes and records until the task is over. All
// of them happen between records; what blocks is waited for in wait.
func (t *task) loop() error {
	for !t.over {
		if t.ctx.Err() != nil {
			return context.Cause(t.ctx)
		}
		if _, err := t.mail.run(); err != nil {
			return err
		}
		if t.over {
			break
		}
		if t.yield.Load() && t.gate != nil {
			if err := t.urgent(); err != nil {
				return err
			}
		}
		if err := t.outputsPassed(); err != nil {
			return err
		}
		if t.blocked && t.out.Available() {
			t.blocked = false
		}
		if t.blocked {
			t.publish() // a task that is held back shows how far it came
			t.wait(waitOutput, 0, false)
			continue
		}
		progress, err := t.turn()
		if err != nil {
			return err
		}
		if !progress && !t.over && !t.blocked {
			t.waitIdle()
		}
	}
	return t.leave()
}

// turn does one piece of work: due timers, a due flush, then one batch.
func (t *task) turn() (progress bool, err error) {
	fired, err := t.fireTimers()
	if err != nil {
		return false, err
	}
	if err := t.flushDue(); err != nil {
		return false, err
	}
	if t.blocked {
		return true, nil
	}
	if err := t.emitBacklog(); err != nil || t.blocked || t.over {
		return true, err
	}
	progress, err = t.step()
	if t.sincePrint++; t.sincePrint >= publishEvery {
		t.publish()
	}
	return progress || fired, err
}

// step processes one batch, buffer, event or poll.
func (t *task) step() (bool, error) {
	switch {
	case t.held():
		return t.stepHeld()
	case t.input.some:
		return true, t.process()
	case t.chain.Source != nil:
		return t.poll()
	case t.allEnded:
		return false, nil
	}
	item, ok, err := t.gate.Next()
	if err != nil || !ok {
		return false, err
	}
	if item.Kind == exchange.ItemData {
		if err := t.record(item); err != nil {
			return true, err
		}
		t.input = pendingInput{item: item, some: true}
		return true, t.process()
	}
	return true, t.event(item)
}

// process hands the current batch or buffer to its input, as far as it takes
// it.
func (t *task) process() error {
	in := &t.input
	port := t.chain.Inputs[in.item.Input]
	var done bool
	var err error
	if in.item.Batch != nil {
		in.from, done, err = port.ProcessBatch(in.item.Channel, in.item.Batch, in.from)
	} else {
		in.from, done, err = port.ProcessBytes(in.item.Channel, in.item.Buffer.Data, in.from)
	}
	if err != nil {
		return err
	}
	if done {
		item := in.item
		*in = pendingInput{}
		t.gate.Done(item)
	}
	return nil
}

func (t *task) event(item exchange.Item) error {
	switch item.Kind {
	case exchange.ItemBarrier:
		return t.checkpoint(item.Barrier, item.Alignment, &item)
	case exchange.ItemRecorded:
		return t.recordedAll(item)
	case exchange.ItemCancelled:
		return t.cancelled(item.Checkpoint, item.Forward)
	case exchange.ItemChannelEnded:
		if item.EndOfData.Drain { // else its watermark still counts: the job is stopped, not finished
			return t.chain.Inputs[item.Input].ChannelEnded(item.Channel)
		}
	case exchange.ItemEndOfData:
		return t.inputEnded(item.EndOfData)
	case exchange.ItemEndOfPartition:
		t.allEnded = true
		return t.postponedTriggers()
	}
	return nil
}

func (t *task) poll() (bool, error) {
	if t.source.stopped || t.source.waiting {
		return false, nil
	}
	status, err := t.chain.Source.Poll()
	if err != nil {
		return false, err
	}
	switch status {
	case dataflow.Waiting:
		t.source.waiting = true
		return false, nil
	case dataflow.Finished:
		t.source.stopped = true
		return true, t.inputEnded(exchange.EndOfData{Drain: true})
	}
	return true, nil
}

// fireTimers runs processing-time timers that are due.
func (t *task) fireTimers() (bool, error) {
	if t.chain.NextTimer == nil || t.finished {
		return false, nil
	}
	at, ok := t.chain.NextTimer()
	if !ok {
		return false, nil
	}
	now := t.w.Now().UnixMilli()
	if at > now {
		return false, nil
	}
	t.stats.timers++
	return true, t.chain.FireTimers(now)
}

func (t *task) flushOutputs() error {
	for _, out := range t.chain.Outputs {
		if err := out.Flush(); err != nil {
			return err
		}
	}
	return nil
}

// endOfData handles that no record follows: a natural end or a drain finishes
// the operators, a stop leaves them as they are.
func (t *task) endOfData(e exchange.EndOfData) error {
	if t.finished {
		return nil
	}
	t.ending = nil
	if e.Drain {
		for _, op := range t.chain.Operators {
			if err := op.Finish(); err != nil {
				return fmt.Errorf("finishing operator %s: %w", t.operatorName(op.ID()), err)
			}
		}
	}
	if err := t.flushOutputs(); err != nil {
		return err
	}
	if err := t.finishPartitions(); err != nil {
		return err
	}
	t.finished, t.drained = true, e.Drain
	if err := t.out.Broadcast(exchange.Event{EndOfData: &e}); err != nil {
		return err
	}
	if !e.Stop { // the savepoint of a stop is the last checkpoint already
		t.w.reportDrained(t)
	}
	if t.endsAlone() {
		return t.finalCommit() // there is nothing to commit
	}
	return nil
}

// leave tells everybody that nothing follows.
func (t *task) leave() error {
	return t.out.Broadcast(exchange.Event{EndOfPartition: true})
}

// waitIdle waits for input, a letter, a timer or a flush.
func (t *task) waitIdle() {
	t.publish()
	ready := t.source.waiting && !t.source.stopped
	limit := time.Duration(0)
	if ready && t.chain.Source.Ready() == nil {
		limit = pollPause
	}
	if t.chain.NextTimer != nil && !t.finished {
		if at, ok := t.chain.NextTimer(); ok {
			until := time.Duration(at-t.w.Now().UnixMilli()) * time.Millisecond
			if until <= 0 {
				return
			}
			if limit == 0 || until < limit {
				limit = until
			}
		}
	}
	pending, _ := t.toFlush()
	t.hasFlush.Store(pending)
	if _, due := t.toFlush(); !due { // else the mark came before the ticker could know that we wait
		t.wait(t.waitFor(), limit, ready)
	}
	t.hasFlush.Store(false)
}

// wait blocks until something wakes the task, at most limit (0: no limit).
func (t *task) wait(kind waitKind, limit time.Duration, source bool) {
	var ready <-chan struct{}
	if source {
		ready = t.chain.Source.Ready()
	}
	var timer <-chan time.Time
	if limit > 0 {
		t.timer.Reset(limit)
		timer = t.timer.C
	}
	t.stats.clock.waitBegan(kind, time.Now())
	select {
	case <-t.wake:
	case <-ready:
		t.source.waiting = false
	case <-timer:
		if source && t.chain.Source.Ready() == nil {
			t.source.waiting = false
		}
	case <-t.ctx.Done():
	}
	t.stats.clock.waitEnded(time.Now())
}
