package state_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"goflink/state"
)

// fakeClock is a processing time that tests move.
type fakeClock struct{ ms int64 }

func (c *fakeClock) now() time.Time { return time.UnixMilli(c.ms) }

// aged is a value of the model with the time of its last access.
type aged[V any] struct {
	v  V
	at int64
}

// ttlModel is state that expires, in plain maps.
type ttlModel struct {
	values map[at]aged[int64]
	lists  map[at][]aged[string]
	maps   map[at]map[int32]aged[string]
}

func newTTLModel() *ttlModel {
	return &ttlModel{map[at]aged[int64]{}, map[at][]aged[string]{}, map[at]map[int32]aged[string]{}}
}

// ttlTask is a keyed state whose states expire.
type ttlTask struct {
	*task
	clock *fakeClock
	ttl   state.TTL
	value state.Value[int64]
	list  state.List[string]
	maps  state.Map[int32, string]
	sum   *state.Reducing[int64]
}

func openTTL(t testing.TB, e state.Env, clock *fakeClock, ttl state.TTL) *ttlTask {
	t.Helper()
	e.Now = clock.now
	k := must[*state.Keyed[string]](t)(state.OpenKeyed(e, stringKey(t)))
	x := &ttlTask{task: &task{t: t, k: k, groups: e.Range}, clock: clock, ttl: ttl}
	x.value = must[state.Value[int64]](t)(state.NewValue(k, state.Desc[int64]{Name: "value", TTL: &ttl}))
	x.list = must[state.List[string]](t)(state.NewList(k, state.Desc[string]{Name: "list", TTL: &ttl}))
	x.maps = must[state.Map[int32, string]](t)(state.NewMap(k, state.MapDesc[int32, string]{Name: "map", TTL: &ttl}))
	x.sum = must[*state.Reducing[int64]](t)(state.NewReducing(k, state.Desc[int64]{Name: "sum", TTL: &ttl}, func(a, b int64) int64 { return a + b }))
	return x
}

func (x *ttlTask) alive(at int64) bool { return at+x.ttl.Time.Milliseconds() > x.clock.ms }
func (x *ttlTask) touches() bool       { return x.ttl.Update == state.OnReadAndWrite }

func (x *ttlTask) step(m *ttlModel, rng *rand.Rand) {
	x.t.Helper()
	a := randomAt(rng, 30)
	for !x.owns(a.key) {
		a = randomAt(rng, 30)
	}
	x.move(a)
	if rng.IntN(4) == 0 {
		x.clock.ms += rng.Int64N(20)
	}
	now := x.clock.ms
	switch k := rng.Int32N(20); rng.IntN(12) {
	case 0, 1:
		x.value.Set(now)
		x.sum.Clear()
		x.sum.Add(now)
		m.values[a] = aged[int64]{now, now}
	case 2:
		p, created := x.value.Ptr()
		old, had := m.values[a]
		if created == (had && x.alive(old.at)) {
			x.t.Fatalf("%v: created is %v, written at %d, now %d", a, created, old.at, now)
		}
		if created {
			x.sum.Clear() // it is gone anyway, by never being returned
			old.v = 0
		}
		*p++
		x.sum.Add(1)
		m.values[a] = aged[int64]{old.v + 1, now}
	case 3, 4:
		x.list.Add(fmt.Sprint("e", now))
		m.lists[a] = append(m.lists[a], aged[string]{fmt.Sprint("e", now), now})
	case 5:
		big := slices.Repeat([]string{"long"}, rng.IntN(400))
		x.list.AddAll(big)
		for _, s := range big {
			m.lists[a] = append(m.lists[a], aged[string]{s, now})
		}
	case 6, 7, 8:
		x.maps.Put(k, fmt.Sprint(now))
		if m.maps[a] == nil {
			m.maps[a] = map[int32]aged[string]{}
		}
		m.maps[a][k] = aged[string]{fmt.Sprint(now), now}
	case 9:
		x.maps.Delete(k)
		delete(m.maps[a], k)
	default:
		x.check(m, a)
	}
}

// check compares what is read at one place, and does to the model what reading does.
func (x *ttlTask) check(m *ttlModel, a at) {
	x.t.Helper()
	x.move(a)
	v, ok := x.value.Get()
	n, ok2 := x.sum.Get()
	want, had := m.values[a]
	if had = had && x.alive(want.at); ok != had || ok2 != had || ok && (v != want.v || n != v) {
		x.t.Fatalf("value at %v: %v %v, sum %v %v; want %v %v at %d", a, v, ok, n, ok2, want, had, x.clock.ms)
	}
	if had && x.touches() {
		m.values[a] = aged[int64]{want.v, x.clock.ms}
	}
	x.checkList(m, a)
	x.checkMap(m, a)
}

