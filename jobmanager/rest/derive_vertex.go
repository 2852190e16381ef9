package rest

import (
	"net"
	"slices"
	"strconv"
	"time"
)

// endpoint is host and data port of a subtask's TaskManager.
func (s Subtask) endpoint() string {
	if s.Host == "" {
		return "(unassigned)"
	}
	return net.JoinHostPort(s.Host, strconv.Itoa(s.DataPort))
}

func (s Subtask) host() string {
	if s.Host == "" {
		return "(unassigned)"
	}
	return s.Host
}

func (s Subtask) taskManager() string {
	if s.TaskManager == "" {
		return "(unassigned)"
	}
	return s.TaskManager
}

// order of the states a task passes through, for the time it spent in each.
var stateOrder = []string{stateCreated, "SCHEDULED", "DEPLOYING", stateInitializing, stateRunning}

// durations is how long the attempt was in each state it has been in, in milliseconds.
func (s Subtask) durations(now time.Time) map[string]int64 {
	out := map[string]int64{}
	until := s.end()
	if until.IsZero() {
		until = now
	}
	for i := len(stateOrder) - 1; i >= 0; i-- {
		at := s.Entered[stateOrder[i]]
		if at.IsZero() {
			continue
		}
		out[stateOrder[i]] = max(0, until.Sub(at).Milliseconds())
		until = at
	}
	return out
}

func subtaskOf(s Subtask, now time.Time) SubtaskAnswer {
	start := millis(s.start(), -1)
	return SubtaskAnswer{
		Subtask: s.Index, Status: s.State, Attempt: s.Attempt, Host: s.host(), Endpoint: s.endpoint(), StartTime: start, EndTime: millis(s.end(), -1),
		Duration: elapsed(s.start(), s.end(), now, -1), Metrics: ioOf([]Subtask{s}), TaskManager: s.taskManager(), StatusDuration: s.durations(now),
		StartTimeOlder: start,
	}
}

// distribution of values, which it sorts; zero without values.
func distributionOf(values []int64) Distribution {
	if len(values) == 0 {
		return Distribution{}
	}
	slices.Sort(values)
	d := Distribution{Min: values[0], Max: values[len(values)-1]}
	for _, v := range values {
		d.Sum += v
	}
	d.Avg = d.Sum / int64(len(values))
	d.P25, d.Median, d.P75, d.P95 = int64(quantile(values, 0.25)), int64(quantile(values, 0.5)), int64(quantile(values, 0.75)), int64(quantile(values, 0.95))
	return d
}

func aggregate(subtasks []Subtask, now time.Time) Aggregated {
	a := Aggregated{Metrics: map[string]Distribution{}, StatusDuration: map[string]Distribution{}}
	for name, get := range map[string]func(SubtaskIO) int64{
		"read-bytes": func(io SubtaskIO) int64 { return io.ReadBytes }, "write-bytes": func(io SubtaskIO) int64 { return io.WriteBytes },
		"read-records": func(io SubtaskIO) int64 { return io.ReadRecords }, "write-records": func(io SubtaskIO) int64 { return io.WriteRecords },
		"accumulated-backpressured-time": func(io SubtaskIO) int64 { return io.BackPressuredMs },
		"accumulated-idle-time":          func(io SubtaskIO) int64 { return io.IdleMs },
		"accumulated-busy-time":          func(io SubtaskIO) int64 { return io.BusyMs },
	} {
		values := make([]int64, 0, len(subtasks))
		for _, s := range subtasks {
			values = append(values, get(s.IO))
		}
		a.Metrics[name] = distributionOf(values)
	}
	durations := map[string][]int64{}
	for _, s := range subtasks {
		for state, ms := range s.durations(now) {
			durations[state] = append(durations[state], ms)
		}
	}
	for state, values := range durations {
		a.StatusDuration[state] = distributionOf(values)
	}
	return a
}

