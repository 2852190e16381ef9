package state

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// SnapshotNative is the synchronous part of a native snapshot. Without a store whose files can be handed out, it is a
// canonical one. The result is a NativeSnapshot or a canonical Snapshot; release it.
//
// From here to the end of Link the store takes nothing new of the task (FileStore.Hold), so that its files hold what
// was there now: the rows in it and the entries that are dirty now, which Link writes. Entries of pages up to this
// epoch count as clean from then on.
func (k *Keyed[K]) SnapshotNative(checkpointID int64) (Snapshot, error) {
	store, ok := k.b.store.(FileStore)
	if !ok {
		return k.Snapshot(checkpointID)
	}
	if k.closed {
		return nil, errors.New("state: snapshot after Close")
	}
	if k.b.err != nil {
		return nil, fmt.Errorf("state: no snapshot after an error: %w", k.b.err)
	}
	if err := store.Hold(); err != nil {
		return nil, fmt.Errorf("state: snapshot of the store: %w", err)
	}
	s := &nativeSnapshot{store: store, clock: k.b.clock, dir: k.dir + fmt.Sprintf("-link-%d", k.b.clock.epoch)}
	for _, t := range k.b.tables {
		t.shares()
	}
	s.head = header{checkpointID: checkpointID, maxPar: k.b.maxPar, groups: k.b.groups, key: k.b.codec.Schema()}
	s.tables = k.freeze(&s.head)
	s.epoch = k.b.clock.tick()
	k.b.clock.native = s.epoch
	return s, nil
}

// freeze freezes all tables and describes their states.
func (k *Keyed[K]) freeze(h *header) []frozenTable {
	var tables []frozenTable
	for _, st := range k.states {
		meta := *st.meta
		var t frozenTable = &frozenRaw{raw: st.rows}
		if st.table != nil {
			t = st.table.freeze()
		} else if st.known {
			meta.Value = st.old
		}
		h.states = append(h.states, &meta)
		tables = append(tables, t)
	}
	return tables
}

// nativeSnapshot is the asynchronous part. Link, WriteTo and Release are called one after another.
type nativeSnapshot struct {
	store  FileStore
	clock  *clock
	epoch  uint64
	head   header
	tables []frozenTable // by index in head.states; nil once they are in the store
	dir    string        // of the links
	files  []TableFile
	small  []storeFile
	thaw   sync.Once
	linked bool
}

// Link implements NativeSnapshot.
func (s *nativeSnapshot) Link(ctx context.Context) error {
	err := s.link(ctx)
	s.finish()
	if err != nil {
		return fmt.Errorf("state: native snapshot: %w", err)
	}
	s.linked = true
	return nil
}

func (s *nativeSnapshot) link(ctx context.Context) error {
	if err := s.drain(ctx); err != nil {
		return err
	}
	s.clock.drained.Store(s.epoch)
	if err := s.store.Link(s.dir); err != nil {
		return err
	}
	return s.list()
}

// finish lets the task's store and pages go.
func (s *nativeSnapshot) finish() {
	s.thaw.Do(func() {
		s.store.Resume()
		s.tables = nil
		s.clock.release(s.epoch)
	})
}

// drainBatch is how many bytes are written to the store at a time: enough to make the commit cheap, little beside the
// smallest write buffer.
const drainBatch = 64 << 10

// drain writes the frozen entries that the store lacks.
func (s *nativeSnapshot) drain(ctx context.Context) (err error) {
	b := s.store.Below()
	defer func() { err = errors.Join(err, b.Close()) }()
	var key []byte
	size := 0
	for i, t := range s.tables {
		id := s.head.states[i].ID
		t.index(s.head.groups)
		for g := s.head.groups.Start; g < s.head.groups.End; g++ {
			if err := ctx.Err(); err != nil {
				return context.Cause(ctx)
			}
			err := t.rows(g, func(address, val []byte, deleted bool) error {
				key = append(storeKey(key[:0], uint16(g), id), address...)
				if size += len(key) + len(val); size >= drainBatch {
					size = 0
					if err := b.Commit(); err != nil {
						return err
					}
				}
				if deleted {
					return b.Delete(key)
				}
				return b.Set(key, val)
			})
			if err != nil {
				return err
			}
		}
	}
	return b.Commit()
}

// maxSmall bounds what is taken into the description of the store: its list of tables and options. Beyond it
// something is wrong with them.
const maxSmall = 64 << 20

// list reads what was linked: tables are named, the rest is read.
func (s *nativeSnapshot) list() error {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return err
	}
	total := int64(0)
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			return err
		}
		path := filepath.Join(s.dir, e.Name())
		if strings.HasSuffix(e.Name(), ".sst") {
			s.files = append(s.files, TableFile{Name: e.Name(), Path: path, Size: info.Size()})
			continue
		}
		if total += info.Size(); total > maxSmall {
			return fmt.Errorf("the store describes itself in more than %d bytes", int64(maxSmall))
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		s.small = append(s.small, storeFile{e.Name(), data})
	}
	return nil
}

// Tables implements NativeSnapshot.
func (s *nativeSnapshot) Tables() []TableFile { return s.files }

// WriteTo writes the description.
func (s *nativeSnapshot) WriteTo(ctx context.Context, w io.Writer) (SnapshotInfo, error) {
	if !s.linked {
		return SnapshotInfo{}, errors.New("state: native snapshot: its files were not linked")
	}
	if err := ctx.Err(); err != nil {
		return SnapshotInfo{}, context.Cause(ctx)
	}
	data := encodeNative(&s.head, s.small, s.files)
	if _, err := w.Write(data); err != nil {
		return SnapshotInfo{}, fmt.Errorf("state: write native snapshot: %w", err)
	}
	return SnapshotInfo{Kind: Native, Version: nativeVersion, CheckpointID: s.head.checkpointID, Range: s.head.groups, Bytes: int64(len(data))}, nil
}

// Release frees the snapshot and removes its links.
func (s *nativeSnapshot) Release() {
	s.finish()
	if s.dir != "" {
		// What stays is scratch, and goes with the folder that it lies in.
		_ = os.RemoveAll(s.dir)
		s.dir = ""
	}
}
