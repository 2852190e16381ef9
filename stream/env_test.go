package stream_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"goflink/conf"
	"goflink/graph"
	"goflink/stream"
	"goflink/stream/streamtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type badTimer struct{}

func (badTimer) OnRecord(*stream.Ctx[string], event, *stream.Out[string]) error { return nil }
func (badTimer) OnTimer(int64) error                                            { return nil }

type plainFunc struct{ side *stream.SideOut[int64] }

func (f plainFunc) OnRecord(_ *stream.Ctx[stream.NoKey], e event, out *stream.Out[string]) error {
	if e.N < 0 {
		return errors.New("negative")
	}
	if e.N%2 == 0 {
		f.side.Emit(e.N)
	} else {
		out.Emit(e.Key)
	}
	return nil
}

// hiddenAcc has an accumulator that cannot be encoded.
type hiddenAcc struct{}

func (hiddenAcc) New() struct{ n int }                           { return struct{ n int }{} }
func (hiddenAcc) Add(a struct{ n int }, _ event) struct{ n int } { return a }
func (hiddenAcc) Merge(a, _ struct{ n int }) struct{ n int }     { return a }
func (hiddenAcc) Result(a struct{ n int }) int                   { return a.n }

// TestGraphErrors: wrong use is reported with the caller's line, all of it.
func TestGraphErrors(t *testing.T) {
	env := stream.NewEnv(stream.Settings{})
	env.SetParallelism(0)
	s := stream.FromValues(env, event{})
	stream.Map(s, func(event) func() { return nil })
	k := stream.KeyBy(s, key)
	stream.Run(k, func(*stream.Setup[string]) badTimer { return badTimer{} })
	stream.Run(k, func(s *stream.Setup[string]) *buckets {
		stream.NewValue[chan int](s, "v")
		stream.NewValue[int](s, "twice")
		stream.NewList[int](s, "twice")
		stream.NewValue[int](s, "_own")
		stream.NewReducing[int](s, "unfolded", nil)
		stream.NewAggregating(s, "hidden", hiddenAcc{})
		stream.NewList[int](s, "short", stream.WithTTL(stream.TTL{Time: time.Microsecond}))
		return &buckets{}
	})
	stream.Process(s, func(s *stream.Setup[stream.NoKey]) plainFunc {
		stream.NewValue[int](s, "nokey")
		return plainFunc{}
	})
	stream.Count(k.Window(stream.Global()))
	stream.Count(k.Window(stream.Tumbling(0)))
	stream.Count(k.Window(stream.Session(time.Second)).Trigger(stream.DeltaTrigger(1, func(a, b event) float64 { return 0 })))
	stream.Count(k.Window(stream.Tumbling(time.Second).ProcessingTime()).AllowedLateness(time.Second))
	stream.Side(s, stream.NewTag[int]("nowhere"))
	stream.SocketText(env, "h", 1, "", 0, stream.Parallelism(2)).Print()
	stream.Run(k, func(*stream.Setup[string]) *buckets { panic("boom") })
	_, err := env.Program()
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{
		"parallelism 0 is below 1", "func()", "OnTimer is func", "chan int", `state "twice" is declared twice`, `state name "_own"`,
		"state needs a key", "needs a trigger", "must be 1 ms at least", "merge and cannot be used with DeltaTrigger", "allowed lateness is for",
		`no side output "nowhere"`, "has parallelism 1 and cannot have 2", "factory panicked when the graph was built: boom",
		`state "unfolded": a reducing state needs a function`, `state "hidden": accumulator: `, "has the unexported field n",
		`state "short": time to live 1µs: it must be 1 ms at least`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in:\n%v", want, err)
		}
	}
	for line := range strings.Lines(err.Error()) {
		if !strings.HasPrefix(line, "stream/env_test.go:") {
			t.Errorf("no position: %s", line)
		}
	}
}

