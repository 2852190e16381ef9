package pebblestate

import (
	"fmt"
	"sync"

	"github.com/cockroachdb/pebble/v2"
)

// hold is the window of a native snapshot: between the barrier and the moment when the files are linked, what the
// task commits stays above the database, so that the files hold what was there at the barrier and nothing newer.
//
// The task appends what it commits to a log and to an indexed batch, through which it reads. When the files are
// linked, the log is applied in order, in the background; what the task commits meanwhile is appended too. Once the
// log is empty the task drops the index and is alone with the database again.
//
// The lock guards what both sides look at; the index and its iterators belong to the task.
type hold struct {
	mu struct {
		sync.Mutex
		window bool            // Hold was called and Resume has not been
		log    []*pebble.Batch // in order; the first may be being applied
		bytes  int             // of the log
	}
	changed sync.Cond // the log became shorter or the window was closed
	limit   int

	index *pebble.Batch // the log's content over the database; nil: nothing was committed since Hold
	iters int           // open iterators over the index
}

// maxHeldShare is which part of a store's budget may be held: an eighth is more than a task usually evicts while a
// write buffer is flushed; beyond it the task waits.
const maxHeldShare = 8

// minHeld lets small budgets hold a few batches of evictions.
const minHeld = 1 << 20

func (h *hold) init(budget int64) {
	h.changed.L = &h.mu
	h.limit = int(max(minHeld, budget/maxHeldShare))
}

// activeLocked says that commits must go to the log.
func (h *hold) activeLocked() bool { return h.mu.window || len(h.mu.log) > 0 }

// settle waits until nothing is held any more. It runs on the task's goroutine.
func (h *hold) settle() {
	h.mu.Lock()
	for h.activeLocked() {
		h.changed.Wait()
	}
	h.mu.Unlock()
	h.dropIndex()
}

// dropIndex lets go of the index when it shows nothing that the database lacks.
func (h *hold) dropIndex() {
	if h.index == nil || h.iters > 0 {
		return
	}
	h.mu.Lock()
	active := h.activeLocked()
	h.mu.Unlock()
	if active {
		return
	}
	_ = h.index.Close() // it only frees memory
	h.index = nil
}

// Hold implements state.FileStore. It waits for the end of an earlier window.
func (s *Store) Hold() error {
	s.hold.settle()
	if err := s.failed(); err != nil {
		return err
	}
	s.hold.mu.Lock()
	s.hold.mu.window = true
	s.hold.mu.Unlock()
	return nil
}

// Resume implements state.FileStore: it closes the window and applies what was held.
func (s *Store) Resume() {
	h := &s.hold
	h.mu.Lock()
	defer h.mu.Unlock()
	h.mu.window = false
	for len(h.mu.log) > 0 {
		b := h.mu.log[0]
		h.mu.Unlock()
		size := b.Len()
		err := b.Commit(pebble.NoSync)
		if err == nil {
			err = b.Close()
		}
		if err != nil {
			err = fmt.Errorf("write what was held during a snapshot: %w", err)
			s.bg.CompareAndSwap(nil, &err)
		}
		h.mu.Lock()
		h.mu.log = h.mu.log[1:]
		h.mu.bytes -= size
		h.changed.Broadcast()
	}
	h.mu.log = nil
	h.changed.Broadcast()
}

// commit takes a batch of the task: into the log, or at once. It returns the batch to go on with.
func (h *hold) commit(db *pebble.DB, b *pebble.Batch) (*pebble.Batch, error) {
	h.dropIndex()
	h.mu.Lock()
	active := h.activeLocked()
	h.mu.Unlock() // only this goroutine makes it active, and applying it later than it could be is no harm
	if active || h.index != nil {
		if h.index == nil {
			h.index = db.NewIndexedBatch()
		}
		if err := h.index.Apply(b, nil); err != nil {
			return b, err
		}
	}
	if !active {
		if err := b.Commit(pebble.NoSync); err != nil {
			return b, err
		}
		return db.NewBatch(), b.Close()
	}
	return h.append(db, b)
}

// append puts a batch at the end of the log, or commits it if the log has just been applied. It waits while more is
// held than the limit.
func (h *hold) append(db *pebble.DB, b *pebble.Batch) (*pebble.Batch, error) {
	h.mu.Lock()
	if !h.activeLocked() {
		h.mu.Unlock()
		if err := b.Commit(pebble.NoSync); err != nil {
			return b, err
		}
		return db.NewBatch(), b.Close()
	}
	defer h.mu.Unlock()
	h.mu.log = append(h.mu.log, b)
	h.mu.bytes += b.Len()
	for h.mu.bytes > h.limit && h.activeLocked() {
		h.changed.Wait()
	}
	return db.NewBatch(), nil
}

// reader is what the task reads from.
func (s *Store) reader() pebble.Reader {
	if s.hold.index == nil {
		return s.db
	}
	s.hold.dropIndex()
	if s.hold.index == nil {
		return s.db
	}
	return s.hold.index
}
