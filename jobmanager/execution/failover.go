package execution

// fail handles a failure: the job restarts or ends, or it was on its way to
// one of these and the failure is only noted. e is the task that failed, nil
// for a failure of no task.
func (s *step) fail(cause Failure, e *Execution) {
	cause.At = s.now
	switch s.state {
	case JobFailing:
		s.note(cause)
	case JobCancelling:
		// expected: what is being torn down fails
	case JobRestarting:
		s.note(cause)
		if cause.Retry == RetryNone {
			s.giveUp(cause)
		}
	default:
		s.remember(cause, e == nil)
		s.decide(cause)
	}
	s.settle()
}

// HalfCommitted is why a job is not restarted, or recovered, that had begun to
// make its output visible without checkpoints.
const HalfCommitted = "the job runs without checkpoints and had begun to make its output visible: it is not run again, since all of its output would be written twice; what it wrote may be complete"

func (s *step) decide(cause Failure) {
	if s.committing {
		cause.Message = HalfCommitted + ". " + cause.Message
		s.giveUp(cause)
		return
	}
	if cause.Retry == RetryNone {
		s.giveUp(cause)
		return
	}
	delay, ok := s.cfg.Restart.Failed(s.now)
	if !ok {
		s.giveUp(cause)
		return
	}
	s.restartAt = s.now.Add(delay)
	s.toJob(JobRestarting, &cause)
	s.do(Restarting{Delay: delay})
	s.cancelTasks(cause.Message)
}

func (s *step) giveUp(cause Failure) {
	s.cause = &cause
	s.toJob(JobFailing, &cause)
	s.cancelTasks(cause.Message)
}

// remember begins a new entry of the exception history.
func (s *step) remember(cause Failure, global bool) {
	s.history = append(s.history, &HistoryEntry{Failure: cause, Global: global})
	if len(s.history) > s.cfg.History {
		s.history, s.truncated = s.history[1:], true
	}
}

// maxConcurrent bounds the failures kept beside a root exception: a lost
// TaskManager can fail thousands of tasks, and the first ones tell as much.
const maxConcurrent = 32

// note adds a failure to the entry that it followed from.
func (s *step) note(cause Failure) {
	if len(s.history) == 0 {
		s.remember(cause, true)
		return
	}
	last := s.history[len(s.history)-1]
	if len(last.Concurrent) < maxConcurrent {
		last.Concurrent = append(last.Concurrent, cause)
	}
}

// cancelTasks ends what runs; what no worker has yet ends at once.
func (s *step) cancelTasks(reason string) {
	told := false
	for _, e := range s.tasks {
		switch {
		case e.State.Terminal() || e.State == TaskCanceling:
		case e.State.onWorker():
			s.toTask(e, TaskCanceling)
			told = true
		default:
			s.toTask(e, TaskCanceled)
		}
	}
	if told {
		s.do(CancelTasks{Attempt: s.attempt, Reason: reason})
	}
}

// settle moves the job on once every task has ended.
func (s *step) settle() {
	for _, e := range s.tasks {
		if !e.State.Terminal() {
			return
		}
	}
	switch s.state {
	case JobRunning:
		s.finish()
	case JobFailing:
		s.toJob(JobFailed, s.cause)
		s.do(Ended{State: JobFailed, Cause: s.cause})
	case JobCancelling:
		s.toJob(JobCanceled, nil)
		s.do(Ended{State: JobCanceled})
	case JobRestarting:
		if !s.now.Before(s.restartAt) {
			s.restart()
		}
	}
}

func (s *step) finish() {
	for _, e := range s.tasks {
		if e.State != TaskFinished {
			return
		}
	}
	s.toJob(JobFinished, nil)
	s.do(Ended{State: JobFinished})
}

func (s *step) restart() {
	s.attempt++
	s.restarts++
	s.reset(s.now)
	s.toJob(JobRunning, nil)
	s.schedule()
}
