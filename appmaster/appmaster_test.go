package appmaster

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"goflink/appmaster/spec"
	"goflink/conf"
	"goflink/control"
	"goflink/hadooprpc"
	"goflink/jobmanager/rest"
	"goflink/yarnrpc"
	"goflink/yarnrpc/yarntest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// cluster is a fake YARN with one application whose ApplicationMaster runs in
// this process.
type cluster struct {
	*yarntest.Cluster
	t      *testing.T
	id     yarnrpc.ApplicationID
	client *yarnrpc.Client
	dir    string
	secret control.Secret
	ended  chan error
	stop   context.CancelFunc
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	y, err := yarntest.Start(yarntest.Options{Nodes: 3})
	if err != nil {
		t.Fatal(err)
	}
	c := &cluster{Cluster: y, t: t, dir: t.TempDir(), secret: control.Secret(strings.Repeat("s", control.SecretSize))}
	t.Cleanup(func() { _ = y.Close() })
	if c.client, err = yarnrpc.NewClient(yarnrpc.ClientOptions{Conf: y.Conf(), User: "alice"}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.client.Close() })
	ctx := t.Context()
	app, err := c.client.NewApplication(ctx)
	if err != nil {
		t.Fatal(err)
	}
	c.id = app.ID
	if err := os.Mkdir(filepath.Join(c.dir, "app"), 0o700); err != nil { // the client's work
		t.Fatal(err)
	}
	_, err = c.client.Submit(ctx, yarnrpc.Submission{ID: c.id, Name: "test", Queue: "default",
		Resource: yarnrpc.Resource{MemoryMB: 1024, VCores: 1}, AM: yarnrpc.LaunchContext{Command: "true"}, MaxAttempts: 2})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// start runs the current attempt's ApplicationMaster.
func (c *cluster) start(settings map[string]string) {
	c.t.Helper()
	attempt, token, err := c.AMToken(c.id)
	if err != nil {
		c.t.Fatal(err)
	}
	settings["taskmanager.numberOfTaskSlots"] = "2"
	env := &environment{
		container: yarnrpc.ContainerID{Attempt: attempt, ID: 1}, host: "127.0.0.1", logDir: filepath.Join(c.dir, "log"), user: "alice",
		app: &spec.Application{ApplicationID: c.id.String(), Mode: spec.SessionMode, Name: "test", User: "alice",
			Dir: "file://" + filepath.Join(c.dir, "app"), StagingDir: "file://" + c.dir},
		conf: conf.FromMap(settings), hadoop: c.Conf(), credentials: &hadooprpc.Credentials{}, secret: c.secret, amToken: token,
	}
	ctx, cancel := context.WithCancel(context.Background())
	c.stop, c.ended = cancel, make(chan error, 1)
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	go func() { c.ended <- run(ctx, env, filepath.Join(c.dir, attempt.String()), log) }()
}

// wait polls until ok.
func (c *cluster) wait(what string, ok func() bool) {
	c.t.Helper()
	deadline := time.After(20 * time.Second)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			c.t.Fatalf("%s: not within 20 s; live containers: %v", what, c.Live())
		}
	}
}

// workers are the containers in which something runs.
func (c *cluster) workers() []yarntest.Info {
	var out []yarntest.Info
	for _, i := range c.Live() {
		if i.State == yarnrpc.ContainerRunning {
			out = append(out, i)
		}
	}
	return out
}

// shutdown asks for the cluster's end as yarn-session.sh does.
func (c *cluster) shutdown() {
	c.t.Helper()
	r, err := c.client.Report(c.t.Context(), c.id)
	if err != nil {
		c.t.Fatal(err)
	}
	req, err := http.NewRequest(http.MethodDelete, r.OriginalTrackingURL+"/cluster", nil)
	if err != nil {
		c.t.Fatal(err)
	}
	rest.Sign(req, c.secret, rest.BodyDigest(nil), time.Now())
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	resp.Body.Close()
	http.DefaultClient.CloseIdleConnections()
	if err := <-c.ended; err != nil {
		c.t.Fatal(err)
	}
	if r, err = c.client.Report(c.t.Context(), c.id); err != nil || r.FinalStatus != yarnrpc.FinalSucceeded {
		c.t.Errorf("final status %s, %v", r.FinalStatus, err)
	}
	if left := c.workers(); len(left) > 0 {
		c.t.Errorf("%d containers were left behind", len(left))
	}
}

