package stream

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"goflink/dataflow"
	"goflink/state"
)

// token is a record of the scripts.
type token struct {
	Key string
	At  int64
	N   int64
}

func tokenKey(t token) string { return t.Key }

// twoRig drives one operator with two inputs, and what is chained behind it,
// without a runtime: so a script decides in which order the inputs bring records
// and watermarks.
type twoRig struct {
	chain *dataflow.Chain
	sides [2]dataflow.Input[token]
	now   time.Time
	out   []string
	env   *dataflow.Env
}

// newTwoRig builds a program of two sources and a vertex that reads both; build
// ends it with sinks that write to the rig.
func newTwoRig(t testing.TB, build func(r *twoRig, a, b Stream[token])) *twoRig {
	t.Helper()
	r := &twoRig{now: time.UnixMilli(0)}
	env := NewEnv(Settings{})
	a, b := FromSlice(env, []token{{}}, Name("a")), FromSlice(env, []token{{}}, Name("b"))
	build(r, a, b)
	p, err := env.Program()
	if err != nil {
		t.Fatal(err)
	}
	ch := p.chained.Chains[2]
	r.env = &dataflow.Env{
		Ctx: t.Context(), Blocked: new(bool), InputChannels: []int{1, 1}, Parallelism: 1, MaxParallelism: int(ch.Vertex.MaxParallelism),
		State: state.Env{Range: state.Range{Start: 0, End: int(ch.Vertex.MaxParallelism)}, MaxParallelism: int(ch.Vertex.MaxParallelism)},
		Now:   func() time.Time { return r.now }}
	r.chain, err = p.BuildChain(ch.Vertex.Id, r.env)
	if err != nil {
		t.Fatal(err)
	}
	for i := len(r.chain.Operators) - 1; i >= 0; i-- {
		if err := r.chain.Operators[i].Open(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for i := range r.sides {
		r.sides[i] = r.chain.Inputs[i].(*inPort[token]).g.to
	}
	t.Cleanup(func() {
		for _, op := range r.chain.Operators {
			if err := op.Close(); err != nil {
				t.Error(err)
			}
		}
	})
	return r
}

// show is a sink that writes records behind a mark.
func show[T any](r *twoRig, s Stream[T], mark string) {
	tell := &teller[T]{r: r, mark: mark}
	o := addSink(s, "Show"+mark, nil)
	o.build = func(t *task) error {
		x := &showOp[T]{base: newBase(t), teller: tell}
		t.install(x, x)
		return nil
	}
}

type teller[T any] struct {
	r    *twoRig
	mark string
}

type showOp[T any] struct {
	base
	*teller[T]
}

func (o *showOp[T]) Collect(r *dataflow.Rec[T]) error {
	at := strconv.FormatInt(r.TS, 10)
	if r.TS == NoTimestamp {
		at = "-"
	}
	o.r.out = append(o.r.out, fmt.Sprintf("    %s@%s %v", o.mark, at, r.V))
	return nil
}

func (o *showOp[T]) Watermark(ts int64) error {
	if o.mark == "" {
		o.r.out = append(o.r.out, "    wm "+markText(ts))
	}
	return nil
}

func (o *showOp[T]) Status(idle bool) error {
	if o.mark == "" {
		o.r.out = append(o.r.out, fmt.Sprintf("    idle %t", idle))
	}
	return nil
}

func markText(ts int64) string {
	if ts == dataflow.MaxWatermark {
		return "max"
	}
	return strconv.FormatInt(ts, 10)
}

// step runs a line of a script: "1 KEY TIME N" and "2 KEY TIME N" are records of
// the inputs, "1 wm TIME", "1 idle", "1 active" and "1 end" their event time,
// "now TIME" sets the clock.
func (r *twoRig) step(line string) error {
	f := strings.Fields(line)
	num := func(i int) int64 {
		n, _ := strconv.ParseInt(f[i], 10, 64)
		return n
	}
	if f[0] == "now" {
		r.now = time.UnixMilli(num(1))
		return r.chain.FireTimers(num(1))
	}
	i := int(num(0)) - 1
	side := r.sides[i]
	switch f[1] {
	case "wm":
		return side.Watermark(num(2))
	case "idle", "active":
		return side.Status(f[1] == "idle")
	case "end":
		return r.chain.Inputs[i].ChannelEnded(0)
	}
	rec := dataflow.Rec[token]{V: token{f[1], num(2), num(3)}, TS: num(2)}
	if f[2] == "-" {
		rec.TS = NoTimestamp
	}
	return side.Collect(&rec)
}

func (r *twoRig) run(input string) string {
	for line := range strings.Lines(input) {
		line = strings.TrimSpace(line)
		r.out = append(r.out, line)
		if err := r.step(line); err != nil {
			r.out = append(r.out, "    error: "+err.Error())
		}
	}
	return strings.Join(r.out, "\n") + "\n"
}

// TestTwoInputScripts runs testdata/twoinput: each case names an operator and
// lists what its inputs bring, as twoRig.step has it; the output repeats the
// input, with what the operator emits below each line.
func TestTwoInputScripts(t *testing.T) {
	builders := map[string]func(d *datadriven.TestData, r *twoRig, a, b Stream[token]){
		"comap": func(_ *datadriven.TestData, r *twoRig, a, b Stream[token]) {
			show(r, CoMap(Connect(a, b), func(t token) string { return "first " + t.Key }, func(t token) string { return "second " + t.Key }), "")
		},
		"coflatmap": func(_ *datadriven.TestData, r *twoRig, a, b Stream[token]) {
			twice := func(t token, out *Out[string]) error { out.Emit(t.Key); out.Emit(t.Key); return nil }
			drop := func(t token, out *Out[string]) error {
				if t.N < 0 {
					return fmt.Errorf("%d is negative", t.N)
				}
				return nil
			}
			show(r, CoFlatMap(Connect(a, b), twice, drop), "")
		},
		"coprocess": func(_ *datadriven.TestData, r *twoRig, a, b Stream[token]) {
			s := CoProcess(Connect(a, b), newLastSeen)
			show(r, s, "")
			show(r, Side(s, changed), "changed ")
		},
		"corun": func(_ *datadriven.TestData, r *twoRig, a, b Stream[token]) {
			s := CoRun(ConnectKeyed(KeyBy(a, tokenKey), KeyBy(b, tokenKey)), newExpect)
			show(r, s, "")
			show(r, Side(s, changed), "changed ")
		},
		"runbroadcast": func(_ *datadriven.TestData, r *twoRig, a, b Stream[token]) {
			show(r, RunBroadcast(KeyBy(a, tokenKey), b, newFactors), "")
		},
		"processbroadcast": func(_ *datadriven.TestData, r *twoRig, a, b Stream[token]) {
			s := ProcessBroadcast(a, b, newRules)
			show(r, s, "")
			show(r, Side(s, changed), "changed ")
		},
		"interval": scriptInterval,
		"cogroup":  scriptCoGroup,
	}
	datadriven.RunTest(t, "testdata/twoinput", func(t *testing.T, d *datadriven.TestData) string {
		build, ok := builders[d.Cmd]
		if !ok {
			t.Fatalf("%s: unknown command %s", d.Pos, d.Cmd)
		}
		return newTwoRig(t, func(r *twoRig, a, b Stream[token]) { build(d, r, a, b) }).run(d.Input)
	})
}

var changed = NewTag[string]("changed")

// lastSeen remembers the last token of each input in the function itself.
type lastSeen struct {
	first, second string
	side          *SideOut[string]
}

func newLastSeen(s *Setup[NoKey]) *lastSeen { return &lastSeen{side: SideOutput(s, changed)} }

func (f *lastSeen) OnFirst(ctx *Ctx[NoKey], t token, out *Out[string]) error {
	f.first = t.Key
	f.side.Emit(t.Key)
	out.Emit(fmt.Sprintf("%s/%s wm=%t", f.first, f.second, ctx.Watermark() > 0))
	return nil
}

func (f *lastSeen) OnSecond(_ *Ctx[NoKey], t token, out *Out[string]) error {
	f.second = t.Key
	out.EmitAt(fmt.Sprintf("%s/%s", f.first, f.second), 7)
	return nil
}

// expect pairs an order (first) with its payment (second), and tells which one
// did not come within 100 ms of event time, or 500 ms of the clock.
type expect struct {
	order, paid Value[int64]
	side        *SideOut[string]
}

func newExpect(s *Setup[string]) *expect {
	return &expect{NewValue[int64](s, "order"), NewValue[int64](s, "paid"), SideOutput(s, changed)}
}

func (f *expect) OnFirst(ctx *Ctx[string], t token, out *Out[string]) error {
	f.order.Set(t.N)
	ctx.ProcTimerAt(ctx.Now() + 500)
	return f.match(ctx, out)
}

func (f *expect) OnSecond(ctx *Ctx[string], t token, out *Out[string]) error {
	f.paid.Set(t.N)
	return f.match(ctx, out)
}

func (f *expect) match(ctx *Ctx[string], out *Out[string]) error {
	order, ordered := f.order.Get()
	paid, got := f.paid.Get()
	if !ordered || !got {
		ctx.TimerAt(ctx.Time + 100)
		return nil
	}
	f.side.Emit(ctx.Key)
	out.Emit(fmt.Sprintf("%s ordered %d paid %d", ctx.Key, order, paid))
	f.order.Clear()
	f.paid.Clear()
	return nil
}

func (f *expect) OnTimer(ctx *Ctx[string], out *Out[string]) error {
	_, ordered := f.order.Get()
	_, paid := f.paid.Get()
	if ordered || paid {
		out.Emit(fmt.Sprintf("%s alone: ordered=%t paid=%t clock=%t", ctx.Key, ordered, paid, ctx.ProcessingTime))
	}
	if !ctx.ProcessingTime {
		f.order.Clear()
		f.paid.Clear()
	}
	return nil
}
