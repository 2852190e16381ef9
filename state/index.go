package state

import "math/bits"

// index finds the slots of a table by the hashes of their addresses. It is an extendible hash table: the first bits of
// a hash choose a shard, which is probed linearly from the position that its last bits give. A full shard is split in
// two, so that no insertion moves more than maxShard entries, however large the state is.
//
// It keeps the whole hash beside the slot: a probe reads an entry only when the hashes agree, and growing reads none.
type index struct {
	shards []*shard // each may stand at several places, as long as it need not be told apart by more bits
	shift  uint8    // 32 less the number of bits that choose a shard
}

type shard struct {
	buckets []uint64 // hash<<32 | slot+1; 0: free
	used    int
	depth   uint8 // how many first bits all hashes in it share
}

const (
	minShard = 8
	maxShard = 1 << 14 // 128 KiB, moved in some 50 µs
)

func newIndex() index {
	return index{shards: []*shard{{buckets: make([]uint64, minShard)}}, shift: 32}
}

func (x *index) shard(hash uint32) *shard { return x.shards[hash>>x.shift] }

// first returns the first slot with a hash, plus one; it is nearly always the only one. 0: none.
func (x *index) first(hash uint32) uint32 {
	buckets := x.shard(hash).buckets
	for i := hash; ; i++ {
		b := buckets[i&uint32(len(buckets)-1)]
		if b == 0 || uint32(b>>32) == hash {
			return uint32(b)
		}
	}
}

// insert adds a slot that is not there yet.
func (x *index) insert(hash, slot uint32) {
	s := x.shard(hash)
	for 10*s.used >= 7*len(s.buckets) { // longer runs would make misses slow
		x.grow(hash, s)
		s = x.shard(hash)
	}
	s.put(uint64(hash)<<32 | uint64(slot+1))
}

func (s *shard) put(b uint64) {
	mask := uint32(len(s.buckets) - 1)
	i := uint32(b>>32) & mask
	for s.buckets[i] != 0 {
		i = (i + 1) & mask
	}
	s.buckets[i] = b
	s.used++
}

// remove takes a slot out that is there, and moves up what stands behind it, so that no gap breaks a run.
func (x *index) remove(hash, slot uint32) {
	s := x.shard(hash)
	mask := uint32(len(s.buckets) - 1)
	i := hash & mask
	for s.buckets[i] != uint64(hash)<<32|uint64(slot+1) {
		i = (i + 1) & mask
	}
	for j := (i + 1) & mask; s.buckets[j] != 0; j = (j + 1) & mask {
		home := uint32(s.buckets[j]>>32) & mask
		if (j-home)&mask >= (j-i)&mask {
			s.buckets[i] = s.buckets[j]
			i = j
		}
	}
	s.buckets[i] = 0
	s.used--
}

// grow makes room in the shard of a hash: it doubles a small one and splits a large one.
func (x *index) grow(hash uint32, s *shard) {
	if len(s.buckets) < maxShard || s.depth == 32 {
		old := s.buckets
		s.buckets, s.used = make([]uint64, 2*len(old)), 0
		for _, b := range old {
			if b != 0 {
				s.put(b)
			}
		}
		return
	}
	if 32-x.shift == s.depth {
		x.double()
	}
	bit := uint32(1) << (31 - s.depth)
	half := [2]*shard{}
	for i := range half {
		half[i] = &shard{buckets: make([]uint64, len(s.buckets)), depth: s.depth + 1}
	}
	for _, b := range s.buckets {
		if b == 0 {
			continue
		}
		if uint32(b>>32)&bit == 0 {
			half[0].put(b)
		} else {
			half[1].put(b)
		}
	}
	// The shard stands at all places that begin with its bits; the second half of them goes to the second half.
	first := hash &^ (1<<(32-s.depth) - 1) >> x.shift
	places := uint32(1) << (32 - x.shift - s.depth)
	for i := range places {
		x.shards[first+i] = half[i*2/places]
	}
}

// double lets one more bit choose.
func (x *index) double() {
	wide := make([]*shard, 2*len(x.shards))
	for i, s := range x.shards {
		wide[2*i], wide[2*i+1] = s, s
	}
	x.shards = wide
	x.shift--
}

// mix spreads the bits of x over all of the result.
func mix(x uint64) uint64 {
	hi, lo := bits.Mul64(x^hashSeed, 0x9E3779B97F4A7C15)
	return hi ^ lo
}
