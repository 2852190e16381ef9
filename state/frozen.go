package state

// frozenTable is a table as a snapshot sees it. It is read by one goroutine, which is not the task's.
type frozenTable interface {
	// index sorts the rows by key group; call it once, before rows.
	index(groups Range)
	// rows visits the rows of a group; deleted ones only say that the store's row does not count. The slices are
	// good during the call.
	rows(group int, f func(address, val []byte, deleted bool) error) error
}

// frozen is a table's frozen pages (frozen-pages). Of the table it uses only what never changes: codecs and layout.
type frozen[K, M comparable, V any] struct {
	t     *table[K, M, V]
	pages []*page[K, M, V]
	dirty bool // only the dirty entries count, because the store has the others
	// drained is up to which epoch dirty entries do not count either: a native snapshot has written them.
	drained uint64
	groups  Range
	starts  []uint32 // of each group's slots in order, and their end
	order   []uint32

	address, val []byte
}

func (t *table[K, M, V]) freeze() frozenTable {
	return &frozen[K, M, V]{t: t, pages: t.slots.freeze(), dirty: t.env.store != nil, drained: t.clock.drained.Load()}
}

func (t *table[K, M, V]) shares() { t.stored = t.stored || t.live > 0 }

func (f *frozen[K, M, V]) each(visit func(slot uint32, group uint16)) {
	for i, pg := range f.pages {
		if f.dirty && pg.epoch <= f.drained {
			continue
		}
		for j := range pg.marks {
			m := &pg.marks[j]
			if m.flags&flagUsed == 0 || f.dirty && m.flags&flagDirty == 0 || !f.groups.Contains(int(m.group)) {
				continue
			}
			visit(uint32(i<<pageShift|j), m.group)
		}
	}
}

// index is a counting sort.
func (f *frozen[K, M, V]) index(groups Range) {
	f.groups = groups
	f.starts = make([]uint32, groups.Len()+1)
	f.each(func(_ uint32, group uint16) { f.starts[int(group)-groups.Start+1]++ })
	for i := 1; i < len(f.starts); i++ {
		f.starts[i] += f.starts[i-1]
	}
	next := append([]uint32(nil), f.starts...)
	f.order = make([]uint32, f.starts[groups.Len()])
	f.each(func(slot uint32, group uint16) {
		at := &next[int(group)-groups.Start]
		f.order[*at] = slot
		*at++
	})
}

func (f *frozen[K, M, V]) rows(group int, visit func(address, val []byte, deleted bool) error) error {
	i := group - f.groups.Start
	for _, slot := range f.order[f.starts[i]:f.starts[i+1]] {
		pg := f.pages[slot>>pageShift]
		e := &pg.entries[slot&pageMask]
		deleted := pg.marks[slot&pageMask].flags&flagAbsent != 0
		f.address = f.t.appendAddress(f.address[:0], e)
		f.val = f.val[:0]
		if !deleted {
			f.val = f.t.codec.Append(f.val, &e.val)
		}
		if err := visit(f.address, f.val, deleted); err != nil {
			return err
		}
	}
	return nil
}

// frozenRaw are restored rows that no table claimed.
type frozenRaw struct {
	raw    rawRows
	groups Range
	byPart [][]rawAt // by group
}

// rawAt is a row's address and value in the parts.
type rawAt struct{ address, val []byte }

func (f *frozenRaw) index(groups Range) {
	f.groups = groups
	f.byPart = make([][]rawAt, groups.Len())
	_ = f.raw.each(func(group uint16, address, val []byte) error { // our own framing, in memory
		i := int(group) - groups.Start
		f.byPart[i] = append(f.byPart[i], rawAt{address, val})
		return nil
	})
}

func (f *frozenRaw) rows(group int, visit func(address, val []byte, deleted bool) error) error {
	for _, r := range f.byPart[group-f.groups.Start] {
		if err := visit(r.address, r.val, false); err != nil {
			return err
		}
	}
	return nil
}
