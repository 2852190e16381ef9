package state

import (
	"goflink/codec"
)

// NewValue declares a value state.
func NewValue[K comparable, V any](k *Keyed[K], d Desc[V]) (Value[V], error) {
	c, err := codecOr(d.Codec)
	if err != nil {
		return nil, err
	}
	if d.TTL.on() {
		return newTTLValue(k, d, c)
	}
	s, err := k.declare(stateMeta{Kind: kindValue, Name: d.Name, Value: c.Schema()})
	if err != nil {
		return nil, err
	}
	read, err := reader(s, c, k.b.now())
	if err != nil {
		return nil, err
	}
	t := newTable[K, unit, V](&k.b, s.meta, layoutPlain, nil, c)
	if err := claim(k, s, t, read); err != nil {
		return nil, err
	}
	return &valueState[K, V]{t: t, b: &k.b}, nil
}

// codecOr returns c, or the compiled codec of V when c is nil.
func codecOr[V any](c codec.Codec[V]) (codec.Codec[V], error) {
	if c != nil {
		return c, nil
	}
	return codec.For[V]()
}

// valueState remembers the slot of the current cell, so that Get and Set of one record look it up once.
type valueState[K comparable, V any] struct {
	t    *table[K, unit, V]
	b    *base[K]
	at   uint64 // b.version+1 when slot is that of the current cell
	slot uint32
}

func (s *valueState[K, V]) remember(slot uint32) { s.slot, s.at = slot, s.b.version+1 }

func (s *valueState[K, V]) Get() (v V, ok bool) {
	if s.at == s.b.version+1 {
		return s.t.value(s.slot), true
	}
	slot, ok := s.t.lookup(unit{})
	if !ok {
		return v, false
	}
	s.remember(slot)
	return s.t.value(slot), true
}

func (s *valueState[K, V]) Set(v V) {
	if s.at == s.b.version+1 {
		s.t.replace(s.slot, v)
		return
	}
	s.remember(s.t.set(unit{}, v))
}

func (s *valueState[K, V]) Clear() {
	if s.at == s.b.version+1 {
		s.t.removeSlot(s.slot)
	} else {
		s.t.remove(unit{})
	}
	s.at = 0
}

func (s *valueState[K, V]) Ptr() (*V, bool) {
	if s.at == s.b.version+1 {
		return s.t.pointer(s.slot), false
	}
	slot, p, created := s.t.ptr(unit{})
	s.remember(slot)
	return p, created
}

func (s *valueState[K, V]) Update(f func(v *V)) {
	p, _ := s.Ptr()
	f(p)
}
