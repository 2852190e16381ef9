package metrics

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"goflink/conf"
)

func testRegistry() (*Registry, *time.Time) {
	now := time.UnixMilli(1_000_000)
	r := NewRegistry(Options{Host: "h1", TaskManagerID: "tm-1", Now: func() time.Time { return now }})
	return r, &now
}

func testTask(r *Registry) *Task {
	return r.Task(TaskID{JobID: "j", JobName: "WordCount", VertexID: "v", TaskName: "Source: in -> Map", Subtask: 2})
}

func TestTaskAndOperatorNames(t *testing.T) {
	r, _ := testRegistry()
	task := testTask(r)
	op := task.Operator("o1", "Source: in")
	op.Group.Labelled("topic", "a.b").Counter("lag")
	op.Group.Group("mine").Counter("n").Inc()
	op.RecordsOut.Add(7)
	task.IO.RecordsIn.Add(3)
	if got := task.Snapshot()["numRecordsIn"]; got != "0" {
		t.Errorf("unpublished count is seen: %s", got)
	}
	task.Publish()
	got := task.Snapshot()
	for name, want := range map[string]string{
		"numRecordsIn": "3", "numRecordsOut": "0", "Source__in.numRecordsOut": "7", "Source__in.numRecordsOutPerSecond": "0.0",
		"Source__in.topic.a.b.lag": "0", "Source__in.mine.n": "1", "currentInputWatermark": "-9223372036854775808",
		"isBackPressured": "false", "mailboxLatencyMs_p999": "0.0", "busyTimeMsPerSecond": "0.0",
	} {
		if got[name] != want {
			t.Errorf("%s = %q; want %q", name, got[name], want)
		}
	}
	all := r.Snapshot()
	for _, want := range []string{
		"h1.taskmanager.tm-1.WordCount.Source: in -> Map.2.numRecordsIn",
		"h1.taskmanager.tm-1.WordCount.Source: in.2.numRecordsOut",
		"h1.taskmanager.tm-1.WordCount.Source: in.2.mine.n",
	} {
		if _, ok := all[want]; !ok {
			t.Errorf("no %q among %q", want, slices.Sorted(maps.Keys(all)))
		}
	}
}

// TestTaskHasFlinksMetrics lists the names of a real task's metrics that tools read.
func TestTaskHasFlinksMetrics(t *testing.T) {
	r, _ := testRegistry()
	got := testTask(r).Snapshot()
	for _, name := range strings.Fields(`accumulateBackPressuredTimeMs accumulateBusyTimeMs accumulateIdleTimeMs backPressuredTimeMsPerSecond
		busyTimeMsPerSecond checkpointAlignmentTime checkpointStartDelayNanos currentInputWatermark idleTimeMsPerSecond initializationTime
		isBackPressured mailboxLatencyMs_max mailboxLatencyMs_mean mailboxLatencyMs_median mailboxLatencyMs_min mailboxLatencyMs_p75
		mailboxLatencyMs_p90 mailboxLatencyMs_p95 mailboxLatencyMs_p98 mailboxLatencyMs_p99 mailboxLatencyMs_p999 mailboxLatencyMs_stddev
		mailboxQueueSize numBuffersInLocal numBuffersInLocalPerSecond numBuffersInRemote numBuffersInRemotePerSecond numBuffersOut
		numBuffersOutPerSecond numBytesIn numBytesInLocal numBytesInLocalPerSecond numBytesInPerSecond numBytesInRemote
		numBytesInRemotePerSecond numBytesOut numBytesOutPerSecond numFiredTimers numFiredTimersPerSecond numRecordsIn
		numRecordsInPerSecond numRecordsOut numRecordsOutPerSecond`) {
		if _, ok := got[name]; !ok {
			t.Errorf("no metric %s", name)
		}
	}
}

func TestMeter(t *testing.T) {
	r, now := testRegistry()
	task := testTask(r)
	step := func(n int64) string {
		task.IO.RecordsIn.Add(n)
		task.Publish()
		*now = now.Add(TickInterval)
		r.Tick(*now)
		return task.Snapshot()["numRecordsInPerSecond"]
	}
	if got := step(500); got != "100.0" {
		t.Errorf("after one tick: %s", got)
	}
	if got := step(0); got != "50.0" {
		t.Errorf("after two ticks: %s", got)
	}
	for range meterWindow {
		step(0)
	}
	if got := step(0); got != "0.0" {
		t.Errorf("after a quiet minute: %s", got)
	}
}

