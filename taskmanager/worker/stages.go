package worker

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"goflink/control"
	"goflink/dataflow"
	"goflink/graph"
	"goflink/taskmanager/exchange"
	"goflink/taskmanager/partition"
)

// Blocking exchanges: a task writes what it sends over a blocking edge to a result
// partition on local disk. When a later region is deployed that reads it, this
// worker takes part in that region's attempt: it serves the partition over the
// exchange, as if the task that wrote it were sending.

// writing is a partition that a task writes.
type writing struct {
	key partition.Key
	w   *partition.Writer
}

// sortBuffers are the network buffers that a task may gather for an edge before it
// writes them (taskmanager.network.sort-shuffle.min-buffers of Flink): 16 MiB make
// long stretches for some hundred targets.
const sortBuffers = 512

// blocking tells that the job has blocking edges.
func (s *settings) blocking() bool {
	return slices.ContainsFunc(s.graph.Edges, func(e *graph.Edge) bool { return e.Blocking })
}

// writePartition makes the partition of a task for an outgoing edge.
func (a *attempt) writePartition(t *task, edge int, e *graph.Edge) ([]dataflow.ChannelWriter, error) {
	to := a.vertices[e.Target]
	targets := graph.Targets(e.Partitioning, int(t.id.Subtask), int(t.vertex.Parallelism), int(to.Parallelism))
	need := int((partition.MinMemory(len(targets)) + dataflow.BufferSize - 1) / dataflow.BufferSize)
	// More makes longer stretches, but others of this worker write, too, now or
	// later: a quarter of all stays for what they need at least.
	total, free := a.w.net.Buffers()
	got, err := a.w.net.Reserve(need, max(0, min(sortBuffers, (free-total/4)/8)-need))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", t.name, err)
	}
	t.reserved += got
	key := partition.Key{Attempt: a.partitions(), Edge: int32(edge), Subtask: t.id.Subtask}
	w, err := a.w.partitions.Create(key, len(targets), int64(got)*dataflow.BufferSize)
	if err != nil {
		return nil, err
	}
	t.writes = append(t.writes, writing{key, w})
	return w.Channels(), nil
}

// partitions is what the partitions of this attempt are named by.
func (a *attempt) partitions() partition.Attempt {
	return partition.Attempt{Epoch: a.id.Epoch, Region: a.id.Region, Attempt: a.id.Attempt}
}

// finishPartitions makes what was written readable. The task has flushed, and
// sends nothing any more.
func (t *task) finishPartitions() error {
	for _, p := range t.writes {
		if err := p.w.Finish(); err != nil {
			return err
		}
		t.w.partitions.Add(p.key)
	}
	return nil
}

// dropPartitions gives up what is not whole, and the memory for it.
func (t *task) dropPartitions() {
	for _, p := range t.writes {
		p.w.Abort()
	}
	t.writes = nil
	t.w.net.Unreserve(t.reserved)
	t.reserved = 0
}

// endsAlone tells that a task may end when its data has, without a checkpoint or
// commit of the whole job: later stages wait for it. A task with something to
// commit waits for the last stage.
func (t *task) endsAlone() bool {
	return t.w.staged && !slices.ContainsFunc(t.vertex.Operators, func(op *graph.Operator) bool { return op.Commits })
}

// serving is what an attempt reads from this worker's partitions.
type serving struct {
	out   *exchange.Outputs
	open  []*partition.Partition
	feeds [][]exchange.Feed
	// producers wrote them, by edge of out.
	producers []*control.Task
}

