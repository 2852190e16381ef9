package codec

import (
	"fmt"
	"reflect"
	"sync"
	"unsafe"
)

// Registration is how a type is encoded that has no methods for it: Flink's registerTypeWithKryoSerializer.
type Registration[T any] struct {
	// Name tells the encoding in schemas. It stays when the Go type moves, and is changed when old data cannot be
	// read any more.
	Name string
	// Append appends the encoding of *v to dst.
	Append func(dst []byte, v *T) []byte
	// Decode reads exactly the bytes that Append appended into *v, which is zero. It must check them and keep no
	// reference into them.
	Decode func(src []byte, v *T) error
}

var registered struct {
	sync.Mutex
	exts map[reflect.Type]*funcExt
}

// Register makes T encodable wherever it occurs: in records, state, fields, slices and maps. It is for types of other
// packages, which cannot be given methods (Coder). Call it from an init function or a package variable, before a graph
// is built, so that every process of the job has it; it goes before T's own methods. A second registration of T, or one
// that lacks something, is an error, as is T being an interface.
func Register[T any](r Registration[T]) error {
	t := reflect.TypeFor[T]()
	switch {
	case t.Kind() == reflect.Interface:
		return fmt.Errorf("%w: %s is an interface; register the concrete types", ErrType, t)
	case r.Name == "" || r.Append == nil || r.Decode == nil:
		return fmt.Errorf("%w: the registration of %s lacks a name or a function", ErrType, t)
	}
	registered.Lock()
	defer registered.Unlock()
	if registered.exts == nil {
		registered.exts = map[reflect.Type]*funcExt{}
	}
	if old := registered.exts[t]; old != nil {
		return fmt.Errorf("%w: %s is registered as %q already", ErrType, t, old.name)
	}
	registered.exts[t] = &funcExt{typ: t, name: r.Name, isFlat: flatType(t),
		add:  func(dst []byte, p unsafe.Pointer) []byte { return r.Append(dst, (*T)(p)) },
		read: func(src []byte, p unsafe.Pointer) error { return r.Decode(src, (*T)(p)) },
	}
	return nil
}

// registration returns how t is encoded, nil if nobody said so.
func registration(t reflect.Type) *funcExt {
	registered.Lock()
	defer registered.Unlock()
	return registered.exts[t]
}

// funcExt encodes a registered type.
type funcExt struct {
	typ    reflect.Type
	name   string
	isFlat bool
	add    func(dst []byte, p unsafe.Pointer) []byte
	read   func(src []byte, p unsafe.Pointer) error
}

func (x *funcExt) append(dst []byte, p unsafe.Pointer) []byte {
	start := len(dst)
	return sealSized(x.add(append(dst, 0), p), start)
}

func (x *funcExt) decode(src []byte, p unsafe.Pointer) (int, error) {
	l, n, err := length(src, 1)
	if err != nil {
		return 0, err
	}
	reflect.NewAt(x.typ, p).Elem().SetZero()
	if err := x.read(src[n:n+l:n+l], p); err != nil {
		return 0, fmt.Errorf("%w: %s: %w", ErrCorrupt, x.typ, err)
	}
	return n + l, nil
}

func (x *funcExt) copy(p unsafe.Pointer) { copyByCode(x, x.typ, p) }

func (x *funcExt) flat() bool { return x.isFlat }