func (x *ttlTask) checkList(m *ttlModel, a at) {
	x.t.Helper()
	var want []string
	live := m.lists[a][:0:0]
	for _, e := range m.lists[a] {
		if x.alive(e.at) {
			want = append(want, e.v)
			if x.touches() {
				e.at = x.clock.ms
			}
			live = append(live, e)
		}
	}
	var each []string
	empty := x.list.Empty()
	x.list.Each(func(v string) bool {
		each = append(each, v)
		return true
	})
	if got := x.list.Get(); !slices.Equal(got, want) || !slices.Equal(each, want) || empty != (len(want) == 0) {
		x.t.Fatalf("list at %v: %d, %d by Each, want %d, empty %v", a, len(got), len(each), len(want), empty)
	}
	m.lists[a] = live
}

func (x *ttlTask) checkMap(m *ttlModel, a at) {
	x.t.Helper()
	want := map[int32]string{}
	for k, e := range m.maps[a] {
		if x.alive(e.at) {
			want[k] = e.v
			if x.touches() {
				e.at = x.clock.ms
			}
			m.maps[a][k] = e
		}
	}
	if x.maps.Len() != len(want) || x.maps.Empty() != (len(want) == 0) {
		x.t.Fatalf("map at %v has %d entries, want %d", a, x.maps.Len(), len(want))
	}
	got := map[int32]string{}
	x.maps.Each(func(k int32, v string) bool {
		got[k] = v
		return true
	})
	if !maps.Equal(got, want) {
		x.t.Fatalf("map at %v: %v, want %v", a, got, want)
	}
	for k := range int32(20) {
		if v, ok := x.maps.Get(k); v != want[k] || ok != (want[k] != "") {
			x.t.Fatalf("map at %v, %d: %q %v, want %q", a, k, v, ok, want[k])
		}
	}
}

func (x *ttlTask) checkAll(m *ttlModel) {
	x.t.Helper()
	for i := range 30 {
		for n := range int64(3) {
			a := at{key: fmt.Sprintf("key-%d", i), ns: state.Namespace{A: n * -1000, B: n * 1000}}
			if x.owns(a.key) {
				x.check(m, a)
			}
		}
	}
}

// cleanups are the ways to clean up, none of which may be seen.
var cleanups = []state.TTLCleanup{
	{}, {NoBackground: true}, {FullSnapshot: true}, {Incremental: 40}, {EveryRecord: true, InCompaction: 50}, {InCompaction: 1, FullSnapshot: true},
}

// TestTTLModel runs random operations against plain maps under a fake clock, with restores on other backends and at
// other parallelisms in between.
func TestTTLModel(t *testing.T) {
	for i, b := range backends {
		for _, up := range []state.TTLUpdate{state.OnCreateAndWrite, state.OnReadAndWrite} {
			t.Run(fmt.Sprint(b.name, up), func(t *testing.T) {
				rng := seeded(t)
				clock, m := &fakeClock{1_700_000_000_000}, newTTLModel()
				var mem memory
				var handles []state.Handle
				for round := range 4 {
					ttl := state.TTL{Time: 150 * time.Millisecond, Update: up, Cleanup: cleanups[rng.IntN(len(cleanups))]}
					par := 1 + round%2
					var next memory
					var nextHandles []state.Handle
					for sub := range par {
						e := env(t, (i+round)%len(backends), state.KeyGroupRange(maxPar, par, sub))
						e.Restore, e.Open = handles, mem.open
						x := openTTL(t, e, clock, ttl)
						for range rounds(400) {
							x.step(m, rng)
						}
						x.checkAll(m)
						snap, info := writeSnap(t, x.k)
						nextHandles = append(nextHandles, state.Handle{Location: fmt.Sprint(len(next)), SnapshotInfo: info})
						next = append(next, snap)
						x.close()
					}
					mem, handles = next, nextHandles
				}
			})
		}
	}
}

// filled is a state of a value, a list and a map of 600 keys each, all written at once.
func filled(t testing.TB, backend int, clock *fakeClock, ttl state.TTL) *ttlTask {
	x := openTTL(t, env(t, backend, state.Range{End: maxPar}), clock, ttl)
	for i := range int64(600) {
		x.move(at{key: fmt.Sprint("key-", i)})
		x.value.Set(i)
		x.list.AddAll([]string{"a", "b"})
		x.maps.Put(1, "x")
		x.sum.Add(i)
	}
	return x
}

