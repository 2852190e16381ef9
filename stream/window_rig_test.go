package stream

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"goflink/dataflow"
	"goflink/state"
)

// newWindowRig builds a program of one source and a window operator behind it, and
// drives the operator as twoRig drives one of two inputs.
func newWindowRig(t testing.TB, build func(r *twoRig, s Stream[token])) (*twoRig, error) {
	t.Helper()
	r := &twoRig{now: time.UnixMilli(0)}
	env := NewEnv(Settings{})
	build(r, FromSlice(env, []token{{}}, Name("s")))
	p, err := env.Program()
	if err != nil {
		return nil, err
	}
	ch := p.chained.Chains[1]
	max := int(ch.Vertex.MaxParallelism)
	r.chain, err = p.BuildChain(ch.Vertex.Id, &dataflow.Env{Ctx: t.Context(), Blocked: new(bool), InputChannels: []int{1}, Parallelism: 1, MaxParallelism: max,
		State: state.Env{Range: state.Range{Start: 0, End: max}, MaxParallelism: max}, Now: func() time.Time { return r.now }})
	if err != nil {
		return nil, err
	}
	for i := len(r.chain.Operators) - 1; i >= 0; i-- {
		if err := r.chain.Operators[i].Open(t.Context()); err != nil {
			return nil, err
		}
	}
	r.sides[0] = r.chain.Inputs[0].(*inPort[token]).g.to
	t.Cleanup(func() {
		for _, op := range r.chain.Operators {
			if err := op.Close(); err != nil {
				t.Error(err)
			}
		}
	})
	return r, nil
}

// runOne runs a script of "KEY TIME N", "wm TIME" and "now TIME".
func (r *twoRig) runOne(input string) string {
	for line := range strings.Lines(input) {
		line = strings.TrimSpace(line)
		r.out = append(r.out, line)
		if !strings.HasPrefix(line, "now") {
			line = "1 " + line
		}
		if err := r.step(line); err != nil {
			r.out = append(r.out, "    error: "+err.Error())
		}
	}
	return strings.Join(r.out, "\n") + "\n"
}

// TestTriggeredWindowScripts runs testdata/triggered: each case puts windows
// together as scriptWindows tells and lists what comes; below each line stands what
// the operator emits, behind its event time, and what it says of late records and of
// windows that it forgets.
func TestTriggeredWindowScripts(t *testing.T) {
	datadriven.RunTest(t, "testdata/triggered", func(t *testing.T, d *datadriven.TestData) string {
		r, err := newWindowRig(t, func(r *twoRig, s Stream[token]) { scriptWindows(t, d, r, s) })
		if err != nil {
			text := err.Error() // behind the line of the program
			return text[strings.Index(text, "operator "):] + "\n"
		}
		return r.runOne(d.Input)
	})
}

// scriptWindows reads the windows from the arguments of a case: the command is the
// assigner.
func scriptWindows(t *testing.T, d *datadriven.TestData, r *twoRig, s Stream[token]) {
	a := scriptAssigner(t, d)
	if d.HasArg("proc") {
		a = a.ProcessingTime()
	}
	late := NewTag[token]("late")
	w := KeyBy(s, tokenKey).Window(a).LateTo(late)
	if ms := num(t, d, "lateness"); ms > 0 {
		w = w.AllowedLateness(time.Duration(ms) * time.Millisecond)
	}
	if tr, ok := scriptTrigger(t, d); ok {
		w = w.Trigger(tr)
	}
	if e, ok := scriptEvictor(t, d); ok {
		w = w.Evict(e)
	}
	res := scriptFunction(t, d, w)
	show(r, res, "> ")
	show(r, Side(res, late), "late ")
	if d.HasArg("run") {
		show(r, Side(res, changed), "side ")
	}
}

func num(t *testing.T, d *datadriven.TestData, key string) (n int64) {
	t.Helper()
	d.MaybeScanArgs(t, key, &n)
	return n
}

func msOf(t *testing.T, d *datadriven.TestData, key string) time.Duration {
	return time.Duration(num(t, d, key)) * time.Millisecond
}

// ownWindow is the window of a record of the custom assigners: as long as its N.
func ownWindow(v token, ts int64) []Span {
	switch {
	case v.N == 0:
		return nil
	case v.N == 100:
		return []Span{{ts, ts + 10}, {ts + 50, ts + 60}}
	}
	return []Span{{ts, ts + v.N}}
}

// upTo30 joins windows that touch while the whole is not longer than 30 ms.
func upTo30(windows []Span, merge func(result Span, of []Span)) {
	for i := 0; i < len(windows); {
		all, j := windows[i], i+1
		for ; j < len(windows) && windows[j].Start <= all.End && max(all.End, windows[j].End)-all.Start <= 30; j++ {
			all.End = max(all.End, windows[j].End)
		}
		if j > i+1 {
			merge(all, windows[i:j])
		}
		i = j
	}
}

