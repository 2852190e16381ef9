package stream_test

import (
	"fmt"
	"math/big"
	"strings"
	"testing"

	"google.golang.org/protobuf/types/known/durationpb"

	"goflink/codec"
	"goflink/state"
	"goflink/stream"
	"goflink/stream/streamtest"
)

var errBig = codec.Register(codec.Registration[big.Int]{
	Name:   "big.Int",
	Append: func(dst []byte, v *big.Int) []byte { return v.Append(dst, 16) },
	Decode: func(src []byte, v *big.Int) error {
		if _, ok := v.SetString(string(src), 16); !ok {
			return fmt.Errorf("%q is no number", src)
		}
		return nil
	},
})

// foreign holds types that encode themselves or are registered.
type foreign struct {
	Key  string
	Took *durationpb.Duration
	N    []big.Int
}

// product keeps such types in state.
type product struct {
	n    stream.Reducing[*big.Int]
	took stream.MapState[string, *durationpb.Duration]
}

func newProduct(s *stream.Setup[string]) *product {
	return &product{stream.NewReducing(s, "n", func(a, b *big.Int) *big.Int { return new(big.Int).Mul(a, b) }), stream.NewMap[string, *durationpb.Duration](s, "took")}
}

func (p *product) OnRecord(ctx *stream.Ctx[string], f foreign, out *stream.Out[string]) error {
	sum, _ := p.took.Get("all")
	p.took.Put("all", &durationpb.Duration{Seconds: sum.GetSeconds() + f.Took.GetSeconds()})
	for i := range f.N {
		p.n.Add(&f.N[i])
	}
	n, _ := p.n.Get()
	sum, _ = p.took.Get("all")
	out.Emit(fmt.Sprint(f.Key, " ", n, " ", sum.GetSeconds()))
	return nil
}

// TestForeignTypes carries protobuf messages and a registered type through encoded edges and state on disk.
func TestForeignTypes(t *testing.T) {
	must(t, errBig)
	prog := program(t, func(env *stream.Env) {
		s := stream.Map(stream.Sequence(env, 1, 25, stream.Parallelism(1)), func(n int64) foreign {
			return foreign{"k", &durationpb.Duration{Seconds: n}, []big.Int{*big.NewInt(n)}}
		}, stream.Parallelism(1))
		stream.Run(stream.KeyBy(s, func(f foreign) string { return f.Key }), newProduct, stream.Parallelism(1)).Print()
	})
	got := strings.Join(run(t, prog, streamtest.Options{RemoteShare: 1, Backend: state.Pebble, Dir: t.TempDir()}), ",")
	if !strings.Contains(got, "k 15511210043330985984000000 325") { // 25!, and the sum up to 25
		t.Error(got)
	}
}
