// Package dataflow is the contract between typed operators (package stream)
// and the untyped runtime that drives them (package taskmanager/worker).
//
// A task is a chain of operators built by a Program for one subtask of one
// vertex. The runtime owns the task's goroutine, its channels and its
// checkpoints; the chain owns the types. Everything of a chain is called on
// the task's goroutine only, so nothing here locks: work from elsewhere enters
// through Env.Mailbox.
//
// Invariants, cited by name in both packages:
//
//	one-owner      a batch or buffer has one owner; sending it gives it away.
//	immutable      a record is never changed once it was emitted.
//	in-band        watermarks and idleness travel inside batches and buffers,
//	               barriers and ends of data between them. Only an unaligned
//	               barrier overtakes: what it overtook is part of its checkpoint.
//	flush-first    the runtime calls OutputPort.Flush before it sends an event, so
//	               what a port holds is always ahead of it.
package dataflow

import (
	"context"
	"log/slog"
	"math"
	"sync/atomic"
	"time"

	"goflink/conf"
	"goflink/graph"
	"goflink/metrics"
	"goflink/metrics/accumulator"
	"goflink/state"
)

// Watermark and timestamp limits, in milliseconds since the epoch.
const (
	MinWatermark = math.MinInt64 // no watermark was seen
	MaxWatermark = math.MaxInt64 // no further record will come
	NoTimestamp  = math.MinInt64 // the record has no event time
)

// Rec is a record in flight: a value and its event time in milliseconds, or
// NoTimestamp.
type Rec[T any] struct {
	V  T
	TS int64
}

// Input is the typed receiving end of an operator inside a chain. The record
// is only valid during the call: the caller uses its memory again.
type Input[T any] interface {
	Collect(r *Rec[T]) error
	// Watermark tells that no record with TS <= ts will follow.
	Watermark(ts int64) error
	// Status tells that the input became idle (true) or active again.
	Status(idle bool) error
}

// LatencyMarker goes from a source to the sinks with the records, to measure how
// long they take.
type LatencyMarker struct {
	// Marked is when the source sent it, in milliseconds since the epoch.
	Marked int64
	// Operator is the source operator's id, Subtask its number.
	Operator string
	Subtask  int
}

// Batch is a typed slice of records handed to a task of the same process
// without serialisation (see stream's typedBatch). It also counts against the
// channel's credit.
type Batch interface {
	Rows() int
	// Release gives the memory back to its pool; the batch must not be used
	// afterwards.
	Release()
}

// BufferSize is the size of a network buffer
// (taskmanager.memory.segment-size). A single record that does not fit gets a
// larger buffer of its own.
const BufferSize = 32 << 10

// BatchRows is the number of records in a local batch. Handing one over costs
// about 300 ns, so at 256 records it is lost beside the work; more only adds
// memory and latency.
const BatchRows = 256

// Buffer holds encoded records of one channel on their way to another
// process. Data has the length written so far; append to it.
type Buffer struct {
	Data []byte
	Rows int
}

// ChannelWriter is the sending end of one channel of an outgoing edge.
//
// A send never blocks while the channel has credit or overdraft left; without
// credit it sets *Env.Blocked, and the chain returns to the runtime after the
// current record. When the overdraft is used up too, a send blocks until there
// is credit or the task is cancelled (then it returns an error).
type ChannelWriter interface {
	// Local is true when the receiver runs in this process: use SendBatch.
	Local() bool
	// Limit is how much to put into a batch (in rows) or a buffer (in bytes) before
	// it is sent, at most BatchRows or BufferSize: less when the receiver is slow.
	// It is asked for each new one.
	Limit() int
	SendBatch(b Batch) error
	// NewBuffer returns an empty buffer with room for n bytes at least.
	NewBuffer(n int) *Buffer
	SendBuffer(b *Buffer) error
}

// OutputPort is the typed sending end of one outgoing edge. The runtime calls
// Flush before it sends a barrier or an end of data and after the buffer
// time-out.
type OutputPort interface {
	// Flush sends what is pending in all channels.
	Flush() error
	// Pending is true when Flush would send something.
	Pending() bool
	// Rows is the number of records emitted so far, for numRecordsOut.
	Rows() int64
}

// TimedPort is an OutputPort whose records may wait for another time than the
// job's others.
type TimedPort interface {
	// FlushAfter is the longest time that a record waits (0: none waits, negative:
	// until a buffer is full), and false where the job's setting counts.
	FlushAfter() (time.Duration, bool)
}

// InputPort is the typed receiving end of one incoming edge. It decodes, keeps
// watermarks per channel (see Valve) and pushes records into the chain.
//
// Both Process methods stop early, after a record, when *Env.Blocked became
// true or Env.Yield is set; they return how far they got: rows of the
// batch, or bytes of the buffer, and are called again with that position. The
// runtime releases the batch or buffer when the position reached its end
// (Batch: from == Rows() and done is true).
type InputPort interface {
	ProcessBatch(ch int, b Batch, from int) (next int, done bool, err error)
	ProcessBytes(ch int, data []byte, from int) (next int, done bool, err error)
	// ChannelEnded tells that no more data comes on ch; its watermark no
	// longer holds others back.
	ChannelEnded(ch int) error
	// Rows is the number of records received so far, for numRecordsIn.
	Rows() int64
}