func scriptAssigner(t *testing.T, d *datadriven.TestData) Assigner {
	spec := AssignerSpec[token]{Name: "OwnWindows", Assign: ownWindow}
	switch d.Cmd {
	case "tumbling":
		return Tumbling(msOf(t, d, "size"))
	case "sliding":
		return Sliding(msOf(t, d, "size"), msOf(t, d, "slide"))
	case "session":
		return Session(msOf(t, d, "gap"))
	case "dynamic":
		return DynamicSession(func(v token) time.Duration { return time.Duration(v.N) * time.Millisecond })
	case "other-type":
		return DynamicSession(func(string) time.Duration { return time.Second })
	case "custom-count":
		tr := CountTrigger[token](2)
		spec.Trigger = &tr
	case "custom":
	case "nothing":
		spec.Assign = nil
	case "merging":
		spec.Merging = true
	case "merging-delta":
		tr := DeltaTrigger(1, func(a, b token) float64 { return 0 })
		spec.Merging, spec.Trigger = true, &tr
	case "merging-30":
		spec.Merge = upTo30
	case "merging-wrong":
		spec.Merge = func(_ []Span, merge func(Span, []Span)) { merge(Span{0, 1}, []Span{{7, 8}}) }
	case "merging-back":
		spec.Merge = func(ws []Span, merge func(Span, []Span)) {
			if len(ws) > 1 {
				merge(Span{0, 10}, ws)
			}
		}
	case "global":
		return Global()
	default:
		t.Fatalf("%s: unknown assigner %s", d.Pos, d.Cmd)
	}
	return NewAssigner(spec)
}

func difference(a, b token) float64 { return float64(b.N - a.N) }

func scriptTrigger(t *testing.T, d *datadriven.TestData) (tr Trigger[token], ok bool) {
	ok = true
	switch {
	case d.HasArg("count"):
		tr = CountTrigger[token](num(t, d, "count"))
	case d.HasArg("delta"):
		tr = DeltaTrigger(float64(num(t, d, "delta")), difference)
	case d.HasArg("event"):
		tr = EventTimeTrigger[token]()
	case d.HasArg("clock"):
		tr = ProcessingTimeTrigger[token]()
	case d.HasArg("continuous"):
		tr = ContinuousEventTimeTrigger[token](msOf(t, d, "continuous"))
	case d.HasArg("continuous-clock"):
		tr = ContinuousProcessingTimeTrigger[token](msOf(t, d, "continuous-clock"))
	case d.HasArg("own"):
		tr = largest()
	case d.HasArg("own-plain"):
		tr = NewTrigger("Plain", func(*TriggerCtx[token], token, int64) Action { return Fire }, nil)
	default:
		ok = false
	}
	if d.HasArg("timeout") {
		var opts []TimeoutOption
		if d.HasArg("reset") {
			opts = append(opts, ResetOnRecord())
		}
		if d.HasArg("keep") {
			opts = append(opts, KeepOnTimeout())
		}
		tr = ProcessingTimeoutTrigger(tr, msOf(t, d, "timeout"), opts...)
	}
	if d.HasArg("purge") {
		tr = Purging(tr)
	}
	return tr, ok
}

// largest fires when a record is larger than all before, also than those of windows
// that were merged in, and at the end of the window. It leaves its timers.
func largest() Trigger[token] {
	return NewTrigger("Largest", func(c *TriggerCtx[token], v token, _ int64) Action {
		c.TimerAt(c.End - 1)
		if c.State.Set && v.N <= c.State.Last.N {
			return Continue
		}
		c.State.Last, c.State.Set = v, true
		return Fire
	}, func(c *TriggerCtx[token], ms int64, _ bool) Action {
		c.State.N++
		return Fire
	}).OnMerge(func(c *TriggerCtx[token], merged []TriggerState[token]) {
		for _, m := range merged {
			if m.Set && (!c.State.Set || m.Last.N > c.State.Last.N) {
				c.State.Last, c.State.Set = m.Last, true
			}
		}
	})
}

func scriptEvictor(t *testing.T, d *datadriven.TestData) (e Evictor[token], ok bool) {
	ok = true
	switch {
	case d.HasArg("evict-count"):
		e = CountEvictor[token](num(t, d, "evict-count"))
	case d.HasArg("evict-delta"):
		e = DeltaEvictor(float64(num(t, d, "evict-delta")), difference)
	case d.HasArg("evict-time"):
		e = TimeEvictor[token](msOf(t, d, "evict-time"))
	case d.HasArg("evict-all"):
		e = NewEvictor("All", func(*EvictCtx, []Rec[token]) []Rec[token] { return nil }, nil)
	case d.HasArg("evict-both"): // odd ones before, the first one after
		e = NewEvictor("Both", func(_ *EvictCtx, recs []Rec[token]) (kept []Rec[token]) {
			for _, r := range recs {
				if r.V.N%2 == 0 {
					kept = append(kept, r)
				}
			}
			return kept
		}, func(_ *EvictCtx, recs []Rec[token]) []Rec[token] { return recs[min(1, len(recs)):] })
	default:
		return e, false
	}
	if d.HasArg("after") {
		e = e.After()
	}
	return e, true
}

