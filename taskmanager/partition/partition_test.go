package partition

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"goflink/dataflow"
)

func alloc(n int) *dataflow.Buffer { return &dataflow.Buffer{Data: make([]byte, 0, n)} }

// fill sends random buffers to random targets and returns what each should get.
func fill(t *testing.T, r *rand.Rand, w *Writer, n int) [][]string {
	t.Helper()
	channels := w.Channels()
	want := make([][]string, len(channels))
	for i := range n {
		to := r.IntN(len(channels))
		size := 1 + r.IntN(w.size)
		if r.IntN(50) == 0 {
			size = 3 * dataflow.BufferSize // a jumbo buffer
		}
		b := channels[to].NewBuffer(size)
		if len(b.Data) != 0 || cap(b.Data) < size {
			t.Fatalf("a new buffer has %d of %d bytes, asked for %d", len(b.Data), cap(b.Data), size)
		}
		b.Data = append(b.Data, fmt.Sprintf("%d-%d-", to, i)...)
		for len(b.Data) < size {
			b.Data = append(b.Data, byte(r.IntN(256)))
		}
		b.Rows = 1
		want[to] = append(want[to], string(b.Data))
		if err := channels[to].SendBuffer(b); err != nil {
			t.Fatal(err)
		}
		if w.held > w.room+4*dataflow.BufferSize {
			t.Fatalf("%d bytes are held, %d were allowed", w.held, w.room)
		}
	}
	return want
}

func read(p *Partition, target int) (got []string, err error) {
	r, err := p.Reader(target)
	if err != nil {
		return nil, err
	}
	for {
		b, err := r.Next(alloc)
		if errors.Is(err, io.EOF) {
			return got, nil
		}
		if err != nil {
			return got, err
		}
		got = append(got, string(b.Data))
	}
}

// TestRoundTrip: whatever the number of targets, and however often it was spilled,
// each target gets what was sent to it, in order.
func TestRoundTrip(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	spills := 0
	for i, targets := range []int{1, 2, 3, 17, 300} {
		for _, n := range []int{0, 1, 1000} {
			w, err := Create(Options{Path: filepath.Join(t.TempDir(), "p"), Targets: targets, Memory: 600 << 10})
			if err != nil {
				t.Fatal(err)
			}
			want := fill(t, r, w, n)
			if err := w.Finish(); err != nil {
				t.Fatal(err)
			}
			spills += len(w.tables)
			p, err := Open(w.o.Path)
			if err != nil {
				t.Fatal(err)
			}
			if p.Rows() != int64(n) || p.Targets() != targets {
				t.Errorf("it says %d rows for %d targets", p.Rows(), p.Targets())
			}
			for target := range targets {
				got, err := read(p, target)
				if err != nil || fmt.Sprint(got) != fmt.Sprint(want[target]) {
					t.Fatalf("case %d: target %d got %d buffers, want %d (%v)", i, target, len(got), len(want[target]), err)
				}
			}
			if _, err := p.Reader(targets); err == nil {
				t.Error("a target too many")
			}
			p.Close()
			w.Abort() // nothing, after Finish
		}
	}
	if spills < 20 {
		t.Fatalf("only %d spills: the test tests nothing", spills)
	}
}

// TestDamage flips bits and cuts the file: what is read is right, or an error that
// says so comes, wherever it is.
func TestDamage(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	path := filepath.Join(t.TempDir(), "p")
	w, err := Create(Options{Path: path, Targets: 3})
	if err != nil {
		t.Fatal(err)
	}
	want := fill(t, r, w, 40)
	if err := w.Finish(); err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for range 400 {
		bad := append([]byte(nil), good...)
		if r.IntN(4) == 0 {
			bad = bad[:r.IntN(len(bad))]
		} else {
			at := r.IntN(len(bad))
			if r.IntN(2) == 0 {
				at = len(bad) - 1 - r.IntN(footerSize+3*entrySize)
			}
			bad[at] ^= 1 << r.IntN(8)
		}
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		p, err := Open(path)
		if err != nil {
			found++
			continue
		}
		for target := range 3 {
			got, err := read(p, target)
			if err != nil {
				var known *Error
				if !errors.As(err, &known) || known.FailureDomain() != "external" {
					t.Fatalf("%T %v", err, err)
				}
				found++
				break
			}
			for i, b := range got {
				if b != want[target][i] {
					t.Fatalf("target %d got other bytes and no error", target)
				}
			}
		}
		p.Close()
	}
	if found < 200 {
		t.Errorf("only %d of 400 damages were found", found)
	}
}

// TestStore: partitions are there once they are whole, and until their attempt is
// released.
func TestStore(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "partitions")
	s := NewStore(dir)
	key := func(region, attempt, sub int32) Key {
		return Key{Attempt: Attempt{Epoch: 1, Region: region, Attempt: attempt}, Subtask: sub}
	}
	for _, k := range []Key{key(0, 0, 0), key(0, 1, 0), key(0, 1, 1), key(1, 0, 0)} {
		w, err := s.Create(k, 2, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Open(k); err == nil {
			t.Error("a partition is there that is not whole")
		}
		if k.Subtask == 1 {
			w.Abort()
			if _, err := os.Stat(w.o.Path); err == nil {
				t.Error("a partition that was given up is there")
			}
			continue
		}
		if err := w.Finish(); err != nil {
			t.Fatal(err)
		}
		s.Add(k)
		p, err := s.Open(k)
		if err != nil {
			t.Fatal(err)
		}
		p.Close()
	}
	open, err := s.Open(key(0, 1, 0))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Release(Attempt{1, 0, 1}); err != nil || s.Len() != 1 {
		t.Fatalf("%d partitions are left (%v)", s.Len(), err)
	}
	if _, err := read(open, 0); err != nil {
		t.Errorf("who has it open cannot read on: %v", err)
	}
	open.Close()
	if err := s.Keep(2); err != nil || s.Len() != 0 {
		t.Fatalf("%d partitions are left (%v)", s.Len(), err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("the folder is left")
	}
}
