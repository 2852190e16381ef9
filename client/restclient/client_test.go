package restclient

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"goflink/conf"
	"goflink/graph"
	"goflink/jobmanager/rest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const jobID = "7d3f76bd584e0584db4c89ec072bbdd7"

var secret = []byte("0123456789abcdef0123456789abcdef")

// fakeCluster has one job, which ends when it is cancelled or stopped.
type fakeCluster struct {
	rest.Cluster // what is not used here
	mu           sync.Mutex
	state        string
	expires      time.Time
	shutdown     bool
	submissions  []string
}

func (f *fakeCluster) set(state string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.state = state
}

func (f *fakeCluster) JobSummaries(context.Context) ([]rest.JobSummary, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return []rest.JobSummary{{ID: jobID, Name: "job", State: f.state, Start: time.UnixMilli(5)}}, nil
}

func (f *fakeCluster) Job(ctx context.Context, id string) (*rest.Job, error) {
	if id != jobID {
		return nil, rest.JobNotFound(id)
	}
	all, err := f.JobSummaries(ctx)
	return &rest.Job{JobSummary: all[0]}, err
}

func (f *fakeCluster) JobResult(_ context.Context, id string) (*rest.JobResult, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.state == "RUNNING" {
		return nil, nil
	}
	return &rest.JobResult{State: f.state, NetRuntime: time.Second}, nil
}

func (f *fakeCluster) Cancel(context.Context, string) error {
	f.set("CANCELED")
	return nil
}

func (f *fakeCluster) Savepoint(_ context.Context, _ string, o rest.SavepointOptions) (string, error) {
	if o.Directory == "" {
		return "", errors.New("no savepoint folder is configured")
	}
	return o.Directory + "/savepoint-1", nil
}

func (f *fakeCluster) Stop(ctx context.Context, id string, o rest.StopOptions) (string, error) {
	f.set("FINISHED")
	return f.Savepoint(ctx, id, rest.SavepointOptions{Directory: o.Directory})
}

func (f *fakeCluster) Checkpoint(context.Context, string, rest.CheckpointKind) (int64, error) {
	return 8, nil
}

func (f *fakeCluster) DisposeSavepoint(_ context.Context, path string) error {
	if path != "/s" {
		return rest.NotFound("there is no savepoint at %s", path)
	}
	return nil
}

func (f *fakeCluster) ClientHeartbeat(_ context.Context, _ string, expires time.Time) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.expires = expires
	return nil
}

func (f *fakeCluster) Submit(_ context.Context, g *graph.JobGraph) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, id := range f.submissions {
		if id == g.GetJobId() {
			return "", rest.Conflict("job %s was submitted already", id)
		}
	}
	f.submissions = append(f.submissions, g.GetJobId())
	return g.GetJobId(), nil
}

func (f *fakeCluster) Slots(context.Context) (rest.SlotOverview, error) {
	return rest.SlotOverview{TaskManagers: 3}, nil
}

func (f *fakeCluster) TaskManagers(context.Context) ([]rest.TaskManager, error) {
	return []rest.TaskManager{{ID: "host:1/a b", Slots: 4}}, nil
}

func (f *fakeCluster) Shutdown(context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.shutdown = true
	return nil
}

