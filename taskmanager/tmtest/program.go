package tmtest

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"goflink/dataflow"
	"goflink/graph"
	"goflink/state"
)

// Ids of the vertices of a Job, and of their operators.
const (
	SourceID = "source"
	KeyedID  = "keyed"
	SinkID   = "sink"
)

// Job is a test program: numbered records from the sources, counted by key,
// collected by sinks that commit with checkpoints. The output of a whole run
// is, for each key, the counts 1, 2, 3, …, once each.
type Job struct {
	Sources, Counters, Sinks int32
	// Prefix begins the ids of its vertices, so that a Program of several jobs can
	// tell them apart.
	Prefix string
	// Records is how many each source emits; 0: endless.
	Records int64
	// Keys is the number of keys.
	Keys int64
	// Hold stops each source after that many records until Release; 0: never.
	Hold int64
	// PadState adds bytes to each counter's keyed state, to make it large.
	PadState int
	// Stores makes counters keep their state in state.Keyed, on the backend of the
	// worker's configuration.
	Stores bool
	// Cmd makes counters misbehave: "panic", "hang", "leak", "fail" at the record
	// with number At.
	Cmd string
	At  int64
	// FlushAfter are the buffer time-outs of vertices that have one of their own.
	FlushAfter map[string]*time.Duration
	// File takes committed lines when the program runs in a process of its own.
	File string

	release chan struct{}
	once    sync.Once
	// Committed is the output in this process.
	Committed struct {
		sync.Mutex
		Lines []string
	}
	// OnCount is called for each record counted, on the task's goroutine.
	OnCount func(env *dataflow.Env, v int64) error
	// OnSnapshot is called in each counter's Snapshot.
	OnSnapshot func(env *dataflow.Env, c dataflow.Checkpoint) error
	Finished   atomic.Int32 // operators whose Finish ran
	Closed     atomic.Int32
	Emitted    atomic.Int64 // by all sources
}

// Released returns the channel that Release closes.
func (j *Job) Released() chan struct{} {
	j.once.Do(func() { j.release = make(chan struct{}) })
	return j.release
}

// Release lets held sources go on.
func (j *Job) Release() { close(j.Released()) }

// JobGraph implements dataflow.Program.
func (j *Job) JobGraph() *graph.JobGraph {
	op := func(id string, keyed, commits bool) []*graph.Operator {
		o := &graph.Operator{Id: id, Name: id + "-op", Commits: commits}
		if keyed {
			o.KeySchema = "int64"
		}
		return []*graph.Operator{o}
	}
	v := func(id string, n int32, keyed, commits bool) *graph.Vertex {
		id = j.Prefix + id
		return &graph.Vertex{Id: id, Name: id, Parallelism: n, MaxParallelism: 128, Operators: op(id, keyed, commits)}
	}
	return &graph.JobGraph{Name: "test", MaxParallelism: 128,
		Vertices: []*graph.Vertex{v(SourceID, j.Sources, false, false), v(KeyedID, j.Counters, true, false), v(SinkID, j.Sinks, false, true)},
		Edges: []*graph.Edge{
			{Source: j.Prefix + SourceID, Target: j.Prefix + KeyedID, Partitioning: graph.Partitioning_HASH, SourceOperator: j.Prefix + SourceID},
			{Source: j.Prefix + KeyedID, Target: j.Prefix + SinkID, Partitioning: graph.Partitioning_REBALANCE, SourceOperator: j.Prefix + KeyedID},
		}}
}

// Pair is a program of two jobs side by side, with different prefixes.
type Pair [2]*Job

// JobGraph implements dataflow.Program.
func (p Pair) JobGraph() *graph.JobGraph {
	g, more := p[0].JobGraph(), p[1].JobGraph()
	g.Vertices, g.Edges = append(g.Vertices, more.Vertices...), append(g.Edges, more.Edges...)
	return g
}

// BuildChain implements dataflow.Program.
func (p Pair) BuildChain(vertexID string, env *dataflow.Env) (*dataflow.Chain, error) {
	for _, j := range p {
		if strings.HasPrefix(vertexID, j.Prefix) {
			return j.BuildChain(vertexID, env)
		}
	}
	return nil, fmt.Errorf("no vertex %s", vertexID)
}