// TestTTLCleanup: what nobody reads is removed by access, by record, by writing, and is left out of snapshots.
func TestTTLCleanup(t *testing.T) {
	eachBackend(t, func(t *testing.T, backend int) {
		for _, c := range []struct {
			name    string
			cleanup state.TTLCleanup
			removed bool
		}{
			{"background", state.TTLCleanup{}, true},
			{"none", state.TTLCleanup{NoBackground: true}, false},
			{"incremental", state.TTLCleanup{Incremental: 5}, true},
			{"every record", state.TTLCleanup{Incremental: 3, EveryRecord: true, NoBackground: true}, true},
			{"full snapshot", state.TTLCleanup{FullSnapshot: true, NoBackground: true}, true},
		} {
			clock := &fakeClock{1_000_000}
			x := filled(t, backend, clock, state.TTL{Time: time.Second, Cleanup: c.cleanup})
			full, _ := writeSnap(t, x.k)
			clock.ms += 1000
			x.pass(c.cleanup.EveryRecord)
			left, _ := writeSnap(t, x.k)
			if removed := len(left) < len(full)/2; removed != c.removed {
				t.Errorf("%s: %d bytes are left of %d", c.name, len(left), len(full))
			}
			x.close()
		}
	})
}

// pass lets time and many keys go by, of which 25 live at a time, or records only, which touch no state.
func (x *ttlTask) pass(recordsOnly bool) {
	for i := range 1500 {
		x.move(at{key: fmt.Sprint("busy-", i)})
		if recordsOnly {
			continue
		}
		x.clock.ms += 40
		x.value.Set(1)
		x.list.Set([]string{"z"})
		x.maps.Put(int32(i%3), "z")
		x.sum.Add(1)
	}
}

// TestTTLWritesPay: with a store, rows that expired are removed in proportion to what is written to it.
func TestTTLWritesPay(t *testing.T) {
	clock := &fakeClock{1_000_000}
	ttl := state.TTL{Time: time.Second}
	x := openTTL(t, env(t, 2, state.Range{End: maxPar}), clock, ttl)
	defer x.close()
	var most, last int
	for i := range int64(8000) {
		clock.ms++ // some thousand keys live at a time
		x.move(at{key: fmt.Sprint("key-", i)})
		x.value.Set(i)
		if i%4000 == 3999 {
			b, _ := writeSnap(t, x.k)
			most, last = max(most, len(b)), len(b)
		}
	}
	if perKey := 40; last > 4*1000*perKey {
		t.Errorf("%d bytes, at most %d, for 1000 keys that live", last, most)
	}
}

// TestTTLVisibility: what expired may be returned by the read that removes it, where that is wanted.
func TestTTLVisibility(t *testing.T) {
	eachBackend(t, func(t *testing.T, backend int) {
		clock := &fakeClock{1_000_000}
		x := filled(t, backend, clock, state.TTL{Time: time.Second, Visibility: state.ReturnExpiredIfNotCleanedUp, Cleanup: state.TTLCleanup{NoBackground: true}})
		defer x.close()
		clock.ms += 1000
		x.move(at{key: "key-7"})
		if v, ok := x.value.Get(); !ok || v != 7 {
			t.Error(v, ok)
		}
		if v, ok := x.maps.Get(1); !ok || v != "x" {
			t.Error(v, ok)
		}
		if l := x.list.Get(); !slices.Equal(l, []string{"a", "b"}) {
			t.Error(l)
		}
		x.sum.Add(1)
		if n, ok := x.sum.Get(); !ok || n != 8 {
			t.Error("expired and not cleaned up, it is folded into: ", n, ok)
		}
		_, ok := x.value.Get()
		_, ok2 := x.maps.Get(1)
		if ok || ok2 || len(x.list.Get()) > 0 {
			t.Error("returned twice")
		}
	})
}

