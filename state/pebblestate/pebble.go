// Package pebblestate is the pebble backend of package state: importing it makes state.Pebble available. It is a
// package of its own so that programs which hold no state, such as the client, do not link the database.
//
// A store is a database of its own in a scratch folder, written without a log: what outlives the task is in
// snapshots only. Pebble's goroutines are started by Open and ended by Close; Close also fails when a snapshot or
// iterator was left open. The lock guards the process-wide cache only.
package pebblestate

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"

	"goflink/state"
)

func init() {
	state.RegisterStore(state.Pebble, func(o state.StoreOptions) (state.ByteStore, error) { return Open(o) })
}

const (
	// maxMemTable bounds a write buffer: at 16 MiB a flush makes few enough files, and the two buffers that may
	// exist at once take little of a budget; larger ones would only hold longer what the write-back cache in front
	// has merged already.
	maxMemTable = 16 << 20
	// minMemTable keeps the smallest budgets working; below it every flush is a file of a few blocks.
	minMemTable = 256 << 10
	// minCache is what a store gets at least beside its write buffers, or it would read each block from disk.
	minCache = 1 << 20
)

// shared is the cache of all stores of the process, if there is one.
var shared struct {
	sync.Mutex
	cache *pebble.Cache
}

// ShareCache makes all stores that are opened later share one block cache of this many bytes, out of which their
// write buffers are taken too; 0 gives each store a cache of its own budget again, as it is without this call. A
// worker calls it before its tasks start, with the sum of their stores' budgets.
func ShareCache(size int64) {
	shared.Lock()
	defer shared.Unlock()
	if shared.cache != nil {
		shared.cache.Unref()
		shared.cache = nil
	}
	if size > 0 {
		shared.cache = pebble.NewCache(size)
	}
}

// cacheFor returns a reference to the cache of a store.
func cacheFor(budget int64) *pebble.Cache {
	shared.Lock()
	defer shared.Unlock()
	if shared.cache != nil {
		shared.cache.Ref()
		return shared.cache
	}
	return pebble.NewCache(budget)
}

// Store is a state.ByteStore on pebble.
type Store struct {
	db *pebble.DB
	bg atomic.Pointer[error] // first error of a flush or compaction
}

// Open opens an empty database in o.Dir, whose content it removes.
func Open(o state.StoreOptions) (*Store, error) {
	if err := os.RemoveAll(o.Dir); err != nil {
		return nil, err
	}
	s := &Store{}
	memTable := min(maxMemTable, max(minMemTable, o.MemoryBudget/4))
	cache := cacheFor(max(o.MemoryBudget, 2*memTable+minCache))
	defer cache.Unref() // the database holds its own reference
	opts := &pebble.Options{
		Cache:                       cache,
		DisableWAL:                  true,
		MemTableSize:                uint64(memTable),
		MemTableStopWritesThreshold: 2, // one is written while the other fills
		MaxOpenFiles:                500,
		FormatMajorVersion:          pebble.FormatNewest,
		Logger:                      logger{slog.Default()},
		EventListener:               &pebble.EventListener{BackgroundError: func(err error) { s.bg.CompareAndSwap(nil, &err) }},
	}
	for i := range opts.Levels {
		opts.Levels[i].FilterPolicy = bloom.FilterPolicy(10) // most misses of a cold key then read no block
	}
	db, err := pebble.Open(o.Dir, opts)
	if err != nil {
		return nil, err
	}
	s.db = db
	return s, nil
}

// failed returns the error of the background, if there was one: pebble itself goes on trying for ever.
func (s *Store) failed() error {
	if err := s.bg.Load(); err != nil {
		return fmt.Errorf("pebble, in the background: %w", *err)
	}
	return nil
}

// Get implements state.ByteStore.
func (s *Store) Get(key, dst []byte) ([]byte, bool, error) {
	v, closer, err := s.db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return dst, false, nil
	}
	if err != nil {
		return dst, false, err
	}
	dst = append(dst, v...)
	return dst, true, closer.Close()
}

// Iter implements state.ByteStore.
func (s *Store) Iter(start, end []byte) (state.ByteIter, error) { return iterate(s.db, start, end) }

// NewBatch implements state.ByteStore.
func (s *Store) NewBatch() state.ByteBatch { return &batch{s: s, b: s.db.NewBatch()} }

// Snapshot implements state.ByteStore.
func (s *Store) Snapshot() (state.ByteSnapshot, error) {
	if err := s.failed(); err != nil {
		return nil, err
	}
	return &snapshot{s.db.NewSnapshot()}, nil
}

// Close implements state.ByteStore; the folder is the caller's to remove.
func (s *Store) Close() error { return s.db.Close() }

type snapshot struct{ s *pebble.Snapshot }

func (s *snapshot) Iter(start, end []byte) (state.ByteIter, error) { return iterate(s.s, start, end) }

func (s *snapshot) Close() error { return s.s.Close() }

// iter keeps copies of the bounds: pebble reads them for as long as it lives, and callers reuse theirs.
type iter struct {
	it      *pebble.Iterator
	started bool
	err     error
}

func iterate(r pebble.Reader, start, end []byte) (state.ByteIter, error) {
	it, err := r.NewIter(&pebble.IterOptions{LowerBound: bytes.Clone(start), UpperBound: bytes.Clone(end)})
	if err != nil {
		return nil, err
	}
	return &iter{it: it}, nil
}

func (i *iter) Next() bool {
	if !i.started {
		i.started = true
		return i.it.First()
	}
	return i.it.Next()
}

func (i *iter) Key() []byte { return i.it.Key() }

func (i *iter) Value() []byte {
	v, err := i.it.ValueAndErr()
	if err != nil && i.err == nil {
		i.err = err
	}
	return v
}

func (i *iter) Close() error { return errors.Join(i.err, i.it.Close()) }

type batch struct {
	s *Store
	b *pebble.Batch
	n int
}

func (b *batch) Set(key, value []byte) error {
	b.n++
	return b.b.Set(key, value, nil)
}

func (b *batch) Delete(key []byte) error {
	b.n++
	return b.b.Delete(key, nil)
}

func (b *batch) DeleteRange(start, end []byte) error {
	b.n++
	return b.b.DeleteRange(start, end, nil)
}

func (b *batch) Len() int { return b.n }

func (b *batch) Commit() error {
	if err := b.s.failed(); err != nil {
		return err
	}
	if b.n == 0 {
		return nil
	}
	if err := b.b.Commit(pebble.NoSync); err != nil {
		return err
	}
	b.n = 0
	if err := b.b.Close(); err != nil {
		return err
	}
	b.b = b.s.db.NewBatch()
	return nil
}

func (b *batch) Close() error { return b.b.Close() }

// logger passes on what pebble has to say; its routine messages are for debugging only.
type logger struct{ log *slog.Logger }

func (l logger) Infof(format string, args ...any) {
	l.log.Debug("pebble: " + fmt.Sprintf(format, args...))
}

func (l logger) Errorf(format string, args ...any) {
	l.log.Error("pebble: " + fmt.Sprintf(format, args...))
}

// Fatalf must not return: pebble calls it when it cannot keep its promises.
func (l logger) Fatalf(format string, args ...any) {
	panic("pebble: " + fmt.Sprintf(format, args...))
}
