package state

import (
	"encoding/binary"
	"fmt"
	"slices"

	"goflink/codec"
)

// maxChunk is how many elements of a list are held in front of a store before they are written as a row of their
// own: so a list that grows costs no rewriting, and one key's list does not fill the memory.
const maxChunk = 1024

// chunk is a numbered run of a list's elements. On the heap a list is one chunk; in front of a store the table
// holds the last chunk, and the store the ones before it; if a native snapshot wrote the last one there too, it is the
// table's that counts.
type chunk[E any] struct {
	number uint64
	items  []E
}

func (c *chunk[E]) chunkNumber() uint64 { return c.number }

// chunkCodec encodes the elements of a chunk: their number, then each.
type chunkCodec[E any] struct{ elem codec.Codec[E] }

func (c chunkCodec[E]) Append(dst []byte, v *chunk[E]) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(v.items)))
	for i := range v.items {
		dst = c.elem.Append(dst, &v.items[i])
	}
	return dst
}

func (c chunkCodec[E]) Decode(src []byte, v *chunk[E]) (int, error) {
	return decodeChunk(src, v, c.elem.Decode)
}

func decodeChunk[E any](src []byte, v *chunk[E], elem func([]byte, *E) (int, error)) (int, error) {
	count, pos := binary.Uvarint(src)
	if pos <= 0 {
		return 0, fmt.Errorf("%w: number of list elements", ErrCorrupt)
	}
	// Elements may take no bytes at all (struct{}), so the count bounds nothing: the slice grows as they come.
	for range count {
		var e E
		n, err := elem(src[pos:], &e)
		if err == errExpired {
			pos += n
			continue
		}
		if err != nil {
			return pos, err
		}
		if n == 0 && len(v.items) > 1<<24 {
			return pos, fmt.Errorf("%w: impossible number of list elements", ErrCorrupt)
		}
		v.items = append(v.items, e)
		pos += n
	}
	return pos, nil
}

// Copy need not copy the slice of flat elements: what a snapshot sees of it is never written, because elements are
// only appended behind.
func (c chunkCodec[E]) Copy(v chunk[E]) chunk[E] {
	items := make([]E, len(v.items))
	for i := range items {
		items[i] = c.elem.Copy(v.items[i])
	}
	return chunk[E]{v.number, items}
}

func (c chunkCodec[E]) Flat() bool { return c.elem.Flat() }

// NewList declares a list state.
func NewList[K comparable, V any](k *Keyed[K], d Desc[V]) (List[V], error) {
	c, err := codecOr(d.Codec)
	if err != nil {
		return nil, err
	}
	if d.TTL.on() {
		return newTTLList(k, d, c)
	}
	s, err := k.declare(stateMeta{Kind: kindList, Name: d.Name, Value: c.Schema()})
	if err != nil {
		return nil, err
	}
	read, err := reader(s, c, k.b.now())
	if err != nil {
		return nil, err
	}
	t := newTable[K, unit, chunk[V]](&k.b, s.meta, layoutList, nil, chunkCodec[V]{c})
	l := &listState[K, V]{t: t, b: &k.b}
	if err := claim(k, s, t, chunkReader(s.meta, read)); err != nil {
		return nil, err
	}
	return l, nil
}

// chunkReader returns the decoder of restored chunks, which gives them new numbers in their order. A chunk of which
// nothing is left is expired as a whole.
func chunkReader[E any](m *stateMeta, read func([]byte, *E) (int, error)) func([]byte, *chunk[E]) (int, error) {
	return func(src []byte, v *chunk[E]) (int, error) {
		v.number = m.Next
		m.Next++
		n, err := decodeChunk(src, v, read)
		if err == nil && len(v.items) == 0 {
			err = errExpired
		}
		return n, err
	}
}

type listState[K comparable, V any] struct {
	t *table[K, unit, chunk[V]]
	b *base[K]
}

// Add does not copy the chunk for a snapshot, which sees only what lies before the new element.
func (s *listState[K, V]) Add(v V) {
	e, slot := s.tail()
	e.val.items = append(e.val.items, v)
	s.seal(e, slot)
}

func (s *listState[K, V]) AddAll(vs []V) {
	if len(vs) == 0 {
		return
	}
	e, slot := s.tail()
	e.val.items = append(e.val.items, vs...)
	s.seal(e, slot)
}

// tail returns the entry to append to.
func (s *listState[K, V]) tail() (*entry[K, unit, chunk[V]], uint32) {
	slot, ok := s.t.find(unit{})
	if !ok {
		slot = s.t.set(unit{}, chunk[V]{number: s.t.meta.Next})
		s.t.meta.Next++
	}
	e := s.t.write(slot)
	s.t.mark(slot).flags |= flagDirty | flagNew
	return e, slot
}

// seal writes a full chunk to the store, if there is one.
func (s *listState[K, V]) seal(e *entry[K, unit, chunk[V]], slot uint32) {
	if s.b.store == nil {
		return
	}
	s.t.touch(slot)
	if len(e.val.items) < maxChunk {
		return
	}
	if err := s.t.writeBack(slot, s.b.batch); err != nil {
		s.b.fail(s.t.meta.wrap("write", err))
	}
	s.b.commit(s.t.meta)
	s.t.drop(slot)
}

func (s *listState[K, V]) Each(f func(v V) bool) {
	// The last chunk is taken first: f may cause it to be written to the store, behind the iterator's back.
	var last chunk[V]
	slot, held := s.t.find(unit{})
	if held {
		last = s.t.value(slot)
	}
	more := true
	if s.t.stored {
		s.t.eachRow(func(rest, val []byte) (bool, error) {
			if held && len(rest) == 8 && binary.BigEndian.Uint64(rest) == last.number {
				return more, nil
			}
			var c chunk[V]
			n, err := s.t.codec.Decode(val, &c)
			if err == nil && n != len(val) {
				err = errTrailing
			}
			for i := 0; i < len(c.items) && err == nil && more; i++ {
				more = f(c.items[i])
			}
			return more, err
		})
	}
	for i := 0; i < len(last.items) && more; i++ {
		more = f(last.items[i])
	}
}

func (s *listState[K, V]) Get() []V {
	var all []V
	if !s.t.stored {
		if slot, ok := s.t.find(unit{}); ok {
			all = slices.Clone(s.t.value(slot).items)
		}
		return all
	}
	s.Each(func(v V) bool {
		all = append(all, v)
		return true
	})
	return all
}

func (s *listState[K, V]) Empty() bool {
	if _, ok := s.t.find(unit{}); ok {
		return false
	}
	empty := true
	s.Each(func(V) bool {
		empty = false
		return false
	})
	return empty
}

func (s *listState[K, V]) Set(vs []V) {
	s.Clear()
	s.AddAll(vs)
}

func (s *listState[K, V]) Clear() {
	if slot, ok := s.t.find(unit{}); ok {
		s.t.drop(slot)
	}
	if s.t.stored {
		s.t.deletePrefix()
	}
}
