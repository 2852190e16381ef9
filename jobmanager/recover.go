package jobmanager

import (
	"context"
	"errors"
	"fmt"

	"goflink/conf"
	"goflink/graph"
	"goflink/jobmanager/checkpoint"
	"goflink/jobmanager/ha"
)

// Recover goes on with the jobs of earlier JobManagers of the cluster: each from
// its last completed checkpoint. Jobs that had ended are only shown. It returns
// the ids of the jobs that go on. A job that cannot be recovered makes Recover
// fail: going on without it would be forgetting it, so the process should end
// and be tried again, or its files be mended.
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
