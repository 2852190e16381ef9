package state

// AheadMax is how many cells Ahead takes at once.
const AheadMax = 64

// aheadBytes is the size from which a table is worth it: what lies in the processor's second cache needs no help.
const aheadBytes = 256 << 10

// Ahead says which keys and namespaces will be current next, in any order; nil is the zero namespace. It
// reads what their states will be found through. Reads that do not wait for one another overlap in the memory, which
// those of the records themselves, one after the other, do not: with a state larger than the processor's caches, this
// is most of the time. It changes nothing and may be left out.
func (k *Keyed[K]) Ahead(keys []K, ns []Namespace) {
	var hashes [AheadMax]uint32
	keys = keys[:min(len(keys), AheadMax)]
	for i, key := range keys {
		h := uint64(0)
		if ns != nil {
			h = hashNamespace(ns[i])
		}
		hashes[i] = uint32(k.b.hashKey(key) ^ h)
	}
	for _, t := range k.b.tables {
		k.b.seen += t.ahead(hashes[:len(keys)], ns == nil)
	}
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
	for _, h := range hashes {
		if slot, ok := t.index.first(h); ok {
			e := t.read(slot)
			seen += uint64(e.ns.A) + uint64(e.flags) // its first and its last bytes, which may lie in two cache lines
		}
	}
	return seen
}
