package stream

import (
	"fmt"
	"math"

	"goflink/dataflow"
)

// GeneratorSource emits gen(0), gen(1), … gen(n-1), at most perSecond of them over
// all subtasks. n < 0 never ends, perSecond 0 sets no limit. gen must be pure: a
// restored job calls it again from where it stood.
func GeneratorSource[T any](n int64, perSecond float64, gen func(i int64) T) Source[T] {
	return generator(n, splitsPerReader, PerSecond(perSecond), always(func(i int64, r *dataflow.Rec[T]) { r.V = gen(i) }))
}

// StatefulGeneratorSource is GeneratorSource with a function of its own for each
// subtask, which may keep what it likes between calls; a restored job begins with
// new functions.
func StatefulGeneratorSource[T any](n int64, perSecond float64, factory func() func(i int64) T) Source[T] {
	return generator(n, 1, PerSecond(perSecond), func() func(i int64, r *dataflow.Rec[T]) {
		gen := factory()
		return func(i int64, r *dataflow.Rec[T]) { r.V = gen(i) }
	})
}

func generator[T any](n int64, perReader int, r Rate, get func() func(i int64, r *dataflow.Rec[T])) Source[T] {
	unbounded := n < 0
	if unbounded {
		n = math.MaxInt64
	}
	src := rangeSource("Generator", fmt.Sprintf("%d at %s", n, r), n, perReader, r, get)
	src.unbounded = unbounded
	if err := r.check(); err != nil {
		src.err = err
	}
	return src
}

// RatedGeneratorSource is GeneratorSource with a Rate: Flink's RateLimiterStrategy.
func RatedGeneratorSource[T any](n int64, r Rate, gen func(i int64) T) Source[T] {
	return generator(n, splitsPerReader, r, always(func(i int64, r *dataflow.Rec[T]) { r.V = gen(i) }))
}

// Generate is the stream of GeneratorSource without event time.
func Generate[T any](e *Env, n int64, perSecond float64, gen func(i int64) T, opts ...Option) Stream[T] {
	return From(e, GeneratorSource(n, perSecond, gen), NoWatermarks[T](), opts...)
}
