package stream

import (
	"strings"

	"goflink/dataflow"
)

// Source describes where records come from. From puts it into a graph; NewSource
// makes one of the program's own.
type Source[T any] struct {
	kind string // for the fingerprint
	// what is in the source and decides what it emits: part of the fingerprint
	// (one-build).
	digest string
	// fixed is the parallelism of a source that cannot have another one; usual
	// is its parallelism unless an option says otherwise.
	fixed, usual int
	// newOp makes the operator of one subtask.
	newOp      func(b base, ws WatermarkStrategy[T], enumerated bool) (sourceOperator, error)
	enumerator func() dataflow.Enumerator // nil: the source has one split
	// unbounded sources never end by themselves.
	unbounded bool
	err       error
}

// sourceOperator is the operator and the source of its chain.
type sourceOperator interface {
	dataflow.Operator
	dataflow.Source
	procTimer
}

// From reads a source. The watermark strategy applies to each split by itself.
func From[T any](e *Env, src Source[T], ws WatermarkStrategy[T], opts ...Option) Stream[T] {
	o := e.addOp("source", "Source", opts)
	if !strings.HasPrefix(o.node.Name, "Source") {
		o.node.Name = "Source: " + o.node.Name
	} else if !o.named {
		o.node.Name = "Source: " + src.kind
	}
	o.node.Source, o.node.Stateful = true, false
	o.enumerator = src.enumerator
	if ws.aligned() {
		o.enumerator = ws.alignEnumerator(src.enumerator)
	}
	o.node.Enumerator = o.enumerator != nil
	o.node.InSchema = src.kind + " " + src.digest
	emits[T](o)
	ws.check(o)
	if src.err != nil {
		e.failf("operator %q: %w", o.node.Name, src.err)
	}
	src.settleParallelism(o)
	e.unbounded = e.unbounded || src.unbounded
	o.build = func(t *task) error {
		x, err := src.newOp(newBase(t), ws, src.enumerator != nil)
		if err != nil {
			return err
		}
		t.source = x
		t.install(x, x)
		return nil
	}
	return streamOf[T](o)
}

func (s *Source[T]) settleParallelism(o *op) {
	n := &o.node.Parallelism
	if s.fixed > 0 && *n > 0 && *n != s.fixed {
		o.env.failf("operator %q: this source has parallelism %d and cannot have %d", o.node.Name, s.fixed, *n)
	}
	if s.fixed > 0 {
		*n, o.node.Fixed = s.fixed, true
	} else if *n == 0 {
		*n = s.usual
	}
}
