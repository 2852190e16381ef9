package stream

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"goflink/codec"
	"goflink/dataflow"
	"goflink/internal/seeds"
)

// sent is a channel that keeps what it is sent.
type sent struct {
	local   bool
	limit   int // 0: the largest
	batches []dataflow.Batch
	buffers []*dataflow.Buffer
	reuse   bool // give buffers back at once, for benchmarks
	free    *dataflow.Buffer
}

func (s *sent) Local() bool { return s.local }
func (s *sent) Limit() int {
	if s.limit > 0 {
		return s.limit
	}
	if s.local {
		return dataflow.BatchRows
	}
	return dataflow.BufferSize
}
func (s *sent) SendBatch(b dataflow.Batch) error {
	s.batches = append(s.batches, b)
	return nil
}
func (s *sent) NewBuffer(n int) *dataflow.Buffer {
	if b := s.free; b != nil && cap(b.Data) >= n {
		s.free, b.Data, b.Rows = nil, b.Data[:0], 0
		return b
	}
	return &dataflow.Buffer{Data: make([]byte, 0, max(n, dataflow.BufferSize))}
}
func (s *sent) SendBuffer(b *dataflow.Buffer) error {
	if s.reuse {
		s.free = b
		return nil
	}
	s.buffers = append(s.buffers, b)
	return nil
}

// trace writes down what a chain receives.
type trace[T any] struct{ lines []string }

func (t *trace[T]) Collect(r *dataflow.Rec[T]) error {
	t.lines = append(t.lines, fmt.Sprintf("%v@%d", r.V, r.TS))
	return nil
}
func (t *trace[T]) Watermark(ts int64) error {
	t.lines = append(t.lines, fmt.Sprintf("wm %d", ts))
	return nil
}
func (t *trace[T]) Status(idle bool) error {
	t.lines = append(t.lines, fmt.Sprintf("idle %t", idle))
	return nil
}

