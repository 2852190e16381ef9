package worker

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"goflink/control"
	"goflink/dataflow"
	"goflink/graph"
	"goflink/hdfsstore"
	"goflink/taskmanager/tmtest"
)

// rig is a JobManager and workers in this process.
type rig struct {
	*tmtest.JM
	t       *testing.T
	job     *tmtest.Job
	program dataflow.Program // nil: job
	workers map[string]*running
	dir     string
	conf    map[string]string
	options func(*Options)
	fatal   chan error
	log     slog.Handler
}

type running struct {
	cancel context.CancelFunc
	done   chan struct{}
	err    error
}

func newRig(t *testing.T, job *tmtest.Job) *rig {
	r := &rig{t: t, job: job, workers: map[string]*running{}, dir: t.TempDir(), conf: map[string]string{}, fatal: make(chan error, 10)}
	r.log = slog.NewTextHandler(io.Discard, nil)
	if testing.Verbose() && os.Getenv("WORKER_LOG") != "" {
		r.log = slog.NewTextHandler(os.Stderr, nil)
	}
	r.JM = tmtest.NewJM(t)
	return r
}

// start runs workers with these ids and waits for their registration.
func (r *rig) start(ids ...string) []*tmtest.Worker {
	for _, id := range ids {
		r.run(id, r.Addr)
	}
	return r.WaitWorkers(len(ids))
}

func (r *rig) run(id, jm string) *running {
	program, err := proto.Marshal(&graph.Program{Sha256: "cafe"})
	if err != nil {
		r.t.Fatal(err)
	}
	o := Options{
		Bootstrap: &control.Bootstrap{Jobmanager: jm, Secret: tmtest.Secret, TaskManagerId: "tm-" + id, ScratchDir: r.t.TempDir(), Host: "127.0.0.1",
			Worker: &control.StartWorker{WorkerId: id, JobId: "00000000000000000000000000000001", JobName: "test", Program: program, Slots: 2,
				NetworkBytes: 32 << 20, ManagedBytes: 64 << 20, Config: r.conf}},
		Program: cmp.Or[dataflow.Program](r.program, r.job), Files: hdfsstore.NewResolver(hdfsstore.Options{}), Log: slog.New(r.log), MetricsInterval: 20 * time.Millisecond, uploadPause: time.Millisecond,
		Fatal: func(err error) { r.fatal <- err },
	}
	if r.options != nil {
		r.options(&o)
	}
	ctx, cancel := context.WithCancel(context.Background())
	w := &running{cancel: cancel, done: make(chan struct{})}
	r.workers[id] = w
	go func() {
		defer close(w.done)
		w.err = Run(ctx, o)
	}()
	r.t.Cleanup(func() {
		cancel()
		if <-w.done; r.t.Failed() {
			r.t.Logf("worker %s ended: %v", id, w.err)
		}
	})
	return w
}

// shutdown ends all workers by command and expects a clean end.
func (r *rig) shutdown(workers []*tmtest.Worker) {
	r.t.Helper()
	for _, w := range workers {
		w.Send(&control.WorkerCommand{Command: &control.WorkerCommand_Shutdown{Shutdown: &control.Shutdown{Reason: "done"}}})
	}
	for id, w := range r.workers {
		<-w.done
		if w.err != nil {
			r.t.Errorf("worker %s: %v", id, w.err)
		}
	}
}

// chk makes a checkpoint's folder.
func (r *rig) chk(id int64) string {
	dir := filepath.Join(r.dir, fmt.Sprintf("chk-%d", id))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		r.t.Fatal(err)
	}
	return dir
}

func (r *rig) trigger(id int64, kind string) *control.TriggerCheckpoint {
	return &control.TriggerCheckpoint{CheckpointId: id, Kind: kind, Dir: r.chk(id), Format: "canonical"}
}

// expect checks that the committed output is what total records give, each
// count once.
func (r *rig) expect(total int64) {
	r.t.Helper()
	expectOf(r.t, r.job, total)
}

func expectOf(t *testing.T, job *tmtest.Job, total int64) {
	t.Helper()
	job.Committed.Lock()
	defer job.Committed.Unlock()
	checkOutput(t, job.Committed.Lines, total, job.Keys)
}

func checkOutput(t *testing.T, lines []string, total, keys int64) {
	t.Helper()
	want := map[string]bool{}
	for k := range keys {
		n := total / keys
		if k < total%keys {
			n++
		}
		for c := range n {
			want[fmt.Sprintf("%d %d", k, c+1)] = true
		}
	}
	seen := map[string]bool{}
	for _, l := range lines {
		if seen[l] {
			t.Errorf("%q was committed twice", l)
		}
		if !want[l] {
			t.Errorf("%q should not be there", l)
		}
		seen[l] = true
	}
	if len(seen) != len(want) {
		t.Errorf("%d lines were committed, want %d", len(seen), len(want))
	}
}
