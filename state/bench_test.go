package state_test

import (
	"context"
	"fmt"
	"io"
	"testing"

	"goflink/state"
)

const benchKeys = 100_000

var benchNames = func() []string {
	names := make([]string, benchKeys)
	for i := range names {
		names[i] = fmt.Sprintf("user-%d", i*7919%benchKeys)
	}
	return names
}()

type acc struct {
	N   int64
	Sum float64
}

func benchKeyed(b *testing.B, kind state.BackendKind, budget int64) (*state.Keyed[string], state.Value[acc]) {
	b.Helper()
	k, err := state.OpenKeyed(state.Env{Kind: kind, Dir: b.TempDir(), Range: state.Range{End: 128}, MaxParallelism: 128, MemoryBudget: budget}, stringKey(b))
	if err != nil {
		b.Fatal(err)
	}
	v, err := state.NewValue(k, state.Desc[acc]{Name: "acc"})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := k.Err(); err != nil {
			b.Error(err)
		}
		if err := k.Close(); err != nil {
			b.Error(err)
		}
	})
	return k, v
}

func benchUpdate(b *testing.B, kind state.BackendKind, budget int64) {
	k, v := benchKeyed(b, kind, budget)
	for _, n := range benchNames {
		k.SetKey(n)
		v.Set(acc{})
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if i++; i == benchKeys {
			i = 0
		}
		k.SetKey(benchNames[i])
		p, _ := v.Ptr()
		p.N++
		p.Sum += 1.5
	}
}

// BenchmarkUpdate is SetKey and an update of one of 100,000 keys.
func BenchmarkUpdate(b *testing.B) {
	b.Run("heap", func(b *testing.B) { benchUpdate(b, state.Heap, 0) })
	b.Run("pebble", func(b *testing.B) { benchUpdate(b, state.Pebble, 256<<20) })
	b.Run("pebble-cold", func(b *testing.B) { benchUpdate(b, state.Pebble, 8<<20) })
}

// BenchmarkGetSet is a read and a write of the value in one record.
func BenchmarkGetSet(b *testing.B) {
	k, v := benchKeyed(b, state.Heap, 0)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if i++; i == benchKeys {
			i = 0
		}
		k.SetKey(benchNames[i])
		a, _ := v.Get()
		a.N++
		v.Set(a)
	}
}

// BenchmarkWindow is an update in the namespace of a window and the registration of its timer, as windows do for
// each record.
func BenchmarkWindow(b *testing.B) {
	for name, kind := range map[string]state.BackendKind{"heap": state.Heap, "pebble": state.Pebble} {
		b.Run(name, func(b *testing.B) {
			k, v := benchKeyed(b, kind, 256<<20)
			timers, err := state.NewTimers(k, "t")
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				i++
				k.SetKey(benchNames[i%1000])
				k.SetNamespace(state.Namespace{A: 0, B: 1000})
				p, _ := v.Ptr()
				p.N++
				timers.RegisterEvent(999)
			}
		})
	}
}

// BenchmarkSnapshot reports the synchronous part, and the first updates after it, which copy pages.
func BenchmarkSnapshot(b *testing.B) {
	for name, kind := range map[string]state.BackendKind{"heap": state.Heap, "pebble": state.Pebble} {
		b.Run(name, func(b *testing.B) {
			k, v := benchKeyed(b, kind, 256<<20)
			for _, n := range benchNames {
				k.SetKey(n)
				v.Set(acc{1, 2})
			}
			b.Run("sync", func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					s, err := k.Snapshot(1)
					if err != nil {
						b.Fatal(err)
					}
					s.Release()
				}
			})
			b.Run("write", func(b *testing.B) {
				b.ReportAllocs()
				s, err := k.Snapshot(1)
				if err != nil {
					b.Fatal(err)
				}
				defer s.Release()
				for b.Loop() {
					info, err := s.WriteTo(context.Background(), io.Discard)
					if err != nil {
						b.Fatal(err)
					}
					b.SetBytes(info.Bytes)
				}
			})
		})
	}
}

// TestUpdateDoesNotAllocate holds the record path at zero.
func TestUpdateDoesNotAllocate(t *testing.T) {
	for i, b := range backends[:2] {
		x := openTask(t, env(t, i, state.Range{End: maxPar}))
		keys := []string{"a", "b", "c"}
		update := func() {
			for _, key := range keys {
				x.k.SetKey(key)
				n, _ := x.flat.Get()
				x.flat.Set(n + 1)
				p, _ := x.flat.Ptr()
				*p++
				q, _ := x.maps.Ptr(7)
				*q = "x"
				x.timers.RegisterEvent(100)
			}
		}
		update()
		if n := testing.AllocsPerRun(100, update); n > 0 {
			t.Errorf("%s: %v allocations", b.name, n)
		}
		x.close()
	}
}
