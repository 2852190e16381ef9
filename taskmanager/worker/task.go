package worker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"goflink/conf"
	"goflink/control"
	"goflink/dataflow"
	"goflink/graph"
	"goflink/metrics"
	"goflink/taskmanager/exchange"
)

// Task states, as in Flink.
const (
	stateInitializing = "INITIALIZING"
	stateRunning      = "RUNNING"
	stateFinished     = "FINISHED"
	stateCanceled     = "CANCELED"
	stateFailed       = "FAILED"
)

// task is one subtask of one vertex in one attempt.
type task struct {
	attempt *attempt
	w       *worker
	id      *control.Task
	key     taskKey
	vertex  *graph.Vertex
	name    string // "Map (1/4)"
	log     *slog.Logger
	metrics *metrics.Task

	ctx    context.Context
	cancel context.CancelCauseFunc
	wg     sync.WaitGroup // Env.Go
	ended  chan struct{}  // closed after the terminal state was reported
	wake   chan struct{}  // capacity 1
	mail   mailbox
	gate   *exchange.Gate // nil without inputs
	out    *exchange.Outputs
	writes []writing // on blocking edges
	// reserved network buffers, for writes
	reserved int
	env      *dataflow.Env
	chain    *dataflow.Chain

	restore  *restored
	tables   tables       // of state stores, for native snapshots
	hasFlush atomic.Bool  // something is pending while the task waits
	yield    atomic.Bool  // the gate has something urgent
	state    atomic.Value // *control.TaskState, last reported
	told     atomic.Bool  // TaskDrained was reported
	counts   atomic.Bool  // it has accumulators
	counted  atomic.Pointer[counted]
	// shownFlushes are flushes, for the ticker; nil before the chain is built.
	shownFlushes atomic.Pointer[[]*flushing]

	// What follows belongs to the task's goroutine.
	blocked    bool
	input      pendingInput
	source     sourceState
	allEnded   bool                // every channel had its end of partition
	ending     *exchange.EndOfData // came, and waits for the backlog
	finished   bool                // the end of data was handled
	drained    bool                // … with Finish
	final      int64               // first checkpoint that began after it
	over       bool
	aborted    map[int64]bool // checkpoints known to be aborted, above taken
	taken      int64          // newest checkpoint taken part in
	postponed  []exchange.Barrier
	flushes    []*flushing
	flight     *flight // checkpoint whose records in flight are being gathered
	stats      stats
	sincePrint int
	timer      *time.Timer
}

// sourceState says how a source stands.
type sourceState struct {
	waiting bool // for Ready
	stopped bool // Poll is over
}

// pendingInput is the batch or buffer being processed.
type pendingInput struct {
	item exchange.Item
	from int
	some bool
}

