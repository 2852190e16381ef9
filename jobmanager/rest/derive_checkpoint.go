package rest

import (
	"math"
	"slices"
	"time"

	"goflink/metrics"
)

// quantile of sorted values, as Flink interpolates it.
func quantile(sorted []int64, q float64) float64 {
	return metrics.Summarise(sorted).Quantile(q)
}

// quantiles describes the distribution; without values the quantiles are NaN.
func (d distribution) quantiles() Quantiles {
	nan := Number(math.NaN())
	if d.count == 0 {
		return Quantiles{P50: nan, P90: nan, P95: nan, P99: nan, P999: nan}
	}
	s := metrics.Summarise(slices.Clone(d.last))
	q := func(p float64) Number { return Number(s.Quantile(p)) }
	return Quantiles{Min: d.min, Max: d.max, Avg: d.sum / d.count, P50: q(0.5), P90: q(0.9), P95: q(0.95), P99: q(0.99), P999: q(0.999)}
}

func (s *CheckpointSummary) answer() CheckpointSummaries {
	return CheckpointSummaries{
		Written: s.written.quantiles(), State: s.state.quantiles(), Duration: s.duration.quantiles(),
		Processed: s.processed.quantiles(), Persisted: s.persisted.quantiles(),
	}
}

func checkpointsOf(h *CheckpointHistory) CheckpointsAnswer {
	summary := h.Summary
	if summary == nil {
		summary = &CheckpointSummary{}
		for i := range h.Records {
			if h.Records[i].Status == CheckpointCompleted {
				summary.Add(&h.Records[i])
			}
		}
	}
	a := CheckpointsAnswer{
		Counts:  CheckpointCounts{Restored: h.Restored, Total: h.InProgress + h.Completed + h.Failed, InProgress: h.InProgress, Completed: h.Completed, Failed: h.Failed},
		Summary: summary.answer(),
		Latest:  LatestCheckpoints{Completed: latestOf(h.LatestCompleted), Savepoint: latestOf(h.LatestSavepoint), Failed: latestOf(h.LatestFailed)},
		History: make([]CheckpointAnswer, 0, len(h.Records)),
	}
	if r := h.LatestRestored; r != nil {
		a.Latest.Restored = &RestoredAnswer{ID: r.ID, At: millis(r.At, 0), Savepoint: r.Savepoint, Path: r.Path}
	}
	for i := range h.Records {
		a.History = append(a.History, checkpointOf(&h.Records[i], false))
	}
	return a
}

func latestOf(r *CheckpointRecord) *CheckpointAnswer {
	if r == nil {
		return nil
	}
	a := checkpointOf(r, false)
	return &a
}

// checkpointOf shows a checkpoint, with the parts of its vertices when details are asked for.
func checkpointOf(r *CheckpointRecord, details bool) CheckpointAnswer {
	a := CheckpointAnswer{
		ID: r.ID, Status: r.Status, Savepoint: r.Savepoint(), Format: optional(r.Format), Triggered: millis(r.Triggered, 0),
		Acknowledged: millis(r.Acknowledged, -1), Written: r.Figures.Written, State: r.Figures.State, Duration: r.duration().Milliseconds(),
		Processed: r.Figures.Processed, Persisted: r.Figures.Persisted, Subtasks: r.Subtasks, Acks: r.Acks, Type: r.Type, Tasks: map[string]TaskCheckpoint{},
	}
	switch r.Status {
	case CheckpointCompleted:
		a.ClassName, a.Path, a.Discarded = "completed", &r.Path, &r.Discarded
	case CheckpointFailed:
		at := millis(r.FailedAt, 0)
		a.ClassName, a.FailedAt, a.Failure = "failed", &at, &r.Failure
	default:
		a.ClassName = "in_progress"
	}
	if details {
		for _, v := range r.Vertices {
			a.Tasks[v.ID] = taskCheckpointOf(r, v)
		}
	}
	return a
}

func taskCheckpointOf(r *CheckpointRecord, v VertexCheckpoint) TaskCheckpoint {
	f, last := v.figures()
	t := TaskCheckpoint{ID: r.ID, Status: r.Status, Acknowledged: millis(last, -1), Written: f.Written, State: f.State,
		Processed: f.Processed, Persisted: f.Persisted, Subtasks: v.Parallelism, Acks: len(v.Subtasks)}
	if t.Acks == t.Subtasks && r.Status == CheckpointInProgress {
		t.Status = CheckpointCompleted
	}
	if !last.IsZero() {
		t.Duration = max(0, last.Sub(r.Triggered).Milliseconds())
	}
	return t
}

