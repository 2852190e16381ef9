package graph

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"
)

const (
	// MaxEncodedSize bounds an encoded JobGraph: 100,000 operators with schemas
	// fit, and a JobManager that holds a few of them stays small.
	MaxEncodedSize = 64 << 20
	maxVertices    = 100_000
	maxEdges       = 1_000_000
)

// Encode encodes a graph, the same bytes for equal graphs.
func Encode(g *JobGraph) ([]byte, error) {
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(g)
	if err != nil {
		return nil, fmt.Errorf("graph: encode job %q: %w", g.GetName(), err)
	}
	if len(b) > MaxEncodedSize {
		return nil, fmt.Errorf("graph: job %q has %d bytes encoded, more than %d", g.GetName(), len(b), MaxEncodedSize)
	}
	return b, nil
}

// Decode decodes and validates a graph.
func Decode(b []byte) (*JobGraph, error) {
	if len(b) > MaxEncodedSize {
		return nil, fmt.Errorf("graph: a job graph of %d bytes is longer than %d", len(b), MaxEncodedSize)
	}
	g := &JobGraph{}
	if err := proto.Unmarshal(b, g); err != nil {
		return nil, fmt.Errorf("graph: the job graph is damaged: %w", err)
	}
	if err := Validate(g); err != nil {
		return nil, err
	}
	return g, nil
}

// CheckVersion tells whether this build can run g.
func CheckVersion(g *JobGraph) error {
	if g.Version == 0 || g.Version > Version {
		return fmt.Errorf("graph: job %q has format version %d, this build of goflink reads up to %d: upgrade the cluster or rebuild the job", g.Name, g.Version, Version)
	}
	return nil
}

// Validate checks that a graph is whole and consistent, whoever made it.
func Validate(g *JobGraph) error {
	if err := CheckVersion(g); err != nil {
		return err
	}
	if len(g.Vertices) == 0 || len(g.Vertices) > maxVertices || len(g.Edges) > maxEdges {
		return fmt.Errorf("graph: job %q has %d vertices and %d edges; 1 to %d and up to %d are possible", g.Name, len(g.Vertices), len(g.Edges), maxVertices, maxEdges)
	}
	if g.JobId != "" && !IsID(g.JobId) {
		return fmt.Errorf("graph: job id %q is not 32 hexadecimal digits", g.JobId)
	}
	v := validator{g: g, position: map[string]int{}, operators: map[string]int{}}
	for i, x := range g.Vertices {
		v.vertex(i, x)
	}
	for i, e := range g.Edges {
		v.edge(i, e)
	}
	if len(v.errs) == 0 {
		v.ports()
	}
	return errors.Join(v.errs...)
}

type validator struct {
	g         *JobGraph
	position  map[string]int // of vertices
	operators map[string]int // vertex of an operator
	errs      []error
}

func (v *validator) fail(format string, args ...any) {
	const enough = 20 // a damaged graph would repeat itself
	if len(v.errs) < enough {
		v.errs = append(v.errs, fmt.Errorf("graph: "+format, args...))
	}
}

func (v *validator) vertex(i int, x *Vertex) {
	if len(x.GetOperators()) == 0 {
		v.fail("vertex %d (%q) has no operators", i, x.GetName())
		return
	}
	if x.Id != x.Operators[0].GetId() {
		v.fail("vertex %q has id %q, its head %q", x.Name, x.Id, x.Operators[0].GetId())
	}
	if _, twice := v.position[x.Id]; twice {
		v.fail("vertex id %s occurs twice", x.Id)
	}
	v.position[x.Id] = i
	if x.Parallelism < 1 || x.MaxParallelism < x.Parallelism || x.MaxParallelism > maxParallelismLimit {
		v.fail("vertex %q has parallelism %d and max parallelism %d; 1 <= parallelism <= max parallelism <= %d is wanted", x.Name, x.Parallelism, x.MaxParallelism, maxParallelismLimit)
	}
	for k, op := range x.Operators {
		v.operator(i, k, x, op)
	}
}

func (v *validator) operator(i, k int, x *Vertex, op *Operator) {
	if !IsID(op.GetId()) {
		v.fail("operator %q of vertex %q has id %q, not 32 hexadecimal digits", op.GetName(), x.Name, op.GetId())
		return
	}
	if _, twice := v.operators[op.Id]; twice {
		v.fail("operator id %s occurs twice", op.Id)
	}
	v.operators[op.Id] = i
	for _, in := range op.Inputs {
		at, known := v.operators[in]
		if !known {
			v.fail("operator %q reads %q, which does not come before it", op.Name, in)
		}
		if k > 0 && (at != i || len(op.Inputs) != 1) {
			v.fail("operator %q is chained but does not read one operator of its own vertex", op.Name)
		}
	}
	if k > 0 && len(op.Inputs) == 0 {
		v.fail("operator %q is chained but reads nothing", op.Name)
	}
}

func (v *validator) edge(i int, e *Edge) {
	from, ok1 := v.position[e.GetSource()]
	to, ok2 := v.position[e.GetTarget()]
	if !ok1 || !ok2 {
		v.fail("edge %d goes from %q to %q, which are not both vertices", i, e.GetSource(), e.GetTarget())
		return
	}
	if from >= to {
		v.fail("edge %d from %q to %q goes backwards: the graph must have no cycle", i, v.g.Vertices[from].Name, v.g.Vertices[to].Name)
	}
	if at, ok := v.operators[e.SourceOperator]; !ok || at != from {
		v.fail("edge %d comes from operator %q, which is not part of vertex %q", i, e.SourceOperator, v.g.Vertices[from].Name)
	}
	if _, ok := Partitioning_name[int32(e.Partitioning)]; !ok {
		v.fail("edge %d has unknown partitioning %d", i, e.Partitioning)
	}
	if e.Partitioning == Partitioning_FORWARD && v.g.Vertices[from].Parallelism != v.g.Vertices[to].Parallelism {
		v.fail("edge %d is forward between parallelism %d and %d", i, v.g.Vertices[from].Parallelism, v.g.Vertices[to].Parallelism)
	}
	if e.Input < 0 || e.Input > 1 {
		v.fail("edge %d leads to input %d; 0 and 1 are possible", i, e.Input)
	}
}

// ports checks dense-ports.
func (v *validator) ports() {
	outs, ins := map[string]map[int32]bool{}, map[string]map[int32]bool{}
	put := func(m map[string]map[int32]bool, id string, port int32) {
		if m[id] == nil {
			m[id] = map[int32]bool{}
		}
		m[id][port] = true
	}
	count := map[string][2]int32{}
	for _, e := range v.g.Edges {
		put(outs, e.Source, e.OutputIndex)
		put(ins, e.Target, e.InputIndex)
		s, t := count[e.Source], count[e.Target]
		s[0]++
		count[e.Source] = s
		t = count[e.Target]
		t[1]++
		count[e.Target] = t
	}
	for _, x := range v.g.Vertices {
		n := count[x.Id]
		if !dense(outs[x.Id], n[0]) || !dense(ins[x.Id], n[1]) {
			v.fail("the edges of vertex %q are not numbered from 0 without gaps", x.Name)
		}
	}
}

func dense(ports map[int32]bool, n int32) bool {
	if int32(len(ports)) != n {
		return false
	}
	for p := range ports {
		if p < 0 || p >= n {
			return false
		}
	}
	return true
}
