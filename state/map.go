package state

import (
	"goflink/codec"
)

// NewMap declares a map state.
func NewMap[K comparable, MK comparable, V any](k *Keyed[K], d MapDesc[MK, V]) (Map[MK, V], error) {
	c, err := codecOr(d.Codec)
	if err != nil {
		return nil, err
	}
	mk := d.Key
	if mk == nil {
		if mk, err = codec.Key[MK](); err != nil {
			return nil, err
		}
	}
	if d.TTL.on() {
		return newTTLMap(k, d, mk, c)
	}
	s, err := k.declare(stateMeta{Kind: kindMap, Name: d.Name, Value: c.Schema(), MapKey: mk.Schema()})
	if err != nil {
		return nil, err
	}
	read, err := reader(s, c, k.b.now())
	if err != nil {
		return nil, err
	}
	t := newTable[K, MK, V](&k.b, s.meta, layoutMap, mk, c)
	if err := claim(k, s, t, read); err != nil {
		return nil, err
	}
	return &mapState[K, MK, V]{t: t, b: &k.b}, nil
}

type mapState[K, MK comparable, V any] struct {
	t *table[K, MK, V]
	b *base[K]
}

func (s *mapState[K, MK, V]) Get(k MK) (V, bool) { return s.t.get(k) }

func (s *mapState[K, MK, V]) Put(k MK, v V) { s.t.set(k, v) }

func (s *mapState[K, MK, V]) Ptr(k MK) (*V, bool) {
	_, p, created := s.t.ptr(k)
	return p, created
}

func (s *mapState[K, MK, V]) Delete(k MK) { s.t.remove(k) }

func (s *mapState[K, MK, V]) Each(f func(k MK, v V) bool) {
	if s.t.stored {
		s.eachStored(f)
		return
	}
	slot, ok := s.t.chain.first(s.b.key, s.b.ns)
	for ok {
		next, more := s.t.chain.after(slot)
		e := s.t.read(slot)
		if s.t.mark(slot).flags&flagAbsent == 0 && !f(e.mk, s.t.value(slot)) {
			return
		}
		slot, ok = next, more
	}
}

// eachStored writes the changed entries back first, so that the store alone knows them all.
func (s *mapState[K, MK, V]) eachStored(f func(k MK, v V) bool) {
	s.t.clean()
	s.t.eachRow(func(rest, val []byte) (bool, error) {
		var e entry[K, MK, V]
		n, err := s.t.mapKey.Decode(rest, &e.mk)
		if err == nil && n != len(rest) {
			err = errTrailing
		}
		if err == nil {
			err = s.t.decodeValue(val, &e)
		}
		return err == nil && f(e.mk, e.val), err
	})
}

func (s *mapState[K, MK, V]) Len() int {
	n := 0
	s.eachKey(func() bool {
		n++
		return true
	})
	return n
}

func (s *mapState[K, MK, V]) Empty() bool {
	empty := true
	s.eachKey(func() bool {
		empty = false
		return false
	})
	return empty
}

// eachKey visits the entries without decoding them.
func (s *mapState[K, MK, V]) eachKey(f func() bool) {
	if s.t.stored {
		s.t.clean()
		s.t.eachRow(func(_, _ []byte) (bool, error) { return f(), nil })
		return
	}
	for slot, ok := s.t.chain.first(s.b.key, s.b.ns); ok; slot, ok = s.t.chain.after(slot) {
		if s.t.mark(slot).flags&flagAbsent == 0 && !f() {
			return
		}
	}
}

func (s *mapState[K, MK, V]) Clear() {
	slot, ok := s.t.chain.first(s.b.key, s.b.ns)
	for ok {
		next, more := s.t.chain.after(slot)
		s.t.drop(slot)
		slot, ok = next, more
	}
	if s.t.stored {
		s.t.deletePrefix()
	}
}
