package state_test

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"sync"
	"testing"

	"goflink/codec"
	"goflink/state"
	_ "goflink/state/pebblestate"
)

// rec is a value that is not flat.
type rec struct {
	N int64
	L []int64
}

// at is where the model keeps something.
type at struct {
	key string
	ns  state.Namespace
}

type timer struct {
	at
	ts   int64
	proc bool
}

// model is the state in plain maps.
type model struct {
	values map[at]rec
	flat   map[at]int64
	lists  map[at][]string
	maps   map[at]map[int32]string
	timers map[timer]bool
}

func newModel() *model {
	return &model{map[at]rec{}, map[at]int64{}, map[at][]string{}, map[at]map[int32]string{}, map[timer]bool{}}
}

func (m *model) clone() *model {
	c := newModel()
	for k, v := range m.values {
		c.values[k] = rec{v.N, slices.Clone(v.L)}
	}
	maps.Copy(c.flat, m.flat)
	for k, v := range m.lists {
		c.lists[k] = slices.Clone(v)
	}
	for k, v := range m.maps {
		c.maps[k] = maps.Clone(v)
	}
	maps.Copy(c.timers, m.timers)
	return c
}

// anyTimer returns the first timer at or behind tm whose key is owned, or tm.
func (m *model) anyTimer(tm timer, owns func(key string) bool) timer {
	found := tm
	for other := range m.timers {
		if owns(other.key) && !other.less(tm) && (found == tm || other.less(found)) {
			found = other
		}
	}
	return found
}

func (t timer) less(o timer) bool {
	return cmp.Or(cmp.Compare(t.ts, o.ts), cmp.Compare(t.key, o.key), cmp.Compare(t.ns.A, o.ns.A), cmp.Compare(fmt.Sprint(t.proc), fmt.Sprint(o.proc))) < 0
}

// task is a keyed state with one handle of each kind.
type task struct {
	hints  *rand.Rand // apart from the steps' own, which the golden files were written with
	t      testing.TB
	k      *state.Keyed[string]
	groups state.Range
	value  state.Value[rec]
	flat   state.Value[int64]
	list   state.List[string]
	maps   state.Map[int32, string]
	timers *state.Timers[string]
}

const maxPar = 24

var keyCodec = sync.OnceValues(codec.Key[string])

func stringKey(t testing.TB) codec.KeyCodec[string] {
	t.Helper()
	return must[codec.KeyCodec[string]](t)(keyCodec())
}

// memory opens handles whose location is an index into a list of snapshots.
type memory [][]byte

func (m memory) open(_ context.Context, h state.Handle) (io.ReadCloser, error) {
	var i int
	if _, err := fmt.Sscan(h.Location, &i); err != nil {
		return nil, err
	}
	return io.NopCloser(bytes.NewBuffer(m[i])), nil
}

func must[T any](t testing.TB) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func openTask(t testing.TB, env state.Env) *task {
	t.Helper()
	k := must[*state.Keyed[string]](t)(state.OpenKeyed(env, stringKey(t)))
	x := &task{t: t, k: k, groups: env.Range, hints: rand.New(rand.NewPCG(1, 1))}
	x.value = must[state.Value[rec]](t)(state.NewValue(k, state.Desc[rec]{Name: "value"}))
	x.flat = must[state.Value[int64]](t)(state.NewValue(k, state.Desc[int64]{Name: "flat"}))
	x.list = must[state.List[string]](t)(state.NewList(k, state.Desc[string]{Name: "list"}))
	x.maps = must[state.Map[int32, string]](t)(state.NewMap(k, state.MapDesc[int32, string]{Name: "map"}))
	x.timers = must[*state.Timers[string]](t)(state.NewTimers(k, "timers"))
	return x
}

func (x *task) close() {
	x.t.Helper()
	if err := x.k.Err(); err != nil {
		x.t.Fatal(err)
	}
	if err := x.k.Close(); err != nil {
		x.t.Fatal(err)
	}
}

func (x *task) move(a at) {
	x.k.SetKey(a.key)
	x.k.SetNamespace(a.ns)
}

func randomAt(rng *rand.Rand, keys int) at {
	a := at{key: fmt.Sprintf("key-%d", rng.IntN(keys))}
	if n := rng.IntN(3); n > 0 {
		a.ns = state.Namespace{A: int64(n) * -1000, B: int64(n) * 1000}
	}
	return a
}