// NewEnumerator implements dataflow.Program; the jobs have none.
func (p Pair) NewEnumerator(id string) (dataflow.Enumerator, error) { return p[0].NewEnumerator(id) }

// NewEnumerator implements dataflow.Program; the job has none.
func (j *Job) NewEnumerator(id string) (dataflow.Enumerator, error) {
	return nil, fmt.Errorf("no enumerator %s", id)
}

// BuildChain implements dataflow.Program.
func (j *Job) BuildChain(vertexID string, env *dataflow.Env) (*dataflow.Chain, error) {
	b := base{job: j, env: env, id: vertexID}
	switch strings.TrimPrefix(vertexID, j.Prefix) {
	case SourceID:
		s := &source{base: b, out: b.newPort(0)}
		return &dataflow.Chain{Source: s, Operators: []dataflow.Operator{s}, Outputs: []dataflow.OutputPort{s.out}}, nil
	case KeyedID:
		if j.Stores {
			c := &keyedCounter{base: b, out: b.newPort(0)}
			return &dataflow.Chain{Inputs: []dataflow.InputPort{&inPort{base: b, collect: c.collect}}, Operators: []dataflow.Operator{c}, Outputs: []dataflow.OutputPort{c.out}}, nil
		}
		c := &counter{base: b, out: b.newPort(0), counts: map[int64]int64{}}
		return &dataflow.Chain{Inputs: []dataflow.InputPort{&inPort{base: b, collect: c.collect}}, Operators: []dataflow.Operator{c}, Outputs: []dataflow.OutputPort{c.out}}, nil
	case SinkID:
		s := &sink{base: b, pending: map[int64][]int64{}}
		return &dataflow.Chain{Inputs: []dataflow.InputPort{&inPort{base: b, collect: s.collect}}, Operators: []dataflow.Operator{s}}, nil
	}
	return nil, fmt.Errorf("no vertex %s", vertexID)
}