func vertexOf(v Vertex, now time.Time) VertexAnswer {
	a := VertexAnswer{ID: v.ID, Name: v.Name, Parallelism: v.Parallelism, MaxParallelism: v.MaxParallelism, Now: now.UnixMilli(),
		Subtasks: make([]SubtaskAnswer, 0, len(v.Subtasks)), Aggregated: aggregate(v.Subtasks, now)}
	for _, s := range v.Subtasks {
		a.Subtasks = append(a.Subtasks, subtaskOf(s, now))
	}
	return a
}

func subtaskTimesOf(v Vertex, now time.Time) SubtaskTimesAnswer {
	a := SubtaskTimesAnswer{ID: v.ID, Name: v.Name, Now: now.UnixMilli(), Subtasks: make([]SubtaskTimes, 0, len(v.Subtasks))}
	for _, s := range v.Subtasks {
		a.Subtasks = append(a.Subtasks, SubtaskTimes{Subtask: s.Index, Host: s.host(), Endpoint: s.endpoint(),
			Duration: elapsed(s.Entered["SCHEDULED"], s.end(), now, -1), Timestamps: enteredOf(s.Entered)})
	}
	return a
}

func vertexTaskManagersOf(v Vertex, now time.Time) VertexTaskManagersAnswer {
	a := VertexTaskManagersAnswer{ID: v.ID, Name: v.Name, Now: now.UnixMilli(), TaskManagers: []VertexTaskManager{}}
	groups := map[string][]Subtask{}
	var order []string
	for _, s := range v.Subtasks {
		id := s.taskManager()
		if groups[id] == nil {
			order = append(order, id)
		}
		groups[id] = append(groups[id], s)
	}
	for _, id := range order {
		part := Vertex{Subtasks: groups[id]}
		host := part.Subtasks[0].endpoint()
		a.TaskManagers = append(a.TaskManagers, VertexTaskManager{
			Host: host, Endpoint: host, Status: part.status(), StartTime: millis(part.start(), -1), EndTime: millis(part.end(), -1),
			Duration: elapsed(part.start(), part.end(), now, -1), Metrics: ioOf(part.Subtasks), StatusCounts: countsOf(countStates(part.Subtasks)),
			TaskManager: id, Aggregated: aggregate(part.Subtasks, now),
		})
	}
	return a
}

// pressureLevel names a share of back-pressured time as Flink does.
func pressureLevel(ratio float64) string {
	switch {
	case ratio <= 0.10:
		return "ok"
	case ratio <= 0.5:
		return "low"
	}
	return "high"
}

func backPressureOf(v Vertex, now time.Time) BackPressureAnswer {
	a := BackPressureAnswer{Status: "ok", End: now.UnixMilli(), Subtasks: make([]SubtaskBackPressure, 0, len(v.Subtasks))}
	worst := 0.0
	for _, s := range v.Subtasks {
		worst = max(worst, s.IO.BackPressured)
		level := pressureLevel(s.IO.BackPressured)
		a.Subtasks = append(a.Subtasks, SubtaskBackPressure{Subtask: s.Index, Level: level, Ratio: Number(s.IO.BackPressured),
			IdleRatio: Number(s.IO.Idle), BusyRatio: Number(s.IO.Busy), LevelOlder: level})
	}
	a.Level = pressureLevel(worst)
	a.LevelOlder = a.Level
	return a
}

func subtaskAccumulatorsOf(v Vertex) SubtaskAccumulatorsAnswer {
	a := SubtaskAccumulatorsAnswer{ID: v.ID, Parallelism: v.Parallelism, Subtasks: make([]SubtaskAccumulators, 0, len(v.Subtasks))}
	for _, s := range v.Subtasks {
		a.Subtasks = append(a.Subtasks, SubtaskAccumulators{Subtask: s.Index, Attempt: s.Attempt, Host: s.host(), Endpoint: s.endpoint(), User: accumulatorsOf(s.Accumulators)})
	}
	return a
}

func vertexAccumulatorsOf(v Vertex) VertexAccumulatorsAnswer {
	return VertexAccumulatorsAnswer{ID: v.ID, User: accumulatorsOf(v.Accumulators)}
}
