package worker

import (
	"context"
	"runtime"
	"strings"
	"sync"
	"testing"

	"goflink/taskmanager/tmtest"
)

func TestRefused(t *testing.T) {
	r := newRig(t, &tmtest.Job{Sources: 1, Counters: 1, Sinks: 1, Keys: 1})
	r.Refuse = "another fingerprint"
	w := r.run("a", r.Addr)
	<-w.done
	if w.err == nil || !strings.Contains(w.err.Error(), "another fingerprint") {
		t.Errorf("%v", w.err)
	}
}

// TestJobManagerLost: without a way to find another one the worker ends after
// the time-out; with one it cancels its tasks and registers there.
func TestJobManagerLost(t *testing.T) {
	t.Run("for good", func(t *testing.T) {
		r := newRig(t, &tmtest.Job{Sources: 1, Counters: 1, Sinks: 1, Keys: 3})
		r.conf["heartbeat.timeout"] = "200 ms"
		workers := r.start("a")
		d := r.Deploy(r.job.JobGraph(), workers, 0, nil)
		d.Start()
		r.JM.Close()
		w := r.workers["a"]
		<-w.done
		if w.err == nil || !strings.Contains(w.err.Error(), "is lost since") {
			t.Errorf("%v", w.err)
		}
		if n := r.job.Closed.Load(); n != 3 {
			t.Errorf("%d operators were closed", n)
		}
	})
	t.Run("for another", func(t *testing.T) {
		r := newRig(t, &tmtest.Job{Sources: 1, Counters: 1, Sinks: 1, Keys: 3})
		next := tmtest.NewJM(t)
		next.Epoch = 1
		var mu sync.Mutex
		leader := r.Addr
		r.options = func(o *Options) {
			o.FindLeader = func(context.Context) (string, error) {
				mu.Lock()
				defer mu.Unlock()
				return leader, nil
			}
		}
		workers := r.start("a")
		d := r.Deploy(r.job.JobGraph(), workers, 0, nil)
		d.Start()
		mu.Lock()
		leader = next.Addr
		mu.Unlock()
		r.JM.Close()
		found := next.WaitWorkers(1)
		if n := r.job.Closed.Load(); n != 3 {
			t.Errorf("it registered with %d of 3 operators closed", n)
		}
		r.job.Records = 100
		d = next.Deploy(r.job.JobGraph(), found, 0, nil) // the new one counts attempts from the start
		d.Start()
		next.Wait("all tasks being drained", func() bool { return len(next.Drained) == 3 })
		r.shutdown(found)
	})
	t.Run("for a moment", func(t *testing.T) {
		r := newRig(t, &tmtest.Job{Sources: 1, Counters: 1, Sinks: 1, Keys: 3, Hold: 10})
		workers := r.start("a")
		d := r.Deploy(r.job.JobGraph(), workers, 0, nil)
		d.Start()
		r.JM.Close()
		again := tmtest.NewJMAt(t, r.Addr)
		again.Attempt = 0
		again.Wait("the states of the tasks that go on", func() bool { return len(again.States) == 3 && again.States["source/0"].State == "RUNNING" })
		r.shutdown(again.WaitWorkers(1))
	})
}

func TestIdleWorkerIsQuiet(t *testing.T) {
	r := newRig(t, &tmtest.Job{Sources: 1, Counters: 1, Sinks: 1, Keys: 3, Hold: 10})
	workers := r.start("a")
	d := r.Deploy(r.job.JobGraph(), workers, 0, nil)
	d.Start()
	r.Wait("records arriving by the buffer time-out", func() bool {
		m := r.Metrics["sink/0"]
		return m != nil && m.Io.RecordsIn == 10
	})
	r.Wait("idleness being measured", func() bool {
		io := r.Metrics["keyed/0"].Io
		return io.IdleMs > 0 && io.BusyMs < 1000 && r.Metrics["keyed/0"].Metrics["numRecordsIn"] == "10"
	})
	if r.Metrics["source/0"].Io.RecordsOut != 10 {
		t.Errorf("%v", r.Metrics["source/0"])
	}
	d.Cancel()
	r.shutdown(workers)
	runtime.GC()
}
