package stream

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"goflink/state"
)

// scriptInterval joins the inputs over an interval and shows pairs, late records,
// what a side output gets and, after each line, how many records are kept.
func scriptInterval(d *datadriven.TestData, r *twoRig, a, b Stream[token]) {
	bound := func(key string) time.Duration {
		for _, arg := range d.CmdArgs {
			if arg.Key == key {
				n, _ := time.ParseDuration(arg.Vals[0] + "ms")
				return n
			}
		}
		return 0
	}
	i := ConnectKeyed(KeyBy(a, tokenKey), KeyBy(b, tokenKey)).Between(bound("lower"), bound("upper"))
	if d.HasArg("open-lower") {
		i = i.LowerBoundExclusive()
	}
	if d.HasArg("open-upper") {
		i = i.UpperBoundExclusive()
	}
	late1, late2 := NewTag[token]("late first"), NewTag[token]("late second")
	if d.HasArg("late") {
		i = i.LateFirstTo(late1).LateSecondTo(late2)
	}
	s := IntervalRun(i, newPairs)
	show(r, s, "")
	show(r, Side(s, changed), "changed ")
	if d.HasArg("late") {
		show(r, Side(s, late1), "late first ")
		show(r, Side(s, late2), "late second ")
	}
}

// pairs counts the pairs of each key in state of its own.
type pairs struct {
	n    Value[int64]
	side *SideOut[string]
}

func newPairs(s *Setup[string]) *pairs {
	return &pairs{NewValue[int64](s, "n"), SideOutput(s, changed)}
}

func (f *pairs) OnPair(p Pair[string], a, b token, out *Out[string]) error {
	if a.N < 0 {
		return fmt.Errorf("%d is negative", a.N)
	}
	f.n.Set(f.n.Or(0) + 1)
	if n := f.n.Or(0); n%3 == 0 {
		f.side.Emit(fmt.Sprint(n))
	}
	out.Emit(fmt.Sprintf("%s %d/%d at %d/%d", p.Key, a.N, b.N, p.First, p.Second))
	return nil
}

// TestIntervalState: after the end of event time nothing is kept.
func TestIntervalState(t *testing.T) {
	r := newTwoRig(t, func(r *twoRig, a, b Stream[token]) {
		i := ConnectKeyed(KeyBy(a, tokenKey), KeyBy(b, tokenKey)).Between(-20*time.Millisecond, 50*time.Millisecond)
		show(r, IntervalRun(i, newPairs), "")
	})
	x := r.chain.Operators[0].(*intervalOp[string, token, token, string])
	held := func() (n int) {
		for _, name := range []string{firstBuffer, secondBuffer} {
			if err := x.keyed.EachKey(name, func(string, state.Namespace) error {
				x.first.recs.Each(func(bufferAt, buffered[token]) bool { n++; return name == firstBuffer })
				x.second.recs.Each(func(bufferAt, buffered[token]) bool { n++; return name == secondBuffer })
				return nil
			}); err != nil {
				t.Fatal(err)
			}
		}
		return n
	}
	for n := range 40 {
		r.run(fmt.Sprintf("1 a %d %d\n2 a %d 0\n1 b %d 1\n2 b %d 1", 10*n, n, 10*n, 10*n, 10*n))
		if n%4 == 3 {
			r.run(fmt.Sprintf("1 wm %d\n2 wm %d", 10*n, 10*n))
		}
		if k := held(); k > 4*16 {
			t.Fatalf("%d records are kept", k)
		}
	}
	if n := strings.Count(strings.Join(r.out, "\n"), "/"); n == 0 {
		t.Error("no pairs")
	}
	r.run("1 end\n2 end")
	if k := held(); k != 0 {
		t.Errorf("%d records are kept at the end", k)
	}
}
