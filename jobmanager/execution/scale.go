package execution

import "slices"

// With Config.Adaptive somebody else decides with which parallelism each attempt
// of the job runs.

// Scale runs a job that awaits resources, with this parallelism of its vertices.
type Scale struct{ Parallelism map[string]int }

// Rescale stops a running job so that it can run again with another parallelism.
// It is no failure: the restart strategy is not asked, and nothing goes into the
// history. It is ignored where Rescalable is false.
type Rescale struct{ Reason string }

// AwaitResources tells that nothing of the job runs and that it may begin; answer
// with Scale, or with GlobalFailure if it never can.
type AwaitResources struct{}

func (Scale) event()           {}
func (Rescale) event()         {}
func (AwaitResources) action() {}

// Awaiting tells that the job waits to be scaled.
func (g *Graph) Awaiting() bool { return g.awaiting }

// Rescalable tells that Rescale would stop the job: it runs, and may run again.
func (g *Graph) Rescalable() bool {
	return g.cfg.Adaptive && g.state == JobRunning && !g.stopping && !g.committing
}

// Rescales is how often the job was stopped to be rescaled.
func (g *Graph) Rescales() int { return g.rescales }

func (s *step) await() {
	s.awaiting = true
	s.do(AwaitResources{})
}

func (s *step) rescale(ev Rescale) {
	if !s.Rescalable() {
		return
	}
	f := s.begin(s.regions)
	f.at, f.rescale = s.now, true
	s.running = false
	s.toJob(JobRestarting, nil)
	s.do(Restarting{Rescale: true})
	s.cancelTasks(s.regions, ev.Reason)
	s.settleAll()
}

// scale makes the tasks of the next attempt and schedules them.
func (s *step) scale(ev Scale) {
	if !s.awaiting || s.state != JobCreated && s.state != JobRestarting {
		return
	}
	s.awaiting = false
	if s.state == JobRestarting {
		for _, e := range s.tasks {
			kept := append(s.previous[e.ID()], e)
			s.previous[e.ID()] = kept[max(0, len(kept)-s.cfg.Attempts):]
		}
	}
	// What ran before keeps the vertex that it ran with.
	s.cfg.Vertices = slices.Clone(s.cfg.Vertices)
	for i := range s.cfg.Vertices {
		v := &s.cfg.Vertices[i]
		if n, ok := ev.Parallelism[v.ID]; ok {
			v.Parallelism = n
		}
	}
	s.populate(s.now)
	s.toJob(JobRunning, nil)
	s.schedule(ready(s.regions))
}
