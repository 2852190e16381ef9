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

// SourceSpec describes a source of the program's own, as Flink's Source (FLIP-27)
// does: S is a split, a part of the input that one reader reads; E is the
// enumerator's state; T is what is emitted. Splits and the enumerator's state are
// encoded by their types' codecs and are in every checkpoint. A job that restarts
// at another parallelism spreads the splits over its readers anew.
type SourceSpec[S, E, T any] struct {
	// Name is the kind of source: "Source: Name" in the job's graph, unless an
	// option names it.
	Name string
	// Digest is whatever decides what the source emits (paths, topics): part of
	// the graph's fingerprint, so that processes that would read different
	// things do not work together.
	Digest string
	// Unbounded sources never end by themselves; execution.runtime-mode BATCH
	// refuses them.
	Unbounded bool
	// Parallelism, where not 0, is the only one that the source can have.
	Parallelism int
	// OneByOne reads the splits of a reader one after the other and asks for
	// another one when the last is begun: for splits that are parts of one
	// input. Otherwise all splits of a reader are read in turn, a record each:
	// for splits that go on side by side, such as partitions of a log.
	OneByOne bool
	// Enumerator makes what finds the splits and hands them out; it runs in the
	// job's coordinator. nil: the source has one split, the zero S, and
	// parallelism 1.
	Enumerator func() Enumerator[S, E]
	// Reader makes the reader of one subtask.
	Reader func(ctx *ReaderContext) (Reader[S, T], error)
}

// Reader opens the splits of one subtask; what they share (a connection, a pool of
// buffers) belongs to it. Its methods and those of its splits are called on the
// task's goroutine. It may also be a ReaderEvents, a SplitsListener and a
// SourceCheckpoints.
type Reader[S, T any] interface {
	// Open begins to read a split, new or restored, where the split says.
	Open(split S) (SplitReader[S, T], error)
	// Close is called once, after the splits were closed.
	Close() error
}

// SplitReader reads one split.
type SplitReader[S, T any] interface {
	// Next fills in the next record, or says that there is none now or none any
	// more. It must not block: what waits for I/O does so on a goroutine of
	// ReaderContext.Go and calls ReaderContext.Wake when there is something.
	// r.TS is NoTimestamp unless Next sets it.
	Next(r *Rec[T]) (ReadStatus, error)
	// Split is the split as it stands: a reader that opens it begins with the
	// record that Next would give next.
	Split() S
	Close() error
}

// ReadStatus is what a split answers when it is asked for a record.
type ReadStatus uint8

const (
	// ReadRecord: the record was filled in.
	ReadRecord ReadStatus = iota
	// ReadWait: there is nothing now; Wake or WakeAt makes the source ask again.
	ReadWait
	// ReadEnd: the split is read to its end and may be closed.
	ReadEnd
)

// ReaderEvents is implemented by readers that hear from their enumerator.
type ReaderEvents interface {
	OnEvent(data []byte) error
}

// SplitsListener is implemented by readers that want to know which splits, as
// they stood, a checkpoint holds: to confirm them elsewhere when it is complete.
type SplitsListener[S any] interface {
	OnSnapshot(checkpoint int64, splits []S)
}

// SourceCheckpoints is implemented by readers and enumerators that want to know
// that a checkpoint is complete. It is not called for every one: a later one
// stands for those before it.
type SourceCheckpoints interface {
	OnCheckpointComplete(checkpoint int64) error
}

// NewSource makes a source of the program's own; From reads it.
func NewSource[S, E, T any](spec SourceSpec[S, E, T]) Source[T] {
	src := newSplitSource(spec.Name, spec.Digest, spec.OneByOne, spec.Reader)
	src.fixed, src.unbounded = spec.Parallelism, spec.Unbounded
	switch {
	case spec.Name == "":
		src.err = errors.New("a source needs a name")
	case spec.Reader == nil:
		src.err = errors.New("a source needs a Reader")
	case spec.Parallelism < 0:
		src.err = errors.New("a source's parallelism must not be negative")
	}
	if spec.Enumerator == nil {
		if spec.Parallelism > 1 {
			src.err = errors.New("a source without an Enumerator has one split, and so parallelism 1")
		}
		src.fixed = 1
		return src
	}
	state, err := codec.For[E]()
	if err != nil && src.err == nil {
		src.err = err
	}
	splits, _ := codec.For[S]() // newSplitSource has its error
	src.enumerator = func() dataflow.Enumerator {
		return &typedEnumerator[S, E]{e: spec.Enumerator(), splits: splits, state: state}
	}
	return src
}

// newSplitSource is a source without its enumerator.
func newSplitSource[S, T any](kind, digest string, oneByOne bool, reader func(ctx *ReaderContext) (Reader[S, T], error)) Source[T] {
	c, err := codec.For[S]()
	src := Source[T]{kind: kind, digest: digest, err: err}
	src.newOp = func(b base, ws WatermarkStrategy[T], enumerated bool) (sourceOperator, error) {
		return newSourceOp(b, ws, &splitKind[S, T]{codec: c, oneByOne: oneByOne, reader: reader, enumerated: enumerated})
	}
	return src
}

// ReaderContext is what a reader may do and know. Wake, WakeAt, Go and SendEvent
// may be called from any goroutine, but WakeAt from the task's only.
type ReaderContext struct {
	env    *dataflow.Env
	id     string
	name   string
	ready  chan struct{}
	wakeAt int64 // processing time in milliseconds, or 0
}

// Context ends with the task.
func (r *ReaderContext) Context() context.Context { return r.env.Ctx }

// Subtask is the number of the subtask, from 0.
func (r *ReaderContext) Subtask() int { return r.env.Subtask }

// Parallelism is the number of subtasks.
func (r *ReaderContext) Parallelism() int { return r.env.Parallelism }

// Attempt counts the starts of the task, from 0.
func (r *ReaderContext) Attempt() int { return r.env.Attempt }

// Host is where the task runs.
func (r *ReaderContext) Host() string { return r.env.Host }

// Now is the processing time.
func (r *ReaderContext) Now() time.Time { return r.env.Now() }

// Conf is the job's configuration.
func (r *ReaderContext) Conf() *conf.Config { return r.env.Conf }

// Files opens local and HDFS files by their URI.
func (r *ReaderContext) Files() dataflow.FileSystems { return r.env.Files }

// Log names the task.
func (r *ReaderContext) Log() *slog.Logger { return r.env.Log }

// Wake makes the source ask its splits again.
func (r *ReaderContext) Wake() {
	select {
	case r.ready <- struct{}{}:
	default:
	}
}

// WakeAt makes the source ask its splits again at a processing time, in
// milliseconds; the earliest of several counts.
func (r *ReaderContext) WakeAt(ms int64) {
	if r.wakeAt == 0 || ms < r.wakeAt {
		r.wakeAt = ms
	}
}

// Go runs f on a goroutine that the task owns: ctx ends with the task, the task
// waits for f, and an error of f fails it.
func (r *ReaderContext) Go(name string, f func(ctx context.Context) error) { r.env.Go(name, f) }

// SendEvent tells the enumerator something; events of one reader arrive in their
// order, unless the job restarts.
func (r *ReaderContext) SendEvent(data []byte) {
	if r.env.SendEvent != nil {
		r.env.SendEvent(r.id, dataflow.UserEvent(data))
	}
}
