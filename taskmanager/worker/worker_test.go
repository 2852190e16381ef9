package worker

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"goflink/control"
	"goflink/dataflow"
	"goflink/taskmanager/tmtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestBoundedJobWithFinalCommit runs a whole job without checkpoints.
func TestBoundedJobWithFinalCommit(t *testing.T) {
	r := newRig(t, &tmtest.Job{Sources: 2, Counters: 3, Sinks: 2, Records: 5000, Keys: 97})
	workers := r.start("a", "b")
	d := r.Deploy(r.job.JobGraph(), workers, 0, nil)
	d.Start()
	r.Wait("all tasks being drained", func() bool { return len(r.Drained) == 7 })
	r.expectNothing()
	d.All(&control.WorkerCommand{Command: &control.WorkerCommand_FinalCommit{FinalCommit: &control.FinalCommit{}}})
	d.WaitAll("FINISHED")
	r.expect(10000)
	r.Look(func() {
		if got := r.States["source/0"].Io.RecordsOut; got != 5000 {
			t.Errorf("source/0 emitted %d records", got)
		}
		in := r.States["sink/0"].Io.RecordsIn + r.States["sink/1"].Io.RecordsIn
		if in != 10000 {
			t.Errorf("the sinks took %d records", in)
		}
		if len(r.Commits) != 2 {
			t.Errorf("commits were reported by %v", r.Commits)
		}
	})
	if n := r.job.Finished.Load(); n != 7 {
		t.Errorf("Finish ran %d times", n)
	}
	if n := r.job.Closed.Load(); n != 7 {
		t.Errorf("Close ran %d times", n)
	}
	r.shutdown(workers)
}

func (r *rig) expectNothing() {
	r.t.Helper()
	r.job.Committed.Lock()
	defer r.job.Committed.Unlock()
	if n := len(r.job.Committed.Lines); n != 0 {
		r.t.Errorf("%d lines were committed too early", n)
	}
}

// TestCheckpointAndRestore fails a job after a checkpoint and goes on from it
// at another parallelism, then ends by a final checkpoint.
func TestCheckpointAndRestore(t *testing.T) {
	for _, pad := range []int{0, 100_000} { // inline, and in segment files
		t.Run(fmt.Sprint(pad), func(t *testing.T) {
			r := newRig(t, &tmtest.Job{Sources: 2, Counters: 2, Sinks: 1, Records: 4000, Keys: 31, Hold: 1500, PadState: pad})
			workers := r.start("a", "b")
			d := r.Deploy(r.job.JobGraph(), workers, 0, nil)
			d.Start()
			r.Wait("records", func() bool { return r.job.Emitted.Load() == 3000 })
			if !d.Checkpoint(r.trigger(1, "checkpoint")) {
				t.Fatalf("declined: %v", r.Declines)
			}
			r.Wait("the commit", func() bool { return r.Commits["sink/0"] == 1 })
			r.expect(3000)
			r.checkFiles(1, pad)
			d.Cancel()
			r.Look(func() {
				for k, s := range r.States {
					if s.State != "CANCELED" {
						t.Errorf("%s is %s", k, s.State)
					}
				}
			})
			r.shutdown(workers)
			r.job.Release()
			r.job.Sources, r.job.Counters = 1, 3
			r.Forget()
			workers = r.start("c", "d")
			d = r.Deploy(r.job.JobGraph(), workers, 1, r.Restore(1, r.chk(1), r.job.JobGraph()))
			d.Start()
			r.Wait("all tasks being drained", func() bool { return len(r.Drained) == 5 })
			if !d.Checkpoint(r.trigger(2, "final")) {
				t.Fatalf("declined: %v", r.Declines)
			}
			d.WaitAll("FINISHED")
			r.expect(8000)
			r.Look(func() {
				for k, a := range r.Acks[2] {
					if !a.Finished {
						t.Errorf("%s does not say that it is finished", k)
					}
				}
			})
			r.shutdown(workers)
		})
	}
}

// checkFiles: at most one file a worker and checkpoint, none for small state.
func (r *rig) checkFiles(id int64, pad int) {
	r.t.Helper()
	files, err := os.ReadDir(r.chk(id))
	if err != nil {
		r.t.Fatal(err)
	}
	want := 0
	if pad > 20<<10 {
		want = len(r.workers)
	}
	if len(files) != want {
		r.t.Errorf("checkpoint %d has %d files, want %d", id, len(files), want)
	}
	r.Look(func() {
		for k, a := range r.Acks[id] {
			if strings.HasPrefix(k, "keyed/") && (a.StateBytes < int64(pad) || (a.UploadedBytes > 0) != (want > 0)) {
				r.t.Errorf("%s: %d bytes of state, %d uploaded", k, a.StateBytes, a.UploadedBytes)
			}
		}
	})
}

