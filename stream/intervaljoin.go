package stream

import (
	"context"
	"fmt"
	"reflect"
	"time"

	"goflink/codec"
	"goflink/dataflow"
	"goflink/graph"
	"goflink/metrics"
	"goflink/state"
)

// Interval pairs records of two keyed streams whose event times are close: a
// record of the second input joins one of the first when it has the same key and
// its time is within the bounds, counted from the time of the first (Flink's
// intervalJoin … between). Its methods return changed copies.
type Interval[K comparable, A, B any] struct {
	in           ConnectedKeyed[K, A, B]
	lower, upper time.Duration
	openLower    bool
	openUpper    bool
	lateFirst    *Tag[A]
	lateSecond   *Tag[B]
}

// Between pairs records whose event times fit: first+lower <= second <=
// first+upper, in milliseconds. Both bounds may be negative, and belong to the
// interval unless LowerBoundExclusive or UpperBoundExclusive say otherwise.
func (c ConnectedKeyed[K, A, B]) Between(lower, upper time.Duration) Interval[K, A, B] {
	return Interval[K, A, B]{in: c, lower: lower, upper: upper}
}

// LowerBoundExclusive takes the lower bound out of the interval.
func (i Interval[K, A, B]) LowerBoundExclusive() Interval[K, A, B] { i.openLower = true; return i }

// UpperBoundExclusive takes the upper bound out of the interval.
func (i Interval[K, A, B]) UpperBoundExclusive() Interval[K, A, B] { i.openUpper = true; return i }

// LateFirstTo sends records of the first input that came behind the watermark to
// a side output, in place of dropping them (Flink's sideOutputLeftLateData).
func (i Interval[K, A, B]) LateFirstTo(tag Tag[A]) Interval[K, A, B] { i.lateFirst = &tag; return i }

// LateSecondTo sends records of the second input that came behind the watermark to
// a side output, in place of dropping them (Flink's sideOutputRightLateData).
func (i Interval[K, A, B]) LateSecondTo(tag Tag[B]) Interval[K, A, B] { i.lateSecond = &tag; return i }

// bounds are the first and the last millisecond of the interval.
func (i Interval[K, A, B]) bounds() (lower, upper int64) {
	lower, upper = i.lower.Milliseconds(), i.upper.Milliseconds()
	if i.openLower {
		lower++
	}
	if i.openUpper {
		upper--
	}
	return lower, upper
}

func (i Interval[K, A, B]) check(o *op) {
	if i.lower > i.upper {
		o.env.failf("operator %q: the interval's lower bound %s is above its upper bound %s", o.node.Name, i.lower, i.upper)
	}
	if i.lateFirst != nil {
		declareSide(o, *i.lateFirst)
	}
	if i.lateSecond != nil {
		declareSide(o, *i.lateSecond)
	}
}

// Pair is what a join function is told of a pair.
type Pair[K comparable] struct {
	Key K
	// First and Second are the event times of the two records in milliseconds; what
	// is emitted gets the later one.
	First, Second int64
}

// IntervalFunc is what an interval join with a factory implements (Flink's
// ProcessJoinFunction). One value serves one subtask; its methods are called on
// one goroutine.
type IntervalFunc[K comparable, A, B, Res any] interface {
	OnPair(p Pair[K], a A, b B, out *Out[Res]) error
}

// intervalFunc is a function as an IntervalFunc.
type intervalFunc[K comparable, A, B, Res any] func(p Pair[K], a A, b B, out *Out[Res]) error

func (f intervalFunc[K, A, B, Res]) OnPair(p Pair[K], a A, b B, out *Out[Res]) error {
	return f(p, a, b, out)
}

// IntervalJoin calls f for every pair of records of an interval, as soon as the
// later one has come. Event time only. A record is kept until the watermark says
// that nothing can join it any more.
func IntervalJoin[K comparable, A, B, Res any](i Interval[K, A, B], f func(p Pair[K], a A, b B, out *Out[Res]) error, opts ...Option) Stream[Res] {
	return IntervalRun(i, func(*Setup[K]) intervalFunc[K, A, B, Res] { return f }, opts...)
}

// IntervalRun is IntervalJoin with a function that factory makes for each subtask:
// it may have side outputs, and keyed state of its own.
func IntervalRun[K comparable, A, B, Res any, F IntervalFunc[K, A, B, Res]](i Interval[K, A, B], factory func(*Setup[K]) F, opts ...Option) Stream[Res] {
	o := addKeyedOpOfTwo(i.in.first, i.in.second.in, "interval-join", "Interval Join", opts)
	emits[Res](o)
	i.check(o)
	plan(o, true, factory)
	first, second := declareBuffer[A](o, firstBuffer), declareBuffer[B](o, secondBuffer)
	o.node.States = append(o.node.States, timersOf())
	o.build = func(t *task) error {
		x := &intervalOp[K, A, B, Res]{keyedBase: newKeyedBase(t, i.in.first.codec), o: o,
			make: func(s *Setup[K]) IntervalFunc[K, A, B, Res] { return factory(s) }}
		x.lower, x.upper = i.bounds()
		x.first = buffer[K, A]{name: firstBuffer, ns: firstCleanup, key: i.in.first.key, codec: first}
		x.second = buffer[K, B]{name: secondBuffer, ns: secondCleanup, key: i.in.second.key, codec: second}
		if err := x.connect(i.lateFirst, i.lateSecond); err != nil {
			return err
		}
		installTwo(t, x, x.collectFirst, x.collectSecond)
		return nil
	}
	return streamOf[Res](o)
}

