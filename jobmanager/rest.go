package jobmanager

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"strings"
	"time"

	"goflink/conf"
	"goflink/graph"
	"goflink/jobmanager/checkpoint"
	"goflink/jobmanager/execution"
	"goflink/jobmanager/rest"
)

// restCluster shows a JobManager to the REST server.
type restCluster struct{ jm *JobManager }

var _ rest.Cluster = (*restCluster)(nil)

// found is a job, running or ended.
type found struct {
	m *master
	o *ended
}

// find returns a job; both fields are nil for one that is being prepared.
func (r *restCluster) find(ctx context.Context, id string) (found, error) {
	type result struct {
		found
		known bool
	}
	f, err := ask(ctx, r.jm.loop, func() result {
		m, o := r.jm.jobs[id], r.jm.archive.get(id)
		return result{found{m, o}, m != nil || o != nil || r.jm.coming[id]}
	})
	if err != nil {
		return found{}, rest.Unavailable("%v", err)
	}
	if !f.known {
		return found{}, rest.JobNotFound(id)
	}
	if f.m == nil && f.o == nil {
		return found{}, rest.Unavailable("job %s is being prepared", id)
	}
	return f.found, nil
}

// read gets something of a job: from its master while it runs, else from the
// archive.
func read[T any](ctx context.Context, r *restCluster, id string, live func(*master) T, past func(*ended) T) (T, error) {
	var zero T
	f, err := r.find(ctx, id)
	if err != nil {
		return zero, err
	}
	if f.o != nil {
		return past(f.o), nil
	}
	v, err := ask(ctx, f.m.loop, func() T { return live(f.m) })
	if errors.Is(err, errEnded) {
		if o := f.m.over.Load(); o != nil {
			return past(o), nil
		}
	}
	return v, err
}

// JobSummaries lists all jobs, newest first.
func (r *restCluster) JobSummaries(ctx context.Context) ([]rest.JobSummary, error) {
	type all struct {
		running []*master
		ended   []*ended
	}
	a, err := ask(ctx, r.jm.loop, func() all {
		var a all
		for _, m := range r.jm.jobs {
			a.running = append(a.running, m)
		}
		for _, o := range r.jm.archive.jobs {
			a.ended = append(a.ended, o)
		}
		return a
	})
	if err != nil {
		return nil, rest.Unavailable("%v", err)
	}
	var out []rest.JobSummary
	for _, m := range a.running {
		s, err := ask(ctx, m.loop, m.summary)
		if err != nil {
			o := m.over.Load()
			if o == nil {
				continue
			}
			s = o.Job.JobSummary
		}
		out = append(out, s)
	}
	for _, o := range a.ended {
		out = append(out, o.Job.JobSummary)
	}
	sort.Slice(out, func(i, k int) bool {
		if !out[i].Start.Equal(out[k].Start) {
			return out[i].Start.After(out[k].Start)
		}
		return out[i].ID < out[k].ID
	})
	return out, nil
}

// Job shows one job.
func (r *restCluster) Job(ctx context.Context, id string) (*rest.Job, error) {
	return read(ctx, r, id, (*master).view, func(o *ended) *rest.Job { return &o.Job })
}

// JobResult is the outcome of a job that has ended. It comes only once the
// result is durable.
func (r *restCluster) JobResult(ctx context.Context, id string) (*rest.JobResult, error) {
	return read(ctx, r, id, func(*master) *rest.JobResult { return nil }, func(o *ended) *rest.JobResult { return &o.Result })
}

// Cancel begins to cancel a job.
func (r *restCluster) Cancel(ctx context.Context, id string) error {
	f, err := r.find(ctx, id)
	if err != nil {
		return err
	}
	state := ""
	if f.o != nil {
		state = f.o.Job.State
	} else if state, err = ask(ctx, f.m.loop, func() string {
		f.m.step(execution.Cancel{})
		return string(f.m.exec.State())
	}); err != nil {
		return err
	}
	switch execution.JobState(state) {
	case execution.JobFinished, execution.JobFailed, execution.JobFailing:
		return rest.Conflict("Job cancellation failed because the job has already reached another terminal state (%s).", state)
	}
	return nil
}

