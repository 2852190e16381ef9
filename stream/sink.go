package stream

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"goflink/dataflow"
)

// Rec is a record: a value and its event time in milliseconds.
type Rec[T any] = dataflow.Rec[T]

// NoTimestamp is the event time of a record that has none.
const NoTimestamp = dataflow.NoTimestamp

// addSink adds an operator that emits nothing. Its name gets Flink's prefix.
func addSink[T any](s Stream[T], name string, opts []Option) *op {
	o := addOpOf(s, "sink", name, opts)
	o.node.Sink = true
	if !strings.HasPrefix(o.node.Name, "Sink: ") {
		o.node.Name = "Sink: " + o.node.Name
	}
	return o
}

type eachOp[T any] struct {
	base
	f func(Rec[T]) error
}

func (o *eachOp[T]) Collect(r *dataflow.Rec[T]) error { return o.fail(o.f(*r)) }

// Each calls f for every record; an error fails the job. f is shared by the
// subtasks of a process, which call it at the same time.
func Each[T any](s Stream[T], f func(r Rec[T]) error, opts ...Option) {
	o := addSink(s, "Each", opts)
	o.build = func(t *task) error {
		x := &eachOp[T]{base: newBase(t), f: f}
		t.install(x, x)
		return nil
	}
}

// Each calls f for every record; an error fails the job.
func (s Stream[T]) Each(f func(r Rec[T]) error, opts ...Option) { Each(s, f, opts...) }

// Discard drops all records.
func (s Stream[T]) Discard(opts ...Option) {
	Each(s, func(Rec[T]) error { return nil }, append([]Option{Name("Discard")}, opts...)...)
}

// SinkFunc is a user's sink: one value for each subtask, called on one goroutine.
// It may also be an Opener, a Closer, a Flusher, and hear of checkpoints
// (Checkpointed, CheckpointListener).
type SinkFunc[T any] interface {
	Write(r Rec[T]) error
}

// Flusher is implemented by sinks that buffer: what was written must be durable
// when Flush returns. It is called at each checkpoint and at the end of data, so
// that such a sink writes every record at least once.
type Flusher interface {
	Flush() error
}

type sinkOp[T any] struct {
	base
	o    *op
	make func(*Setup[NoKey]) SinkFunc[T]
	fn   SinkFunc[T]
}

func (x *sinkOp[T]) Open(ctx context.Context) error {
	s := &Setup[NoKey]{o: x.o, b: &x.base, now: &moment{}}
	x.fn = x.make(s)
	if s.err != nil {
		return s.err
	}
	x.watch(x.fn)
	return x.fail(openUser(ctx, x.fn))
}

func (x *sinkOp[T]) Collect(r *dataflow.Rec[T]) error { return x.fail(x.fn.Write(*r)) }

func (x *sinkOp[T]) flush() error {
	if f, ok := x.fn.(Flusher); ok {
		return x.fail(f.Flush())
	}
	return nil
}

func (x *sinkOp[T]) PrepareBarrier(int64) error { return x.flush() }
func (x *sinkOp[T]) Finish() error              { return x.flush() }
func (x *sinkOp[T]) Close() error               { return x.fail(closeUser(x.fn)) }

// SinkTo writes to a sink of the program's own, that factory makes for each
// subtask.
func SinkTo[T any, F SinkFunc[T]](s Stream[T], factory func(*Setup[NoKey]) F, opts ...Option) {
	o := addSink(s, "Custom", opts)
	plan(o, false, factory)
	o.build = func(t *task) error {
		x := &sinkOp[T]{base: newBase(t), o: o, make: func(s *Setup[NoKey]) SinkFunc[T] { return factory(s) }}
		t.install(x, x)
		return nil
	}
}

type printOp[T any] struct {
	base
	prefix string
	buf    []byte
	print  func(line string)
}

func (o *printOp[T]) Collect(r *dataflow.Rec[T]) error {
	o.buf = fmt.Append(append(o.buf[:0], o.prefix...), r.V)
	o.print(string(o.buf))
	return nil
}

// Print writes records to the standard output of the TaskManager, a line each.
// With more than one subtask a line begins with the subtask's number: "2> ".
func (s Stream[T]) Print(opts ...Option) { PrintAs(s, "", opts...) }

// PrintAs is Print with a word before each line: "id> ", "id:2> ".
func PrintAs[T any](s Stream[T], id string, opts ...Option) {
	addPrint(s, id, "Print to Std. Out", func(t *task) func(string) { return t.env.Out.Print }, opts)
}

func addPrint[T any](s Stream[T], id, name string, printer func(t *task) func(string), opts []Option) {
	o := addSink(s, name, opts)
	o.build = func(t *task) error {
		x := &printOp[T]{base: newBase(t), prefix: printPrefix(id, t.env.Subtask, t.env.Parallelism), print: printer(t)}
		t.install(x, x)
		return nil
	}
}

func printPrefix(id string, subtask, parallelism int) string {
	if parallelism > 1 {
		if id != "" {
			id += ":"
		}
		id += strconv.Itoa(subtask + 1)
	}
	if id == "" {
		return ""
	}
	return id + "> "
}
