package metrics

import (
	"math"
	"strconv"
)

// NoWatermark is the watermark of an input that has not sent one yet; Flink shows the least 64-bit number.
const NoWatermark = math.MinInt64

// LatencyGroup is the group of a task's latencies, which are shown with the job.
const LatencyGroup = "latency"

// TaskID names a subtask for its metrics.
type TaskID struct {
	// JobID and VertexID are 32 hexadecimal digits.
	JobID, JobName     string
	VertexID, TaskName string
	// Subtask counts from 0, Attempt too.
	Subtask, Attempt int
}

// Task is the metrics of a subtask in this process. Its counters and values, and those of its operators, belong to the
// goroutine that runs the task, which calls Publish after each batch.
type Task struct {
	*Group
	// IO are the figures every task has.
	IO TaskIO

	id  TaskID
	key string
}

// TaskIO are the figures of a task's input and output. Times are cumulated milliseconds; the rates Flink shows beside them
// are meters over these.
type TaskIO struct {
	RecordsIn, RecordsOut, BytesIn, BytesOut      *Counter
	BytesInLocal, BytesInRemote                   *Counter
	BuffersInLocal, BuffersInRemote, BuffersOut   *Counter
	FiredTimers                                   *Counter
	CurrentInputWatermark, CurrentOutputWatermark *Value
	// How the task's time divides, for whoever reads its clock. Back pressure is soft
	// between records and hard inside one.
	BusyMs, IdleMs, BackPressuredMs          *AtomicCounter
	SoftBackPressuredMs, HardBackPressuredMs *AtomicCounter
	// CheckpointAlignmentNanos and CheckpointStartDelayNanos are of the last checkpoint.
	CheckpointAlignmentNanos, CheckpointStartDelayNanos *Value
	// InitializationMs is how long the task took from its deployment to running.
	InitializationMs *Value
	// MailboxLatency is the time in milliseconds a mail waits in the mailbox; MailboxSize its length.
	MailboxLatency *Histogram
	MailboxSize    *Value
}

// Task makes the metrics of a subtask; a former attempt's are replaced.
func (r *Registry) Task(id TaskID) *Task {
	t := &Task{id: id, key: "task " + id.JobID + " " + id.VertexID + " " + strconv.Itoa(id.Subtask)}
	r.drop(t.key, nil)
	t.Group = r.root(t.key, r.opts.Scopes.Task, r.taskVariables(id))
	t.IO = newTaskIO(t.Group)
	return t
}

func (r *Registry) taskVariables(id TaskID, more ...string) map[string]string {
	return r.variables(append([]string{"<job_id>", id.JobID, "<job_name>", cleanName(id.JobName), "<task_id>", id.VertexID, "<task_name>", cleanName(id.TaskName),
		"<subtask_index>", strconv.Itoa(id.Subtask), "<task_attempt_num>", strconv.Itoa(id.Attempt)}, more...)...)
}

// drop removes a component; with only set, only when it still is this group.
func (r *Registry) drop(key string, only *Group) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if only == nil || r.mu.roots[key] == only {
		delete(r.mu.roots, key)
	}
}

func newTaskIO(g *Group) TaskIO {
	io := TaskIO{
		RecordsIn: metered(g, "numRecordsIn"), RecordsOut: metered(g, "numRecordsOut"),
		BytesIn: metered(g, "numBytesIn"), BytesOut: metered(g, "numBytesOut"),
		BytesInLocal: metered(g, "numBytesInLocal"), BytesInRemote: metered(g, "numBytesInRemote"),
		BuffersInLocal: metered(g, "numBuffersInLocal"), BuffersInRemote: metered(g, "numBuffersInRemote"),
		BuffersOut: metered(g, "numBuffersOut"), FiredTimers: metered(g, "numFiredTimers"),
		BusyMs: g.AtomicCounter("accumulateBusyTimeMs"), IdleMs: g.AtomicCounter("accumulateIdleTimeMs"), BackPressuredMs: g.AtomicCounter("accumulateBackPressuredTimeMs"),
		SoftBackPressuredMs: &AtomicCounter{}, HardBackPressuredMs: &AtomicCounter{},
		CurrentInputWatermark: g.Value("currentInputWatermark", NoWatermark), CurrentOutputWatermark: g.Value("currentOutputWatermark", NoWatermark),
		CheckpointAlignmentNanos: g.Value("checkpointAlignmentTime", 0), CheckpointStartDelayNanos: g.Value("checkpointStartDelayNanos", 0),
		InitializationMs: g.Value("initializationTime", 0), MailboxLatency: g.Histogram("mailboxLatencyMs", 128), MailboxSize: g.Value("mailboxQueueSize", 0),
	}
	g.Meter("busyTimeMsPerSecond", io.BusyMs)
	g.Meter("idleTimeMsPerSecond", io.IdleMs)
	g.Meter("softBackPressuredTimeMsPerSecond", io.SoftBackPressuredMs)
	g.Meter("hardBackPressuredTimeMsPerSecond", io.HardBackPressuredMs)
	back := g.Meter("backPressuredTimeMsPerSecond", io.BackPressuredMs)
	g.Gauge("isBackPressured", func() string { return strconv.FormatBool(back.Rate() > 100) })
	return io
}

// metered makes a counter and the meter that Flink shows beside it.
func metered(g *Group, name string) *Counter {
	c := g.Counter(name)
	g.Meter(name+"PerSecond", c)
	return c
}

// Operator is the metrics of an operator within a task.
type Operator struct {
	*Group
	// RecordsIn and RecordsOut are counted by the operator's chain.
	RecordsIn, RecordsOut *Counter
	// BytesIn and BytesOut stay 0 within a chain, as in Flink.
	BytesIn, BytesOut *Counter
	// CurrentInputWatermark and CurrentOutputWatermark are in milliseconds.
	CurrentInputWatermark, CurrentOutputWatermark *Value
}

// User is the group of an operator without the figures of Operator: for the metrics of the program.
func (t *Task) User(id, name string) *Group {
	r := t.reg
	variables := r.taskVariables(t.id, "<operator_id>", id, "<operator_name>", cleanName(name))
	r.mu.Lock()
	defer r.mu.Unlock()
	return t.child(OperatorName(name), format(r.opts.Scopes.Operator, variables), variables)
}

// Operator makes the metrics of an operator of the task; to be called before the task runs.
func (t *Task) Operator(id, name string) *Operator {
	g := t.User(id, name)
	return &Operator{
		Group: g, RecordsIn: metered(g, "numRecordsIn"), RecordsOut: metered(g, "numRecordsOut"),
		BytesIn: metered(g, "numBytesIn"), BytesOut: metered(g, "numBytesOut"),
		CurrentInputWatermark: g.Value("currentInputWatermark", NoWatermark), CurrentOutputWatermark: g.Value("currentOutputWatermark", NoWatermark),
	}
}

// Close removes the task's metrics.
func (t *Task) Close() { t.reg.drop(t.key, t.Group) }
