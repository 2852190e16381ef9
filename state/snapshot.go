package state

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
)

// Snapshot is the synchronous part of a snapshot: it freezes the pages and the store. Release the result.
func (k *Keyed[K]) Snapshot(checkpointID int64) (Snapshot, error) {
	if k.closed {
		return nil, errors.New("state: snapshot after Close")
	}
	if k.b.err != nil {
		return nil, fmt.Errorf("state: no snapshot after an error: %w", k.b.err)
	}
	s := &snapshot{clock: k.b.clock, head: header{checkpointID: checkpointID, maxPar: k.b.maxPar, groups: k.b.groups, key: k.b.codec.Schema()}}
	if k.b.store != nil {
		var err error
		if s.store, err = k.b.store.Snapshot(); err != nil {
			return nil, fmt.Errorf("state: snapshot of the store: %w", err)
		}
	}
	s.tables = k.freeze(&s.head)
	s.live = k.snapshotFilters()
	s.epoch = k.b.clock.tick()
	return s, nil
}

// snapshotFilters are what TTLs leave out of a canonical snapshot, by the states' ids; nil when nothing.
func (k *Keyed[K]) snapshotFilters() map[uint16]rowFilter {
	var live map[uint16]rowFilter
	for _, st := range k.states {
		if f := st.age.snapshotFilter(); f != nil {
			if live == nil {
				live = map[uint16]rowFilter{}
			}
			live[st.meta.ID] = f
		}
	}
	return live
}

// snapshot is the asynchronous part.
type snapshot struct {
	clock   *clock
	epoch   uint64
	head    header
	tables  []frozenTable // by index in head.states
	store   ByteSnapshot
	live    map[uint16]rowFilter // by state id, of those that leave out what expired
	arena   []byte               // of the group that is being written
	release sync.Once
}

// WriteTo writes the snapshot in the canonical format.
func (s *snapshot) WriteTo(ctx context.Context, w io.Writer) (SnapshotInfo, error) {
	for _, t := range s.tables {
		t.index(s.head.groups)
	}
	out := newSnapshotWriter(w, &s.head)
	out.live = s.live
	for g := s.head.groups.Start; g < s.head.groups.End; g++ {
		if err := ctx.Err(); err != nil {
			return SnapshotInfo{}, err
		}
		out.startGroup(g)
		var err error
		if s.store == nil {
			err = s.writeTables(out, g)
		} else {
			err = s.writeMerged(out, g)
		}
		if err == nil {
			err = out.endGroup()
		}
		if err != nil {
			return SnapshotInfo{}, fmt.Errorf("state: write snapshot: %w", err)
		}
	}
	info, err := out.finish(s.head.checkpointID)
	if err != nil {
		return SnapshotInfo{}, fmt.Errorf("state: write snapshot: %w", err)
	}
	return info, nil
}

func (s *snapshot) writeTables(out *snapshotWriter, group int) error {
	for i, t := range s.tables {
		id := s.head.states[i].ID
		err := t.rows(group, func(address, val []byte, _ bool) error { return out.row(id, address, val) })
		if err != nil {
			return err
		}
	}
	return nil
}

// overlay is a row that counts instead of the store's.
type overlay struct {
	key, val []byte
	deleted  bool
}

// writeMerged writes the rows of a group from the store, overlaid by the frozen entries (one-row).
func (s *snapshot) writeMerged(out *snapshotWriter, group int) error {
	over, err := s.overlays(group)
	if err != nil {
		return err
	}
	start := storeKey(nil, uint16(group), 0)[:2]
	it, err := s.store.Iter(start, prefixEnd(start))
	if err != nil {
		return err
	}
	err = mergeRows(it, over, func(key, val []byte) error {
		if len(key) < 4 {
			return fmt.Errorf("%w: a key of %d bytes in the store", ErrCorrupt, len(key))
		}
		return out.row(uint16(key[2])<<8|uint16(key[3]), key[4:], val)
	})
	if closeErr := it.Close(); err == nil {
		err = closeErr
	}
	return err
}

// overlays returns the frozen rows of a group in the order of the store, all in one piece of memory.
func (s *snapshot) overlays(group int) ([]overlay, error) {
	type place struct {
		key, val, end int
		deleted       bool
	}
	var places []place
	arena := s.arena[:0]
	for i, t := range s.tables {
		id := s.head.states[i].ID
		err := t.rows(group, func(address, val []byte, deleted bool) error {
			p := place{key: len(arena), deleted: deleted}
			arena = append(storeKey(arena, uint16(group), id), address...)
			p.val = len(arena)
			arena = append(arena, val...)
			p.end = len(arena)
			places = append(places, p)
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	s.arena = arena
	over := make([]overlay, len(places))
	for i, p := range places {
		over[i] = overlay{arena[p.key:p.val], arena[p.val:p.end], p.deleted}
	}
	slices.SortFunc(over, func(a, b overlay) int { return bytes.Compare(a.key, b.key) })
	return over, nil
}

func mergeRows(it ByteIter, over []overlay, emit func(key, val []byte) error) error {
	more := it.Next()
	for more || len(over) > 0 {
		order := -1 // store first
		switch {
		case !more:
			order = 1
		case len(over) > 0:
			order = bytes.Compare(it.Key(), over[0].key)
		}
		if order < 0 {
			if err := emit(it.Key(), it.Value()); err != nil {
				return err
			}
			more = it.Next()
			continue
		}
		if !over[0].deleted {
			if err := emit(over[0].key, over[0].val); err != nil {
				return err
			}
		}
		over = over[1:]
		if order == 0 {
			more = it.Next()
		}
	}
	return nil
}

// Release frees the snapshot.
func (s *snapshot) Release() {
	s.release.Do(func() {
		if s.store != nil {
			// It reads nothing, so there is nothing to lose; the store counts open snapshots when it is closed.
			_ = s.store.Close()
		}
		s.tables = nil
		s.clock.release(s.epoch)
	})
}
