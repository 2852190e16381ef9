package jobmanager

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"goflink/conf"
	"goflink/control"
	"goflink/graph"
	"goflink/jobmanager/rest"
)

// testJob is source:p -> map:p, all to all.
func testJob(p int32, config map[string]string) *graph.JobGraph {
	s, m := strings.Repeat("a", 32), strings.Repeat("b", 32)
	list := []*graph.State{{Name: "l", Kind: "operator-list", Type: "string"}}
	g := &graph.JobGraph{Version: graph.Version, Name: "test", Protocol: control.ProtocolVersion, Regions: true, Config: config, MaxParallelism: 128,
		Program: &graph.Program{Sha256: strings.Repeat("1", 64), Name: "prog"},
		Vertices: []*graph.Vertex{
			{Id: s, Name: "Source: in", Parallelism: p, MaxParallelism: 128, SlotSharingGroup: "default", Source: true,
				Operators: []*graph.Operator{{Id: s, Uid: "in", Kind: "source", Name: "in", States: list}}},
			{Id: m, Name: "Map", Parallelism: p, MaxParallelism: 128, SlotSharingGroup: "default",
				Operators: []*graph.Operator{{Id: m, Uid: "map", Kind: "map", Name: "Map", Inputs: []string{s}, States: list}}}},
		Edges: []*graph.Edge{{Source: s, Target: m, Partitioning: graph.Partitioning_REBALANCE, SourceOperator: s}}}
	g.Fingerprint = graph.Fingerprint(g)
	return g
}

func (c *cluster) submit(g *graph.JobGraph) string {
	c.t.Helper()
	if err := c.jm.Submit(context.Background(), g); err != nil {
		c.t.Fatal(err)
	}
	return g.JobId
}

var everySecond = map[string]string{"execution.checkpointing.interval": "1s"}

func TestWithoutCheckpoints(t *testing.T) {
	c := newCluster(t, t.TempDir())
	c.taskManager("tm1", 2)
	c.taskManager("tm2", 2)
	id := c.submit(testJob(3, nil))
	c.running(id)
	j := c.job(id)
	if len(j.Vertices) != 2 || len(j.Vertices[0].Subtasks) != 3 || j.Vertices[0].Subtasks[0].TaskManager == "" || j.Vertices[1].Subtasks[2].IO.WriteRecords != 5 {
		t.Fatalf("%+v", j.Vertices)
	}
	if list, err := c.jm.REST().TaskManagers(context.Background()); err != nil || len(list) != 2 || list[0].FreeSlots+list[1].FreeSlots != 1 {
		t.Fatalf("%+v %v", list, err)
	}
	if err := c.jm.Submit(context.Background(), func() *graph.JobGraph { g := testJob(1, nil); g.JobId = id; return g }()); err == nil {
		t.Fatal("a job id was taken twice")
	}
	c.drain()
	res := c.result(id)
	if res.State != "FINISHED" || res.NetRuntime <= 0 {
		t.Fatalf("%+v", res)
	}
	await(c, "the end of the workers", func(*control.StopWorker) bool { return true })
	c.turn("free slots", func() bool {
		s, _ := c.jm.REST().Slots(context.Background())
		return s.FreeSlots == 4
	})
	if sums, err := c.jm.REST().JobSummaries(context.Background()); err != nil || len(sums) != 1 || sums[0].State != "FINISHED" {
		t.Fatalf("%+v %v", sums, err)
	}
}

