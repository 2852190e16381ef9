package checkpoint

import (
	"fmt"
	"slices"
	"time"

	"goflink/control"
)

// advance does what time and the end of others have made possible.
func (s *step) advance() {
	s.finalise()
	if !s.running {
		return
	}
	s.end()
	s.serveQueue()
	if s.mayTrigger() && !s.now.Before(s.periodicAt()) {
		s.due = s.now.Add(s.cfg.Interval)
		s.trigger(Request{Kind: Periodic})
	}
}

// mayTrigger tells whether a periodic checkpoint only waits for its time.
func (c *Coordinator) mayTrigger() bool {
	return c.running && !c.failed && c.cfg.Interval > 0 && c.ending == "" && !c.held && !c.allDrained() &&
		len(c.pending) < c.cfg.MaxConcurrent && len(c.queue) == 0 && !c.starting()
}

// starting tells that a checkpoint has not been triggered at the tasks yet. No
// other one begins meanwhile: barriers must travel in the order of their ids.
func (c *Coordinator) starting() bool {
	return slices.ContainsFunc(c.pending, func(p *pending) bool { return p.stage < acking })
}

func (c *Coordinator) periodicAt() time.Time {
	at := c.due
	if pause := c.lastEnd.Add(c.cfg.MinPause); !c.lastEnd.IsZero() && pause.After(at) {
		at = pause
	}
	return at
}

// endDue tells that all data is processed and what remains is to commit.
func (c *Coordinator) endDue() bool {
	return c.running && !c.committed && c.ending == "" && !c.held && c.allDrained() && !c.unfinished()
}

// unfinished tells that something is under way that the end has to wait for.
func (c *Coordinator) unfinished() bool {
	return slices.ContainsFunc(c.pending, func(p *pending) bool { return p.finalising() || p.kind.IsSavepoint() })
}

// endAt is when the final checkpoint is taken: at once, but after one that
// failed no sooner than the next periodic one would be.
func (c *Coordinator) endAt() time.Time {
	if c.failures == 0 {
		return time.Time{}.Add(1)
	}
	return c.lastEnd.Add(min(c.cfg.Interval, maxFinalPause))
}

// maxFinalPause bounds how long a job that is done waits before it tries its
// final checkpoint again: long enough for a NameNode to fail over, short for
// someone who waits for the result.
const maxFinalPause = 10 * time.Second

// end takes the final checkpoint, or without checkpoints lets all tasks commit,
// once all data is processed.
func (s *step) end() {
	if !s.endDue() || s.failed || s.now.Before(s.endAt()) {
		return
	}
	for _, p := range slices.Clone(s.pending) {
		s.abort(p, "all data is processed: the final checkpoint takes its place", false)
	}
	if s.cfg.Interval > 0 {
		s.ending = Final
		s.trigger(Request{Kind: Final})
		return
	}
	s.committed = true
	var all []Task
	for _, t := range s.tasks {
		if !t.finished {
			all = append(all, t.Task)
		}
	}
	s.do(FinalCommit{Tasks: all})
}

func (s *step) request(r Request) {
	switch {
	case !s.running:
		s.do(Reply{Token: r.Token, Err: NotRunning})
	case s.held:
		s.do(Reply{Token: r.Token, Err: "the job is being cancelled with a savepoint"})
	case s.ending == Stop:
		s.do(Reply{Token: r.Token, Err: "the job is being stopped with a savepoint"})
	case s.ending == Final || s.committed || s.allDrained() && r.Kind != Savepoint:
		s.do(Reply{Token: r.Token, Err: "the job has processed all of its data and is finishing"})
	default:
		s.queue = append(s.queue, r)
	}
}

// serveQueue starts what users asked for: savepoints at once, a stop when
// nothing is being finalised, a checkpoint when there is room for it.
func (s *step) serveQueue() {
	for len(s.queue) > 0 && s.ending == "" && !s.held && !s.starting() {
		r := s.queue[0]
		if r.Kind == Periodic && len(s.pending) >= s.cfg.MaxConcurrent || r.Kind == Stop && s.unfinished() {
			return
		}
		if s.cfg.Unaligned && r.Kind == Savepoint && len(s.pending) > 0 { // its barriers would be overtaken, or have to wait for records
			return
		}
		s.queue = s.queue[1:]
		if r.Kind == Stop {
			s.stop()
		}
		s.held = s.held || r.Last
		s.trigger(r)
	}
	if s.ending != "" || s.held {
		for _, r := range s.queue {
			s.do(Reply{Token: r.Token, Err: "the job is ending"})
		}
		s.queue = nil
	}
}

