package launch_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"goflink/stream"
)

type item struct {
	Key string
	N   int64
	Pad string
}

type total struct{ Tens, N int64 }

// gate holds each process up in the middle of the second stage, once, as long as a
// named pipe is there and nobody writes to it.
var gate sync.Once

func pass(dir string) {
	gate.Do(func() {
		_, _ = os.ReadFile(filepath.Join(dir, "gate")) // it is gone, mostly
	})
}

// stages is a job of three stages: generate; sum up by key; count the sums by their
// number of tens. Its arguments are a folder, the number of records, the runtime
// mode, and, if the sums are to be written, too, "sums".
func stages(env *stream.Env) error {
	dir := env.Args()[0]
	n, err := strconv.ParseInt(env.Args()[1], 10, 64)
	if err != nil {
		return err
	}
	env.Configure("execution.runtime-mode", env.Args()[2])
	env.SetParallelism(2)
	pad := strings.Repeat("x", 200)
	items := stream.Generate(env, n, 0, func(i int64) item { return item{fmt.Sprintf("k%d", i%997), i % 10, pad} })
	sums := stream.Sum(stream.KeyBy(items, func(i item) string { return i.Key }), func(i *item) *int64 { return &i.N }, stream.UID("sums"))
	if len(env.Args()) > 3 {
		all := stream.Map(sums, func(i item) string { return i.Key })
		all.WriteText(filepath.Join(dir, "sums"))
	}
	tens := stream.Map(sums, func(i item) total {
		pass(dir)
		return total{i.N / 10, 1}
	})
	counts := stream.Sum(stream.KeyBy(tens, func(t total) int64 { return t.Tens }), func(t *total) *int64 { return &t.N }, stream.UID("counts"))
	lines := stream.Map(counts, func(t total) string { return fmt.Sprintf("%d:%d", t.Tens, t.N) })
	lines.WriteText(filepath.Join(dir, "out"))
	return nil
}

// wanted is what the job writes in the end.
func wanted(n int64) map[string]bool {
	sums := map[int64]int64{}
	for i := range n {
		sums[i%997] += i % 10
	}
	tens := map[int64]int64{}
	for _, s := range sums {
		tens[s/10]++
	}
	lines := map[string]bool{}
	for t, n := range tens {
		lines[fmt.Sprintf("%d:%d", t, n)] = true
	}
	return lines
}

func expect(t *testing.T, dir string, n int64) {
	t.Helper()
	want, got := wanted(n), linesOf(t, filepath.Join(dir, "out"))
	for _, l := range got {
		if !want[l] {
			t.Errorf("%q should not be there, or not twice", l)
		}
		delete(want, l)
	}
	if len(want) > 0 {
		t.Errorf("missing: %v", want)
	}
}

var small = map[string]string{
	"taskmanager.memory.process.size": "1200m", "taskmanager.memory.network.min": "4m", "taskmanager.memory.network.max": "4m",
	"taskmanager.memory.managed.size": "8m", "restart-strategy.type": "fixed-delay", "restart-strategy.fixed-delay.delay": "10 ms",
	"restart-strategy.fixed-delay.attempts": "20", "execution.checkpointing.interval": "1 s",
}

// leftovers lists what is left of the workers' files.
func (c *cluster) leftovers() []string {
	list, _ := filepath.Glob(filepath.Join(c.dir, "scratch-*", "worker-*", "partitions", "*", "*"))
	return list
}

// TestBatch runs the stages on two workers, with more data than they have memory
// for, in slots for one stage. AUTOMATIC is BATCH, since the source ends.
func TestBatch(t *testing.T) {
	const n = 300_000 // of more than 200 bytes, with 4 MiB of network memory and 8 of managed
	for _, mode := range []string{"BATCH", "AUTOMATIC"} {
		t.Run(mode, func(t *testing.T) {
			c := newCluster(t, 2, 1, small)
			id := c.submit(c.dir, fmt.Sprint(n), mode)
			c.finished(id)
			expect(t, c.dir, n)
			if c.lines.count("Source:", "to FINISHED") != 2 || c.lines.count("the job runs in BATCH: execution.checkpointing.interval is ignored") != 1 {
				t.Error("it did not run in stages, or did not say that it takes no checkpoints")
			}
		})
	}
}

// TestBatchEarlySink has a sink beside a later stage: the tasks in front of both
// finish, so that the later stage begins, though the sink commits at the very end.
func TestBatchEarlySink(t *testing.T) {
	const n = 10_000
	c := newCluster(t, 2, 1, small)
	id := c.submit(c.dir, fmt.Sprint(n), "BATCH", "sums")
	c.finished(id)
	expect(t, c.dir, n)
	got := linesOf(t, filepath.Join(c.dir, "sums"))
	if len(got) != 997 || len(slices.Compact(got)) != 997 {
		t.Errorf("%d keys in %d lines, not 997 in as many", len(slices.Compact(got)), len(got))
	}
}

// hold makes stage 2 stop in its middle. The result waits until it has, calls f,
// and lets it go on.
func (c *cluster) hold() (during func(f func())) {
	c.t.Helper()
	name := filepath.Join(c.dir, "gate")
	if err := syscall.Mkfifo(name, 0o600); err != nil {
		c.t.Fatal(err)
	}
	return func(f func()) {
		c.t.Helper()
		pipe, err := os.OpenFile(name, os.O_WRONLY, 0) // returns once somebody waits
		if err != nil {
			c.t.Fatal(err)
		}
		if err := os.Remove(name); err != nil {
			c.t.Fatal(err)
		}
		f()
		_ = pipe.Close() // nothing was written
	}
}

// TestBatchKill kills a worker in the middle of stage 2, with what it wrote in
// stage 1: both of its tasks run again, and the result is right.
func TestBatchKill(t *testing.T) {
	const n = 100_000
	c := newCluster(t, 2, 1, small)
	during := c.hold()
	id := c.submit(c.dir, fmt.Sprint(n), "BATCH")
	during(func() { c.kill(1) })
	c.finished(id)
	expect(t, c.dir, n)
	if c.lines.count("level=WARN", "Source:") != 0 {
		t.Error("the tasks of stage 1 had not finished when the worker was killed")
	}
	if got := c.lines.count("Source:", "to FINISHED"); got < 3 {
		t.Errorf("tasks of the source finished %d times; some of them had to run again", got)
	}
	c.close()
	if left := c.leftovers(); len(left) > 0 {
		t.Errorf("partitions are left behind: %v", left)
	}
}

// kill kills n workers with SIGKILL.
func (c *cluster) kill(n int) {
	c.t.Helper()
	pids := c.workers()
	if len(pids) < n {
		c.t.Fatalf("there are %d workers", len(pids))
	}
	for _, pid := range pids[:n] {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			c.t.Fatal(err)
		}
	}
}

// workers are the processes of the workers that registered.
func (c *cluster) workers() []int {
	c.lines.mu.Lock()
	defer c.lines.mu.Unlock()
	var list []int
	for line := range strings.Lines(c.lines.text.String()) {
		if strings.Contains(line, "Worker registered") {
			_, after, _ := strings.Cut(line, " pid=")
			text, _, _ := strings.Cut(strings.TrimSpace(after), " ")
			pid, err := strconv.Atoi(text)
			if err != nil {
				c.t.Fatal(err)
			}
			list = append(list, pid)
		}
	}
	return list
}
