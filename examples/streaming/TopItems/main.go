// TopItems tells the items that were bought most in the last hour, every ten
// minutes.
//
//	TopItems [--purchases 20000] [--top 3]
package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"goflink/stream"
)

// Purchase is an item that was bought.
type Purchase struct {
	Item string
	At   int64 // ms
}

// purchase makes up the i-th purchase: item 0 is bought most, an hour for each
// thousand.
func purchase(i int64) Purchase {
	n := i * 7919 % 100
	return Purchase{Item: fmt.Sprintf("item-%d", n*n/1000), At: i * time.Hour.Milliseconds() / 1000}
}

// counted is how often an item was bought in a window.
type counted = stream.Pane[string, int64]

func build(env *stream.Env) error {
	p := env.Params()
	n, err := p.Int64("purchases", 20_000)
	if err != nil {
		return err
	}
	top, err := p.Int("top", 3)
	if err != nil {
		return err
	}
	order := stream.Monotonous[Purchase]().WithTimestamps(func(p Purchase) int64 { return p.At })
	purchases := stream.From(env, stream.GeneratorSource(n, 0, purchase), order, stream.Name("purchases"))
	counts := stream.Count(stream.KeyBy(purchases, func(p Purchase) string { return p.Item }).
		Window(stream.Sliding(time.Hour, 10*time.Minute)), stream.UID("counts"))
	// All counts of a window have the time of its end: a window of the slide's
	// length, keyed by that end, holds these and no others.
	ends := stream.KeyBy(counts, func(c counted) int64 { return c.End }).Window(stream.Tumbling(10 * time.Minute))
	stream.Apply(ends, func(w stream.WindowInfo[int64], cs []counted, out *stream.Out[string]) error {
		slices.SortFunc(cs, func(a, b counted) int { return cmp.Or(cmp.Compare(b.Value, a.Value), strings.Compare(a.Key, b.Key)) })
		line := fmt.Sprintf("minute %d:", w.Key/time.Minute.Milliseconds())
		for _, c := range cs[:min(top, len(cs))] {
			line += fmt.Sprintf(" %s=%d", c.Key, c.Value)
		}
		out.Emit(line)
		return nil
	}, stream.Name("top"), stream.UID("top")).Print()
	return nil
}

func main() { stream.Main("TopItems", build) }
