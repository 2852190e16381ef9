package graph

import (
	"strings"
	"testing"
)

// TestEarlySinks: in BATCH a sink that commits is no part of a stage that another
// one reads from, since it ends with the job. Elsewhere it is chained as ever.
func TestEarlySinks(t *testing.T) {
	const chained = "Source: in -> map -> (early, first, second); count -> late"
	for _, c := range []struct {
		name           string
		batch, counted bool
		want           string
		blocking       int
	}{
		{"streaming", false, true, chained, 0},
		{"the last stage", true, false, "Source: in -> map -> (early, first, second)", 0},
		{"before a stage", true, true, "Source: in -> map -> early; count -> late; first; second", 3},
	} {
		g := &StreamGraph{Name: c.name, Parallelism: 2, Blocking: c.batch}
		src := g.Add(&Node{Name: "Source: in", Source: true})
		m := g.Add(&Node{Name: "map", Inputs: read(src)})
		g.Add(&Node{Name: "early", Inputs: read(m), Sink: true}) // has nothing to commit
		if c.counted {
			count := g.Add(&Node{Name: "count", Inputs: by(Partitioning_HASH, m)})
			g.Add(&Node{Name: "late", Inputs: read(count), Sink: true, Commits: true})
		}
		for _, name := range []string{"first", "second"} {
			g.Add(&Node{Name: name, Inputs: read(m), Sink: true, Commits: true})
		}
		b := build(t, g)
		if got := strings.Join(names(b), "; "); got != c.want {
			t.Errorf("%s: %s", c.name, got)
		}
		n := 0
		for _, e := range b.Graph.Edges {
			if e.Blocking {
				n++
			}
		}
		if n != c.blocking {
			t.Errorf("%s: %d blocking edges", c.name, n)
		}
	}
}
