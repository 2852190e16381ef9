// Package pebblestate is the pebble backend of package state: importing it makes state.Pebble available. It is a
// package of its own so that programs which hold no state, such as the client, do not link the database.
//
// A store is a database of its own in a scratch folder, written without a log: what outlives the task is in
// snapshots only. Pebble's goroutines are started by Open and ended by Close; Close also fails when a snapshot or
// iterator was left open. There are two locks: one guards the process-wide cache, hold.mu what a native snapshot keeps
// above the database (hold.go); neither is held while the other is taken or the database is written.
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
	"github.com/cockroachdb/pebble/v2/vfs"

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
	// maxManifest is when pebble begins a new list of its files: every native snapshot copies the list whole, so the
	// default of 128 MiB would be more than many states.
	maxManifest = 256 << 10
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
	db   *pebble.DB
	opts *pebble.Options
	bg   atomic.Pointer[error] // first error of a flush or compaction
	hold hold
}

// Open opens a database in o.Dir: an empty one, unless o.Existing says that its files are there.
func Open(o state.StoreOptions) (*Store, error) {
	if !o.Existing {
		if err := os.RemoveAll(o.Dir); err != nil {
			return nil, err
		}
	}
	s := &Store{}
	s.hold.init(o.MemoryBudget)
	memTable := min(maxMemTable, max(minMemTable, o.MemoryBudget/4))
	cache := cacheFor(max(o.MemoryBudget, 2*memTable+minCache))
	defer cache.Unref() // the database holds its own reference
	opts := &pebble.Options{
		FS:                          scratchFS{vfs.Default},
		Cache:                       cache,
		DisableWAL:                  true,
		MemTableSize:                uint64(memTable),
		MemTableStopWritesThreshold: 2, // one is written while the other fills
		MaxOpenFiles:                500,
		MaxManifestFileSize:         maxManifest,
		ReadOnly:                    o.ReadOnly,
		FormatMajorVersion:          pebble.FormatNewest,
		Logger:                      logger{slog.Default()},
		EventListener:               &pebble.EventListener{BackgroundError: func(err error) { s.bg.CompareAndSwap(nil, &err) }},
	}
	for i := range opts.Levels {
		opts.Levels[i].FilterPolicy = bloom.FilterPolicy(10) // most misses of a cold key then read no block
	}
	opts.EnsureDefaults()
	db, err := pebble.Open(o.Dir, opts)
	if err != nil {
		return nil, err
	}
	s.db, s.opts = db, opts
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
	v, closer, err := s.reader().Get(key)
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
func (s *Store) Iter(start, end []byte) (state.ByteIter, error) {
	from := s.reader()
	it, err := iterate(from, start, end)
	if err == nil && from != pebble.Reader(s.db) {
		s.hold.iters++
		it.done = func() { s.hold.iters-- }
	}
	return it, err
}

// NewBatch implements state.ByteStore.
func (s *Store) NewBatch() state.ByteBatch { return &batch{s: s, b: s.db.NewBatch()} }

// Snapshot implements state.ByteStore.
func (s *Store) Snapshot() (state.ByteSnapshot, error) {
	s.hold.settle()
	if err := s.failed(); err != nil {
		return nil, err
	}
	return &snapshot{s.db.NewSnapshot()}, nil
}

// Close implements state.ByteStore; the folder is the caller's to remove.
func (s *Store) Close() error {
	s.hold.settle()
	return s.db.Close()
}

type snapshot struct{ s *pebble.Snapshot }

func (s *snapshot) Iter(start, end []byte) (state.ByteIter, error) { return iterate(s.s, start, end) }

func (s *snapshot) Close() error { return s.s.Close() }

// iter keeps copies of the bounds: pebble reads them for as long as it lives, and callers reuse theirs.
type iter struct {
	it      *pebble.Iterator
	started bool
	err     error
	done    func() // called by Close, if there
}

func iterate(r pebble.Reader, start, end []byte) (*iter, error) {
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

func (i *iter) Close() error {
	err := errors.Join(i.err, i.it.Close())
	if i.done != nil {
		i.done()
	}
	return err
}

type batch struct {
	s     *Store
	b     *pebble.Batch
	n     int
	below bool // it writes below what is held
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
	b.n = 0
	if !b.below {
		var err error
		b.b, err = b.s.hold.commit(b.s.db, b.b)
		return err
	}
	if err := b.b.Commit(pebble.NoSync); err != nil {
		return err
	}
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