// InflightPort is an InputPort whose edge takes part in unaligned checkpoints:
// it turns records in flight into buffers as ProcessBytes reads them. All of it
// is called on the task's goroutine, between records.
type InflightPort interface {
	// EncodeBatch encodes a batch from row from on, without changing it.
	EncodeBatch(b Batch, from int) ([]Buffer, error)
	// EncodeBytes encodes what is left of a buffer of channel ch from byte from
	// on: the one in work when from is not 0.
	EncodeBytes(ch int, data []byte, from int) ([]Buffer, error)
	// Sift encodes what of a buffer counts after a change of parallelism: with own
	// only records whose key belongs to this subtask, with still no watermarks
	// and no idleness, which were those of other subtasks.
	Sift(data []byte, own, still bool) ([]Buffer, error)
	// Settled is a buffer that ends what was in flight on a channel: the channel
	// is active, whatever was said in flight.
	Settled() Buffer
}

// PollStatus is what a source says after Poll.
type PollStatus int

const (
	// More: call again at once.
	More PollStatus = iota
	// Waiting: nothing to emit until Ready is signalled.
	Waiting
	// Finished: a bounded source emitted everything, MaxWatermark included.
	Finished
)

// Source heads the chain of a source task. The Operator of the same chain
// position snapshots its splits.
type Source interface {
	// Poll emits a bounded number of records (and watermarks) downstream, at
	// most until *Env.Blocked.
	Poll() (PollStatus, error)
	// Ready is signalled (never closed) when Poll may have more after Waiting.
	// It is nil for a source that needs no waking.
	Ready() <-chan struct{}
	// AddSplits hands over encoded splits from the enumerator.
	AddSplits(splits [][]byte) error
	NoMoreSplits() error
	// Stop ends the source before its end of data. With drain it emits
	// MaxWatermark first. Poll is not called afterwards.
	Stop(drain bool) error
}

// Operator is one operator of a chain, without its types. The runtime calls
// the methods upstream first.
type Operator interface {
	ID() string
	// Open restores state and readies the operator; called downstream first,
	// so that whoever emits in Open finds its consumers ready.
	Open(ctx context.Context) error
	// PrepareBarrier runs before the barrier is sent on; may emit.
	PrepareBarrier(checkpointID int64) error
	// Snapshot is the synchronous part of a checkpoint, after the barrier was
	// sent on. It must not emit.
	Snapshot(c Checkpoint) (OperatorSnapshot, error)
	// CheckpointComplete commits what the checkpoint made durable.
	CheckpointComplete(checkpointID int64) error
	CheckpointAborted(checkpointID int64) error
	// Finish runs once after the end of data; may emit.
	Finish() error
	// CommitFinal commits everything when the job runs without checkpoints.
	CommitFinal() error
	// Close frees resources; called always, also after a failure.
	Close() error
}

// Checkpoint says what is being taken.
type Checkpoint struct {
	ID        int64
	Timestamp time.Time
	Kind      string // checkpoint, savepoint, stop, final
	Format    string // canonical, native
	Epoch     int64  // of the JobManager, for file names
}

// ListMode tells how a list state is divided among subtasks at restore.
type ListMode string

// The modes of operator list state.
const (
	ListSplit     ListMode = "split"     // evenly
	ListUnion     ListMode = "union"     // everything to everyone
	ListBroadcast ListMode = "broadcast" // each subtask holds the same
)

// ListState is one named operator state, encoded.
type ListState struct {
	Name   string
	Mode   ListMode
	Items  [][]byte
	Schema []byte // codec.Schema, binary
}

// OperatorSnapshot is what Snapshot returns: the list states as they are, and
// the asynchronous part of the keyed state (nil when there is none).
type OperatorSnapshot struct {
	Lists []ListState
	Keyed state.Snapshot
}

// OperatorRestore is what an operator gets back.
type OperatorRestore struct {
	Lists []ListState
	Keyed []state.Handle // clipped to Env.KeyGroups by the backend
}

// Chain is a task ready to run.
type Chain struct {
	Source    Source       // nil for a task with inputs
	Inputs    []InputPort  // by Edge.input_index
	Outputs   []OutputPort // by Edge.output_index
	Operators []Operator   // upstream first
	// NextTimer is the earliest processing-time timer, in milliseconds.
	NextTimer func() (ms int64, ok bool)
	// FireTimers runs processing-time timers due at now.
	FireTimers func(nowMS int64) error
	// Backlog is nil when no operator of the chain holds records back.
	Backlog Backlog
}

