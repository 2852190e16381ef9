package stream_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"goflink/stream"
	"goflink/stream/streamtest"
)

// visits tells what a keyed function sees in BATCH.
type visits struct {
	n stream.Value[int]
}

func newVisits(s *stream.Setup[string]) *visits {
	return &visits{stream.NewValue[int](s, "n")}
}

func (v *visits) OnRecord(ctx *stream.Ctx[string], e event, out *stream.Out[string]) error {
	n, _ := v.n.Get()
	v.n.Set(n + 1)
	out.Emit(fmt.Sprintf("%s record %d #%d wm %t", ctx.Key, e.At, n, ctx.Watermark() > 0))
	ctx.TimerAt(e.At + 1000)
	ctx.ProcTimerAt(ctx.Now() + 3_600_000) // nobody waits for an hour
	return nil
}

func (v *visits) OnTimer(ctx *stream.Ctx[string], out *stream.Out[string]) error {
	n, _ := v.n.Get()
	if ctx.ProcessingTime {
		out.Emit(fmt.Sprintf("%s clock #%d", ctx.Key, n))
		ctx.ProcTimerAt(ctx.Now() + 1) // for ever, if it could
		return nil
	}
	out.Emit(fmt.Sprintf("%s timer %d #%d", ctx.Key, ctx.Time, n))
	ctx.TimerAt(ctx.Time + 1000)
	return nil
}

