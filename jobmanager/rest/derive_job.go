package rest

import (
	"encoding/json"
	"fmt"
	"time"
)

// millis is t in milliseconds since the epoch, or absent when t is zero.
func millis(t time.Time, absent int64) int64 {
	if t.IsZero() {
		return absent
	}
	return t.UnixMilli()
}

// elapsed is the milliseconds from start to end, or to now while there is no end; none before the start.
func elapsed(start, end, now time.Time, none int64) int64 {
	if start.IsZero() {
		return none
	}
	if end.IsZero() {
		end = now
	}
	return max(0, end.Sub(start).Milliseconds())
}

func taskCounts(n func(state string) int64) TaskCounts {
	return TaskCounts{
		Failed: n(stateFailed), Reconciling: n("RECONCILING"), Created: n(stateCreated), Scheduled: n("SCHEDULED"), Deploying: n("DEPLOYING"),
		Canceling: n(stateCanceling), Running: n(stateRunning), Initializing: n(stateInitializing), Finished: n(stateFinished), Canceled: n(stateCanceled),
	}
}

func countsOf(states map[string]int) TaskCounts {
	return taskCounts(func(s string) int64 { return int64(states[s]) })
}

func enteredOf(entered map[string]time.Time) TaskCounts {
	return taskCounts(func(s string) int64 { return millis(entered[s], 0) })
}

func jobTimestamps(entered map[string]time.Time) JobTimestamps {
	at := func(s string) int64 { return millis(entered[s], 0) }
	return JobTimestamps{
		Failed: at(stateFailed), Created: at(stateCreated), Failing: at("FAILING"), Cancelling: at("CANCELLING"), Initializing: at(stateInitializing),
		Finished: at(stateFinished), Reconciling: at("RECONCILING"), Suspended: at("SUSPENDED"), Running: at(stateRunning), Canceled: at(stateCanceled),
		Restarting: at("RESTARTING"),
	}
}

func overviewOf(j JobSummary, now time.Time) JobOverview {
	n, total := j.Tasks, 0
	for _, c := range n {
		total += c
	}
	return JobOverview{
		ID: j.ID, Name: j.Name, StartTime: millis(j.Start, -1), EndTime: millis(j.End, -1), Duration: elapsed(j.Start, j.End, now, -1), State: j.State,
		LastModification: millis(j.LastModified, -1),
		Tasks: OverviewTasks{
			Running: n[stateRunning], Canceling: n[stateCanceling], Canceled: n[stateCanceled], Total: total, Created: n[stateCreated],
			Scheduled: n["SCHEDULED"], Deploying: n["DEPLOYING"], Reconciling: n["RECONCILING"], Finished: n[stateFinished],
			Initializing: n[stateInitializing], Failed: n[stateFailed],
		},
	}
}

// jobTotals counts jobs as the overview shows them: what has not ended counts as running.
func jobTotals(jobs []JobSummary) (running, finished, cancelled, failed int) {
	for _, j := range jobs {
		switch j.State {
		case stateFinished:
			finished++
		case stateCanceled:
			cancelled++
		case stateFailed:
			failed++
		default:
			running++
		}
	}
	return running, finished, cancelled, failed
}

func ioOf(subtasks []Subtask) IOMetrics {
	m := IOMetrics{ReadBytesComplete: true, WriteBytesComplete: true, ReadRecordsComplete: true, WriteRecordsComplete: true}
	for _, s := range subtasks {
		m.ReadBytes += s.IO.ReadBytes
		m.WriteBytes += s.IO.WriteBytes
		m.ReadRecords += s.IO.ReadRecords
		m.WriteRecords += s.IO.WriteRecords
		m.BackPressuredTime += s.IO.BackPressuredMs
		m.IdleTime += s.IO.IdleMs
		m.BusyTime += s.IO.BusyMs
		if !s.IO.Complete {
			m.ReadBytesComplete, m.WriteBytesComplete, m.ReadRecordsComplete, m.WriteRecordsComplete = false, false, false, false
		}
	}
	return m
}

func jobVertexOf(v Vertex, now time.Time) JobVertex {
	return JobVertex{
		ID: v.ID, SlotSharingGroup: v.SlotSharingGroup, Name: v.Name, MaxParallelism: v.MaxParallelism, Parallelism: v.Parallelism,
		Status: v.status(), StartTime: millis(v.start(), -1), EndTime: millis(v.end(), -1), Duration: elapsed(v.start(), v.end(), now, -1),
		Tasks: countsOf(countStates(v.Subtasks)), Metrics: ioOf(v.Subtasks),
	}
}

