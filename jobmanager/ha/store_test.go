package ha

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"goflink/hdfsstore"
	"goflink/hdfsstore/faultfs"
	"goflink/hdfsstore/memfs"
)

func open(t *testing.T, fsys hdfsstore.FS, attempt int64) (*Store, *Recovered) {
	t.Helper()
	s, r, err := Open(t.Context(), fsys, dirOfModel, attempt, quiet())
	if err != nil {
		t.Fatal(err)
	}
	return s, r
}

func ok(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

func is(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("got error %v, want %v", err, want)
	}
}

// files are the names in the newest epoch folder.
func files(t *testing.T, fsys hdfsstore.FS, s *Store) []string {
	t.Helper()
	infos, err := fsys.List(t.Context(), s.folder)
	ok(t, err)
	out := []string{}
	for _, i := range infos {
		out = append(out, i.Name)
	}
	return out
}

// TestLife goes through the life of three jobs over three attempts, and looks at
// what is kept and how many files that takes.
func TestLife(t *testing.T) {
	m, ctx := memfs.New(), t.Context()
	s, r := open(t, m, 1)
	if r.From != 0 || len(r.Jobs)+len(r.Results) != 0 || s.Epoch() != 1 {
		t.Fatalf("a new store holds %+v", r)
	}
	ok(t, s.PutJob(ctx, "aa", []byte("graph a")), s.PutJob(ctx, "bb", []byte("graph b")), s.PutJob(ctx, "cc", nil))
	is(t, s.PutJob(ctx, "aa", nil), fs.ErrExist)
	when := time.UnixMilli(1234567890123)
	p := CheckpointPointer{Path: "hdfs:///ck/aa/chk-7", Savepoint: true, Time: when, Extra: []byte("x")}
	for id := range int64(7) {
		p.ID = id + 1
		ok(t, s.PublishCheckpoint(ctx, "aa", p))
	}
	ok(t, s.PublishCheckpoint(ctx, "bb", CheckpointPointer{ID: 3, Path: "b3"}), s.PutResult(ctx, "bb", []byte("done")))
	ok(t, s.RemoveJob(ctx, "cc"), s.RemoveJob(ctx, "unknown"))
	if err := s.PublishCheckpoint(ctx, "bb", CheckpointPointer{ID: 4}); err == nil || !strings.Contains(err.Error(), "ended") {
		t.Fatalf("a checkpoint of an ended job gives %v", err)
	}
	is(t, s.PublishCheckpoint(ctx, "cc", CheckpointPointer{ID: 4}), errUnknownJob)
	want := "[0000000000-snapshot 0000000001-job-aa 0000000010-chk-aa 0000000012-end-bb]"
	if got := fmt.Sprint(files(t, m, s)); got != want {
		t.Fatalf("files are %s, want %s", got, want)
	}

	s2, r := open(t, m, 2)
	p.Epoch = 1
	expect := &Recovered{
		From:    1,
		Jobs:    []Job{{ID: "aa", Graph: []byte("graph a"), Checkpoint: &p, HighestCheckpointID: 7}},
		Results: []Result{{JobID: "bb", Result: []byte("done")}},
	}
	if !reflect.DeepEqual(r, expect) {
		t.Fatalf("recovered %+v, want %+v", r, expect)
	}
	is(t, s.PublishCheckpoint(ctx, "aa", CheckpointPointer{ID: 8}), ErrFenced)
	is(t, s.PutJob(ctx, "dd", nil), ErrFenced)
	is(t, s.PutLeader(ctx, Leader{}), ErrFenced)
	is(t, s.Close(ctx, true), ErrFenced)
	if got := fmt.Sprint(files(t, m, s2)); got != "[0000000000-snapshot]" {
		t.Fatalf("files are %s", got)
	}
	ok(t, s2.RemoveJob(ctx, "bb"), s2.PublishCheckpoint(ctx, "aa", CheckpointPointer{ID: 8, Path: "a8"}), s2.Close(ctx, false))

	s3, r := open(t, m, 5)
	if len(r.Results) != 0 || r.Jobs[0].Checkpoint.Path != "a8" || r.Jobs[0].Checkpoint.Epoch != 2 || r.From != 2 {
		t.Fatalf("recovered %+v", r)
	}
	_, _, err := Open(ctx, m, dirOfModel, 4, quiet())
	is(t, err, ErrFenced)
	_, _, err = Open(ctx, m, dirOfModel, 5, quiet())
	is(t, err, ErrFenced)
	ok(t, s3.Close(ctx, true), s3.Close(ctx, true))
	is(t, s3.PutJob(ctx, "ee", nil), errClosed)
	if dump := m.Dump(); dump != "/\n" {
		t.Fatalf("left behind:\n%s", dump)
	}
}

