package state

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// native is a native snapshot that is to be restored.
type native struct {
	h Handle
	*description
}

// natives reads the descriptions of the native snapshots that hold key groups of this subtask.
func (k *Keyed[K]) natives(ctx context.Context, env Env) ([]native, error) {
	var out []native
	for _, h := range env.Restore {
		if h.Kind != Native || !h.Range.Empty() && h.Range.Intersect(env.Range).Empty() {
			continue
		}
		if env.Fetch == nil {
			return nil, errors.New("state: Env.Restore with native snapshots needs Env.Fetch")
		}
		d, err := k.describeNative(ctx, env, h)
		if err != nil {
			return nil, fmt.Errorf("state: restore from %q: %w", h.Location, err)
		}
		if !d.head.groups.Intersect(env.Range).Empty() {
			out = append(out, native{h, d})
		}
	}
	return out, nil
}

func (k *Keyed[K]) describeNative(ctx context.Context, env Env, h Handle) (d *description, err error) {
	rc, err := env.Open(ctx, h)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rc.Close()) }()
	data, err := io.ReadAll(rc)
	if err != nil {
		return nil, err
	}
	if d, err = decodeNative(data); err != nil {
		return nil, err
	}
	return d, k.fits(d.head)
}

// fits compares a snapshot's max parallelism and key with this operator's.
func (k *Keyed[K]) fits(head *header) error {
	if head.maxPar != k.b.maxPar {
		return fmt.Errorf("%w: it was written with the max parallelism %d and cannot be restored with %d; set the operator's max parallelism to %d", ErrIncompatible, head.maxPar, k.b.maxPar, head.maxPar)
	}
	if !head.key.Equal(k.b.codec.Schema()) {
		return fmt.Errorf("%w: the type of the key changed:\n%s", ErrIncompatible, head.key.Diff(k.b.codec.Schema()))
	}
	return nil
}

// seed chooses the snapshot whose files become the store: the one with the most bytes in this subtask's key groups,
// as far as they are spread evenly. The others are copied into it.
func seed(list []native, groups Range) int {
	best, most := -1, 0.0
	for i, n := range list {
		size := int64(1)
		for _, t := range n.tables {
			size += t.Size
		}
		share := float64(size) * float64(n.head.groups.Intersect(groups).Len()) / float64(n.head.groups.Len())
		if share > most {
			best, most = i, share
		}
	}
	return best
}

// place makes a folder with the files of a snapshot's store.
func (n *native) place(ctx context.Context, env Env, dir string, live bool) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if err := env.Fetch(ctx, n.h, dir, live); err != nil {
		return err
	}
	for _, t := range n.tables {
		info, err := os.Stat(filepath.Join(dir, t.Name))
		if err != nil || info.Size() != t.Size {
			return errors.Join(fmt.Errorf("%w: its table %s was not handed out with its %d bytes", ErrCorrupt, t.Name, t.Size), err)
		}
	}
	for _, f := range n.small {
		if err := os.WriteFile(filepath.Join(dir, f.name), f.data, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// grow makes the store out of a snapshot's files: it takes over the snapshot's states under their ids.
func (k *Keyed[K]) grow(ctx context.Context, env Env, n *native, o StoreOptions) error {
	if err := n.place(ctx, env, o.Dir, true); err != nil {
		return err
	}
	o.Existing = true
	store, err := openStore(env.Kind, o)
	if err != nil {
		return err
	}
	k.b.store = store
	if _, err := k.adopt(n.head.states); err != nil {
		return err
	}
	for i, m := range n.head.states { // the rows keep their keys
		if int(m.ID) != i {
			return fmt.Errorf("%w: state %q has the id %d in place of %d", ErrCorrupt, m.Name, m.ID, i)
		}
	}
	keep := n.head.groups.Intersect(env.Range)
	files, ok := store.(FileStore)
	if !ok {
		return fmt.Errorf("backend %s cannot restore native snapshots", env.Kind)
	}
	if keep == n.head.groups {
		return nil
	}
	return files.Clip(storeKey(nil, uint16(keep.Start), 0)[:2], storeKey(nil, uint16(keep.End), 0)[:2])
}

// scratchBudget is the memory for a store that is only read through once.
const scratchBudget = 4 << 20

// merge copies the rows of this subtask's key groups out of a snapshot.
func (k *Keyed[K]) merge(ctx context.Context, env Env, n *native) (err error) {
	dir, err := os.MkdirTemp(env.Dir, "merge-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	from := filepath.Join(dir, "db")
	if err := n.place(ctx, env, from, false); err != nil {
		return err
	}
	store, err := openStore(Pebble, StoreOptions{Dir: from, MemoryBudget: scratchBudget, Existing: true, ReadOnly: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	states, err := k.adopt(n.head.states)
	if err != nil {
		return err
	}
	same := true
	byID := map[uint16]*restored{}
	for i, m := range n.head.states {
		byID[m.ID] = states[i]
		same = same && states[i].meta.ID == m.ID
	}
	rows := &mergeRange{ctx: ctx, store: store, groups: n.head.groups.Intersect(env.Range), byID: byID}
	into, files := k.b.store.(FileStore)
	switch {
	case k.b.store == nil:
		return rows.each(func(key, val []byte, s *restored) error {
			s.rows.add(binary.BigEndian.Uint16(key), key[4:], val)
			return nil
		})
	case same && files:
		return into.Ingest(dir, func(emit func(key, val []byte) error) error {
			return rows.each(func(key, val []byte, _ *restored) error { return emit(key, val) })
		})
	}
	return rows.each(func(key, val []byte, s *restored) error {
		key = append(storeKey(nil, binary.BigEndian.Uint16(key), s.meta.ID), key[4:]...)
		if err := k.b.batch.Set(key, val); err != nil || k.b.batch.Len() < migrateBatch {
			return err
		}
		return k.b.batch.Commit()
	})
}

// mergeRange is what merge reads.
type mergeRange struct {
	ctx    context.Context
	store  ByteStore
	groups Range
	byID   map[uint16]*restored
}

func (r *mergeRange) each(f func(key, val []byte, s *restored) error) error {
	for g := r.groups.Start; g < r.groups.End; g++ {
		if err := r.ctx.Err(); err != nil {
			return context.Cause(r.ctx)
		}
		start := storeKey(nil, uint16(g), 0)[:2]
		it, err := r.store.Iter(start, prefixEnd(bytes.Clone(start)))
		if err != nil {
			return err
		}
		for err == nil && it.Next() {
			key := it.Key()
			if len(key) < 4 || r.byID[binary.BigEndian.Uint16(key[2:])] == nil {
				err = fmt.Errorf("%w: a row of no known state", ErrCorrupt)
				break
			}
			err = f(key, it.Value(), r.byID[binary.BigEndian.Uint16(key[2:])])
		}
		if err = errors.Join(err, it.Close()); err != nil {
			return err
		}
	}
	return nil
}
