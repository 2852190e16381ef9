package stream

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"reflect"

	"goflink/codec"
	"goflink/dataflow"
	"goflink/graph"
	"goflink/state"
)

// Number is what can be summed.
type Number interface {
	~int | ~int8 | ~int16 | ~int32 | ~int64 | ~uint | ~uint8 | ~uint16 | ~uint32 | ~uint64 | ~float32 | ~float64
}

// Grouped is a keyed stream, whole or cut into windows: what Reduce, Aggregate,
// Sum and their like take. Over a whole stream they roll: each record yields the
// result so far. Over windows each window yields one result.
type Grouped[K comparable, T any] interface {
	group() (Keyed[K, T], *windowing[T])
}

func (s Keyed[K, T]) group() (Keyed[K, T], *windowing[T]) { return s, nil }

// Aggregator folds records into an accumulator. It must hold no state itself: all
// keys share it.
type Aggregator[In, Acc, Res any] interface {
	// New is an empty accumulator.
	New() Acc
	// Add adds a record; it may change acc and return it.
	Add(acc Acc, v In) Acc
	// Merge joins two accumulators, of panes of a sliding window or of sessions.
	Merge(a, b Acc) Acc
	// Result is what is emitted.
	Result(acc Acc) Res
}

// Pane is the result of Aggregate: of a window, or, with no bounds, of a key so
// far.
type Pane[K comparable, Res any] struct {
	Key K
	// Start and End are milliseconds; End is exclusive.
	Start, End int64
	Value      Res
}

// String is the pane as Print shows it: "(key,value)" where it has no bounds,
// else "(key,start,end,value)". There is no key in a pane of WindowAll.
func (p Pane[K, Res]) String() string {
	if _, none := any(p.Key).(NoKey); none {
		if p.Start == p.End || p.Start == math.MinInt64 {
			return fmt.Sprint(p.Value)
		}
		return fmt.Sprintf("(%d,%d,%v)", p.Start, p.End, p.Value)
	}
	if p.Start == p.End || p.Start == math.MinInt64 {
		return fmt.Sprintf("(%v,%v)", p.Key, p.Value)
	}
	return fmt.Sprintf("(%v,%d,%d,%v)", p.Key, p.Start, p.End, p.Value)
}

// folder is how records become an accumulator, without copying it.
type folder[T, Acc any] struct {
	first func(acc *Acc, v *T)
	add   func(acc *Acc, v *T)
	merge func(acc, other *Acc)
	// empty makes an accumulator of no records; nil if there is no such thing.
	empty func(acc *Acc)
}

// all folds records, and tells whether that is an accumulator.
func (f *folder[T, Acc]) all(vs []T) (acc Acc, ok bool) {
	for i := range vs {
		if i == 0 {
			f.first(&acc, &vs[i])
		} else {
			f.add(&acc, &vs[i])
		}
	}
	if len(vs) == 0 && f.empty != nil {
		f.empty(&acc)
		return acc, true
	}
	return acc, len(vs) > 0
}

func aggregatorFolder[In, Acc, Res any](a Aggregator[In, Acc, Res]) folder[In, Acc] {
	return folder[In, Acc]{
		first: func(acc *Acc, v *In) { *acc = a.Add(a.New(), *v) },
		add:   func(acc *Acc, v *In) { *acc = a.Add(*acc, *v) },
		merge: func(acc, other *Acc) { *acc = a.Merge(*acc, *other) },
		empty: func(acc *Acc) { *acc = a.New() },
	}
}

// reduceFolder folds records into one of their own kind. A type that is not flat
// is copied: into may keep what it is given and change it later, while others
// still read the record.
func reduceFolder[T any](c codec.Codec[T], into func(acc, v *T)) folder[T, T] {
	first := func(acc, v *T) { *acc = *v }
	add := into
	if c != nil && !c.Flat() {
		first = func(acc, v *T) { *acc = c.Copy(*v) }
		add = func(acc, v *T) {
			x := c.Copy(*v)
			into(acc, &x)
		}
	}
	return folder[T, T]{first: first, add: add, merge: add}
}

