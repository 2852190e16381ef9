package state

// sweeper removes expired entries of one table a few at a time. It belongs to the table's handle and runs at the
// begin of an access, before anything of the table is held.
type sweeper[K, M comparable, V any] struct {
	*aging
	t *table[K, M, V]
	// prune takes what expired out of a value: changed says that something was, empty that nothing is left.
	prune func(v *V, deadline int64) (left V, changed, empty bool)

	slot   uint32 // the next entry of the table
	group  int    // the next row of the store lies in this key group,
	cursor []byte // behind this key of it; empty: at its begin
}

// rowBatch is how many rows of the store are checked at a time: opening an iterator costs as much as reading some ten
// rows, and the task must not stop for more than a fraction of a millisecond.
const rowBatch = 128

// seekCost is how many rows the begin of a key group counts for.
const seekCost = 8

// accessed is called at the begin of each access.
func (s *sweeper[K, M, V]) accessed() {
	if s.access > 0 {
		s.sweep()
	} else if s.credit >= rowBatch && s.busy == 0 {
		s.sweepStore()
	}
}

// sweep checks as many entries as an access or a record pays for.
func (s *sweeper[K, M, V]) sweep() {
	if s.busy > 0 {
		return
	}
	s.sweepTable(s.access)
	if s.t.stored {
		if s.credit += s.stored; s.credit >= rowBatch {
			s.sweepStore()
		}
	}
}

// sweepTable checks n entries that are held as Go values. Free slots count for a quarter, so that a table which has
// shrunk is not read for nothing.
func (s *sweeper[K, M, V]) sweepTable(n int) {
	total := uint32(len(s.t.pages)) << pageShift
	if s.t.live == 0 || total == 0 {
		return
	}
	deadline := s.deadline()
	for steps := 4 * n; steps > 0; steps-- {
		if s.slot++; s.slot >= total {
			s.slot = 0
		}
		if s.t.mark(s.slot).flags&(flagUsed|flagAbsent) != flagUsed {
			continue
		}
		steps -= 3
		left, changed, empty := s.prune(&s.t.read(s.slot).val, deadline)
		switch {
		case empty:
			s.t.removeSlot(s.slot)
			s.credit += s.write // where one has expired, others have
		case changed:
			s.t.write(s.slot).val = left
			s.t.mark(s.slot).flags |= flagDirty
		}
	}
}

// sweepStore checks the next rows of the store. A row that expired there may be younger in the table, which is right
// and writes it again (one-row); the two never differ about a row that is not dirty.
func (s *sweeper[K, M, V]) sweepStore() {
	budget := s.credit
	s.credit = 0
	if !s.t.stored || s.t.env.groups.Empty() {
		return
	}
	deadline := s.deadline()
	for budget > 0 {
		n, err := s.sweepGroup(budget, deadline)
		if err != nil {
			s.t.env.fail(s.t.meta.wrap("clean up", err))
			return
		}
		budget -= n + seekCost
	}
	s.t.env.commit(s.t.meta)
}

// sweepGroup checks up to n rows of the group in turn and returns how many they were.
func (s *sweeper[K, M, V]) sweepGroup(n int, deadline int64) (seen int, err error) {
	groups := s.t.env.groups
	prefix := storeKey(nil, uint16(groups.Start+s.group), s.t.meta.ID)
	start := prefix
	if len(s.cursor) > 0 {
		start = append(append([]byte(nil), s.cursor...), 0) // the next possible key
	}
	it, err := s.t.env.store.Iter(start, prefixEnd(prefix))
	if err != nil {
		return 0, err
	}
	more := it.Next()
	for ; more && seen < n && err == nil; more = it.Next() {
		seen++
		s.cursor = append(s.cursor[:0], it.Key()...)
		err = s.sweepRow(it.Key(), it.Value(), deadline)
	}
	if closeErr := it.Close(); err == nil {
		err = closeErr
	}
	if !more {
		s.group, s.cursor = (s.group+1)%groups.Len(), s.cursor[:0]
	}
	return seen, err
}

func (s *sweeper[K, M, V]) sweepRow(key, val []byte, deadline int64) error {
	out, keep, err := s.filter(val, deadline)
	switch {
	case err != nil:
		return err
	case !keep:
		return s.t.env.batch.Delete(key)
	case len(out) != len(val):
		return s.t.env.batch.Set(key, out)
	}
	return nil
}

// pruneTimed is sweeper.prune of values and map entries.
func pruneTimed[V any](v *timed[V], deadline int64) (left timed[V], changed, empty bool) {
	return left, false, v.at <= deadline
}

// pruneChunk is sweeper.prune of lists.
func pruneChunk[V any](v *chunk[timed[V]], deadline int64) (left chunk[timed[V]], changed, empty bool) {
	left = pruned(*v, deadline)
	return left, len(left.items) != len(v.items), len(left.items) == 0
}

// writeTimed puts the row in t.val into the batch, or its deletion when it has expired, and pays for the clean-up of
// other rows.
func (t *table[K, M, V]) writeTimed(key []byte, fresh bool, b ByteBatch) error {
	if t.age.write == 0 {
		return b.Set(key, t.val)
	}
	t.age.credit += t.age.write
	val, keep, err := t.age.filter(t.val, t.age.deadline())
	switch {
	case err != nil:
		return err
	case keep:
		return b.Set(key, val)
	case fresh:
		return nil
	}
	return b.Delete(key)
}
