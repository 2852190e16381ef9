package stream

import (
	"fmt"
	"testing"
	"time"

	"goflink/dataflow"
)

// TestPortHeedsTheReceiver: a batch and a buffer are sent when they hold what the
// receiver asked for, and not before; what it asks for counts from the next one.
func TestPortHeedsTheReceiver(t *testing.T) {
	c := mustCodec[int64](t)
	local, remote := &sent{local: true, limit: 10}, &sent{limit: 1000}
	for _, s := range []*sent{local, remote} {
		out := testPort(t, c, nil, s)
		emit := func(n int) {
			for range n {
				if err := out.Collect(&dataflow.Rec[int64]{V: 1 << 40, TS: dataflow.NoTimestamp}); err != nil {
					t.Fatal(err)
				}
			}
		}
		emit(1)
		s.limit = 1 // for the next one
		emit(999)
		first, rest := 0, 0
		for i, b := range s.batches {
			if n := b.Rows(); i == 0 {
				first = n
			} else {
				rest = max(rest, n)
			}
		}
		for i, b := range s.buffers {
			if n := len(b.Data); i == 0 {
				first = n
			} else {
				rest = max(rest, b.Rows)
			}
		}
		if s.local && first != 10 || !s.local && (first < 900 || first > 1000) {
			t.Errorf("local %t: the first one holds %d", s.local, first)
		}
		if rest != 1 {
			t.Errorf("local %t: a later one holds %d records", s.local, rest)
		}
	}
}

// TestBufferTimeout: the option is the operator's own, for what leaves its task;
// with 0 each record is sent by itself, and the job's 0 counts where there is none.
func TestBufferTimeout(t *testing.T) {
	env := NewEnv(Settings{})
	env.SetBufferTimeout(0)
	a := FromSlice(env, []int64{1}, Name("a"), BufferTimeout(-1))
	b := Map(a.Rebalance(), func(v int64) int64 { return v }, Name("b"), BufferTimeout(20*time.Microsecond))
	c := Map(b.Rebalance(), func(v int64) int64 { return v }, Name("c"))
	d := Map(c.Rebalance(), func(v int64) int64 { return v }, Name("d"), BufferTimeout(0))
	d.Rebalance().Discard()
	p, err := env.Program()
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"-1ns true", "1ms true", "0s false", "0s true"} {
		ch := p.chained.Chains[i]
		to := &sent{local: true}
		chain, err := p.BuildChain(ch.Vertex.Id, &dataflow.Env{Ctx: t.Context(), Blocked: new(bool), Parallelism: 1, MaxParallelism: 128, InputChannels: []int{1}[:min(i, 1)],
			Outputs: [][]dataflow.ChannelWriter{{to}}, Conf: env.own, Now: time.Now})
		if err != nil {
			t.Fatal(err)
		}
		out := chain.Outputs[0].(*outPort[int64])
		after, own := out.FlushAfter()
		if got := fmt.Sprint(after, " ", own); got != want {
			t.Errorf("%s: %s, want %s", ch.Vertex.Name, got, want)
		}
		for range 3 {
			if err := out.Collect(&dataflow.Rec[int64]{}); err != nil {
				t.Fatal(err)
			}
		}
		if single := i >= 2; single != (len(to.batches) == 3) {
			t.Errorf("%s: %d batches of 3 records", ch.Vertex.Name, len(to.batches))
		}
	}
}
