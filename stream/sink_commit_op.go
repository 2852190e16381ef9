package stream

import (
	"context"
	"fmt"
	"math"
	"time"

	"goflink/codec"
	"goflink/conf"
	"goflink/dataflow"
)

// The list states of sinks: of writers, of committables that wait for their
// checkpoint, and of those that wait to be compacted.
const (
	writerState  = "writer"
	pendingState = "pending"
	waitingState = "waiting"
)

// writerOp runs a sink's writer, and its committer unless committables go to
// another operator.
type writerOp[T, W, C any] struct {
	base
	kind   *sinkKind[T, W, C]
	writer SinkWriter[T, W, C]
	timer  SinkTimer
	commit commits[C]
	out    Out[C]
	ended  bool
}

// Open commits what the restored checkpoint holds, then makes the writer.
func (o *writerOp[T, W, C]) Open(ctx context.Context) error {
	restored, _ := restoredLists(&o.base)
	sc := &SinkContext{&o.base}
	if o.node.Commits {
		if err := o.commit.open(ctx, &o.base, o.kind.kept, o.kind.Committer, restored); err != nil {
			return err
		}
	}
	states, err := decodeList(restored, writerState, o.kind.state)
	if err != nil {
		return fmt.Errorf("operator %q: state of its writers: %w", o.name, err)
	}
	if o.writer, err = o.kind.Writer(sc, states); err != nil {
		return o.fail(err)
	}
	o.timer, _ = o.writer.(SinkTimer)
	return nil
}

// Collect writes a record.
func (o *writerOp[T, W, C]) Collect(r *dataflow.Rec[T]) error {
	if err := o.writer.Write(*r); err != nil {
		return o.fail(err)
	}
	return nil
}

// prepare flushes and takes the committables. After the end of data there are no
// more.
func (o *writerOp[T, W, C]) prepare(end bool) error {
	if o.ended {
		return nil
	}
	o.ended = end
	if err := o.writer.Flush(end); err != nil {
		return o.fail(err)
	}
	if !o.node.Commits && !o.kind.emits {
		return nil
	}
	list, err := o.writer.PrepareCommit()
	if err != nil {
		return o.fail(err)
	}
	if !o.kind.emits {
		o.commit.add(list)
		return nil
	}
	o.out.rec.TS = dataflow.NoTimestamp
	for _, c := range list {
		o.out.Emit(c)
	}
	return o.out.err
}

func (o *writerOp[T, W, C]) PrepareBarrier(int64) error { return o.prepare(false) }
func (o *writerOp[T, W, C]) Finish() error              { return o.prepare(true) }

// Snapshot keeps the writer's state and all committables that wait.
func (o *writerOp[T, W, C]) Snapshot(c dataflow.Checkpoint) (dataflow.OperatorSnapshot, error) {
	var s dataflow.OperatorSnapshot
	states, err := o.writer.Snapshot(c.ID)
	if err != nil {
		return s, o.fail(err)
	}
	if len(states) > 0 {
		l, err := encodeList(writerState, o.kind.state, states)
		if err != nil {
			return s, fmt.Errorf("operator %q: %w", o.name, err)
		}
		s.Lists = append(s.Lists, l)
	}
	if o.node.Commits {
		l, err := o.commit.snapshot(c.ID)
		if err != nil {
			return s, fmt.Errorf("operator %q: %w", o.name, err)
		}
		s.Lists = append(s.Lists, l)
	}
	return s, nil
}

func (o *writerOp[T, W, C]) CheckpointComplete(id int64) error { return o.commit.complete(id) }

// CommitFinal commits everything; there are no checkpoints to wait for.
func (o *writerOp[T, W, C]) CommitFinal() error {
	if err := o.prepare(true); err != nil {
		return err
	}
	return o.commit.all()
}

func (o *writerOp[T, W, C]) nextProc() (int64, bool) {
	if o.timer == nil || o.ended {
		return 0, false
	}
	return o.timer.NextTimer()
}

func (o *writerOp[T, W, C]) fireProc(now int64) error { return o.fail(o.timer.OnTimer(now)) }

// Close closes writer and committer.
func (o *writerOp[T, W, C]) Close() error {
	var err error
	if o.writer != nil {
		err = o.fail(o.writer.Close())
	}
	if cerr := o.commit.close(); err == nil {
		err = cerr
	}
	return err
}