// start serves a fake cluster behind wrap, which may be nil.
func start(t *testing.T, wrap func(http.Handler) http.Handler) (*Client, *fakeCluster, *rest.ProgramDir) {
	t.Helper()
	store, err := rest.NewProgramDir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	cluster := &fakeCluster{state: "RUNNING"}
	s := rest.New(rest.Options{Cluster: cluster, Programs: store, Authenticate: rest.SecretAuthenticator(secret, nil, time.Now),
		Config: conf.FromMap(map[string]string{"a.secret": "x", "b": "y"}), Log: slog.New(slog.DiscardHandler)})
	var h http.Handler = s
	if wrap != nil {
		h = wrap(s)
	}
	ts := httptest.NewServer(h)
	c, err := New(Options{Base: ts.URL + "/", Secret: secret, Attempts: 3, RetryDelay: time.Millisecond, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Close()
		ts.Close()
		if err := s.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return c, cluster, store
}

func TestJobs(t *testing.T) {
	c, cluster, _ := start(t, nil)
	ctx := context.Background()
	jobs, err := c.Jobs(ctx)
	if err != nil || len(jobs) != 1 || jobs[0].ID != jobID || jobs[0].StartTime != 5 {
		t.Errorf("jobs %+v, %v", jobs, err)
	}
	if state, err := c.JobStatus(ctx, jobID); err != nil || state != "RUNNING" {
		t.Errorf("state %q, %v", state, err)
	}
	if r, err := c.Result(ctx, jobID); err != nil || r != nil {
		t.Errorf("result %+v, %v", r, err)
	}
	if err := c.Heartbeat(ctx, jobID, time.Hour); err != nil || time.Until(cluster.expires) < 59*time.Minute {
		t.Errorf("heartbeat %v, %v", cluster.expires, err)
	}
	if path, err := savepoint(c, "hdfs:///s"); err != nil || path != "hdfs:///s/savepoint-1" {
		t.Errorf("savepoint %q, %v", path, err)
	}
	var failed *OperationError
	if _, err := savepoint(c, ""); !errors.As(err, &failed) || !IsAnswer(err) || err.Error() != "no savepoint folder is configured" {
		t.Errorf("failed savepoint: %v", err)
	}
	if n, err := c.Checkpoint(ctx, jobID, rest.CheckpointFull); err != nil || n != 8 {
		t.Errorf("checkpoint %d, %v", n, err)
	}
	if err := c.Dispose(ctx, "/s"); err != nil {
		t.Errorf("disposal: %v", err)
	}
	if err := c.Dispose(ctx, "/x"); err == nil || err.Error() != "there is no savepoint at /x" {
		t.Errorf("disposal of nothing: %v", err)
	}
	trigger, err := c.Stop(ctx, jobID, rest.StopOptions{Directory: "/d", Drain: true, Native: true})
	if err != nil {
		t.Fatal(err)
	}
	if path, err := c.AwaitSavepoint(ctx, jobID, trigger); err != nil || path != "/d/savepoint-1" {
		t.Errorf("stop %q, %v", path, err)
	}
	if r, err := c.AwaitResult(ctx, jobID); err != nil || r.Status != rest.ApplicationSucceeded || r.NetRuntime != 1000 {
		t.Errorf("result %+v, %v", r, err)
	}
}

func savepoint(c *Client, dir string) (string, error) {
	trigger, err := c.Savepoint(context.Background(), jobID, rest.SavepointOptions{Directory: dir})
	if err != nil {
		return "", err
	}
	return c.AwaitSavepoint(context.Background(), jobID, trigger)
}

func TestAwaitResult(t *testing.T) {
	c, cluster, _ := start(t, nil)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := c.AwaitResult(ctx, jobID); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end of the context: %v", err)
	}
	if err := c.Cancel(context.Background(), jobID); err != nil {
		t.Fatal(err)
	}
	if r, err := c.AwaitResult(context.Background(), jobID); err != nil || r.Status != rest.ApplicationCanceled {
		t.Errorf("result %+v, %v (state %s)", r, err, cluster.state)
	}
}

func TestCluster(t *testing.T) {
	c, cluster, _ := start(t, nil)
	ctx := context.Background()
	if o, err := c.Overview(ctx); err != nil || o.TaskManagers != 3 || o.JobsRunning != 1 {
		t.Errorf("overview %+v, %v", o, err)
	}
	if v, err := c.Config(ctx); err != nil || v.Version != conf.Version {
		t.Errorf("config %+v, %v", v, err)
	}
	if m, err := c.JobManagerConfig(ctx); err != nil || m["a.secret"] != "******" || m["b"] != "y" {
		t.Errorf("configuration %v, %v", m, err)
	}
	all, err := c.TaskManagers(ctx)
	if err != nil || len(all) != 1 {
		t.Fatalf("task managers %v, %v", all, err)
	}
	if tm, err := c.TaskManager(ctx, all[0].ID); err == nil || !IsNotFound(err) {
		t.Errorf("a slash in an id is no path of ours: %+v, %v", tm, err)
	}
	if err := c.Shutdown(ctx); err != nil || !cluster.shutdown {
		t.Errorf("shutdown: %v", err)
	}
}

func TestSubmitWithProgram(t *testing.T) {
	c, cluster, store := start(t, nil)
	ctx := context.Background()
	path := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(path, []byte("bytes"), 0o700); err != nil {
		t.Fatal(err)
	}
	sha := rest.BodyDigest([]byte("bytes"))
	g := &graph.JobGraph{JobId: jobID, Vertices: []*graph.Vertex{{Id: jobID}}, Program: &graph.Program{Sha256: sha}}
	if _, err := c.Submit(ctx, g); err == nil || !strings.Contains(err.Error(), "was not uploaded") {
		t.Errorf("submission without program: %v", err)
	}
	for i, want := range []bool{true, false} {
		if sent, err := c.UploadProgram(ctx, sha, path); err != nil || sent != want {
			t.Errorf("upload %d: sent %v, %v", i, sent, err)
		}
	}
	if b, err := os.ReadFile(store.Path(sha)); err != nil || string(b) != "bytes" {
		t.Errorf("stored %q, %v", b, err)
	}
	if _, err := c.UploadProgram(ctx, rest.BodyDigest([]byte("other")), path); err == nil || !strings.Contains(err.Error(), "SHA-256") {
		t.Errorf("upload under another digest: %v", err)
	}
	if id, err := c.Submit(ctx, g); err != nil || id != jobID || len(cluster.submissions) != 1 {
		t.Errorf("submission %q, %v", id, err)
	}
	if _, err := c.Submit(ctx, g); !hasStatus(err, http.StatusConflict) {
		t.Errorf("second submission: %v", err)
	}
}

// dropping lets requests arrive and closes the connection instead of answering, so many times.
func dropping(times int32, match string) func(http.Handler) http.Handler {
	var n atomic.Int32
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, match) && n.Add(1) <= times {
				next.ServeHTTP(httptest.NewRecorder(), r)
				panic(http.ErrAbortHandler)
			}
			next.ServeHTTP(w, r)
		})
	}
}