func TestUserErrorsNameTheOperator(t *testing.T) {
	boom := errors.New("boom")
	prog := program(t, func(env *stream.Env) {
		s := stream.FromValues(env, event{N: 1})
		r := stream.TryMap(s, func(event) (int, error) { return 0, boom }, stream.Name("parse"))
		r.Rebalance().Discard()
	})
	c, err := streamtest.New(prog, streamtest.Options{})
	must(t, err)
	defer c.Close()
	err = c.Run()
	if !errors.Is(err, boom) || strings.Count(err.Error(), `operator "`) != 1 || !strings.Contains(err.Error(), `operator "parse": boom`) {
		t.Errorf("got %v", err)
	}
}

// TestBuildIsReproducible builds twice, and with another value of a slice.
func TestBuildIsReproducible(t *testing.T) {
	job := func(v int64) *graph.JobGraph {
		return program(t, func(env *stream.Env) {
			s := stream.FromSlice(env, []event{{"a", 1, v}})
			stream.Run(stream.KeyBy(s, key), newBuckets, stream.UID("b")).Print()
		}).JobGraph()
	}
	a, b, c := job(1), job(1), job(2)
	if a.Fingerprint != b.Fingerprint || graph.Diff(a, b) != "" {
		t.Errorf("differs:\n%s", graph.Diff(a, b))
	}
	if a.Fingerprint == c.Fingerprint || !strings.Contains(graph.Diff(a, c), "Collection 1 values") {
		t.Errorf("another value is not seen:\n%s", graph.Diff(a, c))
	}
	var states []string
	for _, s := range a.Vertices[1].Operators[0].States {
		states = append(states, s.Name+" "+s.Kind+" "+s.Type)
	}
	if got := strings.Join(states, ", "); got != "sums map map[int64]int64, seen list int64, last value int64, _timers timers timers" {
		t.Errorf("states: %s", got)
	}
}

func TestOnce(t *testing.T) {
	calls := 0
	build := func(planned map[string][]byte, planning bool) (*stream.Env, int64, error) {
		env := stream.NewEnv(stream.Settings{Once: planned, Planning: planning})
		v := stream.Once(env, "now", func() (int64, error) { calls++; return int64(calls), nil })
		stream.FromValues(env, v).Print()
		_, err := env.Program()
		return env, v, err
	}
	env, v, err := build(nil, true)
	must(t, err)
	p, err := env.Program()
	must(t, err)
	_, again, err := build(p.JobGraph().Once, false)
	must(t, err)
	if v != 1 || again != 1 || calls != 1 {
		t.Errorf("planned %d, rebuilt %d, %d calls", v, again, calls)
	}
	if _, _, err := build(map[string][]byte{}, false); err == nil || !strings.Contains(err.Error(), "the plan has no such value") {
		t.Errorf("missing value: %v", err)
	}
	if _, _, err := build(map[string][]byte{"now": {1, 2, 3}}, false); err == nil || !strings.Contains(err.Error(), "another program") {
		t.Errorf("damaged value: %v", err)
	}
}

func TestPrintfOnlyWhilePlanning(t *testing.T) {
	for _, planning := range []bool{true, false} {
		var out bytes.Buffer
		env := stream.NewEnv(stream.Settings{Planning: planning, Stdout: &out})
		env.Printf("hello %d\n", 1)
		if (out.String() == "hello 1\n") != planning {
			t.Errorf("planning %t: %q", planning, out.String())
		}
	}
}

func TestConfiguration(t *testing.T) {
	under := conf.New()
	conf.ParallelismDefault.Set(under, 3)
	env := stream.NewEnv(stream.Settings{Conf: under, Name: "n"})
	stream.Sequence(env, 1, 10).Print()
	env.EnableCheckpointing(time.Second)
	env.SetName("other")
	p, err := env.Program()
	must(t, err)
	g := p.JobGraph()
	if g.Vertices[0].Parallelism != 3 || g.Name != "other" || g.Config["execution.checkpointing.interval"] == "" {
		t.Errorf("got %v %v", g.Vertices[0].Parallelism, g.Config)
	}
	if env.SetParallelism(2); env.Parallelism() != 2 || conf.ParallelismDefault.Get(under) != 3 {
		t.Error("the program's setting does not stand above what was submitted")
	}
}

