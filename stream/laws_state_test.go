package stream_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"goflink/state"
	"goflink/stream"
	"goflink/stream/streamtest"
)

// stateLaws hold for the kinds of state one by one.
func stateLaws() []law {
	return []law{
		{"reducing and aggregating", func(env *stream.Env, evs []event) stream.Stream[string] {
			byCell := stream.KeyBy(source(env, evs), func(e event) cell { return cell{e.Key, e.At / 100 * 100} })
			return stream.Run(byCell, newFolds, stream.UID("folds"))
		}, bucketed, 20},
		{"state that lives long enough", func(env *stream.Env, evs []event) stream.Stream[string] {
			return stream.Run(stream.KeyBy(source(env, evs), key), newLasting, stream.UID("lasting"))
		}, bucketed, 20},
	}
}

// bucketed is what sums by hundreds of milliseconds look like.
func bucketed(evs []event) []string {
	out := windowed(evs, 100, 100, 0)
	for i := range out {
		out[i] = strings.ReplaceAll(out[i], "(", "[")
	}
	return out
}

type cell struct {
	Key   string
	Start int64
}

// span is an accumulator that is not flat.
type span struct {
	Seen     []int64
	Min, Max int64
}

// spans aggregates event times.
type spans struct{}

func (spans) New() span { return span{Min: 1 << 62} }
func (spans) Add(a span, e event) span {
	return span{append(a.Seen, e.N), min(a.Min, e.At), max(a.Max, e.At)}
}
func (spans) Merge(a, b span) span {
	return span{append(a.Seen, b.Seen...), min(a.Min, b.Min), max(a.Max, b.Max)}
}
func (spans) Result(a span) string { return fmt.Sprint(len(a.Seen), " ", a.Min, " ", a.Max) }

// folds sums a cell by a reducing state and checks it by an aggregating one.
type folds struct {
	sum   stream.Reducing[int64]
	spans stream.Aggregating[event, span, string]
	count stream.Value[int64]
}

func newFolds(s *stream.Setup[cell]) *folds {
	return &folds{
		stream.NewReducing(s, "sum", func(a, b int64) int64 { return a + b }),
		stream.NewAggregating(s, "spans", spans{}),
		stream.NewValue[int64](s, "count"),
	}
}

func (f *folds) OnRecord(ctx *stream.Ctx[cell], e event, out *stream.Out[string]) error {
	f.sum.Add(e.N)
	f.spans.Add(e)
	f.count.Set(f.count.Or(0) + 1)
	ctx.TimerAt(ctx.Key.Start + 99)
	return nil
}

func (f *folds) OnTimer(ctx *stream.Ctx[cell], out *stream.Out[string]) error {
	n, ok := f.sum.Get()
	got, ok2 := f.spans.Get()
	var count, low, high int64
	if _, err := fmt.Sscan(got, &count, &low, &high); !ok || !ok2 || err != nil {
		return fmt.Errorf("timer of %v: %q %v %v %w", ctx.Key, got, ok, ok2, err)
	}
	if count != f.count.Or(0) || low < ctx.Key.Start || high > ctx.Time {
		return fmt.Errorf("timer of %v after %d records: %s", ctx.Key, f.count.Or(0), got)
	}
	f.sum.Clear()
	f.spans.Clear()
	f.count.Clear()
	if _, left := f.sum.Get(); left {
		return fmt.Errorf("the sum of %v is still there", ctx.Key)
	}
	out.Emit(fmt.Sprintf("[%s,%d,%d,%d)", ctx.Key.Key, ctx.Key.Start, ctx.Key.Start+100, n))
	return nil
}

// newLasting is buckets with a time to live that does not end: it changes nothing.
func newLasting(s *stream.Setup[string]) *buckets {
	ttl := stream.WithTTL(stream.TTL{Time: time.Hour, Update: stream.OnReadAndWrite, Cleanup: stream.TTLCleanup{FullSnapshot: true, EveryRecord: true}})
	return &buckets{stream.NewMap[int64, int64](s, "sums", ttl), stream.NewList[int64](s, "seen", ttl), stream.NewValue[int64](s, "last", ttl)}
}

// firsts emits a key when it was not seen for two seconds.
type firsts struct {
	seen stream.Value[bool]
	n    stream.Reducing[int]
}

func newFirsts(s *stream.Setup[string]) *firsts {
	ttl := stream.WithTTL(stream.TTL{Time: 2 * time.Second})
	return &firsts{stream.NewValue[bool](s, "seen", ttl), stream.NewReducing(s, "n", func(a, b int) int { return a + b }, ttl)}
}

func (f *firsts) OnRecord(ctx *stream.Ctx[string], _ event, out *stream.Out[string]) error {
	f.n.Add(1)
	if _, seen := f.seen.Get(); !seen {
		n, _ := f.n.Get()
		out.Emit(fmt.Sprint(ctx.Key, " ", n))
	}
	f.seen.Set(true)
	return nil
}

// TestTTL lets state expire by the clock of the task, and across a restore on another backend: ten records a second,
// of a, then for three seconds of b, then of a again.
func TestTTL(t *testing.T) {
	build := func() *stream.Program {
		return program(t, func(env *stream.Env) {
			s := stream.Generate(env, 40, 10, func(i int64) event {
				if i < 5 || i >= 35 {
					return event{Key: "a"}
				}
				return event{Key: "b"}
			}, stream.Parallelism(1))
			stream.Run(stream.KeyBy(s, key), newFirsts, stream.UID("firsts"), stream.Parallelism(1)).Print()
		})
	}
	c, err := streamtest.New(build(), streamtest.Options{})
	must(t, err)
	for c.Now().Before(time.UnixMilli(24*60*60*1000 + 1500)) {
		must(t, c.RunSteps(1))
	}
	cp, err := c.Checkpoint()
	must(t, err)
	lines, now := c.Lines(), c.Now()
	must(t, c.Close())
	c, err = streamtest.New(build(), streamtest.Options{Restore: cp, Start: now, Backend: state.Pebble, Dir: t.TempDir()})
	must(t, err)
	defer c.Close()
	must(t, c.Run())
	if got := strings.Join(append(lines, c.Lines()...), ", "); got != "a 1, b 1, a 1" {
		t.Error(got)
	}
}
