package stream_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"goflink/internal/seeds"
	"goflink/stream"
	"goflink/stream/streamtest"
)

// rounds counts the records that steps saw, by round.
type rounds struct {
	sync.Mutex
	saw map[int]int
}

func (r *rounds) count(round int) {
	r.Lock()
	defer r.Unlock()
	if r.saw == nil {
		r.saw = map[int]int{}
	}
	r.saw[round]++
}

func iterated(t *testing.T, seed uint64, p int, build func(env *stream.Env) stream.Stream[string]) []string {
	t.Helper()
	prog := program(t, func(env *stream.Env) {
		env.Configure("execution.runtime-mode", "BATCH")
		env.SetParallelism(p)
		build(env).Print()
	})
	got := run(t, prog, streamtest.Options{Seed: seed, RemoteShare: 0.5, Credit: 1 + int(seed%3), Dir: t.TempDir()})
	for i, l := range got {
		if _, after, ok := strings.Cut(l, "> "); ok {
			got[i] = after
		}
	}
	slices.Sort(got)
	return got
}

// collatz halves even numbers and does 3n+1 to odd ones, until they are 1.
func collatz(n int) int {
	switch {
	case n == 1:
		return 1
	case n%2 == 0:
		return n / 2
	}
	return 3*n + 1
}

// TestIterate: a fixed number of rounds is what a loop in Go makes, in both modes.
func TestIterate(t *testing.T) {
	in := []int{1, 2, 3, 6, 7, 9}
	var want []string
	for _, n := range in {
		for range 5 {
			n = collatz(n)
		}
		want = append(want, fmt.Sprint(n))
	}
	slices.Sort(want)
	for p := 1; p <= 3; p++ {
		got := iterated(t, uint64(p), p, func(env *stream.Env) stream.Stream[string] {
			s := stream.Iterate(stream.FromSlice(env, in), 5, func(s stream.Stream[int], _ int) stream.Stream[int] {
				return stream.Map(s.Rebalance(), collatz, stream.UID("step"))
			})
			return stream.Map(s, func(n int) string { return fmt.Sprint(n) })
		})
		if !slices.Equal(got, want) {
			t.Errorf("parallelism %d: %q, want %q", p, got, want)
		}
	}
}

// TestIterateUntil: the loop ends after the first round that leaves nothing open,
// or with the last one.
func TestIterateUntil(t *testing.T) {
	in := []int{1, 2, 3, 6, 7} // 7 takes 16 rounds
	for _, limit := range []int{1, 2, 15, 16, 17, 25} {
		var want []string
		for _, n := range in {
			for range min(limit, 16) {
				n = collatz(n)
			}
			want = append(want, fmt.Sprint(n))
		}
		slices.Sort(want)
		var saw rounds
		got := iterated(t, uint64(limit), 1+limit%3, func(env *stream.Env) stream.Stream[string] {
			s := stream.IterateUntil(stream.FromSlice(env, in), limit, func(s stream.Stream[int], round int) (stream.Stream[int], stream.Stream[int]) {
				next := stream.Map(s, func(n int) int { saw.count(round); return collatz(n) })
				return next, stream.Filter(next, func(n int) bool { return n != 1 })
			})
			return stream.Map(s, func(n int) string { return fmt.Sprint(n) })
		})
		if !slices.Equal(got, want) {
			t.Errorf("%d rounds: %q, want %q", limit, got, want)
		}
		for round := 1; round <= limit; round++ {
			if n := saw.saw[round]; round <= 16 && n != len(in) || round > 16 && n != 0 {
				t.Errorf("%d rounds: round %d saw %d records", limit, round, n)
			}
		}
	}
}

type vertexOf struct{ Vertex, Component int }

type edgeOf struct{ From, To int }

