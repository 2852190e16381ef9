//go:build bench

package engine

import (
	"fmt"
	"net/http"
	"strconv"
	"testing"
	"time"

	"goflink/benchmark/figures"
	"goflink/internal/testbed"
)

// stateScenario is a backend that holds a gigabyte.
type stateScenario struct {
	name        string
	conf        map[string]string
	incremental bool
}

var stateScenarios = []stateScenario{
	{"heap", map[string]string{"state.backend.type": "hashmap"}, false},
	{"pebble/RocksDB", map[string]string{"state.backend.type": "rocksdb", "execution.checkpointing.incremental": "true", "taskmanager.memory.managed.fraction": "0.4"}, true},
}

const (
	stateKeys  = 1_000_000
	stateBytes = 1000 // of a value
	// stateSpeed is in records per second, of both sources together.
	stateSpeed = 100_000
	stateSlots = 3
)

// gigabyteCheckpoint is one checkpoint: how long it took, the longest stop of a task,
// and what it holds and has written.
type gigabyteCheckpoint struct {
	took, stop     time.Duration
	state, written int64
	path           string
}

// stateFigures are what a state of a gigabyte costs.
type stateFigures struct {
	full, later       gigabyteCheckpoint
	restore, rescaled time.Duration
}

// TestState measures (g): a checkpoint of a gigabyte, another one after a tenth of
// the keys has changed, and how long a job takes to run again from it with the
// same and with another parallelism.
func TestState(t *testing.T) {
	if !named(t, "state") {
		t.Skip("JOBS names others")
	}
	program := build(t)
	table := &figures.Table{}
	for _, s := range stateScenarios {
		t.Run(s.name, func(t *testing.T) {
			b := testbed.New(t, testbed.Options{})
			var all []stateFigures
			for _, e := range []engine{&ours{b: b, program: program}, &peer{b: b}} {
				f := state(b, e, s)
				t.Logf("%s: %+v", e.name(), f)
				all = append(all, f)
				f.report(table, e.name(), s)
			}
			for _, r := range []struct {
				what string
				f    func(stateFigures) time.Duration
			}{{"restore", func(f stateFigures) time.Duration { return f.restore }}, {"rescale", func(f stateFigures) time.Duration { return f.rescaled }}} {
				table.Add("ratio", "(g) "+s.name+": "+r.what, fmt.Sprintf("%.2f", r.f(all[0]).Seconds()/r.f(all[1]).Seconds()), "at most 0.5")
			}
		})
	}
	fmt.Printf("\n%d keys of %d bytes, one round\n\n%s\n", stateKeys, stateBytes, table.Text())
}

func (f stateFigures) report(table *figures.Table, engine string, s stateScenario) {
	row := func(what, value, asked string) { table.Add(engine, "(g) "+s.name+": "+what, value, asked) }
	row("checkpoint", fmt.Sprintf("%.1f s, %d MiB", f.full.took.Seconds(), f.full.written>>20), "")
	row("longest stop", fmt.Sprintf("%d ms", max(f.full.stop, f.later.stop).Milliseconds()), "at most 20 ms")
	if s.incremental {
		row("after 10 % changed", fmt.Sprintf("%.1f s, %d MiB (%.0f %%)", f.later.took.Seconds(), f.later.written>>20, 100*float64(f.later.written)/float64(f.later.state)), "at most 25 %")
	}
	row("restore", fmt.Sprintf("%.1f s", f.restore.Seconds()), "at most 0.5")
	row("rescale", fmt.Sprintf("%.1f s", f.rescaled.Seconds()), "at most 0.5")
}