// TestUpdate replaces a job's graph, between its checkpoints: the next attempt finds
// the newest of both, and superseded files go.
func TestUpdate(t *testing.T) {
	m, ctx := memfs.New(), t.Context()
	s, _ := open(t, m, 1)
	is(t, s.UpdateJob(ctx, "aa", []byte("x")), errUnknownJob)
	ok(t, s.PutJob(ctx, "aa", []byte("graph a")), s.PublishCheckpoint(ctx, "aa", CheckpointPointer{ID: 1, Path: "a1"}))
	ok(t, s.UpdateJob(ctx, "aa", []byte("second")), s.PublishCheckpoint(ctx, "aa", CheckpointPointer{ID: 2, Path: "a2"}), s.UpdateJob(ctx, "aa", []byte("third")))
	if got, want := fmt.Sprint(files(t, m, s)), "[0000000000-snapshot 0000000001-job-aa 0000000004-chk-aa 0000000005-upd-aa]"; got != want {
		t.Fatalf("files are %s, want %s", got, want)
	}
	s2, r := open(t, m, 2)
	if len(r.Jobs) != 1 || string(r.Jobs[0].Graph) != "third" || r.Jobs[0].Checkpoint.Path != "a2" {
		t.Fatalf("recovered %+v", r)
	}
	is(t, s.UpdateJob(ctx, "aa", []byte("late")), ErrFenced)
	ok(t, s2.UpdateJob(ctx, "aa", []byte("fourth")))
	s3, r := open(t, m, 3)
	if string(r.Jobs[0].Graph) != "fourth" || r.Jobs[0].Checkpoint.Path != "a2" {
		t.Fatalf("recovered %+v", r)
	}
	ok(t, s3.UpdateJob(ctx, "aa", []byte("fifth")), s3.PutResult(ctx, "aa", []byte("done")))
	is(t, s3.UpdateJob(ctx, "aa", []byte("late")), errEnded)
	if got, want := fmt.Sprint(files(t, m, s3)), "[0000000000-snapshot 0000000002-end-aa]"; got != want {
		t.Fatalf("files are %s, want %s", got, want)
	}
	if _, r := open(t, m, 4); len(r.Jobs) != 0 || string(r.Results[0].Result) != "done" {
		t.Fatalf("recovered %+v", r)
	}
}

func TestAutomaticNumbers(t *testing.T) {
	m := memfs.New()
	for want := int64(1); want <= 3; want++ {
		if s, _ := open(t, m, 0); s.Epoch() != want {
			t.Fatalf("epoch %d, want %d", s.Epoch(), want)
		}
	}
	if _, _, err := Open(t.Context(), m, dirOfModel, -1, quiet()); err == nil {
		t.Fatal("attempt -1 is accepted")
	}
}

func TestNone(t *testing.T) {
	s, ctx := None(), t.Context()
	ok(t, s.PutJob(ctx, "a", nil), s.PublishCheckpoint(ctx, "a", CheckpointPointer{ID: 1}), s.PutResult(ctx, "a", nil),
		s.RemoveJob(ctx, "a"), s.PutLeader(ctx, Leader{}), s.Close(ctx, true))
	if s.Epoch() != 0 {
		t.Fatalf("epoch %d", s.Epoch())
	}
}

func TestLeader(t *testing.T) {
	m, ctx := memfs.New(), t.Context()
	_, err := ReadLeader(ctx, m, dirOfModel)
	is(t, err, ErrNoLeader)
	s, _ := open(t, m, 3)
	_, err = ReadLeader(ctx, m, dirOfModel)
	is(t, err, ErrNoLeader)
	ok(t, s.PutLeader(ctx, Leader{Address: "h:1", RESTAddress: "h:2"}), s.PutLeader(ctx, Leader{Address: "h:3", RESTAddress: "h:4"}))
	l, err := ReadLeader(ctx, m, dirOfModel)
	ok(t, err)
	if l != (Leader{Address: "h:3", RESTAddress: "h:4", Epoch: 3}) {
		t.Fatalf("leader %+v", l)
	}
	next, _ := open(t, m, 4)
	_, err = ReadLeader(ctx, m, dirOfModel)
	is(t, err, ErrNoLeader)
	is(t, s.PutLeader(ctx, Leader{Address: "h:3"}), ErrFenced)
	ok(t, next.PutLeader(ctx, Leader{Address: "h:5"}))
	if l, err = ReadLeader(ctx, m, dirOfModel); err != nil || l.Epoch != 4 || l.Address != "h:5" {
		t.Fatalf("leader %+v, %v", l, err)
	}
}