func (t *task) signal() {
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

// where names the task in errors.
func (t *task) where() string {
	return fmt.Sprintf("job %s, task %s, attempt %d", t.w.start.JobName, t.name, t.id.Attempt)
}

// run is the task's goroutine from its deployment to its terminal state.
func (t *task) run() {
	defer close(t.ended)
	err := guard(t.live)
	cause := context.Cause(t.ctx)
	t.cancel(errEnded)
	defer t.watchEnd(cmp.Or(cause, err))()
	t.mail.close()
	closeErr := t.closeOperators()
	if countErr := t.publishAccumulators(); closeErr == nil {
		closeErr = countErr
	}
	t.wg.Wait()
	t.dropFlight()
	t.dropPartitions()
	if cause == nil {
		cause = context.Cause(t.ctx) // Env.Go may have failed while we closed
	}
	state, failure := t.verdict(err, cause, closeErr)
	t.w.segments.leave(t.attempt.id, t.key)
	t.stats.clock.waitEnded(time.Now())
	t.publish()
	t.metrics.Close()
	t.report(state, failure)
}

// watchEnd ends the process if the task, which is over, does not end: its state
// is reported only after all that it started has ended, and nobody else would
// notice. The returned function ends the watch.
func (t *task) watchEnd(why error) (stop func()) {
	limit := conf.TaskCancellationTimeout.Get(t.w.conf)
	if limit <= 0 {
		return func() {}
	}
	timer := time.AfterFunc(limit, func() {
		t.w.Fatal(fmt.Errorf("task %s is over and did not end within %s (task.cancellation.timeout): what it started does not heed its context; why it is over: %w", t.name, limit, cmp.Or(why, errEnded)))
	})
	return func() { timer.Stop() }
}

// verdict is the terminal state. A task that was told to end is CANCELED
// whatever else happened; else the cause of its context is the first failure.
func (t *task) verdict(err, cause, closeErr error) (string, *control.Failure) {
	if cause != nil && !errors.Is(cause, errEnded) {
		err = cause
	} else if err == nil {
		err = closeErr
	}
	switch {
	case err == nil:
		return stateFinished, nil
	case errors.Is(err, errCancelled):
		return stateCanceled, nil
	}
	t.log.Warn("task failed", "error", err)
	return stateFailed, failureOf(t.where(), err)
}

// report tells the JobManager a state.
func (t *task) report(state string, failure *control.Failure) {
	t.log.Info("task is " + state)
	e := &control.TaskState{Task: t.id, State: state, Failure: failure, TimeMs: t.w.Now().UnixMilli(), Io: t.figures(time.Now()), Accumulators: t.accumulated()}
	t.state.Store(e)
	t.w.send(&control.WorkerEvent{Event: &control.WorkerEvent_TaskState{TaskState: e}})
}

// fail ends the task with an error, from any goroutine. The first one counts.
func (t *task) fail(err error) {
	t.cancel(err)
	t.signal()
}

// live builds the chain, waits for the start and runs to the end.
func (t *task) live() error {
	if t.ctx.Err() != nil { // it could not be prepared
		return context.Cause(t.ctx)
	}
	var err error
	if t.restore.finished {
		return t.liveFinished()
	}
	if t.chain, err = t.w.Program.BuildChain(t.id.VertexId, t.env); err != nil {
		return fmt.Errorf("building the task: %w", err)
	}
	if err := t.checkChain(); err != nil {
		return err
	}
	t.setFlushing()
	if err := t.preload(); err != nil {
		return err
	}
	t.report(stateInitializing, nil)
	if err := t.awaitStart(); err != nil {
		return err
	}
	began := time.Now()
	for i := len(t.chain.Operators) - 1; i >= 0; i-- {
		op := t.chain.Operators[i]
		if err := op.Open(t.ctx); err != nil {
			return fmt.Errorf("opening operator %s: %w", t.operatorName(op.ID()), err)
		}
	}
	t.metrics.IO.InitializationMs.Set(time.Since(began).Milliseconds())
	t.counts.Store(t.env.Accumulators.Len() > 0)
	t.stats.clock.begin(time.Now())
	t.report(stateRunning, nil)
	t.timer = time.NewTimer(time.Hour)
	defer t.timer.Stop()
	return t.loop()
}

// liveFinished is the life of a task that had finished before the checkpoint
// it is restored from: it has no channels, and whoever received from it knows
// that they have ended.
func (t *task) liveFinished() error {
	t.report(stateInitializing, nil)
	if err := t.awaitStart(); err != nil {
		return err
	}
	t.report(stateRunning, nil)
	return nil
}

func (t *task) checkChain() error {
	inputs := len(t.env.InputChannels)
	switch {
	case t.chain == nil || (t.chain.Source == nil) == (inputs == 0):
		return internalf("the chain of %s does not fit its %d inputs", t.name, inputs)
	case len(t.chain.Inputs) != inputs || len(t.chain.Outputs) != len(t.env.Outputs):
		return internalf("the chain of %s has %d inputs and %d outputs, its vertex %d and %d", t.name,
			len(t.chain.Inputs), len(t.chain.Outputs), inputs, len(t.env.Outputs))
	}
	return nil
}

func (t *task) awaitStart() error {
	select {
	case <-t.attempt.connected:
		return nil
	case <-t.ctx.Done():
		return context.Cause(t.ctx)
	}
}

// closeOperators closes all operators, whatever each of them does.
func (t *task) closeOperators() error {
	if t.chain == nil {
		return nil
	}
	var errs []error
	for _, op := range t.chain.Operators {
		if err := guard(op.Close); err != nil {
			errs = append(errs, fmt.Errorf("closing operator %s: %w", t.operatorName(op.ID()), err))
		}
	}
	return errors.Join(errs...)
}

// operatorName finds an operator's name for messages.
func (t *task) operatorName(id string) string {
	for _, op := range t.vertex.Operators {
		if op.Id == id {
			return op.Name
		}
	}
	return id
}

// goRun is Env.Go.
func (t *task) goRun(name string, f func(ctx context.Context) error) {
	t.wg.Go(func() {
		err := guard(func() error { return f(t.ctx) })
		if err != nil && t.ctx.Err() == nil {
			t.fail(fmt.Errorf("%s: %w", name, err))
		}
	})
}
