package stream

import (
	"testing"
	"time"

	"goflink/dataflow"
)

// BenchmarkSource polls a sequence: a source's share of each record.
func BenchmarkSource(b *testing.B) {
	env := NewEnv(Settings{})
	s := From(env, SequenceSource(0, 1<<62), Monotonous[int64]().WithTimestamps(func(v int64) int64 { return v }), Parallelism(1))
	s.Discard()
	p, err := env.Program()
	if err != nil {
		b.Fatal(err)
	}
	v := p.chained.Chains[0].Vertex
	ch, err := p.BuildChain(v.Id, &dataflow.Env{Ctx: b.Context(), Blocked: new(bool), Parallelism: 1, Now: time.Now, RequestSplit: func(string) {}})
	if err != nil {
		b.Fatal(err)
	}
	for _, op := range ch.Operators {
		if err := op.Open(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	var splits [][]byte
	e, err := p.NewEnumerator(ch.Operators[0].ID())
	if err != nil {
		b.Fatal(err)
	}
	ctx := &onlyAssign{splits: &splits}
	if err := e.Start(ctx, nil); err != nil {
		b.Fatal(err)
	}
	if err := e.Request(0, ""); err != nil {
		b.Fatal(err)
	}
	if err := ch.Source.AddSplits(splits); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() { // pollRecords records each
		if _, err := ch.Source.Poll(); err != nil {
			b.Fatal(err)
		}
	}
}

// onlyAssign is the context of an enumerator that assigns to one reader.
type onlyAssign struct {
	dataflow.EnumeratorContext
	splits *[][]byte
}

func (o *onlyAssign) Parallelism() int              { return 1 }
func (o *onlyAssign) Assign(_ int, splits [][]byte) { *o.splits = append(*o.splits, splits...) }
func (o *onlyAssign) NoMoreSplits(int)              {}
