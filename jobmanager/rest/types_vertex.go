package rest

// VertexAnswer answers GET /jobs/:jobid/vertices/:vertexid.
type VertexAnswer struct {
	ID             string          `json:"id"`
	Name           string          `json:"name"`
	Parallelism    int             `json:"parallelism"`
	MaxParallelism int             `json:"maxParallelism"`
	Now            int64           `json:"now"`
	Subtasks       []SubtaskAnswer `json:"subtasks"`
	Aggregated     Aggregated      `json:"aggregated"`
}

// SubtaskAnswer is a subtask's attempt; it also answers GET …/subtasks/:index and …/attempts/:attempt.
type SubtaskAnswer struct {
	Subtask        int              `json:"subtask"`
	Status         string           `json:"status"`
	Attempt        int              `json:"attempt"`
	Host           string           `json:"host"`
	Endpoint       string           `json:"endpoint"`
	StartTime      int64            `json:"start-time"`
	EndTime        int64            `json:"end-time"`
	Duration       int64            `json:"duration"`
	Metrics        IOMetrics        `json:"metrics"`
	TaskManager    string           `json:"taskmanager-id"`
	StatusDuration map[string]int64 `json:"status-duration"`
	StartTimeOlder int64            `json:"start_time"`
}

// Aggregated are distributions over subtasks.
type Aggregated struct {
	Metrics        map[string]Distribution `json:"metrics"`
	StatusDuration map[string]Distribution `json:"status-duration"`
}

// Distribution describes values of several subtasks.
type Distribution struct {
	P25    int64 `json:"p25"`
	Min    int64 `json:"min"`
	Avg    int64 `json:"avg"`
	Median int64 `json:"median"`
	Max    int64 `json:"max"`
	Sum    int64 `json:"sum"`
	P95    int64 `json:"p95"`
	P75    int64 `json:"p75"`
}

// SubtaskTimesAnswer answers GET …/subtasktimes.
type SubtaskTimesAnswer struct {
	ID       string         `json:"id"`
	Name     string         `json:"name"`
	Now      int64          `json:"now"`
	Subtasks []SubtaskTimes `json:"subtasks"`
}

// SubtaskTimes is when a subtask entered its states, 0 where it did not.
type SubtaskTimes struct {
	Subtask    int        `json:"subtask"`
	Host       string     `json:"host"`
	Endpoint   string     `json:"endpoint"`
	Duration   int64      `json:"duration"`
	Timestamps TaskCounts `json:"timestamps"`
}

// VertexTaskManagersAnswer answers GET …/taskmanagers of a vertex.
type VertexTaskManagersAnswer struct {
	ID           string              `json:"id"`
	Name         string              `json:"name"`
	Now          int64               `json:"now"`
	TaskManagers []VertexTaskManager `json:"taskmanagers"`
}

// VertexTaskManager is a vertex's subtasks on one TaskManager.
type VertexTaskManager struct {
	Host         string     `json:"host"`
	Endpoint     string     `json:"endpoint"`
	Status       string     `json:"status"`
	StartTime    int64      `json:"start-time"`
	EndTime      int64      `json:"end-time"`
	Duration     int64      `json:"duration"`
	Metrics      IOMetrics  `json:"metrics"`
	StatusCounts TaskCounts `json:"status-counts"`
	TaskManager  string     `json:"taskmanager-id"`
	Aggregated   Aggregated `json:"aggregated"`
}

// VertexAccumulatorsAnswer answers GET …/accumulators of a vertex.
type VertexAccumulatorsAnswer struct {
	ID   string            `json:"id"`
	User []UserAccumulator `json:"user-accumulators"`
}

// SubtaskAccumulatorsAnswer answers GET …/subtasks/accumulators.
type SubtaskAccumulatorsAnswer struct {
	ID          string                `json:"id"`
	Parallelism int                   `json:"parallelism"`
	Subtasks    []SubtaskAccumulators `json:"subtasks"`
}

// SubtaskAccumulators is a subtask's accumulators.
type SubtaskAccumulators struct {
	Subtask  int               `json:"subtask"`
	Attempt  int               `json:"attempt"`
	Host     string            `json:"host"`
	Endpoint string            `json:"endpoint"`
	User     []UserAccumulator `json:"user-accumulators"`
}

// BackPressureAnswer answers GET …/backpressure; the last field is Flink's older spelling.
type BackPressureAnswer struct {
	Status     string                `json:"status"`
	Level      string                `json:"backpressureLevel"`
	End        int64                 `json:"end-timestamp"`
	Subtasks   []SubtaskBackPressure `json:"subtasks"`
	LevelOlder string                `json:"backpressure-level"`
}

// SubtaskBackPressure is how a subtask spends its time, in shares of it.
type SubtaskBackPressure struct {
	Subtask    int    `json:"subtask"`
	Level      string `json:"backpressureLevel"`
	Ratio      Number `json:"ratio"`
	IdleRatio  Number `json:"idleRatio"`
	BusyRatio  Number `json:"busyRatio"`
	LevelOlder string `json:"backpressure-level"`
}

// FlameGraphAnswer answers GET …/flamegraph while there are no samples: -2 says that sampling is off.
type FlameGraphAnswer struct {
	End int64 `json:"endTimestamp"`
}