// TestBatchKeyByKey: in BATCH a keyed function gets one key after the other, by
// event time; at the end of a key its timers fire, and its state is gone.
func TestBatchKeyByKey(t *testing.T) {
	evs := []event{{"b", 30, 1}, {"a", 20, 1}, {"b", 10, 1}, {"a", 5, 1}, {"b", 20, 1}}
	for _, remote := range []float64{0, 1} {
		p := program(t, func(env *stream.Env) {
			env.Configure("execution.runtime-mode", "AUTOMATIC")
			stream.Run(stream.KeyBy(source(env, evs), key), newVisits, stream.UID("visits")).Print()
		})
		c, err := streamtest.New(p, streamtest.Options{RemoteShare: remote, Credit: 1, Dir: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Run(); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, l := range c.Lines() {
			if !strings.Contains(l, "clock") || !slices.Contains(got, l) { // timers of one millisecond are one
				got = append(got, l)
			}
		}
		want := []string{
			"a record 5 #0 wm false", "a record 20 #1 wm false", "a timer 1005 #2", "a timer 1020 #2", "a clock #2",
			"b record 10 #0 wm false", "b record 20 #1 wm false", "b record 30 #2 wm false", "b timer 1010 #3", "b timer 1020 #3", "b timer 1030 #3", "b clock #3"}
		if !slices.Equal(got, want) {
			t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestBatchOneResult: reducing yields one result for each key, and nothing is late.
func TestBatchOneResult(t *testing.T) {
	evs := []event{{"a", 100, 1}, {"b", 3, 5}, {"a", 1, 2}, {"b", 90, 6}, {"a", 50, 4}}
	p := program(t, func(env *stream.Env) {
		env.Configure("execution.runtime-mode", "BATCH")
		in := stream.KeyBy(source(env, evs), key)
		stream.Map(stream.Sum(in, func(e *event) *int64 { return &e.N }, stream.UID("sum")), func(e event) string { return fmt.Sprintf("sum %s %d", e.Key, e.N) }).Print()
		stream.Map(stream.Count(in.Window(stream.Tumbling(1e9)), stream.UID("count")),
			func(p stream.Pane[string, int64]) string { return fmt.Sprintf("count %s %d", p.Key, p.Value) }).Print()
	})
	got := run(t, p, streamtest.Options{Dir: t.TempDir()})
	if want := []string{"count a 3", "count b 2", "sum a 7", "sum b 11"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// knowing tells how much of a broadcast input it has seen.
type knowing struct {
	seen stream.BroadcastState[int64, bool]
}

func newKnowing(s *stream.Setup[string]) *knowing {
	return &knowing{stream.NewBroadcastState[int64, bool](s, "seen")}
}

func (k *knowing) OnRecord(ctx *stream.Ctx[string], e event, out *stream.Out[string]) error {
	n := 0
	k.seen.Each(func(int64, bool) bool { n++; return true })
	out.Emit(fmt.Sprintf("%s %d knows %d", ctx.Key, e.At, n))
	return nil
}

func (k *knowing) OnBroadcast(ctx *stream.BroadcastCtx[string], e event, _ *stream.Out[string]) error {
	k.seen.Put(ctx, e.At, true)
	return nil
}

// TestBatchBroadcastFirst: in BATCH all of a broadcast input comes before the first
// record of the keyed one, however much sooner that has ended.
func TestBatchBroadcastFirst(t *testing.T) {
	var facts []event
	for i := range int64(200) {
		facts = append(facts, event{"f", i, 1})
	}
	for seed := range uint64(10) {
		p := program(t, func(env *stream.Env) {
			env.Configure("execution.runtime-mode", "BATCH")
			env.Configure("execution.batch-shuffle-mode", "ALL_EXCHANGES_PIPELINED") // or it would be read first anyway
			env.SetParallelism(2)
			all := stream.Map(stream.Map(source(env, facts), func(e event) event { return e }).Rebalance(), func(e event) event { return e }, stream.UID("far"))
			stream.RunBroadcast(stream.KeyBy(source(env, []event{{"b", 1, 1}, {"a", 2, 1}}), key), all, newKnowing, stream.UID("knowing")).Print()
		})
		got := run(t, p, streamtest.Options{Seed: seed, Credit: 1, SingleRecords: 0.5, Dir: t.TempDir()})
		for i, l := range got {
			_, got[i], _ = strings.Cut(l, "> ")
		}
		slices.Sort(got)
		if want := []string{"a 2 knows 200", "b 1 knows 200"}; !slices.Equal(got, want) {
			t.Errorf("seed %d: %q, want %q", seed, got, want)
		}
	}
}

// TestBatchClockWindows: windows of the clock hold every record and fire at the end
// of their key, though the clock goes on while the key's records come.
func TestBatchClockWindows(t *testing.T) {
	const n = 3500 // of one key: more than are given out between two looks at the clock
	second := time.Second
	cases := map[string]struct {
		build  func(in stream.Keyed[string, event]) stream.Stream[stream.Pane[string, int64]]
		copies int64 // of each record
	}{
		"session": {func(in stream.Keyed[string, event]) stream.Stream[stream.Pane[string, int64]] {
			return stream.Count(in.Window(stream.Session(50 * second).ProcessingTime()))
		}, 1},
		"sliding": {func(in stream.Keyed[string, event]) stream.Stream[stream.Pane[string, int64]] {
			return stream.Count(in.Window(stream.Sliding(10*second, 2*second).ProcessingTime()))
		}, 5},
		"continuous": {func(in stream.Keyed[string, event]) stream.Stream[stream.Pane[string, int64]] {
			trigger := stream.Purging(stream.ContinuousProcessingTimeTrigger[event](50 * time.Millisecond))
			return stream.Count(in.Window(stream.Tumbling(second).ProcessingTime()).Trigger(trigger))
		}, 1},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			p := program(t, func(env *stream.Env) {
				env.Configure("execution.runtime-mode", "BATCH")
				counts := c.build(stream.KeyBy(source(env, events(n, 1, 1)), key))
				stream.Map(counts, func(p stream.Pane[string, int64]) string { return fmt.Sprint(p.Value) }).Print()
			})
			var sum int64
			got := run(t, p, streamtest.Options{Dir: t.TempDir(), Tick: second})
			for _, l := range got {
				v, err := strconv.ParseInt(l, 10, 64)
				if err != nil {
					t.Fatal(err)
				}
				sum += v
			}
			if sum != n*c.copies {
				t.Errorf("windows with %q records, %d in all, want %d", got, sum, n*c.copies)
			}
		})
	}
}

// TestBatchTimersWithoutEnd: what a trigger sets at the end of a key is ignored, as
// what a function sets is; else it would never end.
func TestBatchTimersWithoutEnd(t *testing.T) {
	fired := 0
	each := stream.NewTrigger("Each", func(c *stream.TriggerCtx[event], _ event, _ int64) stream.Action {
		c.TimerAt(2000)
		c.ProcTimerAt(c.Now + 1000)
		return stream.Continue
	}, func(c *stream.TriggerCtx[event], ms int64, proc bool) stream.Action {
		if fired++; fired < 100 { // an endless loop would show nothing
			c.TimerAt(ms + 1000)
			c.ProcTimerAt(ms + 1000)
		}
		return stream.Fire
	})
	p := program(t, func(env *stream.Env) {
		env.Configure("execution.runtime-mode", "BATCH")
		env.SetParallelism(1)
		in := stream.KeyBy(source(env, []event{{"a", 10, 1}, {"a", 1500, 1}, {"b", 20, 1}}), key)
		counts := stream.Count(in.Window(stream.Global()).Trigger(each))
		stream.Map(counts, func(p stream.Pane[string, int64]) string { return fmt.Sprint(p.Key, p.Value) }).Print()
	})
	got := run(t, p, streamtest.Options{Dir: t.TempDir()})
	if want := []string{"a2", "a2", "b1", "b1"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
