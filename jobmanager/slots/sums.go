package slots

import "time"

// sums are figures over all TaskManagers that are not being released. They are
// kept up to date, because a cluster of thousands changes one TaskManager at a
// time and looks at all of them each time.
type sums struct {
	taskManagers, busy int
	slots, free        int
	open               int            // slots that are free or about to be
	held               map[string]int // by job, without those being stopped
	idle               time.Time      // since when the one that is idle longest is
	known              bool           // idle is right
}

// count adds what a TaskManager contributes to the sums (sign 1), or takes it
// away (-1). Whoever changes one takes it away before and adds it afterwards.
func (p *Pool) count(t *TaskManager, sign int) {
	if t.Releasing {
		return
	}
	s := &p.sum
	s.taskManagers += sign
	s.slots += sign * len(t.Slots)
	s.free += sign * t.free
	switch {
	case t.Idle.IsZero():
		s.busy += sign
	case sign < 0:
		s.known = false
	case s.known && t.Idle.Before(s.idle), s.known && s.idle.IsZero():
		s.idle = t.Idle
	}
	for _, h := range t.Slots {
		if h.Worker == "" || h.Stopping {
			s.open += sign
			continue
		}
		s.held[h.Job] += sign
		if s.held[h.Job] == 0 {
			delete(s.held, h.Job)
		}
	}
}

// change changes a TaskManager.
func (p *Pool) change(t *TaskManager, f func()) {
	p.count(t, -1)
	f()
	p.count(t, 1)
}

// longestIdle is since when the TaskManager is idle that is idle longest; zero
// without one.
func (p *Pool) longestIdle() time.Time {
	if p.sum.known {
		return p.sum.idle
	}
	p.sum.idle, p.sum.known = time.Time{}, true
	for _, t := range p.order {
		if !t.Releasing && !t.Idle.IsZero() && (p.sum.idle.IsZero() || t.Idle.Before(p.sum.idle)) {
			p.sum.idle = t.Idle
		}
	}
	return p.sum.idle
}