// TestCompaction removes many jobs of an earlier epoch: the records of their
// removal must not pile up, and none may come back.
func TestCompaction(t *testing.T) {
	m, ctx := memfs.New(), t.Context()
	s, _ := open(t, m, 1)
	const n = 3 * compactAfter
	for i := range n {
		ok(t, s.PutJob(ctx, fmt.Sprint("job", i), []byte("g")), s.PutResult(ctx, fmt.Sprint("job", i), []byte{byte(i)}))
	}
	ok(t, s.PutJob(ctx, "stays", []byte("graph")))
	s, r := open(t, m, 2)
	if len(r.Results) != n || len(r.Jobs) != 1 {
		t.Fatalf("%d results, %d jobs", len(r.Results), len(r.Jobs))
	}
	ok(t, s.PutJob(ctx, "new", []byte("graph of new")), s.PublishCheckpoint(ctx, "new", CheckpointPointer{ID: 1, Path: "n1"}))
	for i := range n - 1 {
		ok(t, s.RemoveJob(ctx, fmt.Sprint("job", i)))
	}
	if got := len(files(t, m, s)); got > compactAfter+4 {
		t.Fatalf("%d files for three jobs: %v", got, files(t, m, s))
	}
	ok(t, s.PublishCheckpoint(ctx, "new", CheckpointPointer{ID: 2, Path: "n2"}))
	_, r = open(t, m, 3)
	if len(r.Results) != 1 || len(r.Jobs) != 2 || r.Jobs[1].Checkpoint.Path != "n2" || string(r.Jobs[1].Graph) != "graph of new" {
		t.Fatalf("recovered %+v", r)
	}
}

// TestFaults has every single operation of a leader and of its successor fail, or
// lose its answer, once, and then for good. Whatever was acknowledged must be
// there, and what was denied for sure must not.
func TestFaults(t *testing.T) {
	synctest.Test(t, everyFault) // pauses between tries take no time
}

func everyFault(t *testing.T) {
	for _, effect := range []string{"error transient", "lost transient", "error permission", "error enospc", "lost io"} {
		for _, op := range []string{"create", "write", "close", "open", "stat", "list", "rename", "mkdir", "delete"} {
			for nth := 1; faulty(t, fmt.Sprintf("%s nth=%d -> %s", op, nth, effect)); nth++ {
			}
			faulty(t, fmt.Sprintf("%s -> %s", op, effect))
		}
	}
}

// faulty runs two attempts with a fault and tells whether it happened.
func faulty(t *testing.T, script string) bool {
	ctx := t.Context()
	w := newWorld(t, memfs.New(), dirOfModel)
	w.trace = []string{script}
	s := w.first(&actor{})
	f := faultfs.New(w.fs, 1)
	ok(t, f.Script(script))
	s.fs = f
	unsure := false
	for id := int64(2); id <= 3; id++ {
		err := w.publish(s, id)
		unsure = unsure || errors.Is(err, ErrUnknownOutcome)
		if errors.Is(err, ErrFenced) {
			w.fatalf("fenced by nobody: %v", err)
		}
	}
	if err := s.PutResult(ctx, "B", nil); err == nil {
		w.ended[1] = true
	}
	s2, r, err := Open(ctx, f, w.dir, 2, quiet())
	if errors.Is(err, ErrFenced) {
		w.fatalf("fenced by nobody: %v", err)
	}
	if err == nil {
		w.knows(2, r, 1)
		if found := r.Jobs[0].HighestCheckpointID; found > w.acked[1] && !unsure {
			w.fatalf("recovered checkpoint %d after %d, which was denied", found, w.acked[1])
		}
		w.led[2] = r
		if err := w.publish(s2, 10); err != nil && errors.Is(err, ErrFenced) {
			w.fatalf("fenced by nobody: %v", err)
		}
	}
	// A third attempt, without faults, finds all of it.
	_, r, err = Open(ctx, w.fs, w.dir, 3, quiet())
	if err != nil {
		w.fatalf("after the fault: %v", err)
	}
	w.knows(3, r, 1)
	w.knows(3, r, 2)
	return f.Injected() > 0
}

// TestCrashes ends a leader, then its successor, before each operation: nothing
// that was acknowledged is lost, and the third one can lead.
func TestCrashes(t *testing.T) {
	for first := 0; ; first++ {
		for second := 0; ; second++ {
			w := newWorld(t, memfs.New(), dirOfModel)
			a := &actor{}
			w.old(w.first(a), a)
			doneFirst := a.stopAfter(first)
			b := w.attempt(2)
			doneSecond := b.stopAfter(second)
			_, r, err := Open(t.Context(), w.fs, w.dir, 3, quiet())
			if err != nil {
				w.fatalf("after crashes at %d and %d: %v", first, second, err)
			}
			w.knows(3, r, 1)
			w.knows(3, r, 2)
			a.release()
			b.release()
			if doneFirst && doneSecond {
				return
			}
			if doneSecond {
				break
			}
		}
	}
}

