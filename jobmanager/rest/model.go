package rest

import (
	"encoding/json"
	"time"
)

// States of jobs and tasks, Flink's.
const (
	stateCreated      = "CREATED"
	stateInitializing = "INITIALIZING"
	stateRunning      = "RUNNING"
	stateFinished     = "FINISHED"
	stateFailed       = "FAILED"
	stateCanceled     = "CANCELED"
	stateCanceling    = "CANCELING"
)

// JobSummary is a job in a list.
type JobSummary struct {
	// ID is the job id, Name the job's name, State one of Flink's job states.
	ID, Name, State string
	// Start is when the job was submitted, End when it ended (zero before), LastModified its last change of state.
	Start, End, LastModified time.Time
	// Tasks counts the subtasks by their state.
	Tasks map[string]int
}

// Job is a job with its tasks.
type Job struct {
	JobSummary
	// Batch tells that the job runs in batch mode.
	Batch bool
	// Stoppable tells whether "stop" is offered; Flink always says false.
	Stoppable bool
	// MaxParallelism is the job's, -1 when it is derived.
	MaxParallelism int
	// Entered is when the job last entered each of its states.
	Entered map[string]time.Time
	// Plan is the plan as Flink shows it: an object with jid, name, type and nodes.
	Plan json.RawMessage
	// Vertices are in topological order, sources first.
	Vertices []Vertex
	// Settings is what the job runs with.
	Settings JobSettings
	// Failures is the history of exceptions, newest first; FailuresTruncated tells that older ones were dropped.
	Failures          []Failure
	FailuresTruncated bool
	// Accumulators are the job's, summed up over its subtasks.
	Accumulators []Accumulator
}

// JobSettings is what a job runs with.
type JobSettings struct {
	// RestartStrategy describes the strategy for people.
	RestartStrategy string
	// Parallelism is the job's default parallelism.
	Parallelism int
	// ObjectReuse is pipeline.object-reuse.
	ObjectReuse bool
	// Parameters are the global job parameters.
	Parameters map[string]string
}

// Vertex is a chain of operators and its subtasks.
type Vertex struct {
	// ID is 32 hexadecimal digits.
	ID, Name string
	// SlotSharingGroup names the group.
	SlotSharingGroup            string
	Parallelism, MaxParallelism int
	// Accumulators are those of the vertex, merged over its subtasks.
	Accumulators []Accumulator
	// Subtasks are in the order of their index.
	Subtasks []Subtask
}

// Subtask is the current attempt of a subtask, and the ones before.
type Subtask struct {
	Index, Attempt int
	// State is one of Flink's task states.
	State string
	// TaskManager is the id of the TaskManager, empty before one is assigned; Host its host and DataPort its data port.
	TaskManager, Host string
	DataPort          int
	// Entered is when the attempt entered each of its states. Start and end follow from it.
	Entered map[string]time.Time
	// IO is what the subtask read and wrote so far.
	IO SubtaskIO
	// Accumulators are the subtask's own.
	Accumulators []Accumulator
	// Earlier are the attempts before, oldest first, without their own Earlier.
	Earlier []Subtask
}

// SubtaskIO is what a subtask read and wrote.
type SubtaskIO struct {
	// Complete tells that the figures have arrived from the worker at all.
	Complete                                         bool
	ReadBytes, WriteBytes, ReadRecords, WriteRecords int64
	// The cumulated times in milliseconds.
	BackPressuredMs, IdleMs, BusyMs int64
	// The shares of the last interval, between 0 and 1.
	BackPressured, Idle, Busy float64
}

// Failure is an entry of the exception history.
type Failure struct {
	// Name is the kind of the failure ("user panic", "TaskManager lost"), Message the whole text with its stack.
	Name, Message string
	At            time.Time
	// Task names the failed subtask ("Map (2/3)"), empty for a failure of the whole job.
	Task string
	// Attempt is the attempt of Task that failed.
	Attempt int
	// TaskManager and Endpoint say where it ran.
	TaskManager, Endpoint string
	// Labels are Flink's failure labels.
	Labels map[string]string
	// Concurrent are failures that followed from it or came together with it.
	Concurrent []Failure
}

// Accumulator is an accumulator's name, type and value as text.
type Accumulator struct {
	Name, Type, Value string
}

// JobResult is the outcome of a job that has ended.
type JobResult struct {
	// State is FINISHED, FAILED, CANCELED or SUSPENDED.
	State string
	// NetRuntime is from the start to the end.
	NetRuntime time.Duration
	// Accumulators are the final values.
	Accumulators []Accumulator
	// Failure is why the job failed; nil for other outcomes.
	Failure *Failure
}

// start is when the attempt began to be deployed, zero before.
func (s Subtask) start() time.Time { return s.Entered["DEPLOYING"] }

// end is when the attempt ended, zero before.
func (s Subtask) end() time.Time {
	for _, state := range []string{stateFinished, stateCanceled, stateFailed} {
		if s.State == state {
			return s.Entered[state]
		}
	}
	return time.Time{}
}

// start is the earliest start of the subtasks, zero before.
func (v Vertex) start() time.Time {
	var first time.Time
	for _, s := range v.Subtasks {
		if t := s.start(); !t.IsZero() && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	return first
}

// end is the last end of the subtasks once all have ended, else zero.
func (v Vertex) end() time.Time {
	var last time.Time
	for _, s := range v.Subtasks {
		t := s.end()
		if t.IsZero() {
			return t
		}
		if t.After(last) {
			last = t
		}
	}
	return last
}

// status is the vertex's state as Flink aggregates it from its subtasks'.
func (v Vertex) status() string {
	n := countStates(v.Subtasks)
	for _, s := range []string{stateFailed, stateCanceling, stateCanceled, stateInitializing, stateRunning} {
		if n[s] > 0 {
			return s
		}
	}
	switch {
	case n[stateFinished] > 0 && n[stateFinished] == len(v.Subtasks):
		return stateFinished
	case n[stateFinished] > 0:
		return stateRunning
	}
	return stateCreated
}

func countStates(subtasks []Subtask) map[string]int {
	n := map[string]int{}
	for _, s := range subtasks {
		n[s.State]++
	}
	return n
}

// TaskManager is a registered TaskManager.
type TaskManager struct {
	// ID is the TaskManager's id; Path an address for people.
	ID, Path string
	DataPort int
	// LastHeartbeat is when it was last heard of.
	LastHeartbeat    time.Time
	Slots, FreeSlots int
	// Total and Free are its resources.
	Total, Free Resource
	Hardware    Hardware
	Memory      MemoryConfiguration
	// Allocated are the slots in use.
	Allocated []AllocatedSlot
	// Metrics are the figures of the process and its network buffers.
	Metrics TaskManagerMetrics
}
