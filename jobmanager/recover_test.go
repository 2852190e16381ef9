package jobmanager

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"goflink/control"
	"goflink/graph"
	"goflink/hdfsstore"
	"goflink/jobmanager/execution"
	"goflink/jobmanager/ha"
)

// openHA opens the recovery store of an attempt.
func openHA(t *testing.T, dir string, attempt int64) (*ha.Store, *ha.Recovered) {
	t.Helper()
	files := hdfsstore.NewResolver(hdfsstore.Options{})
	t.Cleanup(func() { files.Close() })
	fsys, path, err := files.For(dir)
	if err != nil {
		t.Fatal(err)
	}
	s, r, err := ha.Open(context.Background(), fsys, path, attempt, ha.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return s, r
}

func TestRecovery(t *testing.T) {
	dir := t.TempDir()
	store, _ := openHA(t, dir+"/ha", 1)
	one := newCluster(t, dir+"/cp", func(o *Options) { o.HA = store })
	one.taskManager("tm1", 2)
	finished := one.submit(testJob(1, nil))
	one.running(finished)
	one.drain()
	one.result(finished)
	id := one.submit(testJob(2, everySecond))
	one.running(id)
	one.turn("a checkpoint", func() bool { return one.checkpoints(id).Completed >= 1 })

	// Another attempt takes over while the first still runs.
	store2, rec := openHA(t, dir+"/ha", 2)
	two := newCluster(t, dir+"/cp", func(o *Options) { o.HA, o.Epoch = store2, 2 })
	ids, err := two.jm.Recover(context.Background(), rec)
	if err != nil || len(ids) != 1 || ids[0] != id {
		t.Fatalf("%v %v", ids, err)
	}
	last := rec.Jobs[0].Checkpoint.ID
	two.taskManager("tm2", 2)
	two.running(id)
	if d := await(two, "a deployment", func(*control.DeployTasks) bool { return true }); d.RestoredCheckpoint != last {
		t.Fatalf("restored %d, published %d", d.RestoredCheckpoint, last)
	}
	if res, err := two.jm.REST().JobResult(context.Background(), finished); err != nil || res.State != "FINISHED" {
		t.Fatalf("the finished job is lost: %+v %v", res, err)
	}

	// The first one cannot complete anything any more, and stops.
	before := one.checkpoints(id).Completed
	one.turn("the end of the first", func() bool { return one.jm.Err() != nil })
	if !errors.Is(one.jm.Err(), ha.ErrFenced) {
		t.Fatal(one.jm.Err())
	}
	if err := one.jm.Close(); !errors.Is(err, ha.ErrFenced) {
		t.Fatal(err)
	}
	_ = before
	two.turn("a checkpoint of the second", func() bool { return two.checkpoints(id).Completed >= 1 })
	if err := two.jm.REST().Cancel(context.Background(), id); err != nil {
		t.Fatal(err)
	}
	two.result(id)
}

// TestHopelessRecovery: a job whose checkpoint is gone has failed, and stays so.
func TestHopelessRecovery(t *testing.T) {
	dir := t.TempDir()
	store, _ := openHA(t, dir+"/ha", 1)
	one := newCluster(t, dir+"/cp", func(o *Options) { o.HA = store })
	one.taskManager("tm1", 2)
	id := one.submit(testJob(2, everySecond))
	one.running(id)
	one.turn("a checkpoint", func() bool { return one.checkpoints(id).Completed >= 1 })
	if err := one.jm.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(dir + "/cp"); err != nil {
		t.Fatal(err)
	}
	for attempt := int64(2); attempt < 4; attempt++ {
		store, rec := openHA(t, dir+"/ha", attempt)
		c := newCluster(t, dir+"/cp", func(o *Options) { o.HA, o.Epoch = store, attempt })
		if ids, err := c.jm.Recover(context.Background(), rec); err != nil || len(ids) != 0 {
			t.Fatal(ids, err)
		}
		if res := c.result(id); res.State != "FAILED" || !strings.Contains(res.Failure.Message, "cannot find") {
			t.Fatalf("%+v", res.Failure)
		}
	}
}

// TestHalfCommitted: a job without checkpoints that fails while it commits is
// not run again, neither here nor by the next JobManager.
func TestHalfCommitted(t *testing.T) {
	restarts := map[string]string{"restart-strategy.type": "fixed-delay", "restart-strategy.fixed-delay.attempts": "9", "restart-strategy.fixed-delay.delay": "1s"}
	job := func() *graph.JobGraph {
		g := testJob(1, restarts)
		g.Vertices[1].Operators[0].Commits = true
		g.Fingerprint = graph.Fingerprint(g)
		return g
	}
	dir := t.TempDir()
	store, _ := openHA(t, dir+"/ha", 1)
	one := newCluster(t, dir+"/cp", func(o *Options) { o.HA = store })
	one.behave.hanging = true
	tm := one.taskManager("tm1", 2)
	failed := one.submit(job())
	one.running(failed)
	one.drain()
	await(one, "the commit", func(*control.FinalCommit) bool { return true })
	for _, w := range one.all() {
		tm.exit(w.id, 1, "killed")
	}
	if res := one.result(failed); res.State != "FAILED" || !strings.Contains(res.Failure.Message, execution.HalfCommitted) {
		t.Fatalf("%+v", res)
	}
	id := one.submit(job())
	one.running(id)
	one.drain()
	await(one, "the commit", func(*control.FinalCommit) bool { return true })
	store2, rec := openHA(t, dir+"/ha", 2)
	two := newCluster(t, dir+"/cp", func(o *Options) { o.HA, o.Epoch = store2, 2 })
	if ids, err := two.jm.Recover(context.Background(), rec); err != nil || len(ids) != 0 {
		t.Fatalf("%v %v", ids, err)
	}
	if res, err := two.jm.REST().JobResult(context.Background(), id); err != nil || res.State != "FAILED" || !strings.Contains(res.Failure.Message, execution.HalfCommitted) {
		t.Fatalf("%+v %v", res, err)
	}
}

// TestStaleCommit: a JobManager that was succeeded lets nothing be committed.
func TestStaleCommit(t *testing.T) {
	dir := t.TempDir()
	store, _ := openHA(t, dir+"/ha", 1)
	one := newCluster(t, dir+"/cp", func(o *Options) { o.HA = store })
	one.taskManager("tm1", 2)
	g := testJob(1, nil)
	g.Vertices[1].Operators[0].Commits = true
	g.Fingerprint = graph.Fingerprint(g)
	id := one.submit(g)
	one.running(id)
	_, rec := openHA(t, dir+"/ha", 2)
	if len(rec.Jobs) != 1 || rec.Jobs[0].Checkpoint != nil {
		t.Fatalf("%+v", rec.Jobs)
	}
	one.drain()
	one.turn("the end of the first", func() bool { return one.jm.Err() != nil })
	one.mu.Lock()
	defer one.mu.Unlock()
	for _, v := range one.seen {
		if _, ok := v.(*control.FinalCommit); ok {
			t.Error("the job committed")
		}
	}
}
