package state

import (
	"encoding/binary"
)

// This file is what a table does in front of a store.

// touch marks a slot as used for the clock hand.
func (t *table[K, M, V]) touch(slot uint32) {
	i := int(slot >> pageShift)
	for i >= len(t.ref) {
		t.ref = append(t.ref, 0)
	}
	t.ref[i] |= 1 << (slot & pageMask)
}

// storeKey appends the store's key of an address.
func storeKey(dst []byte, group uint16, id uint16) []byte {
	dst = binary.BigEndian.AppendUint16(dst, group)
	return binary.BigEndian.AppendUint16(dst, id)
}

// rowKey returns the store's key of a slot, in t.buf.
func (t *table[K, M, V]) rowKey(slot uint32) []byte {
	t.buf = t.appendAddress(storeKey(t.buf[:0], t.mark(slot).group, t.meta.ID), t.read(slot))
	return t.buf
}

// load brings the row of a cell into the table, or the knowledge that there is none.
func (t *table[K, M, V]) load(mk M) uint32 {
	t.room()
	slot, e := t.insert(mk, flagAbsent|flagNew)
	val, found, err := t.env.store.Get(t.rowKey(slot), t.val[:0])
	t.val = val
	if err == nil && found {
		t.mark(slot).flags = flagUsed
		err = t.decodeValue(val, e)
		t.measure(len(t.buf) + len(val))
	}
	if err != nil {
		t.mark(slot).flags = flagUsed | flagAbsent | flagNew
		t.env.fail(t.meta.wrap("read", err))
	}
	return slot
}

func (t *table[K, M, V]) decodeValue(src []byte, e *entry[K, M, V]) error {
	n, err := t.codec.Decode(src, &e.val)
	if err == nil && n != len(src) {
		err = errTrailing
	}
	return err
}

// measure feeds the average of encoded sizes, slowly enough that one large row does not turn it.
func (t *table[K, M, V]) measure(n int) { t.avgVar += (float64(n) - t.avgVar) / 64 }

func (t *table[K, M, V]) bytes() int64 { return int64(t.live) * (t.fixed + int64(t.avgVar)) }

// room makes room for an entry when the cache is full, by evicting a sixteenth of it.
func (t *table[K, M, V]) room() {
	if t.env.store == nil {
		return
	}
	// Every 32nd time is often enough: so many entries are nothing beside the smallest budget that makes sense.
	if t.env.inserts++; t.env.inserts&31 == 0 {
		t.env.shrink()
	}
}

// evict writes back and drops entries that were not used lately until want bytes are free or the hand went round
// twice. The caller commits the batch before anything else is read.
func (t *table[K, M, V]) evict(want int64, b ByteBatch) (freed int64, err error) {
	if t.layout == layoutTimer {
		return 0, nil // timers keep their own bounds
	}
	total := uint32(len(t.pages)) << pageShift
	for range 2 * total {
		if freed >= want {
			break
		}
		if t.hand >= total {
			t.hand = 0
		}
		slot := t.hand
		t.hand++
		if t.mark(slot).flags&flagUsed == 0 {
			continue
		}
		if word, bit := &t.ref[slot>>pageShift], uint64(1)<<(slot&pageMask); *word&bit != 0 {
			*word &^= bit
			continue
		}
		if err := t.writeBack(slot, b); err != nil {
			return freed, err
		}
		t.drop(slot)
		freed += t.fixed + int64(t.avgVar)
	}
	return freed, nil
}

// writeBack puts what the store lacks of an entry into the batch.
func (t *table[K, M, V]) writeBack(slot uint32, b ByteBatch) error {
	flags := t.flags(slot)
	switch {
	case flags&flagDirty == 0, flags&flagAbsent != 0 && flags&flagNew != 0:
		return nil
	case flags&flagAbsent != 0:
		return b.Delete(t.rowKey(slot))
	}
	t.stored = true
	key := t.rowKey(slot)
	t.val = t.codec.Append(t.val[:0], &t.read(slot).val)
	t.measure(len(key) + len(t.val))
	if t.age != nil {
		return t.writeTimed(key, t.mark(slot).flags&flagNew != 0, b)
	}
	return b.Set(key, t.val)
}

// spill writes back and drops everything, so that the store alone holds the state.
func (t *table[K, M, V]) spill(b ByteBatch) error {
	for slot := range uint32(len(t.pages)) << pageShift {
		if t.mark(slot).flags&flagUsed == 0 {
			continue
		}
		if err := t.writeBack(slot, b); err != nil {
			return err
		}
		t.drop(slot)
	}
	return b.Commit()
}

// clean writes back the chain of the current key and namespace and keeps it.
func (t *table[K, M, V]) clean() {
	b := t.env.batch
	for slot, ok := t.chain.first(t.env.key, t.env.ns); ok; slot, ok = t.chain.after(slot) {
		if t.flags(slot)&flagDirty == 0 {
			continue
		}
		if err := t.writeBack(slot, b); err != nil {
			t.env.fail(t.meta.wrap("write", err))
			return
		}
		t.write(slot)
		m := t.mark(slot)
		m.flags &^= flagDirty | flagNew
		if m.flags&flagAbsent != 0 {
			m.flags |= flagNew
		}
	}
	t.env.commit(t.meta)
}

// prefix returns the bounds of the store's keys of the current key and namespace.
func (t *table[K, M, V]) prefix() (start, end []byte) {
	start = storeKey(nil, t.env.keyGroup(), t.meta.ID)
	start = t.env.codec.Append(start, t.env.key)
	start = appendNamespace(start, t.env.ns)
	return start, prefixEnd(start)
}

// prefixEnd returns the first key behind all that start with prefix, nil if there is none.
func prefixEnd(prefix []byte) []byte {
	end := append([]byte(nil), prefix...)
	for i := len(end) - 1; i >= 0; i-- {
		end[i]++
		if end[i] != 0 {
			return end[:i+1]
		}
	}
	return nil
}

// pointDeletes is how many rows are deleted one by one; more are deleted as a range. Range deletions slow down
// every read near them until they are compacted away, so small ones are not worth it.
const pointDeletes = 32

// deletePrefix deletes the rows of the current key and namespace from the store.
func (t *table[K, M, V]) deletePrefix() {
	start, end := t.prefix()
	b := t.env.batch
	if t.env.clock.native > t.env.clock.drained.Load() { // rows that are still to come from a snapshot must go too
		if err := b.DeleteRange(start, end); err != nil {
			t.env.fail(t.meta.wrap("clear", err))
		}
		t.env.commit(t.meta)
		return
	}
	it, err := t.env.store.Iter(start, end)
	if err != nil {
		t.env.fail(t.meta.wrap("clear", err))
		return
	}
	n := 0
	for err == nil && it.Next() {
		if n++; n > pointDeletes {
			err = b.DeleteRange(start, end)
			break
		}
		err = b.Delete(it.Key())
	}
	if closeErr := it.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		t.env.fail(t.meta.wrap("clear", err))
		return
	}
	t.env.commit(t.meta)
}

// eachRow visits the rows of the current key and namespace in the store. f gets the rest of the row's key.
func (t *table[K, M, V]) eachRow(f func(rest, val []byte) (more bool, err error)) {
	start, end := t.prefix()
	it, err := t.env.store.Iter(start, end)
	if err != nil {
		t.env.fail(t.meta.wrap("iterate", err))
		return
	}
	more := true
	for more && err == nil && it.Next() {
		more, err = f(it.Key()[len(start):], it.Value())
	}
	if closeErr := it.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		t.env.fail(t.meta.wrap("iterate", err))
	}
}