func taskCheckpointDetails(r *CheckpointRecord, v VertexCheckpoint) TaskCheckpointAnswer {
	a := TaskCheckpointAnswer{TaskCheckpoint: taskCheckpointOf(r, v), Summary: subtaskSummaries(r, v), Subtasks: make([]SubtaskCheckpointAnswer, 0, v.Parallelism)}
	acked := map[int]SubtaskCheckpoint{}
	for _, s := range v.Subtasks {
		acked[s.Index] = s
	}
	for i := range v.Parallelism {
		s, ok := acked[i]
		if !ok {
			a.Subtasks = append(a.Subtasks, SubtaskCheckpointAnswer{ClassName: "pending", Index: i, Status: "pending_or_failed"})
			continue
		}
		a.Subtasks = append(a.Subtasks, ackedSubtask(r, s))
	}
	return a
}

func ackedSubtask(r *CheckpointRecord, s SubtaskCheckpoint) SubtaskCheckpointAnswer {
	at, took, delay := millis(s.Acknowledged, 0), sinceTrigger(r, s), s.StartDelay.Milliseconds()
	return SubtaskCheckpointAnswer{
		ClassName: "completed", Index: s.Index, Acknowledged: &at, Duration: &took, Written: &s.Figures.Written, State: &s.Figures.State,
		Phases:     &SubtaskPhases{Sync: s.Sync.Milliseconds(), Async: s.Async.Milliseconds()},
		Alignment:  &SubtaskAligned{Processed: s.Figures.Processed, Persisted: s.Figures.Persisted, Duration: s.Alignment.Milliseconds()},
		StartDelay: &delay, Unaligned: &s.Unaligned, Aborted: &s.Aborted, Status: "completed",
	}
}

func sinceTrigger(r *CheckpointRecord, s SubtaskCheckpoint) int64 {
	return max(0, s.Acknowledged.Sub(r.Triggered).Milliseconds())
}

func subtaskSummaries(r *CheckpointRecord, v VertexCheckpoint) SubtaskSummaries {
	over := func(get func(SubtaskCheckpoint) int64) Quantiles {
		var d distribution
		for _, s := range v.Subtasks {
			d.add(get(s))
		}
		return d.quantiles()
	}
	ms := func(get func(SubtaskCheckpoint) time.Duration) Quantiles {
		return over(func(s SubtaskCheckpoint) int64 { return get(s).Milliseconds() })
	}
	return SubtaskSummaries{
		Written:  over(func(s SubtaskCheckpoint) int64 { return s.Figures.Written }),
		State:    over(func(s SubtaskCheckpoint) int64 { return s.Figures.State }),
		Duration: over(func(s SubtaskCheckpoint) int64 { return sinceTrigger(r, s) }),
		Phases: PhaseQuantiles{Sync: ms(func(s SubtaskCheckpoint) time.Duration { return s.Sync }),
			Async: ms(func(s SubtaskCheckpoint) time.Duration { return s.Async })},
		Alignment: AlignmentQuantiles{
			Processed: over(func(s SubtaskCheckpoint) int64 { return s.Figures.Processed }),
			Persisted: over(func(s SubtaskCheckpoint) int64 { return s.Figures.Persisted }),
			Duration:  ms(func(s SubtaskCheckpoint) time.Duration { return s.Alignment })},
		StartDelay: ms(func(s SubtaskCheckpoint) time.Duration { return s.StartDelay }),
	}
}

// settingsOf shows checkpoint settings. The names of backend and storage are Flink's, which tools compare.
func settingsOf(s CheckpointSettings) CheckpointConfigAnswer {
	a := CheckpointConfigAnswer{
		Mode: "at_least_once", Interval: s.Interval.Milliseconds(), Timeout: s.Timeout.Milliseconds(), MinPause: s.MinPause.Milliseconds(),
		MaxConcurrent: s.MaxConcurrent, Externalization: Externalization{Enabled: s.Externalized, DeleteOnCancel: s.DeleteOnCancel},
		StateBackend: "HashMapStateBackend", Storage: "JobManagerCheckpointStorage", Unaligned: s.Unaligned, TolerableFailed: s.TolerableFailed,
		AlignedTimeout: s.AlignedTimeout.Milliseconds(), AfterTasksFinish: s.AfterTasksFinish,
		ChangelogMaterialise: (10 * time.Minute).Milliseconds(), ChangelogStorage: "memory",
	}
	if s.ExactlyOnce {
		a.Mode = "exactly_once"
	}
	if s.Pebble {
		a.StateBackend = "EmbeddedRocksDBStateBackend"
	}
	if s.FileSystem {
		a.Storage = "FileSystemCheckpointStorage"
	}
	return a
}
