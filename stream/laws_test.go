package stream_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"goflink/internal/seeds"
	"goflink/state"
	_ "goflink/state/pebblestate"
	"goflink/stream"
	"goflink/stream/streamtest"
)

// law is a program whose output does not depend on how it is run, and what it
// must write.
type law struct {
	name  string
	build func(env *stream.Env, evs []event) stream.Stream[string]
	want  func(evs []event) []string
	// disorder shuffles events by up to so many positions.
	disorder int
}

const step = 10 // milliseconds between events

func laws() []law {
	return slices.Concat(
		statelessLaws(),
		keyedLaws(),
		windowLaws(),
		twoInputLaws(),
		stateLaws(),
		asyncLaws(),
	)
}

func statelessLaws() []law {
	return []law{
		{"map and filter", func(env *stream.Env, evs []event) stream.Stream[string] {
			s := stream.Map(source(env, evs), func(e event) event { e.N *= 2; return e })
			return show(s.Filter(func(e event) bool { return e.N%3 == 0 }).Rebalance())
		}, func(evs []event) (out []string) {
			for _, e := range evs {
				if e.N*2%3 == 0 {
					out = append(out, fmt.Sprint(event{e.Key, e.At, e.N * 2}))
				}
			}
			return out
		}, 0},
		{"union and fan-out", func(env *stream.Env, evs []event) stream.Stream[string] {
			s := source(env, evs)
			a := s.Filter(func(e event) bool { return e.N%2 == 0 })
			b := stream.Map(s, func(e event) event { e.Key += "b"; return e }).Shuffle()
			return show(a.Union(b, s.Rescale()))
		}, func(evs []event) (out []string) {
			for _, e := range evs {
				out = append(out, fmt.Sprint(e), fmt.Sprint(event{e.Key + "b", e.At, e.N}))
				if e.N%2 == 0 {
					out = append(out, fmt.Sprint(e))
				}
			}
			return out
		}, 0},
	}
}

func keyedLaws() []law {
	return []law{
		{"tumbling sum", func(env *stream.Env, evs []event) stream.Stream[string] {
			w := stream.KeyBy(source(env, evs), key).Window(stream.Tumbling(170 * time.Millisecond).Offset(30 * time.Millisecond))
			return show(stream.Aggregate(w, sum{}, stream.UID("sum")))
		}, func(evs []event) []string { return windowed(evs, 170, 170, 30) }, 20},
		{"sliding sum", func(env *stream.Env, evs []event) stream.Stream[string] {
			w := stream.KeyBy(source(env, evs), key).Window(stream.Sliding(300*time.Millisecond, 70*time.Millisecond))
			return show(stream.Aggregate(w, sum{}, stream.UID("sum")))
		}, func(evs []event) []string { return windowed(evs, 300, 70, 0) }, 20},
		{"hopping with gaps", func(env *stream.Env, evs []event) stream.Stream[string] {
			w := stream.KeyBy(source(env, evs), key).Window(stream.Sliding(100*time.Millisecond, 250*time.Millisecond))
			return show(stream.Aggregate(w, sum{}, stream.UID("sum")))
		}, func(evs []event) []string { return windowed(evs, 100, 250, 0) }, 20},
		{"sliding lists", func(env *stream.Env, evs []event) stream.Stream[string] {
			w := stream.KeyBy(source(env, evs), key).Window(stream.Sliding(200*time.Millisecond, 100*time.Millisecond))
			return stream.Apply(w, func(i stream.WindowInfo[string], vs []event, out *stream.Out[string]) error {
				n := int64(0)
				for _, e := range vs {
					n += e.N
				}
				out.Emit(fmt.Sprintf("(%s,%d,%d,%d)", i.Key, i.Start, i.End, n))
				return nil
			}, stream.UID("list"))
		}, func(evs []event) []string { return windowed(evs, 200, 100, 0) }, 20},
		{"sessions", func(env *stream.Env, evs []event) stream.Stream[string] {
			w := stream.KeyBy(source(env, evs), key).Window(stream.Session(60 * time.Millisecond))
			return show(stream.Aggregate(w, sum{}, stream.UID("sum")))
		}, func(evs []event) []string { return sessions(evs, 60) }, 20},
		{"batch sums", func(env *stream.Env, evs []event) stream.Stream[string] {
			env.Configure("execution.runtime-mode", "BATCH")
			return show(stream.Aggregate(stream.KeyBy(source(env, evs), key), sum{}, stream.UID("sum")))
		}, func(evs []event) (out []string) {
			sums := map[string]int64{}
			for _, e := range evs {
				sums[e.Key] += e.N
			}
			for k, n := range sums {
				out = append(out, fmt.Sprintf("(%s,%d)", k, n))
			}
			return out
		}, 20},
		{"keyed process", func(env *stream.Env, evs []event) stream.Stream[string] {
			return stream.Run(stream.KeyBy(source(env, evs), key), newBuckets, stream.UID("buckets"))
		}, func(evs []event) []string {
			out := windowed(evs, 100, 100, 0)
			for i := range out {
				out[i] = strings.ReplaceAll(out[i], "(", "[")
			}
			return out
		}, 20},
	}
}

