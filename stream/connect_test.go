package stream_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"goflink/stream"
	"goflink/stream/streamtest"
)

// vertexNames are the names of a program's vertices that do not begin with a
// source.
func vertexNames(p *stream.Program) (names []string) {
	for _, v := range p.JobGraph().Vertices {
		if !strings.HasPrefix(v.Name, "Source: ") {
			names = append(names, v.Name)
		}
	}
	return names
}

type coFunc struct{}

func (coFunc) OnFirst(_ *stream.Ctx[stream.NoKey], e event, out *stream.Out[string]) error {
	return nil
}

func (coFunc) OnSecond(_ *stream.Ctx[stream.NoKey], n int64, out *stream.Out[string]) error {
	return nil
}

func newCoFunc(*stream.Setup[stream.NoKey]) coFunc { return coFunc{} }

// TestTwoInputNames: the operators have Flink's names and head a chain of their
// own, even at the parallelism of what they read.
func TestTwoInputNames(t *testing.T) {
	p := program(t, func(env *stream.Env) {
		env.SetParallelism(1)
		s := stream.Map(stream.FromValues(env, event{}), func(e event) event { return e })
		n := stream.Map(s, func(e event) int64 { return e.N })
		show(stream.CoMap(stream.Connect(s, n), key, func(int64) string { return "" }, stream.UID("m"))).Discard()
		stream.CoFlatMap(stream.Connect(s, n), func(event, *stream.Out[int]) error { return nil }, func(int64, *stream.Out[int]) error { return nil }, stream.UID("f")).Discard()
		stream.CoProcess(stream.Connect(s, n), newCoFunc, stream.UID("p")).Discard()
		stream.CoRun(stream.ConnectKeyed(stream.KeyBy(s, key), stream.KeyBy(s, key)), newCoBuckets, stream.UID("k")).Discard(stream.Name("end"))
		stream.RunBroadcast(stream.KeyBy(s, key), s, newWaiting, stream.UID("r")).Discard()
		stream.ProcessBroadcast(s, s, newCensus, stream.UID("b")).Discard()
		stream.IntervalJoin(stream.ConnectKeyed(stream.KeyBy(s, key), stream.KeyBy(s, key)).Between(0, 0), pairUp, stream.UID("i")).Discard()
		stream.Join(stream.ConnectKeyed(stream.KeyBy(s, key), stream.KeyBy(s, key)).Window(stream.Tumbling(time.Second)), func(a, b event) int { return 0 }, stream.UID("j")).Discard()
	})
	want := "Co-Map -> show -> Sink: Discard; Co-Flat Map -> Sink: Discard; Co-Process -> Sink: Discard; Co-Keyed-Process -> Sink: end; " +
		"Co-Process-Broadcast-Keyed -> Sink: Discard; Co-Process-Broadcast -> Sink: Discard; Interval Join -> Sink: Discard; " +
		"TumblingEventTimeWindows -> Sink: Discard"
	last := p.JobGraph().Vertices[len(p.JobGraph().Vertices)-1]
	if d := last.Operators[0].Description; d != "Window(TumblingEventTimeWindows(1000), EventTimeTrigger, CoGroupWindowFunction)" {
		t.Errorf("description %s", d)
	}
	if got := strings.Join(vertexNames(p), "; "); got != want {
		t.Errorf("got %s", got)
	}
}

type badCoTimer struct{ coBuckets }

func (badCoTimer) OnTimer(int64) error { return nil }

