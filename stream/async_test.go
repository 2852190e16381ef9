package stream_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"goflink/internal/seeds"
	"goflink/stream"
	"goflink/stream/streamtest"
)

// flaky fails or gives a poor result now and then, but not three times in a row
// for one record.
type flaky struct {
	mu    sync.Mutex
	calls map[int64]int
}

var errFlaky = errors.New("flaky")

func (f *flaky) call(_ context.Context, e event) (event, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.calls == nil {
		f.calls = map[int64]int{}
	}
	f.calls[e.N]++
	switch n := f.calls[e.N] % 3; {
	case n == 1 && e.N%5 == 0:
		return e, errFlaky
	case n == 2 && e.N%10 == 0:
		return event{N: -1}, nil
	}
	e.N *= 2
	return e, nil
}

// twice is an AsyncFunc with a client that must be open.
type twice struct{ open atomic.Bool }

func (w *twice) Open(context.Context) error { w.open.Store(true); return nil }
func (w *twice) Close() error               { w.open.Store(false); return nil }

func (w *twice) Call(ctx context.Context, e event) ([]event, error) {
	if !w.open.Load() {
		return nil, errors.New("the client is not open")
	}
	return []event{e, {e.Key, e.At, -e.N}}, ctx.Err()
}

func asyncLaws() []law {
	retry := stream.AsyncRetry{Attempts: 3, Delay: time.Millisecond, OnError: func(err error) bool { return errors.Is(err, errFlaky) },
		OnResult: stream.RetryResult(func(e event) bool { return e.N < 0 })}
	doubled := func(evs []event) (out []event) {
		for _, e := range evs {
			out = append(out, event{e.Key, e.At, 2 * e.N})
		}
		return out
	}
	return []law{
		{"async with retries before windows", func(env *stream.Env, evs []event) stream.Stream[string] {
			s := stream.Async(source(env, evs), (&flaky{}).call, stream.AsyncOptions{Capacity: 7, Retry: retry}, stream.UID("async"))
			w := stream.KeyBy(s, key).Window(stream.Tumbling(170 * time.Millisecond))
			return show(stream.Aggregate(w, sum{}, stream.UID("sum")))
		}, func(evs []event) []string { return windowed(doubled(evs), 170, 170, 0) }, 20},
		{"async in a row, after a window", func(env *stream.Env, evs []event) stream.Stream[string] {
			w := stream.Aggregate(stream.KeyBy(source(env, evs), key).Window(stream.Tumbling(170*time.Millisecond)), sum{}, stream.UID("sum"))
			same := func(_ context.Context, v string) (string, error) { return v, nil }
			s := stream.Async(show(w), same, stream.AsyncOptions{Capacity: 2, Ordered: true}, stream.UID("a"))
			return stream.Async(s, same, stream.AsyncOptions{Capacity: 1}, stream.UID("b"))
		}, func(evs []event) []string { return windowed(evs, 170, 170, 0) }, 20},
		{"async with many results", func(env *stream.Env, evs []event) stream.Stream[string] {
			s := stream.RunAsync(source(env, evs).Rebalance(), func(*stream.Setup[stream.NoKey]) *twice { return &twice{} },
				stream.AsyncOptions{Capacity: 3, Timeout: time.Hour}, stream.UID("async"))
			return show(s)
		}, func(evs []event) (out []string) {
			for _, e := range evs {
				out = append(out, fmt.Sprint(e), fmt.Sprint(event{e.Key, e.At, -e.N}))
			}
			return out
		}, 20},
	}
}

