package stream

import (
	"context"
	"fmt"
	"testing"
	"time"

	"goflink/dataflow"
	"goflink/graph"
)

// BenchmarkAsync is a record through an asynchronous operator whose function
// returns at once: what the operator itself costs, a goroutine for each call
// included.
func BenchmarkAsync(b *testing.B) {
	for _, o := range []AsyncOptions{{Ordered: true}, {}, {Timeout: time.Minute}} {
		b.Run(fmt.Sprintf("ordered=%t/timeout=%s", o.Ordered, o.Timeout), func(b *testing.B) {
			op, blocked := asyncChain(b, o)
			r := dataflow.Rec[pair]{V: pair{1, 2}}
			b.ReportAllocs()
			for b.Loop() {
				if err := op.Collect(&r); err != nil {
					b.Fatal(err)
				}
				if *blocked { // as the runtime does: wait for a letter, then emit
					*blocked = false
					if err := op.await(func() bool { return !op.Full() }); err != nil {
						b.Fatal(err)
					}
				}
			}
			if err := op.Finish(); err != nil {
				b.Fatal(err)
			}
		})
	}
}

func asyncChain(b *testing.B, o AsyncOptions) (*asyncOp[pair, pair, pair], *bool) {
	env := NewEnv(Settings{})
	s := FromSlice(env, []pair{{}}, Parallelism(1)).Rebalance()
	Async(s, func(_ context.Context, p pair) (pair, error) { return p, nil }, o).Discard()
	p, err := env.Program()
	if err != nil {
		b.Fatal(err)
	}
	ch, blocked := p.chained.Chains[1], new(bool)
	t := &task{program: p, chain: ch, inputs: map[*graph.Node]any{}, operators: make([]dataflow.Operator, len(ch.Nodes)),
		env: &dataflow.Env{Ctx: b.Context(), Blocked: blocked, Now: time.Now, Mailbox: func(func() error) bool { return true },
			Go: func(_ string, f func(context.Context) error) { go f(b.Context()) }}}
	for i := len(ch.Nodes) - 1; i >= 0; i-- {
		t.at = i
		if err := p.ops[ch.Nodes[i]].build(t); err != nil {
			b.Fatal(err)
		}
	}
	op := t.operators[0].(*asyncOp[pair, pair, pair])
	if err := op.Open(b.Context()); err != nil {
		b.Fatal(err)
	}
	return op, blocked
}
