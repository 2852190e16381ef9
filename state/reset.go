package state

// Reset forgets every value and timer of all keys: the state of a task that is
// given its records key by key (BATCH) begins anew with each. It is for heap state
// without snapshots, and costs little when few entries are left.
func (k *Keyed[K]) Reset() {
	for _, t := range k.b.tables {
		if r, ok := t.(interface{ reset() }); ok {
			r.reset()
		}
	}
}

// keptPages are the pages that a table keeps when it is reset: one large key must
// not leave all later ones with its memory.
const keptPages = 4

func (t *table[K, M, V]) reset() {
	if t.live > 0 {
		for slot := range uint32(len(t.pages)) << pageShift {
			if t.mark(slot).flags&flagUsed != 0 {
				t.drop(slot)
			}
		}
	}
	if len(t.pages) <= keptPages {
		return
	}
	t.pages, t.free = nil, nil
	t.index = newIndex()
	if t.chain != nil {
		t.chain = newChains[K, M]()
	}
	t.drops++
	t.env.version++
}
