package stream

import (
	"testing"
	"time"

	"goflink/dataflow"
)

// forward is a CoFunc that counts what it sees for each key.
type forward struct{ n Value[int64] }

func newForward(s *Setup[string]) *forward { return &forward{NewValue[int64](s, "n")} }

func (f *forward) OnFirst(_ *Ctx[string], t token, out *Out[token]) error {
	n, _ := f.n.Ptr()
	*n += t.N
	out.Emit(t)
	return nil
}

func (f *forward) OnSecond(ctx *Ctx[string], t token, out *Out[token]) error {
	return f.OnFirst(ctx, t, out)
}

// keys are the keys of benchmarks, made before they run.
var keys = func() (ks [1024]string) {
	for i := range ks {
		ks[i] = "key" + string(rune('a'+i%26)) + string(rune('a'+i/26))
	}
	return ks
}()

// feeder alternates between the inputs of a rig, with event times that rise by a
// millisecond each perMS records and a watermark each 1024.
type feeder struct {
	r     *twoRig
	i     int64
	perMS int64
	rec   dataflow.Rec[token]
}

func (f *feeder) step(tb testing.TB) {
	f.i++
	f.rec.V = token{keys[f.i/2%1024], f.i, 1}
	f.rec.TS = f.i / f.perMS
	if err := f.r.sides[f.i%2].Collect(&f.rec); err != nil {
		tb.Fatal(err)
	}
	if f.i%1024 == 0 {
		for _, s := range f.r.sides {
			if err := s.Watermark(f.rec.TS); err != nil {
				tb.Fatal(err)
			}
		}
	}
}

// twoInputPrograms are what the benchmarks run and the allocation budget holds.
var twoInputPrograms = map[string]func(r *twoRig, a, b Stream[token]){
	"CoMap": func(_ *twoRig, a, b Stream[token]) {
		same := func(t token) token { return t }
		CoMap(Connect(a, b), same, same).Discard()
	},
	"CoRun": func(_ *twoRig, a, b Stream[token]) {
		CoRun(ConnectKeyed(KeyBy(a, tokenKey), KeyBy(b, tokenKey)), newForward).Discard()
	},
	"IntervalJoin": func(_ *twoRig, a, b Stream[token]) {
		i := ConnectKeyed(KeyBy(a, tokenKey), KeyBy(b, tokenKey)).Between(-10*time.Millisecond, 10*time.Millisecond)
		IntervalJoin(i, func(_ Pair[string], a, _ token, out *Out[token]) error { out.Emit(a); return nil }).Discard()
	},
}

func BenchmarkTwoInputs(b *testing.B) {
	for name, build := range twoInputPrograms {
		b.Run(name, func(b *testing.B) {
			f := &feeder{r: newTwoRig(b, build), perMS: 100}
			b.ReportAllocs()
			for b.Loop() {
				f.step(b)
			}
		})
	}
}

// TestTwoInputAllocations holds no-box for operators with two inputs on heap
// state: once their tables have grown, a flat record costs no allocation.
func TestTwoInputAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	const records = 1 << 14
	for name, build := range twoInputPrograms {
		f := &feeder{r: newTwoRig(t, build), perMS: 100}
		run := func() {
			for range records {
				f.step(t)
			}
		}
		run()
		run()
		if n := testing.AllocsPerRun(3, run); n > records/1000 { // a table may grow once more
			t.Errorf("%s: %g allocations in %d records", name, n, records)
		}
	}
}
