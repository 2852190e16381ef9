package jobmanager

import (
	"strconv"
	"strings"
	"time"

	"goflink/conf"
	"goflink/graph"
	"goflink/jobmanager/checkpoint"
	"goflink/jobmanager/execution"
	"goflink/jobmanager/rest"
)

// summary is the job in a list.
func (m *master) summary() rest.JobSummary {
	s := rest.JobSummary{ID: m.id, Name: m.graph.Name, State: string(m.exec.State()), Start: m.exec.Times()[execution.JobInitializing],
		Tasks: map[string]int{}}
	for _, t := range m.exec.Times() {
		if t.After(s.LastModified) {
			s.LastModified = t
		}
	}
	if m.exec.State().Terminal() || m.exec.State() == execution.JobSuspended {
		s.End = m.exec.Times()[m.exec.State()]
	}
	for _, e := range m.exec.Tasks() {
		s.Tasks[string(e.State)]++
	}
	return s
}

// view is the whole job.
func (m *master) view() *rest.Job {
	plan, err := graph.PlanJSON(m.scaled)
	if err != nil {
		m.log.Warn("The plan cannot be shown", "error", err)
	}
	j := &rest.Job{JobSummary: m.summary(), Batch: batch(m.conf),
		MaxParallelism: int(m.graph.MaxParallelism), Entered: map[string]time.Time{}, Plan: plan, Accumulators: shown(m.accumulators("")),
		Settings: rest.JobSettings{RestartStrategy: m.strategyText(), Parallelism: conf.ParallelismDefault.Get(m.conf),
			ObjectReuse: conf.PipelineObjectReuse.Get(m.conf), Parameters: conf.PipelineGlobalJobParameters.Get(m.conf)}}
	if j.MaxParallelism == 0 {
		j.MaxParallelism = -1
	}
	for s, t := range m.exec.Times() {
		j.Entered[string(s)] = t
	}
	i := 0
	for _, v := range m.scaled.Vertices {
		rv := rest.Vertex{ID: v.Id, Name: v.Name, SlotSharingGroup: v.SlotSharingGroup, Parallelism: int(v.Parallelism), MaxParallelism: int(v.MaxParallelism),
			Accumulators: shown(m.accumulators(v.Id))}
		for range v.Parallelism {
			rv.Subtasks = append(rv.Subtasks, m.subtask(m.exec.Tasks()[i]))
			i++
		}
		j.Vertices = append(j.Vertices, rv)
	}
	m.addFailures(j)
	return j
}

func (m *master) strategyText() string {
	if !conf.RestartStrategyType.IsSet(m.conf) {
		return "Cluster level default restart strategy"
	}
	return m.spec.Restart.String()
}

func (m *master) subtask(e *execution.Execution) rest.Subtask {
	s := bareSubtask(e)
	if f := m.figures[e.ID()]; f != nil && f.attempt == e.Attempt {
		s.IO, s.Accumulators = f.subtaskIO(), shown(f.accumulators)
	}
	for _, p := range m.exec.Previous(e.ID()) {
		s.Earlier = append(s.Earlier, bareSubtask(p))
	}
	return s
}

func bareSubtask(e *execution.Execution) rest.Subtask {
	s := rest.Subtask{Index: e.Subtask, Attempt: e.Attempt, State: string(e.State), TaskManager: e.Slot.TaskManager, Host: e.Slot.Host,
		DataPort: e.Slot.DataPort, Entered: map[string]time.Time{}}
	for st, t := range e.Times {
		s.Entered[string(st)] = t
	}
	return s
}

// addFailures lists the failures, newest first.
func (m *master) addFailures(j *rest.Job) {
	entries, truncated := m.exec.History()
	j.FailuresTruncated = truncated
	for i := len(entries) - 1; i >= 0; i-- {
		f := failureView(entries[i].Failure)
		for _, c := range entries[i].Concurrent {
			f.Concurrent = append(f.Concurrent, failureView(c))
		}
		j.Failures = append(j.Failures, f)
	}
}

// failureView names the kind of a failure by its domain and first words.
func failureView(f execution.Failure) rest.Failure {
	name := "failure"
	switch {
	case strings.Contains(f.Message, "panic:"):
		name = "user panic"
	case strings.Contains(f.Message, "TaskManager"), strings.Contains(f.Message, "worker"):
		name = "worker lost"
	case f.Domain != "":
		name = f.Domain + " failure"
	}
	text := f.Message
	if f.Stack != "" {
		text += "\n" + f.Stack
	}
	return rest.Failure{Name: name, Message: text, At: f.At, Task: f.Task, Attempt: f.Attempt, TaskManager: f.TaskManager, Endpoint: f.Location}
}

