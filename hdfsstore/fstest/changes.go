package fstest

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"sync"
	"sync/atomic"
	"time"

	"goflink/hdfsstore"
)

func rename(t *test) {
	t.write("from", []byte("x"), hdfsstore.CreateOptions{})
	t.no(t.fs.Rename(t.ctx, t.path("from"), t.path("to")))
	t.holds("to", "x")
	_, err := t.fs.Stat(t.ctx, t.path("from"))
	t.is(err, fs.ErrNotExist)
	t.is(t.fs.Rename(t.ctx, t.path("from"), t.path("other")), fs.ErrNotExist)
}

// renameNeverOverwrites is what jobmanager/ha rests on.
func renameNeverOverwrites(t *test) {
	t.write("from", []byte("new"), hdfsstore.CreateOptions{})
	t.write("file", []byte("old"), hdfsstore.CreateOptions{})
	t.no(t.fs.Mkdir(t.ctx, t.path("empty"), 0o755))
	t.write("full/inner", []byte("old"), hdfsstore.CreateOptions{})
	for _, to := range []string{"file", "empty", "full"} {
		t.is(t.fs.Rename(t.ctx, t.path("from"), t.path(to)), fs.ErrExist)
	}
	t.no(t.fs.Mkdir(t.ctx, t.path("folder"), 0o755))
	for _, to := range []string{"file", "empty", "full"} {
		t.is(t.fs.Rename(t.ctx, t.path("folder"), t.path(to)), fs.ErrExist)
	}
	t.holds("from", "new")
	t.holds("file", "old")
	t.lists(t.path("empty"))
	t.lists(t.path("full"), "inner")
}

func renameFolder(t *test) {
	t.write("from/a/file", []byte("x"), hdfsstore.CreateOptions{})
	t.no(t.fs.Rename(t.ctx, t.path("from"), t.path("to")))
	t.holds("to/a/file", "x")
	_, err := t.fs.Stat(t.ctx, t.path("from"))
	t.is(err, fs.ErrNotExist)
}

// renameIntoMissing fails and leaves no folder: a stale leader's folder must not
// come back by its own writes.
func renameIntoMissing(t *test) {
	t.write("from", []byte("x"), hdfsstore.CreateOptions{})
	t.is(t.fs.Rename(t.ctx, t.path("from"), t.path("missing/to")), fs.ErrNotExist)
	t.is(t.fs.Replace(t.ctx, t.path("from"), t.path("missing/to")), fs.ErrNotExist)
	t.lists(t.dir, "from")
	t.holds("from", "x")
}