// Backlog is what a chain's operators hold of records that they took and whose
// results come later (asynchronous calls). The runtime calls it between records
// and, except for Finish, never waits inside the chain for it:
//
//   - before it takes input it calls Emit, and while Full is true it takes none;
//     barriers that come first, checkpoints, timers and flushes go on.
//   - at a natural end of the data it calls Finish of the operators only when
//     Empty is true, and takes checkpoints until then.
//   - after the end of data without a drain (a stop) it calls nothing: what is
//     held belongs to the savepoint.
type Backlog interface {
	// Emit sends what is ready, at most until *Env.Blocked.
	Emit() error
	// Full is true while the chain wants no further record.
	Full() bool
	// Empty is true when nothing is held.
	Empty() bool
}

// Env is what the runtime gives a chain when it is built.
type Env struct {
	Ctx            context.Context // cancelled with the task
	JobID          string
	JobName        string
	VertexID       string
	TaskName       string // "Map (1/4)"
	Subtask        int
	Parallelism    int
	MaxParallelism int
	// ParallelismOf is that of another vertex, by its id; nil: that of the graph.
	ParallelismOf func(vertexID string) int
	Attempt       int
	Epoch         int64
	Host          string
	KeyGroups     state.Range

	// InputChannels is the number of channels of incoming edge i.
	InputChannels []int
	// Outputs are the channels of outgoing edge i, by target subtask.
	Outputs [][]ChannelWriter

	// Blocked is set by a send that found no credit; owned by the task's
	// goroutine, read between records.
	Blocked *bool
	// Yield is set, on any goroutine, when the runtime has something that goes
	// before the next record: the barrier of an unaligned checkpoint. Reading it
	// is a plain load on a line that hardly ever changes. It may be nil.
	Yield *atomic.Bool

	// State opens keyed state: kind, folder, budget and key groups are set.
	// Restore is filled in per operator by RestoreOf.
	State state.Env
	// RestoreOf returns what the checkpoint holds for an operator, and false
	// when the task starts afresh.
	RestoreOf func(operatorID string) (OperatorRestore, bool)

	// Mailbox runs f on the task's goroutine, between records. Safe from any
	// goroutine; false when the task has ended.
	Mailbox func(f func() error) bool
	// Go runs f on a goroutine that the task owns: its context ends with the
	// task and the task waits for it. An error fails the task.
	Go func(name string, f func(ctx context.Context) error)
	// Now is the processing time; a test may use its own clock.
	Now func() time.Time
	// RequestSplit asks the operator's enumerator for a split.
	RequestSplit func(operatorID string)
	// SendEvent sends an event of a source's reader to the coordinator (see
	// EventKind). Safe from any goroutine; nil in tests without one.
	SendEvent func(operatorID string, data []byte)

	// LatencyEvery is how often sources send latency markers; 0: never.
	LatencyEvery time.Duration
	// Latency takes a marker that reached an operator, on the task's goroutine; nil
	// without markers.
	Latency func(operatorID string, m *LatencyMarker)

	// Scratch is a local folder of the process that goes with it.
	Scratch string

	Conf    *conf.Config
	Metrics *metrics.Group
	// OperatorMetrics are the metrics of one operator, for those of the program.
	OperatorMetrics func(id, name string) *metrics.Group
	// Accumulators are the task's; its goroutine adds to them and the runtime
	// reports them. Each attempt begins with none.
	Accumulators *accumulator.Set
	Log          *slog.Logger
	// Out is where print sinks write: the container's .out file.
	Out Printer
	// Files opens file systems by URI.
	Files FileSystems
}

// Enumerator finds the splits of a source and hands them to readers. It runs
// in the coordinator; its methods are called on one goroutine.
type Enumerator interface {
	// Start begins afresh (restored nil) or from a snapshot.
	Start(ctx EnumeratorContext, restored []byte) error
	// Request is a reader's wish for a split.
	Request(subtask int, host string) error
	Snapshot(checkpointID int64) ([]byte, error)
	CheckpointComplete(checkpointID int64) error
	Close() error
}

// EnumeratorContext is what an enumerator may do.
type EnumeratorContext interface {
	Context() context.Context
	Parallelism() int
	Assign(subtask int, splits [][]byte)
	NoMoreSplits(subtask int)
	// SendEvent sends an encoded event to a reader.
	SendEvent(subtask int, data []byte)
	// Run calls f away from the enumerator's goroutine, then done on it.
	Run(f func(ctx context.Context) error, done func(error) error)
	// Every calls f on the enumerator's goroutine each interval until the end.
	Every(interval time.Duration, f func() error)
	Conf() *conf.Config
	Files() FileSystems
	Log() *slog.Logger
}

// Program is a rebuilt graph: what launch hands to the runtime.
type Program interface {
	// JobGraph is the chained graph with its fingerprint.
	JobGraph() *graph.JobGraph
	// BuildChain makes the task of one subtask.
	BuildChain(vertexID string, env *Env) (*Chain, error)
	// NewEnumerator makes the enumerator of a source operator.
	NewEnumerator(operatorID string) (Enumerator, error)
}
