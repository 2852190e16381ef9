package alloc

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"goflink/yarnrpc"
)

// Step lets an event happen at a time, changes the state, and gives the actions that follow, in order. Times do
// not go back: an earlier one counts as the latest.
func (s *State) Step(now time.Time, e Event) []Action {
	if now.After(s.now) {
		s.now = now
	}
	s.out = nil
	switch e := e.(type) {
	case Desire:
		s.desire(e)
	case Allocated:
		for _, c := range e.Containers {
			s.allocated(c)
		}
	case Previous:
		for _, c := range e.Containers {
			s.previous(c)
		}
	case Started:
		s.advance(e.ID, Running)
	case WorkerRegistered:
		s.registered(e.ID)
	case StartFailed:
		s.startFailed(e.ID)
	case Completed:
		s.completed(e)
	case Discard:
		s.discard(e.ID)
	case Close:
		s.close()
	}
	s.expire()
	s.reconcile()
	s.setWake()
	return s.out
}

func (s *State) act(a Action) { s.out = append(s.out, a) }

func (s *State) desire(e Desire) {
	if s.closing {
		return
	}
	p := s.profile(e.Priority)
	if p.outstanding > 0 && p.resource != e.Resource {
		// Asks of another size are withdrawn; the new ones come with the reconciliation.
		p.outstanding = 0
		s.act(Ask{Priority: e.Priority, Resource: p.resource})
	}
	p.resource, p.wanted, p.declared = e.Resource, max(e.Count, 0), true
	clear(p.unwanted)
	for _, id := range e.Unwanted {
		p.unwanted[id] = true
	}
}

// known tells whether a container is booked already.
func (s *State) known(id yarnrpc.ContainerID) bool {
	_, worker := s.where[id]
	return worker || s.returning[id]
}

func (s *State) allocated(c Container) {
	if s.known(c.ID) {
		return
	}
	p := s.profiles[c.Priority]
	if p == nil {
		s.release(c.ID, "nothing was asked for under its priority")
		return
	}
	p.outstanding = max(p.outstanding-1, 0)
	switch {
	case len(p.workers) >= p.wanted:
		s.release(c.ID, "more than wanted")
	case !p.resource.Fits(c.Resource):
		s.release(c.ID, fmt.Sprintf("it has %s, wanted is %s", c.Resource, p.resource))
	default:
		s.add(p, c, Starting)
		s.act(Start{Container: c})
	}
}

// previous takes a container over. Its worker dials the new JobManager by itself.
func (s *State) previous(c Container) {
	if s.worker(c.ID) != nil {
		return
	}
	if s.returning[c.ID] || s.closing || s.cfg.ReleasePrevious {
		s.returning[c.ID] = true
		s.act(Stop{ID: c.ID, Node: c.Node, Reason: "container of an earlier attempt"})
		return
	}
	s.add(s.profile(c.Priority), c, Running)
}

func (s *State) add(p *profile, c Container, phase Phase) {
	if s.early[c.ID] {
		phase = Registered
		delete(s.early, c.ID)
	}
	s.order++
	p.workers[c.ID] = &worker{Container: c, phase: phase, order: s.order}
	s.where[c.ID] = c.Priority
	s.deadlines = append(s.deadlines, deadline{id: c.ID, at: s.now.Add(s.cfg.RegistrationTimeout)})
}

// worker gives a worker that counts, nil if there is none.
func (s *State) worker(id yarnrpc.ContainerID) *worker {
	priority, ok := s.where[id]
	if !ok {
		return nil
	}
	return s.profiles[priority].workers[id]
}

// remove takes a worker out of the books.
func (s *State) remove(w *worker) {
	p := s.profiles[w.Priority]
	delete(p.workers, w.ID)
	delete(p.unwanted, w.ID)
	delete(s.where, w.ID)
}

func (s *State) release(id yarnrpc.ContainerID, reason string) {
	s.returning[id] = true
	s.act(Release{ID: id, Reason: reason})
}

// giveBack ends a worker: it no longer counts, and its container is on its way back.
func (s *State) giveBack(w *worker, reason string) {
	s.remove(w)
	s.returning[w.ID] = true
	s.act(Stop{ID: w.ID, Node: w.Node, Reason: reason})
}

func (s *State) advance(id yarnrpc.ContainerID, to Phase) {
	if w := s.worker(id); w != nil && w.phase < to {
		w.phase = to
	}
}

// registered notes that a worker has reported. One of an earlier attempt may do so before the ResourceManager tells of
// its container.
func (s *State) registered(id yarnrpc.ContainerID) {
	if s.known(id) {
		s.advance(id, Registered)
		return
	}
	s.early[id] = true
}

