package jobmanager

import (
	"context"
	"fmt"

	"goflink/graph"
	"goflink/jobmanager/adaptive"
	"goflink/jobmanager/rest"
)

// ResourceRequirements are the bounds of a job's parallelism, by vertex.
func (r *restCluster) ResourceRequirements(ctx context.Context, id string) (map[string]rest.ParallelismBounds, error) {
	m, err := r.scalable(ctx, id)
	if err != nil {
		return nil, err
	}
	return ask(ctx, m.loop, func() map[string]rest.ParallelismBounds {
		out := map[string]rest.ParallelismBounds{}
		for v, b := range m.scaling.decider.Requirements() {
			out[v] = rest.ParallelismBounds(b)
		}
		return out
	})
}

// UpdateResourceRequirements gives a job other bounds: once they are durable the
// job is rescaled, if need be.
func (r *restCluster) UpdateResourceRequirements(ctx context.Context, id string, list map[string]rest.ParallelismBounds) error {
	m, err := r.scalable(ctx, id)
	if err != nil {
		return err
	}
	need := adaptive.Requirements{}
	for v, b := range list {
		need[v] = adaptive.Bounds(b)
	}
	done := make(chan error, 1)
	if !m.loop.post(func() { m.require(need, func(err error) { done <- err }) }) {
		return rest.NotFound("Job %s has ended", id)
	}
	select {
	case err := <-done:
		return err
	case <-m.done:
		return rest.NotFound("Job %s has ended", id)
	case <-r.jm.ctx.Done():
		return rest.Unavailable("%v", errEnded)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// scalable finds a running job of the adaptive scheduler.
func (r *restCluster) scalable(ctx context.Context, id string) (*master, error) {
	f, err := r.find(ctx, id)
	switch {
	case err != nil:
		return nil, err
	case f.m == nil:
		return nil, rest.NotFound("Job %s has ended: it is %s", id, f.o.Job.State)
	case batch(f.m.conf):
		return nil, rest.BadRequest("Job %s runs in BATCH: it has the default scheduler, which does not support changing the parallelism.", id)
	case !f.m.spec.Adaptive:
		return nil, rest.BadRequest("Job %s has the default scheduler, which does not support changing the parallelism without restarting the job: set jobmanager.scheduler to Adaptive for it.", id)
	}
	return f.m, nil
}

// require gives the job other bounds, if they are valid, after they were made
// durable.
func (m *master) require(need adaptive.Requirements, answer func(error)) {
	s := &m.scaling
	if m.ending != nil {
		answer(rest.NotFound("Job %s has ended", m.id))
		return
	}
	if err := s.decider.Job().Validate(need); err != nil {
		answer(rest.BadRequest("%v", err))
		return
	}
	if s.updating {
		answer(rest.Conflict("Another update to the job [%s] resource requirements is in progress.", m.id))
		return
	}
	encoded, err := graph.Encode(withRequirements(m.graph, need))
	if err != nil {
		answer(fmt.Errorf("the job graph cannot be kept: %w", err))
		return
	}
	s.updating = true
	m.background(func(ctx context.Context) func() {
		err := m.jm.o.HA.UpdateJob(ctx, m.id, encoded)
		if lost(err) {
			m.jm.fatal(err)
		}
		return func() {
			s.updating = false
			if err != nil {
				answer(fmt.Errorf("the resource requirements could not be made durable: %w", err))
				return
			}
			m.log.Info("The resource requirements of the job were changed", "requirements", fmt.Sprint(need))
			m.decide(adaptive.Require{Requirements: need})
			answer(nil)
		}
	})
}