func TestParams(t *testing.T) {
	p, err := stream.ParseParams([]string{"--input", "x", "--key=a=b", "-n", "-5", "--flag", "--input", "y", "--wait", "5 s"})
	must(t, err)
	n, _ := p.Int("n", 0)
	flag, _ := p.Bool("flag", false)
	wait, _ := p.Duration("wait", 0)
	if p.Get("input", "") != "y" || len(p.All("input")) != 2 || p.Get("key", "") != "a=b" || n != -5 || !flag || p.Has("none") || p.Get("none", "d") != "d" || wait != 5*time.Second {
		t.Errorf("got %+v", p)
	}
	if _, err := p.Int("key", 0); err == nil || !strings.Contains(err.Error(), "--key") {
		t.Errorf("bad number: %v", err)
	}
	if _, err := stream.ParseParams([]string{"loose"}); err == nil {
		t.Error("a loose argument passed")
	}
}

func TestSideOutputs(t *testing.T) {
	even := stream.NewTag[int64]("even")
	prog := program(t, func(env *stream.Env) {
		s := stream.FromSlice(env, events(6, 2, 1))
		odd := stream.Process(s, func(s *stream.Setup[stream.NoKey]) plainFunc { return plainFunc{stream.SideOutput(s, even)} })
		odd.Print()
		stream.PrintAs(stream.Side(odd, even).Rebalance(), "even")
	})
	if got := strings.Join(run(t, prog, streamtest.Options{RemoteShare: 1}), " "); got != "even> 0 even> 2 even> 4 k1 k1 k1" {
		t.Errorf("got %s", got)
	}
}

func TestPartitioning(t *testing.T) {
	type hit struct {
		Sub int
		N   int64
	}
	for name, part := range map[string]func(stream.Stream[int64]) stream.Stream[int64]{
		"rebalance": stream.Stream[int64].Rebalance, "broadcast": stream.Stream[int64].Broadcast, "global": stream.Stream[int64].Global,
		"shuffle": stream.Stream[int64].Shuffle, "rescale": stream.Stream[int64].Rescale,
		"custom": func(s stream.Stream[int64]) stream.Stream[int64] {
			return s.PartitionBy(func(v int64, n int) int { return int(v) % n })
		},
	} {
		for _, remote := range []float64{0, 1} {
			got := &bag[hit]{}
			prog := program(t, func(env *stream.Env) {
				s := part(stream.Sequence(env, 0, 299, stream.Parallelism(2)))
				stream.Process(s, newSubtask, stream.Parallelism(3)).Each(func(r stream.Rec[[2]int64]) error {
					return got.add(stream.Rec[hit]{V: hit{int(r.V[0]), r.V[1]}})
				}, stream.Parallelism(3))
			})
			run(t, prog, streamtest.Options{RemoteShare: remote})
			subs := map[int]int{}
			for _, h := range got.vs {
				subs[h.Sub]++
			}
			ok := len(got.vs) == 300
			switch name {
			case "rebalance":
				ok = ok && subs[0] >= 99 && subs[1] >= 99 && subs[2] >= 99
			case "broadcast":
				ok = subs[0] == 300 && subs[1] == 300 && subs[2] == 300
			case "global":
				ok = ok && subs[0] == 300
			case "custom":
				ok = ok && !slices.ContainsFunc(got.vs, func(h hit) bool { return h.N%3 != int64(h.Sub) })
			}
			if !ok {
				t.Errorf("%s, remote %g: %v", name, remote, subs)
			}
		}
	}
}

type subtask struct{ n int64 }

func newSubtask(s *stream.Setup[stream.NoKey]) subtask { return subtask{int64(s.Subtask())} }

func (s subtask) OnRecord(_ *stream.Ctx[stream.NoKey], v int64, out *stream.Out[[2]int64]) error {
	out.Emit([2]int64{s.n, v})
	return nil
}

