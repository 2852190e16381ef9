package jobmanager

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"goflink/control"
	"goflink/dataflow"
	"goflink/graph"
	"goflink/hdfsstore"
	"goflink/jobmanager/coordinator"
)

// counting is a program whose only enumerator hands out numbers.
type counting struct {
	g *graph.JobGraph
	l *inProcess // nil: nobody looks
}

func (p *counting) JobGraph() *graph.JobGraph { return p.g }

func (p *counting) BuildChain(string, *dataflow.Env) (*dataflow.Chain, error) {
	return nil, errors.New("a coordinator runs no tasks")
}

func (p *counting) NewEnumerator(id string) (dataflow.Enumerator, error) {
	n := &numbers{l: p.l}
	if p.l != nil {
		p.l.mu.Lock()
		defer p.l.mu.Unlock()
		p.l.started = append(p.l.started, id[:1])
	}
	return n, nil
}

type numbers struct {
	ctx  dataflow.EnumeratorContext
	l    *inProcess
	next int
}

func (n *numbers) Start(ctx dataflow.EnumeratorContext, restored []byte) error {
	if ctx.Parallelism() == 1 {
		return fmt.Errorf("the input folder: %w", fs.ErrNotExist)
	}
	n.ctx = ctx
	once := false
	ctx.Every(time.Microsecond, func() error {
		if !once {
			n.ctx.Assign(1, [][]byte{[]byte("tick")})
		}
		once = true
		return nil
	})
	if restored != nil {
		if _, err := fmt.Sscan(string(restored), &n.next); err != nil {
			return err
		}
	}
	n.ctx.Assign(0, [][]byte{fmt.Appendf(nil, "start %d", n.next)})
	return nil
}

func (n *numbers) Request(subtask int, host string) error {
	if host == "panic" {
		panic("bad host")
	}
	if n.l != nil {
		n.l.mu.Lock()
		n.l.asked = append(n.l.asked, host)
		n.l.mu.Unlock()
	}
	n.ctx.Run(func(context.Context) error { return nil }, func(error) error {
		n.next++
		n.ctx.Assign(subtask, [][]byte{fmt.Appendf(nil, "%d", n.next)})
		return nil
	})
	return nil
}

func (n *numbers) Snapshot(int64) ([]byte, error) { return fmt.Appendf(nil, "%d", n.next), nil }

func (n *numbers) CheckpointComplete(int64) error { return nil }

func (n *numbers) Close() error { return nil }

// inProcess runs coordinators as goroutines.
type inProcess struct {
	c           *cluster
	parallelism int32
	graph       func() *graph.JobGraph // nil: testJob with an enumerator
	mu          sync.Mutex
	launched    int
	last        *goroutine
	started     []string // enumerators, by the first letter of their operator
	asked       []string // hosts of split requests
}

func (l *inProcess) starts(operator string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for _, s := range l.started {
		if s == operator {
			n++
		}
	}
	return n
}

func (l *inProcess) hosts() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.asked)
}

type goroutine struct {
	cancel context.CancelFunc
	done   chan struct{}
	err    error
}

func (g *goroutine) Done() <-chan struct{} { return g.done }
func (g *goroutine) Reason() string        { return fmt.Sprint(g.err) }
func (g *goroutine) Kill()                 { g.cancel() }

func (l *inProcess) Launch(_ context.Context, s CoordinatorSpec) (CoordinatorProcess, error) {
	ctx, cancel := context.WithCancel(context.Background())
	g := &goroutine{cancel: cancel, done: make(chan struct{})}
	job := withEnumerator(testJob(l.parallelism, everySecond))
	if l.graph != nil {
		job = l.graph()
	}
	l.mu.Lock()
	l.launched++
	l.last = g
	l.mu.Unlock()
	l.c.wg.Go(func() {
		defer close(g.done)
		defer cancel()
		g.err = coordinator.Run(ctx, coordinator.Options{Bootstrap: s.Bootstrap, Program: &counting{job, l}, Files: l.c.files})
	})
	return g, nil
}

func withEnumerator(g *graph.JobGraph) *graph.JobGraph {
	g.Vertices[0].Operators[0].Enumerator = true
	g.Fingerprint = graph.Fingerprint(g)
	return g
}

func (c *cluster) request(subtask int32, host string, attempt int32) {
	w := c.all()[0]
	w.send(&control.WorkerEvent{Event: &control.WorkerEvent_SplitRequest{SplitRequest: &control.SplitRequest{OperatorId: strings.Repeat("a", 32), Subtask: subtask, Host: host, Attempt: attempt}}})
}

func assigned(c *cluster, want string) {
	c.t.Helper()
	await(c, "split "+want, func(a *control.AssignSplits) bool { return len(a.Splits) == 1 && string(a.Splits[0]) == want })
}