// requestOnce gives a wish to the job's checkpoint coordinator and waits for its
// answer.
func (r *restCluster) requestOnce(ctx context.Context, id string, q checkpoint.Request) (checkpoint.Reply, *master, error) {
	f, err := r.find(ctx, id)
	if err != nil {
		return checkpoint.Reply{}, nil, err
	}
	if f.m == nil {
		return checkpoint.Reply{}, nil, rest.Conflict("job %s is not running: it is %s", id, f.o.Job.State)
	}
	if batch(f.m.conf) {
		return checkpoint.Reply{}, nil, rest.Conflict("job %s runs in BATCH, which takes no checkpoints or savepoints: let it finish, or cancel it (flink cancel)", id)
	}
	q.Token = newJobID()
	done := make(chan checkpoint.Reply, 1)
	ok := f.m.loop.post(func() {
		f.m.replies[q.Token] = func(a checkpoint.Reply) {
			if q.Last && a.Err == "" { // here, so that it happens even if nobody waits any more
				f.m.step(execution.Cancel{})
			}
			done <- a
		}
		f.m.check(q)
	})
	if !ok {
		return checkpoint.Reply{}, nil, rest.Conflict("job %s has ended", id)
	}
	select {
	case a := <-done:
		if a.Err != "" {
			return a, f.m, fmt.Errorf("job %s: %s", id, a.Err)
		}
		return a, f.m, nil
	case <-f.m.done:
		return checkpoint.Reply{}, f.m, fmt.Errorf("job %s has ended", id)
	case <-r.jm.ctx.Done():
		return checkpoint.Reply{}, nil, rest.Unavailable("%v", errEnded)
	case <-ctx.Done():
		return checkpoint.Reply{}, nil, ctx.Err()
	}
}

// target makes the name of a savepoint's folder.
func (r *restCluster) target(ctx context.Context, id, dir string) (string, error) {
	if dir == "" {
		c, err := read(ctx, r, id, func(m *master) *conf.Config { return m.conf }, func(*ended) *conf.Config { return r.jm.o.Conf })
		if err != nil {
			return "", err
		}
		if dir = conf.CheckpointingSavepointDir.Get(c); dir == "" {
			return "", rest.BadRequest("Config key [%s] is not set. Property [targetDirectory] must be provided: name a folder (flink stop -p DIR JOB, flink savepoint JOB DIR), or set the key.", conf.CheckpointingSavepointDir.Key)
		}
	}
	uri, err := fullURI(r.jm.o.Files, dir)
	if err != nil {
		return "", rest.BadRequest("savepoint directory: %v", err)
	}
	return savepointFolder(uri, id), nil
}

func format(native bool) string {
	if native {
		return checkpoint.Native
	}
	return checkpoint.Canonical
}

// Savepoint takes a savepoint.
func (r *restCluster) Savepoint(ctx context.Context, id string, o rest.SavepointOptions) (string, error) {
	dir, err := r.target(ctx, id, o.Directory)
	if err != nil {
		return "", err
	}
	a, _, err := r.request(ctx, id, checkpoint.Request{Kind: checkpoint.Savepoint, Dir: dir, Format: format(o.Native), Last: o.Cancel})
	return a.Path, err
}

// Stop stops a job with a savepoint, and waits for its end.
func (r *restCluster) Stop(ctx context.Context, id string, o rest.StopOptions) (string, error) {
	dir, err := r.target(ctx, id, o.Directory)
	if err != nil {
		return "", err
	}
	a, m, err := r.request(ctx, id, checkpoint.Request{Kind: checkpoint.Stop, Dir: dir, Format: format(o.Native), Drain: o.Drain})
	if err != nil {
		return "", err
	}
	select {
	case <-m.done:
	case <-r.jm.ctx.Done():
		return "", rest.Unavailable("%v", errEnded)
	case <-ctx.Done():
		return "", ctx.Err()
	}
	if state := m.over.Load().Job.State; state != string(execution.JobFinished) {
		return "", fmt.Errorf("job %s is %s, though its savepoint %s is complete", id, state, a.Path)
	}
	return a.Path, nil
}

