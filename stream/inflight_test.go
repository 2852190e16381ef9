package stream

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"goflink/codec"
	"goflink/dataflow"
	"goflink/internal/seeds"
)

// TestInflight stops the processing of batches and buffers at random rows,
// encodes what is left and lets another input go on with it: it sees exactly the
// rest, watermarks and idleness at their places.
func TestInflight(t *testing.T) {
	seed := seeds.One(t)
	r := rand.New(rand.NewPCG(seed, 0))
	c := mustCodec[string](t)
	for round := range 300 {
		s := &sent{local: round%2 == 0}
		out := testPort(t, c, nil, s)
		wm := int64(0)
		for i := range 1 + r.IntN(700) {
			switch r.IntN(12) {
			case 0:
				wm += int64(r.IntN(1000))
				out.Watermark(wm)
			case 1:
				out.Status(r.IntN(2) == 0)
			default:
				rec := dataflow.Rec[string]{V: strings.Repeat("x", r.IntN(120)) + fmt.Sprint(i), TS: r.Int64N(1 << 40)}
				if r.IntN(3) == 0 {
					rec.TS = dataflow.NoTimestamp
				}
				if err := out.Collect(&rec); err != nil {
					t.Fatal(err)
				}
			}
		}
		out.Flush()
		want, got := &trace[string]{}, &trace[string]{}
		whole, first := testIn(c, 1, want), testIn(c, 1, got)
		second := testIn(c, 1, got)
		second.g = first.g                                 // its valve goes on, as if nothing had happened
		cut := r.IntN(1 + len(s.batches) + len(s.buffers)) // all of it may have been processed
		for i, b := range s.batches {
			tb := b.(*batch[string])
			if _, _, err := whole.ProcessBatch(0, b, 0); err != nil {
				t.Fatal(err)
			}
			tb.next = 0
			crossing(t, r, first, second, i-cut, b.Rows(), func(from int) (int, bool, error) { return first.ProcessBatch(0, b, from) },
				func(from int) ([]dataflow.Buffer, error) { return first.EncodeBatch(b, from) })
		}
		for i, b := range s.buffers {
			if _, _, err := whole.ProcessBytes(0, b.Data, 0); err != nil {
				t.Fatal(err)
			}
			crossing(t, r, first, second, i-cut, b.Rows, func(from int) (int, bool, error) { return first.ProcessBytes(0, b.Data, from) },
				func(from int) ([]dataflow.Buffer, error) { return first.EncodeBytes(0, b.Data, from) })
		}
		if !slices.Equal(got.lines, want.lines) {
			t.Fatalf("round %d: %d lines, want %d", round, len(got.lines), len(want.lines))
		}
		if whole.Rows() != first.Rows()+second.Rows() {
			t.Fatalf("%d rows, and %d and %d", whole.Rows(), first.Rows(), second.Rows())
		}
	}
}

// crossing processes what lies before the cut with first, half of what is at the
// cut, and the rest in its encoded form with second.
func crossing(t *testing.T, r *rand.Rand, first, second *inPort[string], at, rows int, process func(int) (int, bool, error), encode func(int) ([]dataflow.Buffer, error)) {
	t.Helper()
	from, done := 0, false
	for steps := r.IntN(rows + 1); at < 0 && !done || at == 0 && steps > 0 && !done; steps-- {
		var err error
		*first.blocked = at == 0
		if from, done, err = process(from); err != nil {
			t.Fatal(err)
		}
	}
	if done {
		return
	}
	list, err := encode(from)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range list {
		if _, done, err := second.ProcessBytes(0, b.Data, 0); err != nil || !done {
			t.Fatal(done, err)
		}
	}
}

// TestSift divides a buffer among subtasks: each record is its owner's alone, in
// order, without watermarks.
func TestSift(t *testing.T) {
	c := mustCodec[pair](t)
	kc, err := codec.Key[int64]()
	if err != nil {
		t.Fatal(err)
	}
	route := hashRouter[int64, pair]{func(p pair) int64 { return p.Key }, kc}
	s := &sent{}
	out := testPort(t, c, nil, s)
	for i := range int64(3000) {
		out.Watermark(i)
		if err := out.Collect(&dataflow.Rec[pair]{V: pair{i % 101, float64(i)}, TS: i}); err != nil {
			t.Fatal(err)
		}
	}
	out.Flush()
	for parallelism := 1; parallelism <= 5; parallelism++ {
		sel := route.selector(128, parallelism)
		total := 0
		for sub := range parallelism {
			got := &trace[pair]{}
			in := testIn(c, 1, got)
			in.route, in.env = route, &dataflow.Env{MaxParallelism: 128, Parallelism: parallelism, Subtask: sub}
			var want []string
			for i := range int64(3000) {
				if v := (pair{i % 101, float64(i)}); sel.pick(&v) == sub {
					want = append(want, fmt.Sprintf("%v@%d", v, i))
				}
			}
			for _, b := range s.buffers {
				list, err := in.Sift(b.Data, true, true)
				if err != nil {
					t.Fatal(err)
				}
				for _, x := range list {
					if _, _, err := in.ProcessBytes(0, x.Data, 0); err != nil {
						t.Fatal(err)
					}
				}
			}
			if !slices.Equal(got.lines, want) {
				t.Fatalf("subtask %d of %d: %d records, want %d", sub, parallelism, len(got.lines), len(want))
			}
			total += len(want)
		}
		if total != 3000 {
			t.Fatalf("%d records at parallelism %d", total, parallelism)
		}
	}
}
