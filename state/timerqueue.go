package state

// timerQueue is one kind of timers. A table holds them for deduplication and snapshots, with the time as map key;
// lines.go orders them.
//
// In front of a store only the earliest timers of each key group are in memory: horizon.go keeps these bounds.
type timerQueue[K comparable] struct {
	t       *table[K, int64, unit]
	k       *Keyed[K]
	b       *base[K]
	lines   lines
	horizon *horizon[K]
}

func newTimerQueue[K comparable](k *Keyed[K], name string, kind stateKind) (*timerQueue[K], error) {
	s, err := k.declare(stateMeta{Kind: kind, Name: name})
	if err != nil {
		return nil, err
	}
	ts, err := timestampCodec()
	if err != nil {
		return nil, err
	}
	q := &timerQueue[K]{k: k, b: &k.b, lines: newLines()}
	q.t = newTable[K, int64, unit](&k.b, s.meta, layoutTimer, ts, unitCodec{})
	q.t.onDrop = func(slot uint32) { q.lines.remove(q.t.read(slot).mk, slot) }
	if err := claim(k, s, q.t, noValue); err != nil {
		return nil, err
	}
	for slot := range uint32(len(q.t.pages)) << pageShift {
		if q.t.mark(slot).flags&flagUsed != 0 {
			q.lines.add(q.t.read(slot).mk, slot)
		}
	}
	if k.b.store != nil {
		q.horizon = newHorizon(q)
		return q, q.horizon.loadAll()
	}
	return q, nil
}

func (q *timerQueue[K]) register(ts int64) {
	hash := q.t.hash(ts)
	q.show(ts)
	if _, ok := q.t.findHashed(hash, cell[K, int64]{q.b.key, q.b.ns, ts}); ok {
		return
	}
	q.add(ts, hash, 0)
}

// registerNew is register for a timer that is surely not there. It stays out of the index until somebody looks for a
// timer of its time, which windows do not.
func (q *timerQueue[K]) registerNew(ts int64) { q.add(ts, q.t.hash(ts), flagHidden) }

// show puts the timers of a time into the index.
func (q *timerQueue[K]) show(ts int64) {
	for slot, ok := q.lines.hidden(ts); ok; slot, ok = q.lines.behind(slot) {
		if m := q.t.mark(slot); m.flags&flagHidden != 0 {
			q.t.index.insert(m.hash, slot)
			q.t.write(slot)
			q.t.mark(slot).flags &^= flagHidden
		}
	}
}

func (q *timerQueue[K]) add(ts int64, hash uint32, flags uint8) {
	if q.horizon != nil && q.horizon.beyond(ts) {
		q.horizon.setStored(ts)
		return
	}
	slot, _ := q.t.insertHashed(hash, cell[K, int64]{q.b.key, q.b.ns, ts}, q.b.keyGroup(), flags|flagDirty|flagNew)
	if q.horizon != nil {
		q.t.touch(slot)
	}
	q.lines.add(ts, slot)
	if flags&flagHidden != 0 {
		q.lines.hide(ts)
	}
	if q.horizon != nil {
		q.horizon.bound()
	}
}

func (q *timerQueue[K]) delete(ts int64) {
	q.show(ts)
	slot, ok := q.t.find(ts)
	switch {
	case ok:
		q.discard(slot)
	case q.horizon != nil && q.horizon.beyond(ts):
		q.horizon.deleteStored(ts)
	}
}

// discard removes a timer that is in memory.
func (q *timerQueue[K]) discard(slot uint32) {
	if q.t.flags(slot)&flagNew == 0 {
		q.horizon.deleteRow(slot)
	}
	q.t.drop(slot)
}

// advance fires timers up to limit.
func (q *timerQueue[K]) advance(limit int64, fire func(ts int64) error) error {
	for seen := 0; q.b.err == nil; seen-- {
		ts, slot, ok := q.peek()
		if !ok || ts > limit {
			break
		}
		if seen == 0 {
			seen = q.ahead(slot)
		}
		c := q.t.read(slot).cell
		q.b.setKey(c.key)
		if c.ns != q.b.ns {
			q.b.setNamespace(c.ns)
		}
		q.discard(slot)
		if err := fire(ts); err != nil {
			return err
		}
	}
	return q.b.err
}

// timersAhead is how many timers are looked at together; see Ahead.
const timersAhead = 32

// ahead readies the states of timers of one time, from that of slot on, and returns how many these are.
func (q *timerQueue[K]) ahead(slot uint32) (n int) {
	if !q.k.Wide() {
		return timersAhead
	}
	var keys [timersAhead]K
	var ns [timersAhead]Namespace
	for ok := true; ok && n < timersAhead; n++ {
		e := q.t.read(slot)
		keys[n], ns[n] = e.key, e.ns
		slot, ok = q.lines.behind(slot)
	}
	q.k.Ahead(keys[:n], nil)
	q.k.Ahead(keys[:n], ns[:n])
	return n
}

func (q *timerQueue[K]) next() (int64, bool) {
	ts, _, ok := q.peek()
	return ts, ok
}

// peek returns the earliest timer.
func (q *timerQueue[K]) peek() (ts int64, slot uint32, ok bool) {
	for q.b.err == nil {
		ts, slot, ok = q.lines.earliest()
		if q.horizon == nil || !q.horizon.refill(ts, ok) {
			break
		}
	}
	return ts, slot, ok
}
