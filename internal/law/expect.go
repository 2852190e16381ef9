package law

import "slices"

// Expect runs the graph on this goroutine and returns what each sink must write,
// sorted.
func Expect(s *Spec) [][]string {
	outs := evaluate(s)
	all := make([][]string, len(s.Sinks))
	for i, k := range s.Sinks {
		for _, e := range outs[k.In][side(k.Side)] {
			if !k.Timed {
				e.TS = noTime
			}
			all[i] = append(all[i], e.line(e.TS))
		}
		slices.Sort(all[i])
	}
	return all
}

// evaluate is what comes of all nodes: main outputs and side ones.
func evaluate(s *Spec) [][2][]Timed {
	outs := make([][2][]Timed, len(s.Nodes))
	for i := range s.Nodes {
		n := &s.Nodes[i]
		var in, second []Timed
		for _, j := range n.In {
			in = append(in, outs[j][side(n.Side)]...)
		}
		for _, j := range n.Second {
			second = append(second, outs[j][0]...)
		}
		if !n.Ordered {
			in, second = sorted(in), sorted(second)
		}
		if k := kindOf(n.Kind); k.two {
			outs[i][0], outs[i][1] = k.evalTwo(n, in, second)
		} else {
			outs[i][0], outs[i][1] = k.eval(n, in)
		}
	}
	return outs
}

func side(yes bool) int {
	if yes {
		return 1
	}
	return 0
}
