package stream_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
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

// oneFS serves every URI from one file system.
type oneFS struct{ fs hdfsstore.FS }

func (o oneFS) For(uri string) (hdfsstore.FS, string, error) {
	if i := strings.Index(uri, "://"); i >= 0 {
		rest := uri[i+3:]
		return o.fs, rest[strings.IndexByte(rest, '/'):], nil
	}
	return o.fs, uri, nil
}

// TestTextLines cuts a file with all kinds of lines into splits of every size and
// compares with strings.Split.
func TestTextLines(t *testing.T) {
	seed := seeds.One(t)
	r := rand.New(rand.NewPCG(seed, 0))
	var want []string
	var text strings.Builder
	for i := range 300 {
		line := fmt.Sprintf("%d %s", i, strings.Repeat("z", r.IntN(50)*r.IntN(2)*r.IntN(2)))
		if r.IntN(10) == 0 {
			line = ""
		}
		want = append(want, line)
		text.WriteString(line)
		if i < 299 || r.IntN(2) == 0 {
			text.WriteString([]string{"\n", "\r\n"}[r.IntN(2)])
		} else if line == "" {
			want = want[:len(want)-1]
		}
	}
	slices.Sort(want)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "in 100%.txt"), []byte(text.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	os.WriteFile(filepath.Join(dir, "_hidden"), []byte("no\n"), 0o644)
	os.WriteFile(filepath.Join(dir, ".hidden"), []byte("no\n"), 0o644)
	os.WriteFile(filepath.Join(dir, "empty"), nil, 0o644)
	for _, size := range []int64{1, 2, 3, 7, 64, 1000, 1 << 20} {
		for _, uri := range []string{dir, "file://" + strings.ReplaceAll(dir, "%", "%25")} {
			got := &bag[string]{}
			prog := program(t, func(env *stream.Env) {
				env.SetParallelism(3)
				src := stream.TextSource(stream.FileOptions{Paths: []string{uri}, SplitSize: size})
				stream.From(env, src, stream.NoWatermarks[string]()).Each(got.add)
			})
			run(t, prog, streamtest.Options{Seed: r.Uint64()})
			slices.Sort(got.vs)
			if !slices.Equal(got.vs, want) {
				t.Errorf("split size %d: %d lines, want %d", size, len(got.vs), len(want))
			}
		}
	}
}

// TestTextLinesLong has lines longer than what is read at once.
func TestTextLinesLong(t *testing.T) {
	path := filepath.Join(t.TempDir(), "long")
	want := []string{strings.Repeat("a", 1<<20), "b", strings.Repeat("c", 300<<10)}
	if err := os.WriteFile(path, []byte(strings.Join(want, "\n")), 0o644); err != nil {
		t.Fatal(err)
	}
	got := &bag[string]{}
	prog := program(t, func(env *stream.Env) {
		stream.From(env, stream.TextSource(stream.FileOptions{Paths: []string{path}, SplitSize: 200 << 10}), stream.NoWatermarks[string]()).Each(got.add)
	})
	run(t, prog, streamtest.Options{})
	if !slices.Equal(got.vs, want) {
		t.Errorf("%d lines", len(got.vs))
	}
}

func TestInputErrors(t *testing.T) {
	prog := program(t, func(env *stream.Env) { stream.TextFiles(env, []string{"/in"}).Discard() })
	mem := memfs.New()
	_, err := streamtest.New(prog, streamtest.Options{Files: oneFS{mem}})
	if err == nil {
		c, _ := streamtest.New(prog, streamtest.Options{Files: oneFS{mem}})
		err = c.Run()
	}
	if err == nil || !strings.Contains(err.Error(), "input path /in does not exist") {
		t.Errorf("missing: %v", err)
	}
	write(t, mem, "/in/a", "x\n")
	faulty := faultfs.New(mem, 1)
	if err := faulty.Script("list -> error permission"); err != nil {
		t.Fatal(err)
	}
	c, err := streamtest.New(prog, streamtest.Options{Files: oneFS{faulty}})
	if err == nil {
		err = c.Run()
		c.Close()
	}
	if err == nil || !strings.Contains(err.Error(), "no permission to read input path /in") {
		t.Errorf("permission: %v", err)
	}
	env := stream.NewEnv(stream.Settings{})
	stream.TextFiles(env, []string{"s3://bucket/in"}).WriteText("gs://bucket/out")
	if _, err := env.Program(); err == nil || !strings.Contains(err.Error(), `"s3"`) || !strings.Contains(err.Error(), `"gs"`) || strings.Count(err.Error(), "file_test.go:") != 2 {
		t.Errorf("schemes: %v", err)
	}
}

