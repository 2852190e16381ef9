package worker

import (
	"sync/atomic"
	"testing"

	"goflink/control"
	"goflink/dataflow"
	"goflink/taskmanager/tmtest"
)

// hoarder is a job whose tasks of one vertex hold something until it is
// released, and meanwhile want no record once they are full.
type hoarder struct {
	*tmtest.Job
	vertex string
	full   atomic.Bool // no further record
	held   atomic.Bool // something is held
	early  atomic.Int32
	emits  atomic.Int32
	wake   atomic.Pointer[func(func() error) bool]
}

func (h *hoarder) BuildChain(vertex string, env *dataflow.Env) (*dataflow.Chain, error) {
	c, err := h.Job.BuildChain(vertex, env)
	if err == nil && vertex == h.vertex {
		c.Backlog = &hoard{h}
		for i, op := range c.Operators {
			c.Operators[i] = &finishes{op, h}
		}
		if s, ok := c.Operators[0].(*finishes).Operator.(dataflow.Source); ok {
			c.Source = s
		}
		h.wake.Store(&env.Mailbox)
	}
	return c, err
}

// release lets go of everything.
func (h *hoarder) release() {
	h.full.Store(false)
	h.held.Store(false)
	(*h.wake.Load())(func() error { return nil })
}

type hoard struct{ h *hoarder }

func (b *hoard) Emit() error { b.h.emits.Add(1); return nil }
func (b *hoard) Full() bool  { return b.h.full.Load() }
func (b *hoard) Empty() bool { return !b.h.held.Load() }

// finishes counts ends that came while something was held.
type finishes struct {
	dataflow.Operator
	h *hoarder
}

func (f *finishes) Finish() error {
	if f.h.held.Load() {
		f.h.early.Add(1)
	}
	return f.Operator.Finish()
}

func newHoarder(t *testing.T, vertex string, hold int64) (*rig, *hoarder) {
	job := &tmtest.Job{Sources: 1, Counters: 1, Sinks: 1, Records: 4000, Keys: 31, Hold: hold}
	h := &hoarder{Job: job, vertex: vertex}
	r := newRig(t, job)
	r.options = func(o *Options) { o.Program = h }
	return r, h
}

// TestBacklogFull: a task that wants no record takes checkpoints, and goes on
// when there is room; nothing is lost.
func TestBacklogFull(t *testing.T) {
	for _, vertex := range []string{"source", "keyed"} {
		t.Run(vertex, func(t *testing.T) {
			r, h := newHoarder(t, vertex, 0)
			h.full.Store(true)
			workers := r.start("a")
			d := r.Deploy(r.job.JobGraph(), workers, 0, nil)
			d.Start()
			r.Wait("the task to look at its backlog", func() bool { return h.emits.Load() > 0 })
			if vertex == "source" { // of the other one the barrier comes behind data
				if !d.Checkpoint(r.trigger(1, "checkpoint")) {
					t.Fatalf("declined: %v", r.Declines)
				}
				if n := h.Emitted.Load(); n != 0 {
					t.Errorf("%d records were emitted", n)
				}
			}
			h.release()
			r.Wait("all tasks being drained", func() bool { return len(r.Drained) == 3 })
			d.All(&control.WorkerCommand{Command: &control.WorkerCommand_FinalCommit{FinalCommit: &control.FinalCommit{}}})
			d.WaitAll("FINISHED")
			r.expect(4000)
			r.shutdown(workers)
		})
	}
}

// TestBacklogCancelled: a task that waits with its backlog full can be
// cancelled.
func TestBacklogCancelled(t *testing.T) {
	r, h := newHoarder(t, "keyed", 0)
	h.full.Store(true)
	h.held.Store(true)
	workers := r.start("a")
	d := r.Deploy(r.job.JobGraph(), workers, 0, nil)
	d.Start()
	r.Wait("the task to look at its backlog", func() bool { return h.emits.Load() > 0 })
	d.Cancel()
	r.Look(func() {
		for k, s := range r.States {
			if s.State != "CANCELED" {
				t.Errorf("%s is %s", k, s.State)
			}
		}
	})
	r.shutdown(workers)
}

// TestBacklogAtTheEnd: the end of the data waits for what is held, with
// checkpoints meanwhile, which do not say that the task is finished.
func TestBacklogAtTheEnd(t *testing.T) {
	for _, vertex := range []string{"source", "keyed"} {
		t.Run(vertex, func(t *testing.T) {
			r, h := newHoarder(t, vertex, 0)
			h.held.Store(true)
			workers := r.start("a")
			d := r.Deploy(r.job.JobGraph(), workers, 0, nil)
			d.Start()
			r.Wait("all records", func() bool { return h.Emitted.Load() == 4000 })
			if !d.Checkpoint(r.trigger(1, "checkpoint")) {
				t.Fatalf("declined: %v", r.Declines)
			}
			r.Look(func() {
				if a := r.Acks[1][vertex+"/0"]; a.Finished {
					t.Error("the task says that it is finished")
				}
			})
			h.release()
			r.Wait("all tasks being drained", func() bool { return len(r.Drained) == 3 })
			// The source had ended before the first one, and may have finished after it.
			for id := int64(2); !d.Checkpoint(r.trigger(id, "final")); id++ {
				r.Look(func() {
					if last := r.Declines[len(r.Declines)-1]; !last.TaskFinished {
						t.Fatalf("declined: %v", last)
					}
				})
				r.Wait("the source to say that it has finished", func() bool { return r.States["source/0"].State == "FINISHED" })
			}
			d.WaitAll("FINISHED")
			if n := h.early.Load(); n != 0 {
				t.Errorf("%d operators were finished too early", n)
			}
			r.expect(4000)
			r.shutdown(workers)
		})
	}
}

// TestBacklogAtStop: the savepoint of a stop takes what is held with it, and
// nothing is emitted after it.
func TestBacklogAtStop(t *testing.T) {
	r, h := newHoarder(t, "source", 1000)
	h.held.Store(true)
	workers := r.start("a")
	d := r.Deploy(r.job.JobGraph(), workers, 0, nil)
	d.Start()
	r.Wait("records", func() bool { return h.Emitted.Load() == 1000 })
	if !d.Checkpoint(r.trigger(1, "stop")) {
		t.Fatalf("declined: %v", r.Declines)
	}
	before := h.emits.Load()
	(*h.wake.Load())(func() error { return nil })
	d.WaitAll("FINISHED")
	if n := h.emits.Load() - before; n != 0 {
		t.Errorf("%d looks at the backlog after the savepoint", n)
	}
	r.shutdown(workers)
}
