package state_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"goflink/state"
)

// remote is where native snapshots are kept: tables by the Keyed that made them and their name, so that a snapshot
// refers to what an earlier one of the same Keyed left. Wrong content under a known name is an error.
type remote struct {
	t      testing.TB
	tables map[string][]byte
	sets   []nativeSet // by location
	copied int64       // bytes that were not there yet
}

type nativeSet struct {
	owner string
	names []string
	bytes []byte
}

func newRemote(t testing.TB) *remote { return &remote{t: t, tables: map[string][]byte{}} }

// store keeps a snapshot that was linked and returns its handle.
func (r *remote) store(owner string, s state.NativeSnapshot) state.Handle {
	r.t.Helper()
	set := nativeSet{owner: owner}
	for _, f := range s.Tables() {
		data, err := os.ReadFile(f.Path)
		if err != nil || int64(len(data)) != f.Size {
			r.t.Fatal(f, len(data), err)
		}
		key := owner + "/" + f.Name
		if known, ok := r.tables[key]; ok && !bytes.Equal(known, data) {
			r.t.Fatalf("table %s has another content than before", key)
		} else if !ok {
			r.tables[key] = data
			r.copied += f.Size
		}
		set.names = append(set.names, f.Name)
	}
	var w bytes.Buffer
	info, err := s.WriteTo(context.Background(), &w)
	if err != nil || info.Kind != state.Native || info.Bytes != int64(w.Len()) {
		r.t.Fatal(info, err)
	}
	set.bytes = w.Bytes()
	r.sets = append(r.sets, set)
	return state.Handle{Location: fmt.Sprint(len(r.sets) - 1), SnapshotInfo: info}
}

func (r *remote) set(h state.Handle) (s nativeSet, err error) {
	var i int
	if _, err := fmt.Sscan(h.Location, &i); err != nil {
		return s, err
	}
	return r.sets[i], nil
}

func (r *remote) open(_ context.Context, h state.Handle) (io.ReadCloser, error) {
	s, err := r.set(h)
	return io.NopCloser(bytes.NewReader(s.bytes)), err
}

func (r *remote) fetch(_ context.Context, h state.Handle, dir string, _ bool) error {
	s, err := r.set(h)
	for _, n := range s.names {
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, n), r.tables[s.owner+"/"+n], 0o600)
		}
	}
	return err
}

// group is the tasks of one attempt, each with its share of the key groups.
type group struct {
	tasks []*task
	name  string
}

func (r *remote) openGroup(t *testing.T, backend, par int, name string, handles []state.Handle) *group {
	g := &group{name: name}
	for i, hs := range state.Assign(handles, maxPar, par) {
		e := env(t, backend, state.KeyGroupRange(maxPar, par, i))
		e.Restore, e.Open, e.Fetch = hs, r.open, r.fetch
		g.tasks = append(g.tasks, openTask(t, e))
	}
	return g
}

func (g *group) close() {
	for _, x := range g.tasks {
		x.close()
	}
}

func (g *group) steps(m *model, rng *rand.Rand, n int) {
	for range rounds(n) {
		g.tasks[rng.IntN(len(g.tasks))].step(m, rng, nativeKeys)
	}
}

const nativeKeys = 40

// snapshot takes a native snapshot of all tasks; they go on with a few hundred steps each before, while and after its
// files are linked.
func (g *group) snapshot(t *testing.T, r *remote, m *model, rng *rand.Rand, id int64) ([]state.Handle, *model) {
	var snaps []state.NativeSnapshot
	for _, x := range g.tasks {
		s, err := x.k.SnapshotNative(id)
		if err != nil {
			t.Fatal(err)
		}
		snaps = append(snaps, s.(state.NativeSnapshot))
	}
	then := m.clone()
	g.steps(m, rng, 150)
	linked := make(chan error, len(snaps))
	for _, s := range snaps {
		go func() { linked <- s.Link(context.Background()) }()
	}
	g.steps(m, rng, 150)
	for range snaps {
		if err := <-linked; err != nil {
			t.Fatal(err)
		}
	}
	var handles []state.Handle
	for i, s := range snaps {
		handles = append(handles, r.store(fmt.Sprint(g.name, "-", i), s))
		s.Release()
	}
	g.steps(m, rng, rng.IntN(150))
	return handles, then
}

// giveUp takes a native snapshot that does not come to its end.
func (g *group) giveUp(t *testing.T, m *model, rng *rand.Rand) {
	for _, x := range g.tasks {
		s, err := x.k.SnapshotNative(1)
		if err != nil {
			t.Fatal(err)
		}
		g.steps(m, rng, 200)
		if rng.IntN(2) == 0 {
			ctx, cancel := context.WithCancelCause(context.Background())
			cancel(errGivenUp)
			if err := s.(state.NativeSnapshot).Link(ctx); !errors.Is(err, errGivenUp) {
				t.Fatal(err)
			}
		}
		g.steps(m, rng, 100)
		s.Release()
	}
}

var errGivenUp = errors.New("given up")

