package jobmanager

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"goflink/conf"
	"goflink/graph"
	"goflink/jobmanager/checkpoint"
	"goflink/jobmanager/execution"
	"goflink/jobmanager/rest"
)

// Submit starts a job. It returns once the job is taken: its graph is good, its
// program can be had, what it begins from fits, and it will survive this
// JobManager (with high availability). g is the JobManager's from then on; a
// missing job id is filled in. Errors that the submitter can mend are
// *rest.Error.
func (jm *JobManager) Submit(ctx context.Context, g *graph.JobGraph) error {
	if g.JobId == "" {
		g.JobId = newJobID()
	}
	if g.SubmittedMs == 0 {
		g.SubmittedMs = jm.clock.Now().UnixMilli()
	}
	jm.log.Info(fmt.Sprintf("Received JobGraph submission '%s' (%s).", g.Name, g.JobId))
	c, err := jm.checkGraph(ctx, g)
	if err != nil {
		return err
	}
	if err := jm.reserve(ctx, g.JobId); err != nil {
		return err
	}
	m, err := jm.prepareJob(ctx, g, c)
	if err != nil {
		jm.loop.post(func() { delete(jm.coming, g.JobId) })
		return err
	}
	jm.log.Info(fmt.Sprintf("Submitting job '%s' (%s).", g.Name, g.JobId))
	return jm.launch(ctx, m)
}

func newJobID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// checkGraph refuses what can never run here.
func (jm *JobManager) checkGraph(ctx context.Context, g *graph.JobGraph) (*conf.Config, error) {
	if err := graph.Validate(g); err != nil {
		return nil, rest.BadRequest("the job graph of %q is not valid: %v", g.Name, err)
	}
	if len(g.Vertices) == 0 {
		return nil, rest.BadRequest("job %q has no operators: the program built nothing", g.Name)
	}
	if p := protocolProblem("the job's program", g.Protocol); p != "" {
		return nil, rest.BadRequest("%s", p)
	}
	c := effective(jm.o.Conf, g)
	if err := conf.Validate(c); err != nil {
		return nil, rest.BadRequest("the job's configuration is not valid: %v", err)
	}
	if batch(c) && g.Restore != nil {
		return nil, rest.BadRequest("job %q runs in BATCH, which begins from no savepoint: leave out the savepoint, or set execution.runtime-mode to STREAMING", g.Name)
	}
	return c, jm.checkProgram(ctx, g.GetProgram())
}

func (jm *JobManager) checkProgram(ctx context.Context, p *graph.Program) error {
	if p.GetUri() != "" || jm.o.Mode == Dedicated {
		return nil // whoever starts it looks
	}
	if jm.o.Programs == nil {
		return rest.BadRequest("the job's program has no URI, and this cluster keeps no programs")
	}
	if _, err := jm.o.Programs.Stat(ctx, p.GetSha256()); errors.Is(err, fs.ErrNotExist) {
		return rest.BadRequest("the job's program %.12s… is not in this cluster's store: upload it first", p.GetSha256())
	} else if err != nil {
		return err
	}
	return nil
}

// reserve makes sure that no other job has the id.
func (jm *JobManager) reserve(ctx context.Context, id string) error {
	taken, err := ask(ctx, jm.loop, func() bool {
		if jm.jobs[id] != nil || jm.coming[id] || jm.archive.get(id) != nil {
			return true
		}
		jm.coming[id] = true
		return false
	})
	if err == nil && taken {
		return rest.Conflict("Job %s has already been submitted.", id)
	}
	return err
}

// prepareJob finds what the job begins from and makes it durable.
func (jm *JobManager) prepareJob(ctx context.Context, g *graph.JobGraph, c *conf.Config) (*master, error) {
	cc, err := jm.checkpointing(ctx, g, c)
	if err != nil {
		return nil, err
	}
	if from, err := jm.begin(ctx, g, c); err != nil {
		return nil, err
	} else if from != nil {
		cc.Restored = []*checkpoint.Completed{from}
	}
	encoded, err := graph.Encode(g)
	if err != nil {
		return nil, rest.BadRequest("the job graph of %q cannot be kept: %v", g.Name, err)
	}
	if err := jm.o.HA.PutJob(ctx, g.JobId, encoded); err != nil {
		if lost(err) {
			jm.fatal(err)
		}
		if errors.Is(err, fs.ErrExist) {
			return nil, rest.Conflict("Job %s has already been submitted.", g.JobId)
		}
		return nil, fmt.Errorf("the job could not be made durable: %w", err)
	}
	return newMaster(jm, g, c, *cc), nil
}

