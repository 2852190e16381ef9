package law

import (
	"fmt"
	"maps"
	"slices"

	"goflink/stream"
)

// subtaskKinds keep state of subtasks, not of keys.
func subtaskKinds() []*kind {
	return []*kind{
		// Each subtask counts the keys that the partitioner sends it, and after a restore
		// takes from the union what is its own then.
		{name: "union-list", state: "union list", part: "custom", timeless: true, classes: []Class{Free, Ordered},
			build: func(b *builder, n *Node, in stream.Stream[Event]) stream.Stream[Event] {
				return stream.Process(in, newUnited, b.options(n)...)
			},
			eval: func(_ *Node, in []Timed) (out, side []Timed) {
				keys, of := groups(in)
				for _, k := range keys {
					for i, e := range of[k] {
						out = append(out, Timed{keyCount{k, int64(i) + 1}.event(), e.TS})
					}
				}
				return out, nil
			}},
		// One subtask only: no restore divides its list. Those of several subtasks are
		// in the sinks (listed), where it does not matter which one has what.
		{name: "operator-list", state: "operator list", timeless: true, classes: []Class{Free},
			draw: func(g *gen, n *Node) { n.Par, n.A = 2, 2+g.n(9) }, text: func(n *Node) string { return fmt.Sprint(n.A) },
			build: func(b *builder, n *Node, in stream.Stream[Event]) stream.Stream[Event] {
				return stream.Process(in, func(s *stream.Setup[stream.NoKey]) *filling {
					return &filling{n, stream.NewOperatorList[Event](s, "records")}
				}, b.options(n)...)
			},
			eval: func(n *Node, in []Timed) (out, side []Timed) {
				for i, e := range in {
					out = append(out, Timed{Event{N: int64(i)%n.A + 1}, e.TS})
				}
				return out, nil
			}},
	}
}

type keyCount struct{ Key, N int64 }

func (c keyCount) event() Event { return Event{ID: small(c.Key, c.N, 41), Key: c.Key, N: c.N} }

type united struct {
	list   *stream.OperatorList[keyCount]
	counts map[int64]int64
}

func newUnited(s *stream.Setup[stream.NoKey]) *united {
	u := &united{stream.NewUnionList[keyCount](s, "counts"), map[int64]int64{}}
	for _, c := range u.list.Get() {
		if int(c.Key)%s.Parallelism() == s.Subtask() { // as partitioned does
			u.counts[c.Key] = c.N
		}
	}
	return u
}

// OnRecord implements stream.KeyedFunc.
func (u *united) OnRecord(_ *stream.Ctx[stream.NoKey], e Event, out *stream.Out[Event]) error {
	u.counts[e.Key]++
	out.Emit(keyCount{e.Key, u.counts[e.Key]}.event())
	return nil
}

// BeforeCheckpoint implements stream.Checkpointed.
func (u *united) BeforeCheckpoint(int64) error {
	u.list.Clear()
	for _, k := range slices.Sorted(maps.Keys(u.counts)) {
		u.list.Add(keyCount{k, u.counts[k]})
	}
	return nil
}

// filling gathers records, and begins anew when it has enough.
type filling struct {
	n    *Node
	list *stream.OperatorList[Event]
}

// OnRecord implements stream.KeyedFunc.
func (f *filling) OnRecord(_ *stream.Ctx[stream.NoKey], e Event, out *stream.Out[Event]) error {
	f.list.Add(e)
	have := int64(len(f.list.Get()))
	if have == f.n.A {
		f.list.Clear()
	}
	out.Emit(Event{N: have})
	return nil
}

// listed is a sink that keeps lines in a list of its subtask until a checkpoint with
// them is complete.
type listed struct {
	out    *outputs
	sink   int
	direct bool // no checkpoint will come
	lines  *stream.OperatorList[string]
	before map[int64]int // by checkpoint: lines that it holds
}

func newListed(b *builder, sink int, s *stream.Setup[stream.NoKey]) *listed {
	return &listed{b.out, sink, b.direct, stream.NewOperatorList[string](s, "lines"), map[int64]int{}}
}

// Write implements stream.SinkFunc.
func (l *listed) Write(r stream.Rec[string]) error {
	if l.direct {
		l.out.add(l.sink, r.V)
	} else {
		l.lines.Add(r.V)
	}
	return nil
}

// BeforeCheckpoint implements stream.Checkpointed.
func (l *listed) BeforeCheckpoint(id int64) error {
	l.before[id] = len(l.lines.Get())
	return nil
}

// CheckpointCompleted implements stream.CheckpointListener.
func (l *listed) CheckpointCompleted(id int64) error {
	n := l.before[id]
	for _, line := range l.lines.Get()[:n] {
		l.out.add(l.sink, line)
	}
	l.lines.Set(l.lines.Get()[n:])
	for other := range l.before {
		if l.before[other] -= n; other <= id {
			delete(l.before, other)
		}
	}
	return nil
}