// Reduce joins the records of a key, or of a key's window, two by two. f may
// change a and return it.
func Reduce[K comparable, T any](g Grouped[K, T], f func(a, b T) T, opts ...Option) Stream[T] {
	return reduceInto(g, names{"Keyed Reduce", "ReduceFunction"}, func(acc, v *T) { *acc = f(*acc, *v) }, opts)
}

// Sum adds up a field, whose address field returns; the other fields are those of
// the first record.
func Sum[K comparable, T any, N Number](g Grouped[K, T], field func(v *T) *N, opts ...Option) Stream[T] {
	return reduceInto(g, names{"Keyed Aggregation", "SumAggregator"}, func(acc, v *T) { *field(acc) += *field(v) }, opts)
}

// Min keeps the smallest value of a field; the other fields are those of the
// first record.
func Min[K comparable, T any, N cmp.Ordered](g Grouped[K, T], field func(v *T) *N, opts ...Option) Stream[T] {
	return reduceInto(g, comparing, func(acc, v *T) { *field(acc) = min(*field(acc), *field(v)) }, opts)
}

// Max keeps the largest value of a field; the other fields are those of the first
// record.
func Max[K comparable, T any, N cmp.Ordered](g Grouped[K, T], field func(v *T) *N, opts ...Option) Stream[T] {
	return reduceInto(g, comparing, func(acc, v *T) { *field(acc) = max(*field(acc), *field(v)) }, opts)
}

// MinBy keeps the record with the smallest value of a field, the first of equals.
func MinBy[K comparable, T any, N cmp.Ordered](g Grouped[K, T], field func(v *T) *N, opts ...Option) Stream[T] {
	return reduceInto(g, comparing, func(acc, v *T) {
		if *field(v) < *field(acc) {
			*acc = *v
		}
	}, opts)
}

// MaxBy keeps the record with the largest value of a field, the first of equals.
func MaxBy[K comparable, T any, N cmp.Ordered](g Grouped[K, T], field func(v *T) *N, opts ...Option) Stream[T] {
	return reduceInto(g, comparing, func(acc, v *T) {
		if *field(v) > *field(acc) {
			*acc = *v
		}
	}, opts)
}

// names are Flink's names of a function: of the operator that rolls it, and in
// the description of a window.
type names struct{ rolling, window string }

var comparing = names{"Keyed Aggregation", "ComparableAggregator"}

func reduceInto[K comparable, T any](g Grouped[K, T], n names, into func(acc, v *T), opts []Option) Stream[T] {
	k, w := g.group()
	c, _ := codecOf[T](k.in.env, n.rolling)
	f := reduceFolder(c, into)
	result := reduced[K](c)
	if w != nil {
		return windowFold(k, w, n.window, f, result, opts)
	}
	return rollingFold(k, n.rolling, f, result, opts)
}

// reduced is the result of a reduction: the state keeps its own.
func reduced[K comparable, T any](c codec.Codec[T]) resultFunc[K, T, T, T] {
	if c != nil && !c.Flat() {
		return func(_ *T, acc *T, _ K, _ Span) T { return c.Copy(*acc) }
	}
	return func(_ *T, acc *T, _ K, _ Span) T { return *acc }
}

// Aggregate folds the records of a key, or of a key's window.
func Aggregate[K comparable, T, Acc, Res any](g Grouped[K, T], a Aggregator[T, Acc, Res], opts ...Option) Stream[Pane[K, Res]] {
	k, w := g.group()
	result := func(_ *T, acc *Acc, key K, s Span) Pane[K, Res] {
		return Pane[K, Res]{Key: key, Start: s.Start, End: s.End, Value: a.Result(*acc)}
	}
	if w != nil {
		return windowFold(k, w, "AggregateFunction", aggregatorFolder(a), result, opts)
	}
	return rollingFold(k, "Keyed Aggregate", aggregatorFolder(a), result, opts)
}

// Count counts the records of a key, or of a key's window.
func Count[K comparable, T any](g Grouped[K, T], opts ...Option) Stream[Pane[K, int64]] {
	return Aggregate(g, counter[T]{}, opts...)
}

