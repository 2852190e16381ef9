package law

import (
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"goflink/stream"
)

// builder makes the program of a spec for one attempt.
type builder struct {
	env  *stream.Env
	spec *Spec
	p    int // the job's parallelism
	out  *outputs
	at   int // node being built
	// direct: no checkpoint is ever taken.
	direct bool
	// sides are the side outputs of nodes, whose operator may have others behind
	// it.
	sides map[int]stream.Stream[Event]
}

// keepSide remembers the side output of a node's operator, and returns its main
// one.
func keepSide[T any](b *builder, n *Node, s stream.Stream[T]) stream.Stream[T] {
	if hasSide(n) {
		b.sides[b.at] = stream.Side(s, sideTag)
	}
	return s
}

// program builds the graph; out takes what its sinks write.
func program(s *Spec, a *Attempt, out *outputs) (*stream.Program, error) {
	env := stream.NewEnv(stream.Settings{Name: fmt.Sprintf("law-%d", s.Seed), Planning: true})
	buildInto(env, s, a, out)
	return env.Program()
}

func buildInto(env *stream.Env, s *Spec, a *Attempt, out *outputs) {
	env.SetParallelism(a.Parallelism)
	env.SetMaxParallelism(a.MaxParallelism)
	if !a.Chained {
		env.DisableChaining()
	}
	if s.Batch {
		env.Configure("execution.runtime-mode", "BATCH")
	}
	b := &builder{env: env, spec: s, p: a.Parallelism, out: out, direct: s.Batch || a.Every == 0 && a.Brake == 0, sides: map[int]stream.Stream[Event]{}}
	streams := make([]stream.Stream[Event], len(s.Nodes))
	for i := range s.Nodes {
		b.at = i
		n := &s.Nodes[i]
		var in stream.Stream[Event]
		if len(n.In) > 0 {
			in = b.input(n, streams)
		}
		if k := kindOf(n.Kind); k.two {
			streams[i] = k.buildTwo(b, n, in, partitioned(union(streams, n.Second), n.Part2))
		} else {
			streams[i] = k.build(b, n, in)
		}
		if len(n.In) == 0 && a.Brake > 0 {
			streams[i] = b.slowed(n, streams[i], a.Brake)
		}
	}
	for i := range s.Sinks {
		b.sink(i, streams)
	}
}

// input is what a node reads, partitioned.
func (b *builder) input(n *Node, streams []stream.Stream[Event]) stream.Stream[Event] {
	if n.Side {
		streams = slices.Clone(streams)
		for _, i := range n.In {
			streams[i] = b.sides[i]
		}
	}
	return partitioned(union(streams, n.In), n.Part)
}

func union(streams []stream.Stream[Event], of []int) stream.Stream[Event] {
	all := streams[of[0]]
	for _, i := range of[1:] {
		all = all.Union(streams[i])
	}
	return all
}

// slowed holds up each record of a source for a moment.
func (b *builder) slowed(n *Node, s stream.Stream[Event], d time.Duration) stream.Stream[Event] {
	return stream.Map(s, func(e Event) Event {
		time.Sleep(d)
		return e
	}, b.uid(n, "brake"), stream.Parallelism(n.parallelism(b.p)))
}

func partitioned(s stream.Stream[Event], how string) stream.Stream[Event] {
	switch how {
	case "forward":
		return s.Forward()
	case "rebalance":
		return s.Rebalance()
	case "rescale":
		return s.Rescale()
	case "shuffle":
		return s.Shuffle()
	case "broadcast":
		return s.Broadcast()
	case "global":
		return s.Global()
	case "custom":
		return s.PartitionBy(func(e Event, n int) int { return int(e.Key) % n })
	}
	return s
}

func (b *builder) uid(n *Node, part string) stream.Option {
	return stream.UID(fmt.Sprintf("n%d%s", b.at, part))
}

// options are those of a node's operator.
func (b *builder) options(n *Node) []stream.Option {
	opts := []stream.Option{b.uid(n, ""), stream.Name(fmt.Sprintf("%s %d", n.Kind, b.at)), stream.Parallelism(n.parallelism(b.p))}
	switch n.Chain {
	case "head":
		opts = append(opts, stream.StartNewChain())
	case "never":
		opts = append(opts, stream.DisableChaining())
	}
	if n.Group != "" {
		opts = append(opts, stream.SlotSharingGroup(n.Group))
	}
	return opts
}

// sink writes an output as lines.
func (b *builder) sink(i int, streams []stream.Stream[Event]) {
	k := b.spec.Sinks[i]
	s := streams[k.In]
	if k.Side {
		s = b.sides[k.In]
	}
	uid := func(what string) stream.Option { return stream.UID(fmt.Sprintf("sink%d%s", i, what)) }
	lines := stream.Process(s, func(*stream.Setup[stream.NoKey]) show { return show{k.Timed} }, uid("show"))
	switch k.Kind {
	case "files":
		// Parts are short, so that some wait for a checkpoint beside the one in work.
		stream.ToFiles(lines, stream.FileSink[string]{Path: filepath.Join(b.out.dir, fmt.Sprint(i)), RollSize: 300}, uid(""))
	case "each":
		lines.Each(func(r stream.Rec[string]) error { b.out.add(i, r.V); return nil }, uid(""))
	case "custom":
		stream.SinkTo(lines, func(*stream.Setup[stream.NoKey]) *buffered { return &buffered{out: b.out, sink: i} }, uid(""))
	case "listed":
		stream.SinkTo(lines, func(s *stream.Setup[stream.NoKey]) *listed { return newListed(b, i, s) }, uid(""))
	case "print":
		stream.PrintAs(lines, fmt.Sprint(i), uid(""), stream.Parallelism(1))
	}
}

// show makes lines of records.
type show struct{ timed bool }

// OnRecord implements stream.KeyedFunc.
func (s show) OnRecord(ctx *stream.Ctx[stream.NoKey], e Event, out *stream.Out[string]) error {
	ts := ctx.Time
	if !s.timed {
		ts = noTime
	}
	out.Emit(e.line(ts))
	return nil
}

// buffered is a sink that writes when it is flushed.
type buffered struct {
	out   *outputs
	sink  int
	lines []string
}

// Write implements stream.SinkFunc.
func (b *buffered) Write(r stream.Rec[string]) error {
	b.lines = append(b.lines, r.V)
	return nil
}

// Flush implements stream.Flusher.
func (b *buffered) Flush() error {
	for _, l := range b.lines {
		b.out.add(b.sink, l)
	}
	b.lines = nil
	return nil
}
