// Package fstest is the contract of hdfsstore.FS as a test suite. Every file
// system runs it: the local one, HDFS on a real cluster, and the wrappers and
// stand-ins that tests use in their place. It starts goroutines only within a
// test, which waits for them.
package fstest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"path"
	"sync"
	"testing"
	"time"

	"goflink/hdfsstore"
)

// Run checks fsys against the contract, in a new folder below root, which must
// exist. Each check has a folder of its own.
func Run(t *testing.T, fsys hdfsstore.FS, root string) {
	base := path.Join(root, fmt.Sprintf("fstest-%x", rand.Uint64()))
	t.Cleanup(func() {
		if err := fsys.Delete(context.Background(), base, true); err != nil {
			t.Errorf("remove the test's folder: %v", err)
		}
	})
	for _, c := range checks {
		t.Run(c.name, func(t *testing.T) {
			c.run(&test{T: t, fs: fsys, dir: path.Join(base, c.name), ctx: t.Context()})
		})
	}
}

var checks = []struct {
	name string
	run  func(*test)
}{
	{"create-and-read", createAndRead},
	{"create-exclusive", createExclusive},
	{"overwrite", overwrite},
	{"empty-file", emptyFile},
	{"large-file", largeFile},
	{"read-at", readAt},
	{"open-errors", openErrors},
	{"stat-and-list", statAndList},
	{"rename", rename},
	{"rename-never-overwrites", renameNeverOverwrites},
	{"rename-folder", renameFolder},
	{"rename-into-missing", renameIntoMissing},
	{"rename-race", renameRace},
	{"replace", replace},
	{"mkdir", mkdir},
	{"mkdir-exclusive-race", mkdirRace},
	{"delete", remove},
	{"abort", abort},
	{"publish", publish},
	{"sweep", sweep},
	{"touch", touch},
	{"context", endedContext},
	{"odd-names", oddNames},
	{"concurrent-writers", concurrentWriters},
}

type test struct {
	*testing.T
	fs  hdfsstore.FS
	dir string
	ctx context.Context
}

func (t *test) path(name string) string { return path.Join(t.dir, name) }

func (t *test) no(err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// is demands an error of a kind that names the path.
func (t *test) is(err, kind error) {
	t.Helper()
	if !errors.Is(err, kind) {
		t.Fatalf("got error %v, want one that is %v", err, kind)
	}
	var e *hdfsstore.Error
	if !errors.As(err, &e) || e.Op == "" || e.Path == "" {
		t.Fatalf("error %#v has no operation or path", err)
	}
}

func (t *test) write(name string, data []byte, o hdfsstore.CreateOptions) {
	t.Helper()
	w, err := t.fs.Create(t.ctx, t.path(name), o)
	t.no(err)
	_, err = w.Write(data)
	t.no(err)
	t.no(w.Close())
}

func (t *test) read(name string) []byte {
	t.Helper()
	data, err := hdfsstore.ReadFile(t.ctx, t.fs, t.path(name), 1<<28)
	t.no(err)
	return data
}

func (t *test) holds(name, want string) {
	t.Helper()
	if got := string(t.read(name)); got != want {
		t.Fatalf("%s holds %q, want %q", name, got, want)
	}
}

func (t *test) names(dir string) []string {
	t.Helper()
	infos, err := t.fs.List(t.ctx, dir)
	t.no(err)
	out := make([]string, 0, len(infos))
	for _, i := range infos {
		out = append(out, i.Name)
	}
	return out
}

func (t *test) lists(dir string, want ...string) {
	t.Helper()
	if got := t.names(dir); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Fatalf("%s holds %v, want %v", dir, got, want)
	}
}

func random(n int) []byte {
	r := rand.New(rand.NewPCG(1, uint64(n)))
	out := make([]byte, n)
	for i := range out {
		out[i] = byte(r.Uint32())
	}
	return out
}

