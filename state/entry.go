package state

import (
	"slices"
)

// pageShift sets the size of a page, 64 entries: copying a page of small entries takes a fraction of a
// microsecond, which is what the first write to it after a snapshot pays; smaller pages would make the list of
// pages, which a snapshot copies on the task's goroutine, longer.
const (
	pageShift = 6
	pageSize  = 1 << pageShift
	pageMask  = pageSize - 1
)

// Flags of an entry.
const (
	flagUsed   = 1 << iota // the slot holds an entry
	flagAbsent             // the entry says that there is no value (only in front of a store)
	flagDirty              // the store does not have the entry as it is (only in front of a store)
	flagNew                // the store has no row for the entry (only in front of a store)
	flagHidden             // the index does not have the slot (only of timers)
)

// unit is the map key of states that are not maps.
type unit = struct{}

// cell is the full address of a value.
type cell[K, M comparable] struct {
	key K
	ns  Namespace
	mk  M
}

// entry is a value with its address: all that a hit touches.
type entry[K, M comparable, V any] struct {
	cell[K, M]
	val V
}

// mark is what else is known of an entry.
type mark struct {
	epoch uint64 // when the value was last known to be shared with no snapshot; kept for values that are not flat
	hash  uint32 // of the cell, for the index
	group uint16
	flags uint8
}

// page is the unit of copy on write.
type page[K, M comparable, V any] struct {
	entries [pageSize]entry[K, M, V] // first, so that one of 32 bytes lies in one cache line
	marks   [pageSize]mark
	epoch   uint64 // snapshots up to this one, exclusive, do not see the page
}

// slots keeps entries in pages that snapshots can freeze. A slot number is stable while its entry lives.
type slots[K, M comparable, V any] struct {
	clock *clock
	pages []*page[K, M, V]
	free  []uint32
	live  int
}

// read returns the entry of a slot for reading.
func (s *slots[K, M, V]) read(slot uint32) *entry[K, M, V] {
	return &s.pages[slot>>pageShift].entries[slot&pageMask]
}

// mark returns the mark of a slot for reading; after write, it may be changed.
func (s *slots[K, M, V]) mark(slot uint32) *mark {
	return &s.pages[slot>>pageShift].marks[slot&pageMask]
}

// write returns the entry of a slot for writing.
func (s *slots[K, M, V]) write(slot uint32) *entry[K, M, V] {
	pg := s.pages[slot>>pageShift]
	if pg.epoch != s.clock.epoch {
		pg = s.thaw(slot >> pageShift)
	}
	return &pg.entries[slot&pageMask]
}

// thaw makes a page of an older epoch writable: by a copy if a snapshot still reads it (frozen-pages).
func (s *slots[K, M, V]) thaw(i uint32) *page[K, M, V] {
	pg := s.pages[i]
	if pg.epoch <= s.clock.frozen.Load() {
		fresh := *pg
		pg = &fresh
		s.pages[i] = pg
	}
	if pg.epoch <= s.clock.native {
		s.settle(pg)
	}
	pg.epoch = s.clock.epoch
	return pg
}

// settle brings the flags of a page up to date that a native snapshot has frozen (drained).
func (s *slots[K, M, V]) settle(pg *page[K, M, V]) {
	drained := s.clock.drained.Load()
	for i := range pg.marks {
		m := &pg.marks[i]
		m.flags = afterDrain(m.flags, pg.epoch <= drained)
	}
}

// afterDrain returns the flags of an entry of a page that a native snapshot has frozen: what was dirty then is, or
// will be, in the store.
func afterDrain(flags uint8, drained bool) uint8 {
	switch {
	case flags&flagDirty == 0:
		return flags
	case !drained:
		return flags &^ flagNew
	case flags&flagAbsent != 0:
		return flags&^flagDirty | flagNew
	default:
		return flags &^ (flagDirty | flagNew)
	}
}

// flags returns the flags of a slot as they are now; those in the page may not know yet what was drained.
func (s *slots[K, M, V]) flags(slot uint32) uint8 {
	pg := s.pages[slot>>pageShift]
	flags := pg.marks[slot&pageMask].flags
	if pg.epoch > s.clock.native {
		return flags
	}
	return afterDrain(flags, pg.epoch <= s.clock.drained.Load())
}

// take returns an unused slot and its entry for writing.
func (s *slots[K, M, V]) take() (uint32, *entry[K, M, V]) {
	if len(s.free) == 0 {
		base := uint32(len(s.pages)) << pageShift
		s.pages = append(s.pages, &page[K, M, V]{epoch: s.clock.epoch})
		for i := pageSize - 1; i >= 0; i-- {
			s.free = append(s.free, base+uint32(i))
		}
	}
	slot := s.free[len(s.free)-1]
	s.free = s.free[:len(s.free)-1]
	s.live++
	return slot, s.write(slot)
}

// give frees a slot and what its entry refers to.
func (s *slots[K, M, V]) give(slot uint32) {
	*s.write(slot) = entry[K, M, V]{}
	*s.mark(slot) = mark{}
	s.free = append(s.free, slot)
	s.live--
}

// freeze returns the pages as they are now; the caller advances the clock.
func (s *slots[K, M, V]) freeze() []*page[K, M, V] { return slices.Clone(s.pages) }
