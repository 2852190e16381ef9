package stream_test

import (
	"fmt"
	"strings"

	"goflink/stream"
)

// twoInputLaws are the laws of operators with two inputs, each of which reads the
// events from a source of its own.
func twoInputLaws() []law {
	return []law{
		{"connect", func(env *stream.Env, evs []event) stream.Stream[string] {
			a, b := source(env, evs), source(env, evs)
			odd := b.Filter(func(e event) bool { return e.N%2 == 1 })
			even := b.Filter(func(e event) bool { return e.N%2 == 0 })
			pair := stream.Connect(a.Rebalance(), odd.Shuffle().Union(even))
			return show(stream.CoFlatMap(pair, func(e event, out *stream.Out[string]) error {
				if e.N%3 == 0 {
					out.Emit(fmt.Sprint(e))
				}
				return nil
			}, func(e event, out *stream.Out[string]) error {
				out.Emit(e.Key)
				return nil
			}))
		}, func(evs []event) (out []string) {
			for _, e := range evs {
				out = append(out, e.Key)
				if e.N%3 == 0 {
					out = append(out, fmt.Sprint(e))
				}
			}
			return out
		}, 0},
		{"connected keyed process", func(env *stream.Env, evs []event) stream.Stream[string] {
			a, b := stream.KeyBy(source(env, evs), key), stream.KeyBy(source(env, evs).Rescale(), key)
			return stream.CoRun(stream.ConnectKeyed(a, b), newCoBuckets, stream.UID("buckets"))
		}, func(evs []event) []string {
			thrice := make([]event, len(evs))
			for i, e := range evs {
				thrice[i] = event{e.Key, e.At, 3 * e.N}
			}
			out := windowed(thrice, 100, 100, 0)
			for i := range out {
				out[i] = strings.ReplaceAll(out[i], "(", "[")
			}
			return out
		}, 20},
	}
}

// coBuckets sums by hundreds of milliseconds over both inputs; the second one
// counts twice.
type coBuckets struct{ *buckets }

func newCoBuckets(s *stream.Setup[string]) coBuckets { return coBuckets{newBuckets(s)} }

func (b coBuckets) OnFirst(ctx *stream.Ctx[string], e event, out *stream.Out[string]) error {
	return b.OnRecord(ctx, e, out)
}

func (b coBuckets) OnSecond(ctx *stream.Ctx[string], e event, out *stream.Out[string]) error {
	e.N *= 2
	return b.OnRecord(ctx, e, out)
}
