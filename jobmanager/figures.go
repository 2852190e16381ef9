package jobmanager

import (
	"strconv"
	"strings"
	"time"

	"goflink/control"
	"goflink/jobmanager/checkpoint"
	"goflink/jobmanager/execution"
	"goflink/jobmanager/rest"
	"goflink/metrics"
	"goflink/metrics/accumulator"
)

// taskFigures are the figures of one execution, as its worker reported them.
type taskFigures struct {
	attempt      int
	io, before   *control.TaskIO
	metrics      map[string]string
	accumulators map[string]accumulator.Value
}

// figuresOf are the figures of an execution; a new one begins with none.
func (m *master) figuresOf(e *execution.Execution) *taskFigures {
	f := m.figures[e.ID()]
	if f == nil || f.attempt != e.Attempt {
		f = &taskFigures{attempt: e.Attempt, metrics: map[string]string{}, accumulators: map[string]accumulator.Value{}}
		m.figures[e.ID()] = f
	}
	return f
}

func (f *taskFigures) update(io *control.TaskIO, accumulators map[string][]byte) {
	if io != nil {
		f.before, f.io = f.io, io
	}
	for k, b := range accumulators {
		v, err := accumulator.Decode(b)
		if err == nil && len(f.accumulators) < maxFigures {
			f.accumulators[k] = v
		}
	}
}

func (m *master) metricsReport(r *control.MetricsReport) {
	for _, t := range r.GetTasks() {
		e := m.current(t.GetTask())
		if e == nil {
			continue
		}
		f := m.figuresOf(e)
		f.update(t.GetIo(), t.GetAccumulators())
		for k, v := range t.GetMetrics() {
			if len(f.metrics) < maxFigures {
				f.metrics[k] = v
			}
		}
	}
}

// subtaskIO is what REST shows of a task's input and output.
func (f *taskFigures) subtaskIO() rest.SubtaskIO {
	if f == nil || f.io == nil {
		return rest.SubtaskIO{}
	}
	io := f.io
	out := rest.SubtaskIO{Complete: true, ReadBytes: io.BytesIn, WriteBytes: io.BytesOut, ReadRecords: io.RecordsIn, WriteRecords: io.RecordsOut,
		BackPressuredMs: io.BackpressuredMs, IdleMs: io.IdleMs, BusyMs: io.BusyMs}
	before := f.before
	if before == nil {
		before = &control.TaskIO{}
	}
	// The parts are rounded each by itself: one that does not grow may seem to shrink.
	pressed, idle, busy := max(0, io.BackpressuredMs-before.BackpressuredMs), max(0, io.IdleMs-before.IdleMs), max(0, io.BusyMs-before.BusyMs)
	if all := float64(pressed + idle + busy); all > 0 {
		out.BackPressured, out.Idle, out.Busy = float64(pressed)/all, float64(idle)/all, float64(busy)/all
	}
	return out
}

// jobMetrics are the job's figures under Flink's names.
func (m *master) jobMetrics() map[string]string {
	now, times := m.jm.clock.Now(), m.exec.Times()
	out := map[string]string{}
	put := func(name string, v int64) { out[name] = strconv.FormatInt(v, 10) }
	state := m.exec.State()
	up, down := time.Duration(0), time.Duration(0)
	switch {
	case state == execution.JobRunning:
		up = sinceOrZero(now, times[execution.JobRunning])
	case state == execution.JobRestarting:
		down = sinceOrZero(now, times[execution.JobRestarting])
	}
	put("uptime", up.Milliseconds())
	put("downtime", down.Milliseconds())
	put("runningTime", up.Milliseconds())
	put("restartingTime", down.Milliseconds())
	put("fullRestarts", int64(m.exec.Restarts()))
	put("numRestarts", int64(m.exec.Restarts()))
	put("numRescales", int64(m.exec.Rescales()))
	checkpointMetrics(m.cp.Stats(), put, out)
	return out
}

// shownJobMetrics are jobMetrics with the latencies that tasks told of, which Flink
// shows with the job.
func (m *master) shownJobMetrics() map[string]string {
	out := m.jobMetrics()
	for _, e := range m.exec.Tasks() {
		if f := m.figures[e.ID()]; f != nil {
			for k, v := range f.metrics {
				if isLatency(k) {
					out[k] = v
				}
			}
		}
	}
	return out
}

// isLatency tells a latency's name among those of a task's figures.
func isLatency(name string) bool { return strings.HasPrefix(name, metrics.LatencyGroup+".") }

func checkpointMetrics(s checkpoint.Snapshot, put func(string, int64), out map[string]string) {
	put("totalNumberOfCheckpoints", int64(s.Counts.Total))
	put("numberOfInProgressCheckpoints", int64(s.Counts.InProgress))
	put("numberOfCompletedCheckpoints", int64(s.Counts.Completed))
	put("numberOfFailedCheckpoints", int64(s.Counts.Failed))
	last := int64(-1)
	if s.Restored != nil {
		last = s.Restored.At.UnixMilli()
	}
	put("lastCheckpointRestoreTimestamp", last)
	c := s.Completed
	if c == nil {
		c = &checkpoint.Stats{}
	}
	put("lastCheckpointSize", c.Uploaded)
	put("lastCheckpointFullSize", c.Size)
	put("lastCheckpointDuration", c.Duration)
	put("lastCheckpointProcessedData", c.Processed)
	put("lastCheckpointPersistedData", 0)
	put("lastCompletedCheckpointId", c.ID)
	out["lastCheckpointExternalPath"] = c.Path
	if c.Path == "" {
		out["lastCheckpointExternalPath"] = "n/a"
	}
}

// registerGauges makes the job's figures known to reporters. They read copies,
// which heartbeats and checkpoints renew: a reporter must not wait for a loop.
func (m *master) registerGauges() {
	m.refreshGauges()
	g := m.jm.metrics.Job(m.id, m.graph.Name)
	for name := range *m.shown.Load() {
		g.Gauge(name, func() string { return (*m.shown.Load())[name] })
	}
}

func (m *master) refreshGauges() {
	f := m.jobMetrics()
	m.shown.Store(&f)
}

// sinceOrZero is how long ago t was; 0 for the zero time.
func sinceOrZero(now, t time.Time) time.Duration {
	if t.IsZero() {
		return 0
	}
	return now.Sub(t)
}