// TestTTLAddedAndRemoved restores state without TTL as one with and the other way round: what had no time counts as
// accessed by the restore, and what had expired does not come back.
func TestTTLAddedAndRemoved(t *testing.T) {
	eachBackend(t, func(t *testing.T, backend int) {
		clock := &fakeClock{1_000_000}
		hour := state.TTL{Time: time.Hour}
		x := filled(t, (backend+1)%len(backends), clock, state.TTL{Update: state.TTLDisabled})
		b, info := writeSnap(t, x.k)
		x.close()
		clock.ms += 10 * hour.Time.Milliseconds()
		restore := func(b []byte, info state.SnapshotInfo, ttl state.TTL) *ttlTask {
			e := env(t, backend, state.Range{End: maxPar})
			e.Restore, e.Open = []state.Handle{{Location: "0", SnapshotInfo: info}}, memory{b}.open
			return openTTL(t, e, clock, ttl)
		}
		x = restore(b, info, hour) // added
		x.expect(600, 599)
		clock.ms += hour.Time.Milliseconds() / 2
		for i := range 100 {
			x.move(at{key: fmt.Sprint("key-", i)})
			x.value.Set(int64(i))
			x.list.Add("c")
			x.maps.Put(2, "y")
			x.sum.Add(0)
		}
		b, info = writeSnap(t, x.k)
		x.close()
		clock.ms += hour.Time.Milliseconds() / 2
		x = restore(b, info, state.TTL{Update: state.TTLDisabled}) // removed, when all but the last writes had expired
		x.expect(100, 99)
		x.move(at{key: "key-5"})
		if l := x.list.Get(); !slices.Equal(l, []string{"c"}) || x.maps.Len() != 1 {
			t.Error(l, x.maps.Len())
		}
		x.close()
	})
}

// expect counts the keys that have all of value, list, map and sum; last is the highest of them.
func (x *ttlTask) expect(want int, last int) {
	x.t.Helper()
	n, high := 0, 0
	for i := range 600 {
		x.move(at{key: fmt.Sprint("key-", i)})
		v, ok := x.value.Get()
		sum, ok2 := x.sum.Get()
		if ok != ok2 || ok != !x.list.Empty() || ok != !x.maps.Empty() || ok && (v != int64(i) || sum != v) {
			x.t.Fatal(i, v, ok, sum, ok2, x.list.Get(), x.maps.Len())
		}
		if ok {
			n, high = n+1, i
		}
	}
	if n != want || high != last {
		x.t.Errorf("%d keys up to %d, want %d up to %d", n, high, want, last)
	}
}

// TestTTLGolden reads the snapshot that the first version with TTL wrote, and checks that this one still writes it.
func TestTTLGolden(t *testing.T) {
	clock := &fakeClock{1_700_000_000_000}
	ttl := state.TTL{Time: time.Minute}
	x := openTTL(t, env(t, 0, state.Range{End: maxPar}), clock, ttl)
	x.move(at{key: "a"})
	x.value.Set(1)
	x.list.AddAll([]string{"x", "y"})
	x.maps.Put(3, "z")
	b, _ := writeSnap(t, x.k)
	x.close()
	name := filepath.Join("testdata", "canonical-v1-ttl.hex")
	if *update {
		if err := os.WriteFile(name, []byte(hex.EncodeToString(b)+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text := must[[]byte](t)(os.ReadFile(name))
	golden := must[[]byte](t)(hex.DecodeString(strings.TrimSpace(string(text))))
	if !bytes.Equal(golden, b) {
		t.Error("the format changed: a new version is needed that still reads this one")
	}
	d := must[*state.SnapshotDescription](t)(state.Describe(bytes.NewReader(golden)))
	if d.States[1].Kind != "list" || d.States[1].TTL != time.Minute {
		t.Errorf("%+v", d.States[1])
	}
	eachBackend(t, func(t *testing.T, backend int) {
		e := env(t, backend, state.Range{End: maxPar})
		e.Restore, e.Open = []state.Handle{{Location: "0", SnapshotInfo: state.SnapshotInfo{Range: state.Range{End: maxPar}}}}, memory{golden}.open
		x := openTTL(t, e, clock, ttl)
		defer x.close()
		x.move(at{key: "a"})
		v, _ := x.value.Get()
		z, _ := x.maps.Get(3)
		if v != 1 || z != "z" || !slices.Equal(x.list.Get(), []string{"x", "y"}) {
			t.Error(v, z, x.list.Get())
		}
	})
}

func TestTTLValidate(t *testing.T) {
	k := openWith(t, 0, nil, state.SnapshotInfo{})
	_, err := state.NewValue(k, state.Desc[int]{Name: "v", TTL: &state.TTL{Time: time.Microsecond, Update: 9, Cleanup: state.TTLCleanup{Incremental: -1}}})
	for _, want := range []string{`value state "v"`, "1 ms at least", "update type 9", "must not be negative"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in: %v", want, err)
		}
	}
	if _, err := state.NewValue(k, state.Desc[int]{Name: "v", TTL: &state.TTL{Update: state.TTLDisabled}}); err != nil || errors.Is(err, state.ErrCorrupt) {
		t.Error(err)
	}
}
