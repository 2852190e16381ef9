package law

import "slices"

// Expect runs the graph on this goroutine and returns what each sink must write,
// sorted.
func Expect(s *Spec) [][]string {
	outs := make([][2][]Timed, len(s.Nodes))
	for i := range s.Nodes {
		n := &s.Nodes[i]
		var in []Timed
		for _, j := range n.In {
			in = append(in, outs[j][side(n.Side)]...)
		}
		if !n.Ordered {
			in = sorted(in)
		}
		outs[i][0], outs[i][1] = kindOf(n.Kind).eval(n, in)
	}
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

func side(yes bool) int {
	if yes {
		return 1
	}
	return 0
}