func (s *State) startFailed(id yarnrpc.ContainerID) {
	w := s.worker(id)
	if w == nil {
		return
	}
	// It may have been started though the answer was lost: it is stopped, not only released.
	s.giveBack(w, "its start failed")
	s.failed()
}

func (s *State) discard(id yarnrpc.ContainerID) {
	delete(s.early, id)
	if w := s.worker(id); w != nil {
		s.giveBack(w, "the JobManager has lost it")
		s.failed()
	}
}

// blameless are ends that say nothing about the worker.
var blameless = map[int32]bool{
	yarnrpc.ExitAborted: true, yarnrpc.ExitDisksFailed: true, yarnrpc.ExitPreempted: true,
	yarnrpc.ExitKilledByRM: true, yarnrpc.ExitKilledByScheduler: true,
}

func (s *State) completed(e Completed) {
	delete(s.early, e.ID)
	if s.returning[e.ID] {
		delete(s.returning, e.ID)
		return
	}
	w := s.worker(e.ID)
	if w == nil {
		return
	}
	s.remove(w)
	s.act(Lost{ID: e.ID, Registered: w.phase == Registered, Exit: e.Exit, Text: e.Text})
	if !blameless[e.Exit] {
		s.failed()
	}
}

// failed counts a failure, and pauses the asks when there are too many.
func (s *State) failed() {
	s.failures = append(s.failures, s.now)
	old := s.now.Add(-failureWindow)
	for len(s.failures) > 0 && !s.failures[0].After(old) {
		s.failures = s.failures[1:]
	}
	if s.cfg.MaxFailureRate < 0 || len(s.failures) < s.cfg.MaxFailureRate {
		return
	}
	until := s.now.Add(s.cfg.RetryInterval)
	if !s.isPaused() {
		s.act(Pause{Until: until, Failures: len(s.failures)})
	}
	s.paused = until
}

func (s *State) isPaused() bool { return s.now.Before(s.paused) }

// expire gives up workers that have not registered in time.
func (s *State) expire() {
	for len(s.deadlines) > 0 {
		d := s.deadlines[0]
		w := s.worker(d.id)
		if w != nil && w.phase != Registered {
			if s.now.Before(d.at) {
				return
			}
			s.giveBack(w, fmt.Sprintf("its worker did not register within %v", s.cfg.RegistrationTimeout))
			s.failed()
		}
		s.deadlines = s.deadlines[1:]
	}
}

func (s *State) close() {
	s.closing = true
	for _, priority := range s.priorities() {
		p := s.profiles[priority]
		p.wanted, p.declared = 0, true
	}
}

func (s *State) priorities() []int32 { return slices.Sorted(maps.Keys(s.profiles)) }

// reconcile compares each profile with what is wanted.
func (s *State) reconcile() {
	for _, priority := range s.priorities() {
		p := s.profiles[priority]
		if !p.declared {
			continue
		}
		need := max(p.wanted-len(p.workers), 0)
		if need < p.outstanding || need > p.outstanding && !s.isPaused() {
			p.outstanding = need
			s.act(Ask{Priority: priority, Resource: p.resource, Count: need})
		}
		for _, w := range p.surplus() {
			s.giveBack(w, "more than wanted")
		}
	}
}

// surplus lists the workers beyond what is wanted: unwanted ones first, then by phase, the youngest first.
func (p *profile) surplus() []*worker {
	n := len(p.workers) - p.wanted
	if n <= 0 {
		return nil
	}
	all := slices.SortedFunc(maps.Values(p.workers), func(a, b *worker) int {
		return cmp.Or(-compareBool(p.unwanted[a.ID], p.unwanted[b.ID]), cmp.Compare(a.phase, b.phase), cmp.Compare(b.order, a.order))
	})
	return all[:n]
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

// setWake asks for the next time at which something is to be done.
func (s *State) setWake() {
	var next time.Time
	if len(s.deadlines) > 0 {
		next = s.deadlines[0].at
	}
	if s.isPaused() && s.short() && (next.IsZero() || s.paused.Before(next)) {
		next = s.paused
	}
	if !next.Equal(s.wake) {
		s.wake = next
		s.act(WakeAt{Time: next})
	}
}

// short tells whether an ask waits for the end of a pause.
func (s *State) short() bool {
	for _, p := range s.profiles {
		if p.declared && p.wanted > len(p.workers)+p.outstanding {
			return true
		}
	}
	return false
}
