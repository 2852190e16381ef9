package state

import (
	"encoding/binary"
	"fmt"
	"unsafe"

	"goflink/codec"
)

// valueCodec is what a table needs of its values' codec.
type valueCodec[V any] interface {
	Append(dst []byte, v *V) []byte
	Decode(src []byte, v *V) (int, error)
	Copy(v V) V
	Flat() bool
}

// layout says how the address of an entry is written behind key group and state id. It is part of the formats.
type layout uint8

const (
	layoutPlain layout = iota // key, namespace
	layoutMap                 // key, namespace, map key
	layoutTimer               // map key (a timestamp), key, namespace
	layoutList                // key, namespace, number of the chunk (of the value)
)

// table is one state: typed entries by cell. It is the backend when env.Kind is Heap, and a write-back cache when
// there is a store.
type table[K, M comparable, V any] struct {
	slots[K, M, V]
	env    *base[K]
	meta   *stateMeta
	layout layout
	mapKey codec.KeyCodec[M] // nil for layouts without map keys
	codec  valueCodec[V]
	flat   bool

	index   index
	hashMap func(M) uint64 // nil for layouts without map keys
	chain   *chains[K, M]  // of the map entries of a key and namespace; nil for other layouts

	hints hints
	drops uint64 // entries forgotten so far
	// zero and named say that the table had entries in the zero namespace, and in others.
	zero, named bool

	// stored says that the store may hold rows of this table; as long as it does not, a miss costs no read.
	stored bool
	ref    []uint64 // bits of the entries used since the clock hand passed; only in front of a store
	hand   uint32
	avgVar float64 // average encoded size of the entries seen on their way out or in
	fixed  int64   // bytes of an entry and its index
	onDrop func(slot uint32)
	age    *aging // nil: nothing expires

	scratch entry[K, M, V]
	buf     []byte
	val     []byte
}

func newTable[K, M comparable, V any](env *base[K], meta *stateMeta, l layout, mk codec.KeyCodec[M], vc valueCodec[V]) *table[K, M, V] {
	t := &table[K, M, V]{env: env, meta: meta, layout: l, mapKey: mk, codec: vc, flat: vc.Flat(), avgVar: 32}
	t.clock = env.clock
	t.index = newIndex()
	if l == layoutMap || l == layoutTimer {
		t.hashMap = hasher[M]()
	}
	if l == layoutMap {
		t.chain = newChains[K, M]()
	}
	t.fixed = int64(unsafe.Sizeof(t.scratch)+unsafe.Sizeof(mark{})) + 16 // the index is half full on average
	env.tables = append(env.tables, t)
	return t
}

// find returns the slot of the entry for the current key and namespace and a map key.
func (t *table[K, M, V]) find(mk M) (uint32, bool) {
	if t.hashMap == nil {
		if slot, ok := t.hinted(); ok {
			return slot, true
		}
	}
	return t.findHashed(t.hash(mk), cell[K, M]{t.env.key, t.env.ns, mk})
}

// hash returns the hash of the current key and namespace with a map key.
func (t *table[K, M, V]) hash(mk M) uint32 {
	h := t.env.hash()
	if t.hashMap != nil {
		h = mix(h ^ t.hashMap(mk))
	}
	return uint32(h)
}

// findHashed returns the slot of a cell with its hash.
func (t *table[K, M, V]) findHashed(hash uint32, c cell[K, M]) (uint32, bool) {
	buckets := t.index.shard(hash).buckets
	for i := hash; ; i++ {
		b := buckets[i&uint32(len(buckets)-1)]
		if b == 0 {
			return 0, false
		}
		if uint32(b>>32) != hash {
			continue
		}
		slot := uint32(b) - 1
		if e := t.read(slot); e.key == c.key && e.ns == c.ns && e.mk == c.mk {
			return slot, true
		}
	}
}

// insert adds an entry for the current key and namespace.
func (t *table[K, M, V]) insert(mk M, flags uint8) (uint32, *entry[K, M, V]) {
	return t.insertHashed(t.hash(mk), cell[K, M]{t.env.key, t.env.ns, mk}, t.env.keyGroup(), flags)
}