// TestIterateDelta finds the connected components of random graphs.
func TestIterateDelta(t *testing.T) {
	seed := seeds.One(t)
	r := rand.New(rand.NewPCG(seed, 0))
	for range 5 {
		n := 2 + r.IntN(12)
		smallest := make([]int, n)
		var vertices []vertexOf
		var edges []edgeOf
		for v := range n {
			smallest[v] = v
			vertices = append(vertices, vertexOf{v, v})
		}
		for range n * 2 / 3 {
			a, b := r.IntN(n), r.IntN(n)
			edges = append(edges, edgeOf{a, b}, edgeOf{b, a})
			low, high := min(smallest[a], smallest[b]), max(smallest[a], smallest[b])
			for v := range n {
				if smallest[v] == high {
					smallest[v] = low
				}
			}
		}
		var want []string
		for v := range n {
			want = append(want, fmt.Sprint(v, "in", smallest[v]))
		}
		slices.Sort(want)
		got := iterated(t, r.Uint64(), 1+r.IntN(3), func(env *stream.Env) stream.Stream[string] {
			all := stream.FromSlice(env, vertices)
			links := stream.FromSlice(env, edges, stream.Name("links"))
			found := stream.IterateDelta(all, vertexOf.key, all, n, func(solution stream.Keyed[int, vertexOf], work stream.Stream[vertexOf], _ int) (stream.Stream[vertexOf], stream.Stream[vertexOf]) {
				byEnd := stream.ConnectKeyed(stream.KeyBy(work, vertexOf.key), stream.KeyBy(links, func(e edgeOf) int { return e.From }))
				offers := stream.Join(byEnd.Whole(), func(v vertexOf, e edgeOf) vertexOf { return vertexOf{e.To, v.Component} })
				better := stream.CoGroup(stream.ConnectKeyed(solution, stream.KeyBy(offers, vertexOf.key)).Whole(),
					func(_ stream.WindowInfo[int], now, offers []vertexOf, out *stream.Out[vertexOf]) error {
						best := now[0]
						for _, o := range offers {
							best.Component = min(best.Component, o.Component)
						}
						if best != now[0] {
							out.Emit(best)
						}
						return nil
					})
				return better, better
			})
			return stream.Map(found, func(v vertexOf) string { return fmt.Sprint(v.Vertex, "in", v.Component) })
		})
		if !slices.Equal(got, want) {
			t.Errorf("%d vertices, edges %v: %q, want %q", n, edges, got, want)
		}
	}
}

func (v vertexOf) key() int { return v.Vertex }

// TestIterateRefused: what cannot be run is an error of the program.
func TestIterateRefused(t *testing.T) {
	same := func(s stream.Stream[int], _ int) (stream.Stream[int], stream.Stream[int]) { return s, s }
	for want, build := range map[string]func(env *stream.Env){
		"IterateUntil needs execution.runtime-mode BATCH": func(env *stream.Env) {
			stream.IterateUntil(stream.FromSlice(env, []int{1}), 3, same).Print()
		},
		"0 rounds": func(env *stream.Env) {
			stream.IterateUntil(stream.FromSlice(env, []int{1}), 0, same).Print()
		},
	} {
		env := stream.NewEnv(stream.Settings{})
		build(env)
		if _, err := env.Program(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// TestBroadcastFirst: in BATCH an operator has all of a broadcast stream before the
// first record, with a key and without.
func TestBroadcastFirst(t *testing.T) {
	want := []string{"1*60", "2*60", "3*60"}
	for seed := range uint64(20) {
		for _, keyed := range []bool{true, false} {
			got := iterated(t, seed, 1+int(seed%3), func(env *stream.Env) stream.Stream[string] {
				rules := stream.FromSlice(env, []int{3, 4, 5}, stream.Name("rules"))
				in := stream.FromSlice(env, []int{1, 2, 3})
				if keyed {
					return stream.RunBroadcast(stream.KeyBy(in, func(n int) int { return n }), rules, func(*stream.Setup[int]) *factor[int] { return &factor[int]{1} })
				}
				return stream.ProcessBroadcast(in, rules, func(*stream.Setup[stream.NoKey]) *factor[stream.NoKey] { return &factor[stream.NoKey]{1} })
			})
			if !slices.Equal(got, want) {
				t.Fatalf("seed %d, keyed %t: %q, want %q", seed, keyed, got, want)
			}
		}
	}
}

// factor is that of the broadcast stream.
type factor[K comparable] struct{ of int }

func (p *factor[K]) OnRecord(_ *stream.Ctx[K], n int, out *stream.Out[string]) error {
	out.Emit(fmt.Sprintf("%d*%d", n, p.of))
	return nil
}

func (p *factor[K]) OnBroadcast(_ *stream.BroadcastCtx[K], n int, _ *stream.Out[string]) error {
	p.of *= n
	return nil
}
