package state

import (
	"fmt"
	"sync"
)

// ByteStore is an ordered store of byte keys on local disk, the part of a backend that is not typed. One task owns
// it; only snapshots are read from other goroutines. It is scratch: its content is gone with Close.
type ByteStore interface {
	// Get appends the value of key to dst.
	Get(key, dst []byte) (val []byte, found bool, err error)
	// Iter iterates over [start, end) as it is now.
	Iter(start, end []byte) (ByteIter, error)
	NewBatch() ByteBatch
	// Snapshot is a consistent view that may be read from another goroutine.
	Snapshot() (ByteSnapshot, error)
	Close() error
}

// FileStore is a ByteStore whose content can be handed out as files, for native snapshots.
//
// A snapshot is taken in a window: Hold opens it on the task's goroutine; until Resume, which any goroutine calls
// once, what the task commits is kept above the files, where only the task sees it. Within the window another
// goroutine writes through Below and calls Link.
type FileStore interface {
	ByteStore
	// Hold opens a window. It waits until an earlier one is over and what it held is written.
	Hold() error
	// Below makes a batch that writes below what is held. It is used within a window by one goroutine.
	Below() ByteBatch
	// Link makes dir, which must be on the same file system and not exist, a copy of the store without what is held,
	// by hard links. Tables in it have names that end in ".sst"; a table's name is never used again by the store for
	// another content.
	Link(dir string) error
	// Resume closes the window and writes what was held; it returns when all is written.
	Resume()
	// Clip removes all rows outside [start, end), without rewriting others.
	Clip(start, end []byte) error
	// Ingest adds rows, which emit is called with in the order of their keys and none of which may be there yet; dir
	// is for files under way.
	Ingest(dir string, rows func(emit func(key, val []byte) error) error) error
}

// ByteIter iterates in key order. It starts before the first entry. Key and Value are good until the next call.
type ByteIter interface {
	Next() bool
	Key() []byte
	Value() []byte
	// Close returns the error that ended the iteration early, if any.
	Close() error
}

// ByteBatch collects writes, which Commit makes visible together and which empties it.
type ByteBatch interface {
	Set(key, value []byte) error
	Delete(key []byte) error
	DeleteRange(start, end []byte) error
	Len() int // operations since the last Commit
	Commit() error
	Close() error
}

// ByteSnapshot is a consistent view of a ByteStore.
type ByteSnapshot interface {
	Iter(start, end []byte) (ByteIter, error)
	Close() error
}

// StoreOptions is what a store is opened with.
type StoreOptions struct {
	Dir          string // a folder of its own, made and removed by the store
	MemoryBudget int64  // bytes for write buffers and blocks
	Existing     bool   // open the files in Dir (of a native snapshot) instead of an empty store
	ReadOnly     bool   // only Iter and Get are used
}

// StoreFactory opens a ByteStore.
type StoreFactory func(o StoreOptions) (ByteStore, error)

var factories struct {
	sync.Mutex
	byKind map[BackendKind]StoreFactory
}

// RegisterStore makes a backend with a store available. The package that implements it calls this when it is
// initialised, so that programs which do not import it do not link it.
func RegisterStore(kind BackendKind, f StoreFactory) {
	factories.Lock()
	defer factories.Unlock()
	if factories.byKind == nil {
		factories.byKind = map[BackendKind]StoreFactory{}
	}
	factories.byKind[kind] = f
}

func openStore(kind BackendKind, o StoreOptions) (ByteStore, error) {
	factories.Lock()
	f := factories.byKind[kind]
	factories.Unlock()
	if f == nil {
		return nil, fmt.Errorf("state: backend %s is not linked into this program; import goflink/state/pebblestate", kind)
	}
	return f(o)
}

// String is the backend's name in state.backend.type.
func (b BackendKind) String() string {
	switch b {
	case Heap:
		return "hashmap"
	case Pebble:
		return "pebble"
	default:
		return fmt.Sprintf("backend %d", uint8(b))
	}
}
