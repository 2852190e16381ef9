package law

import (
	"fmt"
	"slices"
	"strings"
)

// Class says what of a graph's output is determined.
type Class string

// The classes.
const (
	Free    Class = "free"
	Ordered Class = "ordered"
	Late    Class = "late"
	Idle    Class = "idle"
)

// Spec is a graph as data.
type Spec struct {
	Seed  uint64
	Class Class
	// Batch: execution.runtime-mode is BATCH; rolling folds emit their last results.
	Batch bool
	Nodes []Node
	Sinks []Sink
}

// Node is an operator; without In it is a source. Nodes read earlier ones.
type Node struct {
	Kind string
	In   []int
	// Side: the node reads the side outputs of In, not the main ones.
	Side bool
	// Second is the second input of nodes that have two, Part2 how they read it.
	Second []int
	Part2  string
	// Part is how it reads: a partitioner's name, or "" for none.
	Part string
	// Par is the parallelism: 0 the job's, 1 another one, 2 always one.
	Par int
	// Chain is "", "head" or "never"; Group a slot-sharing group or "".
	Chain, Group string
	// Text: the key is a string, not a number.
	Text bool
	// Fn is the function of a window; Late: late records have an output.
	Fn   string
	Late bool
	// A to D are the kind's own; see its text. Salt is what a source's records are
	// made of, Skew how far half of its splits are ahead of the others in event time.
	A, B, C, D, Salt, Skew int64
	// Tight: many of a source's records are as far behind the newest one, or ahead of
	// the others, as they may be, so that the watermark comes right before them.
	Tight bool
	// Ordered, Timed and Count are of its output: whether the order within keys
	// and the event times are determined, and about how many records there are.
	Ordered, Timed bool
	Count          int
}

// Sink is where a node's output ends: "files" (exactly once), "each", "custom" or
// "print".
type Sink struct {
	In   int
	Side bool
	Kind string
	// Timed: event times are written too.
	Timed bool
}

// String is the graph as people read it, a line a node.
func (s *Spec) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "graph of seed %d, class %s\n", s.Seed, s.Class)
	if s.Batch {
		b.WriteString("  in BATCH\n")
	}
	for i := range s.Nodes {
		fmt.Fprintf(&b, "  %d: %s\n", i, s.Nodes[i].text())
	}
	for i, k := range s.Sinks {
		fmt.Fprintf(&b, "  sink %d: %s <- %d%s\n", i, k.Kind, k.In, sideText(k.Side))
	}
	return b.String()
}

// mode is how the graph runs.
func (s *Spec) mode() string {
	if s.Batch {
		return "batch"
	}
	return "streaming"
}

func sideText(side bool) string {
	if side {
		return " (side)"
	}
	return ""
}

func (n *Node) text() string {
	k := kindOf(n.Kind)
	t := n.Kind
	if k.text != nil {
		t += " " + k.text(n)
	}
	if n.Fn != "" {
		t += " fn=" + n.Fn
	}
	if n.Late {
		t += " late"
	}
	if len(n.In) > 0 {
		t += " <- " + strings.Trim(fmt.Sprint(n.In), "[]") + sideText(n.Side)
	}
	if n.Part != "" {
		t += " by " + n.Part
		if n.Text {
			t += " (text)"
		}
	}
	if len(n.Second) > 0 {
		t += " and " + strings.Trim(fmt.Sprint(n.Second), "[]") + " by " + n.Part2
	}
	t += [...]string{"", " other-parallelism", " parallelism=1"}[n.Par]
	if n.Chain != "" {
		t += " chain=" + n.Chain
	}
	if n.Group != "" {
		t += " group=" + n.Group
	}
	return t
}

// uses tells whether the output of node i is read, by a node or a sink.
func (s *Spec) uses(i int, side bool) bool {
	for _, n := range s.Nodes {
		if slices.Contains(n.In, i) && n.Side == side || slices.Contains(n.Second, i) && !side {
			return true
		}
	}
	for _, k := range s.Sinks {
		if k.In == i && k.Side == side {
			return true
		}
	}
	return false
}

// parallelism is a node's in an attempt whose job has parallelism p.
func (n *Node) parallelism(p int) int {
	switch n.Par {
	case 1:
		return 1 + p%3
	case 2:
		return 1
	}
	return p
}
