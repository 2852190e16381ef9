package rest

import (
	"context"
	"io"
	"time"

	"goflink/graph"
)

// Cluster is all that the server consumes. Each part is an interface of its own; the JobManager implements them together.
// Methods are called from many goroutines at once, and return when ctx ends. Job ids are 32 lower-case hexadecimal digits,
// checked by the server; unknown ids are answered with NotFound errors by the implementation.
type Cluster interface {
	Jobs
	JobControl
	Submitter
	CheckpointSource
	TaskManagers
	MetricSource
	// Slots returns the cluster's resources in numbers.
	Slots(ctx context.Context) (SlotOverview, error)
	// Shutdown ends the cluster (DELETE /cluster). It returns once the end has begun; the answer is still sent.
	Shutdown(ctx context.Context) error
}

// SlotOverview is the cluster's resources in numbers.
type SlotOverview struct {
	// TaskManagers is the number of registered ones, Slots and FreeSlots what they offer.
	TaskManagers, Slots, FreeSlots int
}

// Jobs shows jobs: running ones and the finished ones that are remembered.
type Jobs interface {
	// JobSummaries returns all jobs, newest first.
	JobSummaries(ctx context.Context) ([]JobSummary, error)
	// Job returns one job with its tasks. The result is not changed afterwards.
	Job(ctx context.Context, id string) (*Job, error)
	// JobResult returns the outcome of a job that has ended; nil while it goes on.
	JobResult(ctx context.Context, id string) (*JobResult, error)
}

// JobControl changes jobs. Savepoint, Stop, Checkpoint and DisposeSavepoint return when the operation is over; the server
// runs them in the background and answers the questions for their state.
type JobControl interface {
	// Cancel begins to cancel a job. Cancelling a job that is being cancelled or is CANCELED is no error; one that ended
	// otherwise is a Conflict.
	Cancel(ctx context.Context, id string) error
	// Savepoint takes a savepoint and returns its path.
	Savepoint(ctx context.Context, id string, o SavepointOptions) (string, error)
	// Stop stops a job with a savepoint and returns its path once the job is FINISHED.
	Stop(ctx context.Context, id string, o StopOptions) (string, error)
	// Checkpoint takes a checkpoint and returns its id.
	Checkpoint(ctx context.Context, id string, kind CheckpointKind) (int64, error)
	// DisposeSavepoint deletes a savepoint.
	DisposeSavepoint(ctx context.Context, path string) error
	// ResourceRequirements returns the bounds of the parallelism of a job of the adaptive scheduler, for each vertex; any
	// other job is a BadRequest.
	ResourceRequirements(ctx context.Context, id string) (map[string]ParallelismBounds, error)
	// UpdateResourceRequirements gives such a job other bounds, for all of its vertices. It returns when they are durable.
	// Bounds that do not fit the job are a BadRequest, a second update before that a Conflict.
	UpdateResourceRequirements(ctx context.Context, id string, bounds map[string]ParallelismBounds) error
	// ClientHeartbeat says that the client of an attached job lives, and when to take it for dead.
	ClientHeartbeat(ctx context.Context, id string, expires time.Time) error
}

// SavepointOptions are what a savepoint is taken with.
type SavepointOptions struct {
	// Directory is where it goes; empty takes execution.checkpointing.savepoint-dir.
	Directory string
	// Cancel cancels the job afterwards.
	Cancel bool
	// Native asks for the backend's own format instead of the canonical one.
	Native bool
}

// StopOptions are what a job is stopped with.
type StopOptions struct {
	// Directory and Native are as in SavepointOptions.
	Directory string
	Native    bool
	// Drain emits the last watermark, so that all timers and windows fire.
	Drain bool
}

// CheckpointKind is the kind of a checkpoint triggered by hand.
type CheckpointKind string

// Kinds of checkpoints.
const (
	CheckpointConfigured CheckpointKind = "CONFIGURED"
	CheckpointFull       CheckpointKind = "FULL"
)

// Submitter takes jobs.
type Submitter interface {
	// Submit starts a job. Its program is at Program.Uri, or in the program store under Program.Sha256. Submitting a job id
	// that is there already is a Conflict. It returns the job id.
	Submit(ctx context.Context, g *graph.JobGraph) (string, error)
}

// CheckpointSource shows checkpoints.
type CheckpointSource interface {
	// Checkpoints returns the statistics of a job's checkpoints.
	Checkpoints(ctx context.Context, id string) (*CheckpointHistory, error)
	// CheckpointSettings returns what a job's checkpoints are taken with.
	CheckpointSettings(ctx context.Context, id string) (CheckpointSettings, error)
}

// TaskManagers shows TaskManagers.
type TaskManagers interface {
	// TaskManagers returns the registered TaskManagers, in order of their ids.
	TaskManagers(ctx context.Context) ([]TaskManager, error)
	// TaskManagerLogs lists the log files of a TaskManager.
	TaskManagerLogs(ctx context.Context, id string) ([]LogFile, error)
	// TaskManagerLog opens a log file by its name; TaskManagerLogName and TaskManagerStdoutName are always understood. The
	// name is a plain file name, checked by the server.
	TaskManagerLog(ctx context.Context, id, name string) (io.ReadCloser, error)
	// TaskManagerThreads returns the goroutines of a TaskManager as runtime.Stack prints them.
	TaskManagerThreads(ctx context.Context, id string) (string, error)
}

// Names under which every TaskManager serves its main log and its standard output, whatever the files are called.
const (
	TaskManagerLogName    = "taskmanager.log"
	TaskManagerStdoutName = "taskmanager.out"
)

// MetricSource shows metrics, by their names within the component.
type MetricSource interface {
	// JobManagerMetrics returns the figures of this process.
	JobManagerMetrics(ctx context.Context) (map[string]string, error)
	// JobMetrics returns the figures of a job on the JobManager.
	JobMetrics(ctx context.Context, id string) (map[string]string, error)
	// TaskMetrics returns the figures of a vertex's subtasks by their index: "numRecordsIn", "Source__in.numRecordsOut".
	TaskMetrics(ctx context.Context, id, vertex string) (map[int]map[string]string, error)
	// TaskManagerMetrics returns the figures of a TaskManager.
	TaskManagerMetrics(ctx context.Context, id string) (map[string]string, error)
}

// ProgramStore keeps the job binaries of a cluster without a shared file system, by the SHA-256 of their bytes. ProgramDir is
// one in a local folder.
type ProgramStore interface {
	// Stat returns the size of a program; fs.ErrNotExist when it is not there.
	Stat(ctx context.Context, sha256 string) (int64, error)
	// Put stores what r yields. r fails at its end when the bytes do not have the digest, and nothing may be stored then.
	Put(ctx context.Context, sha256 string, r io.Reader) error
	// Open opens a program; fs.ErrNotExist when it is not there.
	Open(ctx context.Context, sha256 string) (io.ReadSeekCloser, error)
}
