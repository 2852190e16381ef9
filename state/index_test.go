package state

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// The index finds what was inserted and not removed, over all sizes: shards double, split and, with hashes that agree
// in their first bits, split unevenly.
func TestIndex(t *testing.T) {
	for seed := range uint64(6) {
		rng := rand.New(rand.NewPCG(seed, 7))
		x, model := newIndex(), map[uint32]uint32{} // hash by slot
		var slots []uint32
		insert := func(slot uint32) {
			hash := rng.Uint32()
			if seed%2 == 1 {
				hash = hash&0x00ffffff | 0xab000000
			}
			x.insert(hash, slot)
			model[slot] = hash
			slots = append(slots, slot)
		}
		for slot := range uint32(60_000) {
			insert(slot)
			if rng.IntN(4) == 0 {
				i := rng.IntN(len(slots))
				gone := slots[i]
				slots = slices.Delete(slots, i, i+1)
				x.remove(model[gone], gone)
				delete(model, gone)
			}
		}
		used := 0
		var last *shard
		for _, s := range x.shards {
			if s != last {
				used += s.used
			}
			last = s
		}
		if used != len(model) {
			t.Fatalf("seed %d: %d slots in the index, want %d", seed, used, len(model))
		}
		for slot, hash := range model {
			if !x.holds(hash, slot) {
				t.Fatalf("seed %d: slot %d with hash %#x is lost", seed, slot, hash)
			}
		}
	}
}

// holds searches as a table does.
func (x *index) holds(hash, slot uint32) bool {
	buckets := x.shard(hash).buckets
	for i := hash; ; i++ {
		switch b := buckets[i&uint32(len(buckets)-1)]; b {
		case 0:
			return false
		case uint64(hash)<<32 | uint64(slot+1):
			return true
		}
	}
}

// Lines give out slots by time and, of one time, in the order in which they came, whatever is removed in between.
func TestLines(t *testing.T) {
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 8))
		type item struct {
			time int64
			slot uint32
		}
		q, next := newLines(), uint32(0)
		var model []item // in the order in which they came
		earliest := func() int {
			return slices.IndexFunc(model, func(a item) bool {
				return !slices.ContainsFunc(model, func(b item) bool { return b.time < a.time })
			})
		}
		for range 3000 {
			switch n := rng.IntN(5); {
			case n < 2 || len(model) == 0:
				it := item{rng.Int64N(30), next}
				next++
				q.add(it.time, it.slot)
				model = append(model, it)
			case n == 2:
				i := rng.IntN(len(model))
				q.remove(model[i].time, model[i].slot)
				model = slices.Delete(model, i, i+1)
			default:
				i := earliest()
				time, slot, ok := q.earliest()
				if !ok || time != model[i].time || slot != model[i].slot {
					t.Fatalf("seed %d: earliest is %d at %d, want %+v", seed, slot, time, model[i])
				}
				q.remove(time, slot)
				model = slices.Delete(model, i, i+1)
			}
		}
	}
}
