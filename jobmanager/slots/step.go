package slots

import (
	"fmt"
	"slices"
	"time"
)

// Event is something that happened to the cluster's slots.
type Event interface{ event() }

// Begin is the first event: the TaskManagers that are always wanted are asked
// for.
type Begin struct{}

// Joined tells of a TaskManager that registered.
type Joined struct {
	ID, Host string
	Slots    int
}

// Gone tells that a TaskManager is no more, with everything on it.
type Gone struct{ ID, Reason string }

// Request is a job's wish to hold that many slots; those it holds already
// count.
type Request struct {
	Job, Name string
	Slots     int
}

// Desire tells how many slots an adaptive job would like to have: it is told by
// Available what it could have, and takes with Take what it runs on.
type Desire struct {
	Job, Name string
	Slots     int
}

// Take is an adaptive job's wish to hold that many slots, now, while nothing of it
// runs. What it holds beyond them is given back. The answer is Allocated, or
// Refused when there are too few.
type Take struct {
	Job   string
	Slots int
}

// Release tells that a job is over: its workers are stopped.
type Release struct{ Job string }

// WorkerEnded tells that a worker process has ended: its slots are free.
type WorkerEnded struct{ Worker, Reason string }

// Abandon tells that a worker is of no use any more, such as one that cannot be
// reached: it is stopped, and its slots are free once it ended.
type Abandon struct{ Worker, Reason string }

// Tick tells the time, at Deadline or later.
type Tick struct{}

func (Begin) event()       {}
func (Joined) event()      {}
func (Gone) event()        {}
func (Request) event()     {}
func (Desire) event()      {}
func (Take) event()        {}
func (Release) event()     {}
func (WorkerEnded) event() {}
func (Abandon) event()     {}
func (Tick) event()        {}

// Action is something that the caller has to do, in the order given.
type Action interface{ action() }

// StartWorker starts a process for a job on a TaskManager.
type StartWorker struct {
	Worker, Job, TaskManager string
	Slots                    int
}

// StopWorker ends a process; its end is told with WorkerEnded.
type StopWorker struct{ Worker, TaskManager, Reason string }

// Allocated answers a Request: all slots that the job holds, Request.Slots of
// them or more, of which the job uses those that it used before. New ones among
// them had their StartWorker before.
type Allocated struct {
	Job   string
	Slots []Slot
}

// Denied answers a Request that could not be met in time.
type Denied struct{ Job, Reason string }

// Refused answers a Take that cannot be met.
type Refused struct{ Job string }

// Available tells an adaptive job how many slots it holds or could take: first as
// an answer to Desire, then whenever that changes.
type Available struct {
	Job   string
	Slots int
}

// WorkerLost tells a job that a worker it holds is gone.
type WorkerLost struct{ Job, Worker, Reason string }

// Declare tells how many TaskManagers there should be in all.
type Declare struct{ TaskManagers int }

// ReleaseTaskManager gives a TaskManager back.
type ReleaseTaskManager struct{ ID, Reason string }

func (StartWorker) action()        {}
func (StopWorker) action()         {}
func (Allocated) action()          {}
func (Denied) action()             {}
func (Refused) action()            {}
func (Available) action()          {}
func (WorkerLost) action()         {}
func (Declare) action()            {}
func (ReleaseTaskManager) action() {}

type step struct {
	*Pool
	now time.Time
	out []Action
}

func (s *step) do(a Action) { s.out = append(s.out, a) }

// Step takes one event and returns what is to be done.
func (p *Pool) Step(now time.Time, ev Event) []Action {
	s := &step{Pool: p, now: now}
	switch ev := ev.(type) {
	case Joined:
		s.joined(ev)
	case Gone:
		s.gone(ev)
	case Request:
		s.request(ev)
	case Desire:
		s.desire(ev)
	case Take:
		s.takeNow(ev)
	case Release:
		s.release(ev.Job)
	case WorkerEnded:
		s.workerEnded(ev)
	case Abandon:
		s.stopWorkers(ev.Reason, func(h *Holder) bool { return h.Worker == ev.Worker })
	}
	s.serve()
	s.expire()
	s.shrink()
	s.declare()
	s.tellAvailable()
	return s.out
}

func (s *step) joined(ev Joined) {
	if _, again := s.tms[ev.ID]; again { // it came back before its end was noticed
		s.gone(Gone{ID: ev.ID, Reason: "the TaskManager registered anew"})
	}
	s.insert(&TaskManager{ID: ev.ID, Host: ev.Host, Slots: make([]Holder, ev.Slots), Idle: s.now, free: ev.Slots})
}

func (s *step) gone(ev Gone) {
	t := s.tms[ev.ID]
	if t == nil {
		return
	}
	s.remove(ev.ID)
	told := map[string]bool{}
	for _, h := range t.Slots {
		if h.Worker != "" && !told[h.Worker] {
			told[h.Worker] = true
			delete(s.places, h.Worker)
			s.do(WorkerLost{Job: h.Job, Worker: h.Worker, Reason: ev.Reason})
		}
	}
}

func (s *step) request(ev Request) {
	r := s.find(ev.Job)
	if r == nil {
		r = &request{job: ev.Job, name: ev.Name}
		s.requests = append(s.requests, r)
	}
	r.slots, r.pending, r.since = ev.Slots, true, s.now
}

func (s *step) release(job string) {
	s.requests = slices.DeleteFunc(s.requests, func(r *request) bool { return r.job == job })
	s.stopWorkers("the job is over", func(h *Holder) bool { return h.Job == job })
}

func (s *step) stopWorkers(reason string, which func(*Holder) bool) {
	for _, t := range s.order {
		if slices.ContainsFunc(t.Slots, func(h Holder) bool { return h.Worker != "" && !h.Stopping && which(&h) }) {
			s.change(t, func() { s.stopOn(t, reason, which) })
		}
	}
}

