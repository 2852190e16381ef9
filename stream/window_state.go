package stream

import (
	"errors"

	"goflink/state"
)

// windowSetup is what the factory of a WindowFunc has besides.
type windowSetup struct {
	merging bool
	used    bool // a state of the windows was declared
	scope   *windowScope
}

// PerWindow declares states that are a window's own, in place of the key's: what is
// declared with the Setup that it returns (Flink's windowState). They are removed
// when the window is forgotten. It is for the factories of RunWindow, AggregateRun
// and ReduceRun. Windows that merge cannot have such state, as in Flink.
func (s *Setup[K]) PerWindow() *Setup[K] {
	switch {
	case s.windows == nil:
		s.fail(errors.New("state of windows is for functions of windows: RunWindow, AggregateRun, ReduceRun"))
		return s
	case s.windows.merging:
		s.fail(errors.New("per-window state is not allowed when windows merge: use state of the key"))
		return s
	}
	s.windows.used = true
	w := *s
	w.scope, w.root = s.windows.scope, s
	return &w
}

// namespaced is a Keyed without its type.
type namespaced interface{ SetNamespace(ns state.Namespace) }

// windowScope is where states of a WindowFunc lie: in the namespace of the window in
// work, or in the zero one for all windows of a key. The windows' own operator moves
// among namespaces, so that each use of a state goes to its own first.
type windowScope struct {
	k      namespaced
	ns     state.Namespace
	per    bool
	clears []func()
}

// enter goes to the scope; nil is that of other functions, which have one namespace.
func (s *windowScope) enter() {
	if s != nil {
		s.k.SetNamespace(s.ns)
	}
}

// owns keeps in mind how to remove a state.
func (s *windowScope) owns(remove func()) {
	if s.per {
		s.clears = append(s.clears, remove)
	}
}

// clear removes the states of the window.
func (s *windowScope) clear() {
	for _, f := range s.clears {
		s.enter()
		f()
	}
}

// valueIn puts a state into a scope.
func valueIn[V any](s *windowScope, v state.Value[V]) state.Value[V] {
	if s == nil || v == nil {
		return v
	}
	s.owns(v.Clear)
	return scopedValue[V]{v, s}
}

type scopedValue[V any] struct {
	v  state.Value[V]
	in *windowScope
}

func (s scopedValue[V]) Get() (V, bool)      { s.in.enter(); return s.v.Get() }
func (s scopedValue[V]) Set(v V)             { s.in.enter(); s.v.Set(v) }
func (s scopedValue[V]) Clear()              { s.in.enter(); s.v.Clear() }
func (s scopedValue[V]) Ptr() (*V, bool)     { s.in.enter(); return s.v.Ptr() }
func (s scopedValue[V]) Update(f func(v *V)) { s.in.enter(); s.v.Update(f) }

// listIn puts a state into a scope.
func listIn[V any](s *windowScope, l state.List[V]) state.List[V] {
	if s == nil || l == nil {
		return l
	}
	s.owns(l.Clear)
	return scopedList[V]{l, s}
}

type scopedList[V any] struct {
	l  state.List[V]
	in *windowScope
}

func (s scopedList[V]) Add(v V)               { s.in.enter(); s.l.Add(v) }
func (s scopedList[V]) AddAll(vs []V)         { s.in.enter(); s.l.AddAll(vs) }
func (s scopedList[V]) Each(f func(v V) bool) { s.in.enter(); s.l.Each(f) }
func (s scopedList[V]) Get() []V              { s.in.enter(); return s.l.Get() }
func (s scopedList[V]) Empty() bool           { s.in.enter(); return s.l.Empty() }
func (s scopedList[V]) Set(vs []V)            { s.in.enter(); s.l.Set(vs) }
func (s scopedList[V]) Clear()                { s.in.enter(); s.l.Clear() }

// mapIn puts a state into a scope.
func mapIn[MK comparable, V any](s *windowScope, m state.Map[MK, V]) state.Map[MK, V] {
	if s == nil || m == nil {
		return m
	}
	s.owns(m.Clear)
	return scopedMap[MK, V]{m, s}
}

type scopedMap[MK comparable, V any] struct {
	m  state.Map[MK, V]
	in *windowScope
}

func (s scopedMap[MK, V]) Get(k MK) (V, bool)          { s.in.enter(); return s.m.Get(k) }
func (s scopedMap[MK, V]) Put(k MK, v V)               { s.in.enter(); s.m.Put(k, v) }
func (s scopedMap[MK, V]) Ptr(k MK) (*V, bool)         { s.in.enter(); return s.m.Ptr(k) }
func (s scopedMap[MK, V]) Delete(k MK)                 { s.in.enter(); s.m.Delete(k) }
func (s scopedMap[MK, V]) Each(f func(k MK, v V) bool) { s.in.enter(); s.m.Each(f) }
func (s scopedMap[MK, V]) Len() int                    { s.in.enter(); return s.m.Len() }
func (s scopedMap[MK, V]) Empty() bool                 { s.in.enter(); return s.m.Empty() }
func (s scopedMap[MK, V]) Clear()                      { s.in.enter(); s.m.Clear() }