// stopAfter lets an actor do some operations and then leaves it at its gate, as
// if it had crashed. It tells whether the actor had come to its end.
func (a *actor) stopAfter(operations int) bool {
	a.start()
	for i := 0; i < operations && !a.done; i++ {
		a.advance()
	}
	return a.done
}

// release ends the goroutine of a crashed actor, after all has been checked.
func (a *actor) release() {
	for !a.done {
		a.advance()
	}
}

func TestCorruptRecord(t *testing.T) {
	m, ctx := memfs.New(), t.Context()
	s, _ := open(t, m, 1)
	ok(t, s.PutJob(ctx, "aa", []byte("graph")))
	file := s.folder + "/0000000001-job-aa"
	data, err := hdfsstore.ReadFile(ctx, m, file, 1<<20)
	ok(t, err)
	for _, change := range []func([]byte) []byte{
		func(b []byte) []byte { return b[:len(b)-1] },
		func(b []byte) []byte { b[len(b)-1] ^= 1; return b },
		func(b []byte) []byte { b[0] = 'X'; return b },
		func(b []byte) []byte { return nil },
		func(b []byte) []byte { b[4] = 99; return b },
		func([]byte) []byte {
			other, err := encode((&fold{}).snapshot(0))
			ok(t, err)
			return other
		},
	} {
		o := hdfsstore.PublishOptions{CreateOptions: hdfsstore.CreateOptions{Overwrite: true}}
		ok(t, hdfsstore.WriteFile(ctx, m, file, change(bytes.Clone(data)), o))
		_, _, err := load(ctx, m, s.folder)
		if err == nil || !strings.Contains(err.Error(), file) {
			t.Fatalf("a changed record gives %v", err)
		}
	}
}

// TestCallerContext ends the caller's context while the pointer is renamed: the
// outcome is still known.
func TestCallerContext(t *testing.T) {
	m := memfs.New()
	f := faultfs.New(m, 1)
	s, _ := open(t, f, 1)
	ok(t, s.PutJob(t.Context(), "aa", nil))
	ok(t, f.Script("rename -> block"))
	ctx, cancel := context.WithCancel(t.Context())
	blocked := f.Blocked()
	done := make(chan error, 1)
	go func() { done <- s.PublishCheckpoint(ctx, "aa", CheckpointPointer{ID: 1}) }()
	<-blocked
	cancel()
	f.Release()
	ok(t, <-done)
	is(t, s.PublishCheckpoint(ctx, "aa", CheckpointPointer{ID: 2}), context.Canceled)
}

func FuzzDecode(f *testing.F) {
	for _, r := range []*fold{{}, {seq: 3}} {
		b, err := encode(r.snapshot(1))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte("GFHA\x01"))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := decode(data)
		if err != nil {
			return
		}
		var state fold
		state.apply(1, r)
		if _, err := encode(r); err != nil {
			t.Fatal(err)
		}
	})
}

func FuzzNames(f *testing.F) {
	for _, s := range []string{"epoch-0000000001", "closed-0000000010", "0000000007-chk-abc", "0000000000-snapshot", "leader"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if r, ok := parseRecord(name); ok && r.String() != name {
			t.Fatalf("%q reads as %q", name, r)
		}
		if e, ok := parseFolder(name); ok {
			prefix := closedPrefix
			if e.open {
				prefix = openPrefix
			}
			if epochName(prefix, e.number) != name {
				t.Fatalf("%q reads as %+v", name, e)
			}
		}
	})
}

// TestFolderIsGone: the folder of an application that was killed does not come
// back while its ApplicationMaster ends.
func TestFolderIsGone(t *testing.T) {
	ctx, m := t.Context(), memfs.New()
	if _, _, err := Open(ctx, m, "/app/ha", 1, quiet()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("opened in a folder that is not there: %v", err)
	}
	ok(t, m.Mkdir(ctx, "/app", 0o700))
	s, _, err := Open(ctx, m, "/app/ha", 1, quiet())
	ok(t, err)
	ok(t, m.Delete(ctx, "/app", true))
	if err := s.PutJob(ctx, "aa", []byte("graph")); !errors.Is(err, ErrFenced) {
		t.Errorf("a job was put where the store had been removed: %v", err)
	}
	if list, err := m.List(ctx, "/"); err != nil || len(list) > 0 {
		t.Errorf("what was removed is back: %v, %v", list, err)
	}
}
