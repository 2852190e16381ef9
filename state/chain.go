package state

// chains links the entries of a map table that share key and namespace, so that they can be listed. Snapshots do
// not need the links, so they lie beside the pages and are never copied.
type chains[K, M comparable] struct {
	heads map[cell[K, unit]]link
	links []link // by slot
}

// link holds slot numbers plus one; 0 is none. In heads, next is the first and prev the last entry.
type link struct{ next, prev uint32 }

func newChains[K, M comparable]() *chains[K, M] {
	return &chains[K, M]{heads: map[cell[K, unit]]link{}}
}

// add puts a slot at the end of its chain.
func (c *chains[K, M]) add(slot uint32, key K, ns Namespace) {
	for int(slot) >= len(c.links) {
		c.links = append(c.links, make([]link, pageSize)...)
	}
	at := cell[K, unit]{key: key, ns: ns}
	h := c.heads[at]
	c.links[slot] = link{prev: h.prev}
	if h.prev != 0 {
		c.links[h.prev-1].next = slot + 1
	} else {
		h.next = slot + 1
	}
	h.prev = slot + 1
	c.heads[at] = h
}

// remove takes a slot out of its chain.
func (c *chains[K, M]) remove(slot uint32, key K, ns Namespace) {
	l := c.links[slot]
	if l.prev != 0 {
		c.links[l.prev-1].next = l.next
	}
	if l.next != 0 {
		c.links[l.next-1].prev = l.prev
	}
	if l.prev != 0 && l.next != 0 {
		return
	}
	at := cell[K, unit]{key: key, ns: ns}
	h := c.heads[at]
	if l.prev == 0 {
		h.next = l.next
	}
	if l.next == 0 {
		h.prev = l.prev
	}
	if h == (link{}) {
		delete(c.heads, at)
	} else {
		c.heads[at] = h
	}
}

// first returns the first slot of a chain, and after the one behind a slot.
func (c *chains[K, M]) first(key K, ns Namespace) (uint32, bool) {
	h := c.heads[cell[K, unit]{key: key, ns: ns}]
	return h.next - 1, h.next != 0
}

func (c *chains[K, M]) after(slot uint32) (uint32, bool) {
	l := c.links[slot]
	return l.next - 1, l.next != 0
}