// Commit adds lines to the output.
func (j *Job) Commit(lines []string) error {
	if j.File == "" {
		j.Committed.Lock()
		defer j.Committed.Unlock()
		j.Committed.Lines = append(j.Committed.Lines, lines...)
		return nil
	}
	f, err := os.OpenFile(j.File, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	for _, l := range lines {
		if _, err := f.WriteString(l + "\n"); err != nil {
			return err
		}
	}
	return nil
}

// batch is what local channels carry.
type batch struct{ v []int64 }

// Rows implements dataflow.Batch.
func (b *batch) Rows() int { return len(b.v) }

// Release implements dataflow.Batch.
func (b *batch) Release() {}

const batchRows = 64

// port is a typed edge of int64 records.
type port struct {
	w       []dataflow.ChannelWriter
	pending [][]int64
	rows    int64
	next    int
	after   *time.Duration
}

// FlushAfter implements dataflow.TimedPort.
func (p *port) FlushAfter() (time.Duration, bool) {
	if p.after == nil {
		return 0, false
	}
	return *p.after, true
}

func (b *base) newPort(i int) *port {
	w := b.env.Outputs[i]
	return &port{w: w, pending: make([][]int64, len(w)), after: b.job.FlushAfter[strings.TrimPrefix(b.id, b.job.Prefix)]}
}

func (p *port) emit(ch int, v int64) error {
	p.rows++
	p.pending[ch] = append(p.pending[ch], v)
	if len(p.pending[ch]) >= batchRows {
		return p.send(ch)
	}
	return nil
}

func (p *port) roundRobin(v int64) error {
	p.next = (p.next + 1) % len(p.w)
	return p.emit(p.next, v)
}

func (p *port) send(ch int) error {
	v := p.pending[ch]
	p.pending[ch] = nil
	if p.w[ch].Local() {
		return p.w[ch].SendBatch(&batch{v})
	}
	b := p.w[ch].NewBuffer(8 * len(v))
	for _, x := range v {
		b.Data = binary.BigEndian.AppendUint64(b.Data, uint64(x))
	}
	b.Rows = len(v)
	return p.w[ch].SendBuffer(b)
}

// Flush implements dataflow.OutputPort.
func (p *port) Flush() error {
	for ch := range p.pending {
		if len(p.pending[ch]) > 0 {
			if err := p.send(ch); err != nil {
				return err
			}
		}
	}
	return nil
}

// Pending implements dataflow.OutputPort.
func (p *port) Pending() bool {
	for _, v := range p.pending {
		if len(v) > 0 {
			return true
		}
	}
	return false
}

// Rows implements dataflow.OutputPort.
func (p *port) Rows() int64 { return p.rows }

type inPort struct {
	base
	collect func(v int64) error
	rows    int64
	ended   int
}

// ProcessBatch implements dataflow.InputPort.
func (p *inPort) ProcessBatch(_ int, b dataflow.Batch, from int) (int, bool, error) {
	v := b.(*batch).v
	for i := from; i < len(v); i++ {
		if (*p.env.Blocked || p.env.Yield.Load()) && i > from {
			return i, false, nil
		}
		p.rows++
		if err := p.collect(v[i]); err != nil {
			return i, false, err
		}
	}
	return len(v), true, nil
}

// ProcessBytes implements dataflow.InputPort.
func (p *inPort) ProcessBytes(_ int, data []byte, from int) (int, bool, error) {
	for at := from; at < len(data); at += 8 {
		if (*p.env.Blocked || p.env.Yield.Load()) && at > from {
			return at, false, nil
		}
		p.rows++
		if err := p.collect(int64(binary.BigEndian.Uint64(data[at:]))); err != nil {
			return at, false, err
		}
	}
	return len(data), true, nil
}

// EncodeBatch implements dataflow.InflightPort.
func (p *inPort) EncodeBatch(b dataflow.Batch, from int) ([]dataflow.Buffer, error) {
	out := dataflow.Buffer{}
	for _, v := range b.(*batch).v[from:] {
		out.Data = binary.BigEndian.AppendUint64(out.Data, uint64(v))
		out.Rows++
	}
	return []dataflow.Buffer{out}, nil
}

// EncodeBytes implements dataflow.InflightPort.
func (p *inPort) EncodeBytes(_ int, data []byte, from int) ([]dataflow.Buffer, error) {
	return []dataflow.Buffer{{Data: bytes.Clone(data[from:]), Rows: (len(data) - from) / 8}}, nil
}

// Sift implements dataflow.InflightPort.
func (p *inPort) Sift(data []byte, own, _ bool) ([]dataflow.Buffer, error) {
	out := dataflow.Buffer{}
	for ; len(data) > 0; data = data[8:] {
		v := int64(binary.BigEndian.Uint64(data))
		if group := int(v%p.job.Keys) % p.env.MaxParallelism; own && state.SubtaskFor(group, p.env.MaxParallelism, p.env.Parallelism) != p.env.Subtask {
			continue
		}
		out.Data = binary.BigEndian.AppendUint64(out.Data, uint64(v))
		out.Rows++
	}
	return []dataflow.Buffer{out}, nil
}

// Settled implements dataflow.InflightPort.
func (p *inPort) Settled() dataflow.Buffer { return dataflow.Buffer{} }

// ChannelEnded implements dataflow.InputPort.
func (p *inPort) ChannelEnded(int) error { p.ended++; return nil }

// Rows implements dataflow.InputPort.
func (p *inPort) Rows() int64 { return p.rows }

// base is an operator that does nothing.
type base struct {
	job *Job
	env *dataflow.Env
	id  string
}

func (b *base) ID() string                     { return b.id }
func (b *base) Open(context.Context) error     { return nil }
func (b *base) PrepareBarrier(int64) error     { return nil }
func (b *base) CheckpointComplete(int64) error { return nil }
func (b *base) CheckpointAborted(int64) error  { return nil }
func (b *base) CommitFinal() error             { return nil }
func (b *base) Finish() error                  { b.job.Finished.Add(1); return nil }
func (b *base) Close() error                   { b.job.Closed.Add(1); return nil }