type counter[T any] struct{}

func (counter[T]) New() int64             { return 0 }
func (counter[T]) Add(n int64, _ T) int64 { return n + 1 }
func (counter[T]) Merge(a, b int64) int64 { return a + b }
func (counter[T]) Result(n int64) int64   { return n }

// resultFunc makes what is emitted from an accumulator; the first argument only
// carries a type.
type resultFunc[K comparable, T, Acc, Res any] = func(_ *T, acc *Acc, key K, s Span) Res

const accState = "_acc"

// declareAcc records the accumulator's state and makes sure it can be encoded.
func declareAcc[Acc any](o *op, kind string) (codec.Codec[Acc], bool) {
	c, ok := codecOf[Acc](o.env, fmt.Sprintf("state of operator %q", o.node.Name))
	if !ok || c == nil {
		return nil, false
	}
	b, err := c.Schema().MarshalBinary()
	if err != nil {
		o.env.failf("state of operator %q: %w", o.node.Name, err)
		return nil, false
	}
	o.node.States = append(o.node.States, &graph.State{Name: accState, Kind: kind, Schema: b, Type: reflect.TypeFor[Acc]().String()})
	return c, true
}

type rollingOp[K comparable, T, Acc, Res any] struct {
	keyedBase[K]
	key    func(T) K
	acc    codec.Codec[Acc]
	fold   folder[T, Acc]
	result resultFunc[K, T, Acc, Res]
	value  state.Value[Acc]
	next   dataflow.Input[Res]
	rec    dataflow.Rec[Res]
	batch  bool // emit at the end of data only
}

func (o *rollingOp[K, T, Acc, Res]) Open(ctx context.Context) error {
	if err := o.openState(ctx); err != nil {
		return err
	}
	v, err := state.NewValue(o.keyed, state.Desc[Acc]{Name: accState, Codec: o.acc})
	if err != nil {
		return o.stateError(err)
	}
	o.value = v
	return nil
}

func (o *rollingOp[K, T, Acc, Res]) Collect(r *dataflow.Rec[T]) error {
	k := o.key(r.V)
	o.keyed.SetKey(k)
	acc, created := o.value.Ptr()
	if created {
		o.fold.first(acc, &r.V)
	} else {
		o.fold.add(acc, &r.V)
	}
	if o.batch {
		return o.keyed.Err()
	}
	o.rec.V, o.rec.TS = o.result(nil, acc, k, Span{}), r.TS
	if err := o.keyed.Err(); err != nil {
		return o.stateError(err)
	}
	return o.next.Collect(&o.rec)
}

// Watermark emits all results at the end of data in batch mode, as Flink does.
// What was emitted is forgotten: the job may begin again from a checkpoint that
// was taken after it.
func (o *rollingOp[K, T, Acc, Res]) Watermark(ts int64) error {
	if o.batch && ts == dataflow.MaxWatermark {
		err := o.keyed.EachKey(accState, func(k K, _ state.Namespace) error {
			acc, _ := o.value.Get()
			o.rec.V, o.rec.TS = o.result(nil, &acc, k, Span{}), dataflow.NoTimestamp
			o.value.Clear()
			return o.next.Collect(&o.rec)
		})
		if err != nil {
			return err
		}
	}
	return o.keyedBase.Watermark(ts)
}

func rollingFold[K comparable, T, Acc, Res any](k Keyed[K, T], name string, f folder[T, Acc], result resultFunc[K, T, Acc, Res], opts []Option) Stream[Res] {
	o := addKeyedOp(k, "reduce", name, opts)
	emits[Res](o)
	c, _ := declareAcc[Acc](o, "value")
	o.build = func(t *task) error {
		x := &rollingOp[K, T, Acc, Res]{keyedBase: newKeyedBase(t, k.codec), key: k.key, acc: c, fold: f, result: result, batch: t.program.batch}
		out, err := mainOutput[Res](&x.base)
		if err != nil {
			return err
		}
		x.next = out
		t.install(x, x)
		return nil
	}
	return streamOf[Res](o)
}