// preCommitter may hold committables back, or make others of them, before they
// are committed.
type preCommitter[C any] interface {
	// prepare takes what waits at a barrier, and gives what is to be committed
	// and what waits on; end: nothing follows.
	prepare(ctx context.Context, waiting []C, end bool) (ready, rest []C, err error)
	// stored tells that a checkpoint holds what was prepared so far, completed that
	// such a one is complete.
	stored(checkpoint int64)
	completed(ctx context.Context, checkpoint int64) error
}

// committerOp commits what the writers of a sink emit.
type committerOp[C any] struct {
	base
	codec   codec.Codec[C]
	make    func(*SinkContext) (Committer[C], error)
	pre     func(*SinkContext) preCommitter[C]
	prep    preCommitter[C]
	waiting []C
	commit  commits[C]
	ended   bool
}

// Open commits what the restored checkpoint holds.
func (o *committerOp[C]) Open(ctx context.Context) error {
	restored, _ := restoredLists(&o.base)
	if o.pre != nil {
		o.prep = o.pre(&SinkContext{&o.base})
		waiting, err := decodeList(restored, waitingState, o.codec)
		if err != nil {
			return fmt.Errorf("operator %q: %w", o.name, err)
		}
		o.waiting = waiting
	}
	return o.commit.open(ctx, &o.base, o.codec, o.make, restored)
}

// Collect takes a committable.
func (o *committerOp[C]) Collect(r *dataflow.Rec[C]) error {
	if o.prep == nil {
		o.commit.add([]C{o.codec.Copy(r.V)})
	} else {
		o.waiting = append(o.waiting, o.codec.Copy(r.V))
	}
	return nil
}

func (o *committerOp[C]) prepare(end bool) error {
	if o.prep == nil || o.ended {
		return nil
	}
	o.ended = end
	ready, rest, err := o.prep.prepare(o.t.env.Ctx, o.waiting, end)
	if err != nil {
		return o.fail(err)
	}
	o.waiting = rest
	o.commit.add(ready)
	return nil
}

func (o *committerOp[C]) PrepareBarrier(int64) error { return o.prepare(false) }
func (o *committerOp[C]) Finish() error              { return o.prepare(true) }

// Snapshot keeps all committables.
func (o *committerOp[C]) Snapshot(c dataflow.Checkpoint) (s dataflow.OperatorSnapshot, err error) {
	l, err := o.commit.snapshot(c.ID)
	if err == nil {
		s.Lists = append(s.Lists, l)
		if o.prep != nil {
			o.prep.stored(c.ID)
			l, err = encodeList(waitingState, o.codec, o.waiting)
			s.Lists = append(s.Lists, l)
		}
	}
	if err != nil {
		return s, fmt.Errorf("operator %q: %w", o.name, err)
	}
	return s, nil
}

func (o *committerOp[C]) CheckpointComplete(id int64) error {
	if err := o.commit.complete(id); err != nil {
		return err
	}
	if o.prep != nil {
		return o.fail(o.prep.completed(o.t.env.Ctx, id))
	}
	return nil
}

// CommitFinal commits everything; there are no checkpoints to wait for.
func (o *committerOp[C]) CommitFinal() error {
	if err := o.prepare(true); err != nil {
		return err
	}
	if err := o.commit.all(); err != nil {
		return err
	}
	if o.prep != nil {
		o.prep.stored(math.MaxInt64)
		return o.fail(o.prep.completed(o.t.env.Ctx, math.MaxInt64))
	}
	return nil
}

func (o *committerOp[C]) Close() error { return o.commit.close() }

// commits are the committables of an operator, oldest first, on their way to its
// committer.
type commits[C any] struct {
	b         *base
	codec     codec.Codec[C]
	committer Committer[C]
	retries   int
	pending   []pendingCommit[C]
}

// pendingCommit: checkpoint is the first one that holds it, 0 while there is none.
type pendingCommit[C any] struct {
	c          C
	checkpoint int64
}

func (k *commits[C]) open(ctx context.Context, b *base, c codec.Codec[C], make func(*SinkContext) (Committer[C], error), restored []dataflow.ListState) error {
	k.b, k.codec, k.retries = b, c, conf.SinkCommitterRetries.Get(b.t.env.Conf)
	var err error
	if k.committer, err = make(&SinkContext{b}); err != nil {
		return b.fail(err)
	}
	list, err := decodeList(restored, pendingState, c)
	if err != nil {
		return fmt.Errorf("operator %q: pending committables: %w", b.name, err)
	}
	k.add(list)
	return k.commit(ctx, len(k.pending))
}

