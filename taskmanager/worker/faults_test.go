package worker

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"goflink/control"
	"goflink/dataflow"
	"goflink/graph"
	"goflink/internal/seeds"
	"goflink/taskmanager/exchange/faultconn"
	"goflink/taskmanager/tmtest"
)

// faultSeeds are a few dozen with the other tests; make faults runs a thousand.
var faultSeeds = seeds.Flag("faults.seeds", "0..29", "TestConnectionFaults")

// TestConnectionFaults runs jobs over connections that fail, with commands that
// come late and twice: for each seed the job is restored from its last checkpoint
// after each failure, at another parallelism, and in the end every record was
// counted once. What hangs fails by the patience of the scripted JobManager, and
// TestMain finds goroutines that are left.
func TestConnectionFaults(t *testing.T) {
	var failed, attempts, twice atomic.Int64
	t.Run("seed", func(t *testing.T) {
		for seed := faultSeeds.First; seed <= faultSeeds.Last; seed++ {
			t.Run(fmt.Sprint(seed), func(t *testing.T) {
				t.Parallel()
				f := newFaults(t, seed)
				f.run()
				failed.Add(int64(f.net.Failed()))
				attempts.Add(int64(f.attempt))
				twice.Add(int64(f.fates.twice))
			})
		}
	})
	t.Logf("%d connections failed in %d attempts, %d commands came twice", failed.Load(), attempts.Load(), twice.Load())
	if faultSeeds.Len() > 20 && (failed.Load() == 0 || twice.Load() == 0) {
		t.Error("nothing was disturbed")
	}
}

// faults is one seed's run.
type faults struct {
	*rig
	rand    *rand.Rand
	net     *faultconn.Net
	fates   *fates
	workers int
	old     *graph.JobGraph // of the last checkpoint
	last    int64
	next    int64
	attempt int32
}

func newFaults(t *testing.T, seed uint64) *faults {
	r := rand.New(rand.NewPCG(seed, 1))
	job := &tmtest.Job{Records: int64(200 + r.IntN(3000)), Keys: 1 + r.Int64N(60), PadState: r.IntN(2) * 30_000}
	f := &faults{rig: newRig(t, job), rand: r, next: 1, fates: &fates{rand: rand.New(rand.NewPCG(seed, 2))}, workers: 2 + r.IntN(2)}
	f.JM.Fate = f.fates.of
	f.net = faultconn.New(seed, faultconn.Rates{Fail: []float64{0, 0.5, 0.9}[r.IntN(3)], Bytes: []int64{400, 3_000, 20_000}[r.IntN(3)],
		Delay: []float64{0, 0.1, 0.4}[r.IntN(3)], MostDelay: time.Millisecond, Pieces: []float64{0, 0.5}[r.IntN(2)]})
	f.options = func(o *Options) { o.wrap = f.net.Wrap }
	f.conf = map[string]string{
		"execution.buffer-timeout.interval":                    []string{"0 ms", "1 ms", "10 ms"}[r.IntN(3)],
		"taskmanager.network.compression.codec":                []string{"NONE", "LZ4", "ZSTD"}[r.IntN(3)],
		"taskmanager.network.memory.buffer-debloat.period":     "1 ms",
		"taskmanager.network.memory.buffer-debloat.target":     "5 ms",
		"taskmanager.network.memory.floating-buffers-per-gate": []string{"1", "8"}[r.IntN(2)],
		"execution.checkpointing.data-inline-threshold":        []string{"100 bytes", "20 kb"}[r.IntN(2)],
	}
	slow := r.IntN(3) * 10
	job.OnCount = func(*dataflow.Env, int64) error {
		for range slow {
			_ = time.Now()
		}
		return nil
	}
	job.Sources = 1 + r.Int32N(3)
	f.reshape()
	return f
}

// reshape draws the parallelism; that of the sources is the number of splits, of
// which each subtask may have several.
func (f *faults) reshape() {
	f.job.Counters, f.job.Sinks = 1+f.rand.Int32N(3), 1+f.rand.Int32N(2)
	if f.last > 0 {
		f.job.Sources = 1 + f.rand.Int32N(3)
	}
}

