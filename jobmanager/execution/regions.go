package execution

import (
	"slices"
	"time"

	"goflink/graph"
)

// region is a set of tasks that run and fail together.
type region struct {
	id      int
	members []int // of Graph.tasks, ascending
	attempt int
	count   tally
	started bool // StartTasks of this attempt was given out
	pending *failover

	reads, writes []*crossing // over blocking edges
	begun         bool        // this attempt was scheduled
	gone          bool        // what it wrote was given up, or lost
	over          bool        // it has finished and cannot be needed again
}

// tally counts tasks by how far they are.
type tally struct{ scheduled, deployed, running, ended, finished int }

func (t *tally) add(s TaskState, n int) {
	if s == TaskScheduled {
		t.scheduled += n
	}
	if s.rank() >= TaskInitializing.rank() {
		t.deployed += n
	}
	if s.rank() >= TaskRunning.rank() {
		t.running += n
	}
	if s.Terminal() {
		t.ended += n
	}
	if s == TaskFinished {
		t.finished += n
	}
}

func (g *Graph) tally(r *region, s TaskState, n int) {
	r.count.add(s, n)
	g.count.add(s, n)
}

// ended tells that no task of the region runs.
func (r *region) ended() bool { return r.count.ended == len(r.members) }

// failover is regions that are run again together.
type failover struct {
	regions []*region
	alive   int       // regions with tasks that have not ended
	at      time.Time // not before
	entry   *HistoryEntry
	rescale bool // nothing failed
}

// divide makes the regions.
func (g *Graph) divide() {
	u := newUnion(len(g.tasks))
	first := map[string]int{} // index of a vertex's first task
	vertices := map[string]*Vertex{}
	next := 0
	for i := range g.cfg.Vertices {
		v := &g.cfg.Vertices[i]
		first[v.ID], vertices[v.ID] = next, v
		if v.Coupled {
			u.joinAll(next, v.Parallelism)
		}
		next += v.Parallelism
	}
	g.staged = slices.ContainsFunc(g.cfg.Edges, func(e Edge) bool { return e.Blocking })
	for _, e := range g.cfg.Edges {
		from, to := vertices[e.Source], vertices[e.Target]
		if from != nil && to != nil && !e.Blocking {
			u.joinEdge(e.Partitioning, first[from.ID], from.Parallelism, first[to.ID], to.Parallelism)
		}
	}
	if (g.cfg.Full || g.cfg.Adaptive) && !g.staged {
		u.joinAll(0, len(g.tasks))
	}
	byRoot := map[int]*region{}
	for i, e := range g.tasks {
		r := byRoot[u.root(i)]
		if r == nil {
			r = &region{id: len(g.regions)}
			byRoot[u.root(i)] = r
			g.regions = append(g.regions, r)
		}
		r.members = append(r.members, i)
		e.region = r
	}
	g.connect(first, vertices)
}

// union is a union-find structure over numbers.
type union []int

func newUnion(n int) union {
	u := make(union, n)
	for i := range u {
		u[i] = i
	}
	return u
}

func (u union) root(i int) int {
	for u[i] != i {
		u[i] = u[u[i]] // halves the path for the next one
		i = u[i]
	}
	return i
}

// join makes two sets one; the lower root stays, so that regions are numbered
// by their first task.
func (u union) join(a, b int) {
	a, b = u.root(a), u.root(b)
	u[max(a, b)] = min(a, b)
}

func (u union) joinAll(first, n int) {
	for i := 1; i < n; i++ {
		u.join(first, first+i)
	}
}

func (u union) joinEdge(p graph.Partitioning, from, sources, to, targets int) {
	if !graph.Pointwise(p) {
		if sources > 0 && targets > 0 {
			u.joinAll(from, sources)
			u.joinAll(to, targets)
			u.join(from, to)
		}
		return
	}
	for target := range targets {
		for _, source := range graph.Sources(p, target, sources, targets) {
			u.join(from+source, to+target)
		}
	}
}
