package state_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"goflink/codec"
	"goflink/state"
)

// eachBackend runs f on every backend.
func eachBackend(t *testing.T, f func(t *testing.T, backend int)) {
	for i, b := range backends {
		t.Run(b.name, func(t *testing.T) { f(t, i) })
	}
}

// TestSnapshotSeesNothingLater changes everything in every way between Snapshot and WriteTo, twice over.
func TestSnapshotSeesNothingLater(t *testing.T) {
	eachBackend(t, func(t *testing.T, backend int) {
		x, m := openTask(t, env(t, backend, state.Range{End: maxPar})), newModel()
		defer x.close()
		rng := seeded(t)
		const keys = 20
		for range rounds(1500) {
			x.step(m, rng, keys)
		}
		var gate, wg sync.WaitGroup
		gate.Add(1)
		var snaps []*written
		for i := range int64(3) {
			s := must[state.Snapshot](t)(x.k.Snapshot(i))
			w := &written{model: m.clone()}
			snaps = append(snaps, w)
			wg.Go(func() {
				defer s.Release()
				gate.Wait()
				w.info, w.err = s.WriteTo(context.Background(), &w.bytes)
			})
			for range rounds(500) {
				x.step(m, rng, keys)
			}
		}
		gate.Done()
		wg.Wait()
		for i, w := range snaps {
			if w.err != nil {
				t.Fatal(w.err)
			}
			restoreAll(t, i%len(backends), 1, memory{w.bytes.Bytes()}, []state.Handle{{Location: "0", SnapshotInfo: w.info}}, w.model, keys)
		}
		x.checkAll(m, keys)
	})
}

type recV1 struct {
	Old string
	N   int32
}

type recV2 struct {
	N   int64
	New string
}

func openWith(t testing.TB, backend int, b []byte, info state.SnapshotInfo) *state.Keyed[string] {
	t.Helper()
	e := env(t, backend, state.Range{End: maxPar})
	if b != nil {
		e.Restore = []state.Handle{{Location: "chk", SnapshotInfo: info}}
		e.Open = openReader(func() io.Reader { return bytes.NewBuffer(b) })
	}
	k := must[*state.Keyed[string]](t)(state.OpenKeyed(e, stringKey(t)))
	t.Cleanup(func() {
		if err := errors.Join(k.Err(), k.Close()); err != nil {
			t.Error(err)
		}
	})
	return k
}

func TestEvolution(t *testing.T) {
	eachBackend(t, func(t *testing.T, backend int) {
		k := openWith(t, (backend+1)%len(backends), nil, state.SnapshotInfo{})
		v := must[state.Value[recV1]](t)(state.NewValue(k, state.Desc[recV1]{Name: "v"}))
		l := must[state.List[recV1]](t)(state.NewList(k, state.Desc[recV1]{Name: "l"}))
		mp := must[state.Map[string, recV1]](t)(state.NewMap(k, state.MapDesc[string, recV1]{Name: "m"}))
		idle := must[state.Value[string]](t)(state.NewValue(k, state.Desc[string]{Name: "nobody declares this"}))
		for i := range int32(1000) {
			k.SetKey(fmt.Sprint(i))
			v.Set(recV1{"gone", i})
			l.AddAll([]recV1{{"a", -i}, {"b", i}})
			mp.Put("x", recV1{"gone", 2 * i})
			idle.Set("kept")
		}
		b, info := writeSnap(t, k)

		for range 2 { // the second time from a snapshot with the new schema
			k = openWith(t, backend, b, info)
			v2 := must[state.Value[recV2]](t)(state.NewValue(k, state.Desc[recV2]{Name: "v"}))
			l2 := must[state.List[recV2]](t)(state.NewList(k, state.Desc[recV2]{Name: "l"}))
			mp2 := must[state.Map[string, recV2]](t)(state.NewMap(k, state.MapDesc[string, recV2]{Name: "m"}))
			for i := range int64(1000) {
				k.SetKey(fmt.Sprint(i))
				a, ok := v2.Get()
				c, ok2 := mp2.Get("x")
				if !ok || !ok2 || a != (recV2{N: i}) || c != (recV2{N: 2 * i}) || !slices.Equal(l2.Get(), []recV2{{N: -i}, {N: i}}) {
					t.Fatal(i, a, c, l2.Get())
				}
			}
			b, info = writeSnap(t, k)
		}
		k = openWith(t, backend, b, info)
		idle = must[state.Value[string]](t)(state.NewValue(k, state.Desc[string]{Name: "nobody declares this"}))
		k.SetKey("77")
		if s, _ := idle.Get(); s != "kept" {
			t.Fatal("a state that was not declared is lost")
		}
	})
}

