package codec

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"unsafe"
)

// ErrIncompatible is wrapped by the errors of Resolve.
var ErrIncompatible = errors.New("codec: schemas are incompatible")

// readFunc reads an old value into a place of the new type; a nil place skips it.
type readFunc func(src []byte, p unsafe.Pointer) (int, error)

// Resolve returns a decoder for values of T that were written with the schema old: fields are matched by name, new
// or by one that the field had, new ones are zero, removed ones are skipped; numbers may have become wider (also
// unsigned to a wider signed one, and an integer to a float that holds all of its values), at any depth. Protobuf messages follow protobuf's own rules. Anything else is an error that names
// the field and both types.
func Resolve[T any](old *Schema) (func(src []byte, v *T) (int, error), error) {
	t := reflect.TypeFor[T]()
	p, schema, err := compile(t)
	if err != nil {
		return nil, err
	}
	if old.Equal(schema) {
		c := &planCodec[T]{p, schema}
		return c.Decode, nil
	}
	if old == nil {
		return nil, fmt.Errorf("%w: %s has no old schema", ErrIncompatible, t)
	}
	read, err := resolve(old, schema, t, typeName(t))
	if err != nil {
		return nil, err
	}
	return func(src []byte, v *T) (int, error) {
		var zero T
		*v = zero
		return read(src, unsafe.Pointer(v))
	}, nil
}

func resolve(old, next *Schema, t reflect.Type, path string) (readFunc, error) {
	if old.Equal(next) {
		p, _, err := compile(t)
		if err != nil {
			return nil, err
		}
		return func(src []byte, v unsafe.Pointer) (int, error) { return decodeAll(p.ins, src, v) }, nil
	}
	if read := widen(old.Kind, next.Kind); read != nil {
		return read, nil
	}
	if old.Kind != next.Kind {
		return nil, incompatible(old, next, path)
	}
	switch old.Kind {
	case Proto:
		return resolveProto(old, next, t, path)
	case Struct:
		return resolveStruct(old, next, t, path)
	case Slice, Array:
		return resolveElems(old, next, t, path)
	case Map:
		return resolveMap(old, next, t, path)
	case Pointer:
		elem, err := resolve(old.Elem, next.Elem, t.Elem(), path)
		if err != nil {
			return nil, err
		}
		return func(src []byte, p unsafe.Pointer) (int, error) { return readPointer(src, p, t, elem) }, nil
	default:
		return nil, incompatible(old, next, path)
	}
}

// resolveProto leaves the reading to protobuf, once it is sure to read what was meant.
func resolveProto(old, next *Schema, t reflect.Type, path string) (readFunc, error) {
	if !old.ProtoReadable(next) {
		lines, _ := protoChanges(old, next, path)
		return nil, fmt.Errorf("%w: the message %s changed:\n%s\na number must keep its type; give the field a new number", ErrIncompatible, old.Name, strings.Join(lines, "\n"))
	}
	p, _, err := compile(t)
	if err != nil {
		return nil, err
	}
	return func(src []byte, v unsafe.Pointer) (int, error) { return decodeAll(p.ins, src, v) }, nil
}

func incompatible(old, next *Schema, path string) error {
	return fmt.Errorf("%w: %s was %s and is %s now; keep the old type and add a field under a new name", ErrIncompatible, path, old, next)
}

// numbers says how a kind of number is read and how wide it is; sign: 1 signed, 0 unsigned, 2 floating.
var numbers = map[Kind]struct {
	op          opcode
	width, sign int
}{
	Int8: {opI8, 8, 1}, Int16: {opI16, 16, 1}, Int32: {opI32, 32, 1}, Int64: {opI64, 64, 1},
	Uint8: {opU8, 8, 0}, Uint16: {opU16, 16, 0}, Uint32: {opU32, 32, 0}, Uint64: {opU64, 64, 0},
	Float32: {opF32, 32, 2}, Float64: {opF64, 64, 2},
}

// Widens tells whether each number of kind old is one of kind next, which is another one: Resolve reads the one as the
// other.
func Widens(old, next Kind) bool {
	a, ok := numbers[old]
	b, ok2 := numbers[next]
	switch {
	case !ok || !ok2:
		return false
	case b.sign == 2 && a.sign != 2: // the mantissas have 24 and 53 bits
		return a.width <= b.width/2
	}
	return a.width < b.width && (a.sign == b.sign || a.sign == 0 && b.sign == 1)
}

// widen returns the reader of an old number as a wider one, nil if next is none.
func widen(old, next Kind) readFunc {
	if !Widens(old, next) {
		return nil
	}
	a, b := numbers[old], numbers[next]
	ins := []instr{{op: a.op}}
	return func(src []byte, p unsafe.Pointer) (int, error) {
		var word uint64
		n, err := decodeAll(ins, src, unsafe.Pointer(&word))
		if err != nil {
			return n, err
		}
		switch {
		case a.sign == 2:
			*(*float64)(p) = float64(*(*float32)(unsafe.Pointer(&word)))
		case b.op == opF64:
			*(*float64)(p) = float64(loadInt(a.op, unsafe.Pointer(&word)))
		case b.op == opF32:
			*(*float32)(p) = float32(loadInt(a.op, unsafe.Pointer(&word)))
		default:
			storeInt(b.op, p, loadInt(a.op, unsafe.Pointer(&word)))
		}
		return n, nil
	}
}

