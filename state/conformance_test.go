package state_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"sync"
	"testing"

	"goflink/internal/seeds"
	"goflink/state"
)

// backends: pebble once with a cache that holds everything, and once with one that holds next to nothing.
var backends = []struct {
	name   string
	kind   state.BackendKind
	budget int64
}{
	{"heap", state.Heap, 0},
	{"pebble", state.Pebble, 0},
	{"pebble-small", state.Pebble, 64 << 10},
}

func env(t testing.TB, backend int, r state.Range) state.Env {
	b := backends[backend]
	e := state.Env{Kind: b.kind, Range: r, MaxParallelism: maxPar, MemoryBudget: b.budget}
	if b.kind != state.Heap {
		e.Dir = t.TempDir()
	}
	return e
}

// seeded returns a generator and prints its seed.
func seeded(t testing.TB) *rand.Rand {
	seed := seeds.One(t)
	return rand.New(rand.NewPCG(seed, 1))
}

// TestModel runs random operations against plain maps, with snapshots that are written meanwhile, and restores these
// on every backend and at several parallelisms.
func TestModel(t *testing.T) {
	for i, b := range backends {
		t.Run(b.name, func(t *testing.T) {
			rng := seeded(t)
			const keys = 40
			x, m := openTask(t, env(t, i, state.Range{End: maxPar})), newModel()
			defer x.close()
			var wg sync.WaitGroup
			var snaps []*written
			third := rounds(1500)
			for n := range 3 * third {
				x.step(m, rng, keys)
				if n%third == third/2 {
					snaps = append(snaps, x.snapshot(m, int64(n), &wg))
				}
			}
			wg.Wait()
			for n, s := range snaps {
				if s.err != nil || s.info.Bytes != int64(s.bytes.Len()) {
					t.Fatal(s.err, s.info.Bytes, s.bytes.Len())
				}
				restoreAll(t, n%len(backends), 1+n%3, memory{s.bytes.Bytes()}, []state.Handle{{Location: "0", SnapshotInfo: s.info}}, s.model, keys)
			}
			x.checkAll(m, keys)
		})
	}
}

// TestCloseBeforeSnapshot ends a task whose snapshot is still to be written.
func TestCloseBeforeSnapshot(t *testing.T) {
	for i, b := range backends {
		t.Run(b.name, func(t *testing.T) {
			rng := seeded(t)
			const keys = 40
			e := env(t, i, state.Range{End: maxPar})
			x, m := openTask(t, e), newModel()
			for range 2000 {
				x.step(m, rng, keys)
			}
			s, err := x.k.Snapshot(1)
			if err != nil {
				t.Fatal(err)
			}
			x.close()
			var w bytes.Buffer
			info, err := s.WriteTo(t.Context(), &w)
			if err != nil {
				t.Fatal(err)
			}
			restoreAll(t, i, 2, memory{w.Bytes()}, []state.Handle{{Location: "0", SnapshotInfo: info}}, m, keys)
			s.Release()
			if e.Dir == "" {
				return
			}
			if left, err := os.ReadDir(e.Dir); err != nil || len(left) > 0 {
				t.Errorf("left behind: %v %v", left, err)
			}
		})
	}
}

// restoreAll restores handles at a parallelism and compares each subtask with the model, which is used up.
func restoreAll(t *testing.T, backend, par int, mem memory, handles []state.Handle, m *model, keys int) {
	t.Helper()
	for i, hs := range state.Assign(handles, maxPar, par) {
		e := env(t, backend, state.KeyGroupRange(maxPar, par, i))
		e.Restore, e.Open = hs, mem.open
		x := openTask(t, e)
		x.checkAll(m, keys)
		x.close()
	}
	if len(m.timers) > 0 {
		t.Fatalf("%d timers fired nowhere", len(m.timers))
	}
}