func mustCodec[T any](t testing.TB) codec.Codec[T] {
	c, err := codec.For[T]()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func testPort[T any](t testing.TB, c codec.Codec[T], sel selector[T], chans ...*sent) *outPort[T] {
	p := &outPort[T]{codec: c, pool: newPool[T](), wm: dataflow.MinWatermark, name: "test", sel: sel, size: dataflow.BufferSize}
	for _, ch := range chans {
		p.chans = append(p.chans, outChan[T]{w: ch, local: ch.local, wm: dataflow.MinWatermark})
	}
	return p
}

func testIn[T any](c codec.Codec[T], channels int, to dataflow.Input[T]) *inPort[T] {
	g := &gate[T]{valve: dataflow.NewValve(channels), to: to}
	return &inPort[T]{g: g, codec: c, blocked: new(bool), yield: new(atomic.Bool), last: make([]int64, channels)}
}

// deliver gives all that was sent to an input, stopping at random as for missing
// credit.
func deliver[T any](t *testing.T, in *inPort[T], ch int, s *sent, r *rand.Rand) {
	t.Helper()
	for _, b := range s.batches {
		for from, done := 0, false; !done; {
			*in.blocked = r.IntN(2) == 0
			var err error
			if from, done, err = in.ProcessBatch(ch, b, from); err != nil {
				t.Fatal(err)
			}
		}
		b.Release()
	}
	for _, b := range s.buffers {
		for from, done := 0, false; !done; {
			*in.blocked = r.IntN(2) == 0
			var err error
			if from, done, err = in.ProcessBytes(ch, b.Data, from); err != nil {
				t.Fatal(err)
			}
		}
	}
	s.batches, s.buffers = nil, nil
}

// TestEdge sends random records, watermarks and statuses over a local and an
// encoded channel and compares what comes out with what went in.
func TestEdge(t *testing.T) {
	seed := seeds.One(t)
	r := rand.New(rand.NewPCG(seed, 0))
	for _, local := range []bool{true, false} {
		s := &sent{local: local}
		c := mustCodec[string](t)
		out, got := testPort(t, c, nil, s), &trace[string]{}
		in := testIn(c, 1, got)
		var want []string
		wm, idle := int64(0), false
		for i := range 5000 {
			switch r.IntN(20) {
			case 0:
				wm += int64(r.IntN(1000))
				out.Watermark(wm)
				out.Watermark(wm - 1) // goes back: ignored
			case 3:
				s.limit = 1 + r.IntN(dataflow.BatchRows)
			case 1:
				idle = !idle
				out.Status(idle)
			case 2:
				if err := out.Flush(); err != nil {
					t.Fatal(err)
				}
				if out.Pending() {
					t.Fatal("pending after a flush")
				}
			default:
				rec := dataflow.Rec[string]{V: strings.Repeat("x", r.IntN(300)) + fmt.Sprint(i), TS: r.Int64() - r.Int64()}
				if r.IntN(3) == 0 {
					rec.TS = dataflow.NoTimestamp
				}
				want = append(want, fmt.Sprintf("%v@%d", rec.V, rec.TS))
				if err := out.Collect(&rec); err != nil {
					t.Fatal(err)
				}
			}
		}
		out.Flush()
		deliver(t, in, 0, s, r)
		var recs []string
		lastWM, lastIdle := "", "idle false"
		for _, l := range got.lines {
			switch {
			case strings.HasPrefix(l, "wm"):
				lastWM = l
			case strings.HasPrefix(l, "idle"):
				lastIdle = l
			default:
				recs = append(recs, l)
			}
		}
		if !slices.Equal(recs, want) {
			t.Fatalf("local %t: %d records, want %d", local, len(recs), len(want))
		}
		if lastWM != fmt.Sprintf("wm %d", wm) || lastIdle != fmt.Sprintf("idle %t", idle) {
			t.Errorf("local %t: ends with %s and %s, want %d and %t", local, lastWM, lastIdle, wm, idle)
		}
		if out.Rows() != int64(len(want)) || in.Rows() != out.Rows() {
			t.Errorf("rows %d and %d", out.Rows(), in.Rows())
		}
	}
}

// TestMarksAreLazy checks that watermarks collapse and cause no buffer.
func TestMarksAreLazy(t *testing.T) {
	s := &sent{}
	c := mustCodec[int64](t)
	out := testPort(t, c, nil, s)
	for i := range int64(1000) {
		out.Watermark(i)
	}
	if len(s.buffers) != 0 || out.chans[0].buf != nil {
		t.Error("a watermark made a buffer")
	}
	if !out.Pending() {
		t.Error("a watermark is not pending")
	}
	out.Flush()
	if len(s.buffers) != 1 || len(s.buffers[0].Data) > 8 {
		t.Errorf("%d buffers", len(s.buffers))
	}
	got := &trace[int64]{}
	deliver(t, testIn(c, 1, got), 0, s, rand.New(rand.NewPCG(1, 1)))
	if fmt.Sprint(got.lines) != "[wm 999]" {
		t.Errorf("got %v", got.lines)
	}
}

// TestLargeRecords sends records around and beyond the size of a buffer.
func TestLargeRecords(t *testing.T) {
	s := &sent{}
	c := mustCodec[string](t)
	out, got := testPort(t, c, nil, s), &trace[string]{}
	var want []string
	for _, n := range []int{10, dataflow.BufferSize - 80, dataflow.BufferSize - 3, dataflow.BufferSize, 5, 3 * dataflow.BufferSize, 1 << 20, 7} {
		r := dataflow.Rec[string]{V: strings.Repeat("y", n), TS: int64(n)}
		want = append(want, fmt.Sprintf("%v@%d", r.V, r.TS))
		if err := out.Collect(&r); err != nil {
			t.Fatal(err)
		}
	}
	out.Flush()
	for _, b := range s.buffers {
		if len(b.Data) > dataflow.BufferSize && b.Rows != 1 {
			t.Errorf("a large buffer of %d bytes has %d rows", len(b.Data), b.Rows)
		}
	}
	deliver(t, testIn(c, 1, got), 0, s, rand.New(rand.NewPCG(1, 1)))
	if !slices.Equal(got.lines, want) {
		t.Error("large records came out differently")
	}
	r := dataflow.Rec[string]{V: strings.Repeat("z", MaxRecordSize)}
	var oe *OperatorError
	if err := out.Collect(&r); !errors.As(err, &oe) || !strings.Contains(err.Error(), "longer than the limit") {
		t.Errorf("too large: %v", err)
	}
}

func TestDamagedBuffers(t *testing.T) {
	c := mustCodec[string](t)
	for name, data := range map[string][]byte{
		"empty":        {},
		"version":      {9},
		"element":      {1, 77},
		"no time":      {1, tagTimed},
		"no value":     {1, tagRecord},
		"long value":   {1, tagRecord, 0xff, 0xff, 0xff, 0x7f, 'x'},
		"no watermark": {1, tagWatermark, 0x80},
	} {
		if _, _, err := testIn(c, 1, &trace[string]{}).ProcessBytes(0, data, 0); !errors.Is(err, errBuffer) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzProcessBytes(f *testing.F) {
	type row struct {
		A string
		B []int64
		C map[string]float64
	}
	c := mustCodec[row](f)
	s := &sent{}
	out := testPort(f, c, nil, s)
	out.Watermark(5)
	out.Collect(&dataflow.Rec[row]{V: row{"a", []int64{1, 2}, map[string]float64{"x": 1}}, TS: 7})
	out.Status(true)
	out.Flush()
	f.Add(s.buffers[0].Data)
	f.Add([]byte{1, 2, 0x80, 0x80})
	f.Fuzz(func(t *testing.T, data []byte) {
		in := testIn(c, 1, dataflow.Input[row](discard[row]{}))
		next, done, err := in.ProcessBytes(0, data, 0)
		if err == nil && (!done || next != len(data)) {
			t.Fatalf("stopped at %d of %d without an error", next, len(data))
		}
	})
}

func FuzzBlobs(f *testing.F) {
	f.Add(encodeBlobs([][]byte{{1}, nil, {2, 3}}))
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := decodeBlobs(data)
		if err != nil {
			return
		}
		again, err := decodeBlobs(encodeBlobs(b))
		if err != nil || len(again) != len(b) {
			t.Fatal(err)
		}
	})
}

func TestRescaleRange(t *testing.T) {
	for senders := 1; senders < 9; senders++ {
		for receivers := 1; receivers < 9; receivers++ {
			reached := map[int]bool{}
			for s := range senders {
				from, to := rescaleRange(s, senders, receivers)
				if from < 0 || to > receivers || from >= to {
					t.Fatalf("%d of %d to %d: [%d,%d)", s, senders, receivers, from, to)
				}
				for r := from; r < to; r++ {
					reached[r] = true
				}
			}
			if len(reached) != receivers {
				t.Errorf("%d to %d: only %d reached", senders, receivers, len(reached))
			}
		}
	}
}

func TestFloorTo(t *testing.T) {
	for _, c := range [][4]int64{{0, 0, 10, 0}, {9, 0, 10, 0}, {10, 0, 10, 10}, {-1, 0, 10, -10}, {-10, 0, 10, -10}, {5, 7, 10, -3}, {7, 7, 10, 7}, {7, -3, 10, 7}} {
		if got := floorTo(c[0], c[1], c[2]); got != c[3] {
			t.Errorf("floorTo(%d, %d, %d) = %d, want %d", c[0], c[1], c[2], got, c[3])
		}
	}
	if addClamped(math.MaxInt64-1, 5) != math.MaxInt64 {
		t.Error("addClamped overflows")
	}
}
