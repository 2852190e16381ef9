package jobmanager

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"goflink/control"
	"goflink/graph"
	"goflink/jobmanager/rest"
)

// twoPipelines is source:2 -> map:2 twice, all to all, with an enumerator each.
func twoPipelines(config map[string]string) *graph.JobGraph {
	g := testJob(2, config)
	other := testJob(2, nil)
	rename := strings.NewReplacer("a", "c", "b", "d")
	for _, v := range other.Vertices {
		v.Id, v.Name = rename.Replace(v.Id), "Other "+v.Name
		v.Operators[0].Id, v.Operators[0].Uid = v.Id, "other-"+v.Operators[0].Uid
		for i, in := range v.Operators[0].Inputs {
			v.Operators[0].Inputs[i] = rename.Replace(in)
		}
	}
	for _, e := range other.Edges {
		e.Source, e.Target, e.SourceOperator = rename.Replace(e.Source), rename.Replace(e.Target), rename.Replace(e.SourceOperator)
	}
	g.Vertices, g.Edges = append(g.Vertices, other.Vertices...), append(g.Edges, other.Edges...)
	g.Vertices[0].Operators[0].Enumerator, g.Vertices[2].Operators[0].Enumerator = true, true
	g.Fingerprint = graph.Fingerprint(g)
	return g
}

// regionCluster is a cluster that runs twoPipelines, with its coordinator.
func regionCluster(t *testing.T, b behaviour) (*cluster, *inProcess, string) {
	config := maps.Clone(everySecond)
	launcher := &inProcess{parallelism: 2, graph: func() *graph.JobGraph { return twoPipelines(config) }}
	c := newCluster(t, t.TempDir(), func(o *Options) { o.Coordinators = launcher })
	launcher.c, c.behave = c, b
	c.taskManager("tm1", 1)
	c.taskManager("tm2", 1)
	id := c.submit(twoPipelines(config))
	c.running(id)
	return c, launcher, id
}

// attempts lists the attempts of all subtasks by vertex name.
func attempts(j *rest.Job) string {
	var list []string
	for _, v := range j.Vertices {
		for _, s := range v.Subtasks {
			list = append(list, fmt.Sprintf("%s/%d#%d", v.Name, s.Index, s.Attempt))
		}
	}
	return strings.Join(list, " ")
}

// failTask lets a task of a vertex fail.
func (c *cluster) failTask(vertex string) {
	c.t.Helper()
	for _, w := range c.all() {
		for _, task := range w.all() {
			if task.VertexId == vertex && task.Subtask == 0 {
				w.send(&control.WorkerEvent{Event: &control.WorkerEvent_TaskState{TaskState: &control.TaskState{Task: task, State: "FAILED",
					Failure: &control.Failure{Message: "boom", Domain: "user", Retry: "restart"}}}})
				return
			}
		}
	}
	c.t.Fatalf("no task of vertex %s", vertex)
}

// runningAgain waits until all tasks run after n restarts.
func (c *cluster) runningAgain(id string, vertex, attempt int) {
	c.t.Helper()
	c.turn("the region running again", func() bool {
		j := c.job(id)
		return j.State == "RUNNING" && j.Tasks["RUNNING"] == 8 && j.Vertices[vertex].Subtasks[0].Attempt >= attempt
	})
}

