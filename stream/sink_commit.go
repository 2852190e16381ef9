package stream

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"goflink/codec"
	"goflink/conf"
	"goflink/dataflow"
)

// NoState is the writer's state of sinks that keep none.
type NoState struct{}

// CommittingSink describes a sink of the program's own with two-phase commit, as
// Flink's Sink V2 does: T is what is written, W a writer's state, C a committable:
// what a writer has made ready and a committer makes visible (a file to rename, a
// transaction to commit). W and C are encoded by their types' codecs.
//
// At each barrier the writers flush and give their committables, which are in the
// checkpoint. When it is complete they are committed; after a failure those of
// the restored checkpoint are committed again first, so that committing must be
// idempotent: a committable that was committed before counts as done. Without
// checkpointing everything is committed when the job ends.
type CommittingSink[T, W, C any] struct {
	// Name is what the sink is called: "Sink: Name", unless an option names it.
	Name string
	// Writer makes the writer of one subtask; restored are states of the writers
	// before, spread over the subtasks there are now.
	Writer func(ctx *SinkContext, restored []W) (SinkWriter[T, W, C], error)
	// Committer makes the committer of one subtask: it gets the committables of
	// the writer beside it. nil where there is a Global one or nothing to commit.
	Committer func(ctx *SinkContext) (Committer[C], error)
	// Global makes a committer that runs once, with parallelism 1, and gets the
	// committables of all writers: for what has to be made visible as a whole.
	// A sink has a Committer or a Global one.
	Global func(ctx *SinkContext) (Committer[C], error)
}

// SinkWriter writes records. Its methods are called on the task's goroutine. It
// may also be a SinkTimer.
type SinkWriter[T, W, C any] interface {
	Write(r Rec[T]) error
	// Flush makes durable what was written; end tells that no record follows.
	Flush(end bool) error
	// PrepareCommit gives what is to be committed of the records so far; called
	// after Flush.
	PrepareCommit() ([]C, error)
	// Snapshot is the writer's state, after PrepareCommit.
	Snapshot(checkpoint int64) ([]W, error)
	// Close is called always. What was not prepared is not in a checkpoint and
	// may be removed.
	Close() error
}

// SinkTimer is implemented by writers that act by the clock.
type SinkTimer interface {
	// NextTimer is when OnTimer is to be called, in milliseconds, if at all.
	NextTimer() (ms int64, ok bool)
	OnTimer(now int64) error
}

// Committer makes committables visible.
type Committer[C any] interface {
	// Commit commits all requests that are not asked to be tried later. It is
	// called on the task's goroutine. Any of them may have been committed before,
	// by an attempt of the job that died before it could tell, and must then do
	// nothing. An error fails the job, which commits them again after its restart.
	Commit(ctx context.Context, requests []*CommitRequest[C]) error
	Close() error
}

// CommitRequest is one committable to be committed.
type CommitRequest[C any] struct {
	Committable C
	// Retries is how often it was tried in this attempt of the job.
	Retries int
	later   error
}

// RetryLater asks for another try after a pause that grows from 100 ms to 10 s;
// err is why. After sink.committer.retries of them err fails the job.
func (r *CommitRequest[C]) RetryLater(err error) { r.later = err }

// UpdateAndRetryLater is RetryLater with a changed committable.
func (r *CommitRequest[C]) UpdateAndRetryLater(c C, err error) { r.Committable, r.later = c, err }

// SinkContext is what writers and committers may know.
type SinkContext struct {
	b *base
}

// Context ends with the task.
func (s *SinkContext) Context() context.Context { return s.b.t.env.Ctx }

// Name is the operator's.
func (s *SinkContext) Name() string { return s.b.name }

// Subtask is the number of the subtask, from 0.
func (s *SinkContext) Subtask() int { return s.b.t.env.Subtask }

// Parallelism is the number of subtasks.
func (s *SinkContext) Parallelism() int { return s.b.t.env.Parallelism }

// Attempt counts the starts of the task, from 0.
func (s *SinkContext) Attempt() int { return s.b.t.env.Attempt }

// Now is the processing time.
func (s *SinkContext) Now() time.Time { return s.b.t.env.Now() }

// Conf is the job's configuration.
func (s *SinkContext) Conf() *conf.Config { return s.b.t.env.Conf }

// Files opens local and HDFS files by their URI.
func (s *SinkContext) Files() dataflow.FileSystems { return s.b.t.env.Files }

// Log names the task.
func (s *SinkContext) Log() *slog.Logger { return s.b.t.env.Log }

// ToSink writes a stream to a sink of the program's own.
func ToSink[T, W, C any](s Stream[T], sink CommittingSink[T, W, C], opts ...Option) {
	switch {
	case sink.Writer == nil:
		s.env.failf("sink %q needs a Writer", sink.Name)
		return
	case sink.Committer != nil && sink.Global != nil:
		s.env.failf("sink %q has a Committer and a Global one: a sink has one of them", sink.Name)
		return
	}
	k, err := newSinkKind(sink)
	if err != nil {
		s.env.failf("sink %q: %w", sink.Name, err)
		return
	}
	if sink.Global == nil {
		addWriter(s, k, opts)
		return
	}
	k.emits = true
	w := addWriter(s, k, opts)
	emits[C](w)
	addCommitter(streamOf[C](w).Global(), w, " Global Committer", sink.Global, nil, Parallelism(1), fixed)
}

// sinkKind is what a sink's operators share.
type sinkKind[T, W, C any] struct {
	CommittingSink[T, W, C]
	state codec.Codec[W]
	kept  codec.Codec[C]
	// emits: committables go to another operator.
	emits bool
}

func newSinkKind[T, W, C any](sink CommittingSink[T, W, C]) (*sinkKind[T, W, C], error) {
	state, serr := codec.For[W]()
	kept, cerr := codec.For[C]()
	if sink.Name == "" {
		sink.Name = "Writer"
	}
	return &sinkKind[T, W, C]{CommittingSink: sink, state: state, kept: kept}, errors.Join(serr, cerr)
}

// addWriter adds the operator that writes, and commits too unless another one does.
func addWriter[T, W, C any](s Stream[T], k *sinkKind[T, W, C], opts []Option) *op {
	o := addSink(s, k.Name, opts)
	if k.emits {
		o.node.Sink = false // its committer ends the stream
	}
	_, none := any(*new(W)).(NoState)
	o.node.Stateful = !none
	o.node.Commits = k.Committer != nil && !k.emits
	o.build = func(t *task) error {
		x := &writerOp[T, W, C]{base: newBase(t), kind: k}
		if k.emits {
			out, err := mainOutput[C](&x.base)
			if err != nil {
				return err
			}
			x.out.next = out
		}
		t.install(x, x)
		return nil
	}
	return o
}

// addCommitter adds the operator that commits what the writers of w emit.
func addCommitter[C any](s Stream[C], w *op, suffix string, committer func(*SinkContext) (Committer[C], error),
	prepare func(*SinkContext) preCommitter[C], opts ...Option) {
	if uid := w.node.UID; uid != "" {
		opts = append(opts, UID(uid+"-committer"))
	}
	o := addSink(s, w.node.Name+suffix, opts)
	o.node.Commits = true
	c, ok := codecOf[C](s.env, w.node.Name+" commits")
	if !ok {
		return // reported
	}
	o.build = func(t *task) error {
		x := &committerOp[C]{base: newBase(t), codec: c, make: committer, pre: prepare}
		t.install(x, x)
		return nil
	}
}
