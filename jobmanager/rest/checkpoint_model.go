package rest

import (
	"time"
)

// States of a checkpoint.
const (
	CheckpointInProgress = "IN_PROGRESS"
	CheckpointCompleted  = "COMPLETED"
	CheckpointFailed     = "FAILED"
)

// CheckpointHistory is the statistics of a job's checkpoints.
type CheckpointHistory struct {
	// The counts since the job began, over restarts.
	Restored, Completed, Failed int64
	// InProgress is the number under way.
	InProgress int64
	// Records are the last checkpoints, newest first, at most web.checkpoints.history of them.
	Records []CheckpointRecord
	// LatestCompleted, LatestSavepoint and LatestFailed may be older than Records; nil when there is none.
	LatestCompleted, LatestSavepoint, LatestFailed *CheckpointRecord
	// LatestRestored is the snapshot the job last went on from; nil when it began empty.
	LatestRestored *CheckpointRestore
	// Summary is over all completed checkpoints; nil derives it from Records.
	Summary *CheckpointSummary
}

// CheckpointRestore is a snapshot a job went on from.
type CheckpointRestore struct {
	ID        int64
	At        time.Time
	Savepoint bool
	Path      string
}

// CheckpointRecord is the statistics of one checkpoint.
type CheckpointRecord struct {
	ID int64
	// Status is IN_PROGRESS, COMPLETED or FAILED.
	Status string
	// Type is CHECKPOINT, UNALIGNED_CHECKPOINT, SAVEPOINT or SYNC_SAVEPOINT; Format is CANONICAL or NATIVE for savepoints.
	Type, Format string
	// Triggered is when it began, Acknowledged when its last subtask acknowledged (zero before the first).
	Triggered, Acknowledged time.Time
	// Path is where it is; Discarded tells that a newer one replaced it.
	Path      string
	Discarded bool
	// FailedAt and Failure belong to a failed one.
	FailedAt time.Time
	Failure  string
	// Figures are over all subtasks. Subtasks is how many there are, Acks how many acknowledged.
	Figures        CheckpointFigures
	Subtasks, Acks int
	// Vertices holds the details; nil where they were dropped.
	Vertices []VertexCheckpoint
}

// Savepoint tells whether the checkpoint is a savepoint.
func (r *CheckpointRecord) Savepoint() bool {
	return r.Type == "SAVEPOINT" || r.Type == "SYNC_SAVEPOINT"
}

// CheckpointFigures are the sizes of a checkpoint in bytes.
type CheckpointFigures struct {
	// Written is what this checkpoint wrote, State the whole state it stands for.
	Written, State int64
	// Processed and Persisted are in-flight data handled during alignment, and stored with the checkpoint.
	Processed, Persisted int64
}

// VertexCheckpoint is a vertex's part of a checkpoint.
type VertexCheckpoint struct {
	ID          string
	Parallelism int
	// Subtasks are those that acknowledged.
	Subtasks []SubtaskCheckpoint
}

// SubtaskCheckpoint is a subtask's part of a checkpoint.
type SubtaskCheckpoint struct {
	Index        int
	Acknowledged time.Time
	Figures      CheckpointFigures
	// Sync and Async are the two phases, Alignment the time between first and last barrier, StartDelay from the trigger to
	// the first barrier.
	Sync, Async, Alignment, StartDelay time.Duration
	Unaligned, Aborted                 bool
}

// add sums up.
func (f *CheckpointFigures) add(o CheckpointFigures) {
	f.Written += o.Written
	f.State += o.State
	f.Processed += o.Processed
	f.Persisted += o.Persisted
}

// figures sums up the vertex's subtasks.
func (v VertexCheckpoint) figures() (f CheckpointFigures, last time.Time) {
	for _, s := range v.Subtasks {
		f.add(s.Figures)
		if s.Acknowledged.After(last) {
			last = s.Acknowledged
		}
	}
	return f, last
}

// duration is from the trigger to the last acknowledgement, 0 before the first.
func (r *CheckpointRecord) duration() time.Duration {
	if r.Acknowledged.IsZero() {
		return 0
	}
	return max(0, r.Acknowledged.Sub(r.Triggered))
}

// CheckpointSettings is what a job's checkpoints are taken with.
type CheckpointSettings struct {
	// Enabled is false for a job without checkpointing.
	Enabled bool
	// ExactlyOnce is the mode.
	ExactlyOnce                  bool
	Interval, Timeout, MinPause  time.Duration
	MaxConcurrent                int
	Externalized, DeleteOnCancel bool
	// Pebble tells the state backend, FileSystem where checkpoints are kept.
	Pebble, FileSystem bool
	Unaligned          bool
	TolerableFailed    int
	AlignedTimeout     time.Duration
	AfterTasksFinish   bool
}

// summaryWindow is how many checkpoints the quantiles look back over.
const summaryWindow = 1000

// CheckpointSummary is the distribution of the figures of completed checkpoints. Its owner adds each one and hands out
// copies made with Clone. The zero value is empty.
type CheckpointSummary struct {
	written, state, duration, processed, persisted distribution
}

// Add adds a completed checkpoint.
func (s *CheckpointSummary) Add(r *CheckpointRecord) {
	s.written.add(r.Figures.Written)
	s.state.add(r.Figures.State)
	s.duration.add(r.duration().Milliseconds())
	s.processed.add(r.Figures.Processed)
	s.persisted.add(r.Figures.Persisted)
}

// Clone returns a copy that later additions do not change.
func (s *CheckpointSummary) Clone() *CheckpointSummary {
	c := *s
	for _, d := range []*distribution{&c.written, &c.state, &c.duration, &c.processed, &c.persisted} {
		d.last = append([]int64(nil), d.last...)
	}
	return &c
}

// distribution keeps extremes and sum of all values, and the last ones for quantiles.
type distribution struct {
	count, sum, min, max int64
	last                 []int64
}

func (d *distribution) add(v int64) {
	if d.count == 0 || v < d.min {
		d.min = v
	}
	if d.count == 0 || v > d.max {
		d.max = v
	}
	if len(d.last) < summaryWindow {
		d.last = append(d.last, v)
	} else {
		d.last[d.count%summaryWindow] = v
	}
	d.count++
	d.sum += v
}