func (f *faults) run() {
	total := f.job.Records * int64(f.job.Sources)
	workers := f.startWorkers()
	for range 1 + f.rand.IntN(4) {
		d := f.Deploy(f.job.JobGraph(), workers, f.attempt, f.restored())
		if f.begin(d) {
			f.disturbed(d)
		}
		d.Cancel()
		f.attempt++
		if f.rand.IntN(2) == 0 { // at another parallelism, which a worker knows from its start
			f.shutdown(workers)
			f.Forget()
			f.reshape()
			workers = f.startWorkers()
		}
	}
	f.net.Off(true)
	d := f.Deploy(f.job.JobGraph(), workers, f.attempt, f.restored())
	if !f.begin(d) {
		f.t.Fatalf("an undisturbed attempt failed: %v", f.failure())
	}
	f.Wait("all tasks being drained", func() bool { return d.AllDrained() })
	if !d.Checkpoint(f.trigger(f.next, "final")) {
		f.t.Fatalf("the final checkpoint was declined: %v", f.Declines)
	}
	d.WaitAll("FINISHED")
	f.expect(total)
	f.shutdown(workers)
	f.JM.Close()
	if f.t.Failed() {
		f.t.Logf("faults: %s; %+v", f.net.Counts(), f.conf)
	}
}

func (f *faults) startWorkers() []*tmtest.Worker {
	var ids []string
	for i := range f.workers {
		ids = append(ids, fmt.Sprintf("w%d-%d", f.attempt, i))
	}
	return f.start(ids...)
}

func (f *faults) restored() map[string][]*control.OperatorState {
	if f.last == 0 {
		return nil
	}
	return f.assigned(f.last, f.old, f.job.JobGraph())
}

// begin starts an attempt; false when a task of it fails meanwhile.
func (f *faults) begin(d *tmtest.Deployment) bool {
	vertices := f.job.Sources + f.job.Counters + f.job.Sinks
	f.Wait("the deployment", func() bool { return len(f.States) == int(vertices) })
	d.All(&control.WorkerCommand{Command: &control.WorkerCommand_Start{Start: &control.StartTasks{Attempt: d.Attempt}}})
	ok := false
	f.Wait("the start, or a failure", func() bool {
		ok = true
		for _, s := range f.States {
			if s.State == "FAILED" {
				ok = false
				return true
			}
			ok = ok && s.State == "RUNNING"
		}
		return ok
	})
	return ok
}

// failure is one of a task; for use outside of Wait and Look.
func (f *faults) failure() (failure *control.Failure) {
	f.Look(func() {
		for _, s := range f.States {
			if s.Failure != nil {
				failure = s.Failure
			}
		}
	})
	return failure
}

// disturbed takes checkpoints of all kinds while connections may fail.
func (f *faults) disturbed(d *tmtest.Deployment) {
	for range f.rand.IntN(5) {
		c := f.anyTrigger(f.rand, f.next)
		if f.rand.IntN(2) == 0 {
			c.Unaligned, c.AlignedTimeoutMs = false, 0
		}
		f.next++
		if f.rand.IntN(5) == 0 {
			d.Trigger(c)
			d.Abort(c.CheckpointId)
			continue
		}
		if d.TryCheckpoint(c, f.rand.IntN(4) > 0) {
			f.last, f.old = c.CheckpointId, f.job.JobGraph()
		} else {
			d.Abort(c.CheckpointId)
		}
		if f.failure() != nil {
			return
		}
	}
	if f.rand.IntN(3) > 0 {
		f.Wait("the end of the data, or a failure", func() bool {
			if d.AllDrained() {
				return true
			}
			for _, s := range f.States {
				if s.State == "FAILED" {
					return true
				}
			}
			return false
		})
	}
}

// fates delay commands and repeat them. Splits are not repeated: they carry no
// number, and streams deliver once.
type fates struct {
	mu    sync.Mutex
	rand  *rand.Rand
	twice int
}

func (f *fates) of(_ string, c *control.WorkerCommand) (hold time.Duration, again int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.rand.IntN(8) == 0 {
		hold = time.Duration(f.rand.IntN(2000)) * time.Microsecond
	}
	if c.GetShutdown() == nil && f.rand.IntN(4) == 0 {
		again = 1 + f.rand.IntN(4)
		f.twice++
	}
	return hold, again
}
