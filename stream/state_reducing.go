package stream

import (
	"fmt"
	"reflect"

	"goflink/codec"
	"goflink/state"
)

// Reducing keeps one value for each key, into which values are folded as they
// come: Flink's ReducingState. What Get returns belongs to the state.
type Reducing[V any] struct {
	s  *state.Reducing[V]
	in *windowScope // nil but in functions of windows
}

// NewReducing declares a reducing state. f folds a value into what is there; it
// may change its first argument and return it. f is no part of the state: a
// program that resumes with another one goes on with that.
func NewReducing[V any, K comparable](s *Setup[K], name string, f func(a, b V) V, opts ...StateOption) Reducing[V] {
	o := s.options(name, opts)
	c, err := codec.For[V]()
	switch {
	case err != nil:
		s.fail(fmt.Errorf("state %q: %w", name, err))
		return Reducing[V]{}
	case f == nil:
		s.fail(fmt.Errorf("state %q: a reducing state needs a function", name))
		return Reducing[V]{}
	case s.b == nil:
		s.declare(name, "reducing", reflect.TypeFor[V](), c.Schema())
		return Reducing[V]{}
	}
	r, err := state.NewReducing(s.keyed, state.Desc[V]{Name: name, Codec: c, TTL: o.ttl}, f)
	if err != nil {
		s.fail(err)
	}
	if s.scope != nil && r != nil {
		s.scope.owns(r.Clear)
	}
	return Reducing[V]{r, s.scope}
}

// Add folds x into the value of the current key; the first one is the value.
func (r Reducing[V]) Add(x V) {
	r.in.enter()
	r.s.Add(x)
}

// Get returns the value of the current key, and false when nothing was added.
func (r Reducing[V]) Get() (V, bool) {
	r.in.enter()
	return r.s.Get()
}

// Clear removes the value of the current key.
func (r Reducing[V]) Clear() {
	r.in.enter()
	r.s.Clear()
}

// Aggregating keeps an accumulator for each key, to which records are added as
// they come: Flink's AggregatingState.
type Aggregating[In, Acc, Res any] struct {
	s  *state.Aggregating[In, Acc, Res]
	in *windowScope // nil but in functions of windows
}

// NewAggregating declares an aggregating state. Of the Aggregator only the
// accumulator is part of the state: a program that resumes may have another one
// with an accumulator of the same type.
func NewAggregating[In, Acc, Res any, K comparable](s *Setup[K], name string, agg Aggregator[In, Acc, Res], opts ...StateOption) Aggregating[In, Acc, Res] {
	o := s.options(name, opts)
	c, err := codec.For[Acc]()
	switch {
	case err != nil:
		s.fail(fmt.Errorf("state %q: accumulator: %w", name, err))
		return Aggregating[In, Acc, Res]{}
	case agg == nil:
		s.fail(fmt.Errorf("state %q: an aggregating state needs an Aggregator", name))
		return Aggregating[In, Acc, Res]{}
	case s.b == nil:
		s.declare(name, "aggregating", reflect.TypeFor[Acc](), c.Schema())
		return Aggregating[In, Acc, Res]{}
	}
	a, err := state.NewAggregating(s.keyed, state.Desc[Acc]{Name: name, Codec: c, TTL: o.ttl}, state.Aggregator[In, Acc, Res]{
		Create: agg.New,
		Add:    func(acc *Acc, in In) { *acc = agg.Add(*acc, in) },
		Result: func(acc *Acc) Res { return agg.Result(*acc) },
		Merge:  agg.Merge,
	})
	if err != nil {
		s.fail(err)
	}
	if s.scope != nil && a != nil {
		s.scope.owns(a.Clear)
	}
	return Aggregating[In, Acc, Res]{a, s.scope}
}

// Add adds a record to the accumulator of the current key.
func (a Aggregating[In, Acc, Res]) Add(in In) {
	a.in.enter()
	a.s.Add(in)
}

// Get returns the result of the accumulator of the current key, and false when
// nothing was added. The accumulator stays as it is, so that Result must not
// change it.
func (a Aggregating[In, Acc, Res]) Get() (Res, bool) {
	a.in.enter()
	return a.s.Get()
}

// Clear removes the accumulator of the current key.
func (a Aggregating[In, Acc, Res]) Clear() {
	a.in.enter()
	a.s.Clear()
}
