package worker

import (
	"context"
	"errors"
	"strings"
	"testing"

	"goflink/control"
	"goflink/dataflow"
	"goflink/taskmanager/tmtest"
)

func aborted(id int64) *control.WorkerCommand {
	return &control.WorkerCommand{Command: &control.WorkerCommand_Aborted{Aborted: &control.CheckpointAborted{CheckpointId: id, Reason: "test"}}}
}

// TestEndAfterAbort: of two checkpoints that began after the end of the data the
// first is aborted; the second one ends the tasks.
func TestEndAfterAbort(t *testing.T) {
	r := newRig(t, &tmtest.Job{Sources: 2, Counters: 2, Sinks: 1, Records: 1000, Keys: 31})
	workers := r.start("a", "b")
	d := r.Deploy(r.job.JobGraph(), workers, 0, nil)
	d.Start()
	r.Wait("all tasks being drained", func() bool { return len(r.Drained) == 5 })
	for id := int64(1); id <= 2; id++ {
		d.Trigger(r.trigger(id, "checkpoint"))
		if !d.Acked(id) {
			t.Fatalf("declined: %v", r.Declines)
		}
	}
	d.All(aborted(1))
	d.Complete(2, false)
	d.WaitAll("FINISHED")
	r.expect(2000)
	r.shutdown(workers)
}

// TestSavepointFailsBesideCheckpoint: a newer checkpoint that is aborted does not
// take an older one along.
func TestSavepointFailsBesideCheckpoint(t *testing.T) {
	job := &tmtest.Job{Sources: 2, Counters: 2, Sinks: 1, Records: 20000, Keys: 31}
	free := make(chan struct{})
	job.OnCount = func(*dataflow.Env, int64) error { <-free; return nil }
	r := newRig(t, job)
	workers := r.start("a", "b")
	d := r.Deploy(job.JobGraph(), workers, 0, nil)
	d.Start()
	d.Trigger(r.trigger(1, "checkpoint"))
	d.Trigger(r.trigger(2, "savepoint"))
	sources := func(id int64) bool { return r.Acks[id]["source/0"] != nil && r.Acks[id]["source/1"] != nil }
	r.Wait("the sources", func() bool { return sources(1) && sources(2) })
	d.All(aborted(2))
	close(free)
	if !d.Acked(1) {
		t.Fatalf("declined: %v", r.Declines)
	}
	d.Complete(1, false)
	r.Wait("the commit", func() bool { return r.Commits["sink/0"] == 1 })
	r.Wait("all tasks being drained", func() bool { return len(r.Drained) == 5 })
	if !d.Checkpoint(r.trigger(3, "final")) {
		t.Fatalf("declined: %v", r.Declines)
	}
	d.WaitAll("FINISHED")
	r.expect(40000)
	r.shutdown(workers)
}

// TestFailedTaskDoesNotEnd: a task fails while something that it started hangs.
// Its failure cannot be told; the process ends instead.
func TestFailedTaskDoesNotEnd(t *testing.T) {
	free := make(chan struct{})
	job := &tmtest.Job{Sources: 1, Counters: 1, Sinks: 1, Keys: 31}
	job.OnCount = func(env *dataflow.Env, _ int64) error {
		env.Go("deaf", func(context.Context) error { <-free; return nil })
		return errors.New("no luck")
	}
	r := newRig(t, job)
	r.conf["task.cancellation.timeout"] = "100 ms"
	workers := r.start("a")
	d := r.Deploy(job.JobGraph(), workers, 0, nil)
	d.Start()
	if err := <-r.fatal; !strings.Contains(err.Error(), "task keyed (1/1) is over") || !strings.Contains(err.Error(), "no luck") {
		t.Errorf("%v", err)
	}
	close(free)
	d.WaitFailed()
	d.Cancel()
	r.shutdown(workers)
}
