package state

import "goflink/codec"

// ttlMap is a map state whose entries expire one by one.
type ttlMap[K, MK comparable, V any] struct {
	in   mapState[K, MK, timed[V]]
	life *sweeper[K, MK, timed[V]]
}

func newTTLMap[K, MK comparable, V any](k *Keyed[K], d MapDesc[MK, V], mk codec.KeyCodec[MK], c codec.Codec[V]) (Map[MK, V], error) {
	s, read, err := declareTimed(k, stateMeta{Kind: kindMap, Name: d.Name, MapKey: mk.Schema()}, d.TTL, c)
	if err != nil {
		return nil, err
	}
	s.age.filter = filterTimed
	t := newTable[K, MK, timed[V]](&k.b, s.meta, layoutMap, mk, timedCodec[V]{c})
	m := &ttlMap[K, MK, V]{mapState[K, MK, timed[V]]{t: t, b: &k.b}, sweeping(k, s, t, d.TTL.Cleanup.EveryRecord, pruneTimed[V])}
	return m, claim(k, s, t, read)
}

func (s *ttlMap[K, MK, V]) Get(k MK) (v V, ok bool) {
	s.life.accessed()
	x, ok := s.in.Get(k)
	if !ok {
		return v, false
	}
	if !s.read(k, x.at) {
		return v, false
	}
	return x.val, true
}

// read does what follows from reading an entry, and tells whether it may be returned.
func (s *ttlMap[K, MK, V]) read(k MK, at int64) bool {
	now := s.life.now()
	if at <= now-s.life.millis {
		s.in.Delete(k)
		return s.life.returned
	}
	if s.life.touch {
		p, _ := s.in.Ptr(k)
		p.at = now
	}
	return true
}

func (s *ttlMap[K, MK, V]) Put(k MK, v V) {
	s.life.accessed()
	s.in.Put(k, timed[V]{s.life.now(), v})
}

// Ptr counts as a write. What expired begins anew.
func (s *ttlMap[K, MK, V]) Ptr(k MK) (*V, bool) {
	s.life.accessed()
	p, created := s.in.Ptr(k)
	return renew(s.life.aging, p, created)
}

func (s *ttlMap[K, MK, V]) Delete(k MK) {
	s.life.accessed()
	s.in.Delete(k)
}

// Each removes the expired entries that it meets. The clean-up waits meanwhile: it would remove entries under the
// iteration.
func (s *ttlMap[K, MK, V]) Each(f func(k MK, v V) bool) {
	s.life.accessed()
	s.life.busy++
	defer func() { s.life.busy-- }()
	s.in.Each(func(k MK, x timed[V]) bool { return !s.read(k, x.at) || f(k, x.val) })
}

// count counts the entries up to a limit, without making them live longer.
func (s *ttlMap[K, MK, V]) count(limit int) int {
	n, deadline := 0, s.life.deadline()
	s.in.Each(func(_ MK, x timed[V]) bool {
		if x.at > deadline || s.life.returned {
			n++
		}
		return n < limit
	})
	return n
}

func (s *ttlMap[K, MK, V]) Len() int    { return s.count(int(^uint(0) >> 1)) }
func (s *ttlMap[K, MK, V]) Empty() bool { return s.count(1) == 0 }
func (s *ttlMap[K, MK, V]) Clear()      { s.in.Clear() }
