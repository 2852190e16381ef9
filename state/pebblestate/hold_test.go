package pebblestate

import (
	"fmt"
	"path/filepath"
	"runtime"
	"testing"

	"goflink/state"
)

// held is how many bytes lie above the files.
func (s *Store) held() int {
	s.hold.mu.Lock()
	defer s.hold.mu.Unlock()
	return s.hold.mu.bytes
}

// TestHold: what is committed within a window is seen by the task, is not in the files, and is written afterwards, over
// what was written below it.
func TestHold(t *testing.T) {
	s := open(t, 4<<20)
	ok := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	b := s.NewBatch()
	ok(b.Set([]byte("a"), []byte("1")))
	ok(b.Set([]byte("r1"), []byte("1")))
	ok(b.Commit())
	ok(s.Hold())
	below := s.Below()
	ok(b.Set([]byte("a"), []byte("3")))
	ok(b.DeleteRange([]byte("r"), []byte("s")))
	ok(b.Commit())
	it, err := s.Iter([]byte("a"), []byte("z"))
	ok(err)
	ok(below.Set([]byte("a"), []byte("2")))
	ok(below.Set([]byte("r2"), []byte("2"))) // deleted above before it comes
	ok(below.Commit())
	ok(below.Close())
	if got := keys(t, s, "a", "z"); got != "a=3 " {
		t.Error(got)
	}
	dir := filepath.Join(t.TempDir(), "link")
	ok(s.Link(dir))
	s.Resume()
	ok(b.Set([]byte("b"), []byte("4"))) // the iterator keeps the index alive
	ok(b.Commit())
	if got := keys(t, s, "a", "z"); got != "a=3 b=4 " {
		t.Error(got)
	}
	for it.Next() {
		if string(it.Key()) != "a" || string(it.Value()) != "3" {
			t.Errorf("%s=%s", it.Key(), it.Value())
		}
	}
	ok(it.Close())
	if v, found, err := s.Get([]byte("a"), nil); string(v) != "3" || !found || err != nil || s.hold.index != nil {
		t.Error(string(v), found, err, s.hold.index)
	}
	ok(b.Close())
	ok(s.Close())
	linked, err := Open(state.StoreOptions{Dir: dir, MemoryBudget: 1 << 20, Existing: true, ReadOnly: true})
	ok(err)
	if got := keys(t, linked, "a", "z"); got != "a=2 r1=1 r2=2 " {
		t.Error(got)
	}
	ok(linked.Close())
}

// TestHoldIsBounded: a task that commits more than the limit within a window waits for its end.
func TestHoldIsBounded(t *testing.T) {
	s := open(t, 1<<20)
	if err := s.Hold(); err != nil {
		t.Fatal(err)
	}
	const rows, size = 3000, 1000 // three times the limit
	most := 0
	written := make(chan error, 1)
	go func() {
		b := s.NewBatch()
		for i := range rows {
			if err := b.Set(fmt.Appendf(nil, "%08d", i), make([]byte, size)); err != nil {
				written <- err
				return
			}
			if err := b.Commit(); err != nil {
				written <- err
				return
			}
			most = max(most, s.held())
		}
		written <- b.Close()
	}()
	for s.held() <= s.hold.limit {
		runtime.Gosched()
	}
	s.Resume()
	if err := <-written; err != nil {
		t.Fatal(err)
	}
	if most > s.hold.limit+2*size {
		t.Errorf("%d bytes were held, the limit is %d", most, s.hold.limit)
	}
	s.hold.settle()
	n := 0
	it, err := s.Iter(nil, nil)
	for err == nil && it.Next() {
		n++
	}
	if err := it.Close(); err != nil || n != rows {
		t.Error(n, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}
