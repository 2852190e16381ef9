package stream

import (
	"context"
	"errors"
	"fmt"

	"goflink/dataflow"
	"goflink/graph"
)

// OperatorError is an error of a user's function, with the operator's name.
type OperatorError struct {
	Operator string
	Err      error
}

// Error names the operator.
func (e *OperatorError) Error() string { return fmt.Sprintf("operator %q: %v", e.Operator, e.Err) }

// Unwrap returns the function's error.
func (e *OperatorError) Unwrap() error { return e.Err }

// base is what every operator has, and the answers of those without state.
type base struct {
	id, name string
	t        *task
	node     *graph.Node
	marks    []marker // every distinct output: main and sides
	user     userState
	// quiet: watermarks go no further. Those at the end of a key are not those of
	// the stream.
	quiet bool
}

// marker is an output without its type.
type marker interface {
	Watermark(ts int64) error
	Status(idle bool) error
}

func newBase(t *task) base { return base{id: t.node().ID(), name: t.node().Name, t: t, node: t.node()} }

func (b *base) ID() string                 { return b.id }
func (b *base) Open(context.Context) error { return nil }
func (b *base) PrepareBarrier(int64) error { return nil }
func (b *base) Finish() error              { return nil }
func (b *base) CommitFinal() error         { return nil }
func (b *base) Close() error               { return nil }
func (b *base) now() int64                 { return b.t.env.Now().UnixMilli() }
func (b *base) Watermark(ts int64) error   { return b.sendWatermark(ts) }
func (b *base) Status(idle bool) error     { return b.sendStatus(idle) }

// fail puts the operator's name on an error of user code, once.
func (b *base) fail(err error) error {
	if err == nil {
		return nil
	}
	return b.named(err)
}

// named is apart from fail because what errors.As fills in is on the heap, and
// fail is called for every record.
func (b *base) named(err error) error {
	var known *OperatorError
	if errors.As(err, &known) {
		return err
	}
	return &OperatorError{b.name, err}
}

func (b *base) sendWatermark(ts int64) error {
	if b.quiet {
		return nil
	}
	for _, m := range b.marks {
		if err := m.Watermark(ts); err != nil {
			return err
		}
	}
	return nil
}

func (b *base) sendStatus(idle bool) error {
	for _, m := range b.marks {
		if err := m.Status(idle); err != nil {
			return err
		}
	}
	return nil
}

// mainOutput connects the main output of the operator being built.
func mainOutput[T any](b *base) (dataflow.Input[T], error) {
	return sideOutput[T](b, "")
}

func sideOutput[T any](b *base, side string) (dataflow.Input[T], error) {
	env := b.t.program.ops[b.node].env
	c, ok := codecOf[T](env, b.name)
	if !ok {
		return nil, fmt.Errorf("output %q has no codec", side)
	}
	out, err := outputOf(b.t, b.node, side, c)
	if err != nil {
		return nil, err
	}
	if _, nobody := out.(discard[T]); !nobody {
		b.marks = append(b.marks, out)
	}
	return out, nil
}

// Out is where an operator emits. Records get the event time of the record or
// timer that is being processed.
type Out[T any] struct {
	next dataflow.Input[T]
	rec  dataflow.Rec[T]
	err  error
}

// Emit sends v downstream. v must not be changed afterwards. An error stops the
// task after the current call; nothing further is sent.
func (o *Out[T]) Emit(v T) {
	if o.err == nil {
		o.rec.V = v
		o.err = o.next.Collect(&o.rec)
	}
}

// EmitAt sends v downstream with an event time of its own, in milliseconds.
func (o *Out[T]) EmitAt(v T, ts int64) {
	if o.err == nil {
		r := dataflow.Rec[T]{V: v, TS: ts}
		own := o.rec
		o.rec = r
		o.err = o.next.Collect(&o.rec)
		o.rec = own
	}
}
