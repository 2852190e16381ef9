package state

import "goflink/codec"

// ttlList is a list state whose elements expire one by one.
type ttlList[K comparable, V any] struct {
	in   listState[K, timed[V]]
	life *sweeper[K, unit, chunk[timed[V]]]
}

func newTTLList[K comparable, V any](k *Keyed[K], d Desc[V], c codec.Codec[V]) (List[V], error) {
	s, read, err := declareTimed(k, stateMeta{Kind: kindList, Name: d.Name}, d.TTL, c)
	if err != nil {
		return nil, err
	}
	chunks := chunkCodec[timed[V]]{timedCodec[V]{c}}
	s.age.filter = chunkFilter(chunks)
	t := newTable[K, unit, chunk[timed[V]]](&k.b, s.meta, layoutList, nil, chunks)
	l := &ttlList[K, V]{listState[K, timed[V]]{t: t, b: &k.b}, sweeping(k, s, t, d.TTL.Cleanup.EveryRecord, pruneChunk[V])}
	return l, claim(k, s, t, chunkReader(s.meta, read))
}

func (s *ttlList[K, V]) Add(v V) {
	s.life.accessed()
	s.in.Add(timed[V]{s.life.now(), v})
}

func (s *ttlList[K, V]) AddAll(vs []V) {
	s.life.accessed()
	s.in.AddAll(s.stamp(vs))
}

func (s *ttlList[K, V]) stamp(vs []V) []timed[V] {
	now := s.life.now()
	items := make([]timed[V], len(vs))
	for i, v := range vs {
		items[i] = timed[V]{now, v}
	}
	return items
}

func (s *ttlList[K, V]) Set(vs []V) {
	s.life.accessed()
	s.in.Set(s.stamp(vs))
}

func (s *ttlList[K, V]) Clear() { s.in.Clear() }

// Get takes out what expired once it is more than half of the list, so that a list which is read again and again
// does not grow, and is not written again for each element either.
func (s *ttlList[K, V]) Get() []V {
	s.life.accessed()
	items := s.in.Get()
	if len(items) == 0 {
		return nil
	}
	now := s.life.now()
	var out []V
	live := make([]timed[V], 0, len(items))
	for _, x := range items {
		alive := x.at > now-s.life.millis
		if alive && s.life.touch {
			x.at = now
		}
		if alive {
			live = append(live, x)
		}
		if alive || s.life.returned {
			out = append(out, x.val)
		}
	}
	dead := len(items) - len(live)
	switch {
	case len(live) == 0:
		s.in.Clear()
	case s.life.touch || 2*dead > len(items):
		s.in.Set(live)
	}
	return out
}

func (s *ttlList[K, V]) Each(f func(v V) bool) {
	if s.life.touch {
		for _, v := range s.Get() {
			if !f(v) {
				return
			}
		}
		return
	}
	s.life.accessed()
	s.each(f)
}

// each visits the elements without reading them as a whole. When all of them have expired, the list is cleared.
func (s *ttlList[K, V]) each(f func(v V) bool) {
	deadline, dead, shown := s.life.deadline(), false, false
	s.in.Each(func(x timed[V]) bool {
		if x.at <= deadline && !s.life.returned {
			dead = true
			return true
		}
		shown = true
		return f(x.val)
	})
	if dead && !shown {
		s.in.Clear()
	}
}

// Empty is no access: it makes nothing live longer.
func (s *ttlList[K, V]) Empty() bool {
	empty := true
	s.each(func(V) bool {
		empty = false
		return false
	})
	return empty
}
