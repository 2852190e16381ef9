package stream

import (
	"goflink/dataflow"
)

// unary builds an operator that reads s and emits B without state: make gets the
// operator's base and its consumers.
func unary[A, B any](s Stream[A], kind, name string, opts []Option, make func(b *base, out dataflow.Input[B]) (dataflow.Operator, error)) Stream[B] {
	o := addOpOf(s, kind, name, opts)
	emits[B](o)
	o.build = func(t *task) error {
		b := newBase(t)
		out, err := mainOutput[B](&b)
		if err != nil {
			return err
		}
		x, err := make(&b, out)
		if err != nil {
			return err
		}
		t.install(x, x)
		return nil
	}
	return streamOf[B](o)
}

type mapOp[A, B any] struct {
	base
	f    func(A) B
	next dataflow.Input[B]
	rec  dataflow.Rec[B]
}

func (o *mapOp[A, B]) Collect(r *dataflow.Rec[A]) error {
	o.rec.V, o.rec.TS = o.f(r.V), r.TS
	return o.next.Collect(&o.rec)
}

// Map replaces every record by f of it.
func Map[A, B any](s Stream[A], f func(A) B, opts ...Option) Stream[B] {
	return unary(s, "map", "Map", opts, func(b *base, out dataflow.Input[B]) (dataflow.Operator, error) {
		return &mapOp[A, B]{base: *b, f: f, next: out}, nil
	})
}

type tryMapOp[A, B any] struct {
	base
	f    func(A) (B, error)
	next dataflow.Input[B]
	rec  dataflow.Rec[B]
}

func (o *tryMapOp[A, B]) Collect(r *dataflow.Rec[A]) error {
	v, err := o.f(r.V)
	if err != nil {
		return o.fail(err)
	}
	o.rec.V, o.rec.TS = v, r.TS
	return o.next.Collect(&o.rec)
}

// TryMap replaces every record by f of it; an error fails the job.
func TryMap[A, B any](s Stream[A], f func(A) (B, error), opts ...Option) Stream[B] {
	return unary(s, "map", "Map", opts, func(b *base, out dataflow.Input[B]) (dataflow.Operator, error) {
		return &tryMapOp[A, B]{base: *b, f: f, next: out}, nil
	})
}

type flatMapOp[A, B any] struct {
	base
	f   func(A, *Out[B]) error
	out Out[B]
}

func (o *flatMapOp[A, B]) Collect(r *dataflow.Rec[A]) error {
	o.out.rec.TS = r.TS
	if err := o.f(r.V, &o.out); err != nil {
		return o.fail(err)
	}
	return o.out.err
}

// FlatMap calls f for every record; f emits any number of results.
func FlatMap[A, B any](s Stream[A], f func(v A, out *Out[B]) error, opts ...Option) Stream[B] {
	return unary(s, "flatmap", "Flat Map", opts, func(b *base, out dataflow.Input[B]) (dataflow.Operator, error) {
		return &flatMapOp[A, B]{base: *b, f: f, out: Out[B]{next: out}}, nil
	})
}

type filterOp[A any] struct {
	base
	f    func(A) bool
	next dataflow.Input[A]
}

func (o *filterOp[A]) Collect(r *dataflow.Rec[A]) error {
	if !o.f(r.V) {
		return nil
	}
	return o.next.Collect(r)
}

// Filter keeps the records for which f is true.
func Filter[A any](s Stream[A], f func(A) bool, opts ...Option) Stream[A] {
	return unary(s, "filter", "Filter", opts, func(b *base, out dataflow.Input[A]) (dataflow.Operator, error) {
		return &filterOp[A]{base: *b, f: f, next: out}, nil
	})
}

// Filter keeps the records for which f is true.
func (s Stream[T]) Filter(f func(T) bool, opts ...Option) Stream[T] { return Filter(s, f, opts...) }