// Names of the states, and the namespaces of the timers that clean them up.
const (
	firstBuffer  = "_first"
	secondBuffer = "_second"
)

var firstCleanup, secondCleanup = state.Namespace{A: 1}, state.Namespace{A: 2}

// bufferAt is the place of a record in a buffer: its event time, and its number
// among those of the same time.
type bufferAt struct {
	TS int64
	N  uint32
}

// buffered is a record in a buffer. The one with number 0 knows how many there are
// of its time, so that neither adding nor removing has to search.
type buffered[T any] struct {
	V    T
	Same uint32
}

func declareBuffer[T any](o *op, name string) codec.Codec[buffered[T]] {
	c, ok := codecOf[buffered[T]](o.env, fmt.Sprintf("state of operator %q", o.node.Name))
	if !ok || c == nil {
		return nil
	}
	b, err := c.Schema().MarshalBinary()
	if err != nil {
		o.env.failf("state of operator %q: %w", o.node.Name, err)
		return nil
	}
	o.node.States = append(o.node.States, &graph.State{Name: name, Kind: "map", Schema: b, Type: reflect.TypeFor[map[int64][]T]().String()})
	return c
}

// buffer keeps the records of one input that may still be joined.
type buffer[K comparable, T any] struct {
	name  string
	ns    state.Namespace // of its timers
	key   func(T) K
	codec codec.Codec[buffered[T]]
	late  dataflow.Input[T] // nil: late records are dropped
	recs  state.Map[bufferAt, buffered[T]]
}

func (b *buffer[K, T]) open(k *state.Keyed[K]) (err error) {
	b.recs, err = state.NewMap(k, state.MapDesc[bufferAt, buffered[T]]{Name: b.name, Codec: b.codec})
	return err
}

// add keeps a record of the current key. The state's copy is its own: the record
// goes on to the join function.
func (b *buffer[K, T]) add(r *dataflow.Rec[T]) {
	head, created := b.recs.Ptr(bufferAt{TS: r.TS})
	n := head.Same
	head.Same++
	if created {
		head.V = b.value(r.V)
		return
	}
	b.recs.Put(bufferAt{r.TS, n}, buffered[T]{V: b.value(r.V)})
}

// value is v as it may be kept, or handed out again.
func (b *buffer[K, T]) value(v T) T {
	if b.codec.Flat() {
		return v
	}
	return b.codec.Copy(buffered[T]{V: v}).V
}

// remove forgets the records of the current key with an event time.
func (b *buffer[K, T]) remove(ts int64) {
	head, _ := b.recs.Get(bufferAt{TS: ts})
	for n := range head.Same {
		b.recs.Delete(bufferAt{ts, n})
	}
}

// intervalOp joins over intervals as Flink's IntervalJoinOperator does: a record
// is kept in its input's buffer, joins what lies in the other one's, and is
// removed by a timer at the time after which nothing can join it.
type intervalOp[K comparable, A, B, Res any] struct {
	keyedBase[K]
	o            *op
	make         func(*Setup[K]) IntervalFunc[K, A, B, Res]
	fn           IntervalFunc[K, A, B, Res]
	lower, upper int64
	first        buffer[K, A]
	second       buffer[K, B]
	pair         Pair[K]
	out          Out[Res]
	now          moment
	dropped      *metrics.Counter // numLateRecordsDropped; nil without metrics
	// a and b are the record in work; from and to the times that join it.
	a        A
	b        B
	from, to int64
	err      error
	// toFirst and toSecond are methods, kept because a method value allocates.
	toFirst  func(bufferAt, buffered[B]) bool
	toSecond func(bufferAt, buffered[A]) bool
}

func (x *intervalOp[K, A, B, Res]) connect(lateFirst *Tag[A], lateSecond *Tag[B]) (err error) {
	if x.out.next, err = mainOutput[Res](&x.base); err != nil {
		return err
	}
	if lateFirst != nil {
		if x.first.late, err = sideOutput[A](&x.base, lateFirst.name); err != nil {
			return err
		}
	}
	if lateSecond != nil {
		x.second.late, err = sideOutput[B](&x.base, lateSecond.name)
	}
	return err
}