// TestTwoInputErrors: wrong use is reported when the graph is built.
func TestTwoInputErrors(t *testing.T) {
	env, other := stream.NewEnv(stream.Settings{}), stream.NewEnv(stream.Settings{})
	s, foreign := stream.FromValues(env, event{}), stream.FromValues(other, event{})
	stream.CoMap(stream.Connect(s, foreign), key, key).Discard()
	k := stream.KeyBy(s, key)
	stream.CoRun(stream.ConnectKeyed(k, k), func(s *stream.Setup[string]) badCoTimer { return badCoTimer{newCoBuckets(s)} }, stream.Name("bad timer")).Discard()
	stream.CoMap(stream.Connect(s, s), func(event) func() { return nil }, func(event) func() { return nil })
	stream.CoRun(stream.ConnectKeyed(k, k), func(s *stream.Setup[string]) coBuckets {
		stream.NewBroadcastState[string, int](s, "rules")
		return newCoBuckets(s)
	}, stream.Name("no broadcast")).Discard()
	stream.ProcessBroadcast(s, s, func(s *stream.Setup[stream.NoKey]) *census {
		stream.NewBroadcastState[string, int](s, "_own")
		stream.NewBroadcastState[string, chan int](s, "chan")
		stream.NewBroadcastState[string, int](s, "twice")
		stream.NewBroadcastState[string, int](s, "twice")
		return newCensus(s)
	}, stream.Name("names")).Discard()
	stream.IntervalJoin(stream.ConnectKeyed(k, k).Between(2, -2000000), pairUp, stream.Name("bounds")).Discard()
	stream.Count(s.WindowAll(stream.Tumbling(time.Second)), stream.Parallelism(2), stream.Name("all")).Discard()
	stream.Count(s.WindowAll(stream.Global()), stream.Name("endless")).Discard()
	stream.Join(stream.ConnectKeyed(k, k).Window(stream.Tumbling(0)), func(a, b event) int { return 0 }).Discard()
	expectErrors(t, env, `"all": windows over a stream without keys run in one subtask`, `"endless": a global window never ends`, "window size 0s", `"bounds": the interval's lower bound 2ns is above its upper bound -2ms`, `"no broadcast": broadcast state "rules": it needs a broadcast stream`, `state name "_own"`, "chan int", `"twice" is declared twice`, `"Co-Map": it connects streams of two environments`, `"bad timer"`, "OnTimer is func(", "func()")
}

// expectErrors wants each of these in the errors of a program.
func expectErrors(t *testing.T, env *stream.Env, want ...string) {
	t.Helper()
	_, err := env.Program()
	if err == nil {
		t.Fatal("no error")
	}
	for _, w := range want {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("no %q in:\n%v", w, err)
		}
	}
	if n := strings.Count(err.Error(), "connect_test.go:"); n < len(strings.Split(err.Error(), "\n")) {
		t.Errorf("%d of the lines name the caller:\n%v", n, err)
	}
}

func pairUp(_ stream.Pair[string], a, b event, out *stream.Out[int64]) error {
	out.Emit(a.N + b.N)
	return nil
}

// TestCountWindowAll: windows without keys run in one subtask, whatever the
// parallelism of the rest.
func TestCountWindowAll(t *testing.T) {
	p := program(t, func(env *stream.Env) {
		env.SetParallelism(3)
		env.SetMaxParallelism(16)
		s := stream.Sequence(env, 1, 10)
		stream.Sum(s.CountWindowAll(5), func(n *int64) *int64 { return n }, stream.Name("fives")).Global().Print(stream.Parallelism(1))
		stream.Count(s.SlidingCountWindowAll(4, 3), stream.Name("threes")).Global().Print(stream.Parallelism(1))
	})
	for _, v := range p.JobGraph().Vertices {
		if name, _, _ := strings.Cut(v.Name, " -> "); (name == "fives" || name == "threes") && (v.Parallelism != 1 || v.MaxParallelism != 1) {
			t.Errorf("%s has parallelism %d of %d", v.Name, v.Parallelism, v.MaxParallelism)
		}
	}
	got := run(t, p, streamtest.Options{RemoteShare: 0.5, Seed: 1})
	counts, total := []string{}, 0
	for _, l := range got {
		if n, _ := strconv.Atoi(l); n > 4 {
			total += n
		} else {
			counts = append(counts, l)
		}
	}
	if total != 55 || strings.Join(counts, " ") != "3 4 4" {
		t.Errorf("sum %d, counts %v", total, counts)
	}
}
