package law

import (
	"math/rand/v2"
	"slices"
)

// gen draws a spec.
type gen struct {
	rand *rand.Rand
	spec *Spec
}

func (g *gen) n(below int64) int64 { return g.rand.Int64N(max(1, below)) }

func pick[T any](g *gen, from []T) T { return from[g.rand.IntN(len(from))] }

// classOf spreads the classes over the seeds.
func classOf(seed uint64) Class {
	switch seed % 20 {
	case 0, 5, 10, 15:
		return Ordered
	case 3, 8, 13:
		return Late
	case 17:
		return Idle
	}
	return Free
}

// Draw makes the graph of a seed.
func Draw(seed uint64) *Spec {
	s := &Spec{Seed: seed, Class: classOf(seed)}
	g := &gen{rand.New(rand.NewPCG(seed, 1)), s}
	switch s.Class {
	case Free:
		s.Batch = g.n(batchShare) == 0
		g.free()
		g.tighten()
	case Ordered:
		g.ordered()
		g.tighten()
	case Late:
		g.late()
	case Idle:
		g.idle()
	}
	return s
}

// batchShare is the share of free graphs that run in BATCH: one of so many.
const batchShare = 10

// mostRecords bounds what a node emits, so that graphs stay quick.
const mostRecords = 1500

func (g *gen) free() {
	for range 1 + g.n(2) {
		g.source()
	}
	nodes := 3 + g.n(5)
	for i := int64(0); i < nodes; {
		name := ""
		if i == 0 { // each kind has its turn
			all := kindsIn(Free)
			name = all[int(g.spec.Seed/2)%len(all)].name
		}
		if g.node(name) {
			i++
		}
	}
	if g.spec.Batch && g.n(2) == 0 {
		g.node("keyed-broadcast") // what waits for another input is rare
	}
	g.sinks(pick(g, []string{"files", "each", "custom", "print", "listed"}))
}

func kindsIn(c Class) []*kind {
	return slices.DeleteFunc(slices.Clone(kinds()), func(k *kind) bool { return k.source || !k.in(c) })
}

func (g *gen) source() {
	var sources []*kind
	for _, k := range kinds() {
		if k.source && k.in(g.spec.Class) {
			sources = append(sources, k)
		}
	}
	k := pick(g, sources)
	n := Node{Kind: k.name, Par: int(g.n(3)), Timed: true, Salt: g.n(1_000_000)*1000 + int64(len(g.spec.Nodes)), Ordered: g.spec.Class == Ordered}
	k.draw(g, &n)
	g.place(&n)
	g.spec.Nodes = append(g.spec.Nodes, n)
}

// place decides on chaining and slots.
func (g *gen) place(n *Node) {
	switch g.n(10) {
	case 0:
		n.Chain = "head"
	case 1:
		n.Chain = "never"
	case 2:
		n.Group = pick(g, []string{"left", "right"})
	}
}

// node adds an operator, of a kind or any; false when what was drawn does not fit.
func (g *gen) node(name string) bool {
	k := pick(g, kindsIn(g.spec.Class))
	if name != "" {
		k = kindOf(name)
	}
	n := Node{Kind: k.name, Par: []int{0, 0, 0, 1, 2}[g.n(5)], Text: k.keyed && g.n(2) == 0, Timed: true, Ordered: g.spec.Class == Ordered}
	if !g.inputs(k, &n) {
		return false
	}
	if k.draw != nil {
		k.draw(g, &n)
	}
	if k.grows != nil {
		n.Count = k.grows(&n, n.Count)
	}
	if k.counted {
		n.Count = g.counted(&n)
	}
	if n.Count > mostRecords {
		return false
	}
	if k.timeless && !n.Ordered {
		n.Timed = false
	}
	g.partition(k, &n)
	g.place(&n)
	g.spec.Nodes = append(g.spec.Nodes, n)
	return true
}

// inputs picks what a node reads: one stream or a union of several, main outputs
// or side ones.
func (g *gen) inputs(k *kind, n *Node) bool {
	if !k.two && g.sibling(k, n) {
		return true
	}
	n.Side = g.n(4) == 0
	var can []int
	for i := range g.spec.Nodes {
		x := &g.spec.Nodes[i]
		if k.timed && !x.Timed || n.Side && !hasSide(x) {
			continue
		}
		can = append(can, i)
		if !g.spec.uses(i, n.Side) {
			can = append(can, i, i) // rather what nobody reads yet
		}
	}
	want := 1
	if g.spec.Class == Free && g.n(4) == 0 {
		want = 2 + int(g.n(2))
	}
	for range want {
		if len(can) == 0 {
			break
		}
		i := pick(g, can)
		n.In = append(n.In, i)
		n.Timed = n.Timed && g.spec.Nodes[i].Timed
		n.Count += g.spec.Nodes[i].Count
	}
	return len(n.In) > 0 && (!k.two || g.second(k, n))
}