// Open makes the function, with its state and the buffers restored.
func (x *intervalOp[K, A, B, Res]) Open(ctx context.Context) error {
	if err := x.openState(ctx); err != nil {
		return err
	}
	if g := x.t.env.Metrics; g != nil {
		x.dropped = g.Counter("numLateRecordsDropped")
	}
	if err := x.first.open(x.keyed); err != nil {
		return x.stateError(err)
	}
	if err := x.second.open(x.keyed); err != nil {
		return x.stateError(err)
	}
	s := &Setup[K]{o: x.o, b: &x.base, keyed: x.keyed, key: true, now: &x.now}
	x.fn = x.make(s)
	if s.err != nil {
		return s.err
	}
	x.onEvent, x.onProc = x.cleanUp, func(int64) error { return nil }
	x.toFirst, x.toSecond = x.joinFirst, x.joinSecond
	return x.fail(openUser(ctx, x.fn))
}

func (x *intervalOp[K, A, B, Res]) collectFirst(r *dataflow.Rec[A]) error {
	if err := x.timed(r.TS); err != nil {
		return err
	}
	if r.TS < x.wm {
		return dropLate(x.dropped, x.first.late, r)
	}
	x.pair.Key = x.first.key(r.V)
	x.keyed.SetKey(x.pair.Key)
	x.first.add(r)
	x.a, x.pair.First = r.V, r.TS
	x.from, x.to = addClamped(r.TS, x.lower), addClamped(r.TS, x.upper)
	x.second.recs.Each(x.toFirst)
	x.arm(x.first.ns, addClamped(r.TS, max(x.upper, 0)))
	return x.done()
}

func (x *intervalOp[K, A, B, Res]) collectSecond(r *dataflow.Rec[B]) error {
	if err := x.timed(r.TS); err != nil {
		return err
	}
	if r.TS < x.wm {
		return dropLate(x.dropped, x.second.late, r)
	}
	x.pair.Key = x.second.key(r.V)
	x.keyed.SetKey(x.pair.Key)
	x.second.add(r)
	x.b, x.pair.Second = r.V, r.TS
	x.from, x.to = addClamped(r.TS, -x.upper), addClamped(r.TS, -x.lower)
	x.first.recs.Each(x.toSecond)
	x.arm(x.second.ns, addClamped(r.TS, max(-x.lower, 0)))
	return x.done()
}

// timed reports a record without event time.
func (x *intervalOp[K, A, B, Res]) timed(ts int64) error {
	if ts == dataflow.NoTimestamp {
		return x.fail(fmt.Errorf("a record has no event time: give the source a watermark strategy with timestamps"))
	}
	return nil
}

func dropLate[T any](dropped *metrics.Counter, late dataflow.Input[T], r *dataflow.Rec[T]) error {
	if late != nil {
		return late.Collect(r)
	}
	if dropped != nil {
		dropped.Inc()
	}
	return nil
}

// joinFirst joins the record of the first input in work with one of the second.
func (x *intervalOp[K, A, B, Res]) joinFirst(at bufferAt, e buffered[B]) bool {
	if at.TS < x.from || at.TS > x.to {
		return true
	}
	x.pair.Second = at.TS
	return x.join(x.a, x.second.value(e.V))
}

// joinSecond is joinFirst for the other input.
func (x *intervalOp[K, A, B, Res]) joinSecond(at bufferAt, e buffered[A]) bool {
	if at.TS < x.from || at.TS > x.to {
		return true
	}
	x.pair.First = at.TS
	return x.join(x.first.value(e.V), x.b)
}

// join calls the function and tells whether to go on.
func (x *intervalOp[K, A, B, Res]) join(a A, b B) bool {
	ts := max(x.pair.First, x.pair.Second)
	x.out.rec.TS, x.now.ts = ts, ts
	x.err = x.fail(x.fn.OnPair(x.pair, a, b, &x.out))
	return x.err == nil && x.out.err == nil && x.now.err == nil
}

// arm sets the timer that removes the record in work.
func (x *intervalOp[K, A, B, Res]) arm(ns state.Namespace, ms int64) {
	x.keyed.SetNamespace(ns)
	x.timers.RegisterEvent(ms)
	x.keyed.SetNamespace(state.Namespace{})
}

// cleanUp removes the records that nothing can join any more.
func (x *intervalOp[K, A, B, Res]) cleanUp(ts int64) error {
	first := x.keyed.Namespace() == x.first.ns
	x.keyed.SetNamespace(state.Namespace{})
	if first {
		x.first.remove(ts - max(x.upper, 0))
	} else {
		x.second.remove(ts - max(-x.lower, 0))
	}
	return nil
}

// done reports the function's error, or that of what it emitted, or of the state,
// and lets go of the record.
func (x *intervalOp[K, A, B, Res]) done() error {
	var noA A
	var noB B
	x.a, x.b = noA, noB
	for _, err := range [...]error{x.err, x.out.err, x.now.err} {
		if err != nil {
			return err
		}
	}
	if err := x.keyed.Err(); err != nil {
		return x.stateError(err)
	}
	return nil
}

// Close closes the function and the state.
func (x *intervalOp[K, A, B, Res]) Close() error {
	err := x.fail(closeUser(x.fn))
	if serr := x.keyedBase.Close(); err == nil {
		err = serr
	}
	return err
}
