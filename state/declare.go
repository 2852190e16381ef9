package state

import (
	"encoding/binary"
	"errors"
	"fmt"

	"goflink/codec"
)

// restored is a state that was declared, or restored and not declared yet.
type restored struct {
	meta   *stateMeta
	old    *codec.Schema // of the values as they were restored; nil for states that were not, and for timers
	oldTTL int64         // their time to live
	age    *aging        // once declared with a time to live
	known  bool          // it was restored
	rows   rawRows       // on the heap: what was restored, until the state is declared
	table  tableOps      // once declared
}

// same says that two states cannot be told apart by name: timers have names of their own.
func (m *stateMeta) same(o *stateMeta) bool {
	timers := func(k stateKind) stateKind {
		if k <= kindMap {
			return kindValue
		}
		return k
	}
	return m.Name == o.Name && timers(m.Kind) == timers(o.Kind)
}

// declare finds what was restored under a name, or adds a state.
func (k *Keyed[K]) declare(m stateMeta) (*restored, error) {
	if m.Name == "" {
		return nil, errors.New("state: a state needs a name")
	}
	for _, s := range k.states {
		if !s.meta.same(&m) {
			continue
		}
		if s.table != nil {
			return nil, fmt.Errorf("state: %s state %q is declared twice", m.Kind, m.Name)
		}
		if err := s.meta.accepts(&m); err != nil {
			return nil, err
		}
		s.meta.Value, s.meta.TTL = m.Value, m.TTL
		return s, nil
	}
	return k.addState(&m)
}

func (k *Keyed[K]) addState(m *stateMeta) (*restored, error) {
	if len(k.states) >= 1<<16 {
		return nil, errors.New("state: more than 65536 states")
	}
	m.ID = uint16(len(k.states))
	s := &restored{meta: m}
	k.states = append(k.states, s)
	return s, nil
}

// accepts compares what was restored with a declaration, values apart.
func (m *stateMeta) accepts(d *stateMeta) error {
	if m.Kind != d.Kind {
		return fmt.Errorf("%w: state %q was a %s and is declared as a %s; give the new one another name", ErrIncompatible, m.Name, m.Kind, d.Kind)
	}
	if !m.MapKey.Equal(d.MapKey) {
		return fmt.Errorf("%w: the map keys of state %q changed:\n%s\nkeys cannot change; give the new state another name", ErrIncompatible, m.Name, m.MapKey.Diff(d.MapKey))
	}
	return nil
}

// reader returns the decoder of the restored values of s, for a state without a time to live.
func reader[V any](s *restored, c codec.Codec[V], now int64) (func(src []byte, v *V) (int, error), error) {
	read, err := valueReader(s, c)
	if err == nil && s.oldTTL > 0 {
		read = untimedReader(read, now-s.oldTTL)
	}
	return read, err
}

// valueReader is reader apart from times.
func valueReader[V any](s *restored, c codec.Codec[V]) (func(src []byte, v *V) (int, error), error) {
	if !s.known || s.old.Equal(c.Schema()) {
		return c.Decode, nil
	}
	fail := func(err error) error {
		return fmt.Errorf("%w: %s state %q:\n%s\n%w", ErrIncompatible, s.meta.Kind, s.meta.Name, s.old.Diff(c.Schema()), err)
	}
	compiled, err := codec.For[V]()
	if err != nil {
		return nil, fail(err)
	}
	if !compiled.Schema().Equal(c.Schema()) {
		return nil, fail(errors.New("the state's own codec cannot read older schemas"))
	}
	read, err := codec.Resolve[V](s.old)
	if err != nil {
		return nil, fail(err)
	}
	return read, nil
}

// claim gives the restored rows of s to its table.
func claim[K, M comparable, V any](k *Keyed[K], s *restored, t *table[K, M, V], read func([]byte, *V) (int, error)) error {
	s.table = t
	if !s.known {
		return nil
	}
	if k.b.store != nil {
		t.stored = true
		if s.old.Equal(s.meta.Value) && (s.oldTTL > 0) == (s.meta.TTL > 0) {
			return nil
		}
		return t.migrate(read)
	}
	err := s.rows.each(func(group uint16, address, val []byte) error {
		return t.loadRow(group, address, val, read)
	})
	s.rows = rawRows{}
	if err != nil {
		return s.meta.wrap("restore", err)
	}
	return nil
}

