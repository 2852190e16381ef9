package jobmanager

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"goflink/conf"
	"goflink/control"
	"goflink/hdfsstore"
	"goflink/jobmanager/rest"
)

func TestMain(m *testing.M) {
	if runAsCoordinator() {
		return
	}
	goleak.VerifyTestMain(m)
}

// fakeClock is a clock that a test moves.
type fakeClock struct {
	mu     sync.Mutex
	now    time.Time
	timers []*fakeTimer
}

type fakeTimer struct {
	at time.Time
	f  func()
}

func (c *fakeClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *fakeClock) AfterFunc(d time.Duration, f func()) func() {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := &fakeTimer{c.now.Add(d), f}
	c.timers = append(c.timers, t)
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.timers = slices.DeleteFunc(c.timers, func(x *fakeTimer) bool { return x == t })
	}
}

func (c *fakeClock) advance(d time.Duration) {
	c.mu.Lock()
	c.now = c.now.Add(d)
	var due []*fakeTimer
	c.timers = slices.DeleteFunc(c.timers, func(t *fakeTimer) bool {
		if t.at.After(c.now) {
			return false
		}
		due = append(due, t)
		return true
	})
	c.mu.Unlock()
	for _, t := range due {
		t.f()
	}
}

// cluster is a JobManager with TaskManagers and workers that are scripted.
type cluster struct {
	t      *testing.T
	jm     *JobManager
	clock  *fakeClock
	secret control.Secret
	files  *hdfsstore.Resolver
	dir    string
	behave behaviour

	mu      sync.Mutex
	changed chan struct{} // closed when something was seen
	seen    []any         // commands that workers got, in order of arrival
	tms     map[string]*fakeTM
	workers map[string]*fakeWorker
	wg      sync.WaitGroup
}

// behaviour is how scripted workers differ from good ones.
type behaviour struct {
	fingerprint string // what they say they built
	silentAcks  bool   // checkpoints are never acknowledged
	hanging     bool   // a final commit does not end
}

// option changes how a cluster's JobManager is made.
type option func(*Options)

func newCluster(t *testing.T, dir string, opts ...option) *cluster {
	t.Helper()
	secret, err := control.NewSecret()
	if err != nil {
		t.Fatal(err)
	}
	c := &cluster{t: t, clock: &fakeClock{now: time.Unix(1_700_000_000, 0)}, secret: secret, dir: dir, changed: make(chan struct{}),
		files: hdfsstore.NewResolver(hdfsstore.Options{}), tms: map[string]*fakeTM{}, workers: map[string]*fakeWorker{}}
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Conf: conf.FromMap(map[string]string{"execution.checkpointing.dir": dir, "execution.checkpointing.savepoint-dir": dir + "/sp",
		"taskmanager.numberOfTaskSlots": "2"}), Secret: secret, ClusterID: "test", Epoch: 1, Files: c.files, Listener: lis, Clock: c.clock,
		Log: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug})), Random: func() float64 { return 0.5 },
		Programs: noPrograms{}}
	for _, f := range opts {
		f(&o)
	}
	if c.jm, err = New(o); err != nil {
		t.Fatal(err)
	}
	if err := c.jm.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.close)
	return c
}

func (c *cluster) close() {
	_ = c.jm.Close()
	c.mu.Lock()
	for _, tm := range c.tms {
		tm.cancel()
	}
	c.mu.Unlock()
	c.wg.Wait()
	if err := c.files.Close(); err != nil {
		c.t.Error(err)
	}
}

// noPrograms has every program.
type noPrograms struct{ rest.ProgramStore }

func (noPrograms) Stat(context.Context, string) (int64, error) { return 1, nil }

func (c *cluster) see(v any) {
	c.mu.Lock()
	c.seen = append(c.seen, v)
	close(c.changed)
	c.changed = make(chan struct{})
	c.mu.Unlock()
}

// patience is how long a test waits in real time for what must come.
const patience = 20 * time.Second

// await waits until something was seen that ok accepts, and forgets what was
// seen up to it.
func await[T any](c *cluster, what string, ok func(T) bool) T {
	c.t.Helper()
	late := time.After(patience)
	for {
		c.mu.Lock()
		for i, v := range c.seen {
			if x, is := v.(T); is && ok(x) {
				c.seen = c.seen[i+1:]
				c.mu.Unlock()
				return x
			}
		}
		changed := c.changed
		c.mu.Unlock()
		select {
		case <-changed:
		case <-late:
			c.t.Fatalf("waited in vain for %s", what)
		}
	}
}

// turn moves the clock until ok is true.
func (c *cluster) turn(what string, ok func() bool) {
	c.t.Helper()
	late := time.Now().Add(patience)
	for !ok() {
		if time.Now().After(late) {
			c.t.Fatalf("waited in vain for %s", what)
		}
		c.clock.advance(20 * time.Millisecond)
		c.sync()
		c.breathe()
	}
}

// breathe lets real messages travel before the clock goes on: until one came,
// but not for long, since none may be under way.
func (c *cluster) breathe() {
	c.mu.Lock()
	changed := c.changed
	c.mu.Unlock()
	select {
	case <-changed:
	case <-time.After(time.Millisecond):
	}
}

// sync waits until the loops have handled what they had.
func (c *cluster) sync() {
	ctx := context.Background()
	masters, _ := ask(ctx, c.jm.loop, func() []*master {
		var out []*master
		for _, m := range c.jm.jobs {
			out = append(out, m)
		}
		return out
	})
	for _, m := range masters {
		_, _ = ask(ctx, m.loop, func() int { return 0 })
	}
}

func (c *cluster) job(id string) *rest.Job {
	c.t.Helper()
	j, err := c.jm.REST().Job(context.Background(), id)
	if err != nil {
		c.t.Fatal(err)
	}
	return j
}

// running waits until all tasks of a job run.
func (c *cluster) running(id string) { c.t.Helper(); c.attempt(id, 0) }

// attempt waits until all tasks run in that attempt.
func (c *cluster) attempt(id string, attempt int) {
	c.t.Helper()
	c.turn(fmt.Sprintf("all tasks RUNNING in attempt %d", attempt), func() bool {
		j := c.job(id)
		n := 0
		for _, k := range j.Tasks {
			n += k
		}
		return j.State == "RUNNING" && j.Tasks["RUNNING"] == n && j.Vertices[0].Subtasks[0].Attempt >= attempt
	})
}

// result waits for the end of a job.
func (c *cluster) result(id string) *rest.JobResult {
	c.t.Helper()
	var res *rest.JobResult
	c.turn("the end of the job", func() bool {
		r, err := c.jm.REST().JobResult(context.Background(), id)
		res = r
		return err == nil && r != nil
	})
	return res
}

// dial connects to the JobManager as a process of the cluster does.
func (c *cluster) dial() *grpc.ClientConn {
	creds := control.Credentials(c.secret)
	if c.secret == nil {
		creds = insecure.NewCredentials()
	}
	conn, err := grpc.NewClient("passthrough:///"+c.jm.Address(), grpc.WithTransportCredentials(creds))
	if err != nil {
		c.t.Fatal(err)
	}
	return conn
}
