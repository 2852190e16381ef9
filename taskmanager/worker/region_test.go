package worker

import (
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"goflink/control"
	"goflink/dataflow"
	"goflink/taskmanager/tmtest"
)

// twins are two pipelines on the same workers, of which the left one fails when
// it is told to.
type twins struct {
	*rig
	left, right *tmtest.Job
	fails       chan struct{}
	workers     []*tmtest.Worker
	a, b        *tmtest.Deployment // of left and right
	last, next  int64              // checkpoint completed, id to use
}

const twinRecords = 6_000

func newTwins(t *testing.T) *twins {
	w := &twins{fails: make(chan struct{}, 1), next: 1}
	w.left = &tmtest.Job{Prefix: "left-", Sources: 2, Counters: 2, Sinks: 1, Records: twinRecords, Keys: 53, PadState: 30_000}
	w.left.OnCount = func(*dataflow.Env, int64) error {
		select {
		case <-w.fails:
			return errors.New("a failure of the left")
		default:
			return nil
		}
	}
	w.right = &tmtest.Job{Prefix: "right-", Sources: 1, Counters: 2, Sinks: 2, Records: twinRecords, Keys: 31, Hold: twinRecords / 2}
	w.rig = newRig(t, w.left)
	w.program = tmtest.Pair{w.left, w.right}
	w.workers = w.start("a", "b")
	w.b = w.DeployRegion(1, w.right.JobGraph(), w.workers, 0, nil)
	w.b.Start()
	return w
}

// begin starts an attempt of the left from the last checkpoint.
func (w *twins) begin(attempt int32) {
	var states map[string][]*control.OperatorState
	if w.last > 0 {
		states = w.Restore(w.last, w.chk(w.last), w.left.JobGraph())
	}
	w.a = w.DeployRegion(0, w.left.JobGraph(), w.workers, attempt, states)
	w.a.Start()
}

// checkpoint takes one of both; false when the left failed meanwhile.
func (w *twins) checkpoint() bool {
	id := w.next
	w.next++
	w.b.Trigger(w.trigger(id, "checkpoint"))
	if !w.a.TryCheckpoint(w.trigger(id, "checkpoint"), false) || !w.b.Acked(id) {
		w.a.Abort(id)
		return false
	}
	w.a.Complete(id, false)
	w.last = id
	return true
}

// stop cancels the left.
func (w *twins) stop() {
	w.a.Cancel()
	select {
	case <-w.fails:
	default:
	}
}

// finish lets both end with a final checkpoint.
func (w *twins) finish() {
	w.Wait("the right being drained", w.b.AllDrained)
	w.Wait("the left being drained", w.a.AllDrained)
	w.b.Trigger(w.trigger(w.next, "final"))
	w.a.Trigger(w.trigger(w.next, "final"))
	if !w.a.Acked(w.next) || !w.b.Acked(w.next) {
		w.t.Fatalf("declined: %v", w.Declines)
	}
	w.a.Complete(w.next, false)
	w.a.WaitAll("FINISHED")
	w.b.WaitAll("FINISHED")
}

// TestRegions runs two pipelines on the same workers. One of them fails again
// and again, at any moment of a checkpoint of both, and is restored; the other
// one goes on in its first attempt. Both write each of their records once.
func TestRegions(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	w := newTwins(t)
	for attempt := range int32(6) {
		w.begin(attempt)
		for range 1 + random.IntN(2) {
			if random.IntN(3) == 0 && len(w.fails) == 0 { // one may be left when all is processed
				w.fails <- struct{}{}
			}
			if !w.checkpoint() {
				break
			}
		}
		w.stop()
	}
	w.right.Release()
	w.begin(6)
	w.finish()
	expectOf(t, w.left, 2*twinRecords)
	expectOf(t, w.right, twinRecords)
	w.Look(func() {
		for _, h := range w.History {
			if strings.HasPrefix(h, "right-") && (!strings.Contains(h, "#0 ") || strings.HasSuffix(h, stateCanceled)) {
				t.Errorf("the right pipeline was disturbed: %s", h)
			}
		}
	})
	w.shutdown(w.workers)
}

// TestRegionsShareAFile: what the tasks of several regions store for a
// checkpoint goes into one file of the worker.
func TestRegionsShareAFile(t *testing.T) {
	left := &tmtest.Job{Prefix: "left-", Sources: 1, Counters: 1, Sinks: 1, Keys: 5, Hold: 100, PadState: 50_000}
	right := &tmtest.Job{Prefix: "right-", Sources: 1, Counters: 1, Sinks: 1, Keys: 5, Hold: 100, PadState: 50_000}
	r := newRig(t, left)
	r.program = tmtest.Pair{left, right}
	workers := r.start("a")
	a := r.DeployRegion(0, left.JobGraph(), workers, 0, nil)
	b := r.DeployRegion(1, right.JobGraph(), workers, 3, nil)
	a.Start()
	b.Start()
	a.Trigger(r.trigger(1, "checkpoint"))
	b.Trigger(r.trigger(1, "checkpoint"))
	if !a.Acked(1) || !b.Acked(1) {
		t.Fatalf("declined: %v", r.Declines)
	}
	r.Look(func() {
		files := map[string]bool{}
		for _, key := range []string{"left-keyed/0", "right-keyed/0"} {
			files[r.Acks[1][key].States[0].Keyed[0].Path] = true
		}
		if len(files) != 1 {
			t.Errorf("the states lie in %v", files)
		}
	})

	// Commands for an attempt or region that is not there change nothing.
	for _, c := range []*control.CancelTasks{{Region: 0, Attempt: 3}, {Region: 1, Attempt: 0}, {Region: 2}} {
		a.All(&control.WorkerCommand{Command: &control.WorkerCommand_Cancel{Cancel: c}})
	}
	b.Cancel()
	c := r.DeployRegion(1, right.JobGraph(), workers, 4, nil)
	c.Start()
	a.Trigger(r.trigger(2, "checkpoint"))
	c.Trigger(r.trigger(2, "checkpoint"))
	if !a.Acked(2) || !c.Acked(2) {
		t.Fatalf("declined: %v", r.Declines)
	}
	r.Look(func() {
		if s := r.States["left-source/0"].State; s != stateRunning {
			t.Errorf("the left source is %s", s)
		}
	})
	a.Cancel()
	c.Cancel()
	r.shutdown(workers)
}
