package worker

import (
	"strconv"
	"time"

	"goflink/conf"
	"goflink/dataflow"
	"goflink/metrics"
)

// latencies are the histograms of the latency markers that reach a task's
// operators. They belong to the task's goroutine. Flink shows them with the job,
// under latency.…; they are told with the task's figures and go with it.
type latencies struct {
	t           *task
	since       int64 // markers of before were restored with records in flight
	granularity conf.LatencyGranularity
	window      int
	of          map[latencyKey]*metrics.Histogram
}

// latencyKey is what a histogram is kept for.
type latencyKey struct {
	operator, source string
	subtask          int
}

// setLatency lets sources send markers and operators tell of them, where it is on.
func (t *task) setLatency(env *dataflow.Env) {
	every := conf.MetricsLatencyInterval.Get(t.w.conf)
	if every <= 0 {
		return
	}
	l := &latencies{t: t, since: t.w.Now().UnixMilli(), granularity: conf.MetricsLatencyGranularity.Get(t.w.conf),
		window: conf.MetricsLatencyHistorySize.Get(t.w.conf), of: map[latencyKey]*metrics.Histogram{}}
	env.LatencyEvery, env.Latency = max(every, time.Millisecond), l.took
}

// took records that a marker reached an operator.
func (l *latencies) took(operatorID string, m *dataflow.LatencyMarker) {
	if m.Marked < l.since {
		return
	}
	key := latencyKey{operator: operatorID}
	if l.granularity != conf.LatencySingle {
		key.source = m.Operator
	}
	if l.granularity == conf.LatencySubtask {
		key.subtask = m.Subtask
	}
	h := l.of[key]
	if h == nil {
		h = l.histogram(key)
		l.of[key] = h
	}
	h.Update(max(0, l.t.w.Now().UnixMilli()-m.Marked))
}

// histogram makes the histogram of a key under Flink's name for it.
func (l *latencies) histogram(key latencyKey) *metrics.Histogram {
	g := l.t.metrics.Group.Group(metrics.LatencyGroup)
	if l.granularity != conf.LatencySingle {
		g = g.Labelled("source_id", key.source)
	}
	if l.granularity == conf.LatencySubtask {
		g = g.Labelled("source_subtask_index", strconv.Itoa(key.subtask))
	}
	return g.Labelled("operator_id", key.operator).Labelled("operator_subtask_index", strconv.Itoa(int(l.t.id.Subtask))).Histogram("latency", l.window)
}
