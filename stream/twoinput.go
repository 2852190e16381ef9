package stream

import (
	"goflink/dataflow"
)

// Operators with two inputs. Each is the head of a chain, since what it reads
// comes through two gates. Its inputs are two sides, which share a merger: records
// go to a function of the operator, event time through the merger to the
// operator.

// merger brings the event times of two sides together.
type merger struct {
	time *dataflow.Combined
	to   marker
}

// pass hands on what changed. An operator that wakes up says so before its
// watermark, one that falls idle after it.
func (m *merger) pass(wm int64, advanced, statusChanged bool) error {
	idle := m.time.Idle()
	if statusChanged && !idle {
		if err := m.to.Status(false); err != nil {
			return err
		}
	}
	if advanced {
		if err := m.to.Watermark(wm); err != nil {
			return err
		}
	}
	if statusChanged && idle {
		return m.to.Status(true)
	}
	return nil
}

// side is one input of an operator with two.
type side[T any] struct {
	m       *merger
	index   int
	collect func(r *dataflow.Rec[T]) error
}

func (s *side[T]) Collect(r *dataflow.Rec[T]) error { return s.collect(r) }
func (s *side[T]) Watermark(ts int64) error         { return s.m.pass(s.m.time.Watermark(s.index, ts)) }
func (s *side[T]) Status(idle bool) error           { return s.m.pass(s.m.time.Status(s.index, idle)) }

// twoInputOp is an operator that takes the event time of both its inputs.
type twoInputOp interface {
	dataflow.Operator
	marker
}

// installTwo registers an operator and the functions that take its records.
func installTwo[A, B any](t *task, o twoInputOp, first func(*dataflow.Rec[A]) error, second func(*dataflow.Rec[B]) error) {
	m := &merger{dataflow.NewCombined(2), o}
	t.install(o, [2]any{&side[A]{m, 0, first}, &side[B]{m, 1, second}})
}

// installEmitter is installTwo for an operator that emits through out.
func installEmitter[A, B, Res any](t *task, o twoInputOp, b *base, out *Out[Res], first func(*dataflow.Rec[A]) error, second func(*dataflow.Rec[B]) error) error {
	next, err := mainOutput[Res](b)
	if err != nil {
		return err
	}
	out.next = next
	installTwo(t, o, first, second)
	return nil
}

// addOpOfTwo adds an operator that reads a and b.
func addOpOfTwo[A, B any](a Stream[A], b Stream[B], kind, name string, opts []Option) *op {
	o := addOpOf(a, kind, name, opts)
	if a.env != b.env {
		a.env.failf("operator %q: it connects streams of two environments", o.node.Name)
		return o
	}
	connect(b, o, 1)
	return o
}

// addKeyedOpOfTwo adds an operator with keyed state that reads a and b.
func addKeyedOpOfTwo[K comparable, A, B any](a Keyed[K, A], b Stream[B], kind, name string, opts []Option) *op {
	o := addOpOfTwo(a.in, b, kind, name, opts)
	o.node.Stateful = true
	if a.codec != nil {
		o.node.KeySchema = a.codec.Schema().String()
	}
	return o
}
