package worker

import (
	"testing"
	"time"

	"goflink/control"
	"goflink/dataflow"
	"goflink/taskmanager/tmtest"
)

// waitingPort is a port that counts its flushes.
type waitingPort struct {
	own     *time.Duration
	pending bool
	flushed int
}

func (p *waitingPort) Flush() error  { p.flushed++; p.pending = false; return nil }
func (p *waitingPort) Pending() bool { return p.pending }
func (p *waitingPort) Rows() int64   { return 0 }
func (p *waitingPort) FlushAfter() (time.Duration, bool) {
	if p.own == nil {
		return 0, false
	}
	return *p.own, true
}

func TestFlushGroups(t *testing.T) {
	own := func(d time.Duration) *waitingPort { return &waitingPort{own: &d, pending: true} }
	jobs, soon, never, always, alike := &waitingPort{pending: true}, own(time.Millisecond), own(-1), own(0), own(100*time.Millisecond)
	k := &task{}
	k.flushes = group([]dataflow.OutputPort{soon, jobs, never, always, alike}, 100*time.Millisecond)
	due := func(every time.Duration) {
		for _, f := range k.flushes {
			if f.every == every {
				f.due.Store(true)
			}
		}
	}
	step := func(what string, want ...int) {
		t.Helper()
		pending, _ := k.toFlush()
		if !pending {
			t.Errorf("%s: nothing waits", what)
		}
		if err := k.flushDue(); err != nil {
			t.Fatal(err)
		}
		got := []int{jobs.flushed, alike.flushed, soon.flushed, never.flushed, always.flushed}
		for i := range want {
			if got[i] != want[i] {
				t.Fatalf("%s: flushed %v, want %v", what, got, want)
			}
		}
	}
	if len(k.flushes) != 4 {
		t.Fatalf("%d groups", len(k.flushes))
	}
	step("at first", 0, 0, 0, 0, 1)
	due(time.Millisecond)
	if _, d := k.toFlush(); !d {
		t.Error("the time of a port that waits has come, unseen")
	}
	step("the short time", 0, 0, 1, 0, 2)
	due(100 * time.Millisecond)
	step("the job's time", 1, 1, 1, 0, 3)
	if pending, _ := k.toFlush(); pending {
		t.Error("what waits for ever is to wake the task")
	}
}

// TestOwnBufferTimeout: with a job's time that never comes, a source's records are
// there at once by its own, and those of a counter that waits for full buffers
// stay.
func TestOwnBufferTimeout(t *testing.T) {
	short, never := 2*time.Millisecond, time.Duration(-1)
	job := &tmtest.Job{Sources: 1, Counters: 1, Sinks: 1, Keys: 5, Hold: 10,
		FlushAfter: map[string]*time.Duration{tmtest.SourceID: &short, tmtest.KeyedID: &never}}
	r := newRig(t, job)
	r.conf["execution.buffer-timeout.interval"] = "1 h"
	workers := r.start("a")
	d := r.Deploy(job.JobGraph(), workers, 0, nil)
	d.Start()
	r.Wait("the records at the counter", func() bool { return r.Metrics["keyed/0"].GetIo().GetRecordsIn() == 10 })
	for range 2 { // reports that began after that
		var old *control.TaskMetrics
		r.Look(func() { old = r.Metrics["sink/0"] })
		r.Wait("a further report", func() bool { return r.Metrics["sink/0"] != old })
	}
	r.Look(func() {
		if n := r.Metrics["sink/0"].Io.RecordsIn; n != 0 {
			t.Errorf("the sink has %d records, though their buffer is not full", n)
		}
	})
	d.Cancel()
	r.shutdown(workers)
}