// TestAsyncOrder lets calls return in any order: ordered results come in the
// order of the records, unordered ones do not overtake a watermark.
func TestAsyncOrder(t *testing.T) {
	for _, ordered := range []bool{true, false} {
		seed := seeds.One(t)
		r := rand.New(rand.NewPCG(seed, 0))
		ticks := make([]tick, 300)
		for i := range ticks {
			ticks[i] = tick{At: int64(i), N: int64(i), Mark: i%10 == 9}
		}
		gates := make([]chan struct{}, len(ticks))
		for i := range gates {
			gates[i] = make(chan struct{})
		}
		var running, most atomic.Int32
		f := func(ctx context.Context, x tick) (tick, error) {
			most.Store(max(most.Load(), running.Add(1)))
			defer running.Add(-1)
			select {
			case <-gates[x.N]:
			case <-ctx.Done():
			}
			return x, ctx.Err()
		}
		var got []int64
		prog := program(t, func(env *stream.Env) {
			ws := stream.ForGenerator(func() stream.WatermarkGenerator[tick] { return scripted{} }).WithTimestamps(func(x tick) int64 { return x.At })
			s := stream.From(env, stream.SliceSource(ticks), ws)
			stream.Async(s, f, stream.AsyncOptions{Capacity: 8, Ordered: ordered}).Each(func(r stream.Rec[tick]) error {
				if r.TS != r.V.At {
					return fmt.Errorf("record %d has event time %d", r.V.At, r.TS)
				}
				got = append(got, r.V.N)
				return nil
			})
		})
		go func() { // in blocks of eight at random: no call waits for one that was not begun
			for i := 0; i < len(gates); i += 8 {
				block := gates[i:min(i+8, len(gates))]
				for _, j := range r.Perm(len(block)) {
					close(block[j])
				}
			}
		}()
		run(t, prog, streamtest.Options{Seed: seed})
		if most.Load() > 8 {
			t.Errorf("seed %d: %d calls at a time", seed, most.Load())
		}
		checkAsyncOrder(t, got, len(ticks), ordered)
	}
}

func checkAsyncOrder(t *testing.T, got []int64, n int, ordered bool) {
	t.Helper()
	if len(got) != n {
		t.Fatalf("%d results, want %d", len(got), n)
	}
	if ordered && !slices.IsSorted(got) {
		t.Errorf("not in order: %v", got)
	}
	for i, v := range got { // a watermark follows each tenth record
		if int(v)/10 != i/10 {
			t.Errorf("result %d at place %d: it overtook a watermark", v, i)
		}
	}
}

// TestAsyncTimeout advances the clock while a call hangs.
func TestAsyncTimeout(t *testing.T) {
	hang := func(ctx context.Context, n int) (string, error) {
		if n%2 == 0 {
			return fmt.Sprint(n), nil
		}
		<-ctx.Done()
		if !errors.Is(context.Cause(ctx), context.DeadlineExceeded) {
			return "", fmt.Errorf("the context ended by %w", context.Cause(ctx))
		}
		return "too late", nil
	}
	build := func(handler stream.AsyncTimeout) *stream.Program {
		return program(t, func(env *stream.Env) {
			s := stream.FromSlice(env, []int{0, 1, 2, 3, 4})
			stream.Async(s, hang, stream.AsyncOptions{Timeout: 10 * time.Second, Ordered: true, OnTimeout: handler}, stream.Name("ask")).Print()
		})
	}
	prog := build(stream.TimeoutWith(func(n int) (string, error) { return fmt.Sprint("none for ", n), nil }))
	if got := strings.Join(run(t, prog, streamtest.Options{}), ", "); got != "0, 2, 4, none for 1, none for 3" {
		t.Errorf("got %s", got)
	}
	for _, c := range []struct {
		handler stream.AsyncTimeout
		want    string
	}{
		{nil, `operator "ask": no result within 10s, after 1 attempts begun: raise AsyncOptions.Timeout, or give a result with OnTimeout`},
		{stream.TimeoutWith(func(n int) (string, error) { return "", fmt.Errorf("given up %d", n) }), `operator "ask": given up 1`},
	} {
		if err := runFailing(t, build(c.handler)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want %s", err, c.want)
		}
	}
}