// insertAt adds an entry for any key and namespace.
func (t *table[K, M, V]) insertAt(c cell[K, M], group uint16, flags uint8) (uint32, *entry[K, M, V]) {
	return t.insertHashed(t.hashOf(c), c, group, flags)
}

// hashOf is hash for any key and namespace.
func (t *table[K, M, V]) hashOf(c cell[K, M]) uint32 {
	h := t.env.hashKey(c.key) ^ hashNamespace(c.ns)
	if t.hashMap != nil {
		h = mix(h ^ t.hashMap(c.mk))
	}
	return uint32(h)
}

func (t *table[K, M, V]) insertHashed(hash uint32, c cell[K, M], group uint16, flags uint8) (uint32, *entry[K, M, V]) {
	slot, e := t.take()
	e.cell = c
	*t.mark(slot) = mark{epoch: t.clock.epoch, hash: hash, group: group, flags: flags | flagUsed}
	if flags&flagHidden == 0 {
		t.index.insert(hash, slot)
	}
	if c.ns == (Namespace{}) {
		t.zero = true
	} else {
		t.named = true
	}
	if t.chain != nil {
		t.chain.add(slot, c.key, c.ns)
	}
	if t.env.store != nil {
		t.touch(slot)
	}
	return slot, e
}

// drop forgets an entry, without a trace in the store.
func (t *table[K, M, V]) drop(slot uint32) {
	e := t.read(slot)
	if m := t.mark(slot); m.flags&flagHidden == 0 {
		t.index.remove(m.hash, slot)
	}
	if t.chain != nil {
		t.chain.remove(slot, e.key, e.ns)
	}
	if t.onDrop != nil {
		t.onDrop(slot)
	}
	t.give(slot)
	t.drops++
	t.env.version++
}

// lookup finds the entry of a cell, reading it from the store if it is only there. Without a store, or when the
// store has no row either, ok is false; in front of a store an entry that says so is left behind.
func (t *table[K, M, V]) lookup(mk M) (slot uint32, ok bool) {
	slot, ok = t.find(mk)
	if t.env.store == nil {
		return slot, ok
	}
	if !ok {
		if !t.stored {
			return 0, false
		}
		slot = t.load(mk)
	}
	t.touch(slot)
	return slot, t.mark(slot).flags&flagAbsent == 0
}

// value returns the value of a slot for reading, shared with no snapshot (frozen-values).
func (t *table[K, M, V]) value(slot uint32) V {
	if !t.flat && t.shared(slot) {
		t.unshare(slot)
	}
	return t.read(slot).val
}

// pointer returns the value of a slot for writing, and marks it as changed.
func (t *table[K, M, V]) pointer(slot uint32) *V {
	e := t.write(slot)
	if !t.flat && t.shared(slot) {
		t.unshare(slot)
	}
	if t.env.store != nil {
		t.mark(slot).flags |= flagDirty
	}
	return &e.val
}

func (t *table[K, M, V]) shared(slot uint32) bool {
	epoch := t.mark(slot).epoch
	return epoch != t.clock.epoch && epoch <= t.clock.frozen.Load()
}

func (t *table[K, M, V]) unshare(slot uint32) {
	e := t.write(slot)
	e.val = t.codec.Copy(e.val)
	t.mark(slot).epoch = t.clock.epoch
}

// get returns the value of a cell.
func (t *table[K, M, V]) get(mk M) (v V, ok bool) {
	slot, ok := t.lookup(mk)
	if !ok {
		return v, false
	}
	return t.value(slot), true
}

// set stores the value of a cell, without reading what was there.
func (t *table[K, M, V]) set(mk M, v V) uint32 {
	slot, ok := t.find(mk)
	if !ok {
		t.room()
		var e *entry[K, M, V]
		slot, e = t.insert(mk, flagDirty)
		if !t.stored {
			t.mark(slot).flags |= flagNew
		}
		e.val = v
		return slot
	}
	if t.env.store != nil {
		t.touch(slot)
	}
	t.replace(slot, v)
	return slot
}