// TestRescale goes 2 -> 3 -> 1 over the backends, each time with changes in between.
func TestRescale(t *testing.T) {
	rng := seeded(t)
	const keys = 60
	m := newModel()
	var mem memory
	var handles []state.Handle
	for round, par := range []int{2, 3, 1, 2} {
		backend := round % len(backends)
		var next memory
		var nextHandles []state.Handle
		for i, hs := range state.Assign(handles, maxPar, par) {
			e := env(t, backend, state.KeyGroupRange(maxPar, par, i))
			e.Restore, e.Open = hs, mem.open
			x := openTask(t, e)
			sub := x.part(m)
			for range rounds(1200) {
				x.step(sub, rng, keys)
			}
			maps.Copy(m.timers, sub.timers)
			var wg sync.WaitGroup
			w := x.snapshot(m, 1, &wg)
			wg.Wait()
			if w.err != nil {
				t.Fatal(w.err)
			}
			nextHandles = append(nextHandles, state.Handle{Location: fmt.Sprint(len(next)), SnapshotInfo: w.info})
			next = append(next, w.bytes.Bytes())
			x.close()
		}
		mem, handles = next, nextHandles
		restoreAll(t, (backend+1)%len(backends), 1+round%2, mem, handles, m.clone(), keys)
	}
}

func openReader(f func() io.Reader) func(context.Context, state.Handle) (io.ReadCloser, error) {
	return func(context.Context, state.Handle) (io.ReadCloser, error) {
		r := f()
		if at, ok := r.(interface {
			io.Reader
			io.ReaderAt
		}); ok {
			return struct {
				io.Reader
				io.ReaderAt
				io.Closer
			}{at, at, io.NopCloser(nil)}, nil
		}
		if s, ok := r.(io.ReadSeeker); ok {
			return struct {
				io.ReadSeeker
				io.Closer
			}{s, io.NopCloser(nil)}, nil
		}
		return io.NopCloser(r), nil
	}
}

// part takes the timers that the task owns out of the model; the maps are shared by the subtasks.
func (x *task) part(m *model) *model {
	sub := &model{m.values, m.flat, m.lists, m.maps, map[timer]bool{}}
	for tm := range m.timers {
		if x.owns(tm.key) {
			sub.timers[tm] = true
			delete(m.timers, tm)
		}
	}
	return sub
}

// TestReaders restores the same bytes through a reader that can only stream, one that can seek and one that reads
// anywhere, and without offsets.
func TestReaders(t *testing.T) {
	rng := seeded(t)
	const keys = 30
	x, m := openTask(t, env(t, 0, state.Range{End: maxPar})), newModel()
	for range 3000 {
		x.step(m, rng, keys)
	}
	var wg sync.WaitGroup
	w := x.snapshot(m, 9, &wg)
	wg.Wait()
	x.close()
	if w.err != nil {
		t.Fatal(w.err)
	}
	r := bytes.NewReader(w.bytes.Bytes())
	for name, rc := range map[string]func() io.Reader{
		"stream": func() io.Reader { return bytes.NewBuffer(w.bytes.Bytes()) },
		"seek":   func() io.Reader { return struct{ io.ReadSeeker }{bytes.NewReader(w.bytes.Bytes())} },
		"at":     func() io.Reader { r.Reset(w.bytes.Bytes()); return r },
		"no offsets": func() io.Reader {
			return bytes.NewBuffer(w.bytes.Bytes())
		},
	} {
		m := w.model.clone()
		for i := range 3 {
			e := env(t, 0, state.KeyGroupRange(maxPar, 3, i))
			h := state.Handle{SnapshotInfo: w.info}
			if name == "no offsets" {
				h.Offsets = nil
			}
			e.Restore, e.Open = []state.Handle{h}, openReader(rc)
			x := openTask(t, e)
			x.checkAll(m, keys)
			x.close()
		}
	}
}

// TestScratchIsRemoved: nothing stays in the scratch folder after Close, not even after a failed restore.
func TestScratchIsRemoved(t *testing.T) {
	e := env(t, 1, state.Range{End: maxPar})
	x := openTask(t, e)
	x.move(at{key: "a"})
	x.flat.Set(1)
	x.close()
	e.Restore, e.Open = []state.Handle{{Location: "nowhere"}}, openReader(func() io.Reader { return bytes.NewReader(nil) })
	if _, err := state.OpenKeyed(e, stringKey(t)); err == nil {
		t.Fatal("restored from nothing")
	}
	if left, err := os.ReadDir(e.Dir); err != nil || len(left) > 0 {
		t.Fatal(left, err)
	}
}
