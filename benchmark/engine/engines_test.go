//go:build bench

package engine

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"goflink/internal/testbed"
)

// engine is who is measured.
type engine interface {
	name() string
	// start starts a cluster with settings and returns its JobManager; stop ends
	// it.
	start(workers int, conf map[string]string) *testbed.JobManager
	stop()
	// submit starts a program and returns; options go to flink run.
	submit(program string, args []string, options ...string)
	// processes are the cluster's.
	processes() []int
}

// memory is the size of a TaskManager's process.
const memory = "4096m"

// settings are what both engines get.
func settings(workers int, conf map[string]string) map[string]string {
	out := map[string]string{
		"taskmanager.memory.process.size": memory, "taskmanager.memory.managed.fraction": "0.1",
		"taskmanager.numberOfTaskSlots": strconv.Itoa(2 / workers), "parallelism.default": "2",
		"metrics.fetcher.update-interval": "1000",
	}
	for k, v := range conf {
		out[k] = v
	}
	return out
}

func freePort(t testing.TB) int {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// ours is goflink.
type ours struct {
	b       *testbed.Bed
	program string
}

func (*ours) name() string { return "goflink" }

func (o *ours) start(workers int, conf map[string]string) *testbed.JobManager {
	port := freePort(o.b.T)
	all := settings(workers, conf)
	all["rest.address"], all["jobmanager.rpc.address"] = "localhost", "localhost"
	all["rest.port"], all["jobmanager.rpc.port"] = strconv.Itoa(port), strconv.Itoa(freePort(o.b.T))
	all["execution.checkpointing.dir"] = "file://" + filepath.Join(o.b.Home, "checkpoints")
	all["io.tmp.dirs"] = filepath.Join(o.b.Home, "tmp")
	o.b.Configure(all)
	o.b.Must(os.WriteFile(filepath.Join(o.b.Home, "conf", "workers"), []byte(strings.Repeat("localhost\n", workers)), 0o644))
	o.b.Run(testbed.Command{}, o.b.Bin("start-cluster.sh")).OK(o.b.T)
	return ready(o.b, port, workers)
}

// ready waits for the TaskManagers.
func ready(b *testbed.Bed, port, workers int) *testbed.JobManager {
	jm := b.At(fmt.Sprintf("http://localhost:%d", port))
	var overview struct {
		TaskManagers int `json:"taskmanagers"`
	}
	b.Eventually("the TaskManagers are there", time.Minute, func() bool {
		return jm.Get("/overview", &overview) == nil && overview.TaskManagers == workers
	})
	return jm
}

func (o *ours) stop() { o.b.Run(testbed.Command{}, o.b.Bin("stop-cluster.sh")).OK(o.b.T) }

func (o *ours) submit(program string, args []string, options ...string) {
	o.b.Flink(slices.Concat([]string{"run", "-d"}, options, []string{"-c", program, o.program}, args)...).OK(o.b.T)
}

func (o *ours) processes() []int {
	var out []int
	for _, p := range o.b.Started() {
		out = append(out, p.PID)
	}
	return out
}

// peer is a real Flink.
type peer struct {
	b       *testbed.Bed
	workers int
	env     []string
}

func (*peer) name() string { return "Flink 1.20.3" }

func (p *peer) script() string {
	return filepath.Join(testbed.Root(), "benchmark", "flink", "flink-local")
}

func (p *peer) command(args ...string) testbed.Result {
	return p.b.Run(testbed.Command{Limit: 5 * time.Minute, Env: p.env}, p.script(), args...)
}

func (p *peer) start(workers int, conf map[string]string) *testbed.JobManager {
	port := freePort(p.b.T)
	p.env = []string{"FLINK_RUN_DIR=" + filepath.Join(p.b.Home, "peer"), "REST_PORT=" + strconv.Itoa(port), "RPC_PORT=" + strconv.Itoa(freePort(p.b.T)),
		"TASKMANAGERS=" + strconv.Itoa(workers)}
	args := []string{"start", "-D", "execution.checkpointing.dir=file://" + filepath.Join(p.b.Home, "peer-checkpoints")}
	for k, v := range settings(workers, conf) {
		args = append(args, "-D", k+"="+v)
	}
	p.command(args...).OK(p.b.T)
	return ready(p.b, port, workers)
}

func (p *peer) stop() { p.command("stop").OK(p.b.T) }

func (p *peer) submit(program string, args []string, options ...string) {
	home := strings.TrimSpace(p.command("home").OK(p.b.T).Stdout)
	p.command(slices.Concat([]string{"run", "-d"}, options, []string{"-c", program, filepath.Join(home, "jobs", "peer-jobs.jar")}, args)...).OK(p.b.T)
}

func (p *peer) processes() []int {
	var out []int
	for f := range strings.FieldsSeq(p.command("pids").OK(p.b.T).Stdout) {
		pid, err := strconv.Atoi(f)
		p.b.Must(err)
		out = append(out, pid)
	}
	return out
}

// build builds benchmark/jobs.
func build(t testing.TB) string {
	file := filepath.Join(t.TempDir(), "jobs")
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", file, "./benchmark/jobs")
	cmd.Dir, cmd.Env = testbed.Root(), append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building benchmark/jobs: %v\n%s", err, out)
	}
	return file
}