func createAndRead(t *test) {
	t.write("a/b/file", []byte("hello"), hdfsstore.CreateOptions{})
	t.holds("a/b/file", "hello")
	w, err := t.fs.Create(t.ctx, t.path("pieces"), hdfsstore.CreateOptions{})
	t.no(err)
	for i := range 100 {
		n, err := fmt.Fprintf(w, "%d,", i)
		t.no(err)
		if n == 0 {
			t.Fatal("Write returned 0")
		}
	}
	t.no(w.Close())
	t.no(w.Close())
	t.no(w.Abort())
	if data := t.read("pieces"); len(data) != 290 || !bytes.HasPrefix(data, []byte("0,1,2,")) {
		t.Fatalf("wrong content of %d bytes", len(data))
	}
	if _, err := w.Write([]byte("x")); err == nil {
		t.Fatal("Write after Close succeeds")
	}
}

func createExclusive(t *test) {
	t.write("file", []byte("first"), hdfsstore.CreateOptions{})
	_, err := t.fs.Create(t.ctx, t.path("file"), hdfsstore.CreateOptions{})
	t.is(err, fs.ErrExist)
	t.holds("file", "first")
	_, err = t.fs.Create(t.ctx, t.dir, hdfsstore.CreateOptions{})
	t.is(err, fs.ErrExist)
}

func overwrite(t *test) {
	t.write("file", []byte("the first text"), hdfsstore.CreateOptions{})
	t.write("file", []byte("second"), hdfsstore.CreateOptions{Overwrite: true})
	t.holds("file", "second")
	t.write("new", []byte("third"), hdfsstore.CreateOptions{Overwrite: true})
	t.holds("new", "third")
}

func emptyFile(t *test) {
	t.write("empty", nil, hdfsstore.CreateOptions{})
	f, err := t.fs.Open(t.ctx, t.path("empty"))
	t.no(err)
	defer f.Close()
	if f.Size() != 0 {
		t.Fatalf("size %d", f.Size())
	}
	if n, err := f.Read(make([]byte, 10)); n != 0 || !errors.Is(err, io.EOF) {
		t.Fatalf("Read gives %d, %v", n, err)
	}
}

// largeFile spans several blocks and many packets of HDFS, and none of their
// sizes divides it.
func largeFile(t *test) {
	data := random(3<<20 + 12345)
	w, err := t.fs.Create(t.ctx, t.path("large"), hdfsstore.CreateOptions{BlockSize: 1 << 20})
	t.no(err)
	for rest, n := data, 1; len(rest) > 0; n = n*3 + 1 {
		k := min(n, len(rest))
		_, err := w.Write(rest[:k])
		t.no(err)
		rest = rest[k:]
	}
	t.no(w.Close())
	f, err := t.fs.Open(t.ctx, t.path("large"))
	t.no(err)
	defer f.Close()
	if f.Size() != int64(len(data)) {
		t.Fatalf("size %d, want %d", f.Size(), len(data))
	}
	got, err := io.ReadAll(f)
	t.no(err)
	if !bytes.Equal(got, data) {
		t.Fatal("the content differs")
	}
}

func readAt(t *test) {
	data := random(1<<20 + 777)
	t.write("file", data, hdfsstore.CreateOptions{BlockSize: 1 << 19})
	f, err := t.fs.Open(t.ctx, t.path("file"))
	t.no(err)
	defer f.Close()
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(7, uint64(g)))
			for range 25 {
				off := r.Int64N(int64(len(data)))
				p := make([]byte, r.IntN(70000))
				n, err := f.ReadAt(p, off)
				want := min(int64(len(p)), int64(len(data))-off)
				if int64(n) != want || !bytes.Equal(p[:n], data[off:off+want]) {
					t.Errorf("ReadAt(%d bytes, %d) gives %d, %v; want %d", len(p), off, n, err, want)
				}
				if (n < len(p)) != errors.Is(err, io.EOF) {
					t.Errorf("ReadAt(%d bytes, %d) of %d gives %d, %v", len(p), off, len(data), n, err)
				}
			}
		})
	}
	got, err := io.ReadAll(f)
	t.no(err)
	wg.Wait()
	if !bytes.Equal(got, data) {
		t.Fatal("Read beside ReadAt gives other content")
	}
	if n, err := f.ReadAt(make([]byte, 1), int64(len(data))); n != 0 || !errors.Is(err, io.EOF) {
		t.Fatalf("ReadAt at the end gives %d, %v", n, err)
	}
	if _, err := f.ReadAt(make([]byte, 1), -1); err == nil {
		t.Fatal("ReadAt at -1 succeeds")
	}
}

