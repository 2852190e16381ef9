package stream

import (
	"fmt"
	"log/slog"
	"reflect"
	"slices"

	"goflink/codec"
	"goflink/dataflow"
	"goflink/graph"
	"goflink/state"
)

// NoKey is the key of operators that have none.
type NoKey struct{}

// Setup is handed to an operator's factory: once for each subtask, and once when
// the graph is built, so that states and side outputs are known before anything
// is deployed. The factory declares them and returns the operator's function; it
// must not touch state.
type Setup[K comparable] struct {
	o *op
	b *base // nil when the graph is built
	// keyed is nil when the graph is built and for operators without a key.
	keyed *state.Keyed[K]
	key   bool
	now   *moment
	err   error
	// broadcast takes broadcast states; nil for operators without a broadcast input.
	broadcast *broadcastStates
	// windows is set for functions of windows, and scope where their states lie;
	// root is the Setup of which this one is PerWindow.
	windows *windowSetup
	scope   *windowScope
	root    *Setup[K]
}

// moment is the event time of the record or timer in work, and the first error
// of a side output.
type moment struct {
	ts  int64
	err error
}

// Planning is true when the factory runs to declare only, at graph time.
func (s *Setup[K]) Planning() bool { return s.b == nil }

// Subtask is the number of the subtask, from 0; 0 when the graph is built.
func (s *Setup[K]) Subtask() int {
	if s.b == nil {
		return 0
	}
	return s.b.t.env.Subtask
}

// Parallelism is the number of subtasks; 1 when the graph is built.
func (s *Setup[K]) Parallelism() int {
	if s.b == nil {
		return 1
	}
	return s.b.t.env.Parallelism
}

// Attempt counts the starts of the task, from 0.
func (s *Setup[K]) Attempt() int {
	if s.b == nil {
		return 0
	}
	return s.b.t.env.Attempt
}

// Log names the task.
func (s *Setup[K]) Log() *slog.Logger {
	if s.b == nil || s.b.t.env.Log == nil {
		return s.o.env.s.Log
	}
	return s.b.t.env.Log
}

func (s *Setup[K]) fail(err error) {
	if s.root != nil {
		s.root.fail(err)
	} else if s.b == nil {
		s.o.env.failf("operator %q: %w", s.o.node.Name, err)
	} else if s.err == nil {
		s.err = fmt.Errorf("operator %q: %w", s.b.name, err)
	}
}

// declare records a state at graph time; kind as in graph.State.
func (s *Setup[K]) declare(name, kind string, t reflect.Type, schemas ...*codec.Schema) {
	if !s.key {
		s.fail(fmt.Errorf("state %q: state needs a key, use KeyBy and Run", name))
		return
	}
	if name == "" || name[0] == '_' {
		s.fail(fmt.Errorf("state name %q: it must not be empty or begin with an underscore", name))
		return
	}
	s.record(name, kind, t.String(), schemas...)
}

func (s *Setup[K]) record(name, kind, typ string, schemas ...*codec.Schema) {
	if slices.ContainsFunc(s.o.node.States, func(x *graph.State) bool { return x.Name == name }) {
		s.fail(fmt.Errorf("state %q is declared twice", name))
		return
	}
	st := &graph.State{Name: name, Kind: kind, Type: typ}
	for _, sc := range schemas {
		if sc == nil {
			continue
		}
		b, err := sc.MarshalBinary()
		if err != nil {
			s.fail(fmt.Errorf("state %q: %w", name, err))
			return
		}
		st.Schema = b // of a map: the value's, as state's snapshots name it
	}
	s.o.node.States = append(s.o.node.States, st)
}

// plan runs a factory at graph time. What it panics with becomes an error of the
// graph: the program's mistake, with its operator's name.
func plan[K comparable, F any](o *op, key bool, factory func(*Setup[K]) F) (f F) {
	return planWith(o, &Setup[K]{o: o, key: key, now: &moment{}}, factory)
}

func planWith[K comparable, F any](o *op, s *Setup[K], factory func(*Setup[K]) F) (f F) {
	defer func() {
		if p := recover(); p != nil {
			o.env.failf("operator %q: its factory panicked when the graph was built: %v", o.node.Name, p)
		}
	}()
	return factory(s)
}

// Value is one value of state for each key. What Get returns belongs to the
// state: change it through Set or Update.
type Value[V any] struct{ s state.Value[V] }

// NewValue declares a value state.
func NewValue[V any, K comparable](s *Setup[K], name string, opts ...StateOption) Value[V] {
	o := s.options(name, opts)
	c, err := codec.For[V]()
	if err != nil {
		s.fail(fmt.Errorf("state %q: %w", name, err))
		return Value[V]{}
	}
	if s.b == nil {
		s.declare(name, "value", reflect.TypeFor[V](), c.Schema())
		return Value[V]{}
	}
	v, err := state.NewValue(s.keyed, state.Desc[V]{Name: name, Codec: c, TTL: o.ttl})
	if err != nil {
		s.fail(err)
	}
	return Value[V]{valueIn(s.scope, v)}
}