// TestProcessingTime paces a generator by the cluster's clock: windows of a second
// hold a second's records.
func TestProcessingTime(t *testing.T) {
	prog := program(t, func(env *stream.Env) {
		s := stream.Generate(env, 1000, 100, func(i int64) event { return event{Key: "k", N: 1} }, stream.Parallelism(1))
		w := stream.KeyBy(s, key).Window(stream.Tumbling(time.Second).ProcessingTime())
		stream.Map(stream.Aggregate(w, sum{}), func(p stream.Pane[string, int64]) string {
			return fmt.Sprintf("%d %d", p.End-p.Start, p.Value)
		}).Print()
	})
	c, err := streamtest.New(prog, streamtest.Options{})
	must(t, err)
	defer c.Close()
	must(t, c.RunSteps(20_000))
	must(t, c.Advance(time.Hour))
	must(t, c.Run())
	total, windows := int64(0), 0
	for _, l := range c.Lines() {
		var size, n int64
		fmt.Sscan(l, &size, &n)
		if size != 1000 || n > 110 {
			t.Errorf("window %s", l)
		}
		total += n
		windows++
	}
	if total < 900 || windows < 9 || windows > 12 {
		t.Errorf("%d records in %d windows", total, windows)
	}
}

type alarm struct{ n stream.Value[int64] }

func (a *alarm) OnRecord(ctx *stream.Ctx[string], e event, _ *stream.Out[string]) error {
	p, _ := a.n.Ptr()
	*p++
	if *p == 1 {
		ctx.ProcTimerAt(ctx.Now() + 100)
		ctx.ProcTimerAt(ctx.Now() + 200)
		ctx.DeleteProcTimer(ctx.Now() + 200)
		ctx.TimerAt(e.At + 5)
		ctx.TimerAt(e.At + 6)
		ctx.DeleteTimer(e.At + 6)
	}
	return nil
}

func (a *alarm) OnTimer(ctx *stream.Ctx[string], out *stream.Out[string]) error {
	out.Emit(fmt.Sprintf("%s %t %d", ctx.Key, ctx.ProcessingTime, a.n.Or(0)))
	return nil
}

// TestTimers sets and deletes timers of both kinds, with a restart in between.
func TestTimers(t *testing.T) {
	prog := program(t, func(env *stream.Env) {
		src := stream.GeneratorSource(20, 100, func(i int64) event { return event{fmt.Sprintf("k%d", i%2), i, i} })
		s := stream.From(env, src, stream.Monotonous[event]().WithTimestamps(at), stream.Parallelism(1))
		stream.Run(stream.KeyBy(s, key), func(s *stream.Setup[string]) *alarm { return &alarm{stream.NewValue[int64](s, "n")} }, stream.UID("alarm")).Print()
	})
	c, err := streamtest.New(prog, streamtest.Options{})
	must(t, err)
	must(t, c.RunSteps(10))
	cp, err := c.Checkpoint()
	must(t, err)
	early := c.Lines()
	must(t, c.Close())
	c, err = streamtest.New(prog, streamtest.Options{Restore: cp, Start: c.Now()})
	must(t, err)
	defer c.Close()
	must(t, c.Run())
	got := append(early, c.Lines()...)
	var kinds []string
	for _, l := range got {
		kinds = append(kinds, l[:strings.LastIndexByte(l, ' ')])
	}
	slices.Sort(kinds)
	if s := strings.Join(kinds, ", "); s != "k0 false, k0 true, k1 false, k1 true" {
		t.Errorf("got %s", s)
	}
}

// TestIdleness: a split without records does not hold back the others' windows.
func TestIdleness(t *testing.T) {
	prog := program(t, func(env *stream.Env) {
		quiet := stream.From(env, stream.GeneratorSource(2, 0.001, func(i int64) event { return event{"q", 0, 0} }),
			stream.Monotonous[event]().WithTimestamps(at).WithIdleness(time.Second), stream.Name("quiet"), stream.Parallelism(1))
		busy := stream.From(env, stream.GeneratorSource(-1, 100, func(i int64) event { return event{"b", i * 10, 1} }),
			stream.Monotonous[event]().WithTimestamps(at), stream.Name("busy"), stream.Parallelism(1))
		w := stream.KeyBy(busy.Union(quiet), key).Window(stream.Tumbling(time.Second))
		stream.Aggregate(w, sum{}).Print()
	})
	c, err := streamtest.New(prog, streamtest.Options{RemoteShare: 0.5})
	must(t, err)
	defer c.Close()
	for i := 0; len(c.Lines()) < 5; i++ {
		must(t, c.RunSteps(1))
		if i > 100_000 {
			t.Fatalf("only %v at %s", c.Lines(), c.Now())
		}
	}
}

