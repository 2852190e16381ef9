package codec

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"reflect"
	"time"
	"unsafe"
)

// ErrCorrupt is wrapped by every error of Decode.
var ErrCorrupt = errors.New("codec: corrupt encoding")

// The errors of decoding are fixed values: decoding is tried on a record at a time, and the caller knows which.
var (
	errShort  = fmt.Errorf("%w: it ends early", ErrCorrupt)
	errVarint = fmt.Errorf("%w: malformed integer", ErrCorrupt)
	errRange  = fmt.Errorf("%w: integer out of range", ErrCorrupt)
	errBool   = fmt.Errorf("%w: boolean is neither 0 nor 1", ErrCorrupt)
	errLength = fmt.Errorf("%w: length exceeds the data", ErrCorrupt)
	errPtr    = fmt.Errorf("%w: presence is neither 0 nor 1", ErrCorrupt)
	errTime   = fmt.Errorf("%w: impossible time", ErrCorrupt)
	errDup    = fmt.Errorf("%w: duplicate map key", ErrCorrupt)
	errEscape = fmt.Errorf("%w: malformed key string", ErrCorrupt)
)

// decodeAll fills what ins describes of the value at base and returns the bytes taken.
func decodeAll(ins []instr, src []byte, base unsafe.Pointer) (int, error) {
	pos := 0
	for i := range ins {
		in := &ins[i]
		p := unsafe.Add(base, in.off)
		var n int
		var err error
		switch in.op {
		case opString:
			var l int
			if l, n, err = length(src[pos:], 0); err == nil {
				*(*string)(p) = string(src[pos+n : pos+n+l])
				n += l
			}
		case opI64:
			var u uint64
			u, n, err = uvarint(src[pos:])
			*(*int64)(p) = unzigzag(u)
		case opU64:
			*(*uint64)(p), n, err = uvarint(src[pos:])
		case opF64:
			if len(src)-pos < 8 {
				return pos, errShort
			}
			*(*float64)(p) = math.Float64frombits(binary.LittleEndian.Uint64(src[pos:]))
			n = 8
		case opBool, opI8, opU8, opI16, opI32, opU16, opU32, opF32:
			n, err = decodeSmall(in.op, src[pos:], p)
		default:
			n, err = decodeRef(in, src[pos:], p)
		}
		if err != nil {
			return pos, err
		}
		pos += n
	}
	return pos, nil
}

func decodeSmall(op opcode, src []byte, p unsafe.Pointer) (int, error) {
	switch op {
	case opBool, opI8, opU8:
		if len(src) == 0 {
			return 0, errShort
		}
		if op == opBool && src[0] > 1 {
			return 0, errBool
		}
		*(*uint8)(p) = src[0]
		return 1, nil
	case opF32:
		if len(src) < 4 {
			return 0, errShort
		}
		*(*float32)(p) = math.Float32frombits(binary.LittleEndian.Uint32(src))
		return 4, nil
	}
	u, n, err := uvarint(src)
	if err != nil {
		return 0, err
	}
	v, ok := unzigzag(u), true
	switch op {
	case opI16:
		*(*int16)(p), ok = int16(v), int64(int16(v)) == v
	case opI32:
		*(*int32)(p), ok = int32(v), int64(int32(v)) == v
	case opU16:
		*(*uint16)(p), ok = uint16(u), uint64(uint16(u)) == u
	case opU32:
		*(*uint32)(p), ok = uint32(u), uint64(uint32(u)) == u
	}
	if !ok {
		return 0, errRange
	}
	return n, nil
}

func decodeRef(in *instr, src []byte, p unsafe.Pointer) (int, error) {
	switch in.op {
	case opBytes:
		return decodeBytes(src, (*[]byte)(p))
	case opTime:
		return decodeTime(src, (*time.Time)(p))
	case opArray:
		return decodeElems(in.sub, src, p, in.sub.n)
	case opSlice:
		return decodeSlice(in.sub, src, p)
	case opPtr:
		if len(src) == 0 {
			return 0, errShort
		}
		if src[0] > 1 {
			return 0, errPtr
		}
		if src[0] == 0 {
			*(*unsafe.Pointer)(p) = nil
			return 1, nil
		}
		to := reflect.New(in.sub.typ.Elem()).UnsafePointer()
		n, err := decodeAll(in.sub.elem.ins, src[1:], to)
		*(*unsafe.Pointer)(p) = to
		return n + 1, err
	case opMap:
		return in.sub.mapOf.decode(src, p)
	default: // opExt
		return in.sub.ext.decode(src, p)
	}
}

