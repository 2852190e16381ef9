package law

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"goflink/state"
	_ "goflink/state/pebblestate"
	"goflink/stream/streamtest"
)

// mostSteps is far more than any attempt needs: one that takes as many does not
// end.
const mostSteps = 2_000_000

// smallBudget is a write-back cache that holds a few rows only.
const smallBudget = 8 << 10

// errGraph is the error of a graph that is not one: a bug of the law.
var errGraph = errors.New("the graph does not build")

// runFast runs a graph in streamtest's cluster, attempt after attempt, and returns
// what its sinks wrote.
func runFast(s *Spec, f *Faults, dir string) (*outputs, error) {
	out := newOutputs(filepath.Join(dir, "out"))
	var from *streamtest.Checkpoint
	attempts := f.all()
	for i := range attempts {
		a := attempts[i]
		scratch := filepath.Join(dir, fmt.Sprint("scratch-", i))
		last, done, err := runAttempt(s, &a, i, from, out, scratch)
		if err != nil {
			return out, fmt.Errorf("attempt %d: %w", i, err)
		}
		if rerr := os.RemoveAll(scratch); rerr != nil {
			return out, rerr
		}
		out.note(f, i, last != nil, done)
		if s.Batch && done { // it has committed: such a job is never run again
			return out, nil
		}
		if from = last; i == len(attempts)-1 && !done {
			return out, fmt.Errorf("attempt %d did not finish", i)
		}
	}
	return out, nil
}

func runAttempt(s *Spec, a *Attempt, number int, from *streamtest.Checkpoint, out *outputs, scratch string) (_ *streamtest.Checkpoint, done bool, err error) {
	p, err := program(s, a, out)
	if err != nil {
		return nil, false, fmt.Errorf("%w: %w", errGraph, err)
	}
	var c *streamtest.Cluster
	times := 0
	o := streamtest.Options{Seed: a.Seed, RemoteShare: a.Remote, SingleRecords: a.Single, Credit: a.Credit, CheckpointEvery: a.Every,
		Backend: a.Backend, Restore: from, Tick: a.Tick, Kill: func(at streamtest.Moment) bool {
			if at != a.At || a.N == 0 || a.Final && !c.Drained() {
				return false
			}
			times++
			return times == a.N
		}}
	if s.Class == Idle { // its clock moves when nothing else can, so checkpoints must not always be under way
		o.Tick, o.CheckpointEvery, o.Start = 0, 100*a.Every, start.Add(time.Duration(number)*attemptApart)
	}
	if a.Backend == state.Pebble {
		o.Dir, o.MemoryBudget = scratch, smallBudget
	}
	if c, err = streamtest.New(p, o); err != nil {
		return nil, false, err
	}
	defer func() {
		out.printed(c.Lines())
		if cerr := c.Close(); err == nil && cerr != nil {
			err = cerr
		}
	}()
	steps := mostSteps
	if a.Steps > 0 {
		steps = a.Steps
	}
	err = c.RunSteps(steps)
	if errors.Is(err, streamtest.ErrKilled) {
		err = nil
	} else if err == nil && !c.Finished() && a.Steps == 0 {
		err = fmt.Errorf("no end after %d steps", steps)
	}
	return c.LastCheckpoint(), c.Finished(), err
}
