package launch_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"goflink/conf"
	"goflink/control"
	"goflink/graph"
	"goflink/hdfsstore"
	"goflink/jobmanager"
	"goflink/jobmanager/host"
	"goflink/stream"
	"goflink/taskmanager"
)

// TestMain is also the main of the jobs: workers and coordinators are processes of
// this test binary.
func TestMain(m *testing.M) {
	if os.Getenv(control.EnvRole) != "" {
		stream.Main("Stages", programs)
	}
	os.Exit(m.Run())
}

// programs builds the job that the arguments name.
func programs(env *stream.Env) error {
	if env.Args()[2] == "ADAPTIVE" {
		return counting(env)
	}
	return stages(env)
}

// cluster is a JobManager and TaskManagers in this process, with real processes
// for workers and coordinators.
type cluster struct {
	t      *testing.T
	dir    string
	conf   *conf.Config
	host   *host.Host
	files  *hdfsstore.Resolver
	secret control.Secret
	log    *slog.Logger
	lines  *logLines
	wg     sync.WaitGroup
	join   func(id string, slots int) // another TaskManager
	close  func()                     // ends it, and all of its processes
}

// logLines keeps what the processes of the cluster log.
type logLines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logLines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

// count is how many lines hold all of these.
func (l *logLines) count(parts ...string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for line := range strings.Lines(l.text.String()) {
		if !slices.ContainsFunc(parts, func(p string) bool { return !strings.Contains(line, p) }) {
			n++
		}
	}
	return n
}

func newCluster(t *testing.T, taskManagers, slots int, config map[string]string) *cluster {
	t.Helper()
	if raceEnabled {
		t.Skip("the race detector's own memory is far above any share of a worker")
	}
	c := &cluster{t: t, dir: t.TempDir(), conf: conf.FromMap(config), files: hdfsstore.NewResolver(hdfsstore.Options{}), lines: &logLines{}}
	c.log = slog.New(slog.NewTextHandler(io.MultiWriter(c.lines, t.Output()), nil))
	var err error
	if c.secret, err = control.NewSecret(); err != nil {
		t.Fatal(err)
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	c.host, err = host.Start(ctx, host.Options{Conf: c.conf, Secret: c.secret, ClusterID: "test", Epoch: 1, Mode: jobmanager.Session, Files: c.files,
		Host: "127.0.0.1", AnyPort: true, AnyControlPort: true, Scratch: c.sub("jm"), Binary: exe, LogDir: c.sub("log"), LogFile: "jm.log", Log: c.log})
	if err != nil {
		t.Fatal(err)
	}
	c.join = func(id string, slots int) { c.taskManager(ctx, id, slots) }
	for i := range taskManagers {
		c.join(fmt.Sprintf("tm-%d", i), slots)
	}
	c.close = sync.OnceFunc(func() {
		cancel()
		stop, done := context.WithTimeout(context.Background(), 20*time.Second)
		defer done()
		if err := c.host.Close(stop); err != nil {
			t.Error(err)
		}
		c.wg.Wait()
		if err := c.files.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(c.close)
	return c
}

func (c *cluster) sub(name string) string {
	dir := filepath.Join(c.dir, name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		c.t.Fatal(err)
	}
	return dir
}

func (c *cluster) taskManager(ctx context.Context, id string, slots int) {
	plan, err := conf.TaskManagerMemory(c.conf)
	if err != nil {
		c.t.Fatal(err)
	}
	o := taskmanager.Options{JobManager: c.host.JobManager.Address(), Secret: c.secret, ResourceID: id, Host: "127.0.0.1", Slots: slots,
		Memory: taskmanager.PlanOf(plan), LogDir: c.sub("log-" + id), ScratchDir: c.sub("scratch-" + id), Conf: c.conf, Files: c.files,
		Version: conf.Version, Log: c.log, Grace: time.Second}
	c.wg.Go(func() {
		if err := taskmanager.Run(ctx, o); err != nil && ctx.Err() == nil {
			c.t.Errorf("%s: %v", id, err)
		}
	})
}

// submit starts the job with these arguments.
func (c *cluster) submit(args ...string) string {
	c.t.Helper()
	env := stream.NewEnv(stream.Settings{Name: "Stages", Conf: c.conf, Args: args, Planning: true})
	if err := programs(env); err != nil {
		c.t.Fatal(err)
	}
	p, err := env.Program()
	if err != nil {
		c.t.Fatal(err)
	}
	g := p.JobGraph()
	g.Program = c.program(args)
	if err := c.host.JobManager.Submit(context.Background(), g); err != nil {
		c.t.Fatal(err)
	}
	return g.JobId
}

func (c *cluster) program(args []string) *graph.Program {
	exe, err := os.Executable()
	if err != nil {
		c.t.Fatal(err)
	}
	f, err := os.Open(exe)
	if err != nil {
		c.t.Fatal(err)
	}
	defer f.Close()
	h := sha256.New()
	size, err := io.Copy(h, f)
	if err != nil {
		c.t.Fatal(err)
	}
	return &graph.Program{Sha256: hex.EncodeToString(h.Sum(nil)), Size: size, Uri: "file://" + exe, Args: args, Name: "stages.test"}
}

// finished waits for the end of a job, which must be a good one.
func (c *cluster) finished(id string) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	r, err := c.host.JobManager.Wait(ctx, id)
	if err != nil {
		c.t.Fatal(err)
	}
	if r.State != "FINISHED" {
		c.t.Fatalf("the job is %s: %+v", r.State, r.Failure)
	}
}

// lines are those of all files of a folder, sorted.
func linesOf(t *testing.T, dir string) []string {
	t.Helper()
	var list []string
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasPrefix(d.Name(), ".") {
			return err
		}
		data, err := os.ReadFile(path)
		list = append(list, strings.Fields(string(data))...)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(list)
	return list
}
