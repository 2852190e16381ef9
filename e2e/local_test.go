//go:build e2e

package e2e

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"goflink/internal/testbed"
)

// small is a text and its counts.
func small(t *testing.T, dir string) (file string, want map[string]int) {
	t.Helper()
	file = filepath.Join(dir, "input.txt")
	if err := os.WriteFile(file, []byte("the cat and the dog\nand the bird\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	return file, map[string]int{"(the,1)": 1, "(the,2)": 1, "(the,3)": 1, "(cat,1)": 1, "(and,1)": 1, "(and,2)": 1, "(dog,1)": 1, "(bird,1)": 1}
}

// TestEmbedded runs a job on this machine alone: through flink run -t local and
// by its own binary.
func TestEmbedded(t *testing.T) {
	t.Parallel()
	b := testbed.New(t, testbed.Options{})
	file, want := small(t, b.Home)
	for name, r := range map[string]testbed.Result{
		"flink": b.Flink("run", "-t", "local", jobs["wordcount"], "--input", file, "--output", filepath.Join(b.Home, "flink")),
		"bare":  b.Run(testbed.Command{}, jobs["wordcount"], "--input", file, "--output", filepath.Join(b.Home, "bare")),
	} {
		r.OK(t)
		got := map[string]int{}
		b.Lines(b.Local(), filepath.Join(b.Home, name), func(line []byte) { got[string(line)]++ })
		compare(t, name, got, want)
	}
	r := b.Run(testbed.Command{}, jobs["wordcount"]).OK(t)
	for _, line := range []string{"(to,1)", "(be,1)", "(or,1)", "(not,1)", "(to,2)", "(be,2)"} {
		if !strings.Contains(r.Stdout, line) {
			t.Errorf("%s is missing in\n%s", line, r)
		}
	}
	w := windows{records: 5000, keys: 10, rate: 0}
	b.Run(testbed.Command{}, jobs["windowed"], w.args(filepath.Join(b.Home, "windowed"))...).OK(t)
	w.check(b, b.Local(), filepath.Join(b.Home, "windowed"))
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// TestStandalone is a session cluster of daemons on this host, without Hadoop:
// jobs, a savepoint, a rescaled restart.
func TestStandalone(t *testing.T) {
	t.Parallel()
	port := freePort(t)
	b := testbed.New(t, testbed.Options{Conf: map[string]string{
		"rest.port": fmt.Sprint(port), "rest.address": "localhost", "jobmanager.rpc.address": "localhost", "jobmanager.rpc.port": fmt.Sprint(freePort(t)),
		"taskmanager.numberOfTaskSlots": "2", "taskmanager.memory.process.size": "1024m",
	}})
	b.Must(os.WriteFile(filepath.Join(b.Home, "conf", "workers"), []byte("localhost\nlocalhost\n"), 0o644))
	r := b.Run(testbed.Command{}, b.Bin("start-cluster.sh")).OK(t)
	inOrder(t, r.Stdout, "Starting cluster.", "Starting standalonesession daemon on host ", "Starting taskexecutor daemon on host ")
	address := fmt.Sprintf("localhost:%d", port)
	jm := b.At("http://" + address)
	var overview struct {
		TaskManagers int `json:"taskmanagers"`
		Slots        int `json:"slots-total"`
	}
	b.Eventually("two TaskManagers with two slots", 20*time.Second, func() bool {
		return jm.Get("/overview", &overview) == nil && overview.TaskManagers == 2 && overview.Slots == 4
	})
	file, want := small(t, b.Home)
	r = b.Flink("run", "-m", address, jobs["wordcount"], "--input", file, "--output", filepath.Join(b.Home, "out")).OK(t)
	inOrder(t, r.Stdout, "Job has been submitted with JobID ", "Program execution finished\n", "Job Runtime: ")
	got := map[string]int{}
	b.Lines(b.Local(), filepath.Join(b.Home, "out"), func(line []byte) { got[string(line)]++ })
	compare(t, "standalone", got, want)

	w := windows{records: 30_000, keys: 50, rate: 4000}
	options := []string{"-m", address, "-Dexecution.checkpointing.interval=500ms", "-Dexecution.checkpointing.dir=file://" + filepath.Join(b.Home, "checkpoints")}
	job := b.Flink(append(append(append([]string{"run", "-d", "-p", "2"}, options...), jobs["windowed"]), w.args(filepath.Join(b.Home, "windowed"))...)...).OK(t).Match(t, testbed.JobID)
	jm.AwaitRunning(job, 20*time.Second)
	jm.AwaitCheckpoints(job, 2, 20*time.Second)
	r = b.Flink("list", "-m", address).OK(t)
	inOrder(t, r.Stdout, "Waiting for response...", "------------------ Running/Restarting Jobs -------------------", " : "+job+" : Windowed (RUNNING)", "No scheduled jobs.")
	savepoint := b.Flink("stop", "-m", address, "-p", "file://"+filepath.Join(b.Home, "savepoints"), job).OK(t).Match(t, testbed.Savepoint)
	b.Flink(append(append(append([]string{"run", "-p", "4", "-s", savepoint}, options...), jobs["windowed"]), w.args(filepath.Join(b.Home, "windowed"))...)...).OK(t)
	w.check(b, b.Local(), filepath.Join(b.Home, "windowed"))
	r = b.Run(testbed.Command{}, b.Bin("stop-cluster.sh")).OK(t)
	inOrder(t, r.Stdout, "Stopping taskexecutor daemon (pid: ", "Stopping standalonesession daemon (pid: ")
}