func (s *step) stop() {
	s.ending = Stop
	for _, p := range slices.Clone(s.pending) {
		s.abort(p, "the job is being stopped with a savepoint", false)
	}
}

// trigger begins a checkpoint.
func (s *step) trigger(r Request) {
	p := &pending{id: s.nextID, kind: r.Kind, dir: r.Dir, format: s.format(r), drain: r.Drain, token: r.Token, last: r.Last, full: r.Full, at: s.now,
		waiting: map[Task]bool{}, acks: map[Task]*control.CheckpointAck{}}
	s.nextID++
	p.stats = s.stats.begin(s.Coordinator, p)
	s.pending = append(s.pending, p)
	s.prepare(p)
}

// prepare makes the folder. Without one the state stays in memory.
func (s *step) prepare(p *pending) {
	if !p.kind.IsSavepoint() {
		if s.cfg.Dir == "" {
			s.prepared(Prepared{ID: p.id})
			return
		}
		p.dir = fmt.Sprintf("%s/chk-%d", s.cfg.Dir, p.id)
	}
	p.stats.ID = p.id
	s.do(Prepare{ID: p.id, Dir: p.dir})
}

func (s *step) prepared(ev Prepared) {
	p := s.find(ev.ID)
	if p == nil || p.stage != preparing {
		if !ev.Exists && ev.Err == nil && ev.Dir != "" { // given up meanwhile
			s.throw(&trash{id: ev.ID, dir: ev.Dir})
		}
		return
	}
	p.made = !ev.Exists && ev.Err == nil
	switch {
	case ev.Exists && !p.kind.IsSavepoint(): // of another JobManager: take the next id
		p.id = s.nextID
		s.nextID++
		s.prepare(p)
	case ev.Exists:
		s.abort(p, fmt.Sprintf("folder %s exists already", p.dir), true)
	case ev.Err != nil:
		s.abort(p, fmt.Sprintf("making its folder: %v", ev.Err), true)
	case s.cfg.Enumerators:
		p.stage = snapshotting
		s.do(SnapshotCoordinator{ID: p.id})
	default:
		s.triggerTasks(p)
	}
}

func (s *step) snapshot(ev CoordinatorSnapshot) {
	p := s.find(ev.ID)
	if p == nil || p.stage != snapshotting {
		return
	}
	if ev.Err != "" {
		s.abort(p, "the source coordinator could not take its snapshot: "+ev.Err, true)
		return
	}
	p.states = ev.States
	s.triggerTasks(p)
}

// triggerTasks tells the tasks without running inputs; the others hear of it
// through barriers.
func (s *step) triggerTasks(p *pending) {
	p.stage = acking
	var first []Task
	for _, t := range s.tasks {
		if t.finished {
			p.done = append(p.done, t.Task)
			continue
		}
		p.waiting[t.Task] = true
		if !t.fed() {
			first = append(first, t.Task)
		}
	}
	if len(first) == 0 {
		s.abort(p, "all tasks have finished", false)
		return
	}
	p.base = s.base(p)
	t := Trigger{ID: p.id, At: p.at, Kind: p.kind, Dir: p.dir, Format: p.format, Base: p.base, Drain: p.drain, Tasks: first}
	if s.cfg.Unaligned && p.kind == Periodic {
		t.Unaligned, t.AlignedTimeout = true, s.cfg.AlignedTimeout
	}
	s.do(t)
}

func (s *step) expire() {
	for _, p := range slices.Clone(s.pending) {
		if !p.finalising() && !s.now.Before(p.at.Add(s.cfg.Timeout)) {
			s.abort(p, "Checkpoint expired before completing."+s.laggards(p), true)
		}
	}
}

// laggards names who is waited for, a few of them.
func (s *step) laggards(p *pending) string {
	if p.stage != acking {
		return ""
	}
	const limit = 3
	var list []string
	for _, t := range s.tasks {
		if p.waiting[t.Task] {
			list = append(list, s.name(t.Task))
		}
	}
	more := ""
	if len(list) > limit {
		more = fmt.Sprintf(" and %d more", len(list)-limit)
		list = list[:limit]
	}
	return fmt.Sprintf(" No acknowledgement came from %v%s.", list, more)
}