// TestNativeModel runs random operations against plain maps through a chain of attempts on pebble, each restored from
// a native snapshot of the one before at another parallelism, and reads every snapshot on every backend.
func TestNativeModel(t *testing.T) {
	for _, backend := range []int{1, 2} {
		t.Run(backends[backend].name, func(t *testing.T) {
			t.Parallel()
			rng := seeded(t)
			r, m := newRemote(t), newModel()
			var handles []state.Handle
			for attempt, par := range []int{1, 3} {
				g := r.openGroup(t, backend, par, fmt.Sprint("attempt", attempt), handles)
				g.steps(m, rng, 300)
				for id := range int64(2) {
					if rng.IntN(2) == 0 {
						g.giveUp(t, m, rng)
					}
					var then *model
					handles, then = g.snapshot(t, r, m, rng, id+1)
					m.checkRestored(t, r, rng.IntN(len(backends)), 1+rng.IntN(3), handles, then.clone())
					if id == 1 {
						m = then // the attempt dies here
					}
				}
				g.close()
			}
			g := r.openGroup(t, backend, 2, "last", handles)
			for _, x := range g.tasks {
				x.checkAll(m, nativeKeys)
			}
			g.close()
		})
	}
}

func (*model) checkRestored(t *testing.T, r *remote, backend, par int, handles []state.Handle, m *model) {
	t.Helper()
	g := r.openGroup(t, backend, par, "check", handles)
	for _, x := range g.tasks {
		x.checkAll(m, nativeKeys)
	}
	g.close()
	if len(m.timers) > 0 {
		t.Fatalf("%d timers fired nowhere", len(m.timers))
	}
}

// TestNativeThenCanonical: a savepoint begun while a native snapshot is under way holds everything, on every backend.
func TestNativeThenCanonical(t *testing.T) {
	for _, backend := range []int{1, 2} {
		rng := seeded(t)
		x, m := openTask(t, env(t, backend, state.Range{End: maxPar})), newModel()
		g := &group{tasks: []*task{x}}
		for n := range 2 {
			g.steps(m, rng, 300)
			s, err := x.k.SnapshotNative(int64(2*n + 1))
			if err != nil {
				t.Fatal(err)
			}
			g.steps(m, rng, 200)
			linked := make(chan error, 1)
			go func() { linked <- s.(state.NativeSnapshot).Link(context.Background()) }()
			g.steps(m, rng, 50)
			then := m.clone()
			canonical, err := x.k.Snapshot(int64(2*n + 2))
			if err != nil {
				t.Fatal(err)
			}
			if err := <-linked; err != nil {
				t.Fatal(err)
			}
			g.steps(m, rng, 200)
			s.Release()
			var w bytes.Buffer
			info, err := canonical.WriteTo(t.Context(), &w)
			if err != nil {
				t.Fatal(err)
			}
			canonical.Release()
			restoreAll(t, n%len(backends), 1+n%3, memory{w.Bytes()}, []state.Handle{{Location: "0", SnapshotInfo: info}}, then, nativeKeys)
		}
		x.checkAll(m, nativeKeys)
		x.close()
	}
}

// TestNativeLeavesNothing: links go with the snapshot, also when the task ended before it.
func TestNativeLeavesNothing(t *testing.T) {
	e := env(t, 1, state.Range{End: maxPar})
	rng := seeded(t)
	x, m := openTask(t, e), newModel()
	g := &group{tasks: []*task{x}}
	g.steps(m, rng, 500)
	s, err := x.k.SnapshotNative(1)
	if err != nil {
		t.Fatal(err)
	}
	x.close()
	if err := s.(state.NativeSnapshot).Link(t.Context()); err != nil {
		t.Fatal(err)
	}
	r := newRemote(t)
	h := r.store("a", s.(state.NativeSnapshot))
	s.Release()
	if left, err := os.ReadDir(e.Dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
	m.checkRestored(t, r, 1, 2, []state.Handle{h}, m)
}

// TestGoldenNative reads the store that the first version of native snapshots wrote, on every backend. Files of older
// versions are never written again.
func TestGoldenNative(t *testing.T) {
	const dir = "testdata/native-v1"
	m := newModel()
	x := openTask(t, env(t, 1, state.Range{End: maxPar}))
	rng := rand.New(rand.NewPCG(1, 1))
	for range 60 {
		x.step(m, rng, 6)
	}
	if *update {
		writeGolden(t, dir, x)
	}
	x.close()
	set := nativeSet{owner: "golden"}
	r := newRemote(t)
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		data := must[[]byte](t)(os.ReadFile(filepath.Join(dir, f.Name())))
		if f.Name() == "description" {
			set.bytes = data
			continue
		}
		set.names = append(set.names, f.Name())
		r.tables["golden/"+f.Name()] = data
	}
	r.sets = append(r.sets, set)
	h := state.Handle{Location: "0", SnapshotInfo: state.SnapshotInfo{Kind: state.Native, Version: 1, CheckpointID: 1, Range: state.Range{End: maxPar}}}
	for backend := range backends {
		m.checkRestored(t, r, backend, 1+backend, []state.Handle{h}, m.clone())
	}
}

func writeGolden(t *testing.T, dir string, x *task) {
	s := must[state.Snapshot](t)(x.k.SnapshotNative(1)).(state.NativeSnapshot)
	if err := s.Link(t.Context()); err != nil {
		t.Fatal(err)
	}
	r := newRemote(t)
	r.store("golden", s)
	s.Release()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{"description": r.sets[0].bytes}
	for _, n := range r.sets[0].names {
		files[n] = r.tables["golden/"+n]
	}
	for n, data := range files {
		if err := os.WriteFile(filepath.Join(dir, n), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// TestNativeOnHeap: a heap backend takes canonical snapshots when asked for native ones.
func TestNativeOnHeap(t *testing.T) {
	x := openTask(t, env(t, 0, state.Range{End: maxPar}))
	s, err := x.k.SnapshotNative(1)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := s.WriteTo(t.Context(), io.Discard); err != nil || info.Kind != state.Canonical {
		t.Fatal(info, err)
	}
	s.Release()
	x.close()
}
