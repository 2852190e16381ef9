package rest

import "encoding/json"

// JobsAnswer answers GET /jobs.
type JobsAnswer struct {
	Jobs []JobIDStatus `json:"jobs"`
}

// JobIDStatus is a job's id and state.
type JobIDStatus struct {
	ID     string `json:"id"`
	Status string `json:"status"`
}

// JobStatusAnswer answers GET /jobs/:jobid/status.
type JobStatusAnswer struct {
	Status string `json:"status"`
}

// JobsOverviewAnswer answers GET /jobs/overview.
type JobsOverviewAnswer struct {
	Jobs []JobOverview `json:"jobs"`
}

// JobOverview is a job in the overview. Times are milliseconds since the epoch, -1 before they are; durations milliseconds.
type JobOverview struct {
	ID               string        `json:"jid"`
	Name             string        `json:"name"`
	StartTime        int64         `json:"start-time"`
	EndTime          int64         `json:"end-time"`
	Duration         int64         `json:"duration"`
	State            string        `json:"state"`
	LastModification int64         `json:"last-modification"`
	Tasks            OverviewTasks `json:"tasks"`
}

// OverviewTasks counts subtasks by state.
type OverviewTasks struct {
	Running      int `json:"running"`
	Canceling    int `json:"canceling"`
	Canceled     int `json:"canceled"`
	Total        int `json:"total"`
	Created      int `json:"created"`
	Scheduled    int `json:"scheduled"`
	Deploying    int `json:"deploying"`
	Reconciling  int `json:"reconciling"`
	Finished     int `json:"finished"`
	Initializing int `json:"initializing"`
	Failed       int `json:"failed"`
}

// JobAnswer answers GET /jobs/:jobid.
type JobAnswer struct {
	ID             string          `json:"jid"`
	Name           string          `json:"name"`
	Stoppable      bool            `json:"isStoppable"`
	State          string          `json:"state"`
	Type           string          `json:"job-type"`
	StartTime      int64           `json:"start-time"`
	EndTime        int64           `json:"end-time"`
	Duration       int64           `json:"duration"`
	MaxParallelism int             `json:"maxParallelism"`
	Now            int64           `json:"now"`
	Timestamps     JobTimestamps   `json:"timestamps"`
	Vertices       []JobVertex     `json:"vertices"`
	StatusCounts   TaskCounts      `json:"status-counts"`
	Plan           json.RawMessage `json:"plan"`
}

// JobTimestamps is when a job last entered its states, 0 where it did not.
type JobTimestamps struct {
	Failed       int64 `json:"FAILED"`
	Created      int64 `json:"CREATED"`
	Failing      int64 `json:"FAILING"`
	Cancelling   int64 `json:"CANCELLING"`
	Initializing int64 `json:"INITIALIZING"`
	Finished     int64 `json:"FINISHED"`
	Reconciling  int64 `json:"RECONCILING"`
	Suspended    int64 `json:"SUSPENDED"`
	Running      int64 `json:"RUNNING"`
	Canceled     int64 `json:"CANCELED"`
	Restarting   int64 `json:"RESTARTING"`
}

// TaskCounts is a number by task state: of subtasks, or milliseconds since the epoch in TaskTimestamps.
type TaskCounts struct {
	Failed       int64 `json:"FAILED"`
	Reconciling  int64 `json:"RECONCILING"`
	Created      int64 `json:"CREATED"`
	Scheduled    int64 `json:"SCHEDULED"`
	Deploying    int64 `json:"DEPLOYING"`
	Canceling    int64 `json:"CANCELING"`
	Running      int64 `json:"RUNNING"`
	Initializing int64 `json:"INITIALIZING"`
	Finished     int64 `json:"FINISHED"`
	Canceled     int64 `json:"CANCELED"`
}

// JobVertex is a vertex in GET /jobs/:jobid.
type JobVertex struct {
	ID               string     `json:"id"`
	SlotSharingGroup string     `json:"slotSharingGroupId"`
	Name             string     `json:"name"`
	MaxParallelism   int        `json:"maxParallelism"`
	Parallelism      int        `json:"parallelism"`
	Status           string     `json:"status"`
	StartTime        int64      `json:"start-time"`
	EndTime          int64      `json:"end-time"`
	Duration         int64      `json:"duration"`
	Tasks            TaskCounts `json:"tasks"`
	Metrics          IOMetrics  `json:"metrics"`
}