func (s *step) stopOn(t *TaskManager, reason string, which func(*Holder) bool) {
	told := map[string]bool{}
	for i := range t.Slots {
		h := &t.Slots[i]
		if h.Worker == "" || h.Stopping || !which(h) {
			continue
		}
		h.Stopping = true
		if !told[h.Worker] {
			told[h.Worker] = true
			s.do(StopWorker{Worker: h.Worker, TaskManager: t.ID, Reason: reason})
		}
	}
}

func (s *step) workerEnded(ev WorkerEnded) {
	t := s.places[ev.Worker]
	if t == nil {
		return
	}
	delete(s.places, ev.Worker)
	s.change(t, func() {
		lost := false
		for i := range t.Slots {
			h := &t.Slots[i]
			if h.Worker != ev.Worker {
				continue
			}
			if !lost && !h.Stopping {
				s.do(WorkerLost{Job: h.Job, Worker: ev.Worker, Reason: ev.Reason})
			}
			lost = true
			*h = Holder{}
			t.free++
		}
		if t.used() == 0 {
			t.Idle = s.now
		}
	})
}

// serve gives slots to the jobs that wait, in order of arrival. A job that
// cannot have all it wants does not hold up a smaller one.
func (s *step) serve() {
	for _, r := range s.requests {
		if !r.pending {
			continue
		}
		held := s.sum.held[r.job]
		if held+s.sum.free < r.slots {
			if r.adaptive && held+s.sum.open < r.slots { // not even once workers have ended
				r.pending = false
				s.do(Refused{Job: r.job})
			}
			continue
		}
		s.take(r, r.slots-held)
		r.pending = false
		s.do(Allocated{Job: r.job, Slots: s.Held(r.job)})
	}
}

// take gives n more slots to a job, which are free.
func (s *step) take(r *request, n int) {
	if n <= 0 {
		return
	}
	workers := map[string]*StartWorker{} // of this round, by TaskManager
	var order []*StartWorker
	pick := s.filling(r.job)
	if s.cfg.Spread {
		pick = s.spreading()
	}
	for n > 0 {
		t, k := pick(n)
		w := workers[t.ID]
		if w == nil {
			w = &StartWorker{Worker: s.newWorker(), Job: r.job, TaskManager: t.ID}
			workers[t.ID] = w
			order = append(order, w)
			s.places[w.Worker] = t
		}
		s.change(t, func() { t.hold(w, k) })
		n -= k
	}
	for _, w := range order {
		s.do(*w)
	}
}

// hold gives k free slots to a worker.
func (t *TaskManager) hold(w *StartWorker, k int) {
	t.Idle = time.Time{}
	t.free -= k
	for i := range t.Slots {
		if k > 0 && t.Slots[i].Worker == "" {
			t.Slots[i] = Holder{Job: w.Job, Worker: w.Worker, Index: w.Slots}
			w.Slots++
			k--
		}
	}
}

func (s *step) expire() {
	for _, r := range s.requests {
		if r.pending && !s.now.Before(r.since.Add(s.cfg.RequestTimeout)) {
			r.pending = false
			s.do(Denied{Job: r.job, Reason: s.denial(r)})
		}
	}
}

func (s *step) denial(r *request) string {
	total, free := s.Total()
	way := "start more TaskManagers or lower the parallelism"
	if s.cfg.Elastic {
		way = "see whether the cluster has room for more TaskManagers, or lower the parallelism"
	}
	if s.cfg.MaxSlots > 0 && s.cfg.MaxSlots < r.slots {
		way = fmt.Sprintf("raise slotmanager.number-of-slots.max (%d) or lower the parallelism", s.cfg.MaxSlots)
	}
	return fmt.Sprintf("job %s needs %d slots and holds %d; of the %d slots of %d TaskManagers %d are free after %s (slot.request.timeout): %s",
		r.name, r.slots, s.sum.held[r.job], total, len(s.tms), free, s.cfg.RequestTimeout, way)
}

// shrink releases TaskManagers that were idle for too long, longest first.
func (s *step) shrink() {
	if !s.cfg.Elastic {
		return
	}
	n := s.surplus()
	if since := s.longestIdle(); n <= 0 || s.now.Before(since.Add(s.cfg.IdleTimeout)) {
		return
	}
	idle := slices.DeleteFunc(s.TaskManagers(), func(t *TaskManager) bool {
		return t.Releasing || t.Idle.IsZero() || s.now.Before(t.Idle.Add(s.cfg.IdleTimeout))
	})
	slices.SortStableFunc(idle, func(a, b *TaskManager) int { return a.Idle.Compare(b.Idle) })
	for _, t := range idle[:min(len(idle), n)] {
		s.change(t, func() { t.Releasing = true })
		s.do(ReleaseTaskManager{ID: t.ID, Reason: fmt.Sprintf("idle for %s", s.now.Sub(t.Idle).Round(time.Millisecond))})
	}
}

// declare says how many TaskManagers there should be, when that changed.
func (s *step) declare() {
	if !s.cfg.Elastic {
		return
	}
	have, total, busy := s.sum.taskManagers, s.sum.slots, s.sum.busy
	per := s.cfg.SlotsPerTaskManager
	more := (s.missing() + per - 1) / per
	if idle := have - busy; (busy > 0 || more > 0) && s.cfg.Redundant > idle && len(s.requests) > 0 {
		more += s.cfg.Redundant - idle
	}
	if s.cfg.MaxSlots > 0 {
		more = min(more, max(0, (s.cfg.MaxSlots-total)/per))
	}
	if want := max(have+more, s.cfg.Min); want != s.declared {
		s.declared = want
		s.do(Declare{TaskManagers: want})
	}
}