// writeSnap writes a snapshot at once.
func writeSnap(t testing.TB, k *state.Keyed[string]) ([]byte, state.SnapshotInfo) {
	t.Helper()
	s := must[state.Snapshot](t)(k.Snapshot(1))
	defer s.Release()
	var b bytes.Buffer
	info := must[state.SnapshotInfo](t)(s.WriteTo(context.Background(), &b))
	return b.Bytes(), info
}

func TestIncompatible(t *testing.T) {
	k := openWith(t, 0, nil, state.SnapshotInfo{})
	v := must[state.Value[recV1]](t)(state.NewValue(k, state.Desc[recV1]{Name: "v"}))
	mp := must[state.Map[string, int32]](t)(state.NewMap(k, state.MapDesc[string, int32]{Name: "m"}))
	k.SetKey("a")
	v.Set(recV1{})
	mp.Put("x", 1)
	b, info := writeSnap(t, k)
	eachBackend(t, func(t *testing.T, backend int) {
		k := openWith(t, backend, b, info)
		_, err := state.NewValue(k, state.Desc[struct{ N string }]{Name: "v"})
		refused(t, err, `value state "v"`, "~ .N: int32 -> string", "- .Old string")
		_, err = state.NewMap(k, state.MapDesc[int64, int32]{Name: "m"})
		refused(t, err, `map keys of state "m"`, "string -> int64")
		_, err = state.NewList(k, state.Desc[int32]{Name: "m"})
		refused(t, err, "was a map and is declared as a list")
	})
	if _, err := state.NewList(k, state.Desc[int]{Name: "v"}); err == nil || !strings.Contains(err.Error(), "declared twice") {
		t.Error(err)
	}
	if _, err := state.NewValue(k, state.Desc[chan int]{Name: "c"}); !errors.Is(err, codec.ErrType) {
		t.Error(err)
	}
	if _, err := state.NewValue(k, state.Desc[int]{}); err == nil {
		t.Error("no name")
	}
}

func refused(t *testing.T, err error, want ...string) {
	t.Helper()
	if !errors.Is(err, state.ErrIncompatible) {
		t.Fatal(err)
	}
	for _, w := range want {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%q is not in: %v", w, err)
		}
	}
}

func TestForeignKeyIsAnError(t *testing.T) {
	eachBackend(t, func(t *testing.T, backend int) {
		k := must[*state.Keyed[string]](t)(state.OpenKeyed(env(t, backend, state.Range{Start: 3, End: 4}), stringKey(t)))
		defer k.Close()
		v := must[state.Value[int]](t)(state.NewValue(k, state.Desc[int]{Name: "v"}))
		for i := range 50 {
			k.SetKey(fmt.Sprint(i))
			v.Set(i)
		}
		if err := k.Err(); err == nil || !strings.Contains(err.Error(), "not among those of this subtask, [3, 3]") {
			t.Fatal(err)
		}
		if _, err := k.Snapshot(1); err == nil {
			t.Fatal("a snapshot after an error")
		}
	})
}

