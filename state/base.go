package state

import (
	"fmt"

	"goflink/codec"
)

// base is what the tables of one Keyed share: the current key and namespace, the store and the clock.
type base[K comparable] struct {
	codec  codec.KeyCodec[K]
	clock  *clock
	maxPar int
	groups Range
	store  ByteStore // nil: heap
	batch  ByteBatch // empty between operations
	budget int64     // bytes of entries in front of the store
	tables []tableOps
	// inserts counts what was added in front of the store.
	inserts uint64

	key K
	ns  Namespace
	// version changes whenever a slot that a handle remembers may no longer be that of the current cell.
	version uint64
	// group is the key group of key when grouped says so, and keyHash its hash when hashed does.
	group   uint16
	grouped bool
	hashed  bool
	keyHash uint64
	nsHash  uint64 // of ns
	hashKey func(K) uint64
	groupOf func(K) int

	// turn is which of the keys of the last Ahead is current, if it still is one of them.
	turn uint32
	seen uint64 // see table.ahead

	now func() int64 // processing time in milliseconds
	// onKey runs for each record: the clean-up of states that ask for it.
	onKey []func()

	err error
}

// tableOps is what is done to tables of any type.
type tableOps interface {
	freeze() frozenTable
	// shares says that the store will have rows of the table, because a native snapshot writes them there.
	shares()
	bytes() int64
	evict(want int64, b ByteBatch) (int64, error)
	spill(b ByteBatch) error
	eachCell(f func() error) error
	wide() bool
	ahead(hashes []uint32, zero bool) uint64
}

// fail keeps the first error.
func (b *base[K]) fail(err error) {
	if b.err == nil {
		b.err = err
	}
}

// keyGroup returns the key group of the current key. It is computed only when an entry is added or the store is
// asked: a hit in the table needs none.
func (b *base[K]) keyGroup() uint16 {
	if !b.grouped {
		if b.ns == noKey {
			b.fail(errNoKey)
			return uint16(b.groups.Start)
		}
		g := b.groupOf(b.key)
		if !b.groups.Contains(g) {
			b.fail(fmt.Errorf("state: key %v belongs to key group %d, which is not among those of this subtask, %s; does the key selector return the same key each time?", b.key, g, b.groups))
		}
		b.group, b.grouped = uint16(g), true
	}
	return b.group
}

// setKey makes key the current one.
func (b *base[K]) setKey(key K) {
	b.key, b.grouped, b.hashed = key, false, false
	b.turn++
	b.version++
}

// cleanUp is what SetKey does when some state cleans up at every record; it is apart so that SetKey stays small.
func (b *base[K]) cleanUp() {
	for _, f := range b.onKey {
		f()
	}
}

func (b *base[K]) setNamespace(ns Namespace) {
	b.ns, b.nsHash = ns, hashNamespace(ns)
	b.version++
}

// hash returns the hash of the current key and namespace.
func (b *base[K]) hash() uint64 {
	if !b.hashed {
		b.keyHash, b.hashed = b.hashKey(b.key), true
	}
	return b.keyHash ^ b.nsHash
}

// hashNamespace returns 0 for the zero namespace.
func hashNamespace(ns Namespace) uint64 {
	if ns == (Namespace{}) {
		return 0
	}
	return mix(uint64(ns.A) ^ mix(uint64(ns.B)))
}

// shrink evicts entries when the tables hold more than the budget, down to fifteen sixteenths of it, so that the
// batch that writes them is worth its while.
func (b *base[K]) shrink() {
	total := int64(0)
	for _, t := range b.tables {
		total += t.bytes()
	}
	if total <= b.budget {
		return
	}
	want := total - b.budget + b.budget/16
	for _, t := range b.tables {
		share := int64(float64(want) * float64(t.bytes()) / float64(total))
		if _, err := t.evict(share, b.batch); err != nil {
			b.fail(fmt.Errorf("state: write back to the store: %w", err))
			return
		}
	}
	if err := b.batch.Commit(); err != nil {
		b.fail(fmt.Errorf("state: write back to the store: %w", err))
	}
}

// commit makes the batch visible.
func (b *base[K]) commit(m *stateMeta) {
	if b.batch.Len() == 0 {
		return
	}
	if err := b.batch.Commit(); err != nil {
		b.fail(m.wrap("write", err))
	}
}
