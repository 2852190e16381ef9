package stream_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"goflink/hdfsstore"
	"goflink/hdfsstore/faultfs"
	"goflink/hdfsstore/memfs"
	"goflink/internal/seeds"
	"goflink/stream"
	"goflink/stream/streamtest"
)

// tree are the visible files below /out, and the hidden ones.
func tree(t *testing.T, f hdfsstore.FS, dir string) (visible, hidden []string) {
	t.Helper()
	infos, err := f.List(context.Background(), dir)
	must(t, err)
	for _, i := range infos {
		switch {
		case i.IsDir:
			v, h := tree(t, f, i.Path)
			visible, hidden = append(visible, v...), append(hidden, h...)
		case strings.HasPrefix(i.Name, "."):
			hidden = append(hidden, i.Path)
		default:
			visible = append(visible, i.Path)
		}
	}
	return visible, hidden
}

// bucketJob writes numbers to a folder for each remainder.
func bucketJob(t *testing.T, n int64, p int, compact stream.Compaction) *stream.Program {
	return program(t, func(env *stream.Env) {
		env.SetParallelism(p)
		s := stream.Sequence(env, 1, n, stream.UID("numbers"))
		stream.ToFiles(s.Rebalance(), stream.FileSink[int64]{Path: "/out", Suffix: ".txt", RollSize: 5000, Compact: compact,
			Bucket: stream.BucketBy(func(r stream.Rec[int64], _ time.Time) string { return fmt.Sprintf("mod=%d", r.V%3) })},
			stream.Name("files"), stream.UID("files"))
	})
}

// checkBuckets reads everything: each number once, in its folder.
func checkBuckets(t *testing.T, f hdfsstore.FS, n int) (files int) {
	t.Helper()
	visible, _ := tree(t, f, "/out")
	var all []int64
	for _, p := range visible {
		for _, line := range strings.Fields(content(t, f, p)) {
			var v int64
			if _, err := fmt.Sscan(line, &v); err != nil || path.Base(path.Dir(p)) != fmt.Sprintf("mod=%d", v%3) {
				t.Errorf("%q in %s", line, p)
			}
			all = append(all, v)
		}
	}
	slices.Sort(all)
	if len(all) != n || len(slices.Compact(all)) != n {
		t.Errorf("%d numbers, %d different, want %d", len(all), len(slices.Compact(all)), n)
	}
	return len(visible)
}

// TestFileSinkBuckets runs with buckets and compaction, killed while the file
// system fails in all ways, and restored at another parallelism: nothing is lost
// or doubled.
func TestFileSinkBuckets(t *testing.T) {
	seed := seeds.One(t)
	r := rand.New(rand.NewPCG(seed, 0))
	for name, compact := range map[string]stream.Compaction{"plain": {}, "each": {Checkpoints: 1}, "second": {Checkpoints: 2, Files: 20}, "size": {Size: 30_000}} {
		t.Run(name, func(t *testing.T) {
			mem := memfs.New()
			f := faultfs.New(mem, r.Uint64())
			var from *streamtest.Checkpoint
			failures := 0
			for attempt := 0; ; attempt++ {
				script := "write chance=0.005 -> short io\nwrites chance=0.005 -> error io\nopen,read chance=0.005 -> error io\nrename chance=0.05 -> lost transient\n" +
					"rename chance=0.05 -> error transient\nrename chance=0.01 -> lost io\nrename chance=0.02 -> delay 1ms\ndelete chance=0.2 -> error io"
				if attempt > 12 {
					script = ""
				}
				must(t, f.Script(script))
				steps := 10 + r.IntN(60)
				if attempt > 12 {
					steps = 1 << 40
				}
				c, err := streamtest.New(bucketJob(t, 20_000, 1+r.IntN(3), compact), streamtest.Options{Files: oneFS{f}, Restore: from, CheckpointEvery: 3 + r.IntN(8), Seed: r.Uint64(), RemoteShare: 0.5})
				if err == nil {
					err = c.RunSteps(steps)
					if cp := c.LastCheckpoint(); cp != nil {
						from = cp
					}
					done := c.Finished()
					c.Close()
					if err == nil && done {
						break
					}
				}
				if err != nil {
					failures++
				}
			}
			n := checkBuckets(t, mem, 20_000)
			t.Logf("%d files after %d failures", n, failures)
		})
	}
}

