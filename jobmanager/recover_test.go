package jobmanager

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"goflink/control"
	"goflink/hdfsstore"
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