type sum struct{}

func (sum) New() int64                   { return 0 }
func (sum) Add(acc int64, e event) int64 { return acc + e.N }
func (sum) Merge(a, b int64) int64       { return a + b }
func (sum) Result(acc int64) int64       { return acc }

// buckets sums by hundreds of milliseconds with map state and timers.
type buckets struct {
	sums stream.MapState[int64, int64]
	seen stream.List[int64]
	last stream.Value[int64]
}

func newBuckets(s *stream.Setup[string]) *buckets {
	return &buckets{stream.NewMap[int64, int64](s, "sums"), stream.NewList[int64](s, "seen"), stream.NewValue[int64](s, "last")}
}

func (b *buckets) OnRecord(ctx *stream.Ctx[string], e event, out *stream.Out[string]) error {
	start := e.At / 100 * 100
	n, _ := b.sums.Get(start)
	b.sums.Put(start, n+e.N)
	b.seen.Add(e.N)
	b.last.Set(max(b.last.Or(0), e.At))
	ctx.TimerAt(start + 99)
	return nil
}

func (b *buckets) OnTimer(ctx *stream.Ctx[string], out *stream.Out[string]) error {
	start := ctx.Time - 99
	n, ok := b.sums.Get(start)
	if !ok || b.seen.Empty() || b.last.Or(-1) < start {
		return fmt.Errorf("timer %d of %s: no state", ctx.Time, ctx.Key)
	}
	b.sums.Delete(start)
	out.Emit(fmt.Sprintf("[%s,%d,%d,%d)", ctx.Key, start, start+100, n))
	return nil
}

func source(env *stream.Env, evs []event) stream.Stream[event] {
	ws := stream.BoundedOutOfOrderness[event](500 * time.Millisecond).WithTimestamps(at)
	src := stream.GeneratorSource(int64(len(evs)), 0, func(i int64) event { return evs[i] })
	return stream.From(env, src, ws, stream.Name("events"))
}

func show[T any](s stream.Stream[T]) stream.Stream[string] {
	return stream.Map(s, func(v T) string { return fmt.Sprint(v) }, stream.Name("show"))
}

// windowed evaluates aligned windows plainly.
func windowed(evs []event, size, slide, offset int64) (out []string) {
	sums := map[string]int64{}
	for _, e := range evs {
		last := (e.At-offset)/slide*slide + offset
		if e.At < offset {
			last = offset - slide
		}
		for s := last; s+size > e.At; s -= slide {
			sums[fmt.Sprintf("(%s,%d,%d,", e.Key, s, s+size)] += e.N
		}
	}
	for k, n := range sums {
		out = append(out, fmt.Sprintf("%s%d)", k, n))
	}
	return out
}

func sessions(evs []event, gap int64) (out []string) {
	byKey := map[string][]event{}
	for _, e := range evs {
		byKey[e.Key] = append(byKey[e.Key], e)
	}
	for k, list := range byKey {
		slices.SortFunc(list, func(a, b event) int { return int(a.At - b.At) })
		start, end, n := list[0].At, list[0].At+gap, int64(0)
		for _, e := range list {
			if e.At > end {
				out = append(out, fmt.Sprintf("(%s,%d,%d,%d)", k, start, end, n))
				start, n = e.At, 0
			}
			end, n = e.At+gap, n+e.N
		}
		out = append(out, fmt.Sprintf("(%s,%d,%d,%d)", k, start, end, n))
	}
	return out
}

