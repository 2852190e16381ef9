package stream

import (
	"errors"
	"fmt"
	"reflect"

	"goflink/codec"
	"goflink/dataflow"
)

// Checkpointed is implemented by functions that bring their state up to date
// before a checkpoint: Flink's CheckpointedFunction.snapshotState. It runs on
// the task's goroutine behind the barrier; it must not emit, and there is no
// current key. An error gives up the checkpoint.
type Checkpointed interface {
	BeforeCheckpoint(id int64) error
}

// CheckpointListener is implemented by functions that want to know when a
// checkpoint is durable: Flink's notifyCheckpointComplete. A later one may come
// in its place, and after a failure none may: what is to happen for certain must
// be in the state, too. An error fails the job.
type CheckpointListener interface {
	CheckpointCompleted(id int64) error
}

// CheckpointAbortListener is implemented by functions that want to know that a
// checkpoint was given up: Flink's notifyCheckpointAborted. It may be missing.
type CheckpointAbortListener interface {
	CheckpointAborted(id int64) error
}

// userState is what an operator's function has besides keyed state.
type userState struct {
	lists     []operatorState
	before    Checkpointed
	completed CheckpointListener
	aborted   CheckpointAbortListener
}

// watch calls the hooks that a function has.
func (b *base) watch(fn any) {
	if w, ok := fn.(interface{ function() any }); ok {
		fn = w.function()
	}
	b.user.before, _ = fn.(Checkpointed)
	b.user.completed, _ = fn.(CheckpointListener)
	b.user.aborted, _ = fn.(CheckpointAbortListener)
}

// Snapshot runs the function's hook and encodes its lists.
func (b *base) Snapshot(c dataflow.Checkpoint) (dataflow.OperatorSnapshot, error) {
	var out dataflow.OperatorSnapshot
	if b.user.before != nil {
		if err := b.user.before.BeforeCheckpoint(c.ID); err != nil {
			return out, b.fail(err)
		}
	}
	for _, l := range b.user.lists {
		// An empty list is left out: a task that holds nothing more need not run again after its end.
		if s := l.snapshot(); len(s.Items) > 0 {
			out.Lists = append(out.Lists, s)
		}
	}
	return out, nil
}

// CheckpointComplete tells the function.
func (b *base) CheckpointComplete(id int64) error {
	if b.user.completed == nil {
		return nil
	}
	return b.fail(b.user.completed.CheckpointCompleted(id))
}

// CheckpointAborted tells the function.
func (b *base) CheckpointAborted(id int64) error {
	if b.user.aborted == nil {
		return nil
	}
	return b.fail(b.user.aborted.CheckpointAborted(id))
}

// operatorState is an OperatorList of any type.
type operatorState interface{ snapshot() dataflow.ListState }

// OperatorList is a list of state that belongs to a subtask, not to a key. It is
// in memory and is encoded as a whole at each checkpoint, on the task's
// goroutine: it is for few things, such as offsets or open transactions.
type OperatorList[V any] struct {
	name   string
	mode   dataflow.ListMode
	codec  codec.Codec[V]
	schema []byte
	items  []V
}

// NewOperatorList declares a list of the subtask: Flink's getListState. When the
// job is restored at another parallelism, the elements of all subtasks are
// divided evenly among the new ones, in their order.
func NewOperatorList[V any, K comparable](s *Setup[K], name string) *OperatorList[V] {
	return newOperatorList[V](s, name, "operator list", dataflow.ListSplit)
}

// NewUnionList declares a list of the subtask: Flink's getUnionListState. After
// each restore every subtask has the elements of all of them, and keeps those
// that are its own.
func NewUnionList[V any, K comparable](s *Setup[K], name string) *OperatorList[V] {
	return newOperatorList[V](s, name, "union list", dataflow.ListUnion)
}

func newOperatorList[V any, K comparable](s *Setup[K], name, kind string, mode dataflow.ListMode) *OperatorList[V] {
	l := &OperatorList[V]{name: name, mode: mode}
	c, err := codec.For[V]()
	if err != nil {
		s.fail(fmt.Errorf("state %q: %w", name, err))
		return l
	}
	l.codec = c
	if s.b == nil {
		if name == "" || name[0] == '_' {
			s.fail(fmt.Errorf("state name %q: it must not be empty or begin with an underscore", name))
			return l
		}
		s.o.node.Stateful = true
		s.record(name, kind, reflect.TypeFor[V]().String(), c.Schema())
		return l
	}
	if l.schema, err = c.Schema().MarshalBinary(); err == nil {
		err = l.restore(s.b)
	}
	if err != nil {
		s.fail(fmt.Errorf("%s state %q: %w", kind, name, err))
	}
	s.b.user.lists = append(s.b.user.lists, l)
	return l
}

// restore decodes the subtask's share of the checkpoint.
func (l *OperatorList[V]) restore(b *base) error {
	if b.t.env.RestoreOf == nil {
		return nil
	}
	r, _ := b.t.env.RestoreOf(b.id)
	for _, st := range r.Lists {
		if st.Name != l.name || len(st.Items) == 0 {
			continue
		}
		if st.Mode != l.mode {
			return fmt.Errorf("it was divided by mode %s and is declared for mode %s; give the new one another name", st.Mode, l.mode)
		}
		if err := l.decode(st); err != nil {
			return err
		}
	}
	return nil
}

func (l *OperatorList[V]) decode(st dataflow.ListState) error {
	var old codec.Schema
	if err := old.UnmarshalBinary(st.Schema); err != nil {
		return err
	}
	read, err := codec.Resolve[V](&old)
	if err != nil {
		return err
	}
	for _, item := range st.Items {
		var v V
		n, err := read(item, &v)
		if err != nil {
			return fmt.Errorf("damaged element: %w", err)
		}
		if n != len(item) {
			return errors.New("damaged element: there are bytes behind it")
		}
		l.items = append(l.items, v)
	}
	return nil
}

func (l *OperatorList[V]) snapshot() dataflow.ListState {
	st := dataflow.ListState{Name: l.name, Mode: l.mode, Schema: l.schema}
	for i := range l.items {
		st.Items = append(st.Items, l.codec.Append(nil, &l.items[i]))
	}
	return st
}

// Get returns the elements; the slice belongs to the list until the next change
// of it.
func (l *OperatorList[V]) Get() []V { return l.items }

// Add appends an element.
func (l *OperatorList[V]) Add(v V) { l.items = append(l.items, v) }

// Set replaces the elements by a copy of vs.
func (l *OperatorList[V]) Set(vs []V) { l.items = append([]V(nil), vs...) }

// Clear removes all elements.
func (l *OperatorList[V]) Clear() { l.items = nil }
