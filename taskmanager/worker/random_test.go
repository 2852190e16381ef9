package worker

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"goflink/control"
	"goflink/dataflow"
	"goflink/taskmanager/tmtest"
)

// TestRandomFailures runs a job through random checkpoints, failures of user
// code, cancellations and completions that nobody heard of, and restores it
// each time: the output is that of an undisturbed run.
func TestRandomFailures(t *testing.T) {
	for round := range 3 {
		seed := uint64(time.Now().UnixNano())
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			torture(t, rand.New(rand.NewPCG(seed, uint64(round))), map[string]string{})
		})
	}
}

// TestRandomFailuresAtLeastOnce does the same with checkpoints that overlap and
// block nothing: each record is counted, some more than once.
func TestRandomFailuresAtLeastOnce(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	torture(t, rand.New(rand.NewPCG(seed, 0)), map[string]string{"execution.checkpointing.mode": "AT_LEAST_ONCE"})
}

func torture(t *testing.T, random *rand.Rand, config map[string]string) {
	job := &tmtest.Job{Sources: 2, Counters: 2 + random.Int32N(2), Sinks: 1 + random.Int32N(2), Records: 30_000, Keys: 53, PadState: random.IntN(2) * 30_000}
	fails := make(chan struct{}, 1)
	job.OnCount = func(*dataflow.Env, int64) error {
		select {
		case <-fails:
			return errors.New("a random failure")
		default:
			return nil
		}
	}
	r := newRig(t, job)
	r.conf = config
	atLeastOnce := config["execution.checkpointing.mode"] != ""
	workers := r.start("a", "b")
	tasks := int(job.Sources + job.Counters + job.Sinks)
	last, next := int64(0), int64(1)
	restore := func() map[string][]*control.OperatorState {
		if last == 0 {
			return nil
		}
		return r.Restore(last, r.chk(last), job.JobGraph())
	}
	attempt := int32(0)
	for ; attempt < 8; attempt++ {
		d := r.Deploy(job.JobGraph(), workers, attempt, restore())
		d.Start()
		for range random.IntN(4) {
			pause(t.Context(), time.Duration(random.IntN(6))*time.Millisecond)
			if atLeastOnce && random.IntN(2) == 0 { // one that nobody waits for goes before
				d.Trigger(r.trigger(next, "checkpoint"))
				next++
			}
			if d.TryCheckpoint(r.trigger(next, "checkpoint"), random.IntN(4) > 0) {
				last = next
			}
			next++
		}
		if random.IntN(2) == 0 {
			fails <- struct{}{}
		}
		pause(t.Context(), time.Duration(random.IntN(4))*time.Millisecond)
		d.Cancel()
		select {
		case <-fails:
		default:
		}
	}
	d := r.Deploy(job.JobGraph(), workers, attempt, restore())
	d.Start()
	r.Wait("all tasks being drained", func() bool { return len(r.Drained) == tasks })
	if !d.Checkpoint(r.trigger(next, "final")) {
		t.Fatalf("declined: %v", r.Declines)
	}
	d.WaitAll("FINISHED")
	if atLeastOnce {
		r.expectAtLeast(60_000)
	} else {
		r.expect(60_000)
	}
	r.shutdown(workers)
}

// expectAtLeast checks that every record was counted and that every count was
// committed: a checkpoint holds at least what its sinks and counters had seen.
func (r *rig) expectAtLeast(total int64) {
	r.t.Helper()
	r.job.Committed.Lock()
	defer r.job.Committed.Unlock()
	seen := map[string]bool{}
	for _, l := range r.job.Committed.Lines {
		seen[l] = true
	}
	for k := range r.job.Keys {
		for c := range total / r.job.Keys {
			if l := fmt.Sprintf("%d %d", k, c+1); !seen[l] {
				r.t.Fatalf("%q is missing", l)
			}
		}
	}
}
