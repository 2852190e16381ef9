package accumulator

import (
	"fmt"
	"maps"
	"slices"
)

const (
	// MaxBytes bounds what the accumulators of one task encode to. They travel
	// with every report of figures, and the JobManager keeps them for each task:
	// 64 KiB are thousands of counters; a list that needs more is a case for a
	// sink.
	MaxBytes = 64 << 10
	// maxElements bounds a histogram; each takes two bytes at least.
	maxElements = MaxBytes / 2
)

// Set is the accumulators of one task, by name. Functions of one task that ask
// for the same name share the accumulator.
type Set struct{ byName map[string]local }

// local is an accumulator of a subtask.
type local interface{ value() Value }

// NewSet returns an empty set.
func NewSet() *Set { return &Set{byName: map[string]local{}} }

// Len is the number of accumulators.
func (s *Set) Len() int { return len(s.byName) }

// get returns the accumulator of a name, or adds a new one. With an error the
// result is one that nobody sees, so that callers need no second way.
func get[A local](s *Set, name string, fresh func() A) (A, error) {
	if name == "" {
		return fresh(), fmt.Errorf("an accumulator needs a name")
	}
	old, ok := s.byName[name]
	if !ok {
		a := fresh()
		s.byName[name] = a
		return a, nil
	}
	a, ok := old.(A)
	if !ok {
		a = fresh()
		return a, fmt.Errorf("the accumulator %q is %s, and now %s: give it another name", name, old.value().kind, a.value().kind)
	}
	return a, nil
}

// IntCounter returns the accumulator of a name; an error when the name is of
// another kind. The others do the same.
func (s *Set) IntCounter(name string) (*IntCounter, error) {
	return get(s, name, func() *IntCounter { return &IntCounter{} })
}

// LongCounter returns the accumulator of a name.
func (s *Set) LongCounter(name string) (*LongCounter, error) {
	return get(s, name, func() *LongCounter { return &LongCounter{} })
}

// DoubleCounter returns the accumulator of a name.
func (s *Set) DoubleCounter(name string) (*DoubleCounter, error) {
	return get(s, name, func() *DoubleCounter { return &DoubleCounter{} })
}

// LongMinimum returns the accumulator of a name.
func (s *Set) LongMinimum(name string) (*LongMinimum, error) { return get(s, name, newLongMinimum) }

// LongMaximum returns the accumulator of a name.
func (s *Set) LongMaximum(name string) (*LongMaximum, error) { return get(s, name, newLongMaximum) }

// DoubleMinimum returns the accumulator of a name.
func (s *Set) DoubleMinimum(name string) (*DoubleMinimum, error) {
	return get(s, name, newDoubleMinimum)
}

// DoubleMaximum returns the accumulator of a name.
func (s *Set) DoubleMaximum(name string) (*DoubleMaximum, error) {
	return get(s, name, newDoubleMaximum)
}

// Average returns the accumulator of a name.
func (s *Set) Average(name string) (*Average, error) {
	return get(s, name, func() *Average { return &Average{} })
}

// Histogram returns the accumulator of a name.
func (s *Set) Histogram(name string) (*Histogram, error) { return get(s, name, newHistogram) }

// List returns the accumulator of a name.
func (s *Set) List(name string) (*List, error) {
	return get(s, name, func() *List { return &List{} })
}

// Values are the current values.
func (s *Set) Values() map[string]Value {
	out := make(map[string]Value, len(s.byName))
	for name, a := range s.byName {
		out[name] = a.value()
	}
	return out
}

// Encode encodes all values. Beyond MaxBytes it is an error that names the
// largest one.
func (s *Set) Encode() (map[string][]byte, error) {
	out := make(map[string][]byte, len(s.byName))
	total, largest := 0, ""
	for _, name := range slices.Sorted(maps.Keys(s.byName)) {
		b := s.byName[name].value().append(nil)
		if out[name] = b; len(b) > len(out[largest]) {
			largest = name
		}
		total += len(name) + len(b)
	}
	if total > MaxBytes {
		return nil, fmt.Errorf("the accumulators of this task take more than %d bytes, %q alone %d: write such results to a sink", MaxBytes, largest, len(out[largest]))
	}
	return out, nil
}
