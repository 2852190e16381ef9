package stream

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"goflink/dataflow"
)

// marked is an input that keeps what it gets, markers too.
type marked struct{ trace[int64] }

func (m *marked) onLatency(l *dataflow.LatencyMarker) error {
	m.lines = append(m.lines, fmt.Sprintf("marker %d %s %d", l.Marked, l.Operator, l.Subtask))
	return nil
}

const sourceID = "0123456789abcdef0123456789abcdef"

// TestLatencyOnAnEdge: markers keep their place among records; each goes over one
// channel, and all channels get some; buffers without one have the format that
// earlier releases read; and what a checkpoint keeps of records in flight has no
// markers.
func TestLatencyOnAnEdge(t *testing.T) {
	for _, local := range []bool{true, false} {
		c := mustCodec[int64](t)
		chans := []*sent{{local: local}, {local: local}, {local: local}}
		out := testPort(t, c, nil, chans...)
		out.sel = &roundRobin[int64]{0, 3, 0}
		const each = 40
		for i := range int64(3 * each) {
			if err := out.Collect(&dataflow.Rec[int64]{V: i, TS: i}); err != nil {
				t.Fatal(err)
			}
			if i%3 == 2 {
				if err := out.onLatency(&dataflow.LatencyMarker{Marked: -i, Operator: sourceID, Subtask: int(i) * 1000}); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := out.Flush(); err != nil {
			t.Fatal(err)
		}
		markers := 0
		for ch, s := range chans {
			got := &marked{}
			in := testIn(c, 3, dataflow.Input[int64](got))
			checkKept(t, in, ch, s)
			deliver(t, in, ch, s, rand.New(rand.NewPCG(1, 1)))
			mine, last := 0, int64(-1)
			for _, l := range got.lines {
				var v, ts int64
				if _, err := fmt.Sscanf(l, "%d@%d", &v, &ts); err == nil {
					last = v
					continue
				}
				mine++
				var ms, sub int64
				var id string
				if _, err := fmt.Sscanf(l, "marker %d %s %d", &ms, &id, &sub); err != nil || id != sourceID || sub != -1000*ms {
					t.Fatalf("local %t: %q", local, l)
				}
				if last > -ms || last < -ms-2 {
					t.Fatalf("local %t: a marker of record %d comes behind record %d", local, -ms, last)
				}
			}
			if mine == 0 {
				t.Errorf("local %t: channel %d got no marker", local, ch)
			}
			markers += mine
		}
		if markers != each {
			t.Errorf("local %t: %d markers of %d", local, markers, each)
		}
	}
}

// checkKept encodes what is on its way, as an unaligned checkpoint does.
func checkKept(t *testing.T, in *inPort[int64], ch int, s *sent) {
	t.Helper()
	var kept []dataflow.Buffer
	for _, b := range s.batches {
		list, err := in.EncodeBatch(b, 0)
		if err != nil {
			t.Fatal(err)
		}
		kept = append(kept, list...)
	}
	for _, b := range s.buffers {
		list, err := in.EncodeBytes(ch, b.Data, 0)
		if err != nil {
			t.Fatal(err)
		}
		kept = append(kept, list...)
	}
	again := &marked{}
	to := testIn(in.codec, 3, dataflow.Input[int64](again))
	for _, b := range kept {
		if b.Data[0] != formatVersion {
			t.Errorf("a checkpoint keeps a buffer of format %d", b.Data[0])
		}
		if _, _, err := to.ProcessBytes(ch, b.Data, 0); err != nil {
			t.Fatal(err)
		}
	}
	if len(again.lines) != 40 || slices.ContainsFunc(again.lines, func(l string) bool { return l[0] == 'm' }) {
		t.Errorf("a checkpoint keeps %q", again.lines)
	}
}

// TestLatencyThroughOperators: an operator tells the runtime and hands a marker to
// one of its outputs; one with two inputs gets it on either.
func TestLatencyThroughOperators(t *testing.T) {
	var told []string
	r := newTwoRig(t, func(r *twoRig, a, b Stream[token]) {
		both := CoMap(Connect(a, b), func(t token) token { return t }, func(t token) token { return t }, Name("both"))
		show(r, both, "x")
		show(r, both, "y")
	})
	r.env.Latency = func(id string, m *dataflow.LatencyMarker) { told = append(told, id) }
	const n = 60
	for i := range n {
		if err := r.sides[i%2].(latencyInput).onLatency(&dataflow.LatencyMarker{Operator: sourceID}); err != nil {
			t.Fatal(err)
		}
	}
	count := map[string]int{}
	for _, id := range told {
		count[id]++
	}
	first, x, y := count[r.chain.Operators[0].ID()], count[r.chain.Operators[1].ID()], count[r.chain.Operators[2].ID()]
	if first != n || x+y != n || x == 0 || y == 0 {
		t.Errorf("of %d markers %d reached the operator, %d and %d its outputs", n, first, x, y)
	}
}

func TestDamagedLatency(t *testing.T) {
	whole := appendLatency([]byte{formatLatency}, &dataflow.LatencyMarker{Marked: 5, Operator: sourceID, Subtask: 3})
	for n := 2; n < len(whole); n++ {
		in := testIn(mustCodec[int64](t), 1, dataflow.Input[int64](&marked{}))
		if _, _, err := in.ProcessBytes(0, whole[:n], 0); err == nil {
			t.Errorf("%d of %d bytes of a marker were taken", n, len(whole))
		}
	}
}
