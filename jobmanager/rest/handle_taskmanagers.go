package rest

import (
	"net/http"
)

func taskManagerOf(t TaskManager) TaskManagerAnswer {
	return TaskManagerAnswer{ID: t.ID, Path: t.Path, DataPort: t.DataPort, JMXPort: -1, LastHeartbeat: millis(t.LastHeartbeat, 0), Slots: t.Slots,
		FreeSlots: t.FreeSlots, Total: extended(t.Total), Free: extended(t.Free), Hardware: t.Hardware, Memory: t.Memory}
}

// extended makes an absent map an empty one.
func extended(r Resource) Resource {
	if r.Extended == nil {
		r.Extended = map[string]float64{}
	}
	return r
}

func (s *Server) getTaskManagers(r *http.Request) (TaskManagersAnswer, error) {
	all, err := s.o.Cluster.TaskManagers(r.Context())
	a := TaskManagersAnswer{TaskManagers: make([]TaskManagerAnswer, 0, len(all))}
	for _, t := range all {
		a.TaskManagers = append(a.TaskManagers, taskManagerOf(t))
	}
	return a, err
}

func (s *Server) getTaskManager(r *http.Request) (TaskManagerDetailsAnswer, error) {
	all, err := s.o.Cluster.TaskManagers(r.Context())
	if err != nil {
		return TaskManagerDetailsAnswer{}, err
	}
	id := r.PathValue("id")
	for _, t := range all {
		if t.ID == id {
			return taskManagerDetailsOf(t), nil
		}
	}
	return TaskManagerDetailsAnswer{}, NotFound("Could not find TaskExecutor with id %s.", id)
}

func taskManagerDetailsOf(t TaskManager) TaskManagerDetailsAnswer {
	a := TaskManagerDetailsAnswer{TaskManagerAnswer: taskManagerOf(t), Allocated: []AllocatedSlot{}, Metrics: t.Metrics}
	for _, slot := range t.Allocated {
		slot.Resource = extended(slot.Resource)
		a.Allocated = append(a.Allocated, slot)
	}
	if a.Metrics.Collectors == nil {
		a.Metrics.Collectors = []GarbageCollector{}
	}
	return a
}

func (s *Server) getTaskManagerThreads(r *http.Request) (ThreadDumpAnswer, error) {
	dump, err := s.o.Cluster.TaskManagerThreads(r.Context(), r.PathValue("id"))
	return threads(dump), err
}

func (s *Server) getTaskManagerLogs(r *http.Request) (LogsAnswer, error) {
	files, err := s.o.Cluster.TaskManagerLogs(r.Context(), r.PathValue("id"))
	if files == nil {
		files = []LogFile{}
	}
	return LogsAnswer{Logs: files}, err
}
