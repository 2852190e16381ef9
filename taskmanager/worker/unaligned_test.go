package worker

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"goflink/control"
	"goflink/dataflow"
	"goflink/graph"
	"goflink/jobmanager/checkpoint"
	"goflink/taskmanager/tmtest"
)

// assigned divides a checkpoint among the subtasks of a graph as the JobManager
// does; from is the graph that the checkpoint was taken of.
func (r *rig) assigned(id int64, from, to *graph.JobGraph) map[string][]*control.OperatorState {
	r.t.Helper()
	meta := &control.CheckpointMetadata{CheckpointId: id}
	for _, v := range from.Vertices {
		for _, op := range v.Operators {
			meta.Operators = append(meta.Operators, &control.OperatorInfo{Id: op.Id, Name: op.Name, Parallelism: v.Parallelism, MaxParallelism: v.MaxParallelism})
		}
	}
	r.Look(func() {
		for _, a := range r.Acks[id] {
			meta.States = append(meta.States, a.States...)
		}
	})
	c := &checkpoint.Completed{ID: id, Dir: r.chk(id), Metadata: meta}
	if _, err := checkpoint.Compatible(to, c, false); err != nil {
		r.t.Fatal(err)
	}
	out := map[string][]*control.OperatorState{}
	for task, states := range checkpoint.Assign(to, c).Tasks {
		out[fmt.Sprintf("%s/%d", task.Vertex, task.Subtask)] = states
	}
	return out
}

// persisted is how many records in flight a checkpoint holds, at inputs and at
// outputs.
func (r *rig) persisted(id int64) (inputs, outputs int64) {
	r.Look(func() {
		for _, a := range r.Acks[id] {
			for _, st := range a.States {
				for _, c := range st.Inflight {
					if c.Output {
						outputs += c.Rows
					} else {
						inputs += c.Rows
					}
				}
			}
		}
	})
	return inputs, outputs
}

// TestUnalignedUnderBackPressure: counters that take one record per tick of a
// clock that the test holds. An unaligned checkpoint needs a tick or two,
// whatever is queued; one with a time-out as well; and a job that begins from it
// at another parallelism counts every record once.
func TestUnalignedUnderBackPressure(t *testing.T) {
	for _, c := range []struct {
		timeout         int64
		counters, sinks int32
	}{{0, 2, 1}, {0, 3, 2}, {1, 1, 1}} {
		t.Run(fmt.Sprintf("%+v", c), func(t *testing.T) { backPressure(t, c.timeout, c.counters, c.sinks) })
	}
}

func backPressure(t *testing.T, timeout int64, counters, sinks int32) {
	const records = 4000
	ticks := []chan struct{}{make(chan struct{}, 1), make(chan struct{}, 1), nil}
	var taken atomic.Int64
	var free atomic.Bool
	job := &tmtest.Job{Sources: 2, Counters: 2, Sinks: 1, Records: records, Keys: 127}
	job.OnCount = func(env *dataflow.Env, _ int64) error {
		if free.Load() {
			return nil
		}
		select {
		case <-ticks[env.Subtask]:
			taken.Add(1)
		case <-env.Ctx.Done():
			return env.Ctx.Err()
		}
		return nil
	}
	r := newRig(t, job)
	if sinks > 1 {
		r.conf["execution.checkpointing.data-inline-threshold"] = "100 bytes"
	}
	workers := r.start("a", "b")
	old := job.JobGraph()
	d := r.Deploy(old, workers, 0, nil)
	d.Start()
	r.Wait("records to pile up", func() bool { return job.Emitted.Load() >= 1000 })
	trigger := r.trigger(1, "checkpoint")
	trigger.Unaligned, trigger.AlignedTimeoutMs = true, timeout
	d.Trigger(trigger)
	// Each counter is inside a record, where nothing can be done for it; a tick
	// lets it out of that one and into the next. The clock goes with what the
	// JobManager hears.
	r.Wait("the checkpoint", func() bool {
		for _, c := range ticks[:2] {
			select {
			case c <- struct{}{}:
			default:
			}
		}
		return len(r.Acks[1]) == 5 || len(r.Declines) > 0
	})
	if len(r.Declines) > 0 {
		t.Fatalf("declined: %v", r.Declines)
	}
	if n := taken.Load(); n > 400 { // aligned it takes all that is queued, 1700; a tick may come before the time-out
		t.Errorf("%d records were processed until the checkpoint was there", n)
	}
	in, out := r.persisted(1)
	t.Logf("of %d records %d were in flight at inputs and %d at outputs, %d processed", job.Emitted.Load(), in, out, taken.Load())
	if in+out < 500 {
		t.Errorf("%d records in flight at inputs and %d at outputs belong to the checkpoint", in, out)
	}
	if files, err := os.ReadDir(r.chk(1)); err != nil || (len(files) > 0) != (sinks > 1) {
		t.Errorf("%d files, %v", len(files), err)
	}
	d.Complete(1, false)
	d.Cancel()
	r.shutdown(workers)
	free.Store(true)
	job.Counters, job.Sinks = counters, sinks
	r.Forget()
	r.toTheEnd(1, 2, 2*records, r.assigned(1, old, job.JobGraph()))
}

