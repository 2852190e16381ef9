package taskmanager

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"

	"goflink/conf"
	"goflink/control"
	"goflink/graph"
	"goflink/hdfsstore"
	"goflink/taskmanager/tmtest"
	"goflink/taskmanager/worker"
)

// TestMain is also the job binary: the supervisor starts this test program in
// the worker role.
func TestMain(m *testing.M) {
	if os.Getenv(control.EnvRole) == control.RoleWorker {
		os.Exit(childMain())
	}
	goleak.VerifyTestMain(m)
}

// childMain is what package launch does in a job binary.
func childMain() int {
	if len(os.Args) < 2 {
		return 64
	}
	switch os.Args[1] {
	case "crash":
		fmt.Fprintf(os.Stderr, "my secret is %s\n", tmtest.Secret[:])
		panic("a bad start")
	case "sleep": // does not heed SIGTERM, and leaves a child behind
		signal.Ignore(syscall.SIGTERM)
		fmt.Println("ready")
		_ = exec.Command("sleep", "300").Start()
		select {}
	case "env":
		for _, e := range os.Environ() {
			fmt.Println(e)
		}
		return 0
	}
	data, err := io.ReadAll(os.NewFile(3, "bootstrap"))
	b := &control.Bootstrap{}
	if err == nil {
		err = proto.Unmarshal(data, b)
	}
	job := &tmtest.Job{}
	if err == nil {
		err = json.Unmarshal([]byte(os.Args[1]), job)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 65
	}
	parent := os.NewFile(4, "parent")
	go func() {
		io.Copy(io.Discard, parent)
		os.Exit(3)
	}()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if err := worker.Run(ctx, worker.Options{Bootstrap: b, Program: job, Files: hdfsstore.NewResolver(hdfsstore.Options{}), MetricsInterval: 50 * time.Millisecond}); err != nil && ctx.Err() == nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// self is this test program: its bytes and its digest.
var self = sync.OnceValues(func() ([]byte, string) {
	data, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		panic(err)
	}
	sum := sha256.Sum256(data)
	return data, hex.EncodeToString(sum[:])
})

type rig struct {
	*tmtest.JM
	t      *testing.T
	cancel context.CancelFunc
	done   chan struct{}
	err    error
	logDir string
	o      Options
}

func newRig(t *testing.T, change func(*Options)) *rig {
	r := &rig{JM: tmtest.NewJM(t), t: t, done: make(chan struct{}), logDir: t.TempDir()}
	r.JM.Program, _ = self()
	c := conf.New()
	c.Set("heartbeat.interval", "20 ms")
	r.o = Options{JobManager: r.Addr, Secret: tmtest.Secret, ResourceID: "tm-1", Host: "127.0.0.1", Slots: 4, LogDir: r.logDir, ScratchDir: t.TempDir(),
		Conf: c, Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Grace: 300 * time.Millisecond, Files: hdfsstore.NewResolver(hdfsstore.Options{})}
	if change != nil {
		change(&r.o)
	}
	var ctx context.Context
	ctx, r.cancel = context.WithCancel(context.Background())
	go func() {
		defer close(r.done)
		r.err = Run(ctx, r.o)
	}()
	t.Cleanup(func() { r.cancel(); <-r.done })
	return r
}

func (r *rig) manager() *tmtest.TaskManager {
	r.t.Helper()
	r.Wait("the TaskManager", func() bool { return len(r.TaskManagers) > 0 })
	var m *tmtest.TaskManager
	r.Look(func() { m = r.TaskManagers[r.o.ResourceID] })
	return m
}