// second picks the second input, which may be the first one again.
func (g *gen) second(k *kind, n *Node) bool {
	var can []int
	for i := range g.spec.Nodes {
		if !k.timed || g.spec.Nodes[i].Timed {
			can = append(can, i)
			if !g.spec.uses(i, false) && !slices.Contains(n.In, i) {
				can = append(can, i, i)
			}
		}
	}
	if len(can) == 0 {
		return false
	}
	i := pick(g, can)
	n.Second = []int{i}
	n.Timed = n.Timed && g.spec.Nodes[i].Timed
	n.Count += g.spec.Nodes[i].Count
	return true
}

// counted is how many records a node really makes.
func (g *gen) counted(n *Node) int {
	s := g.spec.clone()
	s.Nodes = append(s.Nodes, *n)
	return len(evaluate(s)[len(s.Nodes)-1][0])
}

// sibling lets a node read what the newest one does: several consumers of a record
// are where it must not be shared.
func (g *gen) sibling(k *kind, n *Node) bool {
	last := &g.spec.Nodes[len(g.spec.Nodes)-1]
	if len(last.In) == 0 || g.spec.Class != Free || g.n(4) > 0 {
		return false
	}
	timed, count := true, 0
	for _, i := range last.In {
		timed = timed && g.spec.Nodes[i].Timed
		count += g.spec.Nodes[i].Count
	}
	if k.timed && !timed {
		return false
	}
	n.In, n.Side, n.Timed, n.Count = slices.Clone(last.In), last.Side, n.Timed && timed, n.Count+count
	return true
}

func hasSide(n *Node) bool {
	k := kindOf(n.Kind)
	return k.side != nil && k.side(n)
}

// partition picks how a node reads. A forward needs the same parallelism on both
// sides; what is ordered must not be spread.
func (g *gen) partition(k *kind, n *Node) {
	switch {
	case k.keyed:
		n.Part = "hash"
	case k.part != "":
		n.Part = k.part
	case k.broadcast && !k.two:
		n.Part = "broadcast"
	default:
		n.Part = g.anyPartition(n, n.In)
	}
	switch {
	case !k.two:
	case k.broadcast:
		n.Part2 = "broadcast"
	case k.keyed:
		n.Part2 = "hash"
	default:
		n.Part2 = g.anyPartition(n, n.Second)
	}
}

func (g *gen) anyPartition(n *Node, in []int) string {
	all := []string{"rebalance", "rescale", "shuffle", "global", "custom", ""}
	if n.Ordered {
		all = []string{"global", "custom"}
	}
	if !slices.ContainsFunc(in, func(i int) bool { return g.spec.Nodes[i].Par != n.Par }) {
		all = append(all, "forward", "forward", "")
	}
	return pick(g, all)
}

// ordered is a line of operators, whose end numbers the records of each key.
func (g *gen) ordered() {
	g.source()
	kinds := kindsIn(Ordered)
	first := kinds[int(g.spec.Seed/5)%len(kinds)].name
	nodes := 1 + g.n(4)
	for i := int64(0); i < nodes; {
		name := ""
		if i == 0 {
			name = first
		}
		if g.step(name) {
			i++
		}
	}
	for !g.step("numbered") {
	}
	last := len(g.spec.Nodes) - 1
	g.spec.Sinks = []Sink{{In: last, Kind: pick(g, []string{"files", "files", "each"}), Timed: true}}
}

// step adds an operator that reads the newest one.
func (g *gen) step(name string) bool {
	before := len(g.spec.Nodes)
	if !g.node(name) {
		return false
	}
	n := &g.spec.Nodes[before]
	if n.In[0] != before-1 {
		g.spec.Nodes = g.spec.Nodes[:before]
		return false
	}
	return true
}

// tighten lets records come at the last moment at which they are not late, and ends
// tumbling windows behind such records.
func (g *gen) tighten() {
	if slices.ContainsFunc(g.spec.Nodes, func(n Node) bool { return n.meets() }) {
		return
	}
	for i := range g.spec.Nodes {
		switch n := &g.spec.Nodes[i]; {
		case kindOf(n.Kind).source:
			n.Tight = true
		case n.Kind == "tumbling" && g.n(2) == 0: // event times at the edges are multiples of ten
			n.A, n.B = n.A/10*10, 1
		}
	}
}

// sinks ends every output that nobody reads; the last one is written to files.
func (g *gen) sinks(other string) {
	for i := range g.spec.Nodes {
		n := &g.spec.Nodes[i]
		for _, side := range []bool{false, true} {
			if side && !hasSide(n) || g.spec.uses(i, side) {
				continue
			}
			kind := "files"
			if len(g.spec.Sinks) > 0 && g.n(2) == 0 {
				kind = other
			}
			g.spec.Sinks = append(g.spec.Sinks, Sink{i, side, kind, n.Timed})
		}
	}
}