// Checkpoint takes a checkpoint, as it is configured or complete in itself.
func (r *restCluster) Checkpoint(ctx context.Context, id string, kind rest.CheckpointKind) (int64, error) {
	a, _, err := r.request(ctx, id, checkpoint.Request{Kind: checkpoint.Periodic, Full: kind == rest.CheckpointFull})
	return a.ID, err
}

// DisposeSavepoint deletes a savepoint.
func (r *restCluster) DisposeSavepoint(ctx context.Context, path string) error {
	if err := dispose(ctx, r.jm.o.Files, path); err != nil {
		return rest.BadRequest("%v", err)
	}
	r.jm.log.Info("Disposed of savepoint " + path)
	return nil
}

// ClientHeartbeat notes that an attached client lives.
func (r *restCluster) ClientHeartbeat(ctx context.Context, id string, expires time.Time) error {
	f, err := r.find(ctx, id)
	if err != nil || f.m == nil {
		return err
	}
	f.m.post(func() {
		if f.m.ending == nil {
			f.m.client = expires
		}
	})
	return nil
}

// Submit takes a job.
func (r *restCluster) Submit(ctx context.Context, g *graph.JobGraph) (string, error) {
	if err := r.jm.Submit(ctx, g); err != nil {
		return "", err
	}
	return g.JobId, nil
}

// Checkpoints are the statistics of a job's checkpoints.
func (r *restCluster) Checkpoints(ctx context.Context, id string) (*rest.CheckpointHistory, error) {
	return read(ctx, r, id, (*master).checkpoints, func(o *ended) *rest.CheckpointHistory { return &o.Checkpoints })
}

// CheckpointSettings tell what a job's checkpoints are taken with.
func (r *restCluster) CheckpointSettings(ctx context.Context, id string) (rest.CheckpointSettings, error) {
	return read(ctx, r, id, (*master).checkpointSettings, func(o *ended) rest.CheckpointSettings { return o.Settings })
}

// Slots are the cluster's resources in numbers.
func (r *restCluster) Slots(ctx context.Context) (rest.SlotOverview, error) {
	return ask(ctx, r.jm.loop, func() rest.SlotOverview {
		total, free := r.jm.pool.Total()
		return rest.SlotOverview{TaskManagers: len(r.jm.tms), Slots: total, FreeSlots: free}
	})
}

// Shutdown lets the cluster end; who hosts the JobManager sees it by Stopping.
func (r *restCluster) Shutdown(context.Context) error {
	r.jm.log.Info("The cluster is to be shut down, by REST")
	r.jm.announce(StatusSucceeded)
	return nil
}

// JobMetrics are a job's figures.
func (r *restCluster) JobMetrics(ctx context.Context, id string) (map[string]string, error) {
	return read(ctx, r, id, (*master).shownJobMetrics, func(o *ended) map[string]string { return o.Metrics })
}

// TaskMetrics are the figures of a vertex's subtasks.
func (r *restCluster) TaskMetrics(ctx context.Context, id, vertex string) (map[int]map[string]string, error) {
	known := func(j *rest.Job) bool {
		for _, v := range j.Vertices {
			if v.ID == vertex {
				return true
			}
		}
		return false
	}
	out, err := read(ctx, r, id, func(m *master) map[int]map[string]string { return m.vertexMetrics(vertex) },
		func(o *ended) map[int]map[string]string {
			if known(&o.Job) {
				return map[int]map[string]string{}
			}
			return nil
		})
	if err == nil && out == nil {
		return nil, rest.NotFound("vertex %s not found in job %s", vertex, id)
	}
	return out, err
}

func (m *master) vertexMetrics(vertex string) map[int]map[string]string {
	var out map[int]map[string]string
	for _, e := range m.exec.Tasks() {
		if e.Vertex.ID != vertex {
			continue
		}
		if out == nil {
			out = map[int]map[string]string{}
		}
		figures := map[string]string{}
		if f := m.figures[e.ID()]; f != nil {
			for k, v := range f.metrics {
				if !isLatency(k) {
					figures[strings.TrimSpace(k)] = v
				}
			}
		}
		out[e.Subtask] = figures
	}
	return out
}