func decodeBytes(src []byte, v *[]byte) (int, error) {
	l, n, isNil, err := counted(src, 1)
	if err != nil {
		return 0, err
	}
	*v = nil
	if !isNil {
		*v = append(make([]byte, 0, l), src[n:n+l]...) // src-copied
	}
	return n + l, nil
}

func decodeSlice(s *sub, src []byte, p unsafe.Pointer) (int, error) {
	l, n, isNil, err := counted(src, s.elem.min)
	if err != nil {
		return 0, err
	}
	if isNil {
		*(*sliceHeader)(p) = sliceHeader{}
		return n, nil
	}
	data := s.newElems(l)
	*(*sliceHeader)(p) = sliceHeader{data, l, l}
	if s.elem.min == 0 {
		return n, nil
	}
	k, err := decodeElems(s, src[n:], data, l)
	return n + k, err
}

func decodeElems(s *sub, src []byte, data unsafe.Pointer, count int) (int, error) {
	pos := 0
	for i := range count {
		n, err := decodeAll(s.elem.ins, src[pos:], unsafe.Add(data, uintptr(i)*s.size))
		if err != nil {
			return pos, err
		}
		pos += n
	}
	return pos, nil
}

func decodeTime(src []byte, v *time.Time) (int, error) {
	sec, n, err := uvarint(src)
	if err != nil {
		return 0, err
	}
	nsec, k, err := uvarint(src[n:])
	if err != nil {
		return 0, err
	}
	n += k
	zone, k, err := uvarint(src[n:])
	if err != nil {
		return 0, err
	}
	n += k
	offset := unzigzag(zone)
	// Two days are more than any zone has; the bound keeps the sum within time.Time's arithmetic.
	if nsec >= 1e9 || offset > 2*86400 || offset < -2*86400 {
		return 0, errTime
	}
	*v = time.Unix(unzigzag(sec), int64(nsec)).UTC()
	if offset != 0 {
		*v = v.In(time.FixedZone("", int(offset)))
	}
	return n, nil
}

// uvarint reads an unsigned varint, the one-byte case first.
func uvarint(src []byte) (uint64, int, error) {
	if len(src) > 0 && src[0] < 0x80 {
		return uint64(src[0]), 1, nil
	}
	u, n := binary.Uvarint(src)
	switch {
	case n > 0:
		return u, n, nil
	case n == 0:
		return 0, 0, errShort
	default:
		return 0, 0, errVarint
	}
}

// length reads a length of bytes that follow (len-bounded); bias is what was added when it was written.
func length(src []byte, bias uint64) (l, n int, err error) {
	u, n, err := uvarint(src)
	if err != nil {
		return 0, 0, err
	}
	if u < bias || u-bias > uint64(len(src)-n) {
		return 0, 0, errLength
	}
	return int(u - bias), n, nil
}

// maxEmptyElems bounds the length of a slice whose elements take no bytes; they take no memory either, so any
// bound does that keeps int arithmetic safe.
const maxEmptyElems = 1 << 40

// counted reads a count of elements that take at least size bytes each (len-bounded), or nil.
func counted(src []byte, size int) (count, n int, isNil bool, err error) {
	u, n, err := uvarint(src)
	if err != nil {
		return 0, 0, false, err
	}
	if u == 0 {
		return 0, n, true, nil
	}
	u--
	limit := uint64(maxEmptyElems)
	if size > 0 {
		limit = uint64((len(src) - n) / size)
	}
	if u > limit {
		return 0, 0, false, errLength
	}
	return int(u), n, false, nil
}
