package coordinator

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"goflink/conf"
	"goflink/control"
	"goflink/dataflow"
	"goflink/graph"
)

// attempt is one life of the enumerators.
type attempt struct {
	number int32
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup
	list   []*enumerator
	byID   map[string]*enumerator
	// aligner is nil unless a source is aligned.
	aligner *dataflow.Aligner
}

// enumerator is one of them, with what it may do.
type enumerator struct {
	r           *runtime
	a           *attempt
	op          *graph.Operator
	e           dataflow.Enumerator
	parallelism int
}

// startAttempt forgets the enumerators there are and begins anew. The
// acknowledgement comes first, so that whatever they assign follows it.
func (r *runtime) startAttempt(ctx context.Context, s *control.StartEnumerators) {
	r.endAttempt()
	r.failed = false
	a := &attempt{number: s.Attempt, byID: map[string]*enumerator{}}
	a.ctx, a.cancel = context.WithCancel(ctx)
	r.attempt = a
	r.log.Info("Starting enumerators", "attempt", s.Attempt, "restored", s.Restored)
	r.link.send(&control.CoordinatorEvent{Event: &control.CoordinatorEvent_Ready{Ready: &control.CoordinatorReady{Attempt: s.Attempt}}})
	for _, v := range r.o.Program.JobGraph().Vertices {
		for _, op := range v.Operators {
			if op.Enumerator && r.startEnumerator(a, v, op, s) != nil {
				return
			}
		}
	}
}

func (r *runtime) startEnumerator(a *attempt, v *graph.Vertex, op *graph.Operator, s *control.StartEnumerators) error {
	x := &enumerator{r: r, a: a, op: op, parallelism: int(v.Parallelism)}
	return r.call("source "+op.Name, func() error {
		e, err := r.o.Program.NewEnumerator(op.Id)
		if err != nil {
			return err
		}
		x.e = e
		a.list = append(a.list, x)
		a.byID[op.Id] = x
		x.align()
		var restored []byte
		if st, ok := s.States[op.Id]; s.Restored && ok {
			restored = st
			if restored == nil {
				restored = []byte{} // nil means: begin afresh
			}
		}
		return e.Start(x, restored)
	})
}

// endAttempt closes the enumerators and waits for what they started.
func (r *runtime) endAttempt() {
	a := r.attempt
	if a == nil {
		return
	}
	r.attempt = nil
	a.cancel()
	for _, x := range a.list {
		if err := guard(x.e.Close); err != nil {
			r.log.Warn("Closing an enumerator failed", "source", x.op.Name, "error", err)
		}
	}
	a.wg.Wait()
}

func (r *runtime) request(q *control.SplitRequest) {
	if r.attempt == nil || r.failed {
		return
	}
	x := r.attempt.byID[q.OperatorId]
	if x == nil || q.Attempt != r.attempt.number {
		return
	}
	_ = r.call(fmt.Sprintf("source %s: split request of subtask %d", x.op.Name, q.Subtask), func() error {
		return x.e.Request(int(q.Subtask), q.Host)
	})
}

// snapshot takes the state of all enumerators. A failure to is the
// checkpoint's, not the job's.
func (r *runtime) snapshot(id int64) {
	out := &control.CoordinatorSnapshot{CheckpointId: id, States: map[string][]byte{}}
	switch {
	case r.attempt == nil:
		out.Error = "no enumerators are running"
	case r.failed:
		out.Error = "the source coordinator has failed"
	default:
		for _, x := range r.attempt.list {
			err := guard(func() error {
				b, err := x.e.Snapshot(id)
				out.States[x.op.Id] = b
				return err
			})
			if err != nil {
				out.Error = fmt.Sprintf("source %s: %v", x.op.Name, err)
				break
			}
		}
	}
	r.link.send(&control.CoordinatorEvent{Event: &control.CoordinatorEvent_Snapshot{Snapshot: out}})
}

func (r *runtime) completed(id int64) {
	if r.attempt == nil || r.failed {
		return
	}
	for _, x := range r.attempt.list {
		_ = r.call(fmt.Sprintf("source %s: completion of checkpoint %d", x.op.Name, id), func() error { return x.e.CheckpointComplete(id) })
	}
}

// Context ends with the attempt.
func (x *enumerator) Context() context.Context { return x.a.ctx }

// Parallelism is the number of readers.
func (x *enumerator) Parallelism() int { return x.parallelism }

// Assign hands splits to a reader.
func (x *enumerator) Assign(subtask int, splits [][]byte) {
	x.assign(&control.AssignSplits{OperatorId: x.op.Id, Subtask: int32(subtask), Splits: splits})
}

// NoMoreSplits tells a reader that it has all of its splits.
func (x *enumerator) NoMoreSplits(subtask int) {
	x.assign(&control.AssignSplits{OperatorId: x.op.Id, Subtask: int32(subtask), NoMore: true})
}

func (x *enumerator) assign(a *control.AssignSplits) {
	if x.r.attempt == x.a && int(a.Subtask) < x.parallelism && a.Subtask >= 0 {
		x.r.link.send(&control.CoordinatorEvent{Event: &control.CoordinatorEvent_Assign{Assign: a}})
	}
}

// post runs f on Run's goroutine, unless the attempt has ended.
func (x *enumerator) post(f func() error) bool {
	run := func() {
		if x.r.attempt == x.a && !x.r.failed {
			_ = x.r.call("source "+x.op.Name, f)
		}
	}
	select {
	case x.r.tasks <- run:
		return true
	case <-x.a.ctx.Done():
		return false
	}
}

// Run calls f on a goroutine of its own, then done on Run's.
func (x *enumerator) Run(f func(ctx context.Context) error, done func(error) error) {
	x.a.wg.Go(func() {
		err := guard(func() error { return f(x.a.ctx) })
		x.post(func() error { return done(err) })
	})
}

// Every calls f each interval until the attempt ends.
func (x *enumerator) Every(interval time.Duration, f func() error) {
	x.a.wg.Go(func() {
		t := time.NewTicker(max(interval, time.Millisecond))
		defer t.Stop()
		for {
			select {
			case <-t.C:
				if !x.post(f) {
					return
				}
			case <-x.a.ctx.Done():
				return
			}
		}
	})
}

// Conf is the job's configuration.
func (x *enumerator) Conf() *conf.Config { return x.r.conf }

// Files opens file systems.
func (x *enumerator) Files() dataflow.FileSystems { return x.r.o.Files }

// Log names the source.
func (x *enumerator) Log() *slog.Logger {
	return x.r.log.With("job", x.r.job.JobId, "source", x.op.Name, "attempt", x.a.number)
}
