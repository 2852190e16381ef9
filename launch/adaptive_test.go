package launch_test

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"goflink/jobmanager/rest"
	"goflink/stream"
)

// span is a part of the numbers that the counting job reads.
type span struct{ At, End int64 }

// spans hands out parts of the numbers, one at a time.
type spans struct {
	ctx  *stream.EnumeratorContext[span]
	n    int64
	left []span
}

func (e *spans) Start(ctx *stream.EnumeratorContext[span], restored *[]span) error {
	e.ctx = ctx
	if restored != nil {
		e.left = *restored
		return nil
	}
	const parts = 6
	for i := range int64(parts) {
		e.left = append(e.left, span{i * e.n / parts, (i + 1) * e.n / parts})
	}
	return nil
}

func (e *spans) Request(subtask int, _ string) error {
	if len(e.left) == 0 {
		e.ctx.NoMoreSplits(subtask)
		return nil
	}
	e.ctx.Assign(subtask, e.left[0])
	e.left = e.left[1:]
	return nil
}

func (e *spans) Snapshot(int64) ([]span, error) { return e.left, nil }

func (e *spans) Close() error { return nil }

// spanReader reads numbers slowly, and never the last one of a span, until a file
// named open is there.
type spanReader struct {
	ctx  *stream.ReaderContext
	open string
}

func (r *spanReader) Open(s span) (stream.SplitReader[span, int64], error) {
	return &openSpan{r, s, false}, nil
}

func (r *spanReader) Close() error { return nil }

type openSpan struct {
	r *spanReader
	span
	rested bool
}

func (s *openSpan) Next(r *stream.Rec[int64]) (stream.ReadStatus, error) {
	if s.At == s.End {
		return stream.ReadEnd, nil
	}
	if _, err := os.Stat(s.r.open); err != nil {
		if s.rested = !s.rested; s.rested || s.At+1 == s.End {
			s.r.ctx.WakeAt(s.r.ctx.Now().UnixMilli() + 2)
			return stream.ReadWait, nil
		}
	}
	r.V = s.At
	s.At++
	return stream.ReadRecord, nil
}

func (s *openSpan) Split() span { return s.span }

func (s *openSpan) Close() error { return nil }

const countedKeys = 7

// counting counts numbers by key and writes every count: the n-th number of a key
// is there once, with n.
func counting(env *stream.Env) error {
	dir := env.Args()[0]
	n, err := strconv.ParseInt(env.Args()[1], 10, 64)
	if err != nil {
		return err
	}
	env.Configure("execution.runtime-mode", "STREAMING")
	env.SetParallelism(3)
	numbers := stream.From(env, stream.NewSource(stream.SourceSpec[span, []span, int64]{Name: "Spans", Digest: env.Args()[1], OneByOne: true,
		Enumerator: func() stream.Enumerator[span, []span] { return &spans{n: n} },
		Reader: func(ctx *stream.ReaderContext) (stream.Reader[span, int64], error) {
			return &spanReader{ctx, filepath.Join(dir, "open")}, nil
		}}), stream.NoWatermarks[int64](), stream.UID("numbers"))
	ones := stream.Map(numbers, func(i int64) item { return item{Key: fmt.Sprintf("k%d", i%countedKeys), N: 1} })
	counts := stream.Sum(stream.KeyBy(ones, func(i item) string { return i.Key }), func(i *item) *int64 { return &i.N }, stream.UID("counts"))
	lines := stream.Map(counts, func(i item) string { return fmt.Sprintf("%s:%d", i.Key, i.N) })
	lines.WriteText(filepath.Join(dir, "out"))
	return nil
}

// rescaled waits until the job runs with this parallelism, all of it.
func (c *cluster) rescaled(id string, parallelism int) {
	c.t.Helper()
	late := time.After(2 * time.Minute)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		j, err := c.host.JobManager.REST().Job(context.Background(), id)
		if err != nil {
			c.t.Fatal(err)
		}
		if n := len(j.Vertices) * parallelism; j.State == "RUNNING" && j.Vertices[0].Parallelism == parallelism && j.Tasks["RUNNING"] == n {
			return
		}
		select {
		case <-tick.C:
		case <-late:
			c.t.Fatalf("waited in vain for parallelism %d: %s %v", parallelism, j.State, j.Tasks)
		}
	}
}

// TestRescale: a job counts while it goes from one subtask to three, with a
// TaskManager that comes, and to two, by its bounds; every count is written once.
func TestRescale(t *testing.T) {
	const n = 60_000
	config := maps.Clone(small)
	maps.Copy(config, map[string]string{"jobmanager.scheduler": "adaptive", "jobmanager.adaptive-scheduler.scaling-interval.min": "0 ms",
		"jobmanager.adaptive-scheduler.resource-stabilization-timeout": "100 ms", "restart-strategy.type": "none"})
	c := newCluster(t, 1, 1, config)
	id := c.submit(c.dir, fmt.Sprint(n), "ADAPTIVE")
	c.rescaled(id, 1)
	c.join("tm-more", 2)
	c.rescaled(id, 3)
	bounds, err := c.host.JobManager.REST().ResourceRequirements(context.Background(), id)
	if err != nil {
		t.Fatal(err)
	}
	for v := range bounds {
		bounds[v] = rest.ParallelismBounds{Lower: 1, Upper: 2}
	}
	if err := c.host.JobManager.REST().UpdateResourceRequirements(context.Background(), id, bounds); err != nil {
		t.Fatal(err)
	}
	c.rescaled(id, 2)
	if err := os.WriteFile(filepath.Join(c.dir, "open"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	c.finished(id)

	seen := map[string]int{}
	for _, l := range linesOf(t, filepath.Join(c.dir, "out")) {
		seen[l]++
	}
	for k := range countedKeys {
		for i := range (n - k + countedKeys - 1) / countedKeys {
			l := fmt.Sprintf("k%d:%d", k, i+1)
			if seen[l] != 1 {
				t.Fatalf("%q was written %d times", l, seen[l])
			}
			delete(seen, l)
		}
	}
	if len(seen) > 0 {
		t.Fatalf("%d lines should not be there", len(seen))
	}
	j, err := c.host.JobManager.REST().Job(context.Background(), id)
	if err != nil || len(j.Failures) != 0 {
		t.Fatalf("%+v %v", j.Failures, err)
	}
	m, err := c.host.JobManager.REST().JobMetrics(context.Background(), id)
	if err != nil || m["numRescales"] != "2" || m["numRestarts"] != "2" || c.lines.count("Restarting job with new parallelism on") != 2 {
		t.Fatalf("%v %v", m, err)
	}
	if strings.TrimSpace(m["numberOfCompletedCheckpoints"]) == "0" {
		t.Fatal("no checkpoint was taken")
	}
}