// input makes events of a few keys with pauses, somewhat out of order.
func input(r *rand.Rand, n, disorder int) []event {
	var evs []event
	ms := int64(0)
	for i := range n {
		ms += step * int64(1+r.IntN(3)*r.IntN(2))
		evs = append(evs, event{fmt.Sprintf("k%d", r.IntN(9)), ms, int64(i)})
	}
	for i := range evs {
		if disorder > 0 {
			j := min(len(evs)-1, i+r.IntN(disorder/2))
			evs[i], evs[j] = evs[j], evs[i]
		}
	}
	return evs
}

// TestLaws runs each program at parallelism 1, 2 and 3, chained or not, with
// local and encoded edges and with little credit; then with checkpoints, killed
// at random steps and restored at another parallelism and on another backend; and
// in BATCH, where each key is worked through by itself.
// What the files hold at the end is always what plain Go computes.
func TestLaws(t *testing.T) {
	seed := seeds.One(t)
	for i, l := range laws() {
		r := rand.New(rand.NewPCG(seed, uint64(i)))
		evs := input(r, 400, l.disorder)
		want := l.want(evs)
		slices.Sort(want)
		for p := 1; p <= 3; p++ {
			t.Run(fmt.Sprintf("%s/%d", l.name, p), func(t *testing.T) {
				dir := t.TempDir()
				prog := lawProgram(t, l, evs, p, dir, r.IntN(2) == 0)
				run(t, prog, streamtest.Options{Seed: r.Uint64(), RemoteShare: []float64{0, 0.5, 1}[r.IntN(3)], Credit: 1 + r.IntN(4)})
				compare(t, dir, want)
			})
		}
		t.Run(l.name+"/batch", func(t *testing.T) {
			dir := t.TempDir()
			batch := l
			batch.build = func(env *stream.Env, evs []event) stream.Stream[string] {
				env.Configure("execution.runtime-mode", "BATCH")
				return l.build(env, evs)
			}
			run(t, lawProgram(t, batch, evs, 1+r.IntN(3), dir, r.IntN(2) == 0), streamtest.Options{Seed: r.Uint64(), RemoteShare: []float64{0, 0.5, 1}[r.IntN(3)],
				Credit: 1 + r.IntN(4), Dir: t.TempDir()})
			compare(t, dir, want)
		})
		if strings.HasPrefix(l.name, "batch") {
			continue // it takes no checkpoints
		}
		t.Run(l.name+"/killed", func(t *testing.T) { killed(t, l, evs, want, r) })
	}
}

func lawProgram(t *testing.T, l law, evs []event, parallelism int, dir string, chained bool) *stream.Program {
	return program(t, func(env *stream.Env) {
		env.SetParallelism(parallelism)
		env.SetMaxParallelism(32)
		if !chained {
			env.DisableChaining()
		}
		l.build(env, evs).WriteText(dir, stream.UID("sink"))
	})
}

func killed(t *testing.T, l law, evs []event, want []string, r *rand.Rand) {
	dir := t.TempDir()
	var from *streamtest.Checkpoint
	ends := 0 // a job may fail between its final checkpoint and its end
	for attempt := 0; ends < 2; attempt++ {
		o := streamtest.Options{Seed: r.Uint64(), RemoteShare: 0.5, Credit: 1 + r.IntN(4), CheckpointEvery: 5 + r.IntN(40), Restore: from}
		if r.IntN(2) == 0 {
			o.Backend, o.Dir = state.Pebble, t.TempDir()
		}
		c, err := streamtest.New(lawProgram(t, l, evs, 1+r.IntN(3), dir, r.IntN(2) == 0), o)
		if err != nil {
			t.Fatal(err)
		}
		n := 20 + r.IntN(200)
		if attempt > 6 {
			n = 1 << 40
		}
		if err := c.RunSteps(n); err != nil {
			t.Fatal(err)
		}
		from = c.LastCheckpoint()
		done := c.Finished()
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		if done {
			ends++
		}
	}
	compare(t, dir, want)
}

// compare reads the committed files of a folder.
func compare(t *testing.T, dir string, want []string) {
	t.Helper()
	got := committed(t, dir)
	if slices.Equal(got, want) {
		return
	}
	t.Errorf("%d lines, want %d", len(got), len(want))
	for _, d := range [][2][]string{{got, want}, {want, got}} {
		n := 0
		for _, x := range d[0] {
			if _, ok := slices.BinarySearch(d[1], x); !ok && n < 5 {
				t.Errorf("only in one: %s (of %d lines)", x, len(d[0]))
				n++
			}
		}
	}
}

func committed(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			continue
		}
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")...)
	}
	slices.Sort(lines)
	return lines
}
