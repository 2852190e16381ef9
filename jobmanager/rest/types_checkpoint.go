package rest

// CheckpointsAnswer answers GET /jobs/:jobid/checkpoints.
type CheckpointsAnswer struct {
	Counts  CheckpointCounts    `json:"counts"`
	Summary CheckpointSummaries `json:"summary"`
	Latest  LatestCheckpoints   `json:"latest"`
	History []CheckpointAnswer  `json:"history"`
}

// CheckpointCounts counts checkpoints.
type CheckpointCounts struct {
	Restored   int64 `json:"restored"`
	Total      int64 `json:"total"`
	InProgress int64 `json:"in_progress"`
	Completed  int64 `json:"completed"`
	Failed     int64 `json:"failed"`
}

// CheckpointSummaries are the distributions over completed checkpoints.
type CheckpointSummaries struct {
	Written   Quantiles `json:"checkpointed_size"`
	State     Quantiles `json:"state_size"`
	Duration  Quantiles `json:"end_to_end_duration"`
	Buffered  Quantiles `json:"alignment_buffered"`
	Processed Quantiles `json:"processed_data"`
	Persisted Quantiles `json:"persisted_data"`
}

// Quantiles describes a distribution; without values the quantiles are NaN.
type Quantiles struct {
	Min  int64  `json:"min"`
	Max  int64  `json:"max"`
	Avg  int64  `json:"avg"`
	P50  Number `json:"p50"`
	P90  Number `json:"p90"`
	P95  Number `json:"p95"`
	P99  Number `json:"p99"`
	P999 Number `json:"p999"`
}

// LatestCheckpoints are the newest of each kind, null where there is none.
type LatestCheckpoints struct {
	Completed *CheckpointAnswer `json:"completed"`
	Savepoint *CheckpointAnswer `json:"savepoint"`
	Failed    *CheckpointAnswer `json:"failed"`
	Restored  *RestoredAnswer   `json:"restored"`
}

// RestoredAnswer is the snapshot a job went on from.
type RestoredAnswer struct {
	ID        int64  `json:"id"`
	At        int64  `json:"restore_timestamp"`
	Savepoint bool   `json:"is_savepoint"`
	Path      string `json:"external_path"`
}

// CheckpointAnswer is a checkpoint; it also answers GET …/checkpoints/details/:checkpointid. ClassName tells which of the
// last fields are there: completed, failed or in_progress.
type CheckpointAnswer struct {
	ClassName    string                    `json:"className"`
	ID           int64                     `json:"id"`
	Status       string                    `json:"status"`
	Savepoint    bool                      `json:"is_savepoint"`
	Format       *string                   `json:"savepointFormat"`
	Triggered    int64                     `json:"trigger_timestamp"`
	Acknowledged int64                     `json:"latest_ack_timestamp"`
	Written      int64                     `json:"checkpointed_size"`
	State        int64                     `json:"state_size"`
	Duration     int64                     `json:"end_to_end_duration"`
	Buffered     int64                     `json:"alignment_buffered"`
	Processed    int64                     `json:"processed_data"`
	Persisted    int64                     `json:"persisted_data"`
	Subtasks     int                       `json:"num_subtasks"`
	Acks         int                       `json:"num_acknowledged_subtasks"`
	Type         string                    `json:"checkpoint_type"`
	Tasks        map[string]TaskCheckpoint `json:"tasks"`
	Path         *string                   `json:"external_path,omitempty"`
	Discarded    *bool                     `json:"discarded,omitempty"`
	FailedAt     *int64                    `json:"failure_timestamp,omitempty"`
	Failure      *string                   `json:"failure_message,omitempty"`
}

// TaskCheckpoint is a vertex's part of a checkpoint.
type TaskCheckpoint struct {
	ID           int64  `json:"id"`
	Status       string `json:"status"`
	Acknowledged int64  `json:"latest_ack_timestamp"`
	Written      int64  `json:"checkpointed_size"`
	State        int64  `json:"state_size"`
	Duration     int64  `json:"end_to_end_duration"`
	Buffered     int64  `json:"alignment_buffered"`
	Processed    int64  `json:"processed_data"`
	Persisted    int64  `json:"persisted_data"`
	Subtasks     int    `json:"num_subtasks"`
	Acks         int    `json:"num_acknowledged_subtasks"`
}

