package exchange

import (
	"fmt"

	"goflink/graph"
)

// AttemptID names one attempt of the job: failovers count Attempt up, a new
// JobManager comes with a higher Epoch and may count from the start.
type AttemptID struct {
	Epoch   int64
	Attempt int32
}

// Before tells whether a is older than b.
func (a AttemptID) Before(b AttemptID) bool {
	return a.Epoch < b.Epoch || a.Epoch == b.Epoch && a.Attempt < b.Attempt
}

func (a AttemptID) String() string { return fmt.Sprintf("%d.%d", a.Epoch, a.Attempt) }

// ChannelID names a channel inside a session: the index of the edge in the
// JobGraph and the subtasks at its ends.
type ChannelID struct {
	Edge   int
	Source int
	Target int
}

func (c ChannelID) String() string { return fmt.Sprintf("edge %d, %d->%d", c.Edge, c.Source, c.Target) }

// Peer is a worker that runs the other end of a channel.
type Peer struct {
	WorkerID string
	Host     string
	Port     int
}

func (p Peer) String() string { return fmt.Sprintf("worker %s (%s:%d)", p.WorkerID, p.Host, p.Port) }

// Targets lists the subtasks that subtask source sends to over an edge, in
// ascending order. Position i is the i-th channel writer of the edge.
func Targets(p graph.Partitioning, source, sources, targets int) []int {
	switch p {
	case graph.Partitioning_FORWARD:
		if sources == targets {
			return []int{source}
		}
		return span(pointwiseTargets(source, sources, targets))
	case graph.Partitioning_RESCALE:
		return span(pointwiseTargets(source, sources, targets))
	}
	return span(0, targets)
}

// Sources lists the subtasks that subtask target receives from over an edge,
// in ascending order. Position i is the i-th channel of the input.
func Sources(p graph.Partitioning, target, sources, targets int) []int {
	if p != graph.Partitioning_FORWARD && p != graph.Partitioning_RESCALE {
		return span(0, sources)
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
	for t := range targets {
		if t*sources/targets <= source && source < (t+1)*sources/targets {
			return t, t + 1
		}
	}
	return 0, 0
}

func span(from, to int) []int {
	list := make([]int, 0, max(0, to-from))
	for i := from; i < to; i++ {
		list = append(list, i)
	}
	return list
}
