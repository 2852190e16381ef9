package worker

import (
	"os"
	"strings"
	"testing"

	"goflink/control"
	"goflink/hdfsstore"
	"goflink/hdfsstore/faultfs"
	"goflink/taskmanager/tmtest"
)

// faulty opens one file system, with faults, for every URI.
type faulty struct{ *faultfs.FS }

func (f faulty) For(uri string) (hdfsstore.FS, string, error) { return f.FS, uri, nil }

// TestUploadFaults: what may pass is tried again, what does not declines the
// checkpoint; in no case is a file left that nobody refers to.
func TestUploadFaults(t *testing.T) {
	for rules, ok := range map[string]bool{
		"create nth=1 -> error transient": true,
		"create nth=1 -> lost transient":  true,
		"write nth=3 -> error dead-node":  true,
		"close nth=1 -> error dead-node":  true,
		"write nth=2 -> error enospc":     false,
		"create -> error permission":      false,
		"close from=1 -> error dead-node": false,
		"create nth=1 -> lost permission": false,
	} {
		t.Run(rules, func(t *testing.T) {
			r, d, workers, _ := faultyRig(t, rules)
			if got := d.Checkpoint(r.trigger(1, "checkpoint")); got != ok {
				t.Errorf("the checkpoint went through: %t; %v", got, r.Declines)
			}
			want := 0
			if ok {
				want = 1
			}
			if files, _ := os.ReadDir(r.chk(1)); len(files) != want {
				t.Errorf("files: %v", files)
			}
			d.Cancel()
			r.shutdown(workers)
		})
	}
}

func faultyRig(t *testing.T, rules string) (*rig, *tmtest.Deployment, []*tmtest.Worker, *faultfs.FS) {
	r := newRig(t, &tmtest.Job{Sources: 2, Counters: 2, Sinks: 1, Keys: 31, Records: 3000, Hold: 1000, PadState: 50_000})
	fs := faultfs.New(hdfsstore.Local{}, 1)
	if err := fs.Script(rules); err != nil {
		t.Fatal(err)
	}
	r.options = func(o *Options) { o.Files = faulty{fs} }
	workers := r.start("a")
	d := r.Deploy(r.job.JobGraph(), workers, 0, nil)
	d.Start()
	r.Wait("records", func() bool { return r.job.Emitted.Load() == 2000 })
	return r, d, workers, fs
}

// TestAbortWhileWriting aborts a checkpoint whose upload hangs: the upload
// ends, its file goes, the next checkpoint does not wait for it.
func TestAbortWhileWriting(t *testing.T) {
	r, d, workers, fs := faultyRig(t, "write nth=3 -> block")
	blocked := fs.Blocked()
	d.Trigger(r.trigger(1, "checkpoint"))
	<-blocked
	d.All(&control.WorkerCommand{Command: &control.WorkerCommand_Aborted{Aborted: &control.CheckpointAborted{CheckpointId: 1, Reason: "timeout"}}})
	if !d.Checkpoint(r.trigger(2, "checkpoint")) {
		t.Errorf("declined: %v", r.Declines)
	}
	r.Wait("the file being deleted", func() bool {
		files, _ := os.ReadDir(r.chk(1))
		return len(files) == 0
	})
	r.Look(func() {
		for key, a := range r.Acks[1] {
			if strings.HasPrefix(key, "keyed") {
				t.Errorf("%s acknowledged %v", key, a)
			}
		}
		if len(r.Declines) != 0 {
			t.Errorf("declined: %v", r.Declines)
		}
	})
	d.Cancel()
	r.shutdown(workers)
}