// lookAhead announces a cell, sometimes as what it is and in its turn, and sometimes wrongly.
func (x *task) lookAhead(a at, keys int) {
	rng := x.hints
	other := randomAt(rng, keys)
	switch rng.IntN(6) {
	case 0:
		x.k.Ahead([]string{a.key}, []state.Namespace{a.ns})
	case 1:
		x.k.Ahead([]string{other.key, a.key}, []state.Namespace{other.ns, a.ns})
		x.k.SetKey(other.key)
	case 2:
		x.k.Ahead([]string{other.key, a.key}, nil)
	}
}

// step does one random thing to both.
func (x *task) step(m *model, rng *rand.Rand, keys int) {
	x.t.Helper()
	a := randomAt(rng, keys)
	for !x.owns(a.key) {
		a = randomAt(rng, keys)
	}
	x.lookAhead(a, keys)
	x.move(a)
	switch rng.IntN(16) {
	case 0, 1:
		v := rec{rng.Int64N(100), []int64{1, 2}}
		x.value.Set(v)
		m.values[a] = rec{v.N, slices.Clone(v.L)}
	case 2, 3:
		p, created := x.value.Ptr()
		v, had := m.values[a]
		if created == had {
			x.t.Fatalf("%v: created is %v, the model says %v", a, created, !had)
		}
		p.N++
		if len(p.L) > 0 {
			p.L[0]++ // in place: a snapshot must not see it
		}
		p.L = append(p.L, p.N)
		v.N++
		if v.L = slices.Clone(v.L); len(v.L) > 0 {
			v.L[0]++
		}
		v.L = append(v.L, v.N)
		m.values[a] = v
	case 4:
		x.value.Clear()
		delete(m.values, a)
	case 5:
		x.flat.Update(func(v *int64) { *v += 7 })
		m.flat[a] += 7
	case 6:
		if rng.IntN(4) == 0 {
			x.flat.Clear()
			delete(m.flat, a)
		}
		x.check(m, a)
	case 7, 8:
		s := fmt.Sprint("e", rng.IntN(1000))
		x.list.Add(s)
		m.lists[a] = append(m.lists[a], s)
	case 9:
		x.stepList(m, rng, a)
	case 10, 11, 12:
		x.stepMap(m, rng, a)
	default:
		x.stepTimer(m, rng, a)
	}
}

func (x *task) stepList(m *model, rng *rand.Rand, a at) {
	switch rng.IntN(4) {
	case 0:
		x.list.Clear()
		delete(m.lists, a)
	case 1:
		x.list.Set([]string{"x", "y"})
		m.lists[a] = []string{"x", "y"}
	case 2:
		big := slices.Repeat([]string{"long"}, rng.IntN(700))
		x.list.AddAll(big)
		if len(big) > 0 {
			m.lists[a] = append(m.lists[a], big...)
		}
	default:
		x.check(m, a)
	}
}

func (x *task) stepMap(m *model, rng *rand.Rand, a at) {
	k, v := rng.Int32N(50), fmt.Sprint("v", rng.IntN(1000))
	switch rng.IntN(8) {
	case 0:
		x.maps.Delete(k)
		delete(m.maps[a], k)
	case 1:
		if rng.IntN(5) == 0 {
			x.maps.Clear()
			delete(m.maps, a)
		}
	case 2:
		p, created := x.maps.Ptr(k)
		if _, had := m.maps[a][k]; had == created {
			x.t.Fatalf("%v %d: created is %v", a, k, created)
		}
		*p += "+"
		if m.maps[a] == nil {
			m.maps[a] = map[int32]string{}
		}
		m.maps[a][k] += "+"
	case 3:
		x.check(m, a)
	default:
		x.maps.Put(k, v)
		if m.maps[a] == nil {
			m.maps[a] = map[int32]string{}
		}
		m.maps[a][k] = v
	}
	if len(m.maps[a]) == 0 {
		delete(m.maps, a)
	}
}

func (x *task) stepTimer(m *model, rng *rand.Rand, a at) {
	tm := timer{at: a, ts: rng.Int64N(10_000) - 5000, proc: rng.IntN(3) == 0}
	switch {
	case rng.IntN(60) == 0:
		limit := rng.Int64N(3000) - 5000
		x.fire(m, limit, tm.proc)
	case rng.IntN(4) == 0:
		tm = m.anyTimer(tm, x.owns)
		x.move(tm.at)
		if tm.proc {
			x.timers.DeleteProc(tm.ts)
		} else {
			x.timers.DeleteEvent(tm.ts)
		}
		delete(m.timers, tm)
	default:
		if tm.proc {
			x.timers.RegisterProc(tm.ts)
		} else {
			x.timers.RegisterEvent(tm.ts)
		}
		m.timers[tm] = true
	}
}

