package graph

import "strings"

// chainName is the name of a vertex as Flink writes it: "a -> b", and
// "a -> (b, c)" where the chain branches.
func chainName(ch *Chain, n *Node) string {
	next := chainedOutputs(ch, n)
	if len(next) == 0 {
		return n.Name
	}
	names := make([]string, len(next))
	for i, o := range next {
		names[i] = chainName(ch, o)
	}
	if len(names) == 1 {
		return n.Name + " -> " + names[0]
	}
	return n.Name + " -> (" + strings.Join(names, ", ") + ")"
}

func chainedOutputs(ch *Chain, n *Node) []*Node {
	var out []*Node
	for _, o := range ch.Nodes {
		if o != n && o.Inputs != nil && o.Inputs[0].chained && o.Inputs[0].From == n {
			out = append(out, o)
		}
	}
	return out
}

// treeDescription is a vertex as the plan shows it, one line an operator.
func treeDescription(v *Vertex) string {
	var b strings.Builder
	writeTree(&b, v, v.Operators[0], "", "")
	return b.String()
}

func writeTree(b *strings.Builder, v *Vertex, op *Operator, own, below string) {
	text := op.Description
	if text == "" {
		text = op.Name
	}
	b.WriteString(own + text + "\n")
	next := chainedOperators(v, op)
	for i, o := range next {
		if i == len(next)-1 {
			writeTree(b, v, o, below+"+- ", below+"   ")
		} else {
			writeTree(b, v, o, below+":- ", below+":  ")
		}
	}
}

// chainedOperators are the operators of v that read op inside the chain; only
// the head reads from outside.
func chainedOperators(v *Vertex, op *Operator) []*Operator {
	var out []*Operator
	for _, o := range v.Operators[1:] {
		if o.Inputs[0] == op.Id {
			out = append(out, o)
		}
	}
	return out
}
