package state_test

import (
	"math/rand/v2"
	"testing"

	"goflink/codec"
	"goflink/state"
)

// The key groups of these keys can never change: checkpoints and the exchange rely on them.
func TestKeyGroupGolden(t *testing.T) {
	for in, hash := range map[string]uint32{"": 0, "test": 0xba6bd213, "Hello, world!": 0xc0363e43, "The quick brown fox jumps over the lazy dog": 0x2e4ff723} {
		for _, p := range []int{1, 2, 7, 128, 32768} {
			if got := state.KeyGroup([]byte(in), p); got != int(hash%uint32(p)) {
				t.Errorf("%q of %d: %d", in, p, got)
			}
		}
	}
	ints, err := codec.Key[int64]()
	if err != nil {
		t.Fatal(err)
	}
	var got []int
	for i := range int64(4) {
		got = append(got, state.KeyGroup(ints.Append(nil, i), 128))
	}
	for _, s := range []string{"hello", "user-1"} {
		got = append(got, state.KeyGroup(stringKey(t).Append(nil, s), 128))
	}
	for i, want := range []int{34, 43, 39, 76, 76, 102} {
		if got[i] != want {
			t.Errorf("key groups %v", got)
			break
		}
	}
}

func TestKeyGroupRanges(t *testing.T) {
	for _, maxPar := range []int{1, 7, 128, 4096} {
		for par := 1; par <= min(maxPar, 50); par++ {
			next := 0
			for i := range par {
				r := state.KeyGroupRange(maxPar, par, i)
				if r.Start != next || r.Empty() {
					t.Fatalf("%d/%d of %d: %v", i, par, maxPar, r)
				}
				next = r.End
				for g := r.Start; g < r.End; g++ {
					if state.SubtaskFor(g, maxPar, par) != i {
						t.Fatalf("group %d of %d/%d", g, par, maxPar)
					}
				}
			}
			if next != maxPar {
				t.Fatalf("%d groups of %d", next, maxPar)
			}
		}
	}
	if got := state.KeyGroupRange(128, 3, 1).String(); got != "[43, 85]" { // as Flink computes it
		t.Error(got)
	}
}

func TestDefaultMaxParallelism(t *testing.T) {
	for par, want := range map[int]int{1: 128, 85: 128, 86: 256, 1000: 2048, 30000: 32768} {
		if got := state.DefaultMaxParallelism(par); got != want {
			t.Errorf("%d: %d, want %d", par, got, want)
		}
	}
}

func TestGrouper(t *testing.T) {
	checkGrouper(t, func(r *rand.Rand) int64 { return int64(r.Uint64()) })
	checkGrouper(t, func(r *rand.Rand) uint64 { return r.Uint64() })
	checkGrouper(t, func(r *rand.Rand) int32 { return int32(r.Uint32()) })
	type id int64
	checkGrouper(t, func(r *rand.Rand) id { return id(r.Uint64()) })
	checkGrouper(t, func(r *rand.Rand) string { return "user-"[:r.IntN(6)] })
	type pair struct{ A, B int32 }
	checkGrouper(t, func(r *rand.Rand) pair { return pair{r.Int32(), -r.Int32()} })
	checkGrouper(t, func(r *rand.Rand) float64 { return r.Float64() })
}

func checkGrouper[K comparable](t *testing.T, draw func(*rand.Rand) K) {
	t.Helper()
	c, err := codec.Key[K]()
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 2))
	for _, p := range []int{1, 7, 128, 32768} {
		group := state.Grouper(c, p)
		for range 1000 {
			if k := draw(r); group(k) != state.KeyGroup(c.Append(nil, k), p) {
				t.Fatalf("%T %v of %d: %d, want %d", k, k, p, group(k), state.KeyGroup(c.Append(nil, k), p))
			}
		}
	}
}