// TestUnalignedRandomFailures is TestRandomFailures with unaligned checkpoints
// of a job whose counters are slow at random, restored each time at another
// parallelism, savepoints and aborted checkpoints between.
func TestUnalignedRandomFailures(t *testing.T) {
	for round := range 2 {
		seed := uint64(time.Now().UnixNano())
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			unalignedTorture(t, rand.New(rand.NewPCG(seed, uint64(round))))
		})
	}
}

func unalignedTorture(t *testing.T, random *rand.Rand) {
	const records = 20_000
	job := &tmtest.Job{Sources: 2, Counters: 2, Sinks: 1, Records: records, Keys: 127, PadState: random.IntN(2) * 30_000}
	fails := make(chan struct{}, 1)
	var slow atomic.Int32
	job.OnCount = func(*dataflow.Env, int64) error {
		for range slow.Load() {
			runtime.Gosched()
		}
		select {
		case <-fails:
			return errors.New("a random failure")
		default:
			return nil
		}
	}
	r := newRig(t, job)
	if random.IntN(2) == 0 { // records in flight go to files
		r.conf["execution.checkpointing.data-inline-threshold"] = "100 bytes"
	}
	old := job.JobGraph()
	var last int64
	next, held := int64(1), int64(0)
	restore := func() map[string][]*control.OperatorState {
		if last == 0 {
			return nil
		}
		return r.assigned(last, old, job.JobGraph())
	}
	const attempts = 6
	for attempt := int32(0); attempt < attempts; attempt++ {
		if last > 0 {
			job.Sources, job.Counters, job.Sinks = 1+random.Int32N(3), 1+random.Int32N(3), 1+random.Int32N(2)
		}
		restored := restore()
		workers := r.start(fmt.Sprintf("a%d", attempt), fmt.Sprintf("b%d", attempt))
		slow.Store(random.Int32N(3) * 20)
		d := r.Deploy(job.JobGraph(), workers, attempt, restored)
		d.Start()
		for range random.IntN(4) {
			pause(t.Context(), time.Duration(random.IntN(6))*time.Millisecond)
			c := r.anyTrigger(random, next)
			if random.IntN(4) == 0 { // aborted at any moment
				d.Trigger(c)
				d.All(&control.WorkerCommand{Command: &control.WorkerCommand_Aborted{Aborted: &control.CheckpointAborted{CheckpointId: next, Reason: "test"}}})
			} else if d.TryCheckpoint(c, random.IntN(4) > 0) {
				last, old = next, job.JobGraph()
				in, out := r.persisted(last)
				held += in + out
			}
			next++
		}
		if random.IntN(2) == 0 {
			fails <- struct{}{}
		}
		d.Cancel()
		select {
		case <-fails:
		default:
		}
		r.shutdown(workers)
		r.Forget()
	}
	t.Logf("%d records were in flight in checkpoints", held)
	slow.Store(0)
	r.toTheEnd(attempts, next, 2*records, restore())
}

// toTheEnd runs the job from a checkpoint to its end and checks its output.
func (r *rig) toTheEnd(attempt int32, final, total int64, restored map[string][]*control.OperatorState) {
	r.t.Helper()
	workers := r.start("x", "y")
	d := r.Deploy(r.job.JobGraph(), workers, attempt, restored)
	d.Start()
	r.Wait("all tasks being drained", func() bool { return len(r.Drained) == int(r.job.Sources+r.job.Counters+r.job.Sinks) })
	if !d.Checkpoint(r.trigger(final, "final")) {
		r.t.Fatalf("declined: %v", r.Declines)
	}
	d.WaitAll("FINISHED")
	r.expect(total)
	r.shutdown(workers)
}

// anyTrigger is a checkpoint, unaligned at once or soon, or a savepoint.
func (r *rig) anyTrigger(random *rand.Rand, id int64) *control.TriggerCheckpoint {
	c := r.trigger(id, []string{"checkpoint", "checkpoint", "savepoint"}[random.IntN(3)])
	if c.Kind == "checkpoint" {
		c.Unaligned, c.AlignedTimeoutMs = true, random.Int64N(3)
	}
	return c
}