// outcome is what is kept of the job when it has ended.
func (m *master) outcome() *ended {
	o := &ended{Job: *m.view(), Checkpoints: *m.checkpoints(), Settings: m.checkpointSettings(), Metrics: m.jobMetrics()}
	o.Result = rest.JobResult{State: o.Job.State, Accumulators: results(m.accumulators(""))}
	if !o.Job.End.IsZero() {
		o.Result.NetRuntime = o.Job.End.Sub(o.Job.Start)
	}
	if c := m.exec.Cause(); c != nil && m.exec.State() == execution.JobFailed {
		f := failureView(*c)
		o.Result.Failure = &f
	}
	return o
}

// checkpoints are the statistics as REST shows them.
func (m *master) checkpoints() *rest.CheckpointHistory {
	s := m.cp.Stats()
	h := &rest.CheckpointHistory{Restored: int64(s.Counts.Restored), Completed: int64(s.Counts.Completed), Failed: int64(s.Counts.Failed),
		InProgress: int64(s.Counts.InProgress), LatestCompleted: recordOf(s.Completed), LatestSavepoint: recordOf(s.Savepoint), LatestFailed: recordOf(s.Failed)}
	for _, st := range s.History {
		h.Records = append(h.Records, *recordOf(st))
	}
	if s.Restored != nil {
		h.LatestRestored = &rest.CheckpointRestore{ID: s.Restored.ID, At: s.Restored.At, Savepoint: s.Restored.Savepoint, Path: s.Restored.Path}
	}
	return h
}

func recordOf(st *checkpoint.Stats) *rest.CheckpointRecord {
	if st == nil {
		return nil
	}
	r := &rest.CheckpointRecord{ID: st.ID, Status: string(st.Status), Type: checkpointType(st.Kind), Format: strings.ToUpper(st.Format),
		Triggered: st.Triggered, Acknowledged: st.LatestAck, Path: st.Path, Discarded: st.Discarded, Failure: st.Failure,
		Figures: figuresView(st.Figures), Subtasks: st.Subtasks, Acks: st.Acknowledged}
	if st.Status == checkpoint.Failed {
		r.FailedAt = st.Ended
	}
	for _, id := range st.VertexIDs() {
		v := st.Vertices[id]
		rv := rest.VertexCheckpoint{ID: id, Parallelism: len(v.Each)}
		for i, f := range v.Each {
			if f.LatestAck.IsZero() {
				continue
			}
			ms := func(n int64) time.Duration { return time.Duration(n) * time.Millisecond }
			rv.Subtasks = append(rv.Subtasks, rest.SubtaskCheckpoint{Index: i, Acknowledged: f.LatestAck, Figures: figuresView(f),
				Sync: ms(f.Sync), Async: ms(f.Async), Alignment: ms(f.Alignment), StartDelay: ms(f.StartDelay), Unaligned: f.Unaligned})
		}
		r.Vertices = append(r.Vertices, rv)
	}
	return r
}

func checkpointType(k checkpoint.Kind) string {
	switch k {
	case checkpoint.Savepoint:
		return "SAVEPOINT"
	case checkpoint.Stop:
		return "SYNC_SAVEPOINT"
	}
	return "CHECKPOINT"
}

func figuresView(f checkpoint.Figures) rest.CheckpointFigures {
	return rest.CheckpointFigures{Written: f.Uploaded, State: f.Size, Processed: f.Processed, Persisted: f.Persisted}
}

func (m *master) checkpointSettings() rest.CheckpointSettings {
	c := m.conf
	retention := conf.CheckpointingRetention.Get(c)
	exactly := conf.CheckpointingMode.Get(c) == conf.ExactlyOnce
	return rest.CheckpointSettings{Enabled: conf.CheckpointingInterval.Get(c) > 0, ExactlyOnce: exactly,
		Interval: conf.CheckpointingInterval.Get(c), Timeout: conf.CheckpointingTimeout.Get(c), MinPause: conf.CheckpointingMinPause.Get(c),
		MaxConcurrent: conf.CheckpointingMaxConcurrent.Get(c), Externalized: retention != conf.NoRetention,
		DeleteOnCancel: retention != conf.RetainOnCancellation, Pebble: backendIsPebble(c), FileSystem: m.dir != "",
		TolerableFailed: conf.CheckpointingTolerableFailed.Get(c), AfterTasksFinish: true,
		Unaligned: exactly && conf.CheckpointingUnaligned.Get(c), AlignedTimeout: conf.CheckpointingAlignedTimeout.Get(c)}
}

func backendIsPebble(c *conf.Config) bool { return conf.StateBackendType.Get(c) == conf.BackendRocksDB }

// number reads a figure that a process reported; 0 when it is none.
func number(figures map[string]string, name string) int64 {
	v, err := strconv.ParseFloat(figures[name], 64)
	if err != nil {
		return 0
	}
	return int64(v)
}