// state measures one engine.
func state(b *testbed.Bed, e engine, s stateScenario) stateFigures {
	conf := map[string]string{"execution.checkpointing.interval": "1h", "execution.checkpointing.timeout": "10min", "taskmanager.numberOfTaskSlots": strconv.Itoa(stateSlots),
		"execution.checkpointing.externalized-checkpoint-retention": "RETAIN_ON_CANCELLATION"}
	for k, v := range s.conf {
		conf[k] = v
	}
	jm := e.start(1, conf)
	defer e.stop()
	args := []string{"--keys", strconv.Itoa(stateKeys), "--bytes", strconv.Itoa(stateBytes), "--speed", strconv.Itoa(stateSpeed)}
	e.submit("LargeState", args)
	job := jm.OnlyJob(time.Minute)
	m := &meter{b: b, jm: jm, job: job}
	b.Eventually("the state is filled", 3*time.Minute, func() bool { return m.records() > stateKeys*11/10 })
	var f stateFigures
	f.full = checkpoint(b, jm, job)
	before := m.records()
	b.Eventually("a tenth of the keys has changed", time.Minute, func() bool { return m.records() > before+stateKeys/10 })
	f.later = checkpoint(b, jm, job)
	f.restore = rerun(b, e, jm, args, f.later.path, 2)
	f.rescaled = rerun(b, e, jm, args, f.later.path, stateSlots)
	return f
}

// checkpoint takes one.
func checkpoint(b *testbed.Bed, jm *testbed.JobManager, job string) gigabyteCheckpoint {
	before, err := jm.Checkpoints(job)
	b.Must(err)
	b.Must(jm.Send(http.MethodPost, "/jobs/"+job+"/checkpoints", `{"checkpointType":"CONFIGURED"}`, nil))
	var last struct {
		Counts struct{ Completed, Failed int64 } `json:"counts"`
		Latest struct {
			Completed struct {
				ID      int64          `json:"id"`
				Took    int64          `json:"end_to_end_duration"`
				State   int64          `json:"state_size"`
				Written int64          `json:"checkpointed_size"`
				Path    string         `json:"external_path"`
				Tasks   map[string]any `json:"tasks"`
			} `json:"completed"`
		} `json:"latest"`
	}
	b.Eventually("a checkpoint", 10*time.Minute, func() bool {
		b.Must(jm.Get("/jobs/"+job+"/checkpoints", &last))
		if last.Counts.Failed > 0 {
			b.T.Fatalf("a checkpoint failed: %v", jm.Exceptions(job))
		}
		return last.Counts.Completed > before.Counts.Completed
	})
	c := last.Latest.Completed
	out := gigabyteCheckpoint{took: time.Duration(c.Took) * time.Millisecond, state: c.State, written: c.Written, path: c.Path}
	j, err := jm.Job(job)
	b.Must(err)
	for _, v := range j.Vertices {
		var d struct {
			Summary struct {
				Phases struct {
					Sync struct{ Max int64 } `json:"sync"`
				} `json:"checkpoint_duration"`
			} `json:"summary"`
		}
		b.Must(jm.Get(fmt.Sprintf("/jobs/%s/checkpoints/details/%d/subtasks/%s", job, c.ID, v.ID), &d))
		out.stop = max(out.stop, time.Duration(d.Summary.Phases.Sync.Max)*time.Millisecond)
	}
	return out
}

// restored tells that all tasks run. A source that has no split for a subtask ends
// it at once, in Flink.
func restored(job testbed.Job) bool {
	for _, v := range job.Vertices {
		if v.Tasks["RUNNING"]+v.Tasks["FINISHED"] != v.Parallelism || v.Tasks["RUNNING"] == 0 {
			return false
		}
	}
	return len(job.Vertices) > 0
}

// rerun cancels what runs, and tells how long a job takes from its creation until
// all tasks have their state and run.
func rerun(b *testbed.Bed, e engine, jm *testbed.JobManager, args []string, from string, parallelism int) time.Duration {
	known := map[string]bool{}
	jobs, err := jm.Jobs()
	b.Must(err)
	for _, j := range jobs {
		known[j.ID] = true
		if j.State != "CANCELED" {
			b.Must(jm.Send(http.MethodPatch, "/jobs/"+j.ID+"?mode=cancel", "", nil))
			jm.AwaitState(j.ID, "CANCELED", time.Minute)
		}
	}
	e.submit("LargeState", args, "-s", from, "-p", strconv.Itoa(parallelism))
	var job testbed.Job
	b.Eventually("the job runs again", 5*time.Minute, func() bool {
		jobs, err := jm.Jobs()
		for _, j := range jobs {
			if !known[j.ID] {
				job, err = jm.Job(j.ID)
				return err == nil && restored(job)
			}
		}
		b.Must(err)
		return false
	})
	return time.Since(time.UnixMilli(job.Times["CREATED"]))
}
