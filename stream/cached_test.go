package stream_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"goflink/stream"
	"goflink/stream/streamtest"
)

// cacheReader emits what its cached files hold.
type cacheReader struct{ file, folder, shipped string }

func newCacheReader(s *stream.Setup[stream.NoKey]) *cacheReader {
	return &cacheReader{s.CachedFile("file"), s.CachedFile("folder"), s.CachedFile("shipped")}
}

func (c *cacheReader) OnRecord(_ *stream.Ctx[stream.NoKey], _ int64, out *stream.Out[string]) error {
	var all []string
	for _, path := range []string{c.file, filepath.Join(c.folder, "a"), filepath.Join(c.folder, "sub", "b"), c.shipped} {
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		all = append(all, fmt.Sprintf("%s %o", b, info.Mode().Perm()))
	}
	out.Emit(strings.Join(all, ", "))
	return nil
}

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestCachedFiles(t *testing.T) {
	dir, scratch := t.TempDir(), t.TempDir()
	put(t, dir+"/tool.sh", "run")
	put(t, dir+"/folder/a", "A")
	put(t, dir+"/folder/sub/b", "B")
	put(t, dir+"/local", "shipped")
	prog := program(t, func(env *stream.Env) {
		env.RegisterCachedFile("file://"+dir+"/tool.sh", "file", true)
		env.RegisterCachedFile("file://"+dir+"/folder", "folder", false)
		env.RegisterCachedFile(dir+"/local", "shipped", false)
		stream.Process(stream.Sequence(env, 1, 1, stream.Parallelism(1)).Broadcast(), newCacheReader, stream.Parallelism(2)).Print(stream.Parallelism(1))
	})
	if err := os.Remove(dir + "/local"); err != nil { // it has left with the plan
		t.Fatal(err)
	}
	want := "run 700, A 600, B 600, shipped 600"
	if got := run(t, prog, streamtest.Options{Dir: scratch}); len(got) != 2 || got[0] != want || got[1] != want {
		t.Errorf("got %q", got)
	}
	if left, err := filepath.Glob(scratch + "/cached/fetch-*"); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
	// Another process: a file that changed since the plan is noticed.
	put(t, dir+"/folder/a", "longer")
	if _, err := streamtest.New(prog, streamtest.Options{Dir: t.TempDir()}); err == nil || !strings.Contains(err.Error(), "has 6 bytes, and had 1 when the job was planned") {
		t.Errorf("got %v", err)
	}
}

func TestCachedFilesWrongUse(t *testing.T) {
	dir := t.TempDir()
	put(t, dir+"/big", strings.Repeat("x", 1<<20))
	for want, build := range map[string]func(env *stream.Env){
		"no such file":        func(env *stream.Env) { env.RegisterCachedFile("file://"+dir+"/none", "a", false) },
		"no such file or":     func(env *stream.Env) { env.RegisterCachedFile(dir+"/none", "a", false) },
		"is a folder of this": func(env *stream.Env) { env.RegisterCachedFile(dir, "a", false) },
		`alias "a" is empty or`: func(env *stream.Env) {
			env.RegisterCachedFile(dir+"/big", "a", false)
			env.RegisterCachedFile(dir+"/big", "a", false)
		},
		"take more than 1048576": func(env *stream.Env) {
			env.RegisterCachedFile(dir+"/big", "a", false)
			env.RegisterCachedFile(dir+"/big", "b", true)
			env.RegisterCachedFile(dir+"/big", "c", true)
		},
		`no cached file "folder"`: func(env *stream.Env) { stream.Process(stream.Sequence(env, 1, 1), newCacheReader) },
	} {
		env := stream.NewEnv(stream.Settings{Planning: true})
		build(env)
		if err := env.Err(); err == nil || !strings.Contains(err.Error(), want) && !strings.Contains(err.Error(), "not exist") || !strings.Contains(err.Error(), "cached_test.go:") {
			t.Errorf("%s: got %v", want, err)
		}
	}
}
