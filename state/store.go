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
