package pebblestate

import (
	"fmt"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"goflink/state"
)

func open(t testing.TB, budget int64) *Store {
	t.Helper()
	s, err := Open(state.StoreOptions{Dir: filepath.Join(t.TempDir(), "db"), MemoryBudget: budget})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func keys(t testing.TB, from interface {
	Iter(start, end []byte) (state.ByteIter, error)
}, start, end string) string {
	t.Helper()
	it, err := from.Iter([]byte(start), []byte(end))
	if err != nil {
		t.Fatal(err)
	}
	out := ""
	for it.Next() {
		out += fmt.Sprintf("%s=%s ", it.Key(), it.Value())
	}
	if err := it.Close(); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestStore(t *testing.T) {
	defer goleak.VerifyNone(t)
	for _, shared := range []int64{0, 8 << 20} {
		ShareCache(shared)
		s := open(t, 4<<20)
		b := s.NewBatch()
		ok := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		for _, k := range []string{"b", "a", "d", "c"} {
			ok(b.Set([]byte(k), []byte(k+k)))
		}
		if _, found, err := s.Get([]byte("a"), nil); found || err != nil || b.Len() != 4 {
			t.Fatal("visible before the commit", err)
		}
		ok(b.Commit())
		if v, found, err := s.Get([]byte("a"), []byte("x")); string(v) != "xaa" || !found || err != nil || b.Len() != 0 {
			t.Fatal(string(v), found, err)
		}
		view, err := s.Snapshot()
		ok(err)
		ok(b.Delete([]byte("a")))
		ok(b.DeleteRange([]byte("c"), []byte("d")))
		ok(b.Set([]byte("e"), nil))
		ok(b.Commit())
		if got := keys(t, view, "a", "z"); got != "a=aa b=bb c=cc d=dd " {
			t.Error(got)
		}
		if got := keys(t, s, "a", "z"); got != "b=bb d=dd e= " {
			t.Error(got)
		}
		if got := keys(t, s, "c", "e"); got != "d=dd " {
			t.Error(got)
		}
		ok(view.Close())
		ok(b.Close())
		ok(s.Close())
	}
	ShareCache(0)
}

// TestManyRows goes through flushes of the smallest write buffer.
func TestManyRows(t *testing.T) {
	s := open(t, 1)
	b := s.NewBatch()
	val := make([]byte, 100)
	const rows = 20_000
	for i := range rows {
		if err := b.Set(fmt.Appendf(nil, "%08d", i*7919%rows), val); err != nil {
			t.Fatal(err)
		}
		if b.Len() == 500 {
			if err := b.Commit(); err != nil {
				t.Fatal(err)
			}
		}
	}
	it, err := s.Iter(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for it.Next() {
		if string(it.Key()) != fmt.Sprintf("%08d", n) || len(it.Value()) != 100 {
			t.Fatalf("row %d is %q", n, it.Key())
		}
		n++
	}
	if err := it.Close(); err != nil || n != rows {
		t.Fatal(n, err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}