// checkpointing is the configuration of the job's checkpoints.
func (jm *JobManager) checkpointing(ctx context.Context, g *graph.JobGraph, c *conf.Config) (*checkpoint.Config, error) {
	cc := checkpointConfig(c, g, jm.o.Epoch)
	var err error
	if cc.Dir, err = checkpointDir(jm.o.Files, c, g.JobId); err != nil {
		return nil, rest.BadRequest("%v", err)
	}
	if cc.Dir != "" {
		high, err := highestID(ctx, jm.o.Files, cc.Dir)
		if err != nil {
			return nil, err
		}
		cc.FirstID = high + 1
	}
	return &cc, nil
}

// begin loads the savepoint or checkpoint that the job asks to begin from, and
// compares it with the program.
func (jm *JobManager) begin(ctx context.Context, g *graph.JobGraph, c *conf.Config) (*checkpoint.Completed, error) {
	r := g.Restore
	if r.GetPath() == "" {
		path := conf.StateRecoveryPath.Get(c)
		if path == "" {
			return nil, nil
		}
		r = &graph.SavepointRestore{Path: path, AllowNonRestoredState: conf.StateRecoveryIgnoreUnclaimed.Get(c),
			ClaimMode: string(conf.StateRecoveryClaimMode.Get(c))}
	}
	jm.log.Info(fmt.Sprintf("Starting job %s from savepoint %s", g.JobId, r.Path), "allowNonRestoredState", r.AllowNonRestoredState)
	from, err := loadCheckpoint(ctx, jm.o.Files, r.Path)
	if err != nil {
		return nil, rest.BadRequest("%v", err)
	}
	diff, err := checkpoint.Compatible(g, from, r.AllowNonRestoredState)
	if err != nil {
		return nil, rest.BadRequest("%v", err)
	}
	for _, l := range diff.Lines {
		jm.log.Info("Difference to the savepoint: " + l)
	}
	if err := verifyFiles(ctx, jm.o.Files, from); err != nil {
		return nil, rest.BadRequest("%v", err)
	}
	from.Claimed = r.ClaimMode == string(conf.ClaimOwned)
	from.Foreign = !from.Claimed
	if from.Claimed {
		if from.Keep, err = referredElsewhere(ctx, jm.o.Files, from); err != nil {
			return nil, err
		}
	}
	return from, nil
}

// launch hands a job to its loop and starts it.
func (jm *JobManager) launch(ctx context.Context, m *master) error {
	ok, err := ask(ctx, jm.loop, func() bool {
		jm.jobs[m.id] = m
		delete(jm.coming, m.id)
		jm.order = append(jm.order, m.id)
		return jm.start(m.loop.run)
	})
	if err != nil {
		return err
	}
	if !ok {
		return errEnded
	}
	m.post(func() { m.step(execution.Start{}) })
	return nil
}

// retired moves a job that has ended to the archive.
func (jm *JobManager) retired(m *master) {
	if jm.jobs[m.id] != m {
		return
	}
	delete(jm.jobs, m.id)
	for w, job := range jm.workers {
		if job == m.id {
			delete(jm.workers, w)
		}
	}
	jm.archive.add(m.over.Load(), jm.clock.Now())
}

// Wait returns the outcome of a job once it has ended.
func (jm *JobManager) Wait(ctx context.Context, jobID string) (*rest.JobResult, error) {
	type found struct {
		m *master
		o *ended
	}
	f, err := ask(ctx, jm.loop, func() found { return found{jm.jobs[jobID], jm.archive.get(jobID)} })
	switch {
	case err != nil:
		return nil, err
	case f.o != nil:
		return &f.o.Result, nil
	case f.m == nil:
		return nil, rest.JobNotFound(jobID)
	}
	select {
	case <-f.m.done:
		return &f.m.over.Load().Result, nil
	case <-jm.ctx.Done():
		return nil, errEnded
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Jobs lists the ids of the jobs that run, oldest first.
func (jm *JobManager) Jobs(ctx context.Context) ([]string, error) {
	return ask(ctx, jm.loop, func() []string {
		var out []string
		for _, id := range jm.order {
			if jm.jobs[id] != nil {
				out = append(out, id)
			}
		}
		return out
	})
}

// savepointFolder makes the name of a new savepoint's folder below dir.
func savepointFolder(dir, jobID string) string {
	var b [6]byte
	_, _ = rand.Read(b[:]) // never fails
	return fmt.Sprintf("%s/savepoint-%s-%s", strings.TrimSuffix(dir, "/"), jobID[:6], hex.EncodeToString(b[:]))
}
