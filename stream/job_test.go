package stream_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"goflink/stream"
	"goflink/stream/streamtest"
)

// program builds a graph in a test.
func program(t testing.TB, build func(env *stream.Env)) *stream.Program {
	t.Helper()
	env := stream.NewEnv(stream.Settings{Name: t.Name(), Planning: true})
	build(env)
	p, err := env.Program()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// run runs a program to its end and returns what it printed, sorted.
func run(t testing.TB, p *stream.Program, o streamtest.Options) []string {
	t.Helper()
	c, err := streamtest.New(p, o)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}()
	if err := c.Run(); err != nil {
		t.Fatal(err)
	}
	lines := c.Lines()
	slices.Sort(lines)
	return lines
}

// bag collects records of concurrent sinks.
type bag[T any] struct {
	mu sync.Mutex
	vs []T
}

func (b *bag[T]) add(r stream.Rec[T]) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.vs = append(b.vs, r.V)
	return nil
}

type wordCount struct {
	Word  string
	Count int
}

func (w wordCount) String() string { return fmt.Sprintf("(%s,%d)", w.Word, w.Count) }

func split(line string, out *stream.Out[wordCount]) error {
	for w := range strings.FieldsSeq(line) {
		out.Emit(wordCount{w, 1})
	}
	return nil
}

func word(w wordCount) string { return w.Word }

func TestWordCount(t *testing.T) {
	for _, remote := range []float64{0, 0.5, 1} {
		for p := 1; p <= 3; p++ {
			prog := program(t, func(env *stream.Env) {
				env.SetParallelism(p)
				lines := stream.FromSlice(env, []string{"to be or not", "to be that is", "the question to"})
				words := stream.FlatMap(lines, split, stream.Name("tokenizer"))
				counts := stream.Sum(stream.KeyBy(words, word), func(w *wordCount) *int { return &w.Count }, stream.UID("count"))
				counts.Print()
			})
			got := run(t, prog, streamtest.Options{RemoteShare: remote, Seed: uint64(p)})
			for i, l := range got {
				if _, after, ok := strings.Cut(l, "> "); ok {
					got[i] = after
				}
			}
			slices.Sort(got)
			want := "(be,1) (be,2) (is,1) (not,1) (or,1) (question,1) (that,1) (the,1) (to,1) (to,2) (to,3)"
			if s := strings.Join(got, " "); s != want {
				t.Errorf("parallelism %d, remote %g: %s", p, remote, s)
			}
		}
	}
}

type event struct {
	Key string
	At  int64
	N   int64
}

func at(e event) int64   { return e.At }
func key(e event) string { return e.Key }

// events makes n events of k keys, in the order of time.
func events(n, keys int, step int64) []event {
	var out []event
	for i := range n {
		out = append(out, event{fmt.Sprintf("k%d", i%keys), int64(i) * step, int64(i)})
	}
	return out
}

func TestTumblingCount(t *testing.T) {
	evs := events(2000, 7, 10)
	var want []string
	counts := map[string]int{}
	for _, e := range evs {
		counts[fmt.Sprintf("(%s,%d,%d,", e.Key, e.At/1000*1000, e.At/1000*1000+1000)]++
	}
	for k, n := range counts {
		want = append(want, fmt.Sprintf("%s%d)", k, n))
	}
	slices.Sort(want)
	for p := 1; p <= 3; p++ {
		prog := program(t, func(env *stream.Env) {
			env.SetParallelism(p)
			s := stream.From(env, stream.SliceSource(evs), stream.Monotonous[event]().WithTimestamps(at), stream.Parallelism(p))
			stream.Count(stream.KeyBy(s, key).Window(stream.Tumbling(time.Second)), stream.UID("count")).Global().Print(stream.Parallelism(1))
		})
		got := run(t, prog, streamtest.Options{RemoteShare: 0.5, Seed: uint64(p)})
		if !slices.Equal(got, want) {
			t.Errorf("parallelism %d: %d results, want %d:\n%s\nwant\n%s", p, len(got), len(want), strings.Join(got[:min(5, len(got))], "\n"), strings.Join(want[:5], "\n"))
		}
	}
}
