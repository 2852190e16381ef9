package codec

import (
	"reflect"
	"unsafe"
)

// copyAll replaces, in a value that was copied by assignment, whatever it still shares with the original. deep
// holds the instructions of the parts that are shared.
func copyAll(deep []instr, base unsafe.Pointer) {
	for i := range deep {
		in := &deep[i]
		p := unsafe.Add(base, in.off)
		switch in.op {
		case opBytes:
			if b := *(*[]byte)(p); b != nil {
				*(*[]byte)(p) = append(make([]byte, 0, len(b)), b...)
			}
		case opArray:
			copyElems(in.sub, p, in.sub.n)
		case opSlice:
			copySlice(in.sub, p)
		case opPtr:
			if from := *(*unsafe.Pointer)(p); from != nil {
				to := reflect.New(in.sub.typ.Elem())
				to.Elem().Set(reflect.NewAt(in.sub.typ.Elem(), from).Elem())
				copyAll(in.sub.elem.deep, to.UnsafePointer())
				*(*unsafe.Pointer)(p) = to.UnsafePointer()
			}
		case opMap:
			in.sub.mapOf.copy(p)
		case opExt:
			in.sub.ext.copy(p)
		}
	}
}

func copyElems(s *sub, data unsafe.Pointer, count int) {
	if len(s.elem.deep) == 0 {
		return
	}
	for i := range count {
		copyAll(s.elem.deep, unsafe.Add(data, uintptr(i)*s.size))
	}
}

func copySlice(s *sub, p unsafe.Pointer) {
	h := (*sliceHeader)(p)
	if h.data == nil {
		return
	}
	data := s.newElems(h.len)
	if s.noscan {
		bytes := uintptr(h.len) * s.size
		copy(unsafe.Slice((*byte)(data), bytes), unsafe.Slice((*byte)(h.data), bytes))
	} else {
		to := sliceHeader{data, h.len, h.len}
		reflect.Copy(reflect.NewAt(s.typ, unsafe.Pointer(&to)).Elem(), reflect.NewAt(s.typ, p).Elem())
	}
	copyElems(s, data, h.len)
	*h = sliceHeader{data, h.len, h.len}
}