func startCommand(id string, memory int64, args ...string) *control.TaskManagerCommand {
	_, digest := self()
	p, _ := proto.Marshal(&graph.Program{Sha256: digest, Args: args, Name: "job", Env: []string{"JOB_SETTING=7", "GORACE=atexit_sleep_ms=0"}})
	return &control.TaskManagerCommand{Command: &control.TaskManagerCommand_StartWorker{StartWorker: &control.StartWorker{WorkerId: id,
		JobId: "00000000000000000000000000000001", JobName: "test", Program: p, Slots: 2, MemoryBytes: memory, NetworkBytes: 16 << 20}}}
}

func stopCommand(id string, force bool) *control.TaskManagerCommand {
	return &control.TaskManagerCommand{Command: &control.TaskManagerCommand_StopWorker{StopWorker: &control.StopWorker{WorkerId: id, Reason: "test", Force: force}}}
}

func jobArgs(t *testing.T, job *tmtest.Job) string {
	data, err := json.Marshal(map[string]any{"Sources": job.Sources, "Counters": job.Counters, "Sinks": job.Sinks, "Records": job.Records,
		"Keys": job.Keys, "Cmd": job.Cmd, "At": job.At, "File": job.File})
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func (r *rig) exited(id string) *control.WorkerExited {
	r.t.Helper()
	r.Wait("the exit of "+id, func() bool { return r.Exits[id] != nil })
	var x *control.WorkerExited
	r.Look(func() { x = r.Exits[id] })
	return x
}

// ready waits until a sleeping worker ignores SIGTERM.
func (r *rig) ready(id string) {
	r.t.Helper()
	r.Wait("the start of "+id, func() bool { // heartbeats make it look again
		out, _ := os.ReadFile(filepath.Join(r.logDir, "taskmanager-"+id+".out"))
		return r.Started[id] != nil && strings.Contains(string(out), "ready")
	})
}

// alive tells whether a process is there and is no zombie.
func alive(pid int32) bool {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, after, _ := strings.Cut(string(data), ") ")
	return !strings.HasPrefix(after, "Z")
}

// TestPipelineInProcesses runs a job in two worker processes to its end, then
// kills one during the next job: the other one and the supervisor live on.
func TestPipelineInProcesses(t *testing.T) {
	r := newRig(t, nil)
	m := r.manager()
	out := filepath.Join(t.TempDir(), "out")
	job := &tmtest.Job{Sources: 2, Counters: 2, Sinks: 1, Records: 3000, Keys: 31, File: out}
	memory := int64(512 << 20)
	if raceEnabled {
		memory = 0
	}
	m.Send(startCommand("a", memory, jobArgs(t, job)))
	m.Send(startCommand("b", memory, jobArgs(t, job)))
	workers := r.WaitWorkers(2)
	d := r.Deploy(job.JobGraph(), workers, 0, nil)
	d.Start()
	r.Wait("all tasks being drained", func() bool { return len(r.Drained) == 5 })
	d.All(&control.WorkerCommand{Command: &control.WorkerCommand_FinalCommit{FinalCommit: &control.FinalCommit{}}})
	d.WaitAll("FINISHED")
	data, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(strings.Fields(string(data))); n != 2*6000 {
		t.Errorf("%d fields of output", n)
	}
	if n := r.Fetches(); n != 1 {
		t.Errorf("the program was fetched %d times", n)
	}
	var pids []int32
	r.Look(func() { pids = []int32{r.Started["a"].Pid, r.Started["b"].Pid} })
	if err := syscall.Kill(int(pids[1]), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if x := r.exited("b"); x.Signal != "killed" || x.OutOfMemory {
		t.Errorf("%v", x)
	}
	if !alive(pids[0]) {
		t.Error("the other worker died too")
	}
	m.Send(stopCommand("a", false))
	if x := r.exited("a"); x.Code != 0 {
		t.Errorf("%v", x)
	}
	r.cancel()
	<-r.done
	r.Wait("its goodbye", func() bool { return len(r.History) > 0 && r.History[len(r.History)-1] == "tm-1 leaving" })
}

func TestCrashAndExitReasons(t *testing.T) {
	r := newRig(t, nil)
	m := r.manager()
	m.Send(startCommand("crash", 0, "crash"))
	x := r.exited("crash")
	if x.Code != 2 || !strings.Contains(x.Reason, "exited with code 2: panic: a bad start") || !strings.Contains(x.StderrTail, "goroutine") {
		t.Errorf("%v", x)
	}
	if strings.Contains(x.StderrTail, string(tmtest.Secret[:])) {
		t.Error("the secret is in the tail of stderr")
	}
	job := &tmtest.Job{Sources: 1, Counters: 1, Sinks: 1, Keys: 31, Cmd: "exit", At: 100}
	m.Send(startCommand("exit", 0, jobArgs(t, job)))
	d := r.Deploy(job.JobGraph(), r.WaitWorkers(1), 0, nil)
	d.WaitAll("INITIALIZING")
	d.All(&control.WorkerCommand{Command: &control.WorkerCommand_Start{Start: &control.StartTasks{}}})
	if x := r.exited("exit"); x.Code != 7 || !strings.Contains(x.Reason, "exited with code 7") || !strings.Contains(x.StderrTail, "leaving for good") {
		t.Errorf("%v", x)
	}
	out, err := os.ReadFile(filepath.Join(r.logDir, "taskmanager-exit.out"))
	if err != nil || !strings.Contains(string(out), "leaving for good") {
		t.Errorf("%q %v", out, err)
	}
}

// TestMemoryLimit: a leak ends its worker with a reason, and nothing else.
func TestMemoryLimit(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector's own memory is far above any share")
	}
	r := newRig(t, nil)
	m := r.manager()
	good := &tmtest.Job{Sources: 1, Counters: 1, Sinks: 1, Keys: 31}
	m.Send(startCommand("a-good", 256<<20, jobArgs(t, good)))
	leak := &tmtest.Job{Sources: 1, Counters: 1, Sinks: 1, Keys: 31, Cmd: "leak", At: 100}
	m.Send(startCommand("leak", 128<<20, jobArgs(t, leak)))
	workers := r.WaitWorkers(2)
	d := r.Deploy(leak.JobGraph(), workers[1:], 0, nil)
	d.WaitAll("INITIALIZING")
	d.All(&control.WorkerCommand{Command: &control.WorkerCommand_Start{Start: &control.StartTasks{}}})
	x := r.exited("leak")
	if !x.OutOfMemory || !strings.Contains(x.Reason, "ran out of its memory share of 128 MB") {
		t.Errorf("%v", x)
	}
	r.Deploy(good.JobGraph(), workers[:1], 0, nil).Start()
}

// TestStopForces ends a worker that does not heed SIGTERM, with what it
// started.
func TestStopForces(t *testing.T) {
	r := newRig(t, nil)
	m := r.manager()
	for _, id := range []string{"graceful", "forced"} {
		m.Send(startCommand(id, 0, "sleep"))
		r.ready(id)
		m.Send(stopCommand(id, id == "forced"))
		if x := r.exited(id); x.Signal != "killed" {
			t.Errorf("%v", x)
		}
	}
	m.Send(startCommand("last", 0, "sleep"))
	r.ready("last")
	m.Send(&control.TaskManagerCommand{Command: &control.TaskManagerCommand_Shutdown{Shutdown: &control.Shutdown{Reason: "test"}}})
	<-r.done
	if r.err != nil {
		t.Errorf("%v", r.err)
	}
	r.Look(func() {
		for id, s := range r.Started {
			if alive(s.Pid) {
				t.Errorf("worker %s lives on", id)
			}
		}
	})
}

func TestEnvironmentIsListed(t *testing.T) {
	t.Setenv("MY_PASSWORD", "hush")
	t.Setenv("MY_SETTING", "loud")
	t.Setenv("HADOOP_CONF_DIR", "/etc/hadoop")
	r := newRig(t, func(o *Options) { o.PassEnv, o.VCores = []string{"MY_SETTING"}, 3 })
	r.manager().Send(startCommand("w", 1<<30, "env"))
	r.exited("w")
	out, err := os.ReadFile(filepath.Join(r.logDir, "taskmanager-w.out"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"MY_SETTING=loud", "JOB_SETTING=7", "HADOOP_CONF_DIR=/etc/hadoop", "GOMAXPROCS=3", "GOMEMLIMIT=966367638", "GOFLINK_ROLE=worker"} {
		if !strings.Contains(string(out), want+"\n") {
			t.Errorf("no %s in\n%s", want, out)
		}
	}
	if strings.Contains(string(out), "MY_PASSWORD") || strings.Contains(string(out), string(tmtest.Secret[:])) {
		t.Errorf("too much in\n%s", out)
	}
}

func TestPrograms(t *testing.T) {
	data, digest := self()
	dir := t.TempDir()
	good, bad := filepath.Join(dir, "good"), filepath.Join(dir, "bad")
	if err := os.WriteFile(good, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(bad, append([]byte("x"), data...), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := newCache(filepath.Join(dir, "cache"), hdfsstore.NewResolver(hdfsstore.Options{}), slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err != nil {
		t.Fatal(err)
	}
	for uri, want := range map[string]string{"file://" + bad: "it is longer than announced", "s3://x/y": "unknown file system scheme", "file:///none": "no such file"} {
		if _, _, err := c.get(t.Context(), &graph.Program{Sha256: digest, Size: int64(len(data)), Uri: uri, Name: "job"}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", uri, err)
		}
	}
	if _, _, err := c.get(t.Context(), &graph.Program{Sha256: digest, Uri: "file://" + bad}); err == nil || !strings.Contains(err.Error(), "has digest") {
		t.Errorf("%v", err)
	}
	if _, _, err := c.get(t.Context(), &graph.Program{Sha256: "../../etc/passwd"}); err == nil {
		t.Error("a digest that is a path was taken")
	}
	old := filepath.Join(c.dir, strings.Repeat("a", 64))
	if err := os.WriteFile(old, nil, 0o500); err != nil {
		t.Fatal(err)
	}
	past := time.Now().Add(-2 * unusedAfter)
	if err := os.Chtimes(old, past, past); err != nil {
		t.Fatal(err)
	}
	file, done, err := c.get(t.Context(), &graph.Program{Sha256: digest, Size: int64(len(data)), Uri: "file://" + good})
	if err != nil {
		t.Fatal(err)
	}
	defer done()
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o500 {
		t.Errorf("%v %v", info, err)
	}
	if _, err := os.Stat(old); err == nil {
		t.Error("a program that nobody uses was not swept")
	}
	entries, _ := os.ReadDir(c.dir)
	if len(entries) != 1 {
		t.Errorf("the cache holds %v", entries)
	}
}

func TestLogRequests(t *testing.T) {
	r := newRig(t, nil)
	m := r.manager()
	text := strings.Repeat("0123456789", 60_000)
	if err := os.WriteFile(filepath.Join(r.logDir, "taskmanager.log"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("hush"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(secret, filepath.Join(r.logDir, "link")); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(r.logDir, "fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	n := 0
	ask := func(name string, offset, limit int64) (data string, files []*control.LogFile, reason string) {
		n++
		id := fmt.Sprint(n)
		m.Send(&control.TaskManagerCommand{Command: &control.TaskManagerCommand_LogRequest{LogRequest: &control.LogRequest{RequestId: id, Name: name, Offset: offset, Limit: limit}}})
		r.Wait("the answer", func() bool {
			return len(r.Logs) > 0 && r.Logs[len(r.Logs)-1].RequestId == id && r.Logs[len(r.Logs)-1].Last
		})
		r.Look(func() {
			for _, l := range r.Logs {
				if l.RequestId == id {
					data, files, reason = data+string(l.Data), append(files, l.Files...), reason+l.Error
				}
			}
		})
		return data, files, reason
	}
	if _, files, _ := ask("", 0, 0); len(files) != 1 || files[0].Name != "taskmanager.log" || files[0].Size != int64(len(text)) {
		t.Errorf("%v", files)
	}
	if data, _, reason := ask("taskmanager.log", 0, 0); data != text || reason != "" {
		t.Errorf("%d bytes, %s", len(data), reason)
	}
	if data, _, _ := ask("taskmanager.log", 599_990, 100); data != "0123456789" {
		t.Errorf("%q", data)
	}
	if data, _, _ := ask("taskmanager.log", 5, 3); data != "567" {
		t.Errorf("%q", data)
	}
	for _, name := range []string{"../secret", secret, "link", "fifo", "..", ".", "no.log", "a/b", "x\x00"} {
		if data, _, reason := ask(name, 0, 0); data != "" || reason == "" {
			t.Errorf("%s: %q %q", name, data, reason)
		}
	}
}

func TestDedicated(t *testing.T) {
	_, digest := self()
	ran := make(chan *control.Bootstrap, 1)
	r := newRig(t, func(o *Options) {
		o.Dedicated = &Dedicated{SHA256: digest, Run: func(ctx context.Context, b *control.Bootstrap) error {
			ran <- b
			<-ctx.Done()
			return ctx.Err()
		}}
	})
	m := r.manager()
	if m.DedicatedJob != digest {
		t.Errorf("%v", m.RegisterTaskManager)
	}
	m.Send(startCommand("w", 0))
	if b := <-ran; b.Worker.WorkerId != "w" || b.Jobmanager != r.Addr || string(b.Secret) != string(tmtest.Secret[:]) || b.LogName != "taskmanager" {
		t.Errorf("%v", b.Worker)
	}
	m.Send(stopCommand("w", false))
	if x := r.exited("w"); x.Code != 0 {
		t.Errorf("%v", x)
	}
	other := startCommand("x", 0)
	p, _ := proto.Marshal(&graph.Program{Sha256: strings.Repeat("0", 64)})
	other.GetStartWorker().Program = p
	m.Send(other)
	if x := r.exited("x"); !strings.Contains(x.Reason, "is dedicated to program") {
		t.Errorf("%v", x)
	}
}

// TestNextJobManager: workers run on while a TaskManager goes over to the next
// JobManager, and are named to it.
func TestNextJobManager(t *testing.T) {
	next := tmtest.NewJM(t)
	r := newRig(t, func(o *Options) {
		o.FindLeader = func(context.Context) (string, error) { return next.Addr, nil }
	})
	r.manager().Send(startCommand("w", 0, "sleep"))
	r.Wait("the start", func() bool { return r.Started["w"] != nil })
	r.JM.Close()
	next.Wait("the TaskManager", func() bool {
		m := next.TaskManagers["tm-1"]
		return m != nil && len(m.RunningWorkers) == 1 && m.RunningWorkers[0] == "w" && next.Heartbeats > 0
	})
}

func TestRefusedAndIncomplete(t *testing.T) {
	if err := Run(t.Context(), Options{}); err == nil || !strings.Contains(err.Error(), "no host") || !strings.Contains(err.Error(), "taskmanager.numberOfTaskSlots") {
		t.Errorf("%v", err)
	}
	r := newRig(t, func(o *Options) { o.JobManager = "" })
	<-r.done
	if r.err == nil {
		t.Error("no address was fine")
	}
}

func TestDetectHost(t *testing.T) {
	jm := tmtest.NewJM(t)
	var log strings.Builder
	host, err := DetectHost(t.Context(), jm.Addr, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil || host != "127.0.0.1" || !strings.Contains(log.String(), "TaskManager will use hostname/address") {
		t.Errorf("%s %v %s", host, err, log.String())
	}
}
