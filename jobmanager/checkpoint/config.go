package checkpoint

import (
	"time"

	"goflink/control"
	"goflink/graph"
)

// Kind is what is taken.
type Kind string

// The kinds. Stop is a savepoint after which the job ends; Final is the
// checkpoint that commits everything once all tasks have processed their data.
const (
	Periodic  Kind = "checkpoint"
	Savepoint Kind = "savepoint"
	Stop      Kind = "stop"
	Final     Kind = "final"
)

// IsSavepoint tells whether it goes to a folder of its own that the user owns.
func (k Kind) IsSavepoint() bool { return k == Savepoint || k == Stop }

// TypeName is Flink's name of the kind, for logs.
func (k Kind) TypeName() string {
	switch k {
	case Savepoint:
		return "SavepointType{name='Savepoint', postCheckpointAction=NONE}"
	case Stop:
		return "SavepointType{name='Suspend Savepoint', postCheckpointAction=SUSPEND}"
	}
	return "CheckpointType{name='Checkpoint', sharingFilesStrategy=FORWARD_BACKWARD}"
}

// Retention says what stays when a job ends
// (execution.checkpointing.externalized-checkpoint-retention).
type Retention int

// The retention policies. All of them remove checkpoints of a FINISHED job.
const (
	// RetainNothing is NO_EXTERNALIZED_CHECKPOINTS.
	RetainNothing Retention = iota
	// RetainOnFailure is DELETE_ON_CANCELLATION.
	RetainOnFailure
	// RetainOnCancellation keeps them when the job is cancelled or fails.
	RetainOnCancellation
)

// Formats of a savepoint.
const (
	Canonical = "canonical"
	Native    = "native"
)

// Config is what a Coordinator is made of.
type Config struct {
	JobID string
	Graph *graph.JobGraph
	// Interval between checkpoints; 0: no periodic ones (savepoints work).
	Interval time.Duration
	// MinPause between the end of one and the begin of the next.
	MinPause time.Duration
	// Timeout after which one is given up.
	Timeout time.Duration
	// MaxConcurrent is how many may be under way at once, at least 1.
	MaxConcurrent int
	// Unaligned lets barriers of periodic checkpoints overtake records, once a
	// checkpoint is older than AlignedTimeout. Nothing else is under way beside
	// one then.
	Unaligned      bool
	AlignedTimeout time.Duration
	// Tolerable is how many may fail in a row before the job does; negative:
	// any number.
	Tolerable int
	// Retained is how many completed ones are kept, at least 1.
	Retained  int
	Retention Retention
	// Dir is the job's own folder for checkpoints, a URI; empty: the state is
	// kept in the JobManager's memory.
	Dir string
	// Incremental makes checkpoints native: they refer to files of the one before.
	Incremental bool
	// Enumerators is true when there is a coordinator process to snapshot.
	Enumerators bool
	// Epoch of this JobManager; part of file names.
	Epoch int64
	// FirstID is the first id to use: above every chk-N found.
	FirstID int64
	// Restored is what a former JobManager left, or a savepoint to begin from,
	// oldest first.
	Restored []*Completed
	// Version of the program that writes _metadata.
	Version string
	// History is how many checkpoints the statistics keep
	// (web.checkpoints.history); 0 means 10.
	History int
}

// Task names a subtask.
type Task struct {
	Vertex  string
	Subtask int
}

// Completed is a completed checkpoint or savepoint.
type Completed struct {
	ID   int64
	Kind Kind
	// Dir is its folder, a URI; Path is what names it to a user: the folder.
	Dir      string
	Metadata *control.CheckpointMetadata
	// Files are all files it refers to, full URIs, without _metadata.
	Files []string
	// Size in bytes of its state and metadata.
	Size int64
	At   time.Time // triggered
	Done time.Time // complete
	// Foreign is true for what was restored without being claimed: nothing of
	// it is ever deleted.
	Foreign bool
	// Claimed is true for what was restored and belongs to the job now, though
	// it lies outside Config.Dir.
	Claimed bool
	// Keep are files of a claimed one that are not the job's to delete, because
	// another checkpoint refers to them too.
	Keep map[string]bool
}

// savepoint tells whether c is the user's.
func (c *Completed) savepoint() bool { return c.Kind.IsSavepoint() && !c.Claimed }
