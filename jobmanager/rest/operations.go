package rest

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// maxOperations bounds the outcomes that are remembered; a client that triggers savepoints in a loop meets it.
const maxOperations = 10000

// outcome is how an operation ended.
type outcome struct {
	result OperationResult
	err    error
}

// operation is an asynchronous operation, under way or over.
type operation struct {
	done    bool
	ended   time.Time
	outcome outcome
	fetched bool
}

// opKey names an operation: its subject (a job, or "disposal"), its kind and the trigger id.
type opKey struct{ subject, kind, trigger string }

// operations runs operations in the background and keeps their outcomes until they expire.
type operations struct {
	keep   time.Duration
	now    func() time.Time
	log    *slog.Logger
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu struct {
		sync.Mutex
		all     map[opKey]*operation
		changed chan struct{} // closed and replaced whenever an operation ends or is fetched
		closed  bool
	}
}

func newOperations(keep time.Duration, now func() time.Time, log *slog.Logger) *operations {
	o := &operations{keep: keep, now: now, log: log}
	o.ctx, o.cancel = context.WithCancel(context.Background())
	o.mu.all = map[opKey]*operation{}
	o.mu.changed = make(chan struct{})
	return o
}

// newTrigger makes a trigger id.
func newTrigger() string {
	var b [16]byte
	rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// start runs f in the background under key, once: a second start with the same trigger is answered by the first one.
func (o *operations) start(key opKey, f func(context.Context) (OperationResult, error)) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.expire()
	if _, running := o.mu.all[key]; running {
		return nil
	}
	if o.mu.closed {
		return Unavailable("The cluster is shutting down.")
	}
	if len(o.mu.all) >= maxOperations {
		return Unavailable("%d savepoint and checkpoint requests are remembered, the most there may be; try again in %s.", maxOperations, o.keep)
	}
	op := &operation{}
	o.mu.all[key] = op
	o.wg.Go(func() {
		result, err := o.run(key, f)
		o.finish(op, outcome{result, err})
	})
	return nil
}

// run calls f; a panic in it is the operation's failure, not the server's end.
func (o *operations) run(key opKey, f func(context.Context) (OperationResult, error)) (result OperationResult, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the %s failed with a panic: %v", key.kind, p)
			o.log.Error("an operation panicked", "kind", key.kind, "subject", key.subject, "panic", p)
		}
	}()
	return f(o.ctx)
}

func (o *operations) finish(op *operation, out outcome) {
	o.mu.Lock()
	defer o.mu.Unlock()
	op.done, op.ended, op.outcome = true, o.now(), out
	o.notify()
}

// notify wakes those that wait; the caller holds the lock.
func (o *operations) notify() {
	close(o.mu.changed)
	o.mu.changed = make(chan struct{})
}

// expire forgets old outcomes; the caller holds the lock.
func (o *operations) expire() {
	now := o.now()
	for key, op := range o.mu.all {
		if op.done && now.Sub(op.ended) > o.keep {
			delete(o.mu.all, key)
		}
	}
}

// answer tells how an operation stands; ok is false for an unknown one.
func (o *operations) answer(key opKey) (answer OperationAnswer, ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.expire()
	op, ok := o.mu.all[key]
	if !ok {
		return OperationAnswer{}, false
	}
	if !op.done {
		return OperationAnswer{Status: OperationStatus{OperationInProgress}}, true
	}
	if !op.fetched {
		op.fetched = true
		o.notify()
	}
	result := op.outcome.result
	if err := op.outcome.err; err != nil {
		result = OperationResult{Failure: &FailureCause{Class: key.kind + " failed", StackTrace: err.Error()}}
	}
	return OperationAnswer{Status: OperationStatus{OperationCompleted}, Operation: &result}, true
}

// awaitFetched returns once every operation is over and its outcome was fetched or has expired.
func (o *operations) awaitFetched(ctx context.Context) error {
	for {
		waiting, changed, next := o.unfetched()
		if !waiting {
			return nil
		}
		timer := time.NewTimer(next)
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-changed:
			timer.Stop()
		case <-timer.C:
		}
	}
}

// unfetched tells whether an operation is under way or not fetched, and when to look again at the latest.
func (o *operations) unfetched() (waiting bool, changed <-chan struct{}, next time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.expire()
	for _, op := range o.mu.all {
		if !op.done || !op.fetched {
			waiting = true
		}
	}
	return waiting, o.mu.changed, max(o.keep/10, 10*time.Millisecond)
}

// close cancels what is under way and waits for it.
func (o *operations) close() {
	o.mu.Lock()
	o.mu.closed = true
	o.mu.Unlock()
	o.cancel()
	o.wg.Wait()
}