func TestFailover(t *testing.T) {
	dir := t.TempDir()
	c := newCluster(t, dir)
	tm1 := c.taskManager("tm1", 2)
	c.taskManager("tm2", 2)
	id := c.submit(testJob(2, everySecond))
	c.running(id)
	c.turn("a checkpoint", func() bool { return c.checkpoints(id).Completed >= 2 })
	h := c.checkpoints(id)
	c.turn("the removal of the subsumed checkpoint", func() bool {
		_, err := os.Stat(filepath.Join(dir, id, "chk-1"))
		return errors.Is(err, os.ErrNotExist)
	})
	await(c, "news of a completion", func(*control.CheckpointComplete) bool { return true })

	// The worker panics: full failover, the same TaskManagers, a new worker.
	w := c.all()[0]
	w.tm.exit(w.id, 2, "exit code 2")
	c.attempt(id, 1)
	d := await(c, "a second deployment", func(d *control.DeployTasks) bool { return d.Attempt == 1 })
	if d.RestoredCheckpoint < h.LatestCompleted.ID || len(d.Tasks[0].Restore) != 1 || len(d.Tasks[0].Restore[0].Lists[0].Items) != 1 {
		t.Fatalf("%+v", d)
	}

	// A whole TaskManager is gone, without a word.
	tm1.lose()
	c.attempt(id, 2)
	if n := c.workersOn("tm2"); n == 0 {
		t.Fatal("the job does not run on the TaskManager that is left")
	}
	j := c.job(id)
	if len(j.Failures) != 2 || !strings.Contains(j.Failures[1].Message, "exit code 2") && !strings.Contains(j.Failures[0].Message, "exit code 2") {
		t.Fatalf("%+v", j.Failures)
	}
	if got := len(j.Vertices[0].Subtasks[0].Earlier); got != 2 {
		t.Fatalf("%d earlier attempts", got)
	}
	if err := c.jm.REST().Cancel(context.Background(), id); err != nil {
		t.Fatal(err)
	}
	if res := c.result(id); res.State != "CANCELED" {
		t.Fatalf("%+v", res)
	}
	if err := c.jm.REST().Cancel(context.Background(), id); err != nil {
		t.Fatal("cancelling twice is an error:", err)
	}
	if _, err := os.Stat(filepath.Join(dir, id)); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("checkpoints are left: %v", err)
	}
}

func (c *cluster) workersOn(tm string) int {
	n := 0
	for _, w := range c.all() {
		if w.tm.id == tm {
			n++
		}
	}
	return n
}

func (c *cluster) checkpoints(id string) *rest.CheckpointHistory {
	c.t.Helper()
	h, err := c.jm.REST().Checkpoints(context.Background(), id)
	if err != nil {
		c.t.Fatal(err)
	}
	return h
}

func TestStopAndResume(t *testing.T) {
	dir := t.TempDir()
	c := newCluster(t, dir)
	c.taskManager("tm1", 2)
	c.taskManager("tm2", 2)
	id := c.submit(testJob(2, everySecond))
	c.running(id)
	sp, err := c.jm.REST().Savepoint(context.Background(), id, rest.SavepointOptions{})
	if err != nil || !strings.Contains(sp, "/sp/savepoint-"+id[:6]+"-") {
		t.Fatalf("%q %v", sp, err)
	}
	path, err := c.jm.REST().Stop(context.Background(), id, rest.StopOptions{Directory: dir + "/other", Drain: true})
	if err != nil || !strings.HasPrefix(path, "file:") {
		t.Fatalf("%q %v", path, err)
	}
	if tr := await(c, "the trigger", func(tr *control.TriggerCheckpoint) bool { return tr.Kind == "stop" }); !tr.Drain || tr.Format != "canonical" {
		t.Fatalf("%+v", tr)
	}
	if res := c.result(id); res.State != "FINISHED" {
		t.Fatalf("%+v", res)
	}

	g := testJob(3, everySecond)
	g.Restore = &graph.SavepointRestore{Path: path}
	id = c.submit(g)
	c.running(id)
	items := 0
	for seen := 0; seen < 3; { // three subtasks of the map
		d := await(c, "a deployment", func(d *control.DeployTasks) bool { return d.RestoredCheckpoint > 0 })
		for _, task := range d.Tasks {
			if task.Task.VertexId[0] == 'b' {
				seen++
				items += len(task.Restore[0].Lists[0].Items)
			}
		}
	}
	if items != 2 {
		t.Fatalf("%d items were restored, 2 were saved", items)
	}

	// What does not fit is refused before anything starts.
	other := testJob(1, nil)
	for _, v := range other.Vertices {
		old := v.Id
		v.Id = strings.Repeat("c", 31) + old[:1]
		v.Operators[0].Id = v.Id
	}
	other.Vertices[1].Operators[0].Inputs = []string{other.Vertices[0].Id}
	other.Edges[0].Source, other.Edges[0].Target, other.Edges[0].SourceOperator = other.Vertices[0].Id, other.Vertices[1].Id, other.Vertices[0].Id
	other.Restore = &graph.SavepointRestore{Path: path}
	if err := c.jm.Submit(context.Background(), other); err == nil || !strings.Contains(err.Error(), "another program") {
		t.Fatal(err)
	}
	for path, want := range map[string]string{dir + "/nothing": "cannot find checkpoint or savepoint", dir: "cannot find meta data"} {
		g := testJob(1, nil)
		g.Restore = &graph.SavepointRestore{Path: path}
		if err := c.jm.Submit(context.Background(), g); err == nil || !strings.Contains(err.Error(), want) {
			t.Fatal(err)
		}
	}
	if err := c.jm.REST().DisposeSavepoint(context.Background(), sp); err != nil {
		t.Fatal(err)
	}
	if err := c.jm.REST().DisposeSavepoint(context.Background(), sp); err == nil {
		t.Fatal("disposed of twice")
	}
}

