// ConnectedComponents finds which vertices of a graph hang together: a delta
// iteration in which each vertex learns the smallest number in its component. The
// loop ends with the first round that changes nothing.
//
//	ConnectedComponents [--vertices PATH] [--edges PATH] [--iterations N] [--output PATH]
//
// A vertex is a line with its number, an edge a line with the numbers of its two
// ends.
package main

import (
	"fmt"

	"goflink/stream"
)

// Vertex and the smallest number known in its component.
type Vertex struct{ ID, Component int64 }

// Edge leads from one vertex to another one.
type Edge struct{ From, To int64 }

func id(v Vertex) int64 { return v.ID }
func from(e Edge) int64 { return e.From }

// links are the edges without --edges; vertices 14 to 16 have none.
var links = []Edge{{1, 2}, {2, 3}, {3, 4}, {4, 5}, {6, 7}, {8, 9}, {9, 10}, {10, 8}, {11, 5}, {12, 6}, {13, 13}}

func vertices(env *stream.Env, path string) stream.Stream[Vertex] {
	if path == "" {
		return stream.Map(stream.Sequence(env, 1, 16), func(n int64) Vertex { return Vertex{n, n} }, stream.Name("Vertices"))
	}
	return stream.TryMap(stream.TextFiles(env, []string{path}, stream.Name("Vertex Lines")), func(line string) (Vertex, error) {
		var n int64
		if _, err := fmt.Sscan(line, &n); err != nil {
			return Vertex{}, fmt.Errorf("%s: line %q is no vertex: %w", path, line, err)
		}
		return Vertex{n, n}, nil
	}, stream.Name("Vertices"))
}

func edges(env *stream.Env, path string) stream.Stream[Edge] {
	if path == "" {
		return stream.FromSlice(env, links, stream.Name("Edges"))
	}
	return stream.TryMap(stream.TextFiles(env, []string{path}, stream.Name("Edge Lines")), func(line string) (Edge, error) {
		var e Edge
		if _, err := fmt.Sscan(line, &e.From, &e.To); err != nil {
			return Edge{}, fmt.Errorf("%s: line %q is no edge: %w", path, line, err)
		}
		return e, nil
	}, stream.Name("Edges"))
}

// offer tells the other end of an edge what a vertex has learned.
func offer(v Vertex, e Edge) Vertex { return Vertex{e.To, v.Component} }

// improve emits a vertex that is offered a smaller number than it has.
func improve(_ stream.WindowInfo[int64], now, offers []Vertex, out *stream.Out[Vertex]) error {
	if len(now) == 0 {
		return nil // an edge to a vertex that is not there
	}
	best := now[0]
	for _, o := range offers {
		best.Component = min(best.Component, o.Component)
	}
	if best != now[0] {
		out.Emit(best)
	}
	return nil
}

func build(env *stream.Env) error {
	env.SetName("Connected Components")
	env.Configure("execution.runtime-mode", "BATCH")
	p := env.Params()
	rounds, err := p.Int64("iterations", 10)
	if err != nil {
		return err
	}
	all := vertices(env, p.Get("vertices", ""))
	bothWays := stream.FlatMap(edges(env, p.Get("edges", "")), func(e Edge, out *stream.Out[Edge]) error {
		out.Emit(e)
		out.Emit(Edge{e.To, e.From})
		return nil
	}, stream.Name("Both Ways"))

	components := stream.IterateDelta(all, id, all, int(rounds),
		func(solution stream.Keyed[int64, Vertex], work stream.Stream[Vertex], _ int) (stream.Stream[Vertex], stream.Stream[Vertex]) {
			along := stream.ConnectKeyed(stream.KeyBy(work, id), stream.KeyBy(bothWays, from)).Whole()
			offers := stream.Join(along, offer, stream.Name("Offers"))
			better := stream.CoGroup(stream.ConnectKeyed(solution, stream.KeyBy(offers, id)).Whole(), improve, stream.Name("Better"))
			return better, better
		})
	lines := stream.Map(components, func(v Vertex) string { return fmt.Sprintf("(%d,%d)", v.ID, v.Component) }, stream.Name("Lines"))
	if !p.Has("output") {
		env.Printf("Printing result to stdout. Use --output to specify output path.\n")
		lines.Print()
		return nil
	}
	lines.WriteText(p.Get("output", ""))
	return nil
}

func main() { stream.Main("ConnectedComponents", build) }
