package worker

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"goflink/control"
	"goflink/dataflow"
	"goflink/hdfsstore"
	"goflink/hdfsstore/faultfs"
	_ "goflink/state/pebblestate"
	"goflink/taskmanager/tmtest"
)

// nativeRig is a job on pebble whose test plays the JobManager at its greediest:
// whatever the latest completed checkpoint does not refer to is deleted at once.
type nativeRig struct {
	*rig
	fs       *faultfs.FS
	workers  []*tmtest.Worker
	last     int64 // completed
	next     int64
	attempt  int32
	renewals int
}

func newNativeRig(t *testing.T, job *tmtest.Job, rules string) *nativeRig {
	r := &nativeRig{rig: newRig(t, job), next: 1, fs: faultfs.New(hdfsstore.Local{}, 1)}
	r.conf["state.backend.type"] = "rocksdb"
	if err := r.fs.Script(rules); err != nil {
		t.Fatal(err)
	}
	r.options = func(o *Options) { o.Files = faulty{r.fs} }
	r.renew()
	return r
}

// renew replaces the workers: each knows one parallelism only.
func (r *nativeRig) renew() {
	if len(r.workers) > 0 {
		r.shutdown(r.workers)
		clear(r.rig.workers)
		r.Forget()
	}
	r.renewals++
	r.workers = r.start(fmt.Sprintf("a%d", r.renewals), fmt.Sprintf("b%d", r.renewals))
}

func (r *nativeRig) deploy() *tmtest.Deployment {
	var restore map[string][]*control.OperatorState
	if r.last > 0 {
		restore = r.Restore(r.last, r.chk(r.last), r.job.JobGraph())
	}
	d := r.Deploy(r.job.JobGraph(), r.workers, r.attempt, restore)
	r.attempt++
	d.Start()
	return d
}

// trigger builds on the last completed checkpoint, or on nothing.
func (r *nativeRig) trigger(kind string, full bool) *control.TriggerCheckpoint {
	c := r.rig.trigger(r.next, kind)
	c.Format = "native"
	if !full {
		c.Base = r.last
	}
	r.next++
	return c
}

// tables are the tables that a checkpoint's acknowledgements refer to.
func (r *nativeRig) tables(id int64) []*control.StateFile {
	var out []*control.StateFile
	r.Look(func() {
		for _, a := range r.Acks[id] {
			for _, st := range a.States {
				for _, h := range st.Keyed {
					out = append(out, h.Tables...)
				}
			}
		}
	})
	return out
}

// completed makes a checkpoint the last one and deletes what it does not need.
func (r *nativeRig) completed(id int64) {
	r.last = id
	r.sweep()
}

func (r *nativeRig) sweep() {
	r.t.Helper()
	used := map[string]bool{}
	for _, f := range r.tables(r.last) {
		used[filepath.Base(f.Path)] = true
	}
	files, err := os.ReadDir(filepath.Join(r.dir, "shared"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		r.t.Fatal(err)
	}
	for _, f := range files {
		if used[f.Name()] {
			delete(used, f.Name())
			continue
		}
		if err := os.Remove(filepath.Join(r.dir, "shared", f.Name())); err != nil && !errors.Is(err, os.ErrNotExist) {
			r.t.Fatal(err)
		}
	}
	for name := range used {
		r.t.Errorf("checkpoint %d refers to %s, which is not there", r.last, name)
	}
}

// TestNativeTorture runs a job on pebble through native checkpoints, complete
// and incremental ones, failures of storage and of user code, and restores at
// other parallelisms, while everything is deleted that need not be kept.
func TestNativeTorture(t *testing.T) {
	for _, rules := range []string{
		"",
		"create path=table-* chance=0.1 -> error transient\ncreate path=pack-* chance=0.2 -> error dead-node\nwrite path=pack-* chance=0.1 -> error dead-node\nclose path=pack-* chance=0.1 -> lost transient",
		"create path=pack-* chance=0.2 -> error permission\nclose path=pack-* chance=0.1 -> error enospc",
	} {
		seed := uint64(time.Now().UnixNano())
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) { nativeTorture(t, rand.New(rand.NewPCG(seed, 1)), rules) })
	}
}