// TestCompaction: what the subtasks write in one checkpoint is one file a folder,
// and nothing is left.
func TestCompaction(t *testing.T) {
	mem := memfs.New()
	run(t, bucketJob(t, 3000, 3, stream.Compaction{Checkpoints: 1}), streamtest.Options{Files: oneFS{mem}})
	if n := checkBuckets(t, mem, 3000); n != 3 {
		t.Errorf("%d files", n)
	}
	if _, hidden := tree(t, mem, "/out"); len(hidden) > 0 {
		t.Errorf("left over: %v", hidden)
	}
	// A part that is not what was written is noticed.
	c, err := streamtest.New(bucketJob(t, 100_000, 2, stream.Compaction{Size: 1 << 30}), streamtest.Options{Files: oneFS{mem}})
	must(t, err)
	must(t, c.RunSteps(10))
	_, err = c.Checkpoint()
	must(t, err)
	_, hidden := tree(t, mem, "/out")
	must(t, mem.Delete(context.Background(), hidden[0], false))
	write(t, mem, hidden[0], "no")
	if err := c.Run(); err == nil || !strings.Contains(err.Error(), "and not the") || !strings.Contains(err.Error(), `operator "Sink: files Compactor"`) {
		t.Errorf("damaged part: %v", err)
	}
	c.Close()
}

// TestRolling closes parts by age and inactivity; they stay hidden until a
// checkpoint.
func TestRolling(t *testing.T) {
	for name, tc := range map[string]struct {
		sink stream.FileSink[int64]
		want int // files of 60 records, 10 a second with a pause
	}{
		"never":      {stream.FileSink[int64]{}, 1},
		"interval":   {stream.FileSink[int64]{RollInterval: time.Second}, 6},
		"inactivity": {stream.FileSink[int64]{RollInactivity: 400 * time.Millisecond}, 1},
		"idle":       {stream.FileSink[int64]{RollInactivity: 40 * time.Millisecond}, 15},
	} {
		t.Run(name, func(t *testing.T) {
			mem := memfs.New()
			prog := program(t, func(env *stream.Env) {
				tc.sink.Path = "/out"
				stream.ToFiles(stream.Generate(env, 60, 10, func(i int64) int64 { return i }, stream.Parallelism(1)), tc.sink, stream.Parallelism(1))
			})
			run(t, prog, streamtest.Options{Files: oneFS{mem}})
			visible, _ := tree(t, mem, "/out")
			if n := len(visible); n < tc.want*8/10 || n > tc.want*12/10 {
				t.Errorf("%d files, want about %d", n, tc.want)
			}
		})
	}
}

// TestDateTimeBuckets compares patterns with what Java's DateTimeFormatter gives.
func TestDateTimeBuckets(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	must(t, err)
	ms := time.Date(2026, 3, 7, 15, 4, 5, 67e6, time.UTC).UnixMilli()
	for pattern, want := range map[string]string{
		"": "2026-03-07--15", "yyyy-MM-dd--HH": "2026-03-07--15", "'dt='yyyyMMdd/'hour='HH": "dt=20260307/hour=15", "yy.M.d": "26.3.7",
		"yyyy-D": "2026-66", "hh-a-mm-ss-SSS": "03-PM-04-05-067", "EEE-MMM": "Sat-Mar", "EEEE-MMMM": "Saturday-March", "H-m-s": "15-4-5",
	} {
		mem := memfs.New()
		prog := program(t, func(env *stream.Env) {
			s := stream.From(env, stream.SliceSource([]int64{ms}), stream.Monotonous[int64]().WithTimestamps(func(v int64) int64 { return v }))
			stream.ToFiles(s, stream.FileSink[int64]{Path: "/out", Bucket: stream.EventTimeBuckets[int64](pattern, nil)})
			stream.ToFiles(s, stream.FileSink[int64]{Path: "/now", Bucket: stream.DateTimeBuckets[int64](pattern, berlin)})
		})
		run(t, prog, streamtest.Options{Files: oneFS{mem}, Start: time.UnixMilli(ms).Add(-time.Hour)})
		for _, root := range []string{"/out", "/now"} {
			if visible, _ := tree(t, mem, root); len(visible) != 1 || path.Dir(visible[0]) != root+"/"+want {
				t.Errorf("%q: %v, want %s", pattern, visible, want)
			}
		}
	}
	env := stream.NewEnv(stream.Settings{})
	for _, bad := range []string{"yyyy-QQ", "'open", "'../'yyyy", "/yyyy"} {
		stream.ToFiles(stream.Sequence(env, 1, 2), stream.FileSink[int64]{Path: "/out", Bucket: stream.DateTimeBuckets[int64](bad, nil)})
	}
	if _, err := env.Program(); err == nil || strings.Count(err.Error(), "sink_file_test.go:") != 4 {
		t.Errorf("bad patterns: %v", err)
	}
}

// TestBadBucket fails the job with the name.
func TestBadBucket(t *testing.T) {
	prog := program(t, func(env *stream.Env) {
		bad := stream.BucketBy(func(stream.Rec[int64], time.Time) string { return "../elsewhere" })
		stream.ToFiles(stream.Sequence(env, 1, 2), stream.FileSink[int64]{Path: "/out", Bucket: bad})
	})
	c, err := streamtest.New(prog, streamtest.Options{Files: oneFS{memfs.New()}})
	must(t, err)
	if err := c.Run(); err == nil || !strings.Contains(err.Error(), `bucket "../elsewhere"`) {
		t.Errorf("got %v", err)
	}
	c.Close()
}