// Get returns the value of the current key, and false when there is none.
func (v Value[V]) Get() (V, bool) { return v.s.Get() }

// Or returns the value of the current key, or def.
func (v Value[V]) Or(def V) V {
	if x, ok := v.s.Get(); ok {
		return x
	}
	return def
}

// Set replaces the value of the current key.
func (v Value[V]) Set(x V) { v.s.Set(x) }

// Clear removes the value of the current key.
func (v Value[V]) Clear() { v.s.Clear() }

// Ptr returns the value for update in place, stored as the zero value when there
// was none. The pointer is good until the next use of any state of the operator.
func (v Value[V]) Ptr() (p *V, created bool) { return v.s.Ptr() }

// List is a list of state for each key.
type List[V any] struct{ s state.List[V] }

// NewList declares a list state.
func NewList[V any, K comparable](s *Setup[K], name string, opts ...StateOption) List[V] {
	o := s.options(name, opts)
	c, err := codec.For[V]()
	if err != nil {
		s.fail(fmt.Errorf("state %q: %w", name, err))
		return List[V]{}
	}
	if s.b == nil {
		s.declare(name, "list", reflect.TypeFor[V](), c.Schema())
		return List[V]{}
	}
	l, err := state.NewList(s.keyed, state.Desc[V]{Name: name, Codec: c, TTL: o.ttl})
	if err != nil {
		s.fail(err)
	}
	return List[V]{listIn(s.scope, l)}
}

// Add appends to the list of the current key.
func (l List[V]) Add(v V) { l.s.Add(v) }

// Get returns the list of the current key, in a new slice.
func (l List[V]) Get() []V { return l.s.Get() }

// Each visits the elements in order, until f returns false.
func (l List[V]) Each(f func(V) bool) { l.s.Each(f) }

// Set replaces the list of the current key.
func (l List[V]) Set(vs []V) { l.s.Set(vs) }

// Empty tells whether the current key has no elements.
func (l List[V]) Empty() bool { return l.s.Empty() }

// Clear removes the list of the current key.
func (l List[V]) Clear() { l.s.Clear() }

// MapState is a map of state for each key.
type MapState[MK comparable, V any] struct{ s state.Map[MK, V] }

// NewMap declares a map state.
func NewMap[MK comparable, V any, K comparable](s *Setup[K], name string, opts ...StateOption) MapState[MK, V] {
	o := s.options(name, opts)
	kc, err := codec.Key[MK]()
	if err != nil {
		s.fail(fmt.Errorf("state %q: %w", name, err))
		return MapState[MK, V]{}
	}
	c, err := codec.For[V]()
	if err != nil {
		s.fail(fmt.Errorf("state %q: %w", name, err))
		return MapState[MK, V]{}
	}
	if s.b == nil {
		s.declare(name, "map", reflect.TypeFor[map[MK]V](), kc.Schema(), c.Schema())
		return MapState[MK, V]{}
	}
	m, err := state.NewMap(s.keyed, state.MapDesc[MK, V]{Name: name, Key: kc, Codec: c, TTL: o.ttl})
	if err != nil {
		s.fail(err)
	}
	return MapState[MK, V]{mapIn(s.scope, m)}
}

// Get returns the value of k, and false when there is none.
func (m MapState[MK, V]) Get(k MK) (V, bool) { return m.s.Get(k) }

// Put replaces the value of k.
func (m MapState[MK, V]) Put(k MK, v V) { m.s.Put(k, v) }

// Delete removes k.
func (m MapState[MK, V]) Delete(k MK) { m.s.Delete(k) }

// Each visits the entries in no particular order, until f returns false.
func (m MapState[MK, V]) Each(f func(MK, V) bool) { m.s.Each(f) }

// Len is the number of entries of the current key.
func (m MapState[MK, V]) Len() int { return m.s.Len() }

// Empty tells whether the current key has no entries.
func (m MapState[MK, V]) Empty() bool { return m.s.Empty() }

// Clear removes all entries of the current key.
func (m MapState[MK, V]) Clear() { m.s.Clear() }

// SideOut emits to a side output.
type SideOut[T any] struct {
	next dataflow.Input[T]
	now  *moment
	rec  dataflow.Rec[T]
}

// SideOutput declares a side output of the operator.
func SideOutput[T any, K comparable](s *Setup[K], tag Tag[T]) *SideOut[T] {
	out := &SideOut[T]{next: discard[T]{}, now: s.now}
	if s.b == nil {
		declareSide(s.o, tag)
		return out
	}
	next, err := sideOutput[T](s.b, tag.name)
	if err != nil {
		s.fail(err)
		return out
	}
	out.next = next
	return out
}

// Emit sends v to the side output, with the event time of the record or timer in
// work.
func (o *SideOut[T]) Emit(v T) {
	if o.now.err == nil {
		o.rec.V, o.rec.TS = v, o.now.ts
		o.now.err = o.next.Collect(&o.rec)
	}
}
