package execution

// remember begins a new entry of the exception history.
func (s *step) remember(cause Failure, global bool) *HistoryEntry {
	entry := &HistoryEntry{Failure: cause, Global: global}
	s.history = append(s.history, entry)
	if len(s.history) > s.cfg.History {
		s.history, s.truncated = s.history[1:], true
	}
	return entry
}

// maxConcurrent bounds the failures kept beside a root exception: a lost
// TaskManager can fail thousands of tasks, and the first ones tell as much.
const maxConcurrent = 32

// note adds a failure to the entry that it followed from; nil: there is none.
func (s *step) note(entry *HistoryEntry, cause Failure) {
	if entry == nil {
		s.remember(cause, cause.Task == "")
		return
	}
	if len(entry.Concurrent) < maxConcurrent {
		entry.Concurrent = append(entry.Concurrent, cause)
	}
}

// entryOf is the entry of the failover that regions are in; for a job that ends
// the newest one.
func (s *step) entryOf(scope []*region) *HistoryEntry {
	for _, r := range scope {
		if r.pending != nil && s.state == JobRestarting {
			return r.pending.entry
		}
	}
	if len(s.history) == 0 {
		return nil
	}
	return s.history[len(s.history)-1]
}