// openReads opens the partitions that a deployment reads, and their channels. What
// cannot be read is reported, and whoever wrote it will write it again.
func (a *attempt) openReads(d *control.DeployTasks) error {
	if len(d.Reads) == 0 {
		return nil
	}
	a.reads = &serving{}
	var edges [][]exchange.TargetChannel
	for _, r := range d.Reads {
		channels, feeds, err := a.openRead(r)
		var disk *partition.Error
		switch {
		case errors.As(err, &disk):
			a.w.partitionLost(r.Producer, err)
			return nil // this attempt is about to be cancelled
		case err != nil:
			return err
		}
		edges = append(edges, channels)
		a.reads.feeds, a.reads.producers = append(a.reads.feeds, feeds), append(a.reads.producers, r.Producer)
	}
	var err error
	a.reads.out, err = a.session.NewOutputs(a.ctx, exchange.OutputsOptions{Task: "result partitions of worker " + a.w.start.WorkerId,
		Blocked: new(bool), Wake: func() {}, Edges: edges, Served: true})
	return err
}

func (a *attempt) openRead(r *control.PartitionRead) ([]exchange.TargetChannel, []exchange.Feed, error) {
	if r.Edge < 0 || int(r.Edge) >= len(a.w.graph.Edges) {
		return nil, nil, internalf("the job's graph has no edge %d", r.Edge)
	}
	e := a.w.graph.Edges[r.Edge]
	from, to := a.vertices[e.Source], a.vertices[e.Target]
	p, err := a.w.partitions.Open(partition.Key{Edge: r.Edge, Subtask: r.Producer.Subtask,
		Attempt: partition.Attempt{Epoch: a.id.Epoch, Region: r.Region, Attempt: r.Producer.Attempt}})
	if err != nil {
		return nil, nil, err
	}
	a.reads.open = append(a.reads.open, p)
	targets := graph.Targets(e.Partitioning, int(r.Producer.Subtask), int(from.Parallelism), int(to.Parallelism))
	var channels []exchange.TargetChannel
	var feeds []exchange.Feed
	for _, target := range r.Targets {
		peer, _, err := a.locate(to, int(target))
		if err != nil {
			return nil, nil, err
		}
		reader, err := p.Reader(slices.Index(targets, int(target)))
		if err != nil {
			return nil, nil, err
		}
		channels = append(channels, exchange.TargetChannel{Peer: peer, Encoded: true,
			Channel: exchange.ChannelID{Edge: int(r.Edge), Source: int(r.Producer.Subtask), Target: int(target)}})
		feeds = append(feeds, a.blaming(r.Producer, reader.Next))
	}
	return channels, feeds, nil
}

// blaming reports what cannot be read.
func (a *attempt) blaming(producer *control.Task, next exchange.Feed) exchange.Feed {
	return func(alloc func(int) *dataflow.Buffer) (*dataflow.Buffer, error) {
		b, err := next(alloc)
		var disk *partition.Error
		if errors.As(err, &disk) {
			a.w.partitionLost(producer, err)
		}
		return b, err
	}
}

func (w *worker) partitionLost(producer *control.Task, err error) {
	w.Log.Warn("a result partition cannot be read", "vertex", producer.VertexId, "subtask", producer.Subtask, "error", err)
	w.send(&control.WorkerEvent{Event: &control.WorkerEvent_PartitionLost{PartitionLost: &control.PartitionLost{Producer: producer, Reason: err.Error()}}})
}

// serve sends what the region reads here, once its channels are connected.
func (a *attempt) serve() {
	if a.reads == nil || a.reads.out == nil {
		return
	}
	a.wg.Go(func() {
		if err := a.reads.out.Serve(a.reads.feeds); err != nil && a.ctx.Err() == nil && !errors.Is(err, context.Canceled) {
			a.w.Log.Warn("serving result partitions ended", "attempt", a.id.String(), "error", err)
		}
	})
}

// closeReads closes the files; serve has ended.
func (a *attempt) closeReads() {
	if a.reads == nil {
		return
	}
	for _, p := range a.reads.open {
		_ = p.Close() // it was only read
	}
}

// release removes partitions that nobody needs any more.
func (w *worker) release(c *control.ReleasePartitions) {
	err := w.partitions.Release(partition.Attempt{Epoch: w.epoch, Region: c.Region, Attempt: c.Attempt})
	if err != nil {
		w.Log.Warn("result partitions are left behind until the job ends", "error", err)
	}
}
