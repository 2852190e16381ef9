package yarnrpc_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"goflink/hadooprpc"
	"goflink/yarnrpc"
	"goflink/yarnrpc/yarntest"
)

func startCluster(t *testing.T, o yarntest.Options) *yarntest.Cluster {
	t.Helper()
	c, err := yarntest.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func testContext(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func newClient(t *testing.T, c *yarntest.Cluster) *yarnrpc.Client {
	t.Helper()
	cl, err := yarnrpc.NewClient(yarnrpc.ClientOptions{Conf: c.Conf(), User: "alice", MaxWait: 5 * time.Second, Poll: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cl.Close() })
	return cl
}

// fixture is an application on a fake cluster whose ApplicationMaster the test plays.
type fixture struct {
	*yarntest.Cluster
	ctx    context.Context
	t      *testing.T
	client *yarnrpc.Client
	id     yarnrpc.ApplicationID
	am     *yarnrpc.AM
	nm     *yarnrpc.NM
}

func newFixture(t *testing.T, o yarntest.Options) *fixture {
	t.Helper()
	f := &fixture{Cluster: startCluster(t, o), ctx: testContext(t), t: t}
	f.client = newClient(t, f.Cluster)
	app, err := f.client.NewApplication(f.ctx)
	if err != nil {
		t.Fatal(err)
	}
	f.id = app.ID
	r, err := f.client.Submit(f.ctx, yarnrpc.Submission{
		ID: app.ID, Name: "test", Type: "Apache Flink", Queue: "default", Tags: []string{"A"},
		Resource: yarnrpc.Resource{MemoryMB: 512, VCores: 1}, KeepContainers: true,
	})
	if err != nil || r.State != yarnrpc.AppAccepted {
		t.Fatalf("submitted as %+v, %v", r, err)
	}
	f.newAttempt()
	return f
}

// newAttempt makes the clients of the current attempt and registers.
func (f *fixture) newAttempt() yarnrpc.Registered {
	f.t.Helper()
	_, token, err := f.AMToken(f.id)
	if err != nil {
		f.t.Fatal(err)
	}
	f.am, err = yarnrpc.NewAM(yarnrpc.AMOptions{Conf: f.Conf(), Token: token, MaxWait: 5 * time.Second})
	if err != nil {
		f.t.Fatal(err)
	}
	am := f.am
	f.t.Cleanup(func() { _ = am.Close() })
	f.nm, err = yarnrpc.NewNM(yarnrpc.NMOptions{Conf: f.Conf(), Token: f.am.NMToken, MaxWait: 2 * time.Second})
	if err != nil {
		f.t.Fatal(err)
	}
	r, err := f.am.Register(f.ctx, yarnrpc.Registration{Host: "127.0.0.1", Port: 8081, TrackingURL: "http://127.0.0.1:8081"})
	if err != nil {
		f.t.Fatal(err)
	}
	return r
}

func (f *fixture) beat() yarnrpc.Update {
	f.t.Helper()
	u, err := f.am.Allocate(f.ctx, 0.5)
	if err != nil {
		f.t.Fatal(err)
	}
	return u
}

// beatUntil makes heartbeats until n containers have come.
func (f *fixture) beatUntil(n int) []yarnrpc.Container {
	f.t.Helper()
	var out []yarnrpc.Container
	for range 50 {
		if out = append(out, f.beat().Allocated...); len(out) >= n {
			return out
		}
	}
	f.t.Fatalf("%d containers in 50 heartbeats, expected %d", len(out), n)
	return nil
}

func (f *fixture) start(c yarnrpc.Container) {
	f.t.Helper()
	if err := f.nm.Start(f.ctx, c, yarnrpc.LaunchContext{Command: "true"}); err != nil {
		f.t.Fatal(err)
	}
}

var small = yarnrpc.Resource{MemoryMB: 100, VCores: 1}

func TestApplicationLife(t *testing.T) {
	f := newFixture(t, yarntest.Options{})
	r, err := f.client.Report(f.ctx, f.id)
	if err != nil || r.State != yarnrpc.AppRunning || r.Host != "127.0.0.1" || r.RPCPort != 8081 || r.OriginalTrackingURL != "http://127.0.0.1:8081" || r.User != "alice" {
		t.Fatalf("report %+v, %v", r, err)
	}
	f.am.SetAsk(1, small, 3)
	got := f.beatUntil(3)
	if f.am.Outstanding(1) != 0 || f.Outstanding(f.id) != 0 {
		t.Errorf("still outstanding: %d, %d", f.am.Outstanding(1), f.Outstanding(f.id))
	}
	f.start(got[0])
	f.start(got[0]) // a repeated start is no error
	f.start(got[1])
	if st, err := f.nm.Status(f.ctx, got[0].Node, got[0].ID); err != nil || st.State != yarnrpc.ContainerRunning {
		t.Errorf("status %+v, %v", st, err)
	}
	f.am.Release(got[2].ID)
	if err := f.nm.Stop(f.ctx, got[0].Node, got[0].ID); err != nil {
		t.Fatal(err)
	}
	ends := f.beat().Completed
	if len(ends) != 2 || len(f.Live()) != 1 {
		t.Errorf("ends %v, live %v", ends, f.Live())
	}
	f.am.SetTrackingURL("http://127.0.0.1:9")
	f.beat()
	if err := f.am.Finish(f.ctx, yarnrpc.FinalSucceeded, "done", ""); err != nil {
		t.Fatal(err)
	}
	r, err = f.client.Report(f.ctx, f.id)
	if err != nil || r.State != yarnrpc.AppFinished || r.FinalStatus != yarnrpc.FinalSucceeded || r.Diagnostics != "done" || r.OriginalTrackingURL != "http://127.0.0.1:9" {
		t.Errorf("report %+v, %v", r, err)
	}
	if _, err := f.am.Allocate(f.ctx, 1); !errors.Is(err, yarnrpc.ErrAttemptEnded) {
		t.Errorf("heartbeat after the end: %v", err)
	}
}

func TestLostAnswersAllocateNothingTwice(t *testing.T) {
	f := newFixture(t, yarntest.Options{})
	f.am.SetAsk(1, small, 4)
	f.DropAnswers(2)
	f.beat()
	f.DropAnswers(1)
	got := f.beatUntil(4)
	f.am.Release(got[0].ID)
	f.DropAnswers(1)
	if u := f.beat(); len(u.Completed) != 1 {
		t.Errorf("ends %v", u.Completed)
	}
	f.beat()
	if n := len(f.Containers()); n != 5 {
		t.Errorf("%d containers were made, expected 4 and the master's", n)
	}
}

// A heartbeat that fails for good is sent again before anything new: what it had asked for is neither lost nor
// doubled, and asks made meanwhile come after it.
func TestSameBeat(t *testing.T) {
	f := newFixture(t, yarntest.Options{})
	f.am.SetAsk(1, small, 2)
	ctx, cancel := context.WithTimeout(f.ctx, 300*time.Millisecond)
	defer cancel()
	f.DropAnswers(1 << 20)
	if _, err := f.am.Allocate(ctx, 0); err == nil {
		t.Fatal("heartbeat without an answer succeeded")
	}
	f.DropAnswers(0)
	f.am.SetAsk(1, small, 3)
	f.beatUntil(3)
	for range 3 {
		f.beat()
	}
	if n := len(f.Live()); n != 3 {
		t.Errorf("%d containers, expected 3", n)
	}
}

func TestAsksAreAbsolute(t *testing.T) {
	f := newFixture(t, yarntest.Options{})
	f.HoldAllocations(true)
	f.am.SetAsk(1, small, 5)
	f.am.SetAsk(2, yarnrpc.Resource{MemoryMB: 200, VCores: 2}, 1)
	f.beat()
	f.am.SetAsk(1, small, 2)
	f.beat()
	if n := f.Outstanding(f.id); n != 3 {
		t.Errorf("the ResourceManager knows of %d, expected 3", n)
	}
	f.am.SetAsk(1, yarnrpc.Resource{MemoryMB: 300, VCores: 1}, 2) // another size under the same priority replaces it
	f.beat()
	if n := f.Outstanding(f.id); n != 3 {
		t.Errorf("the ResourceManager knows of %d, expected 3", n)
	}
	f.HoldAllocations(false)
	for _, c := range f.beatUntil(3) {
		want := map[int32]int64{1: 300, 2: 200}[c.Priority]
		if c.Resource.MemoryMB != want {
			t.Errorf("container %+v", c)
		}
	}
	f.am.SetAsk(1, small, 0)
	f.beat()
	if len(f.Live()) != 3 {
		t.Errorf("live %v", f.Live())
	}
}

func TestResourceManagerRestart(t *testing.T) {
	f := newFixture(t, yarntest.Options{})
	f.am.SetAsk(1, small, 2)
	running := f.beatUntil(2)
	f.start(running[0])
	f.start(running[1])
	f.HoldAllocations(true)
	f.am.SetAsk(1, small, 1)
	f.beat()
	if err := f.RestartRM(); err != nil {
		t.Fatal(err)
	}
	f.HoldAllocations(false)
	u := f.beat()
	if !u.Resynced || len(u.Previous) != 2 {
		t.Fatalf("update %+v", u)
	}
	got := f.beatUntil(1)
	if got[0].ID.Epoch() != 1 || !strings.HasPrefix(got[0].ID.String(), "container_e01_") {
		t.Errorf("new container %s", got[0].ID)
	}
	f.start(got[0])
	if err := f.nm.Stop(f.ctx, running[0].Node, running[0].ID); err != nil {
		t.Error(err)
	}
	if u := f.beat(); len(u.Completed) != 1 || u.Completed[0].ID != running[0].ID {
		t.Errorf("update %+v", u)
	}
	if err := f.RestartRM(); err != nil {
		t.Fatal(err)
	}
	if err := f.am.Finish(f.ctx, yarnrpc.FinalFailed, "x", ""); err != nil {
		t.Errorf("finish after a restart: %v", err)
	}
}

func TestUnreachableResourceManager(t *testing.T) {
	c := startCluster(t, yarntest.Options{Nodes: 1})
	conf := c.Conf()
	if err := c.StopRM(); err != nil {
		t.Fatal(err)
	}
	cl, err := yarnrpc.NewClient(yarnrpc.ClientOptions{Conf: conf, User: "alice", MaxWait: 300 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	start := time.Now()
	_, err = cl.NewApplication(testContext(t))
	if err == nil || !strings.Contains(err.Error(), conf.Get("yarn.resourcemanager.address")) || !strings.Contains(err.Error(), "refused") {
		t.Errorf("error %v", err)
	}
	if d := time.Since(start); d > 5*time.Second {
		t.Errorf("it took %v", d)
	}
}

func TestTokenRoll(t *testing.T) {
	f := newFixture(t, yarntest.Options{})
	f.beat()
	if err := f.RollAMRMToken(f.id); err != nil {
		t.Fatal(err)
	}
	f.beat()
	f.DropConnections() // the next connection needs the new token
	f.beat()
}

func TestNodeManagerFaults(t *testing.T) {
	f := newFixture(t, yarntest.Options{})
	f.am.SetAsk(1, small, 2)
	got := f.beatUntil(2)
	f.NodesNotReady(2)
	f.start(got[0])
	f.FailStarts(1, "org.apache.hadoop.yarn.exceptions.YarnException", "no disk")
	err := f.nm.Start(f.ctx, got[1], yarnrpc.LaunchContext{Command: "true"})
	if err == nil || !strings.Contains(err.Error(), "no disk") || !strings.Contains(err.Error(), got[1].ID.String()) {
		t.Errorf("error %v", err)
	}
	unknown := yarnrpc.NodeID{Host: "127.0.0.1", Port: 1}
	if err := f.nm.Stop(f.ctx, unknown, got[0].ID); !errors.Is(err, yarnrpc.ErrNoNMToken) {
		t.Errorf("error %v", err)
	}
	if err := f.LoseNode(got[0].Node); err != nil {
		t.Fatal(err)
	}
	u := f.beat()
	if len(u.Completed) == 0 || u.Completed[0].ExitStatus != yarnrpc.ExitAborted {
		t.Errorf("update %+v", u)
	}
}

func TestNextAttemptKeepsContainers(t *testing.T) {
	f := newFixture(t, yarntest.Options{})
	f.am.SetAsk(1, small, 2)
	got := f.beatUntil(2)
	f.start(got[0])
	if err := f.FailAttempt(f.id); err != nil {
		t.Fatal(err)
	}
	if _, err := f.am.Allocate(f.ctx, 0); !errors.Is(err, yarnrpc.ErrAttemptEnded) {
		t.Errorf("the old attempt's heartbeat: %v", err)
	}
	r := f.newAttempt()
	if len(r.Previous) != 1 || r.Previous[0].ID != got[0].ID {
		t.Fatalf("previous containers %+v", r.Previous)
	}
	if u := f.beat(); len(u.Completed) != 1 || u.Completed[0].ID != got[1].ID {
		t.Errorf("update %+v", u)
	}
	if err := f.nm.Stop(f.ctx, r.Previous[0].Node, r.Previous[0].ID); err != nil {
		t.Error(err)
	}
	if err := f.FailAttempt(f.id); err != nil {
		t.Fatal(err)
	}
	report, err := f.client.Report(f.ctx, f.id)
	if err != nil || report.State != yarnrpc.AppFailed || !strings.Contains(report.Diagnostics, "failed 2 times") {
		t.Errorf("report %+v, %v", report, err)
	}
}

func TestRefusals(t *testing.T) {
	f := newFixture(t, yarntest.Options{})
	f.am.SetAsk(1, yarnrpc.Resource{MemoryMB: 1 << 20, VCores: 1}, 1)
	if _, err := f.am.Allocate(f.ctx, 0); !errors.Is(err, yarnrpc.ErrInvalidRequest) {
		t.Errorf("error %v", err)
	}
	f.beat() // the refused ask is gone
	app, err := f.client.NewApplication(f.ctx)
	if err != nil {
		t.Fatal(err)
	}
	r, err := f.client.Submit(f.ctx, yarnrpc.Submission{ID: app.ID, Queue: "nonesuch", Resource: small})
	if err != nil || r.State != yarnrpc.AppFailed || !strings.Contains(r.Diagnostics, "unknown queue: nonesuch") {
		t.Errorf("report %+v, %v", r, err)
	}
	_, err = f.client.Submit(f.ctx, yarnrpc.Submission{ID: yarnrpc.ApplicationID{ClusterTimestamp: 1, ID: 9}, Resource: yarnrpc.Resource{MemoryMB: 1 << 20}})
	if !errors.Is(err, yarnrpc.ErrInvalidRequest) {
		t.Errorf("error %v", err)
	}
	if _, err := f.client.Report(f.ctx, yarnrpc.ApplicationID{ClusterTimestamp: 7, ID: 7}); !errors.Is(err, yarnrpc.ErrApplicationNotFound) {
		t.Errorf("error %v", err)
	}
	if err := f.client.Kill(f.ctx, f.id, "enough"); err != nil {
		t.Error(err)
	}
	if _, err := yarnrpc.NewAM(yarnrpc.AMOptions{Conf: hadooprpc.NewConf(nil)}); err == nil {
		t.Error("an ApplicationMaster without a token was made")
	}
}

func TestQueries(t *testing.T) {
	f := newFixture(t, yarntest.Options{Nodes: 3})
	if err := f.LoseNode(f.Nodes()[0]); err != nil {
		t.Fatal(err)
	}
	m, err := f.client.Metrics(f.ctx)
	if err != nil || m.Active != 2 || m.Lost != 1 {
		t.Errorf("metrics %+v, %v", m, err)
	}
	nodes, err := f.client.Nodes(f.ctx)
	if err != nil || len(nodes) != 2 {
		t.Errorf("nodes %+v, %v", nodes, err)
	}
	q, err := f.client.Queue(f.ctx, "default")
	if err != nil || q == nil || !q.Running {
		t.Errorf("queue %+v, %v", q, err)
	}
	q, err = f.client.Queue(f.ctx, "nonesuch")
	if err != nil || q != nil {
		t.Errorf("queue %+v, %v", q, err)
	}
	for want, filter := range map[int]yarnrpc.Filter{
		1: {Tags: []string{"A", "b"}, Types: []string{"Apache Flink"}, States: []yarnrpc.AppState{yarnrpc.AppRunning, yarnrpc.AppAccepted}, Users: []string{"alice"}},
		0: {Tags: []string{"c"}},
	} {
		apps, err := f.client.Applications(f.ctx, filter)
		if err != nil || len(apps) != want {
			t.Errorf("%+v found %v, %v", filter, apps, err)
		}
	}
}

// The application of the live test, as processes on the fake cluster.
func TestApplicationProcesses(t *testing.T) {
	c := startCluster(t, yarntest.Options{Processes: true, Dir: t.TempDir()})
	c.OverAllocate(2)
	put := func(files ...string) []staged {
		var out []staged
		for _, f := range files {
			fi, err := os.Stat(f)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, staged{uri: "file://" + f, info: fi})
		}
		return out
	}
	ctx := testContext(t)
	app := submitAM(ctx, t, c.Conf(), put, 0)
	app.check(ctx, t)
	if len(c.Live()) != 0 {
		t.Errorf("left over: %v", c.Live())
	}
}
