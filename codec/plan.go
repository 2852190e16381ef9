package codec

import (
	"reflect"
	"unsafe"
)

// opcode says how the bytes at an offset are encoded. Plans are interpreted by a switch: measured faster than a
// chain of closures, and a plan of a few machine words per field is small.
type opcode uint8

const (
	opBool opcode = iota
	opI8
	opI16
	opI32
	opI64
	opU8
	opU16
	opU32
	opU64
	opF32
	opF64
	opString
	opBytes
	opTime
	opArray
	opSlice
	opMap
	opPtr
	opExt
)

// Go's int and uint are encoded as 64 bits through a pointer cast: this fails to compile where they are not.
var _ [unsafe.Sizeof(int(0)) - 8]struct{}

type instr struct {
	op  opcode
	off uintptr
	sub *sub // of arrays, slices, maps, pointers and types with an encoding of their own
}

// plan is the compiled form of a type: its leaves in order, nested structs flattened.
type plan struct {
	ins     []instr
	deep    []instr // those of ins that refer to memory which an assignment shares
	min     int     // fewest bytes an encoding takes
	partial bool    // fields are left out, so decoding does not overwrite the whole value
}

// sub describes the element of a composite.
type sub struct {
	typ    reflect.Type // of the composite itself
	elem   plan
	size   uintptr // of an element in memory
	n      int     // elements of an array
	noscan bool    // elements hold no pointers, so that memory of any type can back them
	mapOf  *mapPlan
	ext    ext
}

var minBytes = [...]int{
	opBool: 1, opI8: 1, opI16: 1, opI32: 1, opI64: 1, opU8: 1, opU16: 1, opU32: 1, opU64: 1,
	opF32: 4, opF64: 8, opString: 1, opBytes: 1, opTime: 3, opSlice: 1, opMap: 1, opPtr: 1, opExt: 1,
}

func (p *plan) add(in instr) {
	p.ins = append(p.ins, in)
	deep := false
	switch in.op {
	case opArray:
		p.min += in.sub.n * in.sub.elem.min
		deep = len(in.sub.elem.deep) > 0
	case opExt:
		deep = !in.sub.ext.flat()
	case opBytes, opSlice, opMap, opPtr:
		deep = true
	}
	if in.op != opArray {
		p.min += minBytes[in.op]
	}
	if deep {
		p.deep = append(p.deep, in)
	}
}

// sliceHeader is the memory of a slice; storing it as a struct with a typed pointer keeps the write barrier.
type sliceHeader struct {
	data     unsafe.Pointer
	len, cap int
}

// newElems returns zeroed memory for n elements.
func (s *sub) newElems(n int) unsafe.Pointer {
	if s.noscan {
		words := make([]uint64, max(1, (uintptr(n)*s.size+7)/8))
		return unsafe.Pointer(unsafe.SliceData(words))
	}
	return reflect.MakeSlice(s.typ, n, n).UnsafePointer()
}

func hasPointers(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Array:
		return t.Len() > 0 && hasPointers(t.Elem())
	case reflect.Struct:
		for i := range t.NumField() {
			if hasPointers(t.Field(i).Type) {
				return true
			}
		}
		return false
	case reflect.String, reflect.Slice, reflect.Map, reflect.Pointer, reflect.Interface, reflect.Chan, reflect.Func, reflect.UnsafePointer:
		return true
	default:
		return false
	}
}
