package stream

import (
	"context"
	"fmt"
	"reflect"
	"time"
)

// AsyncOptions configure an asynchronous operator.
type AsyncOptions struct {
	// Capacity is how many calls of a subtask run at a time; 0 means 100, as in
	// Flink. When so many records wait for their result or to be emitted, the
	// task takes no further ones; it still takes checkpoints.
	Capacity int
	// Timeout bounds the time from the arrival of a record to its result, all
	// attempts included; 0 is no bound. What happens then says OnTimeout. The
	// context of the call ends then; a call that goes on all the same keeps
	// its place among Capacity until it returns.
	Timeout time.Duration
	// OnTimeout gives the result of a record whose time is up; see TimeoutWith.
	// Nil fails the job.
	OnTimeout AsyncTimeout
	// Ordered emits results in the order of the records. Otherwise a result is
	// emitted when it is there; but a watermark never overtakes a record, nor a
	// record a watermark.
	Ordered bool
	// Retry repeats calls; the zero value does not.
	Retry AsyncRetry
}

// defaultAsyncCapacity is Flink's AsyncDataStream.DEFAULT_QUEUE_CAPACITY.
const defaultAsyncCapacity = 100

// AsyncTimeout gives a result in place of one that did not come in time. It is
// made by TimeoutWith.
type AsyncTimeout interface{ handles() (in, res reflect.Type) }

type timeoutFunc[In, R any] func(In) (R, error)

func (timeoutFunc[In, R]) handles() (in, res reflect.Type) {
	return reflect.TypeFor[In](), reflect.TypeFor[R]()
}

// TimeoutWith makes a handler for AsyncOptions.OnTimeout (Flink's
// AsyncFunction.timeout). It is called on the task's goroutine and must not wait
// for anything; an error fails the job. Its types are those of the operator's
// function.
func TimeoutWith[In, R any](f func(v In) (R, error)) AsyncTimeout { return timeoutFunc[In, R](f) }

// Async replaces every record by what f returns, calling f for many records at
// a time: for requests to services outside. It is Flink's AsyncDataStream. An
// error of f fails the job, unless it is retried.
//
// f is called on goroutines of its own, for several records and subtasks of the
// process at once. Its context ends with the task. Records without a result yet
// are in each checkpoint; after a restore f is called for them again, before it
// is called for new ones, so that an outside service sees some of them twice.
func Async[In, Res any](s Stream[In], f func(ctx context.Context, v In) (Res, error), o AsyncOptions, opts ...Option) Stream[Res] {
	return async(s, o, opts, fixedCall(f), emitOne[Res])
}

// AsyncFlat is Async for functions with any number of results.
func AsyncFlat[In, Res any](s Stream[In], f func(ctx context.Context, v In) ([]Res, error), o AsyncOptions, opts ...Option) Stream[Res] {
	return async(s, o, opts, fixedCall(f), emitAll[Res])
}

// AsyncFunc is an asynchronous function that is made for each subtask. It may
// also be an Opener and a Closer, to open a client and to close it; Close comes
// after all calls have returned. Call runs on many goroutines at once.
type AsyncFunc[In, Res any] interface {
	Call(ctx context.Context, v In) ([]Res, error)
}

// RunAsync is AsyncFlat with a function that factory makes for each subtask
// (Flink's RichAsyncFunction). In and Res are inferred from its Call.
func RunAsync[In, Res any, F AsyncFunc[In, Res]](s Stream[In], factory func(*Setup[NoKey]) F, o AsyncOptions, opts ...Option) Stream[Res] {
	return async(s, o, opts, func(s *Setup[NoKey]) asyncCall[In, []Res] {
		fn := factory(s)
		return asyncCall[In, []Res]{call: fn.Call, user: fn}
	}, emitAll[Res])
}

// asyncCall is the function of one subtask; user is what may have to be opened
// and closed.
type asyncCall[In, R any] struct {
	call func(ctx context.Context, v In) (R, error)
	user any
}

func fixedCall[In, R any](f func(ctx context.Context, v In) (R, error)) func(*Setup[NoKey]) asyncCall[In, R] {
	return func(*Setup[NoKey]) asyncCall[In, R] { return asyncCall[In, R]{call: f} }
}

func emitOne[Res any](r Res, out *Out[Res]) { out.Emit(r) }

func emitAll[Res any](rs []Res, out *Out[Res]) {
	for _, r := range rs {
		out.Emit(r)
	}
}

// async adds the operator; R is what a call returns, Res what is emitted.
func async[In, R, Res any](s Stream[In], ao AsyncOptions, opts []Option, make func(*Setup[NoKey]) asyncCall[In, R], emit func(R, *Out[Res])) Stream[Res] {
	o := addOpOf(s, "async", "async wait operator", opts)
	emits[Res](o)
	conf, err := newAsyncConf[In, R](ao)
	if err != nil {
		s.env.failf("operator %q: %w", o.node.Name, err)
	}
	plan(o, false, func(s *Setup[NoKey]) any { make(s); return nil })
	c, ok := codecOf[In](s.env, fmt.Sprintf("operator %q reads", o.node.Name))
	if !ok || c == nil {
		return streamOf[Res](o) // reported
	}
	(&Setup[NoKey]{o: o}).record(inFlightState, "operator-list", reflect.TypeFor[In]().String(), c.Schema())
	o.build = func(t *task) error {
		x := &asyncOp[In, R, Res]{base: newBase(t), o: o, conf: conf, codec: c, make: make, emit: emit}
		out, err := mainOutput[Res](&x.base)
		if err != nil {
			return err
		}
		x.out.next = out
		t.backlog = append(t.backlog, x)
		t.install(x, x)
		return nil
	}
	return streamOf[Res](o)
}

// asyncConf is AsyncOptions, checked, with defaults and types.
type asyncConf[In, R any] struct {
	capacity  int
	timeout   int64 // ms
	ordered   bool
	onTimeout func(In) (R, error)
	retry     retryRule[R]
	text      string // the time-out, for messages
}

func newAsyncConf[In, R any](o AsyncOptions) (asyncConf[In, R], error) {
	c := asyncConf[In, R]{capacity: o.Capacity, timeout: o.Timeout.Milliseconds(), ordered: o.Ordered, text: o.Timeout.String()}
	if c.capacity == 0 {
		c.capacity = defaultAsyncCapacity
	}
	if c.capacity < 0 || o.Timeout < 0 {
		return c, fmt.Errorf("AsyncOptions: capacity %d and time-out %s must not be below 0", o.Capacity, o.Timeout)
	}
	if o.Timeout > 0 && c.timeout == 0 {
		c.timeout = 1 // a positive bound is one, however short
	}
	if o.OnTimeout != nil {
		f, ok := o.OnTimeout.(timeoutFunc[In, R])
		if !ok {
			in, res := o.OnTimeout.handles()
			return c, fmt.Errorf("AsyncOptions.OnTimeout makes %s of %s, the function makes %s of %s", res, in, reflect.TypeFor[R](), reflect.TypeFor[In]())
		}
		c.onTimeout = f
	}
	var err error
	c.retry, err = newRetryRule[R](o.Retry)
	return c, err
}
