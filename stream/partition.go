package stream

import (
	"math/rand/v2"

	"goflink/codec"
	"goflink/dataflow"
	"goflink/graph"
	"goflink/state"
)

// router makes the selector of one sending subtask; it stays with the edge at
// graph time.
type router[T any] interface {
	selector(maxParallelism, channels int) selector[T]
}

// selector picks the channel of a record.
type selector[T any] interface {
	pick(v *T) int
}

// hashRouter sends a record to the owner of its key's group.
type hashRouter[K comparable, T any] struct {
	key   func(T) K
	codec codec.KeyCodec[K]
}

func (h hashRouter[K, T]) selector(maxParallelism, channels int) selector[T] {
	s := &hashSelector[K, T]{key: h.key, group: state.Grouper(h.codec, maxParallelism), owner: make([]uint16, maxParallelism)}
	for g := range s.owner {
		s.owner[g] = uint16(state.SubtaskFor(g, maxParallelism, channels))
	}
	return s
}

type hashSelector[K comparable, T any] struct {
	key   func(T) K
	group func(K) int
	owner []uint16 // by key group
}

func (s *hashSelector[K, T]) pick(v *T) int {
	return int(s.owner[s.group(s.key(*v))])
}

// customRouter asks the user.
type customRouter[T any] struct{ f func(v T, n int) int }

func (c customRouter[T]) selector(_, channels int) selector[T] {
	return &customSelector[T]{c.f, channels}
}

type customSelector[T any] struct {
	f func(v T, n int) int
	n int
}

func (c *customSelector[T]) pick(v *T) int { return c.f(*v, c.n) }

// roundRobin serves rebalance (all channels) and rescale (a range of them).
type roundRobin[T any] struct{ from, to, next int }

func (r *roundRobin[T]) pick(*T) int {
	i := r.next
	if r.next++; r.next == r.to {
		r.next = r.from
	}
	return i
}

type randomChannel[T any] struct {
	rand *rand.Rand
	n    int
}

func (r *randomChannel[T]) pick(*T) int { return r.rand.IntN(r.n) }

// selectorOf is the selector of one sending subtask, or nil where there is but
// one channel to take.
func selectorOf[T any](t *task, e *graph.Edge, channels int, route router[T]) selector[T] {
	sub, n := t.env.Subtask, channels
	switch e.Partitioning {
	case graph.Partitioning_HASH, graph.Partitioning_CUSTOM:
		if n == 1 && e.Partitioning == graph.Partitioning_HASH {
			return nil
		}
		return route.selector(t.program.maxParallelismOf(e.Target), n)
	case graph.Partitioning_REBALANCE:
		return &roundRobin[T]{0, n, sub % n} // not all senders begin at the same receiver
	case graph.Partitioning_RESCALE:
		if n < t.parallelismOf(e.Target) {
			return &roundRobin[T]{0, n, 0} // the runtime made this sender's channels only
		}
		from, to := rescaleRange(sub, t.env.Parallelism, n)
		return &roundRobin[T]{from, to, from}
	case graph.Partitioning_SHUFFLE:
		return &randomChannel[T]{rand.New(rand.NewPCG(rand.Uint64(), uint64(sub))), n}
	}
	return nil // forward, global: the first channel; broadcast: all
}

// parallelismOf is the number of subtasks of another vertex: the graph's, unless
// the job was rescaled.
func (t *task) parallelismOf(vertexID string) int {
	if t.env.ParallelismOf != nil {
		return t.env.ParallelismOf(vertexID)
	}
	return int(t.program.chained.ChainOf(vertexID).Vertex.Parallelism)
}

// rescaleRange is the receivers of sender sub of n senders: with more receivers
// than senders each has a range of its own, otherwise several senders share one.
func rescaleRange(sub, n, receivers int) (from, to int) {
	from = sub * receivers / n
	return from, max(from+1, (sub+1)*receivers/n)
}

func (p *Program) maxParallelismOf(vertexID string) int {
	return int(p.chained.ChainOf(vertexID).Vertex.MaxParallelism)
}

// channelsFor is the channels that an edge of this subtask uses: a forward edge
// has one, which the runtime may hand over alone or among all of them.
func channelsFor(t *task, e *graph.Edge, w []dataflow.ChannelWriter) []dataflow.ChannelWriter {
	if e.Partitioning == graph.Partitioning_FORWARD && len(w) > 1 {
		return w[t.env.Subtask : t.env.Subtask+1]
	}
	return w
}
