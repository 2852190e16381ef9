package jobmanager

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"goflink/conf"
	"goflink/graph"
	"goflink/jobmanager/checkpoint"
	"goflink/jobmanager/execution"
	"goflink/jobmanager/ha"
	"goflink/jobmanager/rest"
)

// Recover goes on with the jobs of earlier JobManagers of the cluster: each from
// its last completed checkpoint. Jobs that had ended are only shown. It returns
// the ids of the jobs that go on. A job whose checkpoint or savepoint is gone or
// damaged has FAILED; if only the file system does not answer, Recover fails:
// then the process should end and be tried again.
func (jm *JobManager) Recover(ctx context.Context, r *ha.Recovered) ([]string, error) {
	if r == nil {
		return nil, nil
	}
	for _, res := range r.Results {
		o, err := decodeEnded(res.Result)
		if err != nil {
			jm.log.Warn("The result of an ended job cannot be read", "job", res.JobID, "error", err)
			o = unreadable(res.JobID)
		}
		jm.loop.post(func() { jm.archive.add(o, jm.clock.Now()) })
	}
	var ids []string
	for _, j := range r.Jobs {
		m, err := jm.recoverJob(ctx, j)
		if hopeless(err) {
			if err := jm.buryJob(ctx, j, err); err != nil {
				return ids, err
			}
			continue
		}
		if err != nil {
			return ids, fmt.Errorf("recovering job %s: %w", j.ID, err)
		}
		if err := jm.reserve(ctx, j.ID); err != nil {
			return ids, err
		}
		jm.log.Info(fmt.Sprintf("Recovered JobGraph '%s' (%s).", m.graph.Name, m.id), "from epoch", r.From)
		if err := jm.launch(ctx, m); err != nil {
			return ids, err
		}
		ids = append(ids, j.ID)
	}
	return ids, nil
}

// errHalfCommitted is why a job is not run again that was committing.
var errHalfCommitted = errors.New(execution.HalfCommitted)

// hopeless tells that trying again would not recover a job.
func hopeless(err error) bool {
	var mendable *rest.Error
	for _, e := range []error{errHalfCommitted, fs.ErrNotExist, checkpoint.ErrCorrupt, checkpoint.ErrTruncated, checkpoint.ErrNotMetadata, checkpoint.ErrVersion} {
		if errors.Is(err, e) {
			return true
		}
	}
	return errors.As(err, &mendable)
}

// buryJob records that a job failed because it could not be recovered.
func (jm *JobManager) buryJob(ctx context.Context, j ha.Job, cause error) error {
	now := jm.clock.Now()
	f := rest.Failure{Name: "recovery failed", Message: "the job cannot be recovered: " + cause.Error(), At: now}
	s := rest.JobSummary{ID: j.ID, Name: "(unknown)", State: string(execution.JobFailed), Start: now, End: now, LastModified: now}
	if g, err := graph.Decode(j.Graph); err == nil {
		s.Name, s.Start = g.Name, time.UnixMilli(g.SubmittedMs)
	}
	o := &ended{Job: rest.Job{JobSummary: s, MaxParallelism: -1, Failures: []rest.Failure{f}}, Result: rest.JobResult{State: s.State, Failure: &f}}
	jm.log.Error("A job cannot be recovered", "job", j.ID, "error", cause)
	record, err := encodeEnded(o)
	if err != nil {
		return fmt.Errorf("job %s: %w", j.ID, err)
	}
	if err := jm.o.HA.PutResult(ctx, j.ID, record); err != nil {
		return fmt.Errorf("job %s: %w", j.ID, err)
	}
	jm.loop.post(func() { jm.archive.add(o, now) })
	return nil
}

func (jm *JobManager) recoverJob(ctx context.Context, j ha.Job) (*master, error) {
	g, err := graph.Decode(j.Graph)
	if err != nil {
		return nil, err
	}
	c := effective(jm.o.Conf, g)
	cc, err := jm.checkpointing(ctx, g, c)
	if err != nil {
		return nil, err
	}
	cc.FirstID = max(cc.FirstID, j.HighestCheckpointID+1)
	if j.Checkpoint != nil && j.Checkpoint.Path == committingPath {
		return nil, errHalfCommitted
	}
	if j.Checkpoint == nil {
		from, err := jm.begin(ctx, g, c)
		if err != nil {
			return nil, err
		}
		if from != nil {
			cc.Restored = []*checkpoint.Completed{from}
		}
		return newMaster(jm, g, c, *cc), nil
	}
	if cc.Restored, err = jm.recoverCheckpoints(ctx, c, *j.Checkpoint); err != nil {
		return nil, err
	}
	if cc.Dir != "" && conf.CheckpointingCreateSubdir.Get(c) {
		sweepShared(ctx, jm.o.Files, jm.log, cc.Dir, shortEpoch(jm.o.Epoch), cc.Restored)
	}
	return newMaster(jm, g, c, *cc), nil
}

// recoverCheckpoints loads the last completed checkpoint, and the older ones
// that were retained beside it as far as they are still there.
func (jm *JobManager) recoverCheckpoints(ctx context.Context, c *conf.Config, p ha.CheckpointPointer) ([]*checkpoint.Completed, error) {
	latest, err := loadCheckpoint(ctx, jm.o.Files, p.Path)
	if err != nil {
		return nil, fmt.Errorf("its last completed checkpoint %d: %w", p.ID, err)
	}
	if latest.ID != p.ID {
		return nil, errors.Join(checkpoint.ErrCorrupt, fmt.Errorf("'%s' holds checkpoint %d, not %d", p.Path, latest.ID, p.ID))
	}
	older, err := decodeRetained(p.Extra)
	if err != nil {
		jm.log.Warn("Older checkpoints are not known any more", "error", err)
	}
	var out []*checkpoint.Completed
	keep := conf.CheckpointingNumRetained.Get(c) - 1
	for _, o := range older[max(0, len(older)-keep):] {
		done, err := loadCheckpoint(ctx, jm.o.Files, o.Path)
		if err != nil || done.ID != o.ID || o.ID >= p.ID {
			jm.log.Warn("An older checkpoint cannot be used any more", "checkpoint", o.ID, "path", o.Path, "error", err)
			continue
		}
		out = append(out, done)
	}
	return append(out, latest), nil
}
