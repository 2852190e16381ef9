package stream

import (
	"bytes"
	"fmt"
	"reflect"

	"goflink/codec"
	"goflink/dataflow"
)

// BroadcastState is a map that every subtask of an operator holds whole, in
// memory: what records of a broadcast input put there, the same in all subtasks
// (Flink's BroadcastState). It is read anywhere in the operator's function, and
// written with the context of OnBroadcast only, which no other method has.
// What Get and Each return belongs to the state: change it through Put.
//
// It is part of every checkpoint, once for each subtask; at a restore each
// subtask takes one copy, whatever the parallelism.
type BroadcastState[MK comparable, V any] struct{ s *broadcastMap[MK, V] }

// BroadcastWriter is the right to write broadcast state; *BroadcastCtx has it.
type BroadcastWriter interface{ writes(b *broadcastStates) bool }

// NewBroadcastState declares a broadcast state in the factory of ProcessBroadcast
// or RunBroadcast.
func NewBroadcastState[MK comparable, V any, K comparable](s *Setup[K], name string) BroadcastState[MK, V] {
	var none BroadcastState[MK, V]
	c, err := codec.For[broadcastEntry[MK, V]]()
	switch {
	case s.broadcast == nil:
		err = fmt.Errorf("broadcast state %q: it needs a broadcast stream, use ProcessBroadcast or RunBroadcast", name)
	case name == "" || name[0] == '_':
		err = fmt.Errorf("state name %q: it must not be empty or begin with an underscore", name)
	case err != nil:
		err = fmt.Errorf("state %q: %w", name, err)
	}
	if err != nil {
		s.fail(err)
		return none
	}
	if s.b == nil {
		s.record(name, "broadcast", reflect.TypeFor[map[MK]V]().String(), c.Schema())
		return none
	}
	m := &broadcastMap[MK, V]{name: name, codec: c, m: map[MK]V{}, all: s.broadcast}
	if err := m.restore(s.broadcast.restored); err != nil {
		s.fail(fmt.Errorf("state %q: %w", name, err))
		return none
	}
	s.broadcast.maps = append(s.broadcast.maps, m)
	return BroadcastState[MK, V]{m}
}

// Get returns the value of k, and false when there is none.
func (s BroadcastState[MK, V]) Get(k MK) (V, bool) {
	v, ok := s.s.m[k]
	return v, ok
}

// Each visits the entries in no particular order, until f returns false.
func (s BroadcastState[MK, V]) Each(f func(MK, V) bool) {
	for k, v := range s.s.m {
		if !f(k, v) {
			return
		}
	}
}

// Len is the number of entries.
func (s BroadcastState[MK, V]) Len() int { return len(s.s.m) }

// Put replaces the value of k. What it does must depend on nothing but the
// broadcast records and the state: all subtasks have to do the same.
func (s BroadcastState[MK, V]) Put(ctx BroadcastWriter, k MK, v V) {
	if s.s.mayWrite(ctx) {
		s.s.m[k] = v
	}
}

// Delete removes k.
func (s BroadcastState[MK, V]) Delete(ctx BroadcastWriter, k MK) {
	if s.s.mayWrite(ctx) {
		delete(s.s.m, k)
	}
}

// Clear removes all entries.
func (s BroadcastState[MK, V]) Clear(ctx BroadcastWriter) {
	if s.s.mayWrite(ctx) {
		clear(s.s.m)
	}
}

// broadcastStates are those of one subtask.
type broadcastStates struct {
	maps     []interface{ snapshot() dataflow.ListState }
	restored []dataflow.ListState
	operator string
	now      *moment // takes the error of a write out of place
	open     bool    // a broadcast record is in work
}

// snapshot encodes all states, on the task's goroutine: they are maps of the
// function's own, and small.
func (b *broadcastStates) snapshot() []dataflow.ListState {
	lists := make([]dataflow.ListState, len(b.maps))
	for i, m := range b.maps {
		lists[i] = m.snapshot()
	}
	return lists
}

// broadcastEntry is what is stored for each key.
type broadcastEntry[MK comparable, V any] struct {
	Key   MK
	Value V
}

type broadcastMap[MK comparable, V any] struct {
	name  string
	codec codec.Codec[broadcastEntry[MK, V]]
	m     map[MK]V
	all   *broadcastStates
}

func (m *broadcastMap[MK, V]) mayWrite(ctx BroadcastWriter) bool {
	if ctx != nil && ctx.writes(m.all) {
		return true
	}
	if m.all.now.err == nil {
		m.all.now.err = &OperatorError{m.all.operator, fmt.Errorf("broadcast state %q is written outside of OnBroadcast, with a context that was kept", m.name)}
	}
	return false
}

func (m *broadcastMap[MK, V]) snapshot() dataflow.ListState {
	l := dataflow.ListState{Name: m.name, Mode: dataflow.ListBroadcast, Items: make([][]byte, 0, len(m.m))}
	l.Schema, _ = m.codec.Schema().MarshalBinary() // it did at graph time
	var buf []byte
	for k, v := range m.m {
		e := broadcastEntry[MK, V]{k, v}
		start := len(buf)
		buf = m.codec.Append(buf, &e)
		l.Items = append(l.Items, buf[start:len(buf):len(buf)])
	}
	return l
}

func (m *broadcastMap[MK, V]) restore(from []dataflow.ListState) error {
	for _, l := range from {
		if l.Name != m.name {
			continue
		}
		read, err := m.reader(l.Schema)
		if err != nil {
			return err
		}
		for _, item := range l.Items {
			var e broadcastEntry[MK, V]
			if n, err := read(item, &e); err != nil {
				return fmt.Errorf("restore: %w", err)
			} else if n != len(item) {
				return fmt.Errorf("restore: %d bytes behind an entry", len(item)-n)
			}
			m.m[e.Key] = e.Value
		}
	}
	return nil
}

// reader decodes entries that were written with a schema, mostly the present one.
func (m *broadcastMap[MK, V]) reader(schema []byte) (func([]byte, *broadcastEntry[MK, V]) (int, error), error) {
	if now, err := m.codec.Schema().MarshalBinary(); err == nil && bytes.Equal(schema, now) {
		return m.codec.Decode, nil
	}
	var old codec.Schema
	if err := old.UnmarshalBinary(schema); err != nil {
		return nil, fmt.Errorf("restore: %w", err)
	}
	read, err := codec.Resolve[broadcastEntry[MK, V]](&old)
	if err != nil {
		return nil, fmt.Errorf("restore: %w", err)
	}
	return read, nil
}