func nativeTorture(t *testing.T, random *rand.Rand, rules string) {
	job := &tmtest.Job{Sources: 2, Counters: 2, Sinks: 1, Records: 8_000, Keys: 53, Stores: true, PadState: 100}
	fails := make(chan struct{}, 1)
	job.OnCount = func(*dataflow.Env, int64) error {
		select {
		case <-fails:
			return errors.New("a random failure")
		default:
			return nil
		}
	}
	r := newNativeRig(t, job, rules)
	for range 4 {
		if random.IntN(2) == 0 {
			job.Counters = 1 + random.Int32N(3)
			r.renew()
		}
		d := r.deploy()
		for range random.IntN(4) {
			pause(t.Context(), time.Duration(random.IntN(6))*time.Millisecond)
			c := r.trigger("checkpoint", random.IntN(5) == 0)
			if d.TryCheckpoint(c, random.IntN(4) > 0) {
				r.completed(c.CheckpointId)
			} else {
				d.All(&control.WorkerCommand{Command: &control.WorkerCommand_Aborted{Aborted: &control.CheckpointAborted{CheckpointId: c.CheckpointId, Reason: "declined"}}})
				r.sweep() // what its tasks have uploaded goes, though they know it
			}
		}
		if random.IntN(2) == 0 {
			fails <- struct{}{}
		}
		d.Cancel()
		r.sweep()
		select {
		case <-fails:
		default:
		}
	}
	tasks := int(3 + job.Counters)
	d := r.deploy()
	r.Wait("all tasks being drained", func() bool { return len(r.Drained) == tasks })
	for tries := 0; !d.Checkpoint(r.trigger("final", false)); tries++ {
		if tries == 50 {
			t.Fatalf("declined: %v", r.Declines)
		}
	}
	d.WaitAll("FINISHED")
	r.expect(16_000)
	r.shutdown(r.workers)
}

// TestNativeIncrement: what did not change is not uploaded again, a savepoint
// holds everything itself, and what shares a pack with too much garbage is
// written anew.
func TestNativeIncrement(t *testing.T) {
	job := &tmtest.Job{Sources: 1, Counters: 1, Sinks: 1, Records: 40_000, Keys: 53, Hold: 20_000, Stores: true, PadState: 5000}
	r := newNativeRig(t, job, "")
	d := r.deploy()
	r.Wait("records", func() bool { return job.Emitted.Load() == 20_000 })
	sum := func(id int64) (state, uploaded int64) {
		for _, f := range r.tables(id) {
			state += f.Length
		}
		r.Look(func() {
			for _, a := range r.Acks[id] {
				uploaded += a.UploadedBytes
			}
		})
		return state, uploaded
	}
	take := func(c *control.TriggerCheckpoint) (state, uploaded int64) {
		t.Helper()
		if !d.Checkpoint(c) {
			t.Fatal(r.Declines)
		}
		return sum(c.CheckpointId)
	}
	whole, first := take(r.trigger("checkpoint", true))
	r.completed(1)
	if first < whole*9/10 {
		t.Errorf("the first checkpoint uploaded %d of %d bytes", first, whole)
	}
	if _, again := take(r.trigger("checkpoint", false)); again > first/10 {
		t.Errorf("a checkpoint without changes uploaded %d bytes after %d", again, first)
	}
	r.completed(2)
	_, full := take(r.trigger("checkpoint", true))
	if full < whole*9/10 {
		t.Errorf("a full checkpoint uploaded %d of %d bytes", full, whole)
	}
	r.completed(3)
	take(r.trigger("savepoint", false))
	for _, f := range r.tables(4) {
		if strings.Contains(f.Path, "/") {
			t.Errorf("a savepoint refers to %s", f.Path)
		}
	}
	job.Release()
	d.Cancel()
	r.shutdown(r.workers)
}

// TestNativeDamage: a table is compared with its checksum before it is opened.
func TestNativeDamage(t *testing.T) {
	for name, harm := range map[string]func(t *testing.T, file string, b []byte){
		"flipped bit": func(t *testing.T, file string, b []byte) {
			b[len(b)/2] ^= 1
			write(t, file, b)
		},
		"truncated": func(t *testing.T, file string, b []byte) { write(t, file, b[:len(b)-1]) },
	} {
		t.Run(name, func(t *testing.T) {
			job := &tmtest.Job{Sources: 1, Counters: 1, Sinks: 1, Records: 4000, Keys: 53, Hold: 2000, Stores: true}
			r := newNativeRig(t, job, "")
			d := r.deploy()
			r.Wait("records", func() bool { return job.Emitted.Load() == 2000 })
			if !d.Checkpoint(r.trigger("checkpoint", false)) {
				t.Fatal(r.Declines)
			}
			r.completed(1)
			d.Cancel()
			file := filepath.Join(r.dir, "shared", filepath.Base(r.tables(1)[0].Path))
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			harm(t, file, b)
			d = r.Deploy(job.JobGraph(), r.workers, r.attempt, r.Restore(1, r.chk(1), job.JobGraph()))
			d.WaitAll("INITIALIZING")
			d.All(&control.WorkerCommand{Command: &control.WorkerCommand_Start{Start: &control.StartTasks{Attempt: r.attempt}}})
			if f := d.WaitFailed().Failure; !strings.Contains(f.Message, "older checkpoint") || !strings.Contains(f.Message, filepath.Base(file)) {
				t.Error(f)
			}
			d.Cancel()
			r.shutdown(r.workers)
		})
	}
}

func write(t *testing.T, file string, b []byte) {
	t.Helper()
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
}
