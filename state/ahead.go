package state

// AheadMax is how many cells Ahead takes at once.
const AheadMax = 64

// aheadBytes is the size from which a table is worth it: what lies in the processor's second cache needs no help.
var aheadBytes int64 = 256 << 10

// hints are the slots that the last Ahead found, in the order of its keys. They are only hints: whoever takes one makes
// sure that the entry is the right one.
type hints struct {
	slots [AheadMax]uint32 // plus one; 0: none
	n     uint32
	drops uint64 // of the table at that time: a slot that was given up may look like that of a zero key
}

// Ahead says which keys and namespaces will be current next; a nil ns is the zero namespace. It reads what their
// states will be found through. Reads that do not wait for one another overlap in the memory, which those of the
// records themselves, one after the other, do not: with a state larger than the processor's caches, this is most of
// the time. When SetKey follows for the same keys in the same order, it also spares them the search. It changes
// nothing and may be left out.
func (k *Keyed[K]) Ahead(keys []K, ns []Namespace) {
	var hashes [AheadMax]uint32
	keys = keys[:min(len(keys), AheadMax)]
	last, lastHash := Namespace{}, uint64(0)
	for i, key := range keys {
		if ns != nil && ns[i] != last {
			last, lastHash = ns[i], hashNamespace(ns[i])
		}
		hashes[i] = uint32(k.b.hashKey(key) ^ lastHash)
	}
	for _, t := range k.b.tables {
		k.b.seen += t.ahead(hashes[:len(keys)], ns == nil)
	}
	k.b.turn = ^uint32(0) // SetKey makes it 0
}

// Wide says whether Ahead is worth its while.
func (k *Keyed[K]) Wide() bool {
	for _, t := range k.b.tables {
		if t.wide() {
			return true
		}
	}
	return false
}

func (t *table[K, M, V]) wide() bool { return t.hashMap == nil && int64(t.live)*t.fixed >= aheadBytes }

// ahead reads the index, and then the entries, of some hashes. What it returns only keeps the reads from being left
// out.
func (t *table[K, M, V]) ahead(hashes []uint32, zero bool) (seen uint64) {
	if !t.wide() || zero && !t.zero || !zero && !t.named {
		return 0
	}
	for _, h := range hashes {
		buckets := t.index.shard(h).buckets
		seen += buckets[h&uint32(len(buckets)-1)]
	}
	hints := &t.hints
	hints.n, hints.drops = uint32(len(hashes)), t.drops
	for i, h := range hashes {
		slot := t.index.first(h)
		if hints.slots[i&(AheadMax-1)] = slot; slot != 0 {
			seen += uint64(t.read(slot - 1).ns.A)
		}
	}
	return seen
}

// hinted returns the slot that Ahead found for the current key and namespace, if it was the right one.
func (t *table[K, M, V]) hinted() (uint32, bool) {
	turn := t.env.turn
	if turn >= t.hints.n || t.hints.drops != t.drops {
		return 0, false
	}
	slot := t.hints.slots[turn&(AheadMax-1)]
	if slot == 0 {
		return 0, false
	}
	e := t.read(slot - 1)
	return slot - 1, e.key == t.env.key && e.ns == t.env.ns
}