type tokenSum struct{}

func (tokenSum) New() int64                   { return 0 }
func (tokenSum) Add(acc int64, t token) int64 { return acc + t.N }
func (tokenSum) Merge(a, b int64) int64       { return a + b }
func (tokenSum) Result(acc int64) int64       { return acc }

func scriptFunction(t *testing.T, d *datadriven.TestData, w Windowed[string, token]) Stream[string] {
	run := "list"
	d.MaybeScanArgs(t, "run", &run)
	perWindow, clears := d.HasArg("per-window"), !d.HasArg("no-clear")
	switch {
	case d.HasArg("sum"):
		return AggregateApply(w, tokenSum{}, func(i WindowInfo[string], n int64, out *Out[string]) error {
			out.Emit(fmt.Sprintf("%s %s %d", i.Key, spanText(i.Start, i.End), n))
			return nil
		})
	case !d.HasArg("run"):
		return Apply(w, func(i WindowInfo[string], vs []token, out *Out[string]) error {
			out.Emit(fmt.Sprintf("%s %s %v", i.Key, spanText(i.Start, i.End), numbers(vs)))
			return nil
		})
	case run == "sum":
		return AggregateRun(w, tokenSum{}, func(s *Setup[string]) *firings[int64] { return newFirings[int64](s, perWindow) })
	case run == "reduce":
		return ReduceRun(w, func(a, b token) token { a.N += b.N; return a }, func(s *Setup[string]) *firings[token] { return newFirings[token](s, perWindow) })
	case !clears:
		return RunWindow(w, func(s *Setup[string]) uncleaned { return uncleaned{newFirings[[]token](s, perWindow)} })
	}
	return RunWindow(w, func(s *Setup[string]) *firings[[]token] { return newFirings[[]token](s, perWindow) })
}

// firings counts the firings of each window in per-window state, those of the key
// in the key's, and tells of windows that are forgotten.
type firings[V any] struct {
	key    Value[int64]
	seen   List[int64]
	all    Reducing[int64]
	window Value[int64]
	starts MapState[string, int64]
	sum    Aggregating[token, int64, int64]
	per    bool
	side   *SideOut[string]
}

func newFirings[V any](s *Setup[string], perWindow bool) *firings[V] {
	f := &firings[V]{key: NewValue[int64](s, "key"), seen: NewList[int64](s, "seen"), side: SideOutput(s, changed), per: perWindow,
		all: NewReducing(s, "all", func(a, b int64) int64 { return a + b })}
	if perWindow {
		w := s.PerWindow()
		f.window, f.starts = NewValue[int64](w, "window"), NewMap[string, int64](w, "starts")
		f.sum = NewAggregating(w, "sum", tokenSum{})
	}
	return f
}

func (f *firings[V]) OnWindow(ctx *WindowCtx[string], v V, out *Out[string]) error {
	key := f.key.Or(0) + 1
	f.seen.Add(ctx.Start)
	f.all.Add(1)
	text := fmt.Sprintf("%s %s %v key=%d", ctx.Key, spanText(ctx.Start, ctx.End), v, key)
	if f.per { // interleaved with the key's, on purpose
		n, _ := f.window.Ptr()
		*n++
		f.starts.Put("x", ctx.Start)
		f.sum.Add(token{N: *n})
		total, _ := f.sum.Get()
		text += fmt.Sprintf(" window=%d,%d", f.window.Or(0), total)
	}
	f.key.Set(key)
	if all, _ := f.all.Get(); all != key || int64(len(f.seen.Get())) != key {
		return fmt.Errorf("states of the key differ: %d, %d, %d", key, all, len(f.seen.Get()))
	}
	f.side.Emit(fmt.Sprintf("fired wm=%d now=%d", ctx.Watermark, ctx.Now()))
	out.Emit(text)
	return nil
}

func (f *firings[V]) OnClear(ctx *WindowCtx[string]) error {
	text := fmt.Sprintf("forgets %s %s", ctx.Key, spanText(ctx.Start, ctx.End))
	if f.per {
		text += fmt.Sprintf(" window=%d starts=%d", f.window.Or(0), f.starts.Len())
	}
	f.side.Emit(text)
	return nil
}

// uncleaned is firings without OnClear.
type uncleaned struct{ f *firings[[]token] }

func (u uncleaned) OnWindow(ctx *WindowCtx[string], v []token, out *Out[string]) error {
	return u.f.OnWindow(ctx, v, out)
}