func TestHistogram(t *testing.T) {
	r, _ := testRegistry()
	h := r.Process().Histogram("x", 100)
	for i := range int64(1000) {
		h.Update(i)
	}
	s := h.Statistics()
	if s.Count != 1000 || s.Min != 900 || s.Max != 999 || s.Mean < 949 || s.Mean > 950 || s.Quantile(0.5) != 949.5 || s.Quantile(1) != 999 || s.Quantile(0) != 900 {
		t.Errorf("statistics %+v", s)
	}
	if got := newHistogram(1 << 30); cap(got.mu.ring) != maxWindow {
		t.Errorf("window of %d", cap(got.mu.ring))
	}
	if got := Summarise(nil).Quantile(0.5); got != 0 {
		t.Errorf("quantile of nothing %v", got)
	}
}

func TestScopesAndRemoval(t *testing.T) {
	c := conf.FromMap(map[string]string{"metrics.scope.jm-job": "x.<job_id>.<nonsense>"})
	r := NewRegistry(Options{Host: "h", Scopes: ScopesFrom(c)})
	r.Process().Gauge("g", func() string { return "1" })
	r.Job("j1", "a job").Gauge("uptime", IntGauge(func() int64 { return 5 }))
	want := map[string]string{"h.jobmanager.g": "1", "x.j1.<nonsense>.uptime": "5"}
	if got := r.Snapshot(); !maps.Equal(got, want) {
		t.Errorf("got %v; want %v", got, want)
	}
	first := r.Task(TaskID{JobID: "j1", VertexID: "v"})
	second := r.Task(TaskID{JobID: "j1", VertexID: "v", Attempt: 1})
	first.Close()
	if got := len(r.Snapshot()); got <= 2 {
		t.Error("an older attempt's Close removed the newer one's metrics")
	}
	second.Close()
	r.Task(TaskID{JobID: "j1", VertexID: "v"})
	r.RemoveJob("j1")
	if got := r.Snapshot(); len(got) != 1 {
		t.Errorf("after removal: %v", got)
	}
}

func TestBounds(t *testing.T) {
	r, _ := testRegistry()
	g := r.Process().Group("user")
	for i := range maxPerGroup + 50 {
		g.Counter(fmt.Sprint("c", i))
		g.Group(fmt.Sprint("g", i)).Counter("x")
	}
	g.Counter("c0").Inc()
	if n := len(g.metrics); n != maxPerGroup {
		t.Errorf("%d metrics", n)
	}
	if n := len(g.children); n != maxChildren {
		t.Errorf("%d groups", n)
	}
	if r.Dropped() != 101 {
		t.Errorf("dropped %d", r.Dropped())
	}
	if got := cleanName(strings.Repeat("ä", 1000)); len(got) > maxName {
		t.Errorf("name of %d bytes", len(got))
	}
}

func TestProcess(t *testing.T) {
	r, _ := testRegistry()
	RegisterProcess(r.Process())
	got := r.Process().Snapshot()
	for _, name := range []string{"Status.JVM.CPU.Load", "Status.JVM.Memory.Heap.Used", "Status.JVM.Memory.Heap.Max", "Status.JVM.Threads.Count",
		"Status.JVM.GarbageCollector.All.Count", "Status.JVM.Memory.Direct.MemoryUsed", "Status.JVM.Memory.Metaspace.Used"} {
		if got[name] == "" {
			t.Errorf("no %s in %v", name, got)
		}
	}
	if got["Status.JVM.Memory.Heap.Used"] == "0" || got["Status.JVM.Threads.Count"] == "0" {
		t.Errorf("figures of the runtime are missing: %v", got)
	}
}

// TestReadersBesideTheOwner is for the race detector.
func TestReadersBesideTheOwner(t *testing.T) {
	r, _ := testRegistry()
	task := testTask(r)
	op := task.Operator("o", "map")
	var wg sync.WaitGroup
	wg.Go(func() {
		for range 1000 {
			task.IO.RecordsIn.Inc()
			op.RecordsOut.Inc()
			task.IO.CurrentInputWatermark.Set(task.IO.RecordsIn.Count())
			task.IO.MailboxLatency.Update(1)
			task.Publish()
		}
	})
	for range 50 {
		r.Snapshot()
		r.Tick(time.Now())
		r.Process().Counter("late")
	}
	wg.Wait()
	if got := task.Snapshot()["map.numRecordsOut"]; got != "1000" {
		t.Errorf("count %s", got)
	}
}

func BenchmarkRecordAndPublish(b *testing.B) {
	r, _ := testRegistry()
	task := testTask(r)
	op := task.Operator("o", "map")
	b.ReportAllocs()
	for i := range b.N {
		task.IO.RecordsIn.Inc()
		op.RecordsOut.Inc()
		if i%256 == 0 {
			task.Publish()
		}
	}
}

func TestNoAllocationPerBatch(t *testing.T) {
	r, _ := testRegistry()
	task := testTask(r)
	op := task.Operator("o", "map")
	if n := testing.AllocsPerRun(100, func() { op.RecordsIn.Inc(); task.IO.RecordsIn.Inc(); task.Publish() }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
