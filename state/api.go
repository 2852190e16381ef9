package state

import (
	"context"
	"fmt"
	"io"
	"time"

	"goflink/codec"
)

// Namespace separates the values of one key: the start and end of a window in milliseconds; zero for plain
// keyed state.
type Namespace struct{ A, B int64 }

// BackendKind names a state backend.
type BackendKind uint8

// The backends: Heap keeps typed maps in memory, Pebble an LSM database on local disk behind a write-back cache.
// Pebble needs the package goflink/state/pebblestate to be linked in.
const (
	Heap BackendKind = iota
	Pebble
)

// Env is what a keyed task gives to its state.
type Env struct {
	Kind           BackendKind
	Dir            string // local scratch folder, used and emptied by Pebble
	Range          Range  // key groups of this subtask
	MaxParallelism int
	MemoryBudget   int64 // bytes that Pebble may use for the write-back cache and memtables; 0: 64 MiB
	Restore        []Handle
	// Open opens the bytes of a handle; a result that is an io.ReaderAt is read only where needed. Required
	// when Restore is not empty.
	Open func(ctx context.Context, h Handle) (io.ReadCloser, error)
	// Now is the processing time that TTLs go by; nil means time.Now.
	Now func() time.Time
	// Fetch puts the tables of a native snapshot into a folder that exists, verified, under the names that they had
	// when they were taken. live tells that they become the task's own store, so that its next snapshots may refer to
	// them; otherwise they are only read. Required when Restore holds native snapshots.
	Fetch func(ctx context.Context, h Handle, dir string, live bool) error
	// Context bounds the restore in OpenKeyed; nil means context.Background().
	Context context.Context
}

// Handle says where a snapshot lies. Location is the caller's; the rest comes from SnapshotInfo.
type Handle struct {
	Location string
	SnapshotInfo
}

// SnapshotInfo describes the bytes that WriteTo wrote.
type SnapshotInfo struct {
	Kind         SnapshotKind
	Version      uint8
	CheckpointID int64
	Range        Range
	Bytes        int64
	// Offsets has one entry per key group of Range and one for the end: the rows of group g lie in
	// [Offsets[g-Range.Start], Offsets[g-Range.Start+1]).
	Offsets []int64
}

// SnapshotKind says what form a snapshot has.
type SnapshotKind uint8

// The kinds: Canonical is the backend-neutral format, one stream of rows. Native is what the store keeps on disk: its
// tables, which snapshots share as long as they do not change, and a description of them.
const (
	Canonical SnapshotKind = 1
	Native    SnapshotKind = 2
)

// Snapshot is the asynchronous part of a snapshot. WriteTo may run on any goroutine while the task goes on.
type Snapshot interface {
	WriteTo(ctx context.Context, w io.Writer) (SnapshotInfo, error)
	// Release frees what the snapshot holds. It must be called, once WriteTo is no longer running; more than
	// once is fine.
	Release()
}

// String is "canonical" or "native".
func (k SnapshotKind) String() string {
	switch k {
	case Canonical:
		return "canonical"
	case Native:
		return "native"
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

// NativeSnapshot is a snapshot that hands out the store's files. WriteTo writes the description of them, without the
// tables; it must come after Link.
type NativeSnapshot interface {
	Snapshot
	// Link writes what was changed since the last snapshot into the store and links its files. It may run on any
	// goroutine, and should run soon: what the task commits until then is held in memory. It is called once.
	Link(ctx context.Context) error
	// Tables are the tables of the store, after Link. They stay until Release.
	Tables() []TableFile
}

// TableFile is a table of a store. Tables of one Keyed with the same name have the same content, always.
type TableFile struct {
	Name string
	Path string // on local disk
	Size int64
}

// Desc declares a value or list state. Codec may be nil: then it is compiled from V.
type Desc[V any] struct {
	Name  string
	Codec codec.Codec[V]
	TTL   *TTL // nil: nothing expires
}

// MapDesc declares a map state. Nil codecs are compiled from the types.
type MapDesc[MK comparable, V any] struct {
	Name  string
	Key   codec.KeyCodec[MK]
	Codec codec.Codec[V]
	TTL   *TTL // nil: nothing expires
}

// Value is one value per key and namespace.
type Value[V any] interface {
	// Get returns the value of the current key and namespace. What it refers to belongs to the state: change it
	// through Set, Ptr or Update only.
	Get() (V, bool)
	Set(v V)
	Clear()
	// Ptr returns the value for update in place, the zero value being stored when there was none (created).
	// The pointer is good until the next call on the same Keyed or any of its handles.
	Ptr() (p *V, created bool)
	// Update calls f with the value for update in place, under the rule of Ptr: f calls nothing else on the same
	// Keyed. Prefer Ptr on hot paths: a closure may allocate.
	Update(f func(v *V))
}

// List is a list per key and namespace. Its elements belong to the state and are not to be changed.
type List[V any] interface {
	Add(v V)
	AddAll(vs []V)
	// Each visits the elements in the order in which they were added, until f returns false.
	Each(f func(v V) bool)
	// Get returns all elements in a new slice.
	Get() []V
	Empty() bool
	// Set replaces the list.
	Set(vs []V)
	Clear()
}

// Map is a map per key and namespace.
type Map[MK comparable, V any] interface {
	Get(k MK) (V, bool)
	Put(k MK, v V)
	// Ptr returns the value of k for update in place, as Value.Ptr does.
	Ptr(k MK) (p *V, created bool)
	Delete(k MK)
	// Each visits the entries in an unspecified order until f returns false. f may change the entry it is given,
	// and no other one.
	Each(f func(k MK, v V) bool)
	Len() int
	Empty() bool
	Clear()
}
