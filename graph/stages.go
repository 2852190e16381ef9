package graph

// cutEarlySinks gives sinks that commit a stage of their own in BATCH, where they
// would share one with tasks that a later stage reads from: they end with the job,
// and the later stage begins when all tasks of the earlier one have ended.
func cutEarlySinks(g *StreamGraph) {
	if !g.Blocking {
		return
	}
	heads := map[*Node]*Node{} // the first node of each one's stage
	read := map[*Node]bool{}   // stages, by head, that another one reads from
	for _, n := range g.nodes {
		heads[n] = n
		for _, in := range n.Inputs {
			if blocks(use{n, in}) {
				read[heads[in.From]] = true
			} else {
				heads[n] = heads[in.From]
			}
		}
	}
	for _, n := range g.nodes {
		for _, in := range n.Inputs {
			in.cut = n.Commits && read[heads[n]]
		}
	}
}

// blocks tells that an edge is a blocking one in BATCH. A forward edge is not, if
// it is all that its target reads: both ends are in one slot, and the target adds
// no stage. With other inputs it could have to wait for a stage that waits for
// its own.
func blocks(u use) bool {
	return u.in.Partitioning != Partitioning_FORWARD || len(u.node.Inputs) > 1 || u.in.cut
}
