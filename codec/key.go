package codec

import (
	"bytes"
	"encoding/binary"
	"math"
	"reflect"
	"unsafe"
)

// The key format, fixed by golden vectors because key groups are computed from it: integers big-endian in the
// width of their type (int and uint: 8 bytes), signed ones with the sign bit flipped; floats big-endian with the
// sign bit flipped when positive and all bits when negative, -0 as 0 and every NaN as one; booleans 0 or 1;
// strings and byte slices with 00 as 00 ff, ended by 00 01 (nil and empty slices are one); arrays and structs
// are their parts in order.

// Key compiles the order-preserving codec of K, or says which part of K cannot be (part of) a key. Keys are
// booleans, integers, floats, strings, []byte, time.Duration and structs and arrays of these; all fields of a
// struct must be exported. A NaN is never equal to itself, so keys should not hold one.
func Key[K any]() (KeyCodec[K], error) {
	t := reflect.TypeFor[K]()
	c := &compiler{path: []string{typeName(t)}}
	k := &keyPlan[K]{}
	var err error
	if k.schema, err = c.addKey(&k.p, t, 0); err != nil {
		return nil, err
	}
	return k, nil
}

// addKey appends the instructions of a t at offset off to p.
func (c *compiler) addKey(p *plan, t reflect.Type, off uintptr) (*Schema, error) {
	if leaf, ok := leaves[t.Kind()]; ok {
		p.add(instr{op: leaf.op, off: off})
		if t == typeDuration {
			return &Schema{Kind: Duration}, nil
		}
		return &Schema{Kind: leaf.kind}, nil
	}
	switch {
	case t == typeTime:
		return nil, c.errorf("is a time.Time, of which equal instants are not equal (==); use its UnixNano")
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8:
		p.add(instr{op: opBytes, off: off})
		return &Schema{Kind: Bytes}, nil
	case t.Kind() == reflect.Array:
		return c.addKeyArray(p, t, off)
	case t.Kind() == reflect.Struct:
		return c.addKeyStruct(p, t, off)
	default:
		return nil, c.errorf("is a %s (%s), which cannot be part of a key", t.Kind(), t)
	}
}

func (c *compiler) addKeyArray(p *plan, t reflect.Type, off uintptr) (*Schema, error) {
	s := &sub{typ: t, size: t.Elem().Size(), n: t.Len()}
	c.path = append(c.path, "[]")
	elem, err := c.addKey(&s.elem, t.Elem(), 0)
	c.path = c.path[:len(c.path)-1]
	if err != nil {
		return nil, err
	}
	if s.n > 0 && len(s.elem.ins) > 0 {
		p.add(instr{op: opArray, off: off, sub: s})
	}
	return &Schema{Kind: Array, Elem: elem, Len: t.Len()}, nil
}

func (c *compiler) addKeyStruct(p *plan, t reflect.Type, off uintptr) (*Schema, error) {
	fields, partial, err := c.structFields(t)
	if err != nil {
		return nil, err
	}
	if partial {
		return nil, c.errorf("leaves fields out, so that different keys would be taken for one")
	}
	schema := &Schema{Kind: Struct, Name: typeName(t)}
	for _, f := range fields {
		c.path = append(c.path, "."+f.name)
		fs, err := c.addKey(p, f.typ, off+f.off)
		c.path = c.path[:len(c.path)-1]
		if err != nil {
			return nil, err
		}
		schema.Fields = append(schema.Fields, Field{f.name, fs, f.was})
	}
	return schema, nil
}

type keyPlan[K any] struct {
	p      plan
	schema *Schema
}

// Append takes the key's address only for functions that the compiler can see through, so that k stays on the
// stack; a test holds this at zero allocations.
func (c *keyPlan[K]) Append(dst []byte, k K) []byte {
	return appendKey(c.p.ins, dst, unsafe.Pointer(&k))
}

func (c *keyPlan[K]) Decode(src []byte, k *K) (int, error) {
	return decodeKey(c.p.ins, src, unsafe.Pointer(k))
}

func (c *keyPlan[K]) Schema() *Schema { return c.schema }

// WholeKey says that c encodes a key as its 64 bits, big-endian, after flip was applied to them by exclusive or: what
// the compiled codecs do with 64-bit integers.
func WholeKey[K comparable](c KeyCodec[K]) (flip uint64, ok bool) {
	p, ok := c.(*keyPlan[K])
	if !ok || len(p.p.ins) != 1 || unsafe.Sizeof(*new(K)) != 8 {
		return 0, false
	}
	switch p.p.ins[0].op {
	case opI64:
		return 1 << 63, true
	case opU64:
		return 0, true
	}
	return 0, false
}

