package stream

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

type sorted struct {
	key, value string
	ts         int64
	side       byte
}

func (a sorted) compare(b sorted) int {
	if c := bytes.Compare([]byte(a.key), []byte(b.key)); c != 0 {
		return c
	}
	return int(max(-1, min(1, a.ts/2-b.ts/2))) // halves: the ends are far apart
}

func addTo(t testing.TB, s *runSort, list []sorted) {
	t.Helper()
	for _, x := range list {
		if err := s.add(x.side, []byte(x.key), x.ts, []byte(x.value)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.sorted(); err != nil {
		t.Fatal(err)
	}
}

func takeAll(s *runSort) (out []sorted, err error) {
	for {
		e, err := s.take()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return out, err
		}
		out = append(out, sorted{string(e.key), string(e.value), e.ts, e.side})
	}
}

func randomEntries(r *rand.Rand, n int) []sorted {
	list := make([]sorted, n)
	for i := range list {
		key := fmt.Sprintf("%0*d", r.IntN(12), r.IntN(40)) // shorter and longer than the prefix, often equal
		size := r.IntN(600)
		if r.IntN(200) == 0 {
			size = 3 * segmentSize
		}
		list[i] = sorted{key, fmt.Sprintf("%d%*s", i, size, ""), 4 * int64(r.IntN(5)-2), byte(r.IntN(2))}
		if r.IntN(50) == 0 {
			list[i].ts = math.MinInt64
		}
	}
	return list
}

// TestRunSort: what is added comes out by key, time and arrival, all in memory, in
// a few runs, and in so many that they are merged in several passes.
func TestRunSort(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	passes := 0
	for _, c := range []struct {
		n      int
		budget int64
	}{{0, 0}, {1, 0}, {2000, 100 << 20}, {5000, 2 * segmentSize}, {20000, 2 * segmentSize}} {
		s := newRunSort(t.TempDir(), c.budget)
		if c.budget > 0 {
			s.budget = c.budget
		}
		list := randomEntries(r, c.n)
		addTo(t, s, list)
		if s.file != nil && s.spilled > s.at {
			passes++
		}
		if held := s.held(); s.file != nil && held > s.budget {
			t.Errorf("%d bytes are held in the end, the budget is %d", held, s.budget)
		}
		got, err := takeAll(s)
		if err != nil {
			t.Fatal(err)
		}
		want := slices.Clone(list)
		slices.SortStableFunc(want, sorted.compare)
		if !slices.Equal(got, want) {
			for i := range want {
				if i >= len(got) || got[i] != want[i] {
					t.Fatalf("%d entries: entry %d is wrong: %.40v, want %.40v", c.n, i, got[min(i, len(got)-1)], want[i])
				}
			}
		}
		s.close()
	}
	if passes == 0 {
		t.Error("nothing was merged in several passes: the test tests too little")
	}
}

// TestRunSortDamage: a bit that has flipped on disk is an error, never another
// record.
func TestRunSortDamage(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	found := 0
	for range 30 {
		s := newRunSort(t.TempDir(), 0)
		s.budget = 2 * segmentSize
		list := randomEntries(r, 3000)
		for _, x := range list {
			if err := s.add(x.side, []byte(x.key), x.ts, []byte(x.value)); err != nil {
				t.Fatal(err)
			}
		}
		at := 8 + r.Int64N(s.at-8)
		var b [1]byte
		if _, err := s.file.ReadAt(b[:], at); err != nil {
			t.Fatal(err)
		}
		b[0] ^= 1 << r.IntN(8)
		if _, err := s.file.WriteAt(b[:], at); err != nil {
			t.Fatal(err)
		}
		err := s.sorted()
		if err == nil {
			_, err = takeAll(s)
		}
		var spill *spillError
		if errors.As(err, &spill) && spill.FailureDomain() == "external" {
			found++
		} else if err != nil {
			t.Fatalf("%T %v", err, err)
		}
		s.close()
	}
	if found != 30 {
		t.Errorf("%d of 30 damages were found", found)
	}
}

// TestRunSortAllocations: once its memory is there, a record costs none.
func TestRunSortAllocations(t *testing.T) {
	s := newRunSort(t.TempDir(), 64<<20)
	key, value := []byte("a key of some length"), make([]byte, 100)
	addAll := func() {
		for range 1000 {
			if err := s.add(0, key, 1, value); err != nil {
				t.Fatal(err)
			}
		}
	}
	addAll()
	s.items = slices.Grow(s.items, 100_000)
	for range 8 {
		s.segments = append(s.segments, make([]byte, 0, segmentSize))
	}
	if n := testing.AllocsPerRun(5, addAll); n > 2 {
		t.Errorf("%v allocations in 1000 records", n)
	}
	s.close()
}
