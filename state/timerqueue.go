package state

// timerQueue is one kind of timers. A table holds them for deduplication and snapshots, with the time as map key; a
// heap beside it orders them. Deleted timers leave stale items in the heap, which are recognised by their number.
//
// In front of a store only the earliest timers of each key group are in memory: horizon.go keeps these bounds.
type timerQueue[K comparable] struct {
	t       *table[K, int64, unit]
	b       *base[K]
	items   []timerItem
	numbers []uint64 // of the timer in each slot
	last    uint64   // number given last
	horizon *horizon[K]
}

// timerItem is an element of the heap.
type timerItem struct {
	ts     int64
	number uint64
	slot   uint32
}

func (a timerItem) before(b timerItem) bool {
	return a.ts < b.ts || a.ts == b.ts && a.number < b.number
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
	q := &timerQueue[K]{b: &k.b}
	q.t = newTable[K, int64, unit](&k.b, s.meta, layoutTimer, ts, unitCodec{})
	q.t.onDrop = func(slot uint32) { q.numbers[slot] = 0 }
	if err := claim(k, s, q.t, noValue); err != nil {
		return nil, err
	}
	for slot := range uint32(len(q.t.pages)) << pageShift {
		if e := q.t.read(slot); e.flags&flagUsed != 0 {
			q.push(slot, e.mk)
		}
	}
	if k.b.store != nil {
		q.horizon = newHorizon(q)
		return q, q.horizon.loadAll()
	}
	return q, nil
}

func (q *timerQueue[K]) register(ts int64) {
	if _, ok := q.t.find(ts); ok {
		return
	}
	if q.horizon != nil && q.horizon.beyond(ts) {
		q.horizon.setStored(ts)
		return
	}
	slot, _ := q.t.insert(ts, flagDirty|flagNew)
	q.push(slot, ts)
	if q.horizon != nil {
		q.horizon.bound()
	}
}

func (q *timerQueue[K]) delete(ts int64) {
	slot, ok := q.t.find(ts)
	switch {
	case ok:
		q.discard(slot)
	case q.horizon != nil && q.horizon.beyond(ts):
		q.horizon.deleteStored(ts)
	}
	if len(q.items) > 64 && len(q.items) > 2*q.t.live {
		q.rebuild()
	}
}

// discard removes a timer that is in memory.
func (q *timerQueue[K]) discard(slot uint32) {
	if q.t.flags(slot)&flagNew == 0 {
		q.horizon.deleteRow(q.t.read(slot))
	}
	q.t.drop(slot)
}

// advance fires timers up to limit.
func (q *timerQueue[K]) advance(limit int64, fire func(ts int64) error) error {
	for q.b.err == nil {
		item, ok := q.peek()
		if !ok || item.ts > limit {
			break
		}
		q.pop()
		c := q.t.read(item.slot).cell
		q.b.setKey(c.key)
		q.b.setNamespace(c.ns)
		q.discard(item.slot)
		if err := fire(item.ts); err != nil {
			return err
		}
	}
	return q.b.err
}

func (q *timerQueue[K]) next() (int64, bool) {
	item, ok := q.peek()
	return item.ts, ok
}

// peek returns the earliest timer, dropping stale items.
func (q *timerQueue[K]) peek() (timerItem, bool) {
	for q.b.err == nil {
		for len(q.items) > 0 && q.stale(q.items[0]) {
			q.pop()
		}
		if q.horizon == nil || !q.horizon.refill() {
			break
		}
	}
	if len(q.items) == 0 {
		return timerItem{}, false
	}
	return q.items[0], true
}

func (q *timerQueue[K]) stale(it timerItem) bool { return q.numbers[it.slot] != it.number }

// push adds a slot to the heap.
func (q *timerQueue[K]) push(slot uint32, ts int64) {
	for int(slot) >= len(q.numbers) {
		q.numbers = append(q.numbers, make([]uint64, pageSize)...)
	}
	q.last++
	q.numbers[slot] = q.last
	q.items = append(q.items, timerItem{ts, q.last, slot})
	q.up(len(q.items) - 1)
}

func (q *timerQueue[K]) pop() {
	n := len(q.items) - 1
	q.items[0] = q.items[n]
	q.items = q.items[:n]
	q.down(0)
}

// rebuild drops all stale items.
func (q *timerQueue[K]) rebuild() {
	kept := q.items[:0]
	for _, it := range q.items {
		if !q.stale(it) {
			kept = append(kept, it)
		}
	}
	q.items = kept
	for i := len(kept)/2 - 1; i >= 0; i-- {
		q.down(i)
	}
}

func (q *timerQueue[K]) up(i int) {
	it := q.items[i]
	for i > 0 {
		parent := (i - 1) / 2
		if !it.before(q.items[parent]) {
			break
		}
		q.items[i] = q.items[parent]
		i = parent
	}
	q.items[i] = it
}

func (q *timerQueue[K]) down(i int) {
	if i >= len(q.items) {
		return
	}
	it := q.items[i]
	for {
		child := 2*i + 1
		if child >= len(q.items) {
			break
		}
		if right := child + 1; right < len(q.items) && q.items[right].before(q.items[child]) {
			child = right
		}
		if !q.items[child].before(it) {
			break
		}
		q.items[i] = q.items[child]
		i = child
	}
	q.items[i] = it
}