// renameRace has several move to one name: exactly one succeeds.
func renameRace(t *test) {
	const n = 8
	for i := range n {
		t.write(fmt.Sprint("from", i), []byte(fmt.Sprint(i)), hdfsstore.CreateOptions{})
	}
	var won atomic.Int32
	var winner atomic.Int32
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			err := t.fs.Rename(t.ctx, t.path(fmt.Sprint("from", i)), t.path("to"))
			switch {
			case err == nil:
				won.Add(1)
				winner.Store(int32(i))
			case !errors.Is(err, fs.ErrExist):
				t.Errorf("rename %d: %v", i, err)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 {
		t.Fatalf("%d renames to one name succeeded", won.Load())
	}
	t.holds("to", fmt.Sprint(winner.Load()))
}

func replace(t *test) {
	t.write("from", []byte("new"), hdfsstore.CreateOptions{})
	t.write("to", []byte("old"), hdfsstore.CreateOptions{})
	t.no(t.fs.Replace(t.ctx, t.path("from"), t.path("to")))
	t.holds("to", "new")
	t.lists(t.dir, "to")
	t.no(t.fs.Replace(t.ctx, t.path("to"), t.path("elsewhere")))
	t.holds("elsewhere", "new")
	t.is(t.fs.Replace(t.ctx, t.path("to"), t.path("elsewhere")), fs.ErrNotExist)
}

func mkdir(t *test) {
	t.no(t.fs.Mkdir(t.ctx, t.path("a/b/c"), 0o755))
	t.no(t.fs.Mkdir(t.ctx, t.path("a/b/c"), 0o755))
	t.is(t.fs.MkdirExclusive(t.ctx, t.path("a/b/c"), 0o755), fs.ErrExist)
	t.is(t.fs.MkdirExclusive(t.ctx, t.path("x/y"), 0o755), fs.ErrNotExist)
	t.no(t.fs.MkdirExclusive(t.ctx, t.path("x"), 0o755))
	t.no(t.fs.MkdirExclusive(t.ctx, t.path("x/y"), 0o700))
	t.lists(t.path("a/b"), "c")
	t.lists(t.path("x"), "y")
	t.write("file", nil, hdfsstore.CreateOptions{})
	t.is(t.fs.MkdirExclusive(t.ctx, t.path("file"), 0o755), fs.ErrExist)
	if err := t.fs.Mkdir(t.ctx, t.path("file/below"), 0o755); err == nil {
		t.Fatal("a folder was made below a file")
	}
	_, err := t.fs.Create(t.ctx, t.path("gone/file"), hdfsstore.CreateOptions{NoParents: true})
	t.is(err, fs.ErrNotExist)
}

func mkdirRace(t *test) {
	t.no(t.fs.Mkdir(t.ctx, t.dir, 0o755))
	var won atomic.Int32
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			err := t.fs.MkdirExclusive(t.ctx, t.path("dir"), 0o755)
			if err == nil {
				won.Add(1)
			} else if !errors.Is(err, fs.ErrExist) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 {
		t.Fatalf("%d callers made the folder", won.Load())
	}
	t.lists(t.dir, "dir")
	t.lists(t.path("dir"))
}

func remove(t *test) {
	t.no(t.fs.Delete(t.ctx, t.path("missing"), false))
	t.no(t.fs.Delete(t.ctx, t.path("missing/too"), true))
	t.write("file", nil, hdfsstore.CreateOptions{})
	t.no(t.fs.Delete(t.ctx, t.path("file"), false))
	t.write("folder/a/file", nil, hdfsstore.CreateOptions{})
	t.is(t.fs.Delete(t.ctx, t.path("folder"), false), hdfsstore.ErrNotEmpty)
	t.lists(t.path("folder"), "a")
	t.no(t.fs.Delete(t.ctx, t.path("folder"), true))
	t.no(t.fs.Mkdir(t.ctx, t.path("empty"), 0o755))
	t.no(t.fs.Delete(t.ctx, t.path("empty"), false))
	t.lists(t.dir)
	if err := t.fs.Delete(t.ctx, "/", true); err == nil {
		t.Fatal("the root folder was deleted")
	}
}

func abort(t *test) {
	t.no(t.fs.Mkdir(t.ctx, t.dir, 0o755))
	for _, n := range []int{0, 10, 300000} {
		w, err := t.fs.Create(t.ctx, t.path("file"), hdfsstore.CreateOptions{})
		t.no(err)
		if n > 0 {
			_, err = w.Write(random(n))
			t.no(err)
		}
		t.no(w.Abort())
		t.no(w.Abort())
		t.lists(t.dir)
	}
}

func publish(t *test) {
	text := func(s string) func(io.Writer) error {
		return func(w io.Writer) error {
			_, err := io.WriteString(w, s)
			return err
		}
	}
	p := t.path("dir/file")
	t.no(hdfsstore.Publish(t.ctx, t.fs, p, hdfsstore.PublishOptions{}, text("one")))
	t.holds("dir/file", "one")
	err := hdfsstore.Publish(t.ctx, t.fs, p, hdfsstore.PublishOptions{}, text("two"))
	t.is(err, fs.ErrExist)
	t.holds("dir/file", "one")
	o := hdfsstore.PublishOptions{CreateOptions: hdfsstore.CreateOptions{Overwrite: true}}
	t.no(hdfsstore.Publish(t.ctx, t.fs, p, o, text("three")))
	t.holds("dir/file", "three")
	own := errors.New("the caller's own")
	calls := 0
	err = hdfsstore.Publish(t.ctx, t.fs, t.path("dir/other"), hdfsstore.PublishOptions{}, func(w io.Writer) error {
		calls++
		if _, err := io.WriteString(w, "half"); err != nil {
			return err
		}
		return own
	})
	if !errors.Is(err, own) || calls != 1 {
		t.Fatalf("after %d calls: %v", calls, err)
	}
	t.lists(t.path("dir"), "file")
	// A folder for temporary files leaves the target's folder to the caller.
	o = hdfsstore.PublishOptions{TemporaryDir: t.path("tmp")}
	t.is(hdfsstore.Publish(t.ctx, t.fs, t.path("gone/file"), o, text("four")), fs.ErrNotExist)
	t.lists(t.dir, "dir", "tmp")
	t.lists(t.path("tmp"))
}

func sweep(t *test) {
	name, err := hdfsstore.WriteTemporary(t.ctx, t.fs, t.dir, hdfsstore.CreateOptions{}, func(w io.Writer) error {
		_, err := io.WriteString(w, "x")
		return err
	})
	t.no(err)
	if !hdfsstore.IsTemporary(path.Base(name)) {
		t.Fatalf("%s is not a temporary name", name)
	}
	t.write("file", nil, hdfsstore.CreateOptions{})
	n, err := hdfsstore.SweepTemporary(t.ctx, t.fs, t.dir, time.Now().Add(-time.Hour))
	t.no(err)
	if n != 0 {
		t.Fatalf("%d fresh files were removed", n)
	}
	n, err = hdfsstore.SweepTemporary(t.ctx, t.fs, t.dir, time.Now().Add(time.Hour))
	t.no(err)
	if n != 1 {
		t.Fatalf("%d files were removed", n)
	}
	t.lists(t.dir, "file")
	n, err = hdfsstore.SweepTemporary(t.ctx, t.fs, t.path("missing"), time.Now())
	t.no(err)
	if n != 0 {
		t.Fatalf("%d files were removed", n)
	}
}

func concurrentWriters(t *test) {
	var wg sync.WaitGroup
	for i := range 6 {
		wg.Go(func() {
			o := hdfsstore.PublishOptions{}
			err := hdfsstore.WriteFile(t.ctx, t.fs, t.path(fmt.Sprint("file", i)), random(200000+i), o)
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for i := range 6 {
		if got := t.read(fmt.Sprint("file", i)); string(got) != string(random(200000+i)) {
			t.Fatalf("file %d has other content", i)
		}
	}
}