func TestDamagedState(t *testing.T) {
	r := newRig(t, &tmtest.Job{Sources: 1, Counters: 1, Sinks: 1, Keys: 31, Hold: 1000, PadState: 50_000})
	workers := r.start("a")
	d := r.Deploy(r.job.JobGraph(), workers, 0, nil)
	d.Start()
	r.Wait("records", func() bool { return r.job.Emitted.Load() == 1000 })
	if !d.Checkpoint(r.trigger(1, "checkpoint")) {
		t.Fatalf("declined: %v", r.Declines)
	}
	d.Cancel()
	files, err := filepath.Glob(filepath.Join(r.chk(1), "*"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	whole, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	flipped := append([]byte{}, whole...)
	flipped[100] ^= 1
	for i, c := range []struct {
		data []byte
		want string
	}{{flipped, "checksum"}, {whole[:20_000], "truncated"}, {nil, "no such file"}} {
		if err := os.WriteFile(files[0], c.data, 0o600); err != nil {
			t.Fatal(err)
		}
		if c.data == nil {
			os.Remove(files[0])
		}
		attempt := int32(i + 1)
		d = r.Deploy(r.job.JobGraph(), workers, attempt, r.Restore(1, r.chk(1), r.job.JobGraph()))
		d.WaitAll("INITIALIZING")
		d.All(&control.WorkerCommand{Command: &control.WorkerCommand_Start{Start: &control.StartTasks{Attempt: attempt}}})
		f := d.WaitFailed()
		if f.Failure.Domain != domainExternal || !strings.Contains(f.Failure.Message, c.want) || !strings.Contains(f.Failure.Message, "keyed (1/1), attempt") {
			t.Errorf("%d: %v", i, f.Failure)
		}
		d.Cancel()
	}
	r.shutdown(workers)
}

// TestStop stops a job with a savepoint, with and without drain, and resumes.
func TestStop(t *testing.T) {
	for _, drain := range []bool{false, true} {
		t.Run(fmt.Sprintf("drain=%t", drain), func(t *testing.T) {
			r := newRig(t, &tmtest.Job{Sources: 2, Counters: 2, Sinks: 2, Keys: 31})
			workers := r.start("a", "b")
			d := r.Deploy(r.job.JobGraph(), workers, 0, nil)
			d.Start()
			r.Wait("records", func() bool { return r.job.Emitted.Load() > 2000 })
			stop := r.trigger(1, "stop")
			stop.Drain = drain
			d.Trigger(stop)
			if !d.Acked(1) {
				t.Fatalf("declined: %v", r.Declines)
			}
			if n := r.job.Finished.Load(); (n == 6) != drain || n != 0 && !drain {
				t.Errorf("Finish ran %d times", n)
			}
			d.Complete(1, true)
			d.WaitAll("FINISHED")
			r.Look(func() {
				for k, a := range r.Acks[1] {
					if a.Finished != drain {
						t.Errorf("%s: finished is %t", k, a.Finished)
					}
				}
				if len(r.Drained) != 0 {
					t.Errorf("drained: %v", r.Drained)
				}
			})
			if !drain {
				r.resume(workers)
			}
			r.shutdown(workers)
		})
	}
}

// resume goes on from savepoint 1 with a bound, and expects exactly the output
// of a job that was never stopped.
func (r *rig) resume(workers []*tmtest.Worker) {
	most := r.job.Emitted.Load()
	r.job.Records = most + 1000
	d := r.Deploy(r.job.JobGraph(), workers, 1, r.Restore(1, r.chk(1), r.job.JobGraph()))
	d.Start()
	r.Wait("all tasks being drained", func() bool { return len(r.Drained) == 6 })
	if !d.Checkpoint(r.trigger(2, "final")) {
		r.t.Fatalf("declined: %v", r.Declines)
	}
	d.WaitAll("FINISHED")
	r.expect(2 * r.job.Records)
}

func TestUserErrors(t *testing.T) {
	for cmd, want := range map[string]string{"panic": "panic: boom", "fail": "no luck"} {
		t.Run(cmd, func(t *testing.T) {
			r := newRig(t, &tmtest.Job{Sources: 2, Counters: 2, Sinks: 1, Keys: 31, Cmd: cmd, At: 500})
			workers := r.start("a", "b")
			d := r.Deploy(r.job.JobGraph(), workers, 0, nil)
			d.Start()
			f := d.WaitFailed().Failure
			if f.Domain != domainUser || !strings.Contains(f.Message, want) || !strings.Contains(f.Message, "job test, task keyed (") || !strings.Contains(f.Message, ", attempt 0: ") {
				t.Errorf("%v", f)
			}
			if (cmd == "panic") != strings.Contains(f.Stack, "misbehave") {
				t.Errorf("stack: %q", f.Stack)
			}
			d.Cancel()
			r.Look(func() {
				for k, s := range r.States {
					if s.State == "FAILED" && !strings.HasPrefix(k, "keyed") {
						t.Errorf("%s failed as well: %v", k, s.Failure)
					}
				}
			})
			r.job.Cmd = ""
			r.job.Records = 2000
			d = r.Deploy(r.job.JobGraph(), workers, 1, nil)
			d.Start()
			r.Wait("all tasks being drained", func() bool { return len(r.Drained) == 5 })
			d.All(&control.WorkerCommand{Command: &control.WorkerCommand_FinalCommit{FinalCommit: &control.FinalCommit{}}})
			d.WaitAll("FINISHED")
			r.expect(4000)
			r.shutdown(workers)
		})
	}
}

// stickIn makes the counters of a job stand still in the middle of a record, until
// they are cancelled, and returns what tells that one does.
func stickIn(job *tmtest.Job) <-chan struct{} {
	entered := make(chan struct{}, 10)
	job.OnCount = func(env *dataflow.Env, v int64) error {
		if v < 1000 {
			return nil
		}
		entered <- struct{}{}
		<-env.Ctx.Done()
		return env.Ctx.Err()
	}
	return entered
}

// TestCancelWhileBlocked cancels while a counter is stuck in the middle of a
// record and everything before it is blocked; first politely, then with the
// watchdog.
func TestCancelWhileBlocked(t *testing.T) {
	job := &tmtest.Job{Sources: 2, Counters: 1, Sinks: 1, Keys: 31}
	entered := stickIn(job)
	r := newRig(t, job)
	workers := r.start("a", "b")
	d := r.Deploy(job.JobGraph(), workers, 0, nil)
	d.Start()
	<-entered
	last := int64(-1)
	r.Wait("the sources being blocked", func() bool { // their figures say so
		m := r.Metrics["source/0"]
		still := job.Emitted.Load() == last
		last = job.Emitted.Load()
		return still && m != nil && m.Io.RecordsOut > 0
	})
	began := time.Now()
	d.Cancel()
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("cancelling took %s", took)
	}
	r.Look(func() {
		for k, s := range r.States {
			if s.State != "CANCELED" {
				t.Errorf("%s is %s: %v", k, s.State, s.Failure)
			}
		}
		if bp := r.States["source/0"].Io.BackpressuredMs + r.States["source/1"].Io.BackpressuredMs; bp == 0 {
			t.Error("no backpressure was measured")
		}
	})
	r.shutdown(workers)
}

func TestWatchdog(t *testing.T) {
	free, stuck := make(chan struct{}), make(chan struct{})
	var once sync.Once
	job := &tmtest.Job{Sources: 1, Counters: 1, Sinks: 1, Keys: 31}
	job.OnCount = func(*dataflow.Env, int64) error { once.Do(func() { close(stuck) }); <-free; return nil }
	r := newRig(t, job)
	r.conf["task.cancellation.timeout"] = "100 ms"
	r.conf["task.cancellation.interval"] = "20 ms"
	workers := r.start("a")
	d := r.Deploy(job.JobGraph(), workers, 0, nil)
	d.Start()
	<-stuck
	d.All(&control.WorkerCommand{Command: &control.WorkerCommand_Cancel{Cancel: &control.CancelTasks{}}})
	if err := <-r.fatal; !strings.Contains(err.Error(), "keyed (1/1)") || !strings.Contains(err.Error(), "task.cancellation.timeout") {
		t.Errorf("%v", err)
	}
	close(free)
	d.WaitAll("CANCELED")
	r.shutdown(workers)
}

// TestPeerDies: the tasks of the surviving worker fail with the peer's name,
// and the survivors run the next attempt.
func TestPeerDies(t *testing.T) {
	r := newRig(t, &tmtest.Job{Sources: 2, Counters: 2, Sinks: 1, Keys: 31})
	workers := r.start("a", "b")
	d := r.Deploy(r.job.JobGraph(), workers, 0, nil)
	d.Start()
	r.Wait("records", func() bool { return r.job.Emitted.Load() > 1000 })
	r.workers["b"].cancel()
	<-r.workers["b"].done
	r.Wait("a failure of the survivor", func() bool {
		s := r.States["keyed/0"]
		return s.State == "FAILED" && s.Failure.Domain == domainExternal && strings.Contains(s.Failure.Message, "worker b (127.0.0.1:")
	})
	d.All(&control.WorkerCommand{Command: &control.WorkerCommand_Cancel{Cancel: &control.CancelTasks{}}})
	r.Wait("the survivor's tasks having ended", func() bool { return r.States["sink/0"].State != "RUNNING" && r.States["source/0"].State != "RUNNING" })
	r.job.Records = 1000
	d = r.Deploy(r.job.JobGraph(), workers[:1], 1, nil)
	d.Start()
	r.Wait("all tasks being drained", func() bool { return len(r.Drained) == 5 })
	d.All(&control.WorkerCommand{Command: &control.WorkerCommand_FinalCommit{FinalCommit: &control.FinalCommit{}}})
	d.WaitAll("FINISHED")
	r.expect(2000)
}

// TestSnapshotFailure: the checkpoint is declined, the task goes on.
func TestSnapshotFailure(t *testing.T) {
	job := &tmtest.Job{Sources: 2, Counters: 2, Sinks: 1, Keys: 31, Records: 3000, Hold: 1000}
	job.OnSnapshot = func(_ *dataflow.Env, c dataflow.Checkpoint) error {
		if c.ID == 1 {
			return errors.New("not today")
		}
		return nil
	}
	r := newRig(t, job)
	workers := r.start("a", "b")
	d := r.Deploy(job.JobGraph(), workers, 0, nil)
	d.Start()
	r.Wait("records", func() bool { return job.Emitted.Load() == 2000 })
	if d.Checkpoint(r.trigger(1, "checkpoint")) {
		t.Error("the checkpoint went through")
	}
	r.Look(func() {
		if !strings.Contains(r.Declines[0].Reason, "not today") || r.Declines[0].TaskFinished {
			t.Errorf("%v", r.Declines)
		}
	})
	bad := r.trigger(2, "checkpoint")
	job.PadState = 50_000
	bad.Dir = "/proc/no/such/place"
	if d.Checkpoint(bad) {
		t.Error("the checkpoint went through without a folder")
	}
	job.Release()
	r.Wait("all tasks being drained", func() bool { return len(r.Drained) == 5 })
	if !d.Checkpoint(r.trigger(3, "final")) {
		t.Fatalf("declined: %v", r.Declines)
	}
	d.WaitAll("FINISHED")
	r.expect(6000)
	r.shutdown(workers)
}

// TestAbortedCheckpoint aborts one while a task is held up before its barrier:
// files vanish, a later one goes through.
func TestAbortedCheckpoint(t *testing.T) {
	var mu sync.Mutex
	gate := make(chan struct{})
	hold := true
	job := &tmtest.Job{Sources: 2, Counters: 2, Sinks: 1, Keys: 31, Records: 3000, Hold: 1000, PadState: 50_000}
	job.OnSnapshot = func(env *dataflow.Env, c dataflow.Checkpoint) error {
		mu.Lock()
		wait := hold && env.Subtask == 1
		mu.Unlock()
		if wait {
			<-gate
		}
		return nil
	}
	r := newRig(t, job)
	workers := r.start("a")
	d := r.Deploy(job.JobGraph(), workers, 0, nil)
	d.Start()
	r.Wait("records", func() bool { return job.Emitted.Load() == 2000 })
	d.Trigger(r.trigger(1, "checkpoint"))
	r.Wait("acknowledgements without files", func() bool { return len(r.Acks[1]) >= 2 }) // the sources
	d.All(&control.WorkerCommand{Command: &control.WorkerCommand_Aborted{Aborted: &control.CheckpointAborted{CheckpointId: 1, Reason: "timeout"}}})
	r.settled(workers)
	mu.Lock()
	hold = false
	mu.Unlock()
	close(gate)
	if !d.Checkpoint(r.trigger(2, "checkpoint")) {
		t.Fatalf("declined: %v", r.Declines)
	}
	if files, _ := os.ReadDir(r.chk(1)); len(files) != 0 {
		t.Errorf("the aborted checkpoint left %v", files)
	}
	if files, _ := os.ReadDir(r.chk(2)); len(files) != 1 {
		t.Errorf("checkpoint 2 has %v", files)
	}
	d.Cancel()
	r.shutdown(workers)
}

// settled waits until the workers have carried out what they were told.
func (r *rig) settled(workers []*tmtest.Worker) {
	for _, w := range workers {
		w.Send(&control.WorkerCommand{Command: &control.WorkerCommand_Trigger{Trigger: &control.TriggerCheckpoint{CheckpointId: 99,
			Tasks: []*control.Task{{VertexId: w.WorkerId, Attempt: 99}}}}})
		r.Wait("an answer", func() bool {
			return len(r.Declines) > 0 && r.Declines[len(r.Declines)-1].Task.VertexId == w.WorkerId
		})
	}
}
