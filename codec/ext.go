package codec

import (
	"encoding"
	"fmt"
	"reflect"
	"unsafe"

	"google.golang.org/protobuf/proto"
)

// ext encodes a type by methods instead of by offsets. Its encoding starts with its length plus one (0 is a nil
// protobuf message), so that a reader that does not know the type can skip it.
type ext interface {
	append(dst []byte, p unsafe.Pointer) []byte
	decode(src []byte, p unsafe.Pointer) (int, error)
	copy(p unsafe.Pointer)
	flat() bool
}

// coderExt encodes a type whose pointer is a Coder.
type coderExt struct {
	typ    reflect.Type
	isFlat bool
}

func newCoderExt(t reflect.Type) *coderExt { return &coderExt{t, flatType(t)} }

func (x *coderExt) at(p unsafe.Pointer) Coder {
	c, _ := reflect.NewAt(x.typ, p).Interface().(Coder) // checked when the plan was compiled
	return c
}

func (x *coderExt) append(dst []byte, p unsafe.Pointer) []byte {
	start := len(dst)
	return sealSized(x.at(p).AppendTo(append(dst, 0)), start)
}

func (x *coderExt) decode(src []byte, p unsafe.Pointer) (int, error) {
	l, n, err := length(src, 1)
	if err != nil {
		return 0, err
	}
	reflect.NewAt(x.typ, p).Elem().SetZero()
	if err := x.at(p).DecodeFrom(src[n : n+l : n+l]); err != nil {
		return 0, fmt.Errorf("%w: %s: %w", ErrCorrupt, x.typ, err)
	}
	return n + l, nil
}

func (x *coderExt) copy(p unsafe.Pointer) { copyByCode(x, x.typ, p) }

func (x *coderExt) flat() bool { return x.isFlat }

// copyByCode replaces the value at p by its encoding decoded again. A type that cannot read what it wrote is
// broken in a way that nobody can go on from.
func copyByCode(x ext, t reflect.Type, p unsafe.Pointer) {
	b := x.append(nil, p)
	fresh := reflect.New(t)
	if _, err := x.decode(b, fresh.UnsafePointer()); err != nil {
		panic(fmt.Errorf("codec: %s cannot read its own encoding: %w", t, err))
	}
	reflect.NewAt(t, p).Elem().Set(fresh.Elem())
}

// flatType says whether an assignment of a t shares nothing that can change.
func flatType(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.String:
		return true
	case reflect.Array:
		return flatType(t.Elem())
	case reflect.Struct:
		if t == typeTime {
			return true
		}
		for i := range t.NumField() {
			if !flatType(t.Field(i).Type) {
				return false
			}
		}
		return true
	default:
		return !hasPointers(t)
	}
}

var (
	typeAppender    = reflect.TypeFor[encoding.BinaryAppender]()
	typeMarshaler   = reflect.TypeFor[encoding.BinaryMarshaler]()
	typeUnmarshaler = reflect.TypeFor[encoding.BinaryUnmarshaler]()
)

// binaryExt encodes a struct with hidden fields by the standard library's methods.
type binaryExt struct {
	typ      reflect.Type
	appender bool
	isFlat   bool
}

// newBinaryExt returns nil when t has nothing hidden, or no such methods.
func newBinaryExt(t reflect.Type) *binaryExt {
	pt := reflect.PointerTo(t)
	appender := pt.Implements(typeAppender)
	if !pt.Implements(typeUnmarshaler) || !(appender || pt.Implements(typeMarshaler)) {
		return nil
	}
	for i := range t.NumField() {
		if !t.Field(i).IsExported() {
			return &binaryExt{t, appender, flatType(t)}
		}
	}
	return nil
}

func (x *binaryExt) append(dst []byte, p unsafe.Pointer) []byte {
	start := len(dst)
	var err error
	switch v := reflect.NewAt(x.typ, p).Interface().(type) {
	case encoding.BinaryAppender:
		dst, err = v.AppendBinary(append(dst, 0))
	case encoding.BinaryMarshaler:
		var b []byte
		b, err = v.MarshalBinary()
		dst = append(append(dst, 0), b...)
	}
	if err != nil {
		panic(fmt.Errorf("codec: encode %s: %w", x.typ, err))
	}
	return sealSized(dst, start)
}

func (x *binaryExt) decode(src []byte, p unsafe.Pointer) (int, error) {
	l, n, err := length(src, 1)
	if err != nil {
		return 0, err
	}
	v := reflect.NewAt(x.typ, p)
	v.Elem().SetZero()
	u, _ := v.Interface().(encoding.BinaryUnmarshaler) // checked by newBinaryExt
	// A copy: the methods of other packages are not bound to keep nothing of it (src-copied).
	if err := u.UnmarshalBinary(append([]byte(nil), src[n:n+l]...)); err != nil {
		return 0, fmt.Errorf("%w: %s: %w", ErrCorrupt, x.typ, err)
	}
	return n + l, nil
}

func (x *binaryExt) copy(p unsafe.Pointer) { copyByCode(x, x.typ, p) }

func (x *binaryExt) flat() bool { return x.isFlat }

// protoExt encodes a pointer to a generated protobuf message.
type protoExt struct {
	typ    reflect.Type
	name   string
	fields []ProtoField
}

func newProtoExt(t reflect.Type) *protoExt {
	m, _ := reflect.New(t.Elem()).Interface().(proto.Message) // checked by the caller
	d := m.ProtoReflect().Descriptor()
	return &protoExt{t, string(d.FullName()), protoFields(d)}
}

func (x *protoExt) at(p unsafe.Pointer) proto.Message {
	m, _ := reflect.NewAt(x.typ, p).Elem().Interface().(proto.Message)
	return m
}

// Required fields of proto2 are the producer's business; deterministic costs only where there are maps.
var marshalProto = proto.MarshalOptions{AllowPartial: true, Deterministic: true}

func (x *protoExt) append(dst []byte, p unsafe.Pointer) []byte {
	if *(*unsafe.Pointer)(p) == nil {
		return append(dst, 0)
	}
	start := len(dst)
	dst, err := marshalProto.MarshalAppend(append(dst, 0), x.at(p))
	if err != nil {
		panic(fmt.Errorf("codec: encode protobuf message %s: %w", x.name, err))
	}
	return sealSized(dst, start)
}

func (x *protoExt) decode(src []byte, p unsafe.Pointer) (int, error) {
	l, n, isNil, err := counted(src, 1)
	if err != nil {
		return 0, err
	}
	if isNil {
		*(*unsafe.Pointer)(p) = nil
		return n, nil
	}
	fresh := reflect.New(x.typ.Elem())
	m, _ := fresh.Interface().(proto.Message)
	if err := (proto.UnmarshalOptions{AllowPartial: true}).Unmarshal(src[n:n+l], m); err != nil {
		return 0, fmt.Errorf("%w: protobuf message %s: %w", ErrCorrupt, x.name, err)
	}
	*(*unsafe.Pointer)(p) = fresh.UnsafePointer()
	return n + l, nil
}

func (x *protoExt) copy(p unsafe.Pointer) {
	if *(*unsafe.Pointer)(p) != nil {
		reflect.NewAt(x.typ, p).Elem().Set(reflect.ValueOf(proto.Clone(x.at(p))))
	}
}

func (x *protoExt) flat() bool { return false }
