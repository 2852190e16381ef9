package stream_test

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"goflink/stream"
)

// windowLaws are windows whose operators ask triggers, merge, or have functions
// with state.
func windowLaws() []law {
	gap := func(e event) int64 { return 30 + e.N%5*20 }
	return []law{
		{"dynamic sessions", func(env *stream.Env, evs []event) stream.Stream[string] {
			a := stream.DynamicSession(func(e event) time.Duration { return time.Duration(gap(e)) * time.Millisecond })
			return show(stream.Aggregate(stream.KeyBy(source(env, evs), key).Window(a), sum{}, stream.UID("sum")))
		}, func(evs []event) []string { return joined(evs, gap) }, 20},
		{"dynamic sessions with a trigger", func(env *stream.Env, evs []event) stream.Stream[string] {
			a := stream.DynamicSession(func(e event) time.Duration { return time.Duration(gap(e)) * time.Millisecond })
			w := stream.KeyBy(source(env, evs), key).Window(a).Trigger(stream.EventTimeTrigger[event]())
			return show(stream.Aggregate(w, sum{}, stream.UID("sum")))
		}, func(evs []event) []string { return joined(evs, gap) }, 20},
		{"sessions with an evictor", func(env *stream.Env, evs []event) stream.Stream[string] {
			w := stream.KeyBy(source(env, evs), key).Window(stream.Session(60 * time.Millisecond)).Evict(stream.CountEvictor[event](1 << 30))
			return show(stream.Aggregate(w, sum{}, stream.UID("sum")))
		}, func(evs []event) []string { return sessions(evs, 60) }, 20},
		{"windows of the program that merge", func(env *stream.Env, evs []event) stream.Stream[string] {
			a := stream.NewAssigner(stream.AssignerSpec[event]{Merging: true,
				Assign: func(e event, ts int64) []stream.Span { return []stream.Span{{Start: ts, End: ts + gap(e)}} }})
			return show(stream.Aggregate(stream.KeyBy(source(env, evs), key).Window(a), sum{}, stream.UID("sum")))
		}, func(evs []event) []string { return joined(evs, gap) }, 20},
		{"windows of the program", func(env *stream.Env, evs []event) stream.Stream[string] {
			a := stream.NewAssigner(stream.AssignerSpec[event]{Assign: func(_ event, ts int64) []stream.Span {
				return []stream.Span{{Start: ts / 100 * 100, End: ts/100*100 + 100}, {Start: ts / 170 * 170, End: ts/170*170 + 170}}
			}})
			return show(stream.Aggregate(stream.KeyBy(source(env, evs), key).Window(a), sum{}, stream.UID("sum")))
		}, func(evs []event) []string {
			return append(windowed(evs, 100, 100, 0), windowed(evs, 170, 170, 0)...)
		}, 20},
		{"window function with state", func(env *stream.Env, evs []event) stream.Stream[string] {
			w := stream.KeyBy(source(env, evs), key).Window(stream.Tumbling(100 * time.Millisecond)).Trigger(stream.ContinuousEventTimeTrigger[event](time.Second))
			return stream.AggregateRun(w, sum{}, newNumbered, stream.UID("numbered"))
		}, numberedWindows, 20},
	}
}

// joined are the sums of each key's events whose spans touch.
func joined(evs []event, gap func(event) int64) (out []string) {
	byKey := map[string][]event{}
	for _, e := range evs {
		byKey[e.Key] = append(byKey[e.Key], e)
	}
	for k, list := range byKey {
		slices.SortFunc(list, func(a, b event) int { return cmp.Compare(a.At, b.At) })
		start, end, n := list[0].At, list[0].At, int64(0)
		for _, e := range list {
			if e.At > end {
				out = append(out, fmt.Sprintf("(%s,%d,%d,%d)", k, start, end, n))
				start, end, n = e.At, e.At, 0
			}
			end, n = max(end, e.At+gap(e)), n+e.N
		}
		out = append(out, fmt.Sprintf("(%s,%d,%d,%d)", k, start, end, n))
	}
	return out
}

// numbered numbers the windows of a key, in state of the key, and their firings, in
// state of the window.
type numbered struct {
	windows, firings stream.Value[int64]
}

func newNumbered(s *stream.Setup[string]) *numbered {
	return &numbered{stream.NewValue[int64](s, "windows"), stream.NewValue[int64](s.PerWindow(), "firings")}
}

func (f *numbered) OnWindow(ctx *stream.WindowCtx[string], v int64, out *stream.Out[string]) error {
	f.windows.Set(f.windows.Or(0) + 1)
	f.firings.Set(f.firings.Or(0) + 1)
	out.Emit(fmt.Sprintf("(%s,%d,%d,%d) %d/%d", ctx.Key, ctx.Start, v, f.windows.Or(0), f.firings.Or(0), ctx.End))
	return nil
}

func (f *numbered) OnClear(ctx *stream.WindowCtx[string]) error {
	if f.firings.Or(0) != 1 {
		return fmt.Errorf("window [%d,%d) fired %d times", ctx.Start, ctx.End, f.firings.Or(0))
	}
	return nil
}

func numberedWindows(evs []event) (out []string) {
	sums := map[string]map[int64]int64{}
	for _, e := range evs {
		if sums[e.Key] == nil {
			sums[e.Key] = map[int64]int64{}
		}
		sums[e.Key][e.At/100*100] += e.N
	}
	for k, of := range sums {
		starts := make([]int64, 0, len(of))
		for s := range of {
			starts = append(starts, s)
		}
		slices.Sort(starts)
		for i, s := range starts {
			out = append(out, fmt.Sprintf("(%s,%d,%d,%d) 1/%d", k, s, of[s], i+1, s+100))
		}
	}
	return out
}