func (k *commits[C]) add(list []C) {
	for _, c := range list {
		k.pending = append(k.pending, pendingCommit[C]{c: c})
	}
}

func (k *commits[C]) snapshot(id int64) (dataflow.ListState, error) {
	list := make([]C, len(k.pending))
	for i := range k.pending {
		p := &k.pending[i]
		if p.checkpoint == 0 {
			p.checkpoint = id
		}
		list[i] = p.c
	}
	return encodeList(pendingState, k.codec, list)
}

// complete commits what a checkpoint, or an earlier one, holds.
func (k *commits[C]) complete(id int64) error {
	n := 0
	for n < len(k.pending) && k.pending[n].checkpoint != 0 && k.pending[n].checkpoint <= id {
		n++
	}
	return k.commit(k.ctx(), n)
}

func (k *commits[C]) all() error { return k.commit(k.ctx(), len(k.pending)) }

func (k *commits[C]) ctx() context.Context {
	if k.b == nil {
		return context.Background() // there is nothing to commit
	}
	return k.b.t.env.Ctx
}

// The pause between tries of a commit: short enough for what heals at once, and
// together, with the default number of retries, longer than a NameNode's failover.
var commitPause, commitPauseMax = 100 * time.Millisecond, 10 * time.Second

// commit commits the first n. Tries are made in place, so that a task does not
// end, nor a later checkpoint overtake, before what it made ready is visible.
func (k *commits[C]) commit(ctx context.Context, n int) error {
	if n == 0 {
		return nil
	}
	requests := make([]*CommitRequest[C], n)
	for i := range requests {
		requests[i] = &CommitRequest[C]{Committable: k.pending[i].c}
	}
	for try := 1; len(requests) > 0; try++ {
		if err := k.committer.Commit(ctx, requests); err != nil {
			return k.b.fail(err)
		}
		var err error
		if requests, err = k.again(requests); err != nil {
			return err
		}
		if len(requests) > 0 && !pauseFor(ctx, min(commitPause<<min(try-1, 20), commitPauseMax)) {
			return ctx.Err()
		}
	}
	k.pending = k.pending[n:]
	return nil
}

// again are the requests that are to be tried once more.
func (k *commits[C]) again(requests []*CommitRequest[C]) ([]*CommitRequest[C], error) {
	var later []*CommitRequest[C]
	for _, r := range requests {
		if r.later == nil {
			continue
		}
		if r.Retries >= k.retries {
			return nil, fmt.Errorf("operator %q: commit failed after %d retries (sink.committer.retries): %w", k.b.name, r.Retries, r.later)
		}
		r.Retries, r.later = r.Retries+1, nil
		later = append(later, r)
	}
	return later, nil
}

func pauseFor(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func (k *commits[C]) close() error {
	if k.committer == nil {
		return nil
	}
	return k.b.fail(k.committer.Close())
}

// restoredLists are the list states of the checkpoint, and whether there is one.
func restoredLists(b *base) ([]dataflow.ListState, bool) {
	if b.t.env.RestoreOf == nil {
		return nil, false
	}
	r, ok := b.t.env.RestoreOf(b.id)
	return r.Lists, ok
}

func encodeList[V any](name string, c codec.Codec[V], list []V) (dataflow.ListState, error) {
	schema, err := c.Schema().MarshalBinary()
	if err != nil {
		return dataflow.ListState{}, fmt.Errorf("schema of state %q: %w", name, err)
	}
	return dataflow.ListState{Name: name, Mode: dataflow.ListSplit, Items: encodeSplits(c, list), Schema: schema}, nil
}

// decodeList reads a list state. Items without a schema are of earlier versions,
// which wrote what the codec writes now.
func decodeList[V any](lists []dataflow.ListState, name string, c codec.Codec[V]) (out []V, err error) {
	for _, l := range lists {
		if l.Name != name {
			continue
		}
		read, err := readerOf(c, l.Schema)
		if err != nil {
			return nil, err
		}
		for _, item := range l.Items {
			v, err := decodeWhole(item, read)
			if err != nil {
				return nil, err
			}
			out = append(out, v)
		}
	}
	return out, nil
}