func write(t *testing.T, f hdfsstore.FS, path, text string) {
	t.Helper()
	w, err := f.Create(context.Background(), path, hdfsstore.CreateOptions{})
	if err == nil {
		_, err = io.WriteString(w, text)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestDiscover finds files that appear while the job runs.
func TestDiscover(t *testing.T) {
	mem := memfs.New()
	write(t, mem, "/in/a", "1\n2\n")
	got := &bag[string]{}
	prog := program(t, func(env *stream.Env) {
		src := stream.TextSource(stream.FileOptions{Paths: []string{"/in"}, Discover: time.Second})
		stream.From(env, src, stream.NoWatermarks[string]()).Each(got.add)
	})
	c, err := streamtest.New(prog, streamtest.Options{Files: oneFS{mem}})
	if err != nil {
		t.Fatal(err)
	}
	until := func(n int) {
		for i := 0; len(got.vs) < n; i++ {
			if err := c.RunSteps(1); err != nil || i > 1e5 {
				t.Fatalf("%d lines after %d steps: %v", len(got.vs), i, err)
			}
			if err := c.Discover(); err != nil {
				t.Fatal(err)
			}
		}
	}
	until(2)
	write(t, mem, "/in/b", "3\n")
	until(3)
	cp, err := c.Checkpoint()
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	write(t, mem, "/in/c", "4\n")
	if c, err = streamtest.New(prog, streamtest.Options{Files: oneFS{mem}, Restore: cp}); err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	until(4)
	if !slices.Equal(got.vs, []string{"1", "2", "3", "4"}) {
		t.Errorf("got %v", got.vs)
	}
}

// sinkJob writes numbers; each checkpoint makes a part.
func sinkJob(t *testing.T, n int64) *stream.Program {
	return program(t, func(env *stream.Env) {
		s := stream.Sequence(env, 1, n, stream.Parallelism(1))
		stream.ToFiles(s, stream.FileSink[int64]{Path: "/out", Suffix: ".txt", RollSize: 2000}, stream.Name("files"), stream.UID("files"))
	})
}

func outFiles(t *testing.T, f hdfsstore.FS, hidden bool) (names []string) {
	t.Helper()
	infos, err := f.List(context.Background(), "/out")
	if err != nil && !strings.Contains(err.Error(), "no such") {
		t.Fatal(err)
	}
	for _, i := range infos {
		if strings.HasPrefix(i.Name, ".") == hidden {
			names = append(names, i.Path)
		}
	}
	return names
}

func outLines(t *testing.T, f hdfsstore.FS) (lines []string) {
	t.Helper()
	for _, p := range outFiles(t, f, false) {
		r, err := f.Open(context.Background(), p)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		r.Close()
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, strings.Fields(string(b))...)
	}
	return lines
}

// TestFileSinkVisibility: nothing shows before a checkpoint is complete, and then
// what it holds; without checkpoints everything at the end.
func TestFileSinkVisibility(t *testing.T) {
	mem := memfs.New()
	c, err := streamtest.New(sinkJob(t, 10_000), streamtest.Options{Files: oneFS{mem}})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.RunSteps(10); err != nil {
		t.Fatal(err)
	}
	if n := outFiles(t, mem, false); len(n) > 0 {
		t.Errorf("visible before a checkpoint: %v", n)
	}
	cp, err := c.Checkpoint()
	if err != nil {
		t.Fatal(err)
	}
	seen := len(outLines(t, mem))
	if seen == 0 {
		t.Error("nothing is visible after a checkpoint")
	}
	if err := c.RunSteps(5); err != nil {
		t.Fatal(err)
	}
	c.Close() // killed: what came after the checkpoint is not seen
	if n := len(outLines(t, mem)); n != seen {
		t.Errorf("%d lines, %d after the checkpoint", n, seen)
	}
	run(t, sinkJob(t, 10_000), streamtest.Options{Files: oneFS{mem}, Restore: cp})
	if n := len(outLines(t, mem)); n != 10_000 {
		t.Errorf("%d lines at the end", n)
	}
}

// TestFileSinkRecovery restores a checkpoint whose parts are in every state that a
// crash can leave them in.
func TestFileSinkRecovery(t *testing.T) {
	for name, tc := range map[string]struct {
		harm func(f *faultfs.FS, mem hdfsstore.FS, tmp, final string)
		want string // in the error; empty: all is well
	}{
		"not renamed": {func(*faultfs.FS, hdfsstore.FS, string, string) {}, ""},
		"renamed": {func(_ *faultfs.FS, mem hdfsstore.FS, tmp, final string) {
			must(t, mem.Rename(context.Background(), tmp, final))
		}, ""},
		"copied": {func(_ *faultfs.FS, mem hdfsstore.FS, tmp, final string) {
			write(t, mem, final, content(t, mem, tmp))
		}, ""},
		"both missing": {func(_ *faultfs.FS, mem hdfsstore.FS, tmp, _ string) {
			must(t, mem.Delete(context.Background(), tmp, false))
		}, "are missing"},
		"another file": {func(_ *faultfs.FS, mem hdfsstore.FS, tmp, final string) {
			write(t, mem, final, "something else")
		}, "is not the part of"},
		"same length": {func(_ *faultfs.FS, mem hdfsstore.FS, tmp, final string) {
			write(t, mem, final, strings.Repeat("x", len(content(t, mem, tmp))))
		}, "is not the part of"},
		"rename fails": {func(f *faultfs.FS, _ hdfsstore.FS, _, _ string) {
			must(t, f.Script("rename -> error permission"))
		}, "permission"},
		"answer lost": {func(f *faultfs.FS, _ hdfsstore.FS, _, _ string) {
			must(t, f.Script("rename nth=1 -> lost transient"))
		}, ""},
		"never answers": {func(f *faultfs.FS, _ hdfsstore.FS, _, _ string) {
			must(t, f.Script("rename -> error transient"))
		}, "after 10 retries (sink.committer.retries)"},
	} {
		t.Run(name, func(t *testing.T) {
			mem := memfs.New()
			f := faultfs.New(mem, 1)
			must(t, f.Script("rename -> error io"))
			c, err := streamtest.New(sinkJob(t, 100_000), streamtest.Options{Files: oneFS{f}})
			if err != nil {
				t.Fatal(err)
			}
			must(t, c.RunSteps(6))
			if _, err := c.Checkpoint(); err == nil {
				t.Fatal("a failed rename passed")
			}
			cp := c.LastCheckpoint() // complete, but not committed
			c.Close()
			must(t, f.Script(""))
			tmp := outFiles(t, mem, true)[0]
			final := strings.Replace(tmp[:strings.Index(tmp, ".inprogress")], "/.", "/", 1)
			tc.harm(f, mem, tmp, final)
			c, err = streamtest.New(sinkJob(t, 100_000), streamtest.Options{Files: oneFS{f}, Restore: cp})
			if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want) || !strings.Contains(err.Error(), `operator "Sink: files"`)) {
				t.Errorf("restore: %v", err)
			}
			if err != nil {
				return
			}
			must(t, c.Run())
			must(t, c.Close())
			if n := len(outLines(t, mem)); n != 100_000 {
				t.Errorf("%d lines", n)
			}
		})
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func content(t *testing.T, f hdfsstore.FS, path string) string {
	t.Helper()
	r, err := f.Open(context.Background(), path)
	must(t, err)
	defer r.Close()
	b, err := io.ReadAll(r)
	must(t, err)
	return string(b)
}

// TestFileSinkFaults runs with random write errors until the job gets through:
// every line is there once.
func TestFileSinkFaults(t *testing.T) {
	seed := seeds.One(t)
	r := rand.New(rand.NewPCG(seed, 0))
	mem := memfs.New()
	f := faultfs.New(mem, seed)
	var from *streamtest.Checkpoint
	failures := 0
	for attempt := 0; ; attempt++ {
		script := "writes chance=0.05 -> error io\nrename chance=0.1 -> lost transient\nrename chance=0.1 -> error transient"
		if attempt > 15 {
			script = ""
		}
		must(t, f.Script(script))
		c, err := streamtest.New(sinkJob(t, 20_000), streamtest.Options{Files: oneFS{f}, Restore: from, CheckpointEvery: 7, Seed: r.Uint64()})
		if err == nil {
			err = c.Run()
			if cp := c.LastCheckpoint(); cp != nil {
				from = cp
			}
			c.Close()
		}
		if err == nil {
			break
		}
		failures++
	}
	lines := outLines(t, mem)
	slices.Sort(lines)
	if n := len(slices.Compact(lines)); n != 20_000 || len(lines) != 20_000 {
		t.Errorf("%d lines, %d different, after %d failures", len(lines), n, failures)
	}
}