// fire advances one kind of timers and compares what fires.
func (x *task) fire(m *model, limit int64, proc bool) {
	x.t.Helper()
	last := int64(math.MinInt64)
	f := func(ts int64) error {
		tm := timer{at{x.k.Key(), x.k.Namespace()}, ts, proc}
		if !m.timers[tm] || ts < last || ts > limit {
			x.t.Fatalf("timer %+v fires after %d up to %d; the model has it: %v", tm, last, limit, m.timers[tm])
		}
		last = ts
		delete(m.timers, tm)
		return nil
	}
	advance := x.timers.AdvanceEvent
	if proc {
		advance = x.timers.AdvanceProc
	}
	if err := advance(limit, f); err != nil {
		x.t.Fatal(err)
	}
	for tm := range m.timers {
		if tm.proc == proc && tm.ts <= limit && x.owns(tm.key) {
			x.t.Fatalf("timer %+v did not fire up to %d", tm, limit)
		}
	}
}

func (x *task) owns(key string) bool {
	return x.groups.Contains(state.KeyGroup(stringKey(x.t).Append(nil, key), maxPar))
}

// check compares everything at one place.
func (x *task) check(m *model, a at) {
	x.t.Helper()
	x.move(a)
	v, ok := x.value.Get()
	if want, had := m.values[a]; ok != had || ok && (v.N != want.N || !slices.Equal(v.L, want.L)) {
		x.t.Fatalf("value at %v: %v %v, want %v %v", a, v, ok, want, had)
	}
	n, ok := x.flat.Get()
	if want, had := m.flat[a]; ok != had || n != want {
		x.t.Fatalf("flat at %v: %v %v, want %v %v", a, n, ok, want, had)
	}
	if got, want := x.list.Get(), m.lists[a]; !slices.Equal(got, want) || x.list.Empty() != (len(want) == 0) {
		x.t.Fatalf("list at %v: %d %v, want %d %v", a, len(got), got, len(want), want)
	}
	got := map[int32]string{}
	x.maps.Each(func(k int32, v string) bool {
		got[k] = v
		return true
	})
	want := m.maps[a]
	if !maps.Equal(got, want) || x.maps.Len() != len(want) || x.maps.Empty() != (len(want) == 0) {
		x.t.Fatalf("map at %v: %v, want %v", a, got, want)
	}
	for k := range int32(50) {
		if v, ok := x.maps.Get(k); v != want[k] || ok != (want[k] != "") {
			x.t.Fatalf("map at %v, %d: %q %v, want %q", a, k, v, ok, want[k])
		}
	}
}

// checkAll compares what the task owns with the model, and fires all its timers.
func (x *task) checkAll(m *model, keys int) {
	x.t.Helper()
	for i := range keys {
		key := fmt.Sprintf("key-%d", i)
		if !x.owns(key) {
			continue
		}
		for n := range 3 {
			a := at{key: key}
			if n > 0 {
				a.ns = state.Namespace{A: int64(n) * -1000, B: int64(n) * 1000}
			}
			x.check(m, a)
		}
	}
	x.checkKeys("value", keysOf(x, m.values))
	x.checkKeys("list", keysOf(x, m.lists))
	x.checkKeys("map", keysOf(x, m.maps))
	x.fire(m, math.MaxInt64, false)
	x.fire(m, math.MaxInt64, true)
}

func keysOf[V any](x *task, m map[at]V) map[at]bool {
	keys := map[at]bool{}
	for a := range m {
		if x.owns(a.key) {
			keys[a] = true
		}
	}
	return keys
}

func (x *task) checkKeys(name string, want map[at]bool) {
	x.t.Helper()
	got := map[at]bool{}
	err := x.k.EachKey(name, func(key string, ns state.Namespace) error {
		if got[at{key, ns}] {
			return fmt.Errorf("%s %v is visited twice", key, ns)
		}
		got[at{key, ns}] = true
		return nil
	})
	if err != nil || !reflect.DeepEqual(got, want) {
		x.t.Fatalf("EachKey(%s): %v, %d keys, want %d", name, err, len(got), len(want))
	}
}

// written is a snapshot of one subtask, written while the task went on.
type written struct {
	model *model
	bytes bytes.Buffer
	info  state.SnapshotInfo
	err   error
}

// snapshot takes a snapshot and writes it on a goroutine of wg.
func (x *task) snapshot(m *model, id int64, wg *sync.WaitGroup) *written {
	x.t.Helper()
	s, err := x.k.Snapshot(id)
	if err != nil {
		x.t.Fatal(err)
	}
	w := &written{model: m.clone()}
	wg.Go(func() {
		defer s.Release()
		w.info, w.err = s.WriteTo(context.Background(), &w.bytes)
	})
	return w
}