func TestLostAnswers(t *testing.T) {
	c, cluster, _ := start(t, dropping(2, "/jobs"))
	g := &graph.JobGraph{JobId: jobID, Vertices: []*graph.Vertex{{Id: jobID}}, Program: &graph.Program{Sha256: rest.BodyDigest(nil), Uri: "hdfs:///p"}}
	if id, err := c.Submit(context.Background(), g); err != nil || id != jobID || len(cluster.submissions) != 1 {
		t.Errorf("submission %q, %v, %d times", id, err, len(cluster.submissions))
	}
	c, _, _ = start(t, dropping(2, "/savepoints"))
	if path, err := savepoint(c, "/s"); err != nil || path != "/s/savepoint-1" {
		t.Errorf("savepoint %q, %v", path, err)
	}
	c, _, _ = start(t, dropping(100, "/overview"))
	if _, err := c.Overview(context.Background()); err == nil || IsAnswer(err) || !strings.Contains(err.Error(), "does not answer") {
		t.Errorf("no answer at all: %v", err)
	}
}

func TestUnreachable(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	base := "http://" + l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	c, err := New(Options{Base: base, Attempts: 2, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Jobs(context.Background()); err == nil || IsAnswer(err) || !strings.Contains(err.Error(), "the JobManager at "+base+" does not answer: dial tcp") {
		t.Errorf("error %v", err)
	}
	for _, bad := range []string{"", "localhost:8081", "ftp://x", "http://"} {
		if _, err := New(Options{Base: bad}); err == nil {
			t.Errorf("address %q is taken", bad)
		}
	}
}

func TestAnswersOfOthers(t *testing.T) {
	answer := func(status int, text string) *Client {
		ts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(status)
			if _, err := io.WriteString(w, text); err != nil {
				t.Error(err)
			}
		}))
		c, err := New(Options{Base: ts.URL, MaxContent: 1000})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close(); ts.Close() })
		return c
	}
	for _, tc := range []struct {
		status int
		text   string
		want   string
	}{
		{404, `{"errors":["Job x not found"]}`, "Job x not found"},
		{500, `{"errors":["Internal server error.","the disk is full"]}`, "the disk is full"},
		{502, "<html>Bad gateway</html>", "status 502: <html>Bad gateway"},
		{503, "", "status 503 (Service Unavailable)"},
		{200, "<html>", "like a JobManager"},
		{302, "", "status 302"},
	} {
		_, err := answer(tc.status, tc.text).Overview(context.Background())
		if err == nil || !IsAnswer(err) || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%d %q: %v", tc.status, tc.text, err)
		}
	}
	if _, err := answer(200, strings.Repeat(" ", 2000)).Overview(context.Background()); err == nil || !strings.Contains(err.Error(), "rest.client.max-content-length") {
		t.Errorf("large answer: %v", err)
	}
}

func TestWrongSecret(t *testing.T) {
	c, cluster, _ := start(t, nil)
	c.o.Secret = []byte("wrong")
	if err := c.Cancel(context.Background(), jobID); !hasStatus(err, http.StatusUnauthorized) || cluster.state != "RUNNING" {
		t.Errorf("error %v", err)
	}
}

func TestOptionsFrom(t *testing.T) {
	o := OptionsFrom("http://h:1", conf.FromMap(map[string]string{"rest.retry.max-attempts": "4", "rest.retry.delay": "1 s", "client.timeout": "9 s"}))
	if o.Attempts != 5 || o.RetryDelay != time.Second || o.Timeout != 9*time.Second || o.MaxContent != 104857600 {
		t.Errorf("options %+v", o)
	}
}
