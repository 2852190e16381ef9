package state

import (
	"bytes"
	"math"
	"slices"
)

// minGroupTimers is how many timers of a key group are in memory at least, when it has that many: a refill reads
// them with one seek.
const minGroupTimers = 16

// horizon bounds the timers in memory in front of a store. For each key group there is a bound: up to it, all
// timers are in memory (those that the store lacks are dirty); beyond it, they are in the store only. Without a
// bound, all of the group are in memory.
type horizon[K comparable] struct {
	q      *timerQueue[K]
	bounds [][]byte // by key group: the address of the last timer in memory; nil: no bound
	times  []int64  // of the bounds; MaxInt64: no bound
	least  int      // index of the smallest of times
	most   int      // timers in memory
	addr   []byte
}

func newHorizon[K comparable](q *timerQueue[K]) *horizon[K] {
	n := q.b.groups.Len()
	h := &horizon[K]{q: q, bounds: make([][]byte, n), times: make([]int64, n)}
	// An eighth of the budget: timers are small beside the state that they clean up or emit.
	h.most = max(2*n*minGroupTimers, int(q.b.budget/8/(q.t.fixed+int64(q.t.avgVar))))
	for i := range h.times {
		h.times[i] = math.MaxInt64
	}
	return h
}

// quota is how many timers of a group are loaded or kept.
func (h *horizon[K]) quota() int { return max(minGroupTimers, h.most/2/max(1, len(h.bounds))) }

// address returns the address of a timer of the current key and namespace, in h.addr.
func (h *horizon[K]) address(ts int64) []byte {
	e := entry[K, int64, unit]{cell: cell[K, int64]{h.q.b.key, h.q.b.ns, ts}}
	h.addr = h.q.t.appendAddress(h.addr[:0], &e)
	return h.addr
}

// beyond says that a timer of the current key and namespace would be in the store only.
func (h *horizon[K]) beyond(ts int64) bool {
	i := int(h.q.b.keyGroup()) - h.q.b.groups.Start
	if i < 0 || i >= len(h.bounds) { // a wrong key: keyGroup has reported it
		return false
	}
	if h.bounds[i] == nil || ts < h.times[i] {
		return false
	}
	return ts > h.times[i] || bytes.Compare(h.address(ts), h.bounds[i]) > 0
}

func (h *horizon[K]) rowKey(ts int64) []byte {
	return append(storeKey(nil, h.q.b.keyGroup(), h.q.t.meta.ID), h.address(ts)...)
}

func (h *horizon[K]) setStored(ts int64) {
	h.check(h.q.b.batch.Set(h.rowKey(ts), nil))
}

func (h *horizon[K]) deleteStored(ts int64) {
	h.check(h.q.b.batch.Delete(h.rowKey(ts)))
}

// deleteRow deletes the row of a slot.
func (h *horizon[K]) deleteRow(slot uint32) {
	h.check(h.q.b.batch.Delete(h.q.t.rowKey(slot)))
}

// check commits what was just put into the batch, so that the store's snapshots and iterators see it.
func (h *horizon[K]) check(err error) {
	if err != nil {
		h.q.b.fail(h.q.t.meta.wrap("write", err))
		return
	}
	h.q.b.commit(h.q.t.meta)
}

// loadAll loads the earliest timers of every key group, when rows were restored.
func (h *horizon[K]) loadAll() error {
	if !h.q.t.stored {
		return nil
	}
	for i := range h.bounds {
		if err := h.load(i, nil); err != nil {
			return h.q.t.meta.wrap("restore", err)
		}
	}
	h.findLeast()
	return nil
}

// refill loads the next timers of the group with the earliest bound if the earliest timer in memory is not surely
// the earliest of all: that has the time earliest, if there is any. It returns true when it did something.
func (h *horizon[K]) refill(earliest int64, any bool) bool {
	if len(h.times) == 0 || h.times[h.least] == math.MaxInt64 && h.bounds[h.least] == nil {
		return false
	}
	if any && earliest <= h.times[h.least] {
		return false
	}
	if err := h.load(h.least, h.bounds[h.least]); err != nil {
		h.q.b.fail(h.q.t.meta.wrap("read", err))
		return false
	}
	h.findLeast()
	return true
}

// load reads the timers of a group behind an address, up to the quota.
func (h *horizon[K]) load(i int, after []byte) error {
	group := uint16(h.q.b.groups.Start + i)
	prefix := storeKey(nil, group, h.q.t.meta.ID)
	start := append([]byte(nil), prefix...)
	if after != nil {
		start = append(append(start, after...), 0) // the next possible key
	}
	it, err := h.q.b.store.Iter(start, prefixEnd(prefix))
	if err != nil {
		return err
	}
	n, quota := 0, h.quota()
	var last []byte
	for err == nil && it.Next() {
		if n == quota {
			break
		}
		n++
		last = append(last[:0], it.Key()[4:]...)
		var e entry[K, int64, unit]
		if err = h.q.t.decodeAddress(last, &e); err == nil {
			slot, _ := h.q.t.insertAt(e.cell, group, 0)
			h.q.lines.add(e.mk, slot)
		}
	}
	if closeErr := it.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return err
	}
	if n < quota {
		last = nil
	}
	return h.setBound(i, last)
}

// setBound sets the bound of a group, nil for none.
func (h *horizon[K]) setBound(i int, address []byte) error {
	h.bounds[i], h.times[i] = nil, math.MaxInt64
	if address != nil {
		if _, err := h.q.t.mapKey.Decode(address, &h.times[i]); err != nil {
			return err
		}
		h.bounds[i] = address
	}
	return nil
}

// findLeast finds the earliest bound again, after some were set.
func (h *horizon[K]) findLeast() {
	h.least = 0
	for j := range h.times {
		if h.earlier(j, h.least) {
			h.least = j
		}
	}
}

// earlier compares bounds; a bound at the end of time is still before none.
func (h *horizon[K]) earlier(i, j int) bool {
	if h.times[i] != h.times[j] {
		return h.times[i] < h.times[j]
	}
	return h.bounds[i] != nil && h.bounds[j] == nil
}

// bound moves the latest timers of each group to the store when there are too many in memory.
func (h *horizon[K]) bound() {
	if h.q.t.live <= h.most {
		return
	}
	if err := h.moveOut(); err != nil {
		h.q.b.fail(h.q.t.meta.wrap("write", err))
	}
}

type heldTimer struct {
	address []byte
	slot    uint32
}

func (h *horizon[K]) moveOut() error {
	q := h.q
	held := make([][]heldTimer, len(h.bounds))
	for slot := range uint32(len(q.t.pages)) << pageShift {
		if m := q.t.mark(slot); m.flags&flagUsed != 0 {
			i := int(m.group) - q.b.groups.Start
			held[i] = append(held[i], heldTimer{q.t.appendAddress(nil, q.t.read(slot)), slot})
		}
	}
	quota := h.quota()
	for i, timers := range held {
		if len(timers) <= quota {
			continue
		}
		slices.SortFunc(timers, func(a, b heldTimer) int { return bytes.Compare(a.address, b.address) })
		for _, t := range timers[quota:] {
			if err := q.t.writeBack(t.slot, q.b.batch); err != nil {
				return err
			}
			q.t.drop(t.slot)
		}
		if err := h.setBound(i, timers[quota-1].address); err != nil {
			return err
		}
	}
	h.findLeast()
	return q.b.batch.Commit()
}