func TestFinalCheckpoint(t *testing.T) {
	c := newCluster(t, t.TempDir())
	c.taskManager("tm1", 2)
	id := c.submit(testJob(2, map[string]string{"execution.checkpointing.interval": "1h"}))
	c.running(id)
	c.drain()
	done := await(c, "the final completion", func(x *control.CheckpointComplete) bool { return x.Final })
	if res := c.result(id); res.State != "FINISHED" || done.CheckpointId != 1 {
		t.Fatalf("%+v %+v", res, done)
	}
}

func TestOtherGraph(t *testing.T) {
	c := newCluster(t, t.TempDir())
	c.behave.fingerprint = "other"
	c.taskManager("tm1", 2)
	id := c.submit(testJob(1, everySecond)) // would restart for ever
	res := c.result(id)
	if res.State != "FAILED" || !strings.Contains(res.Failure.Message, "another graph") || !strings.Contains(res.Failure.Message, "+ vertex other") {
		t.Fatalf("%+v", res.Failure)
	}
}

func TestTolerableFailures(t *testing.T) {
	c := newCluster(t, t.TempDir())
	c.behave.silentAcks = true
	c.taskManager("tm1", 2)
	id := c.submit(testJob(1, map[string]string{"execution.checkpointing.interval": "1s", "execution.checkpointing.timeout": "3s",
		"execution.checkpointing.tolerable-failed-checkpoints": "1", "restart-strategy.type": "none"}))
	res := c.result(id)
	if res.State != "FAILED" || !strings.Contains(res.Failure.Message, "tolerable failure threshold (1)") || !strings.Contains(res.Failure.Message, "Map (1/1)") {
		t.Fatalf("%+v", res.Failure)
	}
	if h := c.checkpoints(id); h.Failed != 2 || h.Completed != 0 {
		t.Fatalf("%+v", h)
	}
}

func TestNoSlots(t *testing.T) {
	c := newCluster(t, t.TempDir(), func(o *Options) { conf.SlotRequestTimeout.Set(o.Conf, 5e9) })
	c.taskManager("tm1", 2)
	id := c.submit(testJob(3, nil))
	if res := c.result(id); res.State != "FAILED" || !strings.Contains(res.Failure.Message, "needs 3 slots") {
		t.Fatalf("%+v", res.Failure)
	}
}

// provider records what the JobManager wants.
type provider struct {
	mu         sync.Mutex
	declared   int
	registered []string
	released   []string
}

func (p *provider) Registered(id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.registered = append(p.registered, id)
}

func (p *provider) Declare(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.declared = n
}

func (p *provider) Release(id, _ string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.released = append(p.released, id)
}

func (p *provider) state() (int, string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.declared, strings.Join(p.released, " ")
}

func TestElastic(t *testing.T) {
	p := &provider{}
	c := newCluster(t, t.TempDir(), func(o *Options) { o.Provider = p })
	id := c.submit(testJob(3, nil))
	c.turn("a wish for TaskManagers", func() bool { n, _ := p.state(); return n == 2 })
	c.taskManager("tm1", 2)
	c.taskManager("tm2", 2)
	c.running(id)
	p.mu.Lock()
	if slices.Sort(p.registered); !slices.Equal(p.registered, []string{"tm1", "tm2"}) {
		t.Errorf("the provider heard of %v", p.registered)
	}
	p.mu.Unlock()
	c.drain()
	c.result(id)
	c.turn("the release of both", func() bool {
		n, r := p.state()
		return n == 0 && strings.Contains(r, "tm1") && strings.Contains(r, "tm2")
	})
	await(c, "the word to go", func(*control.Shutdown) bool { return true })
}