func openErrors(t *test) {
	_, err := t.fs.Open(t.ctx, t.path("missing"))
	t.is(err, fs.ErrNotExist)
	t.no(t.fs.Mkdir(t.ctx, t.path("folder"), 0o755))
	_, err = t.fs.Open(t.ctx, t.path("folder"))
	t.is(err, hdfsstore.ErrIsDir)
	t.write("file", []byte("x"), hdfsstore.CreateOptions{})
	_, err = t.fs.List(t.ctx, t.path("file"))
	t.is(err, hdfsstore.ErrNotDir)
	_, err = t.fs.List(t.ctx, t.path("missing"))
	t.is(err, fs.ErrNotExist)
	if _, err = hdfsstore.ReadFile(t.ctx, t.fs, t.path("file"), 0); err == nil {
		t.Fatal("ReadFile takes more than its limit")
	}
}

func statAndList(t *test) {
	_, err := t.fs.Stat(t.ctx, t.path("missing"))
	t.is(err, fs.ErrNotExist)
	before := time.Now().Add(-time.Minute)
	t.write("b", []byte("12345"), hdfsstore.CreateOptions{Perm: 0o600})
	t.write("a", nil, hdfsstore.CreateOptions{})
	t.no(t.fs.Mkdir(t.ctx, t.path("c"), 0o700))
	t.write("c/inner", nil, hdfsstore.CreateOptions{})
	info, err := t.fs.Stat(t.ctx, t.path("b"))
	t.no(err)
	if info.Path != t.path("b") || info.Name != "b" || info.Size != 5 || info.IsDir || info.Perm != 0o600 || info.Owner == "" {
		t.Fatalf("Stat gives %+v", info)
	}
	if info.ModTime.Before(before) || info.ModTime.After(time.Now().Add(time.Minute)) {
		t.Fatalf("modified at %v", info.ModTime)
	}
	t.lists(t.dir, "a", "b", "c")
	infos, err := t.fs.List(t.ctx, t.dir)
	t.no(err)
	if c := infos[2]; !c.IsDir || c.Size != 0 || c.Path != t.path("c") || c.Perm != 0o700 {
		t.Fatalf("List gives %+v", c)
	}
	if infos[1].Size != 5 || infos[1].Path != t.path("b") {
		t.Fatalf("List gives %+v", infos[1])
	}
}

func touch(t *test) {
	t.write("file", []byte("x"), hdfsstore.CreateOptions{})
	when := time.Now().Add(-100 * time.Hour).Truncate(time.Second)
	t.no(hdfsstore.Touch(t.ctx, t.fs, t.path("file"), when))
	info, err := t.fs.Stat(t.ctx, t.path("file"))
	t.no(err)
	if !info.ModTime.Equal(when) {
		t.Fatalf("modified at %v, want %v", info.ModTime, when)
	}
}

func endedContext(t *test) {
	ctx, cancel := context.WithCancel(t.ctx)
	w, err := t.fs.Create(ctx, t.path("file"), hdfsstore.CreateOptions{})
	t.no(err)
	_, err = w.Write([]byte("some bytes"))
	t.no(err)
	cancel()
	_, err = w.Write(random(1 << 20))
	if cerr := w.Close(); err == nil {
		err = cerr
	}
	t.is(err, context.Canceled)
	if hdfsstore.IsTransient(err) {
		t.Fatal("a cancelled context counts as transient")
	}
	t.no(w.Abort())
	_, err = t.fs.Stat(t.ctx, t.path("file"))
	t.is(err, fs.ErrNotExist)
	_, err = t.fs.Stat(ctx, t.dir)
	t.is(err, context.Canceled)
}

func oddNames(t *test) {
	for i, name := range []string{"with space", "per%20cent", "späße", "plus+and&", "star*", "#hash?", "[x]{y}"} {
		t.write(name, []byte{byte(i)}, hdfsstore.CreateOptions{})
		if data := t.read(name); len(data) != 1 || data[0] != byte(i) {
			t.Fatalf("%q holds %v", name, data)
		}
		if _, err := t.fs.Stat(t.ctx, t.path(name)); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(t.names(t.dir)); n != 7 {
		t.Fatalf("%d names", n)
	}
}
