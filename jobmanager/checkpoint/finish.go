package checkpoint

import (
	"fmt"
	"slices"

	"goflink/control"
)

func (s *step) ack(a *control.CheckpointAck) {
	id := Task{a.GetTask().GetVertexId(), int(a.GetTask().GetSubtask())}
	p := s.find(a.GetCheckpointId())
	if p == nil {
		s.late(a)
		return
	}
	if p.stage != acking || !p.waiting[id] {
		if p.acks[id] == nil && !p.kind.IsSavepoint() { // nobody counts it, so nobody else will delete what it stored
			s.late(a)
		}
		return
	}
	delete(p.waiting, id)
	p.acks[id] = a
	p.order = append(p.order, id)
	p.stats.acked(s.now, id, a)
	if len(p.waiting) == 0 {
		p.stage = queued
	}
}

// late takes care of what a task stored for a checkpoint that was given up.
func (s *step) late(a *control.CheckpointAck) {
	if s.cfg.Dir == "" || a.GetCheckpointId() >= s.nextID {
		return
	}
	for _, c := range s.completed {
		if c.ID == a.GetCheckpointId() {
			return
		}
	}
	dir := fmt.Sprintf("%s/chk-%d", s.cfg.Dir, a.GetCheckpointId())
	if files := filesOf(dir, a.GetStates()); len(files) > 0 {
		s.throw(&trash{id: a.GetCheckpointId(), files: files})
	}
}

func (s *step) decline(d *control.CheckpointDecline) {
	p := s.find(d.GetCheckpointId())
	if p == nil || p.finalising() {
		return
	}
	name := s.name(Task{d.GetTask().GetVertexId(), int(d.GetTask().GetSubtask())})
	// A task that is just finishing is no failure: the next one counts it in.
	s.abort(p, fmt.Sprintf("task %s declined: %s", name, d.GetReason()), !d.GetTaskFinished())
}

// finalise moves the oldest checkpoint that is acknowledged on, unless one is
// on its way already.
func (s *step) finalise() {
	if s.fenced || slices.ContainsFunc(s.pending, (*pending).finalising) {
		return
	}
	i := slices.IndexFunc(s.pending, func(p *pending) bool { return p.stage == queued })
	if i < 0 {
		return
	}
	p := s.pending[i]
	p.meta = s.metadata(p)
	p.files = filesOf(p.dir, p.meta.States)
	p.stage = writing
	if p.dir == "" {
		s.complete(p)
		return
	}
	s.do(Write{ID: p.id, Dir: p.dir, Metadata: p.meta})
}

func (s *step) written(ev Written) {
	p := s.find(ev.ID)
	if p == nil || p.stage != writing {
		return
	}
	if ev.Err != nil {
		p.stage = queued // nothing was published: it can be given up
		s.abort(p, fmt.Sprintf("writing its metadata: %v", ev.Err), true)
		return
	}
	p.size = ev.Size
	if p.kind == Savepoint { // the user's own; no job begins from it unasked
		s.complete(p)
		return
	}
	p.stage = publishing
	s.do(Publish{ID: p.id, Kind: p.kind, Dir: p.dir})
}

func (s *step) published(ev Published) {
	p := s.find(ev.ID)
	if p == nil || p.stage != publishing {
		return
	}
	switch {
	case ev.Fenced:
		s.running, s.fenced = false, true
		s.remove(p)
		s.do(Reply{Token: p.token, Err: "another JobManager has taken over"})
		s.do(Fenced{})
	case ev.Err != nil:
		s.abort(p, fmt.Sprintf("publishing its pointer: %v", ev.Err), true)
	default:
		s.complete(p)
	}
}

// complete is reached once a checkpoint is durable.
func (s *step) complete(p *pending) {
	s.remove(p)
	done := &Completed{ID: p.id, Kind: p.kind, Dir: p.dir, Metadata: p.meta, Files: p.files, Size: p.size + p.stats.Size, At: p.at, Done: s.now}
	p.stats.complete(s.now, done)
	s.stats.completed(p.stats)
	s.lastEnd, s.failures = s.now, 0
	notify := s.listening() && p.kind != Savepoint
	if p.kind == Stop || p.kind == Final {
		s.committed = true
	}
	s.do(Complete{Checkpoint: done, Stop: p.kind == Stop, Final: p.kind == Final, Notify: notify})
	s.do(Reply{Token: p.token, ID: p.id, Path: p.dir})
	if p.kind == Savepoint {
		return
	}
	s.subsume(done)
}

// subsume retains done and lets go of what it makes superfluous.
func (s *step) subsume(done *Completed) {
	for _, p := range slices.Clone(s.pending) {
		if p.id < done.ID && !p.kind.IsSavepoint() && !p.finalising() {
			s.abort(p, fmt.Sprintf("checkpoint %d completed before it", done.ID), false)
		}
	}
	s.completed = append(s.completed, done)
	for len(s.completed) > s.cfg.Retained {
		old := s.completed[0]
		s.completed = s.completed[1:]
		s.drop(old)
	}
	if s.over { // it was being finalised when the job ended
		s.dropAll()
	}
}

func (s *step) remove(p *pending) {
	s.pending = slices.DeleteFunc(s.pending, func(q *pending) bool { return q == p })
}

// abort gives up a checkpoint. counts tells whether it is a failure in the
// sense of tolerable-failed-checkpoints: time-outs, refusals and errors of
// storage are; what the job's own life brings about is not, and savepoints
// never are.
func (s *step) abort(p *pending, reason string, counts bool) {
	s.remove(p)
	s.lastEnd = s.now
	told := p.stage >= acking
	p.stats.fail(s.now, reason)
	s.stats.failed(p.stats)
	s.do(Aborted{ID: p.id, Kind: p.kind, Reason: reason, Notify: told && s.listening()})
	s.do(Reply{Token: p.token, ID: p.id, Err: reason})
	s.throwPending(p)
	if p.kind == s.ending {
		s.ending = ""
	}
	if p.last {
		s.held = false
	}
	if !s.running {
		return
	}
	if p.kind == Stop && told {
		// Sources have stopped by now: only a restart makes them go on.
		s.fail(fmt.Sprintf("stopping with savepoint %d failed: %s", p.id, reason))
		return
	}
	if !counts || p.kind.IsSavepoint() {
		return
	}
	s.failures++
	if s.cfg.Tolerable >= 0 && s.failures > s.cfg.Tolerable {
		s.fail(fmt.Sprintf("Exceeded checkpoint tolerable failure threshold (%d): checkpoint %d failed: %s", s.cfg.Tolerable, p.id, reason))
	}
}

func (s *step) fail(reason string) {
	if !s.failed {
		s.failed = true
		s.do(FailJob{Reason: reason})
	}
}

func (s *step) answerRestore() {
	if !s.restoring || slices.ContainsFunc(s.pending, (*pending).finalising) {
		return
	}
	s.restoring = false
	if s.next != nil { // not before, since what was being finalised is of the graph before
		s.cfg.Graph, s.next = s.next, nil
		s.build()
	}
	latest := s.Latest()
	if latest != nil {
		s.stats.restored(s.now, latest)
	}
	s.do(RestoreFrom{Checkpoint: latest})
}
