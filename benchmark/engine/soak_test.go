//go:build bench

package engine

import (
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"goflink/benchmark/figures"
	"goflink/internal/testbed"
)

// How much a long run may grow from its second to its last quarter. The first one
// fills caches, state and the collector's heap.
const (
	memoryGrowth     = 1.10
	goroutineGrowth  = 5 // in number
	checkpointGrowth = 3.0
	soakCheckpoints  = 5 * time.Second
)

// sample is what a soak looks at, each ten seconds.
type sample struct {
	resident   int64
	goroutines int
	// checkpoints are complete ones of all jobs, last how long their latest took.
	checkpoints int64
	last        time.Duration
}

// TestSoak (make soak) runs windows on the heap and counters in pebble beside each
// other for SOAK, with a checkpoint each five seconds: memory and goroutines stay
// as they are, and checkpoints come as they should.
func TestSoak(t *testing.T) {
	limit := duration("SOAK", 0)
	if limit == 0 {
		t.Skip("SOAK names no duration")
	}
	b := testbed.New(t, testbed.Options{})
	o := &ours{b: b, program: build(t)}
	jm := o.start(1, map[string]string{"taskmanager.numberOfTaskSlots": "4", "taskmanager.memory.managed.fraction": "0.3"})
	defer o.stop()
	checkpointed := "-Dexecution.checkpointing.interval=" + soakCheckpoints.String()
	for _, args := range [][]string{
		{"-Dstate.backend.type=hashmap", "-c", "WindowedCount", o.program, "--keys", "20000", "--speed", "300000"},
		{"-Dstate.backend.type=rocksdb", "-Dexecution.checkpointing.incremental=true", "-c", "KeyedCount", o.program, "--keys", "500000", "--speed", "200000"},
	} {
		b.Flink(append([]string{"run", "-d", checkpointed}, args...)...).OK(t)
	}
	jobs, err := jm.Jobs()
	b.Must(err)
	for _, j := range jobs {
		jm.AwaitRunning(j.ID, time.Minute)
	}
	began := time.Now()
	var all []sample
	for time.Since(began) < limit {
		pause(10 * time.Second)
		s := soaked(t, o, jm, jobs)
		all = append(all, s)
		t.Logf("%4.0f s: %d MiB, %d goroutines, %d checkpoints, the last took %v", time.Since(began).Seconds(), s.resident>>20, s.goroutines, s.checkpoints, s.last)
	}
	judge(t, all, len(jobs), time.Since(began))
}

// soaked takes a sample; it fails the test if a job or a checkpoint failed.
func soaked(t *testing.T, o *ours, jm *testbed.JobManager, jobs []testbed.Job) sample {
	var s sample
	m := &meter{b: o.b, pids: o.processes()}
	m.memory()
	s.resident = m.peak
	for _, j := range jobs {
		if n := jm.Attempt(j.ID); n != 0 {
			t.Fatalf("%s restarted: %v", j.Name, jm.Exceptions(j.ID))
		}
		var c struct {
			Counts struct{ Completed, Failed int64 } `json:"counts"`
			Latest struct {
				Completed struct {
					Duration int64 `json:"end_to_end_duration"`
				} `json:"completed"`
			} `json:"latest"`
		}
		o.b.Must(jm.Get("/jobs/"+j.ID+"/checkpoints", &c))
		if c.Counts.Failed > 0 {
			t.Fatalf("%s: %d checkpoints failed", j.Name, c.Counts.Failed)
		}
		s.checkpoints += c.Counts.Completed
		s.last = max(s.last, time.Duration(c.Latest.Completed.Duration)*time.Millisecond)
	}
	s.goroutines = goroutines(o.b, jm, "/jobmanager")
	var tms struct {
		TaskManagers []struct {
			ID string `json:"id"`
		} `json:"taskmanagers"`
	}
	o.b.Must(jm.Get("/taskmanagers", &tms))
	for _, tm := range tms.TaskManagers {
		s.goroutines += goroutines(o.b, jm, "/taskmanagers/"+tm.ID)
	}
	return s
}

// goroutines are those of one process, under the name that Flink has for threads.
func goroutines(b *testbed.Bed, jm *testbed.JobManager, of string) int {
	var values []struct{ ID, Value string }
	b.Must(jm.Get(of+"/metrics?get=Status.JVM.Threads.Count", &values))
	if len(values) != 1 {
		b.T.Fatalf("%s tells no number of goroutines: %v", of, values)
	}
	n, err := strconv.Atoi(values[0].Value)
	b.Must(err)
	return n
}

// judge compares the last quarter of the samples with the second one.
func judge(t *testing.T, all []sample, jobs int, took time.Duration) {
	if len(all) < 8 {
		t.Fatalf("%d samples are too few to compare: SOAK of two minutes at least", len(all))
	}
	quarter := len(all) / 4
	early, late := all[quarter:2*quarter], all[len(all)-quarter:]
	of := func(list []sample, f func(sample) float64) float64 {
		var out []float64
		for _, s := range list {
			out = append(out, f(s))
		}
		return figures.Median(out)
	}
	table := &figures.Table{}
	check := func(what string, f func(sample) float64, unit string, most func(early float64) float64) {
		a, z := of(early, f), of(late, f)
		table.Add("second quarter", what, fmt.Sprintf("%.0f %s", a, unit), "")
		table.Add("last quarter", what, fmt.Sprintf("%.0f %s", z, unit), "")
		if z > most(a) {
			t.Errorf("%s grew from %.0f to %.0f %s", what, a, z, unit)
		}
	}
	check("resident memory", func(s sample) float64 { return float64(s.resident >> 20) }, "MiB", func(a float64) float64 { return a * memoryGrowth })
	check("goroutines", func(s sample) float64 { return float64(s.goroutines) }, "", func(a float64) float64 { return a + goroutineGrowth })
	check("a checkpoint", func(s sample) float64 { return float64(s.last.Milliseconds()) }, "ms", func(a float64) float64 { return max(a, 50) * checkpointGrowth })
	want := int64(took/soakCheckpoints) * int64(jobs) * 9 / 10
	if got := all[len(all)-1].checkpoints; got < want {
		t.Errorf("%d checkpoints in %v, want %d at least", got, took.Round(time.Second), want)
	}
	most := slices.MaxFunc(all, func(a, b sample) int { return int(a.resident - b.resident) })
	fmt.Printf("\nsoak of %v, peak %d MiB, %d checkpoints\n\n%s\n", took.Round(time.Second), most.resident>>20, all[len(all)-1].checkpoints, table.Text())
}
