package stream

import (
	"fmt"
	"testing"
	"time"

	"goflink/codec"
	"goflink/dataflow"
	"goflink/graph"
	"goflink/state"
)

type pair struct {
	Key int64
	Val float64
}

// chainInput builds a chain of four operators and returns its first one.
func chainInput(tb testing.TB) dataflow.Input[pair] {
	env := NewEnv(Settings{})
	s := FromSlice(env, []pair{{}}, Parallelism(1)).Rebalance()
	a := Map(s, func(p pair) pair { p.Val *= 2; return p })
	b := Filter(a, func(p pair) bool { return p.Val >= 0 })
	c := FlatMap(b, func(p pair, out *Out[pair]) error { out.Emit(p); out.Emit(pair{p.Key, -p.Val}); return nil })
	Each(c, func(Rec[pair]) error { return nil })
	p, err := env.Program()
	if err != nil {
		tb.Fatal(err)
	}
	ch := p.chained.Chains[1]
	t := &task{program: p, chain: ch, inputs: map[*graph.Node]any{}, env: &dataflow.Env{Blocked: new(bool)}, operators: make([]dataflow.Operator, len(ch.Nodes))}
	for i := len(ch.Nodes) - 1; i >= 0; i-- {
		t.at = i
		if err := p.ops[ch.Nodes[i]].build(t); err != nil {
			tb.Fatal(err)
		}
	}
	return t.inputs[ch.Nodes[0]].(dataflow.Input[pair])
}

func BenchmarkChain(b *testing.B) {
	in := chainInput(b)
	r := dataflow.Rec[pair]{V: pair{1, 2}}
	b.ReportAllocs()
	for b.Loop() {
		in.Collect(&r)
	}
}

type edgeUnderTest struct {
	out   *outPort[pair]
	ins   *inPort[pair]
	chans []*sent
	n     int64
	rec   dataflow.Rec[pair]
}

func newEdge(tb testing.TB, local bool) *edgeUnderTest {
	c := mustCodec[pair](tb)
	kc, err := codec.Key[int64]()
	if err != nil {
		tb.Fatal(err)
	}
	e := &edgeUnderTest{}
	for range 8 {
		e.chans = append(e.chans, &sent{local: local, batches: make([]dataflow.Batch, 0, 64), buffers: make([]*dataflow.Buffer, 0, 64)})
	}
	sel := hashRouter[int64, pair]{func(p pair) int64 { return p.Key }, kc}.selector(128, 8)
	e.out = testPort(tb, c, sel, e.chans...)
	e.ins = testIn(c, 8, dataflow.Input[pair](discard[pair]{}))
	return e
}

// step sends a record and lets the receiver take what is complete.
func (e *edgeUnderTest) step() {
	e.n++
	e.rec = dataflow.Rec[pair]{V: pair{e.n % 1009, 1}, TS: e.n}
	if err := e.out.Collect(&e.rec); err != nil {
		panic(err)
	}
	if e.n%256 != 0 {
		return
	}
	for i, c := range e.chans {
		for _, b := range c.batches {
			if _, _, err := e.ins.ProcessBatch(i, b, 0); err != nil {
				panic(err)
			}
			b.Release()
		}
		for _, b := range c.buffers {
			if _, _, err := e.ins.ProcessBytes(i, b.Data, 0); err != nil {
				panic(err)
			}
			c.free = b
		}
		c.batches, c.buffers = c.batches[:0], c.buffers[:0]
	}
}

func BenchmarkHashEdge(b *testing.B) {
	for _, local := range []bool{true, false} {
		b.Run(fmt.Sprintf("local=%t", local), func(b *testing.B) {
			e := newEdge(b, local)
			b.ReportAllocs()
			for b.Loop() {
				e.step()
			}
		})
	}
}

// TestAllocationBudget holds no-box: a flat record costs no allocation, in a
// chain or on an edge.
func TestAllocationBudget(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector makes pools drop what they hold")
	}
	const records = 1 << 14
	in := chainInput(t)
	r := dataflow.Rec[pair]{V: pair{1, 2}}
	if n := testing.AllocsPerRun(5, func() {
		for range records {
			in.Collect(&r)
		}
	}); n > 0 {
		t.Errorf("chain: %g allocations in %d records", n, records)
	}
	for _, local := range []bool{true, false} {
		e := newEdge(t, local)
		for range 4 * records { // fill the pools
			e.step()
		}
		n := testing.AllocsPerRun(5, func() {
			for range records {
				e.step()
			}
		})
		if n > records/1000 { // a garbage collection may empty a pool
			t.Errorf("edge, local %t: %g allocations in %d records", local, n, records)
		}
	}
}

func BenchmarkTumblingCount(b *testing.B) {
	env := NewEnv(Settings{})
	k := KeyBy(FromSlice(env, []pair{{}}), func(p pair) int64 { return p.Key })
	Count(k.Window(Tumbling(time.Second))).Discard()
	p, err := env.Program()
	if err != nil {
		b.Fatal(err)
	}
	ch, err := p.BuildChain(p.chained.Chains[1].Vertex.Id, &dataflow.Env{
		Ctx: b.Context(), Blocked: new(bool), InputChannels: []int{1}, Parallelism: 1, MaxParallelism: 128,
		State: state.Env{Range: state.Range{Start: 0, End: 128}, MaxParallelism: 128}, Now: time.Now})
	if err != nil {
		b.Fatal(err)
	}
	for _, op := range ch.Operators {
		if err := op.Open(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	in := ch.Inputs[0].(*inPort[pair]).g.to
	var i int64
	var r dataflow.Rec[pair]
	b.ReportAllocs()
	for b.Loop() {
		i++
		r.V.Key, r.TS = i*7919%100_000, i/1000
		if err := in.Collect(&r); err != nil {
			b.Fatal(err)
		}
		if i%1_000_000 == 0 {
			if err := in.Watermark(i/1000 - 1); err != nil {
				b.Fatal(err)
			}
		}
	}
}