// runFailing runs a program that fails.
func runFailing(t *testing.T, p *stream.Program) error {
	t.Helper()
	c, err := streamtest.New(p, streamtest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	runErr := c.Run()
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	return runErr
}

// TestAsyncRetryDelays looks at the clock at each attempt.
func TestAsyncRetryDelays(t *testing.T) {
	for _, c := range []struct {
		retry stream.AsyncRetry
		want  string
	}{
		{stream.AsyncRetry{}, `[0] operator "ask": no`},
		{stream.AsyncRetry{Attempts: 3, Delay: time.Second}, `[0 1000 2000] operator "ask": after 3 attempts: no`},
		{stream.AsyncRetry{Attempts: 6, Delay: time.Second, Multiplier: 2, MaxDelay: 5 * time.Second},
			`[0 1000 3000 7000 12000 17000] operator "ask": after 6 attempts: no`},
		{stream.AsyncRetry{Attempts: 3, OnError: func(err error) bool { return err.Error() != "no" }}, `[0] operator "ask": no`},
		{stream.AsyncRetry{Attempts: 3, OnResult: stream.RetryResult(func(int64) bool { return true })}, `[0] operator "ask": no`},
	} {
		var c2 *streamtest.Cluster
		var start time.Time
		var at []int64
		prog := program(t, func(env *stream.Env) {
			stream.Async(stream.FromSlice(env, []int64{1}), func(context.Context, int64) (int64, error) {
				at = append(at, c2.Now().Sub(start).Milliseconds())
				return 0, errors.New("no")
			}, stream.AsyncOptions{Retry: c.retry}, stream.Name("ask")).Discard()
		})
		var err error
		if c2, err = streamtest.New(prog, streamtest.Options{}); err != nil {
			t.Fatal(err)
		}
		start = c2.Now()
		err = c2.Run()
		if got := fmt.Sprint(at, " ", err); strings.Replace(got, "Source: Collection Source -> ask -> Sink: Discard (1/1): ", "", 1) != c.want {
			t.Errorf("%+v:\n got %s\nwant %s", c.retry, got, c.want)
		}
		if err := c2.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestAsyncPoorResults: a result that is poor to the end is emitted as it is.
func TestAsyncPoorResults(t *testing.T) {
	var calls atomic.Int32
	prog := program(t, func(env *stream.Env) {
		f := func(context.Context, int) ([]string, error) { calls.Add(1); return []string{"poor"}, nil }
		o := stream.AsyncOptions{Retry: stream.AsyncRetry{Attempts: 4, OnResult: stream.RetryResult(func(r []string) bool { return r[0] == "poor" })}}
		stream.AsyncFlat(stream.FromSlice(env, []int{1}), f, o).Print()
	})
	if got := run(t, prog, streamtest.Options{}); !slices.Equal(got, []string{"poor"}) || calls.Load() != 4 {
		t.Errorf("got %v after %d calls", got, calls.Load())
	}
}

// TestAsyncInFlight kills a job whose calls hang and restores it at another
// parallelism: exactly the records without a result are called for again, first.
func TestAsyncInFlight(t *testing.T) {
	var mu sync.Mutex
	var called []int64
	hang := true
	f := func(ctx context.Context, n int64) (int64, error) {
		mu.Lock()
		called = append(called, n)
		wait := hang && n >= 3
		mu.Unlock()
		if wait {
			<-ctx.Done()
			return 0, ctx.Err()
		}
		return n, nil
	}
	build := func(parallelism int) *stream.Program {
		return program(t, func(env *stream.Env) {
			env.SetMaxParallelism(8)
			s := stream.Sequence(env, 0, 19, stream.Parallelism(1), stream.UID("source"))
			stream.Async(s, f, stream.AsyncOptions{Capacity: 10, Timeout: time.Hour}, stream.UID("async"), stream.Parallelism(parallelism)).Print(stream.Parallelism(1), stream.UID("sink"))
		})
	}
	c, err := streamtest.New(build(1), streamtest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for len(c.Lines()) < 3 {
		if err := c.RunSteps(1); err != nil {
			t.Fatal(err)
		}
	}
	cp, err := c.Checkpoint() // with the queue full of calls that hang
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	hang, called = false, nil
	got := run(t, build(2), streamtest.Options{Restore: cp})
	if len(got) != 17 {
		t.Errorf("%d results after the restore: %v", len(got), got)
	}
	slices.Sort(called)
	if want := []int64{3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19}; !slices.Equal(called, want) {
		t.Errorf("called for %v", called)
	}
}

// TestAsyncEndAfterRestore: a checkpoint is taken when the source had finished and
// records had no result yet, so that the last watermark was held back with them. It
// comes after the restore, though the source does not run again.
func TestAsyncEndAfterRestore(t *testing.T) {
	hang := true
	f := func(ctx context.Context, e event) (event, error) {
		if hang {
			<-ctx.Done()
		}
		return e, ctx.Err()
	}
	evs := events(40, 4, 10)
	build := func() *stream.Program {
		return program(t, func(env *stream.Env) {
			env.DisableChaining()
			s := stream.Async(source(env, evs), f, stream.AsyncOptions{}, stream.UID("async"))
			w := stream.KeyBy(s, key).Window(stream.Tumbling(170 * time.Millisecond))
			show(stream.Aggregate(w, sum{}, stream.UID("sum"))).Print(stream.Parallelism(1))
		})
	}
	c, err := streamtest.New(build(), streamtest.Options{Credit: 100})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.RunSteps(8); err != nil {
		t.Fatal(err)
	}
	cp, err := c.Checkpoint()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	hang = false
	got := run(t, build(), streamtest.Options{Restore: cp})
	want := windowed(evs, 170, 170, 0)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestAsyncBurst: what one record makes a chain emit may exceed the capacity;
// calls are no more than it, and nothing is lost.
func TestAsyncBurst(t *testing.T) {
	var running, most atomic.Int32
	prog := program(t, func(env *stream.Env) {
		s := stream.FlatMap(stream.FromSlice(env, []int{0}), func(_ int, out *stream.Out[int]) error {
			for i := range 100 {
				out.Emit(i)
			}
			return nil
		})
		stream.Async(s, func(_ context.Context, v int) (int, error) {
			most.Store(max(most.Load(), running.Add(1)))
			defer running.Add(-1)
			return v, nil
		}, stream.AsyncOptions{Capacity: 4, Ordered: true}).Print()
	})
	if got := run(t, prog, streamtest.Options{Credit: 1}); len(got) != 100 || most.Load() > 4 {
		t.Errorf("%d results, %d calls at a time", len(got), most.Load())
	}
}

func TestAsyncWrongUse(t *testing.T) {
	f := func(context.Context, int) (string, error) { return "", nil }
	for _, c := range []struct {
		o    stream.AsyncOptions
		want string
	}{
		{stream.AsyncOptions{Capacity: -1}, "capacity -1 and time-out 0s must not be below 0"},
		{stream.AsyncOptions{OnTimeout: stream.TimeoutWith(func(int) (int, error) { return 0, nil })},
			"AsyncOptions.OnTimeout makes int of int, the function makes string of int"},
		{stream.AsyncOptions{Retry: stream.AsyncRetry{Attempts: 2, OnResult: stream.RetryResult(func(int) bool { return true })}},
			"AsyncRetry.OnResult takes int, the function returns string"},
		{stream.AsyncOptions{Retry: stream.AsyncRetry{Delay: time.Second}}, "set Attempts to 2"},
		{stream.AsyncOptions{Retry: stream.AsyncRetry{Attempts: 2, Multiplier: 0.5}}, "Multiplier 0.5 is below 1"},
	} {
		env := stream.NewEnv(stream.Settings{Planning: true})
		stream.Async(stream.FromSlice(env, []int{1}), f, c.o)
		if err := env.Err(); err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "async_test.go:") {
			t.Errorf("%+v: %v", c.o, err)
		}
	}
}
