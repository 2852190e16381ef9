package worker

import (
	"testing"
	"time"

	"goflink/control"
	"goflink/taskmanager/tmtest"
)

func TestClock(t *testing.T) {
	var c clock
	at := func(s int) time.Time { return time.Unix(int64(1000+s), 0) }
	check := func(s, running, idle, soft int) {
		t.Helper()
		r, i, b := c.until(at(s))
		if got, want := [3]time.Duration{r, i, b}, [3]time.Duration{time.Duration(running) * time.Second, time.Duration(idle) * time.Second, time.Duration(soft) * time.Second}; got != want {
			t.Errorf("after %d s: running, idle, blocked %v, want %v", s, got, want)
		}
	}
	check(0, 0, 0, 0)
	c.begin(at(0))
	check(2, 2, 0, 0)
	c.waitBegan(waitInput, at(3))
	check(3, 3, 0, 0)
	check(8, 8, 5, 0) // while it goes on
	c.waitEnded(at(9))
	check(8, 9, 6, 0) // asked with an older time
	check(10, 10, 6, 0)
	c.waitBegan(waitOutput, at(10))
	check(14, 14, 6, 4)
	c.waitEnded(at(15))
	c.waitBegan(waitResults, at(15)) // busy: it holds others back
	check(20, 20, 6, 5)
	c.waitEnded(at(21))
	c.waitEnded(at(22)) // none was
	check(25, 25, 6, 5)
}

// TestRatios: while one task is inside a record for long, it is busy, those before
// it are under back pressure and the one behind it is idle, by figures that go on
// though nothing moves.
func TestRatios(t *testing.T) {
	job := &tmtest.Job{Sources: 2, Counters: 1, Sinks: 1, Keys: 31}
	stuck := stickIn(job)
	r := newRig(t, job)
	workers := r.start("a", "b")
	d := r.Deploy(job.JobGraph(), workers, 0, nil)
	d.Start()
	<-stuck
	parts := func(key string) [3]int64 { // busy, back pressure, idle
		io := r.Metrics[key].GetIo()
		return [3]int64{io.GetBusyMs(), io.GetBackpressuredMs(), io.GetIdleMs()}
	}
	main := map[string]int{"keyed/0": 0, "source/0": 1, "source/1": 1, "sink/0": 2}
	for key, which := range main {
		var first, then [3]int64
		r.Wait(key+" being what it is for a while", func() bool {
			then = parts(key)
			if then[which] < 20 { // what was before has gone by
				first = [3]int64{}
				return false
			}
			if first == [3]int64{} {
				first = then
			}
			return then[which]-first[which] >= 200
		})
		all := int64(0)
		for i := range then {
			all += then[i] - first[i]
		}
		if part := then[which] - first[which]; part*10 < all*9 {
			t.Errorf("%s: busy, back pressure and idle grew from %v to %v", key, first, then)
		}
	}
	r.Look(func() {
		var m *control.TaskMetrics = r.Metrics["source/0"]
		for _, name := range []string{"softBackPressuredTimeMsPerSecond", "hardBackPressuredTimeMsPerSecond", "accumulateBackPressuredTimeMs", "debloatedBufferSize"} {
			if _, ok := m.Metrics[name]; ok == (name == "debloatedBufferSize") {
				t.Errorf("source/0: %s: %t", name, ok)
			}
		}
		if _, ok := r.Metrics["keyed/0"].Metrics["debloatedBufferSize"]; !ok {
			t.Error("keyed/0 has no debloatedBufferSize")
		}
	})
	d.Cancel()
	r.shutdown(workers)
}