func appendKey(ins []instr, dst []byte, base unsafe.Pointer) []byte {
	for i := range ins {
		in := &ins[i]
		p := unsafe.Add(base, in.off)
		switch in.op {
		case opString:
			dst = appendEscaped(dst, *(*string)(p))
		case opBytes:
			b := *(*[]byte)(p)
			dst = appendEscaped(dst, unsafe.String(unsafe.SliceData(b), len(b)))
		case opI64:
			dst = binary.BigEndian.AppendUint64(dst, *(*uint64)(p)^(1<<63))
		case opI32:
			dst = binary.BigEndian.AppendUint32(dst, *(*uint32)(p)^(1<<31))
		case opI16:
			dst = binary.BigEndian.AppendUint16(dst, *(*uint16)(p)^(1<<15))
		case opI8:
			dst = append(dst, *(*uint8)(p)^(1<<7))
		case opU64:
			dst = binary.BigEndian.AppendUint64(dst, *(*uint64)(p))
		case opU32:
			dst = binary.BigEndian.AppendUint32(dst, *(*uint32)(p))
		case opU16:
			dst = binary.BigEndian.AppendUint16(dst, *(*uint16)(p))
		case opU8, opBool:
			dst = append(dst, *(*uint8)(p))
		case opF64:
			dst = binary.BigEndian.AppendUint64(dst, sortable64(*(*float64)(p)))
		case opF32:
			dst = binary.BigEndian.AppendUint32(dst, sortable32(*(*float32)(p)))
		case opArray:
			for i := range in.sub.n {
				dst = appendKey(in.sub.elem.ins, dst, unsafe.Add(p, uintptr(i)*in.sub.size))
			}
		}
	}
	return dst
}

// appendEscaped copies the runs between zero bytes whole; most strings have none.
func appendEscaped(dst []byte, s string) []byte {
	start := 0
	for i := 0; i < len(s); i++ {
		if s[i] == 0 {
			dst = append(append(dst, s[start:i]...), 0, 0xff)
			start = i + 1
		}
	}
	return append(append(dst, s[start:]...), 0, 1)
}

func sortable64(f float64) uint64 {
	switch {
	case f == 0:
		f = 0 // of both zeros
	case f != f:
		f = math.NaN()
	}
	u := math.Float64bits(f)
	return u ^ (uint64(int64(u)>>63) | 1<<63)
}

func sortable32(f float32) uint32 {
	switch {
	case f == 0:
		f = 0
	case f != f:
		f = float32(math.NaN())
	}
	u := math.Float32bits(f)
	return u ^ (uint32(int32(u)>>31) | 1<<31)
}

var keyWidth = [...]int{
	opBool: 1, opI8: 1, opU8: 1, opI16: 2, opU16: 2, opI32: 4, opU32: 4, opF32: 4, opI64: 8, opU64: 8, opF64: 8,
}

func decodeKey(ins []instr, src []byte, base unsafe.Pointer) (int, error) {
	pos := 0
	for i := range ins {
		in := &ins[i]
		p := unsafe.Add(base, in.off)
		n, err := 0, error(nil)
		switch in.op {
		case opString, opBytes:
			var b []byte
			if b, n, err = unescape(src[pos:]); err != nil {
				return pos, err
			}
			if in.op == opBytes {
				*(*[]byte)(p) = b
			} else {
				*(*string)(p) = unsafe.String(unsafe.SliceData(b), len(b)) // b is ours and never written again
			}
		case opArray:
			for i := range in.sub.n {
				k, err := decodeKey(in.sub.elem.ins, src[pos+n:], unsafe.Add(p, uintptr(i)*in.sub.size))
				if err != nil {
					return pos, err
				}
				n += k
			}
		default:
			n = keyWidth[in.op]
			if len(src)-pos < n {
				return pos, errShort
			}
			if err = decodeKeyNumber(in.op, src[pos:], p); err != nil {
				return pos, err
			}
		}
		pos += n
	}
	return pos, nil
}

func decodeKeyNumber(op opcode, src []byte, p unsafe.Pointer) error {
	switch op {
	case opI64:
		*(*uint64)(p) = binary.BigEndian.Uint64(src) ^ (1 << 63)
	case opI32:
		*(*uint32)(p) = binary.BigEndian.Uint32(src) ^ (1 << 31)
	case opI16:
		*(*uint16)(p) = binary.BigEndian.Uint16(src) ^ (1 << 15)
	case opI8:
		*(*uint8)(p) = src[0] ^ (1 << 7)
	case opU64:
		*(*uint64)(p) = binary.BigEndian.Uint64(src)
	case opU32:
		*(*uint32)(p) = binary.BigEndian.Uint32(src)
	case opU16:
		*(*uint16)(p) = binary.BigEndian.Uint16(src)
	case opBool, opU8:
		if op == opBool && src[0] > 1 {
			return errBool
		}
		*(*uint8)(p) = src[0]
	case opF64:
		u := binary.BigEndian.Uint64(src)
		*(*uint64)(p) = u ^ (uint64(int64(^u)>>63) | 1<<63)
	case opF32:
		u := binary.BigEndian.Uint32(src)
		*(*uint32)(p) = u ^ (uint32(int32(^u)>>31) | 1<<31)
	}
	return nil
}

// unescape reads an escaped string up to its end mark, into new memory.
func unescape(src []byte) (b []byte, n int, err error) {
	for {
		i := bytes.IndexByte(src[n:], 0)
		if i < 0 || n+i+1 >= len(src) {
			return nil, 0, errShort
		}
		b = append(b, src[n:n+i]...)
		n += i + 2
		switch src[n-1] {
		case 1:
			return b, n, nil
		case 0xff:
			b = append(b, 0)
		default:
			return nil, 0, errEscape
		}
	}
}
