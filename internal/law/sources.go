package law

import (
	"fmt"
	"time"

	"goflink/stream"
)

// orderedKeys is the number of keys of ordered graphs: the number of splits of any
// source divides it, so that record i's key, i modulo it, stays with one split.
const orderedKeys = 24

// burst is how many records share a step of event time.
const burst = 48

// sourceKinds: A records, B disorder in milliseconds, C keys (0: as ordered graphs
// have them), D watermarks (0 none, 1 each period, 2 each record, 3 each fifth).
func sourceKinds() []*kind {
	// Splits of sources with four for each reader have a place of their own modulo 4:
	// so half of them may be ahead.
	skewed := func(k *kind) *kind {
		k.draw = func(g *gen, n *Node) {
			if drawSource(g, n); g.n(3) == 0 {
				n.Skew = 50 + g.n(400)
			}
		}
		return k
	}
	mk := func(name string, build func(b *builder, n *Node) stream.Stream[Event]) *kind {
		return &kind{name: name, source: true, classes: []Class{Free, Ordered, Late}, draw: drawSource,
			text: func(n *Node) string {
				return fmt.Sprintf("n=%d disorder=%d keys=%d watermarks=%d skew=%d tight=%t", n.A, n.B, n.C, n.D, n.Skew, n.Tight)
			},
			build: func(b *builder, n *Node, _ stream.Stream[Event]) stream.Stream[Event] { return build(b, n) },
			eval: func(n *Node, _ []Timed) (out, side []Timed) {
				for i := range n.A {
					e := n.event(i)
					out = append(out, Timed{e, e.At})
				}
				return out, nil
			}}
	}
	return []*kind{
		skewed(mk("generator", func(b *builder, n *Node) stream.Stream[Event] {
			return stream.From(b.env, stream.GeneratorSource(n.A, 0, n.event), watermarks(n, Event.at), b.options(n)...)
		})),
		mk("stateful-generator", func(b *builder, n *Node) stream.Stream[Event] {
			src := stream.StatefulGeneratorSource(n.A, 0, func() func(int64) Event { return n.event })
			return stream.From(b.env, src, watermarks(n, Event.at), b.options(n)...)
		}),
		mk("collection", func(b *builder, n *Node) stream.Stream[Event] {
			var all []Event
			for i := range n.A {
				all = append(all, n.event(i))
			}
			return stream.From(b.env, stream.SliceSource(all), watermarks(n, Event.at), b.options(n)...)
		}),
		skewed(mk("sequence", func(b *builder, n *Node) stream.Stream[Event] {
			ws := watermarks(n, func(i int64) int64 { return n.event(i).At })
			s := stream.From(b.env, stream.SequenceSource(0, n.A-1), ws, b.options(n)...)
			return stream.Map(s, n.event, b.uid(n, "map"), stream.Parallelism(n.parallelism(b.p)))
		})),
	}
}

func (e Event) at() int64 { return e.At }

// sourceStep is the event time between two bursts.
const sourceStep = 40

// edges is the share of records at either edge of what tight sources may emit: one
// of so many.
const edges = 6

func drawSource(g *gen, n *Node) {
	n.A = 30 + g.n(200)
	n.B, n.C, n.D = g.n(4)*50, 1+g.n(12), 1+g.n(3)
	if g.spec.Class == Ordered {
		n.C = 0
	}
	n.Count = int(n.A)
}

// event is the record i of a source.
func (n *Node) event(i int64) Event {
	h := func(salt int64) int64 { return mix(n.Salt, i, salt) }
	key := i % orderedKeys
	if n.C > 0 {
		if key = h(1) % n.C; h(2)%3 == 0 {
			key = 0 // some keys are hot
		}
	}
	ahead, behind := h(3)%sourceStep, h(4)%(n.B+1)
	if edge := h(7) % edges; n.Tight && edge < 2 {
		ahead, behind = edge*(sourceStep-1), (1-edge)*n.B
	}
	at := 1000 + i/burst*sourceStep + ahead - behind + i%4/2*n.Skew
	return Event{ID: n.Salt%1000*1_000_000 + i, Key: key, At: at, N: h(5) % 100, Path: []int64{h(6) % 10, i % 3}}
}

// bound is how far a record may be behind the newest one; in late graphs records
// are further behind than that.
func (n *Node) bound() int64 {
	if n.Late {
		return (n.B + sourceStep) / 5
	}
	return n.B + sourceStep - 1
}

// watermarks is the strategy of a source.
func watermarks[T any](n *Node, at func(T) int64) stream.WatermarkStrategy[T] {
	switch n.D {
	case 0:
		return stream.NoWatermarks[T]().WithTimestamps(at)
	case 1:
		return stream.BoundedOutOfOrderness[T](time.Duration(n.bound()) * time.Millisecond).WithTimestamps(at)
	}
	each := int64(1)
	if n.D == 3 {
		each = 5
	}
	return stream.ForGenerator(func() stream.WatermarkGenerator[T] {
		return &punctuated[T]{delay: n.bound() + 1, each: each}
	}).WithTimestamps(at)
}

// punctuated makes a watermark of each so many records.
type punctuated[T any] struct{ newest, delay, each, seen int64 }

func (p *punctuated[T]) OnEvent(_ *T, ts int64, out *stream.WatermarkOutput) {
	p.newest = max(p.newest, ts)
	if p.seen++; p.seen%p.each == 0 {
		out.Emit(p.newest - p.delay)
	}
}

func (p *punctuated[T]) OnPeriodic(*stream.WatermarkOutput) {}
