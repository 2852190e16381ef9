package stream

import (
	"errors"
	"fmt"
	"maps"

	"goflink/conf"
	"goflink/dataflow"
	"goflink/graph"
)

// Program is a built graph: what the runtime makes tasks of. It is not changed
// after Env.Program and may be used by many goroutines.
type Program struct {
	chained *graph.Chained
	ops     map[*graph.Node]*op
	uses    map[*graph.Node][]use
	// periodMS is pipeline.auto-watermark-interval in milliseconds.
	periodMS int64
	// batch: all input is bounded and only final results are wanted
	// (execution.runtime-mode).
	batch bool
}

// use is a consumer of a node.
type use struct {
	op *op
	in *graph.Input
}

var _ dataflow.Program = (*Program)(nil)

// Program chains the graph, or returns everything that is wrong with it.
func (e *Env) Program() (*Program, error) {
	c := e.Conf()
	e.graph.Parallelism = conf.ParallelismDefault.Get(c)
	e.graph.MaxParallelism = conf.PipelineMaxParallelism.Get(c)
	e.graph.NoChaining = !conf.PipelineOperatorChaining.Get(c)
	e.graph.Config = e.own.Map()
	if err := e.Err(); err != nil {
		return nil, err
	}
	batch, err := e.batchMode(c)
	if err != nil {
		return nil, err
	}
	e.graph.Blocking = batch && conf.ExecutionBatchShuffleMode.Get(c) == conf.ShuffleBlocking
	if e.batchOnly != "" && !e.graph.Blocking {
		return nil, fmt.Errorf("%s needs execution.runtime-mode BATCH and execution.batch-shuffle-mode %s: elsewhere nobody knows when a round is over", e.batchOnly, conf.ShuffleBlocking)
	}
	chained, err := graph.Build(e.graph)
	if err != nil {
		return nil, err
	}
	p := &Program{chained: chained, ops: map[*graph.Node]*op{}, uses: map[*graph.Node][]use{},
		periodMS: conf.PipelineAutoWatermarkInterval.Get(c).Milliseconds(), batch: batch}
	for _, o := range e.ops {
		p.ops[o.node] = o
		for _, in := range o.node.Inputs {
			p.uses[in.From] = append(p.uses[in.From], use{o, in})
		}
	}
	return p, nil
}

// batchMode decides between STREAMING and BATCH. What AUTOMATIC came to goes into
// the job's configuration: the JobManager does not know the sources.
func (e *Env) batchMode(c *conf.Config) (bool, error) {
	switch mode := conf.ExecutionRuntimeMode.Get(c); {
	case mode == conf.RuntimeBatch && e.unbounded:
		return false, errors.New("execution.runtime-mode is BATCH, but a source of the program never ends; use STREAMING")
	case mode == conf.RuntimeBatch:
		return true, nil
	case mode == conf.RuntimeStreaming:
		return false, nil
	}
	mode := conf.RuntimeBatch
	if e.unbounded {
		mode = conf.RuntimeStreaming
	}
	e.graph.Config[conf.ExecutionRuntimeMode.Key] = string(mode)
	return !e.unbounded, nil
}

// JobGraph is the chained graph. The caller may change the result.
func (p *Program) JobGraph() *graph.JobGraph {
	g := p.chained.Graph
	return &graph.JobGraph{
		Version: g.Version, Name: g.Name, Vertices: g.Vertices, Edges: g.Edges, Config: maps.Clone(g.Config),
		Fingerprint: g.Fingerprint, MaxParallelism: g.MaxParallelism, Once: maps.Clone(g.Once),
		Protocol: g.Protocol, Regions: g.Regions, Rescales: g.Rescales, Warnings: g.Warnings,
	}
}

// NewEnumerator makes the enumerator of a source operator.
func (p *Program) NewEnumerator(operatorID string) (dataflow.Enumerator, error) {
	n := p.chained.Node(operatorID)
	if n == nil {
		return nil, fmt.Errorf("program has no operator %s", operatorID)
	}
	make := p.ops[n].enumerator
	if make == nil {
		return nil, fmt.Errorf("operator %q has no split enumerator", n.Name)
	}
	return make(), nil
}

// BuildChain makes the task of one subtask of a vertex.
func (p *Program) BuildChain(vertexID string, env *dataflow.Env) (*dataflow.Chain, error) {
	ch := p.chained.ChainOf(vertexID)
	if ch == nil {
		return nil, fmt.Errorf("program has no vertex %s", vertexID)
	}
	t := &task{program: p, env: env, chain: ch, inputs: map[*graph.Node]any{}, ports: map[*graph.Input]any{}, gates: map[int]any{}}
	if err := t.buildOutputs(); err != nil {
		return nil, err
	}
	t.operators = make([]dataflow.Operator, len(ch.Nodes))
	for i := len(ch.Nodes) - 1; i >= 0; i-- { // consumers first
		t.at = i
		if err := p.ops[ch.Nodes[i]].build(t); err != nil {
			return nil, fmt.Errorf("operator %q: %w", ch.Nodes[i].Name, err)
		}
	}
	if err := t.buildInputs(); err != nil {
		return nil, err
	}
	return &dataflow.Chain{
		Source: t.source, Inputs: t.in, Outputs: t.out, Operators: t.operators,
		NextTimer: t.nextTimer, FireTimers: t.fireTimers, Backlog: t.chainBacklog(),
	}, nil
}
