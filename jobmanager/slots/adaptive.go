package slots

import "slices"

func (s *step) desire(ev Desire) {
	r := s.find(ev.Job)
	if r == nil {
		r = &request{job: ev.Job, name: ev.Name}
		s.requests = append(s.requests, r)
	}
	r.adaptive, r.desired, r.told = true, ev.Slots, -1
}

func (s *step) takeNow(ev Take) {
	r := s.find(ev.Job)
	if r == nil { // it is over
		return
	}
	r.slots, r.pending, r.since = ev.Slots, true, s.now
	s.giveBack(r)
}

// giveBack ends workers of a job that holds more slots than it asks for: large ones
// first, so that TaskManagers become idle, and at last the smallest one of which
// only some slots are too many.
func (s *step) giveBack(r *request) {
	extra := s.sum.held[r.job] - r.slots
	if extra <= 0 {
		return
	}
	size := map[string]int{}
	var workers []string
	for _, h := range s.Held(r.job) {
		if size[h.Worker] == 0 {
			workers = append(workers, h.Worker)
		}
		size[h.Worker]++
	}
	slices.SortStableFunc(workers, func(a, b string) int { return size[b] - size[a] })
	stop, part := map[string]bool{}, ""
	for _, w := range workers {
		if size[w] <= extra {
			stop[w] = true
			extra -= size[w]
		} else {
			part = w
		}
	}
	if extra > 0 && !s.cfg.Whole {
		stop[part] = true
	}
	s.stopWorkers("the job needs fewer slots", func(h *Holder) bool { return h.Job == r.job && stop[h.Worker] })
}

// tellAvailable tells adaptive jobs what they could have, when that changed. The
// slots of workers that are ending count when they have ended.
func (s *step) tellAvailable() {
	for _, r := range s.requests {
		n := s.sum.held[r.job] + s.sum.free
		if r.adaptive && r.told != n {
			r.told = n
			s.do(Available{Job: r.job, Slots: n})
		}
	}
}
