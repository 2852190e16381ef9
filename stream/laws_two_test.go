package stream_test

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"goflink/stream"
)

// twoInputLaws are the laws of operators with two inputs, each of which reads the
// events from a source of its own.
func twoInputLaws() []law {
	return slices.Concat(connectLaws(), broadcastLaws(), joinLaws(), coGroupLaws())
}

func connectLaws() []law {
	return []law{
		{"connect", func(env *stream.Env, evs []event) stream.Stream[string] {
			a, b := slow(env, evs), slow(env, evs)
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
			a, b := stream.KeyBy(slow(env, evs), key), stream.KeyBy(slow(env, evs).Rescale(), key)
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

func broadcastLaws() []law {
	return []law{
		{"keyed broadcast", func(env *stream.Env, evs []event) stream.Stream[string] {
			rules := slow(env, evs).Filter(func(e event) bool { return e.N >= ruleOf(e.Key) })
			return stream.RunBroadcast(stream.KeyBy(slow(env, evs), key), rules, newWaiting, stream.UID("factors"))
		}, func(evs []event) (out []string) {
			known := map[string]bool{}
			for _, e := range evs {
				known[e.Key] = known[e.Key] || e.N >= ruleOf(e.Key)
			}
			for _, e := range evs {
				if known[e.Key] {
					out = append(out, fmt.Sprint(e.Key, e.N*ruleOf(e.Key)))
				}
			}
			return out
		}, 20},
		{"broadcast", func(env *stream.Env, evs []event) stream.Stream[string] {
			return stream.ProcessBroadcast(slow(env, evs), slow(env, evs), newCensus, stream.UID("census"))
		}, func(evs []event) (out []string) {
			for i, e := range evs {
				out = append(out, e.Key, fmt.Sprint(i+1))
			}
			return out
		}, 20},
	}
}

func joinLaws() []law {
	return []law{
		{"interval join", func(env *stream.Env, evs []event) stream.Stream[string] {
			pair := stream.ConnectKeyed(stream.KeyBy(slow(env, evs), key), stream.KeyBy(slow(env, evs), key))
			return stream.IntervalJoin(pair.Between(-40*time.Millisecond, 150*time.Millisecond).UpperBoundExclusive(),
				func(p stream.Pair[string], a, b event, out *stream.Out[string]) error {
					out.Emit(fmt.Sprint(p.Key, a.N, b.N))
					return nil
				}, stream.UID("join"))
		}, func(evs []event) (out []string) {
			for _, a := range evs {
				for _, b := range evs {
					if d := b.At - a.At; a.Key == b.Key && d >= -40 && d < 150 {
						out = append(out, fmt.Sprint(a.Key, a.N, b.N))
					}
				}
			}
			return out
		}, 20},
		{"window join", func(env *stream.Env, evs []event) stream.Stream[string] {
			w := stream.ConnectKeyed(stream.KeyBy(slow(env, evs), key), stream.KeyBy(slow(env, evs), key)).Window(stream.Sliding(100*time.Millisecond, 50*time.Millisecond))
			return stream.Join(w, func(a, b event) string { return fmt.Sprint(a.Key, a.N, b.N) }, stream.UID("join"))
		}, func(evs []event) (out []string) {
			for _, a := range evs {
				for _, b := range evs {
					for s := a.At/50*50 - 50; a.Key == b.Key && s <= a.At; s += 50 {
						if b.At >= s && b.At < s+100 {
							out = append(out, fmt.Sprint(a.Key, a.N, b.N))
						}
					}
				}
			}
			return out
		}, 20},
	}
}

func coGroupLaws() []law {
	return []law{
		{"session co-group", func(env *stream.Env, evs []event) stream.Stream[string] {
			even := slow(env, evs).Filter(func(e event) bool { return e.N%2 == 0 })
			odd := slow(env, evs).Filter(func(e event) bool { return e.N%2 == 1 })
			w := stream.ConnectKeyed(stream.KeyBy(even, key), stream.KeyBy(odd, key)).Window(stream.Session(60 * time.Millisecond))
			return stream.CoGroup(w, func(i stream.WindowInfo[string], as, bs []event, out *stream.Out[string]) error {
				n := int64(0)
				for _, e := range slices.Concat(as, bs) {
					n += e.N
				}
				out.Emit(fmt.Sprintf("(%s,%d,%d,%d)", i.Key, i.Start, i.End, n))
				return nil
			}, stream.UID("group"))
		}, func(evs []event) []string { return sessions(evs, 60) }, 20},
		{"window all", func(env *stream.Env, evs []event) stream.Stream[string] {
			return show(stream.Aggregate(slow(env, evs).WindowAll(stream.Tumbling(170*time.Millisecond)), sum{}, stream.UID("sum")))
		}, func(evs []event) []string {
			one := make([]event, len(evs))
			for i, e := range evs {
				one[i] = event{"", e.At, e.N}
			}
			out := windowed(one, 170, 170, 0)
			for i := range out {
				out[i] = strings.Replace(out[i], "(,", "(", 1)
			}
			return out
		}, 20},
	}
}

// slow is source a few records at a time, so that checkpoints and kills fall among
// them.
func slow(env *stream.Env, evs []event) stream.Stream[event] {
	ws := stream.BoundedOutOfOrderness[event](500 * time.Millisecond).WithTimestamps(at)
	return stream.From(env, stream.GeneratorSource(int64(len(evs)), 4000, func(i int64) event { return evs[i] }), ws, stream.Name("slow events"))
}

// ruleOf is the factor of a key, and the number of the first event that brings it.
func ruleOf(key string) int64 { return int64(key[1]-'0') * 40 }

// waiting multiplies events by the factor of their key, which comes by broadcast;
// those that came before it wait.
type waiting struct {
	factor stream.BroadcastState[string, int64]
	wait   stream.List[int64]
}

func newWaiting(s *stream.Setup[string]) *waiting {
	return &waiting{stream.NewBroadcastState[string, int64](s, "factors"), stream.NewList[int64](s, "wait")}
}

func (w *waiting) OnRecord(_ *stream.Ctx[string], e event, out *stream.Out[string]) error {
	if n, ok := w.factor.Get(e.Key); ok {
		out.Emit(fmt.Sprint(e.Key, e.N*n))
	} else {
		w.wait.Add(e.N)
	}
	return nil
}

func (w *waiting) OnBroadcast(ctx *stream.BroadcastCtx[string], e event, out *stream.Out[string]) error {
	if _, known := w.factor.Get(e.Key); known {
		return nil
	}
	w.factor.Put(ctx, e.Key, ruleOf(e.Key))
	return ctx.ApplyToKeyedState("wait", func(key string) error {
		if key != e.Key {
			return nil
		}
		w.wait.Each(func(n int64) bool {
			out.Emit(fmt.Sprint(key, n*ruleOf(key)))
			return true
		})
		w.wait.Clear()
		return nil
	})
}

// census emits the key of each record, and in one subtask how many records came
// by broadcast: a state that is lost, divided or doubled skips or repeats.
type census struct {
	seen stream.BroadcastState[int64, bool]
	tell bool
}

func newCensus(s *stream.Setup[stream.NoKey]) *census {
	return &census{stream.NewBroadcastState[int64, bool](s, "seen"), s.Subtask() == 0}
}

func (c *census) OnRecord(_ *stream.Ctx[stream.NoKey], e event, out *stream.Out[string]) error {
	out.Emit(e.Key)
	return nil
}

func (c *census) OnBroadcast(ctx *stream.BroadcastCtx[stream.NoKey], e event, out *stream.Out[string]) error {
	c.seen.Put(ctx, e.N, true)
	if c.tell {
		out.Emit(fmt.Sprint(c.seen.Len()))
	}
	return nil
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