func TestSessionKeepsItsTaskManagers(t *testing.T) {
	c := newCluster(t)
	c.OverAllocate(2)
	c.start(map[string]string{"slotmanager.number-of-slots.min": "6"})
	c.wait("three TaskManagers", func() bool { return len(c.workers()) == 3 && len(c.Live()) == 3 })
	for _, w := range c.workers() {
		if w.Env[spec.EnvJobManager] == "" || strings.Contains(w.Command+strings.Join(values(w.Env), " "), string(c.secret)) {
			t.Errorf("container %s: environment %v", w.ID, w.Env)
		}
	}
	lost := c.workers()[0]
	if err := c.Complete(lost.ID, 137, "killed by hand"); err != nil {
		t.Fatal(err)
	}
	c.wait("the lost one is replaced", func() bool {
		ws := c.workers()
		return len(ws) == 3 && ws[0].ID != lost.ID && ws[1].ID != lost.ID && ws[2].ID != lost.ID
	})
	if err := c.RestartRM(); err != nil {
		t.Fatal(err)
	}
	if err := c.Complete(c.workers()[0].ID, 1, "after the restart"); err != nil {
		t.Fatal(err)
	}
	c.wait("replaced after a restart of the ResourceManager", func() bool { return len(c.workers()) == 3 })
	c.shutdown()
}

func values(m map[string]string) []string {
	var out []string
	for _, v := range m {
		out = append(out, v)
	}
	return out
}

func TestStartsAreRepeated(t *testing.T) {
	c := newCluster(t)
	c.FailStarts(2, "java.io.IOException", "disk is broken")
	c.start(map[string]string{"slotmanager.number-of-slots.min": "4"})
	c.wait("two TaskManagers in spite of failed starts", func() bool { return len(c.workers()) == 2 })
	c.shutdown()
}

func TestNextAttemptTakesOver(t *testing.T) {
	c := newCluster(t)
	c.start(map[string]string{})
	first := c.ended
	c.wait("registration", func() bool {
		r, err := c.client.Report(t.Context(), c.id)
		return err == nil && r.State == yarnrpc.AppRunning
	})
	if err := c.FailAttempt(c.id); err != nil {
		t.Fatal(err)
	}
	if err := <-first; !errors.Is(err, yarnrpc.ErrAttemptEnded) {
		t.Errorf("the first attempt ended with %v", err)
	}
	c.wait("a second attempt", func() bool {
		a, _, err := c.AMToken(c.id)
		return err == nil && a.Attempt == 2
	})
	c.start(map[string]string{})
	c.wait("registration", func() bool {
		r, err := c.client.Report(t.Context(), c.id)
		return err == nil && r.State == yarnrpc.AppRunning && r.OriginalTrackingURL != ""
	})
	c.shutdown()
}

func TestContainerTooLarge(t *testing.T) {
	c := newCluster(t)
	c.start(map[string]string{"taskmanager.memory.process.size": "100g"})
	if err := <-c.ended; err == nil || !strings.Contains(err.Error(), "taskmanager.memory.process.size") {
		t.Errorf("error %v", err)
	}
}

func TestProgress(t *testing.T) {
	if p := progressOf(nil); p != 0 {
		t.Errorf("without jobs: %v", p)
	}
	jobs := []rest.JobSummary{{Tasks: map[string]int{"RUNNING": 1, "FINISHED": 2}}, {Tasks: map[string]int{"FINISHED": 1}}}
	if p := progressOf(jobs); p != 0.75 {
		t.Errorf("3 of 4 tasks are done: %v", p)
	}
}
