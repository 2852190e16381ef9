// Package codec turns Go types into encodings, once, when the graph is built.
//
// It owns four things: the network and state encoding of a value (Codec), the order-preserving encoding of
// a key (KeyCodec), the description of an encoding that travels with data (Schema), and the reading of data
// that was written with an older description (Resolve). Callers are stream (edges and state of operators),
// state (keys, values and snapshots) and graph (fingerprints).
//
// A codec is compiled from a type: what was registered for it first (Register), then own methods (Coder), then protobuf messages, then a plan of field
// offsets. What cannot be encoded is an error at compile time that names the field; there is no fallback to
// gob, JSON or reflection per record.
//
// Invariants, cited in the code:
//
//	plan-acyclic   types that contain themselves are refused, so recursion is bounded by the type
//	src-copied     nothing that Decode returns points into src
//	len-bounded    a length read from src is checked against the bytes that are left before it is allocated
//	min-one        an element of a counted sequence takes at least one byte, or none and no work at all
//
// Codecs have no goroutines and no locks, and hold no state between calls: one codec serves any number of
// goroutines.
package codec

import (
	"reflect"
	"unsafe"
)

// Codec encodes, decodes and copies values of one type. A Codec is safe for concurrent use.
type Codec[T any] interface {
	// Append appends the encoding of *v to dst. It does not fail for a type that compiled; a protobuf message
	// that protobuf itself refuses (a string that is not UTF-8) panics. The order of a map's entries is not
	// fixed.
	Append(dst []byte, v *T) []byte
	// Decode reads one value from the front of src into *v, which is overwritten whole, and returns how many
	// bytes it took. Strings and slices are copied out of src. After an error *v is unspecified.
	Decode(src []byte, v *T) (n int, err error)
	// Copy returns a deep copy; for a flat type that is v itself.
	Copy(v T) T
	// Flat says that an assignment already is a deep copy: no slice, map or pointer is shared by it. Strings
	// and times are immutable and count as flat.
	Flat() bool
	// Schema describes the encoding.
	Schema() *Schema
}

// KeyCodec encodes keys so that the bytes sort as the keys do. An encoded key is self-delimiting (no encoding
// is the prefix of another one), so that more can be appended behind it. Equal keys (==) have equal bytes. A
// KeyCodec is safe for concurrent use.
type KeyCodec[K any] interface {
	// Append appends the encoding of k to dst, without allocating when dst has room.
	Append(dst []byte, k K) []byte
	// Decode reads one key from the front of src and returns how many bytes it took.
	Decode(src []byte, k *K) (n int, err error)
	// Schema describes the encoding; a key is restored only under an equal schema.
	Schema() *Schema
}

// Coder is implemented by *T when T brings its own encoding. DecodeFrom gets exactly the bytes that AppendTo
// appended (the length is written beside them); it must check them and keep no reference into them. A copy of
// such a value, where its Go type is not flat, is its encoding decoded again.
//
// A struct with unexported fields that has the standard AppendBinary (or MarshalBinary) and UnmarshalBinary is
// encoded by these; an error of the former is a panic, because Append has no way to report it.
type Coder interface {
	AppendTo(dst []byte) []byte
	DecodeFrom(src []byte) error
}

type planCodec[T any] struct {
	p      *plan
	schema *Schema
}

// For compiles the codec of T, or says which field of T cannot be encoded and what to do about it.
//
// Encodable are booleans, integers, floats, strings, []byte, time.Time (to the nanosecond, with the offset of
// its zone), time.Duration, arrays, slices, maps, structs, pointers, protobuf message pointers and types with
// methods of their own (Coder). Nil and empty slices stay apart. A field tag `codec:"name"` names a field for
// schema evolution, `codec:"name,was=old"` (or `codec:",was=old"`) reads it from what was written under an old name,
// `codec:"-"` leaves it out; an unexported field without that tag is an error, because its
// content would be lost without a word.
func For[T any]() (Codec[T], error) {
	t := reflect.TypeFor[T]()
	p, schema, err := compile(t)
	if err != nil {
		return nil, err
	}
	return &planCodec[T]{p, schema}, nil
}

func (c *planCodec[T]) Append(dst []byte, v *T) []byte {
	return appendAll(c.p.ins, dst, unsafe.Pointer(v))
}

func (c *planCodec[T]) Decode(src []byte, v *T) (int, error) {
	if c.p.partial {
		var zero T
		*v = zero
	}
	return decodeAll(c.p.ins, src, unsafe.Pointer(v))
}

func (c *planCodec[T]) Copy(v T) T {
	if len(c.p.deep) == 0 {
		return v
	}
	x := v
	copyAll(c.p.deep, unsafe.Pointer(&x))
	return x
}

func (c *planCodec[T]) Flat() bool { return len(c.p.deep) == 0 }

func (c *planCodec[T]) Schema() *Schema { return c.schema }
