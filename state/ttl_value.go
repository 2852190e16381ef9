package state

import "goflink/codec"

// ttlValue is a value state whose values expire.
type ttlValue[K comparable, V any] struct {
	valueState[K, timed[V]]
	life *sweeper[K, unit, timed[V]]
}

// declareTimed declares a state whose values have a time, up to its table.
func declareTimed[K comparable, V any](k *Keyed[K], m stateMeta, t *TTL, c codec.Codec[V]) (*restored, func([]byte, *timed[V]) (int, error), error) {
	if err := t.Validate(); err != nil {
		return nil, nil, m.wrap("declare", err)
	}
	m.Value, m.TTL = c.Schema(), t.millis()
	s, err := k.declare(m)
	if err != nil {
		return nil, nil, err
	}
	s.age = newAging(t, k.b.now, k.b.store != nil)
	read, err := timedReader(s, c, k.b.now())
	return s, read, err
}

// sweeping readies the clean-up of a table, once its filter is set.
func sweeping[K, M comparable, V any](k *Keyed[K], s *restored, t *table[K, M, V], every bool, prune func(*V, int64) (V, bool, bool)) *sweeper[K, M, V] {
	t.age = s.age
	life := &sweeper[K, M, V]{aging: s.age, t: t, prune: prune}
	if every {
		k.b.onKey = append(k.b.onKey, life.sweep)
	}
	return life
}

func newTTLValue[K comparable, V any](k *Keyed[K], d Desc[V], c codec.Codec[V]) (Value[V], error) {
	s, read, err := declareTimed(k, stateMeta{Kind: kindValue, Name: d.Name}, d.TTL, c)
	if err != nil {
		return nil, err
	}
	s.age.filter = filterTimed
	t := newTable[K, unit, timed[V]](&k.b, s.meta, layoutPlain, nil, timedCodec[V]{c})
	v := &ttlValue[K, V]{valueState[K, timed[V]]{t: t, b: &k.b}, sweeping(k, s, t, d.TTL.Cleanup.EveryRecord, pruneTimed[V])}
	return v, claim(k, s, t, read)
}

func (s *ttlValue[K, V]) Get() (v V, ok bool) {
	s.life.accessed()
	x, ok := s.valueState.Get()
	if !ok {
		return v, false
	}
	now := s.life.now()
	if x.at <= now-s.life.millis {
		s.valueState.Clear()
		if !s.life.returned {
			return v, false
		}
		return x.val, true
	}
	if s.life.touch {
		p, _ := s.valueState.Ptr()
		p.at = now
	}
	return x.val, true
}

func (s *ttlValue[K, V]) Set(v V) {
	s.life.accessed()
	s.valueState.Set(timed[V]{s.life.now(), v})
}

// Ptr counts as a write. What expired begins anew.
func (s *ttlValue[K, V]) Ptr() (*V, bool) {
	s.life.accessed()
	p, created := s.valueState.Ptr()
	return renew(s.life.aging, p, created)
}

// renew gives a value its full time, and makes it anew if it had expired; created says whether it is new.
func renew[V any](a *aging, p *timed[V], created bool) (*V, bool) {
	now := a.now()
	if !created && p.at <= now-a.millis && !a.returned {
		var zero V
		p.val, created = zero, true
	}
	p.at = now
	return &p.val, created
}

func (s *ttlValue[K, V]) Update(f func(v *V)) {
	p, _ := s.Ptr()
	f(p)
}
