package state

// Reducing keeps one value per key and namespace, into which values are folded as they come.
type Reducing[V any] struct {
	v Value[V]
	f func(a, b V) V
}

// NewReducing declares a reducing state; it is kept as a value state.
func NewReducing[K comparable, V any](k *Keyed[K], d Desc[V], f func(a, b V) V) (*Reducing[V], error) {
	v, err := NewValue(k, d)
	if err != nil {
		return nil, err
	}
	return &Reducing[V]{v, f}, nil
}

// Add folds x in.
func (r *Reducing[V]) Add(x V) {
	acc, ok := r.v.Get()
	if ok {
		x = r.f(acc, x)
	}
	r.v.Set(x)
}

// Get returns what was folded.
func (r *Reducing[V]) Get() (V, bool) { return r.v.Get() }

// Clear removes it.
func (r *Reducing[V]) Clear() { r.v.Clear() }

// MergeReducing folds the source namespaces of the current key into target and clears them.
func MergeReducing[K comparable, V any](k *Keyed[K], r *Reducing[V], target Namespace, sources []Namespace) {
	MergeValue(k, r.v, target, sources, r.f)
}

// Aggregator says how an aggregating state works.
type Aggregator[In, Acc, Out any] struct {
	Create func() Acc
	Add    func(acc *Acc, in In)
	Result func(acc *Acc) Out
	Merge  func(a, b Acc) Acc
}

// Aggregating keeps an accumulator per key and namespace.
type Aggregating[In, Acc, Out any] struct {
	v Value[Acc]
	a Aggregator[In, Acc, Out]
}

// NewAggregating declares an aggregating state; its accumulator is kept as a value state.
func NewAggregating[K comparable, In, Acc, Out any](k *Keyed[K], d Desc[Acc], a Aggregator[In, Acc, Out]) (*Aggregating[In, Acc, Out], error) {
	v, err := NewValue(k, d)
	if err != nil {
		return nil, err
	}
	return &Aggregating[In, Acc, Out]{v, a}, nil
}

// Add adds an input to the accumulator.
func (s *Aggregating[In, Acc, Out]) Add(in In) {
	p, created := s.v.Ptr()
	if created {
		*p = s.a.Create()
	}
	s.a.Add(p, in)
}

// Get returns the result of the accumulator.
func (s *Aggregating[In, Acc, Out]) Get() (out Out, ok bool) {
	acc, ok := s.v.Get()
	if !ok {
		return out, false
	}
	return s.a.Result(&acc), true
}

// Clear removes the accumulator.
func (s *Aggregating[In, Acc, Out]) Clear() { s.v.Clear() }

// MergeAggregating merges the accumulators of the source namespaces of the current key into target's and clears
// them.
func MergeAggregating[K comparable, In, Acc, Out any](k *Keyed[K], s *Aggregating[In, Acc, Out], target Namespace, sources []Namespace) {
	MergeValue(k, s.v, target, sources, s.a.Merge)
}
