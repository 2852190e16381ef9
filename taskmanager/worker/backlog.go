package worker

import (
	"goflink/taskmanager/exchange"
)

// emitBacklog lets operators emit what they held back, and ends the data once
// nothing is held any more. After an end without a drain what is held belongs to
// the savepoint.
func (t *task) emitBacklog() error {
	if t.chain.Backlog == nil || t.finished {
		return nil
	}
	if err := t.chain.Backlog.Emit(); err != nil {
		return err
	}
	if t.ending != nil && t.chain.Backlog.Empty() {
		return t.endOfData(*t.ending)
	}
	return nil
}

// held is true while the chain wants no further record. After the end of data
// none comes, and what still comes must be read: barriers.
func (t *task) held() bool {
	return t.chain.Backlog != nil && !t.finished && t.ending == nil && t.chain.Backlog.Full()
}

// stepHeld handles an event that comes first in the input; a batch is kept until
// the chain takes records again.
func (t *task) stepHeld() (bool, error) {
	if t.input.some || t.chain.Source != nil || t.allEnded {
		return false, nil
	}
	item, ok, err := t.gate.Next()
	if err != nil || !ok {
		return false, err
	}
	if item.Kind == exchange.ItemData {
		t.input = pendingInput{item: item, some: true}
		return false, t.record(item)
	}
	return true, t.event(item)
}

// inputEnded handles that no record follows. A natural end waits for the
// backlog, and the task takes checkpoints meanwhile; a stop does not, because
// its savepoint comes right behind.
func (t *task) inputEnded(e exchange.EndOfData) error {
	if b := t.chain.Backlog; b != nil && !t.finished && e.Drain && !e.Stop && !b.Empty() {
		t.ending = &e
		return nil
	}
	return t.endOfData(e)
}

// endBefore ends the data before the savepoint of a stop, if the end came and
// waits: what is held is emitted before the savepoint, or it would be lost with
// the job.
func (t *task) endBefore(b exchange.Barrier) error {
	if b.Kind != kindStop || t.ending == nil {
		return nil
	}
	return t.endOfData(*t.ending)
}

// waitFor is what a task without work waits for.
func (t *task) waitFor() waitKind {
	if t.held() {
		return waitResults
	}
	return waitInput
}