func TestSocket(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer ln.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range 2 { // the reader comes back once
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			w := bufio.NewWriter(conn)
			fmt.Fprintf(w, "a%d\r\nb%d\nlast%d", i, i, i)
			w.Flush()
			conn.Close()
		}
	}()
	got := &bag[string]{}
	prog := program(t, func(env *stream.Env) {
		stream.SocketText(env, "127.0.0.1", ln.Addr().(*net.TCPAddr).Port, "\n", 1).Each(got.add)
	})
	run(t, prog, streamtest.Options{})
	<-done
	if s := strings.Join(got.vs, " "); s != "a0 b0 last0 a1 b1 last1" {
		t.Errorf("got %s", s)
	}
}

// TestSocketAfterItsEnd restores a job whose socket had ended: nobody is dialled.
func TestSocketAfterItsEnd(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if conn, err := ln.Accept(); err == nil {
			fmt.Fprint(conn, "a\nb\n")
			conn.Close()
		}
		ln.Close()
	}()
	got := &bag[string]{}
	prog := program(t, func(env *stream.Env) {
		stream.SocketText(env, "127.0.0.1", ln.Addr().(*net.TCPAddr).Port, "\n", 0).Each(got.add)
	})
	c, err := streamtest.New(prog, streamtest.Options{CheckpointEvery: 1})
	must(t, err)
	must(t, c.Run())
	must(t, c.Close())
	<-done
	run(t, prog, streamtest.Options{CheckpointEvery: 1, Restore: c.LastCheckpoint()})
	if s := strings.Join(got.vs, " "); s != "a b" {
		t.Errorf("got %s", s)
	}
}

func TestSocketRefused(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	port := ln.Addr().(*net.TCPAddr).Port
	ln.Close()
	prog := program(t, func(env *stream.Env) { stream.SocketText(env, "127.0.0.1", port, "", 0).Print() })
	c, err := streamtest.New(prog, streamtest.Options{})
	must(t, err)
	defer c.Close()
	if err := c.Run(); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("socket 127.0.0.1:%d", port)) {
		t.Errorf("got %v", err)
	}
}

func TestPrintPrefix(t *testing.T) {
	prog := program(t, func(env *stream.Env) {
		env.SetParallelism(2)
		stream.FromValues(env, 7, 8).Print()
		stream.PrintAs(stream.FromValues(env, 9), "id", stream.Parallelism(1))
	})
	if got := strings.Join(run(t, prog, streamtest.Options{}), " "); got != "1> 7 2> 8 id> 9" {
		t.Errorf("got %s", got)
	}
}

type nested struct {
	Tags []string
	M    map[string]int
}

// TestValuesAreNotShared: what one consumer or a state changes, others do not see.
func TestValuesAreNotShared(t *testing.T) {
	prog := program(t, func(env *stream.Env) {
		s := stream.FromSlice(env, []nested{{[]string{"x"}, map[string]int{"a": 1}}})
		spoil := func(n nested) nested { n.Tags[0] = "spoiled"; n.M["a"] = 99; return n }
		stream.Map(s, spoil).Discard()
		stream.Map(s, spoil).Discard()
		k := stream.KeyBy(s.Union(s), func(nested) int { return 0 })
		stream.Reduce(k, func(a, b nested) nested { a.M["a"] += b.M["a"]; return a }).Print()
	})
	got := run(t, prog, streamtest.Options{})
	if s := strings.Join(got, " "); s != "{[x] map[a:1]} {[x] map[a:2]}" {
		t.Errorf("got %s", s)
	}
}
