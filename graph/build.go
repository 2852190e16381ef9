package graph

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"goflink/state"
)

const (
	// Version is the format version of JobGraph.
	Version = 1
	// Protocol is the version of the worker protocol that this build speaks.
	Protocol = 1

	maxParallelismLimit = state.MaxMaxParallelism
)

// Chain is a vertex with the nodes it was made of, head first.
type Chain struct {
	Vertex *Vertex
	Nodes  []*Node
}

// Chained is the result of Build: the JobGraph and how it maps to nodes.
type Chained struct {
	Graph  *JobGraph
	Chains []*Chain // as Graph.Vertices

	byNode map[*Node]*Chain
	byID   map[string]*Node
}

// ChainOf is the chain of a vertex id, or nil.
func (c *Chained) ChainOf(vertexID string) *Chain {
	n := c.byID[vertexID]
	if n == nil || c.byNode[n].Nodes[0] != n {
		return nil
	}
	return c.byNode[n]
}

// Node is the node with an operator id, or nil.
func (c *Chained) Node(operatorID string) *Node { return c.byID[operatorID] }

// Build chains the graph. Calling it settles open settings of the nodes (ids,
// parallelism, partitioning); it reports all errors it finds at once.
func Build(g *StreamGraph) (*Chained, error) {
	if err := g.settle(); err != nil {
		return nil, err
	}
	if err := g.assignIDs(); err != nil {
		return nil, err
	}
	c := &Chained{byNode: map[*Node]*Chain{}, byID: map[string]*Node{}}
	cutEarlySinks(g)
	for _, n := range g.nodes {
		c.byID[n.id] = n
		c.place(n, g)
	}
	c.sortChains()
	if g.MaxParallelism <= 0 {
		g.MaxParallelism = -1 // as Flink reports it
	}
	c.Graph = &JobGraph{
		Version: Version, Protocol: Protocol, Regions: true, Rescales: true, Name: g.Name,
		Config: maps.Clone(g.Config), Once: maps.Clone(g.Once),
		MaxParallelism: int32(g.MaxParallelism),
	}
	for _, ch := range c.Chains {
		c.Graph.Vertices = append(c.Graph.Vertices, ch.vertex())
	}
	c.connect(g)
	c.Graph.Warnings = warnings(g)
	c.Graph.Fingerprint = Fingerprint(c.Graph)
	if err := Validate(c.Graph); err != nil {
		return nil, fmt.Errorf("the program's graph is not valid: %w", err)
	}
	return c, nil
}

// place puts n into the chain of its input, or into a new one.
func (c *Chained) place(n *Node, g *StreamGraph) {
	if chainable(n, g) {
		n.Inputs[0].chained = true
		ch := c.byNode[n.Inputs[0].From]
		ch.Nodes = append(ch.Nodes, n)
		c.byNode[n] = ch
		return
	}
	ch := &Chain{Nodes: []*Node{n}}
	c.Chains = append(c.Chains, ch)
	c.byNode[n] = ch
}

// chainable is Flink's StreamingJobGraphGenerator.isChainable.
func chainable(n *Node, g *StreamGraph) bool {
	if g.NoChaining || len(n.Inputs) != 1 || n.Chain != ChainAlways {
		return false
	}
	in := n.Inputs[0]
	up := in.From
	return up.Chain != ChainNever &&
		in.Partitioning == Partitioning_FORWARD && !in.cut &&
		up.Parallelism == n.Parallelism &&
		(up.MaxParallelism == n.MaxParallelism || up.MaxParallelism == 0 || n.MaxParallelism == 0) &&
		up.SlotSharingGroup == n.SlotSharingGroup
}

// sortChains puts chains without inputs first. Otherwise the order of the heads
// is topological already: a head was added behind what it reads, and only heads
// read from other chains.
func (c *Chained) sortChains() {
	slices.SortStableFunc(c.Chains, func(a, b *Chain) int {
		return cmp.Compare(min(1, len(a.Nodes[0].Inputs)), min(1, len(b.Nodes[0].Inputs)))
	})
}

func (ch *Chain) vertex() *Vertex {
	head := ch.Nodes[0]
	v := &Vertex{
		Id: head.id, Parallelism: int32(head.Parallelism), SlotSharingGroup: head.SlotSharingGroup,
		MaxParallelism: int32(ch.maxParallelism()), Name: chainName(ch, head),
	}
	for _, n := range ch.Nodes {
		v.Operators = append(v.Operators, n.operator())
		v.Source = v.Source || n.Enumerator
		v.Sink = v.Sink || n.Sink
		v.Fixed = v.Fixed || n.Fixed
	}
	ch.Vertex = v
	return v
}

// maxParallelism is the one that a node of the chain sets; place made sure that
// they agree.
func (ch *Chain) maxParallelism() int {
	for _, n := range ch.Nodes {
		if n.MaxParallelism > 0 {
			return n.MaxParallelism
		}
	}
	return state.DefaultMaxParallelism(ch.Nodes[0].Parallelism)
}

func (n *Node) operator() *Operator {
	op := &Operator{
		Id: n.id, Uid: n.UID, Kind: n.Kind, Name: n.Name, Description: n.Description,
		States: n.States, InSchema: n.InSchema, OutSchema: n.OutSchema, KeySchema: n.KeySchema,
		Enumerator: n.Enumerator, Commits: n.Commits,
	}
	for _, in := range n.Inputs {
		op.Inputs = append(op.Inputs, in.From.id)
	}
	return op
}

// connect makes the edges between chains (dense-ports).
func (c *Chained) connect(g *StreamGraph) {
	consumers := consumersOf(g)
	for _, ch := range c.Chains {
		out := 0
		for _, n := range ch.Nodes {
			for _, u := range consumers[n] {
				if u.in.chained {
					continue
				}
				u.in.edge = len(c.Graph.Edges)
				c.Graph.Edges = append(c.Graph.Edges, &Edge{
					Source: ch.Vertex.Id, Target: c.byNode[u.node].Vertex.Id, SourceOperator: n.id,
					Partitioning: u.in.Partitioning, Schema: u.in.Schema, SchemaHash: u.in.SchemaHash,
					Input: int32(u.in.Logical), Side: u.in.Side, OutputIndex: int32(out),
					Blocking: g.Blocking && blocks(u), First: g.Blocking && u.in.First,
				})
				out++
			}
		}
	}
	for _, ch := range c.Chains {
		for i, in := range ch.inputs() {
			c.Graph.Edges[in.edge].InputIndex = int32(i)
		}
	}
}

// inputs are the head's inputs, by logical input.
func (ch *Chain) inputs() []*Input {
	ins := slices.Clone(ch.Nodes[0].Inputs)
	slices.SortStableFunc(ins, func(a, b *Input) int { return a.Logical - b.Logical })
	return ins
}

type use struct {
	node *Node
	in   *Input
}

func consumersOf(g *StreamGraph) map[*Node][]use {
	m := map[*Node][]use{}
	for _, n := range g.nodes {
		for _, in := range n.Inputs {
			m[in.From] = append(m[in.From], use{n, in})
		}
	}
	return m
}

func warnings(g *StreamGraph) []string {
	if g.Blocking {
		return nil // there are no savepoints
	}
	var list []string
	for _, n := range g.nodes {
		if n.Stateful && n.UID == "" && n.UIDHash == "" {
			list = append(list, fmt.Sprintf("operator %q has state but no uid: changes to the program may lose it; add stream.UID (%s)", n.Name, n.at()))
		}
	}
	return list
}