// TestRegionFailover: one pipeline fails again and again; the tasks, the splits
// and the enumerator of the other one go on in their first attempt.
func TestRegionFailover(t *testing.T) {
	c, launcher, id := regionCluster(t, behaviour{})
	c.turn("a checkpoint", func() bool { return c.checkpoints(id).Completed >= 2 })
	for n := 1; n <= 3; n++ {
		c.failTask(strings.Repeat("a", 32))
		c.runningAgain(id, 0, n)
		d := await(c, "a deployment of the region", func(d *control.DeployTasks) bool { return d.Attempt == int32(n) })
		if d.RestoredCheckpoint == 0 || len(d.Tasks) != 2 || len(d.Locations) != 4 {
			t.Fatalf("%+v", d)
		}
		for _, td := range d.Tasks {
			if v := td.Task.VertexId[:1]; v != "a" && v != "b" || len(td.Restore) != 1 {
				t.Fatalf("%+v is deployed", td)
			}
		}
		done := c.checkpoints(id).Completed
		c.turn("a checkpoint after it", func() bool { return c.checkpoints(id).Completed > done })
	}
	want := "Source: in/0#3 Source: in/1#3 Map/0#3 Map/1#3 Other Source: in/0#0 Other Source: in/1#0 Other Map/0#0 Other Map/1#0"
	if got := attempts(c.job(id)); got != want {
		t.Fatalf("%s", got)
	}
	if launcher.launched != 1 || launcher.starts("a") != 4 || launcher.starts("c") != 1 {
		t.Fatalf("%d coordinators, enumerators started %d and %d times", launcher.launched, launcher.starts("a"), launcher.starts("c"))
	}
	if h := c.job(id).Failures; len(h) != 3 || h[0].Task != "Source: in (1/2)" || h[0].Attempt != 2 || !strings.HasSuffix(h[0].Endpoint, ":7") || h[0].TaskManager == "" {
		t.Fatalf("%+v", h)
	}

	// A request that comes late, of the attempt before, is not answered.
	w := c.all()[0]
	w.send(&control.WorkerEvent{Event: &control.WorkerEvent_SplitRequest{SplitRequest: &control.SplitRequest{OperatorId: strings.Repeat("a", 32), Attempt: 2, Host: "stale"}}})
	w.send(&control.WorkerEvent{Event: &control.WorkerEvent_SplitRequest{SplitRequest: &control.SplitRequest{OperatorId: strings.Repeat("a", 32), Attempt: 3, Host: "fresh"}}})
	w.send(&control.WorkerEvent{Event: &control.WorkerEvent_SplitRequest{SplitRequest: &control.SplitRequest{OperatorId: strings.Repeat("c", 32), Attempt: 0, Host: "other"}}})
	c.turn("answers", func() bool { return len(launcher.hosts()) >= 2 })
	if got := launcher.hosts(); !slices.Equal(got, []string{"fresh", "other"}) {
		t.Fatalf("requests of %v", got)
	}

	// A worker that dies takes both regions with it; the slot that is left keeps
	// its place.
	w.tm.exit(w.id, 2, "")
	c.runningAgain(id, 2, 1)
	if got := attempts(c.job(id)); got != strings.NewReplacer("#3", "#4", "#0", "#1").Replace(want) {
		t.Fatalf("%s", got)
	}

	// The death of the coordinator is a failure of all.
	launcher.last.Kill()
	c.runningAgain(id, 2, 2)
	if got := attempts(c.job(id)); got != strings.NewReplacer("#3", "#5", "#0", "#2").Replace(want) || launcher.launched != 2 {
		t.Fatalf("%s, %d coordinators", got, launcher.launched)
	}
	if err := c.jm.REST().Cancel(context.Background(), id); err != nil {
		t.Fatal(err)
	}
	if res := c.result(id); res.State != "CANCELED" {
		t.Fatalf("%+v", res)
	}
}

// TestRegionAborts: a checkpoint under way is given up when a region of it fails,
// and the workers hear of it.
func TestRegionAborts(t *testing.T) {
	c, _, id := regionCluster(t, behaviour{silentAcks: true})
	c.turn("a checkpoint", func() bool { return c.checkpoints(id).InProgress > 0 })
	tr := await(c, "its trigger", func(*control.TriggerCheckpoint) bool { return true })
	c.failTask(strings.Repeat("d", 32))
	a := await(c, "that it was given up", func(a *control.CheckpointAborted) bool { return a.CheckpointId >= tr.CheckpointId })
	if !strings.Contains(a.Reason, "restarting") {
		t.Fatalf("%+v", a)
	}
	c.runningAgain(id, 2, 1)
	if got := attempts(c.job(id)); !strings.HasPrefix(got, "Source: in/0#0") {
		t.Fatalf("%s", got)
	}
}

// TestFullFailover: with the strategy "full", or a program built before there
// were regions, every failure restarts all tasks.
func TestFullFailover(t *testing.T) {
	for name, change := range map[string]func(*graph.JobGraph){
		"configured":    func(g *graph.JobGraph) { g.Config["jobmanager.execution.failover-strategy"] = "full" },
		"release 0.1.0": func(g *graph.JobGraph) { g.Regions = false },
	} {
		t.Run(name, func(t *testing.T) {
			g := twoPipelines(maps.Clone(everySecond))
			change(g)
			launcher := &inProcess{parallelism: 2, graph: func() *graph.JobGraph { return g }}
			c := newCluster(t, t.TempDir(), func(o *Options) { o.Coordinators = launcher })
			launcher.c = c
			c.taskManager("tm1", 2)
			id := c.submit(g)
			c.running(id)
			c.failTask(strings.Repeat("a", 32))
			c.runningAgain(id, 2, 1)
			if got := attempts(c.job(id)); strings.Contains(got, "#0") {
				t.Fatalf("%s", got)
			}
		})
	}
}