// statusCounts counts vertices by their aggregated state, as GET /jobs/:jobid does.
func statusCounts(vertices []Vertex) TaskCounts {
	n := map[string]int{}
	for _, v := range vertices {
		n[v.status()]++
	}
	return countsOf(n)
}

func jobType(batch bool) string {
	if batch {
		return "BATCH"
	}
	return "STREAMING"
}

// planOf is the job's plan; an empty object when there is none.
func planOf(j *Job) json.RawMessage {
	if len(j.Plan) == 0 {
		return json.RawMessage("{}")
	}
	return j.Plan
}

func jobOf(j *Job, now time.Time) JobAnswer {
	a := JobAnswer{
		ID: j.ID, Name: j.Name, Stoppable: j.Stoppable, State: j.State, Type: jobType(j.Batch), StartTime: millis(j.Start, -1), EndTime: millis(j.End, -1),
		Duration: elapsed(j.Start, j.End, now, -1), MaxParallelism: j.MaxParallelism, Now: now.UnixMilli(), Timestamps: jobTimestamps(j.Entered),
		Vertices: make([]JobVertex, 0, len(j.Vertices)), StatusCounts: statusCounts(j.Vertices), Plan: planOf(j),
	}
	for _, v := range j.Vertices {
		a.Vertices = append(a.Vertices, jobVertexOf(v, now))
	}
	return a
}

func jobConfigOf(j *Job) JobConfigAnswer {
	mode := "PIPELINED"
	if j.Batch {
		mode = "BATCH"
	}
	params := j.Settings.Parameters
	if params == nil {
		params = map[string]string{}
	}
	return JobConfigAnswer{ID: j.ID, Name: j.Name, Config: ExecutionConfig{
		Mode: mode, RestartStrategy: j.Settings.RestartStrategy, Parallelism: j.Settings.Parallelism, ObjectReuse: j.Settings.ObjectReuse, UserConfig: params,
	}}
}

// optional is nil for an empty text.
func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func exceptionOf(f Failure) Exception {
	labels := f.Labels
	if labels == nil {
		labels = map[string]string{}
	}
	task := f.Task
	if task != "" {
		task = fmt.Sprintf("%s - execution #%d", task, f.Attempt)
	}
	return Exception{
		Name: f.Name, StackTrace: f.Message, Timestamp: millis(f.At, 0), Labels: labels,
		Task: optional(task), Location: optional(f.Endpoint), Endpoint: optional(f.Endpoint), TaskManager: optional(f.TaskManager),
	}
}

// exceptionsOf lists the newest limit failures.
func exceptionsOf(j *Job, limit int) ExceptionsAnswer {
	a := ExceptionsAnswer{All: []OlderException{}, History: ExceptionHistory{Entries: []RootException{}, Truncated: j.FailuresTruncated}}
	failures := j.Failures
	if len(failures) > limit {
		failures, a.History.Truncated = failures[:limit], true
	}
	for i, f := range failures {
		if i == 0 {
			at := millis(f.At, 0)
			a.RootException, a.Timestamp = &f.Message, &at
		}
		root := RootException{Exception: exceptionOf(f), Concurrent: []Exception{}}
		for _, c := range f.Concurrent {
			root.Concurrent = append(root.Concurrent, exceptionOf(c))
		}
		a.History.Entries = append(a.History.Entries, root)
		if f.Task != "" {
			a.All = append(a.All, OlderException{Exception: f.Message, Task: f.Task, Location: f.Endpoint, Endpoint: f.Endpoint, Timestamp: millis(f.At, 0), TaskManager: f.TaskManager})
		}
	}
	return a
}

func accumulatorsOf(list []Accumulator) []UserAccumulator {
	out := make([]UserAccumulator, 0, len(list))
	for _, a := range list {
		out = append(out, UserAccumulator(a))
	}
	return out
}

// applicationStatus names a job's outcome as Flink's application status.
func applicationStatus(state string) string {
	switch state {
	case stateFinished:
		return ApplicationSucceeded
	case stateFailed:
		return ApplicationFailed
	case stateCanceled:
		return ApplicationCanceled
	}
	return ApplicationUnknown
}

func resultOf(id string, r *JobResult) ResultAnswer {
	if r == nil {
		return ResultAnswer{Status: OperationStatus{OperationInProgress}}
	}
	out := &ExecutionResult{ID: id, Status: applicationStatus(r.State), Accumulators: map[string]UserAccumulator{}, NetRuntime: r.NetRuntime.Milliseconds()}
	for _, a := range r.Accumulators {
		out.Accumulators[a.Name] = UserAccumulator(a)
	}
	if r.Failure != nil {
		out.Failure = &FailureCause{Class: r.Failure.Name, StackTrace: r.Failure.Message}
	}
	return ResultAnswer{Status: OperationStatus{OperationCompleted}, Result: out}
}
