package graph

// Targets lists the subtasks that subtask source sends to over an edge, in
// ascending order. Position i is the i-th channel writer of the edge.
func Targets(p Partitioning, source, sources, targets int) []int {
	switch p {
	case Partitioning_FORWARD:
		if sources == targets {
			return []int{source}
		}
		return span(pointwiseTargets(source, sources, targets))
	case Partitioning_RESCALE:
		return span(pointwiseTargets(source, sources, targets))
	}
	return span(0, targets)
}

// Sources lists the subtasks that subtask target receives from over an edge,
// in ascending order. Position i is the i-th channel of the input.
func Sources(p Partitioning, target, sources, targets int) []int {
	if !Pointwise(p) {
		return span(0, sources)
	}
	return span(pointwiseSources(target, sources, targets))
}

// Pointwise tells whether a subtask exchanges data with few of the other side
// over an edge; else with all of them.
func Pointwise(p Partitioning) bool {
	return p == Partitioning_FORWARD || p == Partitioning_RESCALE
}

// pointwiseTargets is Flink's arithmetic: neighbouring subtasks share a
// partner, as evenly as whole numbers allow.
func pointwiseTargets(source, sources, targets int) (from, to int) {
	if sources < targets {
		return (source*targets + sources - 1) / sources, ((source+1)*targets + sources - 1) / sources
	}
	t := ((source+1)*targets - 1) / sources // the last one whose range begins at source or before
	return t, t + 1
}

// pointwiseSources is the inverse of pointwiseTargets.
func pointwiseSources(target, sources, targets int) (from, to int) {
	if sources < targets {
		s := target * sources / targets // the last one whose range begins at target or before
		return s, s + 1
	}
	return (target*sources+targets)/targets - 1, (target + 1) * sources / targets
}

func span(from, to int) []int {
	list := make([]int, 0, max(0, to-from))
	for i := from; i < to; i++ {
		list = append(list, i)
	}
	return list
}
