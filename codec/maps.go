package codec

import (
	"reflect"
	"sync"
	"unsafe"
)

// mapPlan encodes a map by reflection; the iterator and the places for a key and a value are pooled, so that
// appending does not allocate.
type mapPlan struct {
	typ      reflect.Type
	key, val plan
	pool     sync.Pool // of *mapScratch
}

type mapScratch struct {
	iter     reflect.MapIter
	key, val reflect.Value
}

func (m *mapPlan) scratch() *mapScratch {
	if s, ok := m.pool.Get().(*mapScratch); ok {
		return s
	}
	return &mapScratch{key: reflect.New(m.typ.Key()).Elem(), val: reflect.New(m.typ.Elem()).Elem()}
}

// release clears s, so that the pool keeps nothing alive, and returns it.
func (m *mapPlan) release(s *mapScratch) {
	s.iter.Reset(reflect.Value{})
	s.key.SetZero()
	s.val.SetZero()
	m.pool.Put(s)
}

func (m *mapPlan) append(dst []byte, p unsafe.Pointer) []byte {
	v := reflect.NewAt(m.typ, p).Elem()
	if v.IsNil() {
		return append(dst, 0)
	}
	dst = appendUvarint(dst, uint64(v.Len())+1)
	s := m.scratch()
	defer m.release(s)
	kp, vp := s.key.Addr().UnsafePointer(), s.val.Addr().UnsafePointer()
	s.iter.Reset(v)
	for s.iter.Next() {
		s.key.SetIterKey(&s.iter)
		s.val.SetIterValue(&s.iter)
		dst = appendAll(m.key.ins, dst, kp)
		dst = appendAll(m.val.ins, dst, vp)
	}
	return dst
}

func (m *mapPlan) decode(src []byte, p unsafe.Pointer) (int, error) {
	count, pos, isNil, err := counted(src, m.key.min+m.val.min)
	if err != nil {
		return 0, err
	}
	to := reflect.NewAt(m.typ, p).Elem()
	if isNil {
		to.SetZero()
		return pos, nil
	}
	out := reflect.MakeMapWithSize(m.typ, count)
	s := m.scratch()
	defer m.release(s)
	kp, vp := s.key.Addr().UnsafePointer(), s.val.Addr().UnsafePointer()
	for range count {
		s.key.SetZero()
		s.val.SetZero()
		n, err := decodeAll(m.key.ins, src[pos:], kp)
		if err != nil {
			return pos, err
		}
		pos += n
		if n, err = decodeAll(m.val.ins, src[pos:], vp); err != nil {
			return pos, err
		}
		pos += n
		out.SetMapIndex(s.key, s.val)
	}
	if out.Len() != count {
		return pos, errDup
	}
	to.Set(out)
	return pos, nil
}

// copy replaces the map at p by a deep copy.
func (m *mapPlan) copy(p unsafe.Pointer) {
	v := reflect.NewAt(m.typ, p).Elem()
	if v.IsNil() {
		return
	}
	out := reflect.MakeMapWithSize(m.typ, v.Len())
	s := m.scratch()
	defer m.release(s)
	kp, vp := s.key.Addr().UnsafePointer(), s.val.Addr().UnsafePointer()
	s.iter.Reset(v)
	for s.iter.Next() {
		s.key.SetIterKey(&s.iter)
		s.val.SetIterValue(&s.iter)
		copyAll(m.key.deep, kp)
		copyAll(m.val.deep, vp)
		out.SetMapIndex(s.key, s.val)
	}
	v.Set(out)
}
