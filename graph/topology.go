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
	if p != Partitioning_FORWARD && p != Partitioning_RESCALE {
		return span(0, sources)
	}
	if sources == targets {
		return []int{target}
	}
	var list []int
	for s := range sources {
		if from, to := pointwiseTargets(s, sources, targets); from <= target && target < to {
			list = append(list, s)
		}
	}
	return list
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

func span(from, to int) []int {
	list := make([]int, 0, max(0, to-from))
	for i := from; i < to; i++ {
		list = append(list, i)
	}
	return list
}
