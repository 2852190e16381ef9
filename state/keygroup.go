package state

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"unsafe"

	"goflink/codec"
)

const (
	// MinDefaultMaxParallelism and MaxMaxParallelism bound the max parallelism as Flink does: a default is never
	// below 128, and none is above 32768 (key groups are 16 bits wide in every format).
	MinDefaultMaxParallelism = 128
	MaxMaxParallelism        = 1 << 15
)

// KeyGroup returns the key group of an encoded key: murmur3 (32 bits, seed 0) modulo maxParallelism. It is fixed
// for ever by golden vectors, because checkpoints and the exchange both depend on it.
func KeyGroup(encodedKey []byte, maxParallelism int) int {
	return int(murmur3(encodedKey) % uint32(maxParallelism))
}

// Grouper returns KeyGroup for keys of one type, which spares integers the encoding. It belongs to one goroutine.
func Grouper[K comparable](c codec.KeyCodec[K], maxParallelism int) func(K) int {
	flip, whole := codec.WholeKey(c)
	word := func(k K) uint64 { return bits.ReverseBytes64(*(*uint64)(unsafe.Pointer(&k)) ^ flip) }
	switch {
	case whole && maxParallelism&(maxParallelism-1) == 0: // a default is a power of two
		return func(k K) int { return int(murmur8(word(k)) & uint32(maxParallelism-1)) }
	case whole:
		return func(k K) int { return int(murmur8(word(k)) % uint32(maxParallelism)) }
	}
	var buf []byte
	return func(k K) int {
		buf = c.Append(buf[:0], k)
		return KeyGroup(buf, maxParallelism)
	}
}

// Range is a half-open range [Start, End) of key groups.
type Range struct {
	Start, End int
}

// Len is the number of key groups in r.
func (r Range) Len() int { return max(0, r.End-r.Start) }

// Empty says that r holds no key group.
func (r Range) Empty() bool { return r.End <= r.Start }

// Contains says whether the key group is in r.
func (r Range) Contains(keyGroup int) bool { return r.Start <= keyGroup && keyGroup < r.End }

// Intersect returns the key groups in both ranges.
func (r Range) Intersect(o Range) Range {
	x := Range{max(r.Start, o.Start), min(r.End, o.End)}
	if x.Empty() {
		return Range{}
	}
	return x
}

// String renders r as Flink does, with an inclusive end.
func (r Range) String() string {
	if r.Empty() {
		return "[]"
	}
	return fmt.Sprintf("[%d, %d]", r.Start, r.End-1)
}

// KeyGroupRange returns the key groups of one subtask, by Flink's arithmetic.
func KeyGroupRange(maxParallelism, parallelism, index int) Range {
	start := (index*maxParallelism + parallelism - 1) / parallelism
	end := ((index+1)*maxParallelism - 1) / parallelism
	return Range{start, end + 1}
}

// SubtaskFor returns the index of the subtask that owns a key group.
func SubtaskFor(keyGroup, maxParallelism, parallelism int) int {
	return keyGroup * parallelism / maxParallelism
}

// DefaultMaxParallelism is the max parallelism of an operator that sets none: one and a half times its
// parallelism, rounded up to a power of two, within Flink's bounds.
func DefaultMaxParallelism(parallelism int) int {
	want, p := parallelism+parallelism/2, MinDefaultMaxParallelism
	for p < want && p < MaxMaxParallelism {
		p *= 2
	}
	return p
}

// murmur8 is murmur3 of eight bytes, the first of which are the lowest of x.
func murmur8(x uint64) uint32 {
	h := bits.RotateLeft32(murmurWord(uint32(x)), 13)*5 + 0xe6546b64
	h = bits.RotateLeft32(h^murmurWord(uint32(x>>32)), 13)*5 + 0xe6546b64
	return murmurEnd(h ^ 8)
}

func murmurWord(k uint32) uint32 { return bits.RotateLeft32(k*0xcc9e2d51, 15) * 0x1b873593 }

func murmurEnd(h uint32) uint32 {
	h = (h ^ h>>16) * 0x85ebca6b
	h = (h ^ h>>13) * 0xc2b2ae35
	return h ^ h>>16
}

// murmur3 is MurmurHash3_x86_32 with seed 0. The packages that offer it read past the end of their input, which the
// race detector's pointer checks refuse.
func murmur3(b []byte) uint32 {
	h, n := uint32(0), uint32(len(b))
	for ; len(b) >= 4; b = b[4:] {
		h ^= murmurWord(binary.LittleEndian.Uint32(b))
		h = bits.RotateLeft32(h, 13)*5 + 0xe6546b64
	}
	k := uint32(0)
	for i := len(b) - 1; i >= 0; i-- {
		k = k<<8 | uint32(b[i])
	}
	return murmurEnd(h ^ murmurWord(k) ^ n)
}