// loadInt reads an integer narrower than 64 bits.
func loadInt(op opcode, p unsafe.Pointer) int64 {
	switch op {
	case opI8:
		return int64(*(*int8)(p))
	case opI16:
		return int64(*(*int16)(p))
	case opI32:
		return int64(*(*int32)(p))
	case opU8:
		return int64(*(*uint8)(p))
	case opU16:
		return int64(*(*uint16)(p))
	default:
		return int64(*(*uint32)(p))
	}
}

// storeInt writes an integer wider than 8 bits.
func storeInt(op opcode, p unsafe.Pointer, v int64) {
	switch op {
	case opI16, opU16:
		*(*int16)(p) = int16(v)
	case opI32, opU32:
		*(*int32)(p) = int32(v)
	default:
		*(*int64)(p) = v
	}
}

func resolveStruct(old, next *Schema, t reflect.Type, path string) (readFunc, error) {
	fields, _, err := (&compiler{path: []string{path}}).structFields(t)
	if err != nil {
		return nil, err
	}
	place := map[string]field{}
	for _, f := range fields {
		place[f.name] = f
	}
	type step struct {
		read readFunc
		off  uintptr
	}
	steps := make([]step, 0, len(old.Fields))
	for _, f := range old.Fields {
		into, kept := next.Successor(old, f.Name)
		var s step
		if kept {
			to := place[into.Name]
			s.read, err = resolve(f.Schema, into.Schema, to.typ, path+"."+into.Name)
			s.off = to.off
		} else {
			s.read, err = skip(f.Schema)
		}
		if err != nil {
			return nil, err
		}
		steps = append(steps, s)
	}
	return func(src []byte, p unsafe.Pointer) (int, error) {
		pos := 0
		for _, s := range steps {
			n, err := s.read(src[pos:], unsafe.Add(p, s.off))
			if err != nil {
				return pos, err
			}
			pos += n
		}
		return pos, nil
	}, nil
}

func readPointer(src []byte, p unsafe.Pointer, t reflect.Type, elem readFunc) (int, error) {
	switch {
	case len(src) == 0:
		return 0, errShort
	case src[0] > 1:
		return 0, errPtr
	case src[0] == 0:
		*(*unsafe.Pointer)(p) = nil
		return 1, nil
	}
	to := reflect.New(t.Elem()).UnsafePointer()
	*(*unsafe.Pointer)(p) = to
	n, err := elem(src[1:], to)
	return n + 1, err
}

func resolveElems(old, next *Schema, t reflect.Type, path string) (readFunc, error) {
	if old.Len != next.Len {
		return nil, incompatible(old, next, path)
	}
	elem, err := resolve(old.Elem, next.Elem, t.Elem(), path+"[]")
	if err != nil {
		return nil, err
	}
	size, least := t.Elem().Size(), minSize(old.Elem)
	if old.Kind == Slice && least == 0 && size > 0 {
		return nil, incompatible(old, next, path)
	}
	return func(src []byte, p unsafe.Pointer) (int, error) {
		count, pos := next.Len, 0
		if next.Kind == Slice {
			var isNil bool
			var err error
			if count, pos, isNil, err = counted(src, least); err != nil || isNil {
				return pos, err
			}
			data := reflect.MakeSlice(t, count, count).UnsafePointer()
			*(*sliceHeader)(p) = sliceHeader{data, count, count}
			p = data
		}
		if least == 0 {
			return pos, nil
		}
		for i := range count {
			n, err := elem(src[pos:], unsafe.Add(p, uintptr(i)*size))
			if err != nil {
				return pos, err
			}
			pos += n
		}
		return pos, nil
	}, nil
}

func resolveMap(old, next *Schema, t reflect.Type, path string) (readFunc, error) {
	key, err := resolve(old.Key, next.Key, t.Key(), path+"[key]")
	if err != nil {
		return nil, err
	}
	val, err := resolve(old.Elem, next.Elem, t.Elem(), path+"[]")
	if err != nil {
		return nil, err
	}
	least := minSize(old.Key) + minSize(old.Elem)
	if least == 0 {
		return nil, incompatible(old, next, path)
	}
	return func(src []byte, p unsafe.Pointer) (int, error) {
		count, pos, isNil, err := counted(src, least)
		if err != nil || isNil {
			return pos, err
		}
		m := reflect.MakeMapWithSize(t, count)
		for range count {
			k, v := reflect.New(t.Key()), reflect.New(t.Elem())
			n, err := key(src[pos:], k.UnsafePointer())
			if err != nil {
				return pos, err
			}
			pos += n
			if n, err = val(src[pos:], v.UnsafePointer()); err != nil {
				return pos, err
			}
			pos += n
			m.SetMapIndex(k.Elem(), v.Elem())
		}
		if m.Len() != count {
			return pos, errDup
		}
		reflect.NewAt(t, p).Elem().Set(m)
		return pos, nil
	}, nil
}
