package codec

import (
	"fmt"
	"unsafe"
)

var leafOps = map[Kind]opcode{
	Bool: opBool, Int8: opI8, Int16: opI16, Int32: opI32, Int64: opI64, Duration: opI64, Uint8: opU8, Uint16: opU16,
	Uint32: opU32, Uint64: opU64, Float32: opF32, Float64: opF64,
}

// minSize is the fewest bytes that a value of the schema takes.
func minSize(s *Schema) int {
	switch s.Kind {
	case Struct:
		n := 0
		for _, f := range s.Fields {
			n += minSize(f.Schema)
		}
		return n
	case Array:
		if e := minSize(s.Elem); e > 0 {
			return min(s.Len, maxEmptyElems/e) * e
		}
		return 0
	case Time:
		return minBytes[opTime]
	default:
		if op, ok := leafOps[s.Kind]; ok {
			return minBytes[op]
		}
		return 1
	}
}

// skip returns a reader that only finds the end of a value: its place is ignored.
func skip(s *Schema) (readFunc, error) {
	if op, ok := leafOps[s.Kind]; ok {
		ins := []instr{{op: op}}
		return func(src []byte, _ unsafe.Pointer) (int, error) {
			var word uint64
			return decodeAll(ins, src, unsafe.Pointer(&word))
		}, nil
	}
	switch s.Kind {
	case String:
		return skipSized(0), nil
	case Bytes, Proto:
		return func(src []byte, _ unsafe.Pointer) (int, error) {
			l, n, _, err := counted(src, 1)
			return n + l, err
		}, nil
	case Custom:
		return skipSized(1), nil
	case Time:
		return skipAll([]readFunc{skipVarint, skipVarint, skipVarint}), nil
	case Struct:
		return skipStruct(s)
	case Array, Slice, Map, Pointer:
		return skipComposite(s)
	default:
		return nil, fmt.Errorf("%w: cannot skip a %s", ErrIncompatible, s.Kind)
	}
}

func skipVarint(src []byte, _ unsafe.Pointer) (int, error) {
	_, n, err := uvarint(src)
	return n, err
}

func skipSized(bias uint64) readFunc {
	return func(src []byte, _ unsafe.Pointer) (int, error) {
		l, n, err := length(src, bias)
		return n + l, err
	}
}

func skipAll(parts []readFunc) readFunc {
	return func(src []byte, _ unsafe.Pointer) (int, error) {
		pos := 0
		for _, part := range parts {
			n, err := part(src[pos:], nil)
			if err != nil {
				return pos, err
			}
			pos += n
		}
		return pos, nil
	}
}

func skipStruct(s *Schema) (readFunc, error) {
	parts := make([]readFunc, 0, len(s.Fields))
	for _, f := range s.Fields {
		part, err := skip(f.Schema)
		if err != nil {
			return nil, err
		}
		parts = append(parts, part)
	}
	return skipAll(parts), nil
}

func skipComposite(s *Schema) (readFunc, error) {
	elem, err := skip(s.Elem)
	if err != nil {
		return nil, err
	}
	least := minSize(s.Elem)
	if s.Kind == Map {
		key, err := skip(s.Key)
		if err != nil {
			return nil, err
		}
		elem, least = skipAll([]readFunc{key, elem}), least+minSize(s.Key)
	}
	return func(src []byte, _ unsafe.Pointer) (int, error) {
		count, pos, err := s.Len, 0, error(nil)
		switch s.Kind {
		case Pointer:
			if len(src) == 0 || src[0] > 1 {
				return 0, errPtr
			}
			count, pos = int(src[0]), 1
		case Slice, Map:
			count, pos, _, err = counted(src, least)
		}
		if err != nil || least == 0 {
			return pos, err
		}
		for range count {
			n, err := elem(src[pos:], nil)
			if err != nil {
				return pos, err
			}
			pos += n
		}
		return pos, nil
	}, nil
}