func TestMerging(t *testing.T) {
	eachBackend(t, func(t *testing.T, backend int) {
		k := openWith(t, backend, nil, state.SnapshotInfo{})
		v := must[state.Value[string]](t)(state.NewValue(k, state.Desc[string]{Name: "v"}))
		l := must[state.List[int]](t)(state.NewList(k, state.Desc[int]{Name: "l"}))
		r := must[*state.Reducing[int]](t)(state.NewReducing(k, state.Desc[int]{Name: "r"}, func(a, b int) int { return a + b }))
		a := must[*state.Aggregating[int, []int, int]](t)(state.NewAggregating(k, state.Desc[[]int]{Name: "a"}, state.Aggregator[int, []int, int]{
			Create: func() []int { return []int{} }, Add: func(acc *[]int, in int) { *acc = append(*acc, in) },
			Result: func(acc *[]int) int { return len(*acc) }, Merge: func(a, b []int) []int { return append(a, b...) },
		}))
		ns := func(i int64) state.Namespace { return state.Namespace{A: i, B: i + 10} }
		k.SetKey("k")
		for i := range int64(4) {
			k.SetNamespace(ns(i))
			v.Set(fmt.Sprint(i))
			l.AddAll([]int{int(i), 10 * int(i)})
			r.Add(int(i))
			r.Add(100)
			a.Add(1)
		}
		k.SetNamespace(ns(99))
		sources := []state.Namespace{ns(0), ns(2), ns(1), ns(7)}
		state.MergeValue(k, v, ns(0), sources, func(a, b string) string { return a + b })
		state.MergeList(k, l, ns(0), sources)
		state.MergeReducing(k, r, ns(0), sources)
		state.MergeAggregating(k, a, ns(0), sources)
		if k.Namespace() != ns(99) {
			t.Fatal("the namespace changed")
		}
		got := func(i int64) string {
			k.SetNamespace(ns(i))
			s, _ := v.Get()
			n, _ := r.Get()
			c, _ := a.Get()
			return fmt.Sprint(s, l.Get(), n, c)
		}
		if got(0) != "021[0 0 2 20 1 10] 303 3" || got(1) != "[] 0 0" || got(2) != "[] 0 0" || got(3) != "3[3 30] 103 1" {
			t.Error(got(0), got(1), got(2), got(3))
		}
		k.SetNamespace(ns(3))
		r.Clear()
		a.Clear()
		if got(3) != "3[3 30] 0 0" {
			t.Error(got(3))
		}
	})
}

// TestLargeLists crosses the chunks that a list is stored in.
func TestLargeLists(t *testing.T) {
	eachBackend(t, func(t *testing.T, backend int) {
		k := openWith(t, backend, nil, state.SnapshotInfo{})
		l := must[state.List[int]](t)(state.NewList(k, state.Desc[int]{Name: "l"}))
		mp := must[state.Map[int, int]](t)(state.NewMap(k, state.MapDesc[int, int]{Name: "m"}))
		var want []int
		k.SetKey("k")
		for i := range 5000 {
			l.Add(i)
			mp.Put(i, -i)
			want = append(want, i)
		}
		if !slices.Equal(l.Get(), want) || mp.Len() != 5000 {
			t.Fatal("lost elements")
		}
		b, info := writeSnap(t, k)
		k2 := openWith(t, (backend+1)%len(backends), b, info)
		l2 := must[state.List[int]](t)(state.NewList(k2, state.Desc[int]{Name: "l"}))
		mp2 := must[state.Map[int, int]](t)(state.NewMap(k2, state.MapDesc[int, int]{Name: "m"}))
		k2.SetKey("k")
		l2.Add(5000)
		if !slices.Equal(l2.Get(), append(want, 5000)) || mp2.Len() != 5000 {
			t.Fatal("lost elements in the restore")
		}
		l.Clear()
		mp.Clear()
		l2.Clear()
		mp2.Clear()
		if !l.Empty() || !mp.Empty() || mp.Len() != 0 || !l2.Empty() || !mp2.Empty() {
			t.Fatal("not cleared")
		}
		l2.Each(func(int) bool { t.Fatal("an element"); return false })
		for i := range 3 {
			l2.Add(i)
		}
		var seen []int
		l2.Each(func(v int) bool {
			seen = append(seen, v)
			return v < 1
		})
		if !reflect.DeepEqual(seen, []int{0, 1}) {
			t.Fatal(seen)
		}
	})
}

// failing writes so much and then fails.
type failing struct{ left int }

var errFull = errors.New("disk full")

func (f *failing) Write(b []byte) (int, error) {
	if len(b) > f.left {
		return f.left, errFull
	}
	f.left -= len(b)
	return len(b), nil
}

// TestWriteFails: a snapshot that could not be written leaves the task as it was.
func TestWriteFails(t *testing.T) {
	eachBackend(t, func(t *testing.T, backend int) {
		x, m := openTask(t, env(t, backend, state.Range{End: maxPar})), newModel()
		defer x.close()
		rng := seeded(t)
		for range 1000 {
			x.step(m, rng, 20)
		}
		for _, left := range []int{0, 10, 500} {
			s := must[state.Snapshot](t)(x.k.Snapshot(1))
			if _, err := s.WriteTo(context.Background(), &failing{left}); !errors.Is(err, errFull) {
				t.Error(err)
			}
			s.Release()
			s.Release()
		}
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		s := must[state.Snapshot](t)(x.k.Snapshot(1))
		if _, err := s.WriteTo(ctx, io.Discard); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		s.Release()
		x.checkAll(m, 20)
	})
}