// TaskCheckpointAnswer answers GET …/checkpoints/details/:checkpointid/subtasks/:vertexid.
type TaskCheckpointAnswer struct {
	TaskCheckpoint
	Summary  SubtaskSummaries          `json:"summary"`
	Subtasks []SubtaskCheckpointAnswer `json:"subtasks"`
}

// SubtaskSummaries are the distributions over the subtasks of a vertex.
type SubtaskSummaries struct {
	Written    Quantiles          `json:"checkpointed_size"`
	State      Quantiles          `json:"state_size"`
	Duration   Quantiles          `json:"end_to_end_duration"`
	Phases     PhaseQuantiles     `json:"checkpoint_duration"`
	Alignment  AlignmentQuantiles `json:"alignment"`
	StartDelay Quantiles          `json:"start_delay"`
}

// PhaseQuantiles are of the two phases of a snapshot.
type PhaseQuantiles struct {
	Sync  Quantiles `json:"sync"`
	Async Quantiles `json:"async"`
}

// AlignmentQuantiles are of the alignment.
type AlignmentQuantiles struct {
	Buffered  Quantiles `json:"buffered"`
	Processed Quantiles `json:"processed"`
	Persisted Quantiles `json:"persisted"`
	Duration  Quantiles `json:"duration"`
}

// SubtaskCheckpointAnswer is a subtask's part of a checkpoint; one that has not acknowledged has index and status only.
type SubtaskCheckpointAnswer struct {
	ClassName    string          `json:"className"`
	Index        int             `json:"index"`
	Acknowledged *int64          `json:"ack_timestamp,omitempty"`
	Duration     *int64          `json:"end_to_end_duration,omitempty"`
	Written      *int64          `json:"checkpointed_size,omitempty"`
	State        *int64          `json:"state_size,omitempty"`
	Phases       *SubtaskPhases  `json:"checkpoint,omitempty"`
	Alignment    *SubtaskAligned `json:"alignment,omitempty"`
	StartDelay   *int64          `json:"start_delay,omitempty"`
	Unaligned    *bool           `json:"unaligned_checkpoint,omitempty"`
	Aborted      *bool           `json:"aborted,omitempty"`
	Status       string          `json:"status"`
}

// SubtaskPhases are the two phases of a subtask's snapshot in milliseconds.
type SubtaskPhases struct {
	Sync  int64 `json:"sync"`
	Async int64 `json:"async"`
}

// SubtaskAligned is a subtask's alignment, its duration in milliseconds.
type SubtaskAligned struct {
	Buffered  int64 `json:"buffered"`
	Processed int64 `json:"processed"`
	Persisted int64 `json:"persisted"`
	Duration  int64 `json:"duration"`
}

// CheckpointConfigAnswer answers GET /jobs/:jobid/checkpoints/config.
type CheckpointConfigAnswer struct {
	Mode                 string          `json:"mode"`
	Interval             int64           `json:"interval"`
	Timeout              int64           `json:"timeout"`
	MinPause             int64           `json:"min_pause"`
	MaxConcurrent        int             `json:"max_concurrent"`
	Externalization      Externalization `json:"externalization"`
	StateBackend         string          `json:"state_backend"`
	Storage              string          `json:"checkpoint_storage"`
	Unaligned            bool            `json:"unaligned_checkpoints"`
	TolerableFailed      int             `json:"tolerable_failed_checkpoints"`
	AlignedTimeout       int64           `json:"aligned_checkpoint_timeout"`
	AfterTasksFinish     bool            `json:"checkpoints_after_tasks_finish"`
	Changelog            bool            `json:"state_changelog_enabled"`
	ChangelogMaterialise int64           `json:"changelog_periodic_materialization_interval"`
	ChangelogStorage     string          `json:"changelog_storage"`
}

// Externalization is whether checkpoints outlive their job.
type Externalization struct {
	Enabled        bool `json:"enabled"`
	DeleteOnCancel bool `json:"delete_on_cancellation"`
}