// loadRow adds a restored row to the heap.
func (t *table[K, M, V]) loadRow(group uint16, address, val []byte, read func([]byte, *V) (int, error)) error {
	var e entry[K, M, V]
	if err := t.decodeAddress(address, &e); err != nil {
		return err
	}
	n, err := read(val, &e.val)
	if errors.Is(err, errExpired) {
		return nil
	}
	if err != nil {
		return err
	}
	if n != len(val) {
		return errTrailing
	}
	if slot, ok := t.findAt(e.cell); ok {
		if t.layout != layoutList {
			return fmt.Errorf("%w: two rows for one key", ErrCorrupt)
		}
		into, _ := any(&t.write(slot).val).(interface{ appendChunk(from any) }) // list tables hold chunks
		into.appendChunk(&e.val)
		return nil
	}
	_, at := t.insertAt(e.cell, group, flagDirty|flagNew)
	at.val = e.val
	return nil
}

func (c *chunk[E]) appendChunk(from any) {
	if f, ok := from.(*chunk[E]); ok {
		c.items = append(c.items, f.items...)
	}
}

func (t *table[K, M, V]) findAt(c cell[K, M]) (uint32, bool) { return t.findHashed(t.hashOf(c), c) }

// migrateBatch is how many rows a migration writes at once.
const migrateBatch = 1000

// migrate rewrites the rows of the table in the store under the new schema.
func (t *table[K, M, V]) migrate(read func([]byte, *V) (int, error)) error {
	b := t.env.batch
	err := t.eachStored(func(key, val []byte) error {
		var v V
		n, err := read(val, &v)
		switch {
		case errors.Is(err, errExpired):
			err = b.Delete(key)
		case err == nil && n != len(val):
			err = errTrailing
		case err == nil:
			t.val = t.codec.Append(t.val[:0], &v)
			err = b.Set(key, t.val)
		}
		if err != nil || b.Len() < migrateBatch {
			return err
		}
		return b.Commit()
	})
	if err == nil {
		err = b.Commit()
	}
	if err != nil {
		return t.meta.wrap("migrate", err)
	}
	return nil
}

// eachStored visits all rows of the table in the store, as they were when their key group's turn came.
func (t *table[K, M, V]) eachStored(f func(key, val []byte) error) error {
	for g := t.env.groups.Start; g < t.env.groups.End; g++ {
		start := storeKey(nil, uint16(g), t.meta.ID)
		it, err := t.env.store.Iter(start, prefixEnd(start))
		if err != nil {
			return err
		}
		for err == nil && it.Next() {
			err = f(it.Key(), it.Value())
		}
		if closeErr := it.Close(); err == nil {
			err = closeErr
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// eachCell makes each key and namespace with a value current and calls f.
func (t *table[K, M, V]) eachCell(f func() error) error {
	if t.env.store == nil {
		return t.eachHeapCell(f)
	}
	if err := t.spill(t.env.batch); err != nil {
		return t.meta.wrap("write", err)
	}
	var last []byte
	return t.eachStored(func(key, _ []byte) error {
		var e entry[K, M, V]
		if err := t.decodeAddress(key[4:], &e); err != nil {
			return err
		}
		prefix := appendNamespace(t.env.codec.Append(key[:2:2], e.key), e.ns)
		if string(prefix) == string(last) {
			return nil
		}
		last = prefix
		t.env.setKey(e.key)
		t.env.setNamespace(e.ns)
		return f()
	})
}

// eachHeapCell lists the cells before it calls f, because f may remove and add entries.
func (t *table[K, M, V]) eachHeapCell(f func() error) error {
	var at []cell[K, unit]
	if t.chain != nil {
		for c := range t.chain.heads {
			at = append(at, c)
		}
	} else {
		for slot := range uint32(len(t.pages)) << pageShift {
			if e := t.read(slot); t.mark(slot).flags&flagUsed != 0 {
				at = append(at, cell[K, unit]{key: e.key, ns: e.ns})
			}
		}
	}
	for _, c := range at {
		t.env.setKey(c.key)
		t.env.setNamespace(c.ns)
		if err := f(); err != nil {
			return err
		}
	}
	return nil
}

// rawRows holds encoded rows in the order in which they were read: group, address and value, with lengths. They
// are never changed once the restore is over.
type rawRows struct {
	parts [][]byte
}

// rawPart is the size of a part: large enough not to be many, small enough that a growing one is cheap to move.
const rawPart = 1 << 20

func (r *rawRows) add(group uint16, address, val []byte) {
	if n := len(r.parts); n == 0 || len(r.parts[n-1]) >= rawPart {
		r.parts = append(r.parts, make([]byte, 0, 4096))
	}
	p := &r.parts[len(r.parts)-1]
	*p = appendBytes(appendBytes(binary.BigEndian.AppendUint16(*p, group), address), val)
}

func (r *rawRows) each(f func(group uint16, address, val []byte) error) error {
	for _, p := range r.parts {
		for in := (fields{src: p}); len(in.src) > 0; {
			group := binary.BigEndian.Uint16(in.src)
			in.src = in.src[2:]
			if err := f(group, in.bytes(), in.bytes()); err != nil {
				return err
			}
		}
	}
	return nil
}