func TestCoordinator(t *testing.T) {
	l := &inProcess{parallelism: 2}
	c := newCluster(t, t.TempDir(), func(o *Options) { o.Coordinators = l })
	l.c = c
	c.taskManager("tm1", 2)
	id := c.submit(withEnumerator(testJob(2, everySecond)))
	c.running(id)
	assigned(c, "start 0") // before any task ran: held back until it did
	assigned(c, "tick")
	c.request(1, "h", 0)
	assigned(c, "1")
	n := c.checkpoints(id).Completed
	c.turn("a checkpoint", func() bool { return c.checkpoints(id).Completed > n })
	c.request(1, "h", 0)
	assigned(c, "2")
	c.request(1, "h", 7) // of another attempt: dropped
	// One that was under way may have asked the enumerator before.
	n = c.checkpoints(id).Completed
	c.turn("a checkpoint that began afterwards", func() bool { return c.checkpoints(id).Completed > n+1 })

	// The enumerator panics: a fresh process goes on from the checkpoint.
	c.request(1, "panic", 0)
	c.turn("a second process", func() bool { l.mu.Lock(); defer l.mu.Unlock(); return l.launched == 2 })
	c.attempt(id, 1)
	assigned(c, "start 2")
	if f := c.job(id).Failures; len(f) != 1 || !strings.Contains(f[0].Message, "bad host") {
		t.Fatalf("%+v", f)
	}

	// The process dies without a word.
	l.mu.Lock()
	l.last.Kill()
	l.mu.Unlock()
	c.turn("a third process", func() bool { l.mu.Lock(); defer l.mu.Unlock(); return l.launched == 3 })
	c.attempt(id, 2)
	assigned(c, "start 2")

	// A worker dies: the process stays, its enumerators begin anew.
	w := c.all()[0]
	w.tm.exit(w.id, 1, "gone")
	c.attempt(id, 3)
	assigned(c, "start 2")
	if l.launched != 3 {
		t.Fatalf("%d processes", l.launched)
	}
	c.drain()
	if res := c.result(id); res.State != "FINISHED" {
		t.Fatalf("%+v", res)
	}
}

// TestInputIsMissing: what does not get better is not tried again.
func TestInputIsMissing(t *testing.T) {
	l := &inProcess{parallelism: 1}
	c := newCluster(t, t.TempDir(), func(o *Options) { o.Coordinators = l })
	l.c = c
	c.taskManager("tm1", 2)
	id := c.submit(withEnumerator(testJob(1, everySecond)))
	if res := c.result(id); res.State != "FAILED" || !strings.Contains(res.Failure.Message, "the input folder") {
		t.Fatalf("%+v", res)
	}
}

// runAsCoordinator is what this test's binary does when it is started as a
// coordinator: it tells what it was given, and waits for its parent's end.
func runAsCoordinator() bool {
	if os.Getenv(control.EnvRole) != control.RoleCoordinator {
		return false
	}
	boot := os.NewFile(3, "bootstrap")
	b := make([]byte, 1<<20)
	n := 0
	for {
		k, err := boot.Read(b[n:])
		n += k
		if err != nil {
			break
		}
	}
	fmt.Println("args", strings.Join(os.Args[1:], " "), "env", os.Getenv("LISTED"), os.Getenv("UNLISTED"), "bootstrap", n > 0)
	if os.Args[1] == "fail" {
		fmt.Fprintln(os.Stderr, "something is wrong")
		os.Exit(7)
	}
	parent := os.NewFile(4, "parent")
	_, _ = parent.Read(b)
	return true
}

func TestExecLauncher(t *testing.T) {
	t.Setenv("UNLISTED", "secret")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	files := hdfsstore.NewResolver(hdfsstore.Options{})
	defer files.Close()
	data, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	l := &ExecLauncher{Dir: dir + "/bin", LogDir: dir, Files: files}
	spec := CoordinatorSpec{Program: &graph.Program{Sha256: sum(data), Uri: "file://" + self, Args: []string{"wait"}, Env: []string{"LISTED=yes"}},
		Bootstrap: &control.Bootstrap{Jobmanager: "here", LogName: "coordinator"}}
	p, err := l.Launch(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	p.(*process).parent.Close() // as if this process had ended
	wait(t, p)
	if got, _ := os.ReadFile(filepath.Join(dir, "coordinator.out")); !strings.Contains(string(got), "args wait env yes  bootstrap true") {
		t.Fatalf("%q", got)
	}
	spec.Program.Args = []string{"fail"}
	if p, err = l.Launch(t.Context(), spec); err != nil {
		t.Fatal(err)
	}
	wait(t, p)
	if !strings.Contains(p.Reason(), "exit status 7") || !strings.Contains(p.Reason(), "something is wrong") {
		t.Fatal(p.Reason())
	}
	spec.Program.Args = []string{"wait"}
	if p, err = l.Launch(t.Context(), spec); err != nil {
		t.Fatal(err)
	}
	p.Kill()
	wait(t, p)
	l.Dir = dir + "/bin2"
	spec.Program.Sha256 = strings.Repeat("0", 64)
	if _, err = l.Launch(t.Context(), spec); err == nil || !strings.Contains(err.Error(), "SHA-256") {
		t.Fatal(err)
	}
}

func wait(t *testing.T, p CoordinatorProcess) {
	t.Helper()
	select {
	case <-p.Done():
	case <-time.After(patience):
		t.Fatal("the process does not end")
	}
}

func sum(b []byte) string {
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:])
}
