package worker

import (
	"time"

	"goflink/control"
	"goflink/metrics"
)

// tick drives everything periodic of the worker: marks for the buffer
// time-out, sizes of buffers, heartbeats, meters and reports. It does no work of a task, so a
// busy task delays none of it.
func (w *worker) tick() {
	every := func(d time.Duration) (<-chan time.Time, func()) {
		if d <= 0 {
			return nil, func() {}
		}
		t := time.NewTicker(d)
		return t.C, t.Stop
	}
	flush, stopFlush := every(w.flushEvery)
	period := w.debloat.Period
	if !w.debloat.Enabled {
		period = 0
	}
	debloat, stopDebloat := every(period)
	beat, stopBeat := every(w.heartbeat)
	meters, stopMeters := every(metrics.TickInterval)
	report, stopReport := every(w.MetricsInterval)
	for _, stop := range []func(){stopFlush, stopDebloat, stopBeat, stopMeters, stopReport} {
		defer stop()
	}
	for {
		select {
		case <-w.ctx.Done():
			return
		case <-flush:
			w.markFlush(w.flushEvery)
		case now := <-debloat:
			w.adaptBuffers(now)
		case <-beat:
			w.send(&control.WorkerEvent{Event: &control.WorkerEvent_Heartbeat{Heartbeat: &control.Heartbeat{SentMs: time.Now().UnixMilli(), RssBytes: residentBytes()}}})
		case now := <-meters:
			w.registry.Tick(now)
		case <-report:
			w.reportMetrics()
		}
	}
}

func (w *worker) tasks() []*task {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.mu.tasks
}

// adaptBuffers lets each task's input ask for smaller or larger buffers.
func (w *worker) adaptBuffers(now time.Time) {
	for _, t := range w.tasks() {
		if t.gate != nil {
			t.gate.Debloat(now, t.stats.idleUntil(now))
		}
	}
}

func (w *worker) reportMetrics() {
	report, now := &control.MetricsReport{}, time.Now()
	for _, t := range w.tasks() {
		if state, ok := t.state.Load().(*control.TaskState); !ok || state.State != stateRunning {
			continue
		}
		t.showTimes(now)
		report.Tasks = append(report.Tasks, &control.TaskMetrics{Task: t.id, Io: t.figures(now), Metrics: t.metrics.Snapshot(),
			Accumulators: t.accumulated()})
		t.askAccumulators()
	}
	if len(report.Tasks) > 0 {
		w.send(&control.WorkerEvent{Event: &control.WorkerEvent_Metrics{Metrics: report}})
	}
}
