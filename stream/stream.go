package stream

import (
	"goflink/graph"
)

// Stream is a typed handle on a flow of records: the output of an operator, or
// the union of several. It is a value; every step returns a new one.
type Stream[T any] struct {
	env  *Env
	refs []ref[T]
}

// ref is one operator's output and how its records are to be spread over the
// subtasks of whoever reads them.
type ref[T any] struct {
	op       *op
	side     string
	part     graph.Partitioning
	explicit bool
	route    router[T] // set for HASH and CUSTOM
}

func streamOf[T any](o *op) Stream[T] {
	return Stream[T]{env: o.env, refs: []ref[T]{{op: o}}}
}

// Env is the environment the stream belongs to.
func (s Stream[T]) Env() *Env { return s.env }

// partitioned returns the stream with another partitioning.
func (s Stream[T]) partitioned(p graph.Partitioning, r router[T]) Stream[T] {
	out := Stream[T]{env: s.env, refs: make([]ref[T], len(s.refs))}
	for i, x := range s.refs {
		x.part, x.explicit, x.route = p, true, r
		out.refs[i] = x
	}
	return out
}

// Rebalance spreads records round robin over all subtasks.
func (s Stream[T]) Rebalance() Stream[T] { return s.partitioned(graph.Partitioning_REBALANCE, nil) }

// Rescale spreads records round robin over a few subtasks near by.
func (s Stream[T]) Rescale() Stream[T] { return s.partitioned(graph.Partitioning_RESCALE, nil) }

// Shuffle spreads records at random.
func (s Stream[T]) Shuffle() Stream[T] { return s.partitioned(graph.Partitioning_SHUFFLE, nil) }

// Broadcast sends every record to all subtasks.
func (s Stream[T]) Broadcast() Stream[T] { return s.partitioned(graph.Partitioning_BROADCAST, nil) }

// Global sends all records to the first subtask.
func (s Stream[T]) Global() Stream[T] { return s.partitioned(graph.Partitioning_GLOBAL, nil) }

// Forward sends records to the subtask of the same number; the parallelism must
// be the same on both sides.
func (s Stream[T]) Forward() Stream[T] { return s.partitioned(graph.Partitioning_FORWARD, nil) }

// PartitionBy sends each record to the subtask that pick names, of n.
func (s Stream[T]) PartitionBy(pick func(v T, n int) int) Stream[T] {
	return s.partitioned(graph.Partitioning_CUSTOM, customRouter[T]{pick})
}

// Union merges streams of the same type, in no particular order.
func (s Stream[T]) Union(others ...Stream[T]) Stream[T] {
	out := Stream[T]{env: s.env, refs: append([]ref[T](nil), s.refs...)}
	for _, o := range others {
		if o.env != s.env {
			s.env.failf("union of streams of two environments")
			continue
		}
		out.refs = append(out.refs, o.refs...)
	}
	return out
}
