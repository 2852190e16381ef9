package stream

import (
	"fmt"
	"slices"

	"goflink/codec"
	"goflink/dataflow"
	"goflink/graph"
)

// task is a chain while it is built, and its processing-time timers afterwards.
type task struct {
	program   *Program
	env       *dataflow.Env
	chain     *graph.Chain
	at        int // node being built
	inputs    map[*graph.Node]any
	ports     map[*graph.Input]any // dataflow.Input[T] of edges that leave the chain
	gates     map[int]any          // *gate[T] by logical input of the head
	operators []dataflow.Operator
	source    dataflow.Source
	in        []dataflow.InputPort
	out       []dataflow.OutputPort
	timers    []procTimer
	backlog   backlog
	sorting   *sorting // in BATCH, before a keyed operator
}

// procTimer is whatever in a chain wakes up by the clock.
type procTimer interface {
	nextProc() (ms int64, ok bool)
	fireProc(now int64) error
}

func (t *task) node() *graph.Node { return t.chain.Nodes[t.at] }

// install registers the operator of the node being built and what feeds it.
func (t *task) install(o dataflow.Operator, input any) {
	t.operators[t.at] = o
	t.inputs[t.node()] = input
	if p, ok := o.(procTimer); ok {
		t.timers = append(t.timers, p)
	}
}

func (t *task) buildOutputs() error {
	edges := t.program.chained.Graph.Edges
	t.out = make([]dataflow.OutputPort, len(t.env.Outputs))
	made := 0
	for _, n := range t.chain.Nodes {
		for _, u := range t.program.uses[n] {
			if u.in.Chained() {
				continue
			}
			e := edges[u.in.EdgeIndex()]
			if int(e.OutputIndex) >= len(t.out) {
				return fmt.Errorf("task %s has %d outgoing edges, edge %d is missing", t.env.TaskName, len(t.out), e.OutputIndex)
			}
			p := u.op.edges[u.in].out(t, e, t.env.Outputs[e.OutputIndex])
			t.out[e.OutputIndex], t.ports[u.in] = p.out, p.in
			made++
		}
	}
	if made != len(t.out) {
		return fmt.Errorf("task %s has %d outgoing edges, its vertex %d", t.env.TaskName, len(t.out), made)
	}
	return nil
}

// buildInputs makes the receiving ends, by input index. Edges of the same
// logical input share a gate.
func (t *task) buildInputs() error {
	head := t.program.ops[t.chain.Nodes[0]]
	ins := slices.Clone(head.node.Inputs)
	slices.SortStableFunc(ins, func(a, b *graph.Input) int { return a.Logical - b.Logical })
	if len(ins) != len(t.env.InputChannels) {
		return fmt.Errorf("task %s has %d incoming edges, its vertex %d", t.env.TaskName, len(t.env.InputChannels), len(ins))
	}
	for i, in := range ins {
		t.in = append(t.in, head.edges[in].in(t, in.Logical, t.env.InputChannels[i]))
	}
	return nil
}

// channelsOf is the number of channels of all edges of one logical input.
func (t *task) channelsOf(logical int) int {
	head := t.chain.Nodes[0]
	ins := slices.Clone(head.Inputs)
	slices.SortStableFunc(ins, func(a, b *graph.Input) int { return a.Logical - b.Logical })
	n := 0
	for i, in := range ins {
		if in.Logical == logical {
			n += t.env.InputChannels[i]
		}
	}
	return n
}

func (t *task) nextTimer() (int64, bool) {
	best, found := int64(0), false
	for _, p := range t.timers {
		if ms, ok := p.nextProc(); ok && (!found || ms < best) {
			best, found = ms, true
		}
	}
	return best, found
}

// fireTimers runs from the head down, because timers are registered from the
// tail up.
func (t *task) fireTimers(now int64) error {
	for _, p := range slices.Backward(t.timers) {
		if ms, ok := p.nextProc(); ok && ms <= now {
			if err := p.fireProc(now); err != nil {
				return err
			}
		}
	}
	return nil
}

// outputOf is where a node emits: its consumers inside the chain, which were built
// before, and the edges that leave it.
func outputOf[T any](t *task, n *graph.Node, side string, c codec.Codec[T]) (dataflow.Input[T], error) {
	var to []dataflow.Input[T]
	for _, u := range t.program.uses[n] {
		if u.in.Side != side {
			continue
		}
		x, ok := t.ports[u.in]
		if u.in.Chained() {
			x, ok = t.inputs[u.op.node]
		}
		in, typed := x.(dataflow.Input[T])
		if !ok || !typed {
			return nil, fmt.Errorf("consumer %q takes %T, not records of %T", u.op.node.Name, x, *new(T))
		}
		to = append(to, in)
	}
	switch len(to) {
	case 0:
		return discard[T]{}, nil
	case 1:
		return to[0], nil
	}
	return &fan[T]{to: to, codec: c, flat: c.Flat()}, nil
}

// discard is the end of an output that nobody reads.
type discard[T any] struct{}

func (discard[T]) Collect(*dataflow.Rec[T]) error { return nil }
func (discard[T]) Watermark(int64) error          { return nil }
func (discard[T]) Status(bool) error              { return nil }

// fan hands records to several consumers. All but the last get a copy of a value
// that is not flat: what one of them keeps is not what another one holds.
type fan[T any] struct {
	to    []dataflow.Input[T]
	codec codec.Codec[T]
	flat  bool
	rec   dataflow.Rec[T]
}

func (f *fan[T]) Collect(r *dataflow.Rec[T]) error {
	last := len(f.to) - 1
	for i, in := range f.to {
		f.rec = *r
		if i < last && !f.flat {
			f.rec.V = f.codec.Copy(r.V)
		}
		if err := in.Collect(&f.rec); err != nil {
			return err
		}
	}
	return nil
}

func (f *fan[T]) Watermark(ts int64) error {
	for _, in := range f.to {
		if err := in.Watermark(ts); err != nil {
			return err
		}
	}
	return nil
}

func (f *fan[T]) Status(idle bool) error {
	for _, in := range f.to {
		if err := in.Status(idle); err != nil {
			return err
		}
	}
	return nil
}
