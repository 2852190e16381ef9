package coordinator

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"goflink/conf"
	"goflink/control"
	"goflink/dataflow"
	"goflink/graph"
)

// enumerator is one life of an enumerator, with what it may do.
type enumerator struct {
	r           *runtime
	op          *graph.Operator
	e           dataflow.Enumerator
	parallelism int
	attempt     int32
	ended       bool // touched on Run's goroutine
	ctx         context.Context
	cancel      context.CancelFunc
	wg          sync.WaitGroup
}

// start forgets the enumerators that it names, or all, and begins them anew. The
// acknowledgement comes first, so that whatever they assign follows it.
func (r *runtime) start(ctx context.Context, s *control.StartEnumerators) {
	named := func(id string) bool { return len(s.Operators) == 0 || slices.Contains(s.Operators, id) }
	r.end(named)
	r.failed = false
	r.log.Info("Starting enumerators", "attempt", s.Attempt, "restored", s.Restored, "only", s.Operators)
	r.link.send(&control.CoordinatorEvent{Event: &control.CoordinatorEvent_Ready{Ready: &control.CoordinatorReady{Attempt: s.Attempt}}})
	for _, v := range r.o.Program.JobGraph().Vertices {
		for _, op := range v.Operators {
			if op.Enumerator && named(op.Id) && r.startEnumerator(ctx, v, op, s) != nil {
				return
			}
		}
	}
}

func (r *runtime) startEnumerator(ctx context.Context, v *graph.Vertex, op *graph.Operator, s *control.StartEnumerators) error {
	x := &enumerator{r: r, op: op, parallelism: int(v.Parallelism), attempt: s.Attempt}
	return r.call("source "+op.Name, func() error {
		e, err := r.o.Program.NewEnumerator(op.Id)
		if err != nil {
			return err
		}
		x.e = e
		x.ctx, x.cancel = context.WithCancel(ctx)
		r.running = append(r.running, x)
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

// end closes the enumerators of these operators and waits for what they started.
func (r *runtime) end(which func(operator string) bool) {
	r.running = slices.DeleteFunc(r.running, func(x *enumerator) bool {
		if !which(x.op.Id) {
			return false
		}
		x.ended = true
		x.cancel()
		if err := guard(x.e.Close); err != nil {
			r.log.Warn("Closing an enumerator failed", "source", x.op.Name, "error", err)
		}
		x.wg.Wait()
		r.aligner.Leave(x.op.Id)
		return true
	})
}

// find finds the enumerator of an operator that runs in an attempt.
func (r *runtime) find(operator string, attempt int32) *enumerator {
	for _, x := range r.running {
		if x.op.Id == operator && x.attempt == attempt {
			return x
		}
	}
	return nil
}

func (r *runtime) request(q *control.SplitRequest) {
	x := r.find(q.OperatorId, q.Attempt)
	if x == nil || r.failed {
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
	case len(r.running) == 0:
		out.Error = "no enumerators are running"
	case r.failed:
		out.Error = "the source coordinator has failed"
	default:
		for _, x := range r.running {
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
	if r.failed {
		return
	}
	for _, x := range r.running {
		_ = r.call(fmt.Sprintf("source %s: completion of checkpoint %d", x.op.Name, id), func() error { return x.e.CheckpointComplete(id) })
	}
}

// Context ends with the enumerator.
func (x *enumerator) Context() context.Context { return x.ctx }

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
	if !x.ended && int(a.Subtask) < x.parallelism && a.Subtask >= 0 {
		x.r.link.send(&control.CoordinatorEvent{Event: &control.CoordinatorEvent_Assign{Assign: a}})
	}
}

// post runs f on Run's goroutine, unless the enumerator has ended.
func (x *enumerator) post(f func() error) bool {
	run := func() {
		if !x.ended && !x.r.failed {
			_ = x.r.call("source "+x.op.Name, f)
		}
	}
	select {
	case x.r.tasks <- run:
		return true
	case <-x.ctx.Done():
		return false
	}
}

// Run calls f on a goroutine of its own, then done on Run's.
func (x *enumerator) Run(f func(ctx context.Context) error, done func(error) error) {
	x.wg.Go(func() {
		err := guard(func() error { return f(x.ctx) })
		x.post(func() error { return done(err) })
	})
}

// Every calls f each interval until the enumerator ends.
func (x *enumerator) Every(interval time.Duration, f func() error) {
	x.wg.Go(func() {
		t := time.NewTicker(max(interval, time.Millisecond))
		defer t.Stop()
		for {
			select {
			case <-t.C:
				if !x.post(f) {
					return
				}
			case <-x.ctx.Done():
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
	return x.r.log.With("job", x.r.job.JobId, "source", x.op.Name, "attempt", x.attempt)
}