// replace stores the value of a slot.
func (t *table[K, M, V]) replace(slot uint32, v V) {
	t.write(slot).val = v
	if t.flat && t.env.store == nil {
		return // nobody asks the mark: a cache line less
	}
	m := t.mark(slot)
	m.flags, m.epoch = m.flags&^flagAbsent|flagDirty, t.clock.epoch
}

// ptr returns the value of a cell for update, the zero value when there was none.
func (t *table[K, M, V]) ptr(mk M) (slot uint32, p *V, created bool) {
	slot, ok := t.lookup(mk)
	if !ok {
		var zero V
		slot = t.set(mk, zero)
		return slot, &t.write(slot).val, true
	}
	return slot, t.pointer(slot), false
}

// remove deletes the value of a cell.
func (t *table[K, M, V]) remove(mk M) {
	slot, ok := t.find(mk)
	switch {
	case ok:
		t.removeSlot(slot)
	case t.stored:
		t.room()
		t.insert(mk, flagDirty|flagAbsent)
	}
}

func (t *table[K, M, V]) removeSlot(slot uint32) {
	if t.env.store == nil || t.flags(slot)&flagNew != 0 {
		t.drop(slot)
		return
	}
	e := t.write(slot)
	var zero V
	e.val = zero
	t.mark(slot).flags |= flagDirty | flagAbsent
	t.env.version++
}

// appendAddress appends the address of an entry by the table's layout.
func (t *table[K, M, V]) appendAddress(dst []byte, e *entry[K, M, V]) []byte {
	if t.layout == layoutTimer {
		dst = t.mapKey.Append(dst, e.mk)
	}
	dst = t.env.codec.Append(dst, e.key)
	dst = appendNamespace(dst, e.ns)
	switch t.layout {
	case layoutMap:
		dst = t.mapKey.Append(dst, e.mk)
	case layoutList:
		if c, ok := any(&e.val).(chunked); ok {
			dst = binary.BigEndian.AppendUint64(dst, c.chunkNumber())
		}
	}
	return dst
}

// decodeAddress fills in the address of e.
func (t *table[K, M, V]) decodeAddress(src []byte, e *entry[K, M, V]) error {
	var err error
	next := func(n int, nextErr error) {
		if err == nil && nextErr == nil {
			src = src[n:]
		} else if err == nil {
			err = nextErr
		}
	}
	if t.layout == layoutTimer {
		next(t.mapKey.Decode(src, &e.mk))
	}
	if err == nil {
		next(t.env.codec.Decode(src, &e.key))
	}
	if err == nil {
		next(decodeNamespace(src, &e.ns))
	}
	if err == nil && t.layout == layoutMap {
		next(t.mapKey.Decode(src, &e.mk))
	}
	if err == nil && t.layout == layoutList && len(src) == 8 {
		src = src[8:]
	}
	if err == nil && len(src) > 0 {
		err = fmt.Errorf("%w: %d bytes behind the address", ErrCorrupt, len(src))
	}
	return err
}

// chunked is the value of a list table: its rows are numbered chunks.
type chunked interface{ chunkNumber() uint64 }

// appendNamespace writes 0 for the zero namespace, else 1 and both numbers so that they sort.
func appendNamespace(dst []byte, ns Namespace) []byte {
	if ns == (Namespace{}) {
		return append(dst, 0)
	}
	dst = binary.BigEndian.AppendUint64(append(dst, 1), uint64(ns.A)^(1<<63))
	return binary.BigEndian.AppendUint64(dst, uint64(ns.B)^(1<<63))
}

func decodeNamespace(src []byte, ns *Namespace) (int, error) {
	switch {
	case len(src) > 0 && src[0] == 0:
		*ns = Namespace{}
		return 1, nil
	case len(src) >= 17 && src[0] == 1:
		ns.A = int64(binary.BigEndian.Uint64(src[1:]) ^ (1 << 63))
		ns.B = int64(binary.BigEndian.Uint64(src[9:]) ^ (1 << 63))
		return 17, nil
	default:
		return 0, fmt.Errorf("%w: malformed namespace", ErrCorrupt)
	}
}