func TestRefusals(t *testing.T) {
	c := newCluster(t, t.TempDir())
	conn := c.dial()
	defer conn.Close()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	client := control.NewJobManagerClient(conn)
	tm, err := client.TaskManager(ctx)
	if err != nil {
		t.Fatal(err)
	}
	_ = tm.Send(&control.TaskManagerEvent{Event: &control.TaskManagerEvent_Register{Register: &control.RegisterTaskManager{Protocol: 99, Id: "x", Host: "h", Slots: 1}}})
	if r, err := tm.Recv(); err != nil || !strings.Contains(r.GetRegistered().GetRefused(), "worker protocol 99") {
		t.Fatal(r, err)
	}
	w, err := client.Worker(ctx)
	if err != nil {
		t.Fatal(err)
	}
	_ = w.Send(&control.WorkerEvent{Event: &control.WorkerEvent_Register{Register: &control.RegisterWorker{Protocol: control.ProtocolVersion, WorkerId: "w", JobId: "gone"}}})
	if r, err := w.Recv(); err != nil || !strings.Contains(r.GetRegistered().GetRefused(), "earlier JobManager") {
		t.Fatal(r, err)
	}
	fetch, err := client.FetchProgram(ctx, &control.FetchProgramRequest{Sha256: "../x"})
	if err == nil {
		_, err = fetch.Recv()
	}
	if err == nil || !strings.Contains(err.Error(), "no SHA-256") {
		t.Fatal(err)
	}
	// Who does not know the secret gets nothing.
	c.secret = control.Secret("wrong")
	foreign := c.dial()
	defer foreign.Close()
	if f, err := control.NewJobManagerClient(foreign).FetchProgram(ctx, &control.FetchProgramRequest{}); err == nil {
		if _, err = f.Recv(); err == nil {
			t.Fatal("served without the secret")
		}
	}
	for name, g := range map[string]*graph.JobGraph{
		"no operators":  {Version: graph.Version, Name: "x", Protocol: control.ProtocolVersion},
		"protocol":      func() *graph.JobGraph { g := testJob(1, nil); g.Protocol = 7; return g }(),
		"configuration": testJob(1, map[string]string{"execution.checkpointing.interval": "soon"}),
		"file system":   testJob(1, map[string]string{"execution.checkpointing.dir": "s3://bucket/x"}),
	} {
		var e *rest.Error
		if err := c.jm.Submit(ctx, g); !errors.As(err, &e) || e.Status != 400 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestLogs(t *testing.T) {
	c := newCluster(t, t.TempDir())
	c.taskManager("tm1", 1)
	r := c.jm.REST()
	list, err := r.TaskManagerLogs(context.Background(), "tm1")
	if err != nil || len(list) != 1 || list[0].Size != 600000 {
		t.Fatalf("%+v %v", list, err)
	}
	f, err := r.TaskManagerLog(context.Background(), "tm1", "taskmanager.log")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if b, err := io.ReadAll(f); err != nil || len(b) != 600000 {
		t.Fatalf("%d bytes, %v", len(b), err)
	}
	if _, err := r.TaskManagerLog(context.Background(), "tm1", "x"); err == nil {
		t.Fatal("a file that is not there was opened")
	}
}

func TestHeartbeats(t *testing.T) {
	c := newCluster(t, t.TempDir(), func(o *Options) { conf.HeartbeatTimeout.Set(o.Conf, 12e9) })
	tm := c.taskManager("tm1", 1)
	tm.mu.Lock() // it hangs: nothing is sent any more
	c.turn("the loss of the TaskManager", func() bool {
		l, _ := c.jm.REST().TaskManagers(context.Background())
		return len(l) == 0
	})
	tm.mu.Unlock()
}

func TestShutdown(t *testing.T) {
	store, _ := openHA(t, t.TempDir(), 1)
	c := newCluster(t, t.TempDir(), func(o *Options) { o.HA = store })
	c.taskManager("tm1", 2)
	id := c.submit(testJob(1, everySecond))
	c.running(id)
	if err := c.jm.REST().Shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}
	<-c.jm.Stopping()
	if err := c.jm.Shutdown(context.Background(), StatusSucceeded); err != nil {
		t.Fatal(err)
	}
	await(c, "the word to go", func(*control.Shutdown) bool { return true })
	<-c.jm.Done()
}
