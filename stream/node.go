package stream

import (
	"fmt"
	"reflect"
	"time"

	"goflink/codec"
	"goflink/dataflow"
	"goflink/graph"
)

// op is an operator at graph time: its node and the closures that know its types.
type op struct {
	env   *Env
	node  *graph.Node
	named bool
	// sides are the side outputs that the operator declared.
	sides map[string]reflect.Type
	edges map[*graph.Input]edge
	// flushAfter is the buffer time-out of its outputs; nil: the job's.
	flushAfter *time.Duration
	// build makes the operator of one subtask; its consumers exist already.
	build func(t *task) error
	// enumerator makes the split enumerator of a source that has one.
	enumerator func() dataflow.Enumerator
}

// port is the sending end of an edge: untyped for the runtime, and a
// dataflow.Input[T] for the chain.
type port struct {
	out dataflow.OutputPort
	in  any
}

// edge makes both ends of an edge; the closures know T.
type edge struct {
	out func(t *task, e *graph.Edge, w []dataflow.ChannelWriter) port
	in  func(t *task, logical int, channels int) dataflow.InputPort
}

// addOp adds an operator of a kind; name is what Flink calls it.
func (e *Env) addOp(kind, name string, opts []Option) *op {
	o := &op{env: e, sides: map[string]reflect.Type{}, edges: map[*graph.Input]edge{},
		node: &graph.Node{Kind: kind, Name: name, Where: caller()}}
	for _, opt := range opts {
		opt(o)
	}
	if e.round != "" {
		o.node.Name = e.round + o.node.Name
		if o.node.UID != "" {
			o.node.UID = e.round + o.node.UID
		}
	}
	e.graph.Add(o.node)
	e.ops = append(e.ops, o)
	return o
}

// addOpOf adds an operator that reads s.
func addOpOf[T any](s Stream[T], kind, name string, opts []Option) *op {
	o := s.env.addOp(kind, name, opts)
	connect(s, o, 0)
	return o
}

// emits records the type that an operator emits. The type must be encodable even
// where the edge turns out to lie inside a chain: a change of parallelism must
// not make a program wrong.
func emits[T any](o *op) {
	if c, ok := codecOf[T](o.env, fmt.Sprintf("operator %q emits", o.node.Name)); ok && c != nil {
		o.node.OutSchema = c.Schema().String()
	}
}

// connect makes to read s as its logical input.
func connect[T any](s Stream[T], to *op, logical int) {
	c, ok := codecOf[T](s.env, fmt.Sprintf("operator %q reads", to.node.Name))
	if !ok || c == nil {
		return // reported
	}
	schema := c.Schema().String()
	if logical == 0 {
		to.node.InSchema = schema
	}
	for _, r := range s.refs {
		in := &graph.Input{From: r.op.node, Side: r.side, Logical: logical, Partitioning: r.part, Explicit: r.explicit,
			Schema: schema, SchemaHash: c.Schema().Hash()}
		to.node.Inputs = append(to.node.Inputs, in)
		to.edges[in] = edgeOf(c, r.route)
	}
}

// readsFirst has a logical input read to its end before the other one, in BATCH with
// blocking exchanges: there what is not read waits on disk.
func (o *op) readsFirst(logical int) {
	for _, in := range o.node.Inputs {
		in.First = in.Logical == logical
	}
}

func edgeOf[T any](c codec.Codec[T], route router[T]) edge {
	pool := newPool[T]() // one an edge, for all subtasks of the process
	return edge{
		out: func(t *task, e *graph.Edge, w []dataflow.ChannelWriter) port {
			p := newOutPort(t, e, w, c, route, pool)
			return port{out: p, in: p}
		},
		in: func(t *task, logical, channels int) dataflow.InputPort {
			return newInPort(t, logical, channels, c, route)
		},
	}
}

// declareSide records a side output of o and checks that its tag has one type.
func declareSide[T any](o *op, tag Tag[T]) {
	t := reflect.TypeFor[T]()
	if old, ok := o.sides[tag.name]; ok && old != t {
		o.env.failf("operator %q: side output %q is both %s and %s", o.node.Name, tag.name, old, t)
		return
	}
	o.sides[tag.name] = t
	codecOf[T](o.env, fmt.Sprintf("side output %q of operator %q", tag.name, o.node.Name))
}

// Tag names a side output and carries its type. It holds no channel: any number
// of operators and subtasks may share one.
type Tag[T any] struct{ name string }

// NewTag returns a tag.
func NewTag[T any](name string) Tag[T] { return Tag[T]{name} }

// Side is the side output tag of the operator that made s.
func Side[T, M any](s Stream[M], tag Tag[T]) Stream[T] {
	out := Stream[T]{env: s.env}
	for _, r := range s.refs {
		if t, ok := r.op.sides[tag.name]; !ok {
			s.env.failf("operator %q has no side output %q: declare it with SideOutput in its factory, or with LateTo", r.op.node.Name, tag.name)
		} else if want := reflect.TypeFor[T](); t != want {
			s.env.failf("side output %q of operator %q is %s, not %s", tag.name, r.op.node.Name, t, want)
		} else {
			out.refs = append(out.refs, ref[T]{op: r.op, side: tag.name})
		}
	}
	return out
}
