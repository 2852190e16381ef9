// DimensionBroadcast puts the names of products on sales. The products are read
// from a file again each period, and broadcast: every subtask has all of them, and
// a changed file needs no restart.
//
//	DimensionBroadcast --products FILE [--refresh 10s] [--rate 10]
//
// A line of the file is "id,name". The job has its sales from a generator and does
// not end.
package main

import (
	"fmt"
	"os"
	"strings"
	"time"

	"goflink/stream"
)

// Sale is a piece sold.
type Sale struct {
	Number  int64
	Product string
}

// Products are all products at one time, by id.
type Products struct{ Names map[string]string }

// load reads the file anew.
func load(path string) func(int64) (Products, error) {
	return func(int64) (Products, error) {
		data, err := os.ReadFile(path)
		if err != nil {
			return Products{}, err
		}
		p := Products{Names: map[string]string{}}
		for line := range strings.Lines(string(data)) {
			if id, name, ok := strings.Cut(strings.TrimSpace(line), ","); ok {
				p.Names[id] = name
			}
		}
		return p, nil
	}
}

// naming knows the products as they were last broadcast.
type naming struct {
	names stream.BroadcastState[string, string]
}

func newNaming(s *stream.Setup[stream.NoKey]) *naming {
	return &naming{stream.NewBroadcastState[string, string](s, "names")}
}

// OnRecord emits the sale, with "?" where the product is not known (yet).
func (f *naming) OnRecord(_ *stream.Ctx[stream.NoKey], s Sale, out *stream.Out[string]) error {
	name, known := f.names.Get(s.Product)
	if !known {
		name = "?"
	}
	out.Emit(fmt.Sprintf("(%d,%s,%s)", s.Number, s.Product, name))
	return nil
}

// OnBroadcast replaces all products: those that are gone from the file go too.
func (f *naming) OnBroadcast(ctx *stream.BroadcastCtx[stream.NoKey], p Products, _ *stream.Out[string]) error {
	f.names.Clear(ctx)
	for id, name := range p.Names {
		f.names.Put(ctx, id, name)
	}
	return nil
}

func build(env *stream.Env) error {
	env.SetName("Dimension Broadcast")
	p := env.Params()
	if !p.Has("products") {
		return fmt.Errorf("--products FILE is missing: a file with lines \"id,name\"")
	}
	refresh, err := time.ParseDuration(p.Get("refresh", "10s"))
	if err != nil || refresh <= 0 {
		return fmt.Errorf("--refresh %q is not a time above 0, as 10s", p.Get("refresh", "10s"))
	}
	rate, err := p.Int("rate", 10)
	if err != nil {
		return err
	}
	ticks := stream.From(env, stream.GeneratorSource(-1, 1/refresh.Seconds(), func(i int64) int64 { return i }),
		stream.NoWatermarks[int64](), stream.Name("Refresh"), stream.Parallelism(1))
	products := stream.TryMap(ticks, load(p.Get("products", "")), stream.Name("Load"), stream.Parallelism(1))

	sales := stream.From(env, stream.GeneratorSource(-1, float64(rate), func(i int64) Sale {
		return Sale{i, fmt.Sprintf("p%d", i%3)}
	}), stream.NoWatermarks[Sale](), stream.Name("Sales"))

	stream.ProcessBroadcast(sales, products, newNaming, stream.UID("naming")).Print()
	return nil
}

func main() { stream.Main("DimensionBroadcast", build) }