// IOMetrics is what tasks read and wrote.
type IOMetrics struct {
	ReadBytes            int64 `json:"read-bytes"`
	ReadBytesComplete    bool  `json:"read-bytes-complete"`
	WriteBytes           int64 `json:"write-bytes"`
	WriteBytesComplete   bool  `json:"write-bytes-complete"`
	ReadRecords          int64 `json:"read-records"`
	ReadRecordsComplete  bool  `json:"read-records-complete"`
	WriteRecords         int64 `json:"write-records"`
	WriteRecordsComplete bool  `json:"write-records-complete"`
	BackPressuredTime    int64 `json:"accumulated-backpressured-time"`
	IdleTime             int64 `json:"accumulated-idle-time"`
	BusyTime             int64 `json:"accumulated-busy-time"`
}

// PlanAnswer answers GET /jobs/:jobid/plan.
type PlanAnswer struct {
	Plan json.RawMessage `json:"plan"`
}

// JobConfigAnswer answers GET /jobs/:jobid/config.
type JobConfigAnswer struct {
	ID     string          `json:"jid"`
	Name   string          `json:"name"`
	Config ExecutionConfig `json:"execution-config"`
}

// ExecutionConfig is what a job runs with.
type ExecutionConfig struct {
	Mode            string            `json:"execution-mode"`
	RestartStrategy string            `json:"restart-strategy"`
	Parallelism     int               `json:"job-parallelism"`
	ObjectReuse     bool              `json:"object-reuse-mode"`
	UserConfig      map[string]string `json:"user-config"`
}

// ExceptionsAnswer answers GET /jobs/:jobid/exceptions; the first four fields are Flink's older form.
type ExceptionsAnswer struct {
	RootException *string          `json:"root-exception"`
	Timestamp     *int64           `json:"timestamp"`
	All           []OlderException `json:"all-exceptions"`
	Truncated     bool             `json:"truncated"`
	History       ExceptionHistory `json:"exceptionHistory"`
}

// OlderException is a task's exception in the older form.
type OlderException struct {
	Exception   string `json:"exception"`
	Task        string `json:"task"`
	Location    string `json:"location"`
	Endpoint    string `json:"endpoint"`
	Timestamp   int64  `json:"timestamp"`
	TaskManager string `json:"taskManagerId"`
}

// ExceptionHistory is the failures of a job, newest first.
type ExceptionHistory struct {
	Entries   []RootException `json:"entries"`
	Truncated bool            `json:"truncated"`
}

// RootException is a failure and those that came with it.
type RootException struct {
	Exception
	Concurrent []Exception `json:"concurrentExceptions"`
}

// Exception is a failure. The task's fields are null for a failure of the whole job.
type Exception struct {
	Name        string            `json:"exceptionName"`
	StackTrace  string            `json:"stacktrace"`
	Timestamp   int64             `json:"timestamp"`
	Labels      map[string]string `json:"failureLabels"`
	Task        *string           `json:"taskName"`
	Location    *string           `json:"location"`
	Endpoint    *string           `json:"endpoint"`
	TaskManager *string           `json:"taskManagerId"`
}

// AccumulatorsAnswer answers GET /jobs/:jobid/accumulators.
type AccumulatorsAnswer struct {
	Job        []Empty           `json:"job-accumulators"`
	User       []UserAccumulator `json:"user-task-accumulators"`
	Serialized map[string]string `json:"serialized-user-task-accumulators"`
}

// UserAccumulator is an accumulator of the program.
type UserAccumulator struct {
	Name  string `json:"name"`
	Type  string `json:"type"`
	Value string `json:"value"`
}

// ResultAnswer answers GET /jobs/:jobid/execution-result.
type ResultAnswer struct {
	Status OperationStatus  `json:"status"`
	Result *ExecutionResult `json:"job-execution-result,omitempty"`
}

// Outcomes of a job in ExecutionResult.
const (
	ApplicationSucceeded = "SUCCEEDED"
	ApplicationFailed    = "FAILED"
	ApplicationCanceled  = "CANCELED"
	ApplicationUnknown   = "UNKNOWN"
)

// ExecutionResult is the outcome of a job. Accumulators are text here, where Flink has serialised Java objects.
type ExecutionResult struct {
	ID           string                     `json:"id"`
	Status       string                     `json:"application-status"`
	Accumulators map[string]UserAccumulator `json:"accumulator-results"`
	NetRuntime   int64                      `json:"net-runtime"`
	Failure      *FailureCause              `json:"failure-cause,omitempty"`
}
