package law

import "slices"

// mostTries bounds how long a failing graph is shrunk.
const mostTries = 60

// shrink looks for a smaller graph and fewer attempts for which fails is true too.
func shrink(s *Spec, f *Faults, fails func(*Spec, *Faults) bool) (*Spec, *Faults) {
	for tries, smaller := 0, true; smaller && tries < mostTries; {
		smaller = false
		for _, c := range candidates(s, f) {
			if tries++; tries > mostTries {
				break
			}
			if fails(c.s, c.f) {
				s, f, smaller = c.s, c.f, true
				break
			}
		}
	}
	return s, f
}

type candidate struct {
	s *Spec
	f *Faults
}

func candidates(s *Spec, f *Faults) []candidate {
	var out []candidate
	for i := range f.Attempts[:len(f.Attempts)-1] {
		g := *f
		g.Attempts = slices.Delete(slices.Clone(f.Attempts), i, i+1)
		out = append(out, candidate{s, &g})
	}
	if f.Again {
		g := *f
		g.Again = false
		out = append(out, candidate{s, &g})
	}
	if s.Class == Idle || s.Class == Late {
		return out
	}
	for i := range s.Sinks {
		if len(s.Sinks) > 1 {
			c := s.clone()
			c.Sinks = slices.Delete(c.Sinks, i, i+1)
			out = append(out, candidate{c.pruned(), f})
		}
	}
	for i := range s.Nodes {
		if n := &s.Nodes[i]; len(n.In) == 0 && n.A > 8 {
			c := s.clone()
			c.Nodes[i].A /= 2
			out = append(out, candidate{c, f})
		} else if len(n.In) > 0 && !hasSide(n) && len(s.Nodes) > 2 {
			out = append(out, candidate{s.without(i), f})
		}
	}
	return out
}

func (s *Spec) clone() *Spec {
	c := *s
	c.Nodes, c.Sinks = slices.Clone(s.Nodes), slices.Clone(s.Sinks)
	for i := range c.Nodes {
		c.Nodes[i].In, c.Nodes[i].Second = slices.Clone(c.Nodes[i].In), slices.Clone(c.Nodes[i].Second)
	}
	return &c
}

// without replaces a node by a map, which keeps the numbers of the others.
func (s *Spec) without(i int) *Spec {
	c := s.clone()
	n := &c.Nodes[i]
	if n.Kind == "relay" {
		return c
	}
	*n = Node{Kind: "relay", In: n.In, Side: n.Side, Timed: n.Timed, Ordered: n.Ordered, Par: n.Par}
	if c.Class == Ordered {
		n.Part = "custom"
	}
	return c
}

// pruned drops the nodes at the end that nobody reads.
func (s *Spec) pruned() *Spec {
	for i := len(s.Nodes) - 1; i > 0 && !s.uses(i, false) && !s.uses(i, true); i-- {
		s.Nodes = s.Nodes[:i]
	}
	return s
}
