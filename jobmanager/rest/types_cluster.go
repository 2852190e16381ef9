package rest

import (
	"encoding/json"
	"math"
	"strconv"
)

// ErrorAnswer is the body of every refusal.
type ErrorAnswer struct {
	Errors []string `json:"errors"`
}

// Empty is the body of an answer that has nothing to say.
type Empty struct{}

// ConfigAnswer answers GET /config.
type ConfigAnswer struct {
	RefreshInterval int64          `json:"refresh-interval"`
	TimezoneName    string         `json:"timezone-name"`
	TimezoneOffset  int            `json:"timezone-offset"`
	Version         string         `json:"flink-version"`
	Revision        string         `json:"flink-revision"`
	Features        ConfigFeatures `json:"features"`
}

// ConfigFeatures are the features of the web page.
type ConfigFeatures struct {
	Submit  bool `json:"web-submit"`
	Cancel  bool `json:"web-cancel"`
	Rescale bool `json:"web-rescale"`
	History bool `json:"web-history"`
}

// OverviewAnswer answers GET /overview.
type OverviewAnswer struct {
	TaskManagers   int    `json:"taskmanagers"`
	SlotsTotal     int    `json:"slots-total"`
	SlotsAvailable int    `json:"slots-available"`
	JobsRunning    int    `json:"jobs-running"`
	JobsFinished   int    `json:"jobs-finished"`
	JobsCancelled  int    `json:"jobs-cancelled"`
	JobsFailed     int    `json:"jobs-failed"`
	Version        string `json:"flink-version"`
	Commit         string `json:"flink-commit"`
}

// KeyValue is an entry of GET /jobmanager/config.
type KeyValue struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// EnvironmentAnswer answers GET /jobmanager/environment. The names are the JVM's; the values are the Go process's.
type EnvironmentAnswer struct {
	JVM       Environment `json:"jvm"`
	Classpath []string    `json:"classpath"`
}

// Environment is the runtime of a process.
type Environment struct {
	Version string   `json:"version"`
	Arch    string   `json:"arch"`
	Options []string `json:"options"`
}

// LogsAnswer answers GET …/logs.
type LogsAnswer struct {
	Logs []LogFile `json:"logs"`
}

// LogFile is a log file of a process.
type LogFile struct {
	Name string `json:"name"`
	Size int64  `json:"size"`
	// Modified is in milliseconds since the epoch.
	Modified int64 `json:"mtime"`
}

// ThreadDumpAnswer answers GET …/thread-dump: the goroutines of a process.
type ThreadDumpAnswer struct {
	Threads []ThreadInfo `json:"threadInfos"`
}

// ThreadInfo is a goroutine.
type ThreadInfo struct {
	Name string `json:"threadName"`
	Text string `json:"stringifiedThreadInfo"`
}

// MetricAnswer is an entry of the metric requests; Value is absent in a list of names.
type MetricAnswer struct {
	ID    string  `json:"id"`
	Value *string `json:"value,omitempty"`
}

// AggregatedMetric is an entry of the requests that aggregate metrics; only the asked for aggregations are present.
type AggregatedMetric struct {
	ID   string  `json:"id"`
	Min  *Number `json:"min,omitempty"`
	Max  *Number `json:"max,omitempty"`
	Avg  *Number `json:"avg,omitempty"`
	Sum  *Number `json:"sum,omitempty"`
	Skew *Number `json:"skew,omitempty"`
}

// Number is a decimal number; not-a-number is written "NaN", as Flink does, and whole ones without a point.
type Number float64

// MarshalJSON implements json.Marshaler.
func (n Number) MarshalJSON() ([]byte, error) {
	f := float64(n)
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return []byte(`"NaN"`), nil
	}
	if f == math.Trunc(f) && math.Abs(f) < 1<<53 {
		return strconv.AppendInt(nil, int64(f), 10), nil
	}
	return strconv.AppendFloat(nil, f, 'g', -1, 64), nil
}

// UnmarshalJSON implements json.Unmarshaler.
func (n *Number) UnmarshalJSON(b []byte) error {
	if string(b) == `"NaN"` {
		*n = Number(math.NaN())
		return nil
	}
	return json.Unmarshal(b, (*float64)(n))
}

// TriggerAnswer answers what begins an asynchronous operation.
type TriggerAnswer struct {
	RequestID string `json:"request-id"`
}

// States of an asynchronous operation.
const (
	OperationInProgress = "IN_PROGRESS"
	OperationCompleted  = "COMPLETED"
)

// OperationAnswer answers the question for an asynchronous operation. Operation is null while it is under way.
type OperationAnswer struct {
	Status    OperationStatus  `json:"status"`
	Operation *OperationResult `json:"operation"`
}

// OperationStatus is the state of an asynchronous operation.
type OperationStatus struct {
	ID string `json:"id"`
}

// OperationResult is the outcome of an asynchronous operation: one of the fields, none after a disposal.
type OperationResult struct {
	Location     string        `json:"location,omitempty"`
	CheckpointID *int64        `json:"checkpointId,omitempty"`
	Failure      *FailureCause `json:"failure-cause,omitempty"`
}

// FailureCause is why an operation or a job failed. Class is the kind of the failure.
type FailureCause struct {
	Class      string `json:"class"`
	StackTrace string `json:"stack-trace"`
}

// SavepointRequest is the body of POST /jobs/:jobid/savepoints.
type SavepointRequest struct {
	TargetDirectory string `json:"target-directory,omitempty"`
	CancelJob       bool   `json:"cancel-job"`
	TriggerID       string `json:"triggerId,omitempty"`
	FormatType      string `json:"formatType,omitempty"`
}

// StopRequest is the body of POST /jobs/:jobid/stop.
type StopRequest struct {
	TargetDirectory string `json:"targetDirectory,omitempty"`
	Drain           bool   `json:"drain"`
	TriggerID       string `json:"triggerId,omitempty"`
	FormatType      string `json:"formatType,omitempty"`
}

// CheckpointRequest is the body of POST /jobs/:jobid/checkpoints.
type CheckpointRequest struct {
	TriggerID      string `json:"triggerId,omitempty"`
	CheckpointType string `json:"checkpointType,omitempty"`
}

// DisposalRequest is the body of POST /savepoint-disposal.
type DisposalRequest struct {
	SavepointPath string `json:"savepoint-path"`
}

// HeartbeatRequest is the body of PATCH /jobs/:jobid/clientHeartbeat.
type HeartbeatRequest struct {
	// Expired is when the client is to be taken for dead, in milliseconds since the epoch.
	Expired int64 `json:"expiredTimestamp"`
}

// SubmitRequest is the part "request" of a multipart POST /jobs.
type SubmitRequest struct {
	JobGraphFileName string `json:"jobGraphFileName"`
}

// SubmitAnswer answers POST /jobs.
type SubmitAnswer struct {
	JobURL string `json:"jobUrl"`
}

// DataSetsAnswer answers GET /datasets.
type DataSetsAnswer struct {
	DataSets []Empty `json:"dataSets"`
}
