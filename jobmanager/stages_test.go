package jobmanager

import (
	"context"
	"maps"
	"strings"
	"testing"

	"goflink/control"
	"goflink/graph"
	"goflink/jobmanager/rest"
)

// stagedJob is testJob in BATCH, with a restart strategy.
func stagedJob(p int32) *graph.JobGraph {
	config := maps.Clone(everySecond)
	maps.Copy(config, map[string]string{"execution.runtime-mode": "BATCH", "restart-strategy.type": "fixed-delay", "restart-strategy.fixed-delay.delay": "1 ms"})
	g := testJob(p, config)
	g.Edges[0].Blocking = true
	g.Fingerprint = graph.Fingerprint(g)
	return g
}

// stage reports that all tasks of a vertex have finished.
func (c *cluster) stage(vertex string) {
	for _, w := range c.all() {
		for _, t := range w.all() {
			if strings.HasPrefix(t.VertexId, vertex) {
				w.report(t, "FINISHED")
			}
		}
	}
}

// states tells how many tasks of a vertex are in a state.
func (c *cluster) states(id string, vertex int, state string) (n int) {
	for _, s := range c.job(id).Vertices[vertex].Subtasks {
		if s.State == state {
			n++
		}
	}
	return n
}

// TestStages: the readers of a blocking edge are deployed when the writers have
// finished, together with who serves them; a partition that is lost is written
// again; and there are no checkpoints.
func TestStages(t *testing.T) {
	c := newCluster(t, t.TempDir())
	c.taskManager("tm1", 1)
	c.taskManager("tm2", 1)
	id := c.submit(stagedJob(2))
	c.turn("the sources running", func() bool { return c.states(id, 0, "RUNNING") == 2 })
	if n := c.states(id, 1, "CREATED"); n != 2 {
		t.Fatalf("%d readers wait", n)
	}
	_, err := c.jm.REST().Savepoint(context.Background(), id, rest.SavepointOptions{Directory: t.TempDir()})
	if err == nil || !strings.Contains(err.Error(), "BATCH") {
		t.Fatalf("a savepoint: %v", err)
	}

	c.stage("a")
	for range 4 { // each of the two regions on both workers: one runs the task, both serve
		d := await(c, "a deployment of the readers", func(d *control.DeployTasks) bool { return len(d.Reads) > 0 })
		if len(d.Reads) != 1 || len(d.Reads[0].Targets) != 1 || d.Reads[0].Producer.VertexId != strings.Repeat("a", 32) {
			t.Fatalf("%+v", d)
		}
		if len(d.Tasks) == 1 && len(d.Locations) != 3 || len(d.Tasks) == 0 && len(d.Locations) != 1 {
			t.Fatalf("%d tasks, %d locations: %+v", len(d.Tasks), len(d.Locations), d)
		}
	}
	c.turn("the readers running", func() bool { return c.states(id, 1, "RUNNING") == 2 })

	w := c.all()[0]
	w.send(&control.WorkerEvent{Event: &control.WorkerEvent_PartitionLost{PartitionLost: &control.PartitionLost{
		Producer: &control.Task{VertexId: strings.Repeat("a", 32), Subtask: 1}, Reason: "it is damaged"}}})
	c.turn("the second writer running again", func() bool { return c.job(id).Vertices[0].Subtasks[1].Attempt == 1 && c.states(id, 0, "RUNNING") == 1 })
	if n := c.states(id, 0, "FINISHED"); n != 1 {
		t.Fatalf("%d writers have finished; the first one was to be left alone", n)
	}
	if f := c.job(id).Failures; len(f) != 1 || f[0].Task != "Source: in (2/2)" || !strings.Contains(f[0].Message, "damaged") {
		t.Fatalf("%+v", f)
	}
	c.stage("a")
	c.turn("the readers running again", func() bool { return c.states(id, 1, "RUNNING") == 2 })
	await(c, "that partitions go", func(r *control.ReleasePartitions) bool { return r.Attempt == 0 })
	c.stage("b")
	if res := c.result(id); res.State != "FINISHED" {
		t.Fatalf("%+v", res)
	}
	if c.checkpoints(id).Completed != 0 {
		t.Fatal("a checkpoint was taken")
	}
}

// TestBatchFromSavepoint: a job in BATCH begins from nothing.
func TestBatchFromSavepoint(t *testing.T) {
	c := newCluster(t, t.TempDir())
	g := stagedJob(1)
	g.Restore = &graph.SavepointRestore{Path: "/tmp/sp"}
	if err := c.jm.Submit(context.Background(), g); err == nil || !strings.Contains(err.Error(), "BATCH") {
		t.Fatalf("%v", err)
	}
}
