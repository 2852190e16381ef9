package codec

import (
	"encoding/binary"
	"math"
	"time"
	"unsafe"
)

// appendAll appends what ins describes of the value at base.
func appendAll(ins []instr, dst []byte, base unsafe.Pointer) []byte {
	for i := range ins {
		in := &ins[i]
		p := unsafe.Add(base, in.off)
		switch in.op {
		case opString:
			s := *(*string)(p)
			dst = appendUvarint(dst, uint64(len(s)))
			dst = append(dst, s...)
		case opI64:
			dst = appendVarint(dst, *(*int64)(p))
		case opI32:
			dst = appendVarint(dst, int64(*(*int32)(p)))
		case opI16:
			dst = appendVarint(dst, int64(*(*int16)(p)))
		case opBool, opI8, opU8:
			dst = append(dst, *(*uint8)(p))
		case opU64:
			dst = appendUvarint(dst, *(*uint64)(p))
		case opU32:
			dst = appendUvarint(dst, uint64(*(*uint32)(p)))
		case opU16:
			dst = appendUvarint(dst, uint64(*(*uint16)(p)))
		case opF64:
			dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(*(*float64)(p)))
		case opF32:
			dst = binary.LittleEndian.AppendUint32(dst, math.Float32bits(*(*float32)(p)))
		default:
			dst = appendRef(in, dst, p)
		}
	}
	return dst
}

// appendRef appends the composites. Nil is 0, a length or presence is one more.
func appendRef(in *instr, dst []byte, p unsafe.Pointer) []byte {
	switch in.op {
	case opBytes:
		b := *(*[]byte)(p)
		if b == nil {
			return append(dst, 0)
		}
		dst = appendUvarint(dst, uint64(len(b))+1)
		return append(dst, b...)
	case opTime:
		return appendTime(dst, *(*time.Time)(p))
	case opArray:
		for i := range in.sub.n {
			dst = appendAll(in.sub.elem.ins, dst, unsafe.Add(p, uintptr(i)*in.sub.size))
		}
		return dst
	case opSlice:
		h := (*sliceHeader)(p)
		if h.data == nil {
			return append(dst, 0)
		}
		dst = appendUvarint(dst, uint64(h.len)+1)
		if in.sub.elem.min == 0 {
			return dst
		}
		for i := range h.len {
			dst = appendAll(in.sub.elem.ins, dst, unsafe.Add(h.data, uintptr(i)*in.sub.size))
		}
		return dst
	case opPtr:
		to := *(*unsafe.Pointer)(p)
		if to == nil {
			return append(dst, 0)
		}
		return appendAll(in.sub.elem.ins, append(dst, 1), to)
	case opMap:
		return in.sub.mapOf.append(dst, p)
	default: // opExt
		return in.sub.ext.append(dst, p)
	}
}

// appendUvarint is binary.AppendUvarint with the one-byte case, by far the most common one, inlined.
func appendUvarint(dst []byte, v uint64) []byte {
	if v < 0x80 {
		return append(dst, byte(v))
	}
	return binary.AppendUvarint(dst, v)
}

func zigzag(v int64) uint64 { return uint64(v<<1) ^ uint64(v>>63) }

func unzigzag(u uint64) int64 { return int64(u>>1) ^ -int64(u&1) }

func appendVarint(dst []byte, v int64) []byte { return appendUvarint(dst, zigzag(v)) }

// appendTime writes seconds since 1970, nanoseconds and the zone's offset in seconds. The zone's name and the
// monotonic clock mean nothing in another process.
func appendTime(dst []byte, t time.Time) []byte {
	_, offset := t.Zone()
	dst = appendVarint(dst, t.Unix())
	dst = appendUvarint(dst, uint64(t.Nanosecond()))
	return appendVarint(dst, int64(offset))
}

// sealSized fills in the length of what was appended behind the one byte reserved at start.
func sealSized(dst []byte, start int) []byte {
	n := uint64(len(dst)-start-1) + 1
	if n < 0x80 {
		dst[start] = byte(n)
		return dst
	}
	var b [binary.MaxVarintLen64]byte
	k := binary.PutUvarint(b[:], n)
	dst = append(dst, b[:k-1]...)
	copy(dst[start+k:], dst[start+1:len(dst)-k+1])
	copy(dst[start:], b[:k])
	return dst
}
