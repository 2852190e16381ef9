package worker

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"goflink/control"
	"goflink/graph"
	"goflink/taskmanager/tmtest"
)

// staged is a job whose sources write for counters of a later stage.
type staged struct{ *tmtest.Job }

func (s staged) JobGraph() *graph.JobGraph {
	g := s.Job.JobGraph()
	g.Edges[0].Blocking = true
	return g
}

// first and second are the regions of the two stages.
func (s staged) first() *graph.JobGraph {
	g := s.JobGraph()
	g.Vertices, g.Edges = g.Vertices[:1], nil
	return g
}

func (s staged) second() *graph.JobGraph {
	g := s.JobGraph()
	g.Vertices, g.Edges = g.Vertices[1:], g.Edges[1:]
	return g
}

// partitions are the files of the workers.
func (r *rig) partitions() []string {
	list, err := filepath.Glob(filepath.Join(filepath.Dir(r.dir), "*", "worker-*", "partitions", "*", "*"))
	if err != nil {
		r.t.Fatal(err)
	}
	return list
}

func (r *rig) commit(d *tmtest.Deployment) {
	d.All(&control.WorkerCommand{Command: &control.WorkerCommand_FinalCommit{FinalCommit: &control.FinalCommit{}}})
	d.WaitAll("FINISHED")
}

// firstStage runs the sources of a job in two stages to their end, on two workers.
func firstStage(t *testing.T) (*rig, staged, []*tmtest.Worker, *tmtest.Deployment) {
	job := staged{&tmtest.Job{Sources: 2, Counters: 2, Sinks: 1, Records: 20_000, Keys: 53}}
	r := newRig(t, job.Job)
	r.program = job
	workers := r.start("a", "b")
	sources := r.DeployRegion(0, job.first(), workers, 0, nil)
	sources.Start()
	sources.WaitAll("FINISHED")
	return r, job, workers, sources
}

// TestStages runs a job in two stages: the sources finish by themselves; what they
// wrote on two workers is read by counters on one of them, and, after these are
// cancelled, again by others. It goes when it is released, and with the workers.
func TestStages(t *testing.T) {
	r, job, workers, sources := firstStage(t)
	cancel := &control.WorkerCommand{Command: &control.WorkerCommand_Cancel{Cancel: &control.CancelTasks{Region: 0, Attempt: 0, Reason: "the region has finished"}}}
	sources.All(cancel)
	if n := len(r.partitions()); n != 2 {
		t.Fatalf("there are %d partitions", n)
	}

	readers := r.DeployReaders(sources, 1, job.second(), workers, 0)
	readers.Start()
	r.Wait("the counters being drained", readers.AllDrained)
	readers.Cancel()

	again := r.DeployReaders(sources, 1, job.second(), []*tmtest.Worker{workers[1], workers[0]}, 1)
	again.Start()
	r.Wait("the counters being drained again", again.AllDrained)
	r.commit(again)
	r.expect(2 * job.Records)

	again.All(&control.WorkerCommand{Command: &control.WorkerCommand_Release{Release: &control.ReleasePartitions{Region: 0, Attempt: 0}}})
	r.shutdown(workers)
	if left := r.partitions(); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// TestPartitionLost: a partition that is damaged, or not there, is reported with
// who wrote it.
func TestPartitionLost(t *testing.T) {
	r, job, workers, sources := firstStage(t)
	damaged := ""
	for _, p := range r.partitions() {
		if strings.HasSuffix(p, "subtask-1") {
			damaged = p
		}
	}
	data, err := os.ReadFile(damaged)
	if err != nil {
		t.Fatal(err)
	}
	data[100] ^= 1
	if err := os.WriteFile(damaged, data, 0o600); err != nil {
		t.Fatal(err)
	}
	readers := r.DeployReaders(sources, 1, job.second(), workers, 0)
	readers.Start()
	r.Wait("the report", func() bool { return len(r.Partitions) == 1 })
	r.Look(func() {
		p := r.Partitions[0]
		if p.Producer.Subtask != 1 || p.Producer.VertexId != tmtest.SourceID || !strings.Contains(p.Reason, "checksum") {
			t.Errorf("%+v", p)
		}
	})
	readers.Cancel()

	readers.All(&control.WorkerCommand{Command: &control.WorkerCommand_Release{Release: &control.ReleasePartitions{Region: 0, Attempt: 0}}})
	r.DeployReaders(sources, 1, job.second(), workers, 1)
	r.Wait("reports of both", func() bool { return len(r.Partitions) == 3 })
	r.shutdown(workers)
}
