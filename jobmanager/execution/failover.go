package execution

import "slices"

// HalfCommitted is why a job is not restarted, or recovered, that had begun to
// make its output visible without checkpoints.
const HalfCommitted = "the job runs without checkpoints and had begun to make its output visible: it is not run again, since all of its output would be written twice; what it wrote may be complete"

// fail handles a failure of regions: they run again or the job ends, or they
// were on their way to one of these and the failure is only noted. Others are
// failures of the same origin.
func (s *step) fail(cause Failure, scope []*region, others []Failure) {
	cause.At = s.now
	switch {
	case s.state == JobCancelling:
		// expected: what is being torn down fails
	case s.state == JobFailing || !slices.ContainsFunc(scope, func(r *region) bool { return r.pending == nil }):
		s.note(s.entryOf(scope), cause)
		if s.state != JobFailing && cause.Retry == RetryNone {
			s.giveUp(cause)
		}
	default:
		entry := s.remember(cause, len(scope) == len(s.regions) && cause.Task == "")
		for _, f := range others {
			s.note(entry, f)
		}
		s.decide(cause, scope, entry)
	}
	s.settleAll()
}

func (s *step) decide(cause Failure, scope []*region, entry *HistoryEntry) {
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
	f := s.begin(s.scopeOf(scope))
	f.entry = entry
	if at := s.now.Add(delay); at.After(f.at) {
		f.at = at
	}
	s.running, s.awaiting = false, false
	if s.state != JobRestarting {
		s.toJob(JobRestarting, &cause)
	}
	s.do(Restarting{Delay: delay, Others: len(f.regions) < len(s.regions)})
	s.cancelTasks(f.regions, cause.Message)
}

// begin makes one failover of regions; those of them that were in another one
// already bring it along, so that each region is in one at most.
func (s *step) begin(scope []*region) *failover {
	f := &failover{}
	add := func(r *region) {
		if r.pending == nil {
			r.retract()
		}
		r.pending = f
		f.regions = append(f.regions, r)
		if !r.ended() {
			f.alive++
		}
	}
	for _, r := range scope {
		old := r.pending
		switch old {
		case f:
		case nil:
			add(r)
		default:
			if old.at.After(f.at) {
				f.at = old.at
			}
			s.forget(old)
			for _, o := range old.regions {
				add(o)
			}
		}
	}
	slices.SortFunc(f.regions, func(a, b *region) int { return a.id - b.id })
	s.failovers = append(s.failovers, f)
	return f
}

func (s *step) forget(f *failover) {
	s.failovers = slices.DeleteFunc(s.failovers, func(o *failover) bool { return o == f })
}

func (s *step) giveUp(cause Failure) {
	s.cause = &cause
	s.toJob(JobFailing, &cause)
	s.cancelTasks(s.regions, cause.Message)
}

// cancelTasks ends what runs of regions; what no worker has yet ends at once.
func (s *step) cancelTasks(regions []*region, reason string) {
	for _, r := range regions {
		told := false
		for _, i := range r.members {
			e := s.tasks[i]
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
			s.do(CancelTasks{Region: r.id, Attempt: r.attempt, Reason: reason})
		}
	}
}

// settle moves the job on after a task of a region has ended.
func (s *step) settle(r *region) {
	switch {
	case s.state == JobRestarting:
		if r.pending != nil {
			s.restart(r.pending)
		}
	case s.count.ended == len(s.tasks):
		s.over()
	}
}

// settleAll is settle for what may have ended anywhere.
func (s *step) settleAll() {
	if s.state == JobRestarting {
		s.restartDue()
	} else if s.count.ended == len(s.tasks) {
		s.over()
	}
}

// over ends a job whose tasks have all ended.
func (s *step) over() {
	switch s.state {
	case JobRunning:
		if s.count.finished == len(s.tasks) {
			s.toJob(JobFinished, nil)
			s.do(Ended{State: JobFinished})
		}
	case JobFailing:
		s.toJob(JobFailed, s.cause)
		s.do(Ended{State: JobFailed, Cause: s.cause})
	case JobCancelling:
		s.toJob(JobCanceled, nil)
		s.do(Ended{State: JobCanceled})
	}
}

// restartDue runs again what has ended and whose pause is over.
func (s *step) restartDue() {
	for _, f := range slices.Clone(s.failovers) {
		s.restart(f)
	}
}

func (s *step) restart(f *failover) {
	if s.state != JobRestarting || f.alive > 0 || s.now.Before(f.at) {
		return
	}
	s.forget(f)
	s.attempt++
	s.restarts++
	if f.rescale {
		s.rescales++
	}
	if len(f.regions) == len(s.regions) {
		s.stopping = false
	}
	if s.cfg.Adaptive {
		for _, r := range f.regions {
			r.pending = nil
		}
		s.await()
		return
	}
	for _, r := range f.regions {
		r.pending = nil
		s.again(r)
		s.renew(r, s.now)
	}
	if len(s.failovers) == 0 {
		s.toJob(JobRunning, nil)
	}
	s.schedule(ready(f.regions))
}
