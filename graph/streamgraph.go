package graph

import (
	"errors"
	"fmt"
)

// ChainMode says how a node may be chained.
type ChainMode uint8

// The chain modes, Flink's ChainingStrategy.
const (
	ChainAlways ChainMode = iota // with what it reads and with what reads it
	ChainHead                    // starts a chain: not with what it reads
	ChainNever                   // stays alone
)

// DefaultSlotSharingGroup is the group of nodes that name none.
const DefaultSlotSharingGroup = "default"

// Node is an operator of the StreamGraph.
type Node struct {
	// Kind is "map", "source", "window" …; part of the operator's id.
	Kind string
	// Name is what people see; part of the operator's id unless UID is set.
	Name string
	// Description is a longer name for the plan; empty means Name.
	Description string
	// UID fixes the operator's id across versions of the program.
	UID string
	// UIDHash is the operator's id itself, over UID; 32 hexadecimal digits.
	UIDHash string
	// Parallelism is the number of subtasks; 0 takes the graph's.
	Parallelism int
	// Fixed nodes cannot run with another parallelism.
	Fixed bool
	// MaxParallelism is the number of key groups; 0 takes the graph's, or a
	// default that follows from the parallelism.
	MaxParallelism   int
	Inputs           []*Input
	SlotSharingGroup string // empty means: its inputs' common group, else "default"
	Chain            ChainMode
	States           []*State
	InSchema         string
	OutSchema        string
	KeySchema        string
	// Source and Sink mark the ends; an Enumerator runs in the coordinator.
	Source, Sink, Enumerator, Commits bool
	// Stateful nodes without a UID are warned about.
	Stateful bool
	// Where is the caller's file:line, for error messages.
	Where string

	index int
	id    string
}

// ID is the operator id: 32 hex digits, set by Build.
func (n *Node) ID() string { return n.id }

// Index is the position in the StreamGraph.
func (n *Node) Index() int { return n.index }

// Input is an edge of the StreamGraph, kept by the node that reads it.
type Input struct {
	From *Node
	// Side is the tag of the side output that is read; empty for the main one.
	Side string
	// Logical is 0, or 1 for the second input of a node with two. Several inputs
	// with the same number are a union.
	Logical int
	// Partitioning counts when Explicit is set; otherwise the edge is forward
	// where both ends have the same parallelism and rebalance elsewhere.
	Partitioning Partitioning
	Explicit     bool
	// First: in BATCH it is read to its end before the node's other inputs.
	First      bool
	Schema     string
	SchemaHash uint64

	chained bool
	cut     bool // it blocks though it is forward, see cutEarlySinks
	edge    int
}

// Chained tells, after Build, that the edge lies inside a vertex.
func (in *Input) Chained() bool { return in.chained }

// EdgeIndex is, after Build, the index in JobGraph.edges, or -1 inside a vertex.
func (in *Input) EdgeIndex() int {
	if in.chained {
		return -1
	}
	return in.edge
}

// StreamGraph is what a program builds: operators that are not chained yet. It
// is not safe for concurrent use.
type StreamGraph struct {
	Name string
	// Parallelism is that of nodes which set none; at least 1.
	Parallelism int
	// MaxParallelism (pipeline.max-parallelism) is that of nodes which set none;
	// 0 or less lets it follow from the parallelism.
	MaxParallelism int
	// NoChaining turns chaining off (pipeline.operator-chaining.enabled: false).
	NoChaining bool
	// Blocking makes every edge between vertices that is not forward a blocking
	// one (execution.runtime-mode: BATCH): see Edge.
	Blocking bool
	// Config holds what the program set.
	Config map[string]string
	// Once holds the values of stream.Once.
	Once map[string][]byte

	nodes []*Node
}

// Nodes are all operators in the order in which they were added.
func (g *StreamGraph) Nodes() []*Node { return g.nodes }

// Add appends a node; its inputs must have been added before.
func (g *StreamGraph) Add(n *Node) *Node {
	n.index = len(g.nodes)
	g.nodes = append(g.nodes, n)
	return n
}

// settle fills in what nodes left open and reports what cannot be built.
func (g *StreamGraph) settle() error {
	if len(g.nodes) == 0 {
		return errors.New("the program has no operators: a job needs a source and a sink at least")
	}
	var errs []error
	uids := map[string]*Node{}
	for _, n := range g.nodes {
		g.settleNode(n)
		if n.UID != "" {
			if other := uids[n.UID]; other != nil {
				errs = append(errs, fmt.Errorf("%s: uid %q is already that of %q (%s); uids must be unique", n.at(), n.UID, other.Name, other.at()))
			}
			uids[n.UID] = n
		}
		errs = append(errs, n.check()...)
	}
	return errors.Join(errs...)
}

func (g *StreamGraph) settleNode(n *Node) {
	if n.Parallelism == 0 {
		n.Parallelism = max(1, g.Parallelism)
	}
	if n.MaxParallelism == 0 {
		n.MaxParallelism = max(0, g.MaxParallelism)
	}
	if n.SlotSharingGroup == "" {
		n.SlotSharingGroup = inheritedGroup(n)
	}
	for _, in := range n.Inputs {
		if in.Explicit {
			continue
		}
		in.Partitioning = Partitioning_REBALANCE
		if in.From.Parallelism == n.Parallelism {
			in.Partitioning = Partitioning_FORWARD
		}
	}
}

// inheritedGroup is the slot sharing group that all inputs share, as in Flink.
func inheritedGroup(n *Node) string {
	if len(n.Inputs) == 0 {
		return DefaultSlotSharingGroup
	}
	group := n.Inputs[0].From.SlotSharingGroup
	for _, in := range n.Inputs {
		if in.From.SlotSharingGroup != group {
			return DefaultSlotSharingGroup
		}
	}
	return group
}

func (n *Node) at() string {
	if n.Where == "" {
		return fmt.Sprintf("operator %q", n.Name)
	}
	return n.Where
}

func (n *Node) check() []error {
	var errs []error
	fail := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("%s: operator %q: "+format, append([]any{n.at(), n.Name}, args...)...))
	}
	if n.Parallelism < 1 || n.Parallelism > maxParallelismLimit {
		fail("parallelism %d is not between 1 and %d", n.Parallelism, maxParallelismLimit)
	}
	if n.MaxParallelism < 0 || n.MaxParallelism > maxParallelismLimit {
		fail("max parallelism %d is not between 1 and %d", n.MaxParallelism, maxParallelismLimit)
	}
	if n.MaxParallelism > 0 && n.Parallelism > n.MaxParallelism {
		fail("parallelism %d exceeds the max parallelism %d", n.Parallelism, n.MaxParallelism)
	}
	for _, in := range n.Inputs {
		if in.From.index >= n.index {
			fail("it reads %q, which was added later", in.From.Name)
		}
		if in.Partitioning == Partitioning_FORWARD && in.From.Parallelism != n.Parallelism {
			fail("forward needs equal parallelism, but %q has %d and this has %d; use Rebalance", in.From.Name, in.From.Parallelism, n.Parallelism)
		}
	}
	if len(n.Inputs) == 0 && !n.Source {
		fail("it reads nothing")
	}
	return errs
}
