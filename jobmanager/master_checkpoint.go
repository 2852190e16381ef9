package jobmanager

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"time"

	"goflink/control"
	"goflink/graph"
	"goflink/hdfsstore"
	"goflink/jobmanager/checkpoint"
	"goflink/jobmanager/execution"
	"goflink/jobmanager/ha"
)

// obey carries out an action of the checkpoint coordinator.
func (m *master) obey(a checkpoint.Action) {
	switch a := a.(type) {
	case checkpoint.Prepare:
		m.prepare(a)
	case checkpoint.SnapshotCoordinator:
		m.toCoordinator(&control.CoordinatorCommand{Command: &control.CoordinatorCommand_Checkpoint{
			Checkpoint: &control.CoordinatorCheckpoint{CheckpointId: a.ID}}})
	case checkpoint.Trigger:
		m.trigger(a)
	case checkpoint.Write:
		m.write(a)
	case checkpoint.Publish:
		m.publish(a)
	case checkpoint.Complete:
		m.completed(a)
	case checkpoint.Aborted:
		m.aborted(a)
		m.rescale()
	case checkpoint.Reply:
		if f := m.replies[a.Token]; f != nil {
			delete(m.replies, a.Token)
			f(a)
		}
		m.rescale() // a savepoint may have been in its way
	case checkpoint.FailJob:
		m.step(execution.GlobalFailure{Cause: execution.Failure{Message: a.Reason, Domain: "external", Retry: "restart"}})
	case checkpoint.FinalCommit:
		m.finalCommit(a)
	case checkpoint.RestoreFrom:
		m.restoreFrom(a.Checkpoint)
	case checkpoint.Discard:
		m.background(func(ctx context.Context) func() {
			discard(ctx, m.jm.o.Files, m.log, a)
			return func() {}
		})
	case checkpoint.Fenced:
		m.log.Error("A checkpoint could not be published", "reason", "another JobManager has taken over, or may have")
	}
}

// bounded bounds I/O for a checkpoint by the checkpoint's own time-out.
func (m *master) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, max(time.Second, checkpointTimeout(m.conf)))
}

func (m *master) prepare(a checkpoint.Prepare) {
	m.background(func(ctx context.Context) func() {
		ctx, cancel := m.bounded(ctx)
		defer cancel()
		ev := checkpoint.Prepared{ID: a.ID, Dir: a.Dir}
		fsys, path, err := m.jm.o.Files.For(a.Dir)
		if err == nil {
			err = makeExclusive(ctx, fsys, path)
		}
		ev.Exists = errors.Is(err, fs.ErrExist)
		if !ev.Exists {
			ev.Err = err
		}
		return func() { m.check(ev) }
	})
}

// makeExclusive makes the folder of a checkpoint, which must be new, and what it
// lies in.
func makeExclusive(ctx context.Context, fsys hdfsstore.FS, dir string) error {
	err := fsys.MkdirExclusive(ctx, dir, 0o755)
	if errors.Is(err, fs.ErrNotExist) {
		if err = fsys.Mkdir(ctx, path.Dir(dir), 0o755); err == nil {
			err = fsys.MkdirExclusive(ctx, dir, 0o755)
		}
	}
	return err
}

func (m *master) trigger(a checkpoint.Trigger) {
	m.log.Info(fmt.Sprintf("Triggering checkpoint %d (type=%s) @ %d for job %s.", a.ID, a.Kind.TypeName(), a.At.UnixMilli(), m.id))
	if a.Kind == checkpoint.Stop {
		m.step(execution.Stopping{})
	}
	byWorker := map[string]*control.TriggerCheckpoint{}
	for _, t := range a.Tasks {
		e := m.exec.Task(execution.TaskID(t))
		cmd := byWorker[e.Slot.Worker]
		if cmd == nil {
			cmd = &control.TriggerCheckpoint{CheckpointId: a.ID, TimestampMs: a.At.UnixMilli(), Kind: string(a.Kind), Drain: a.Drain, Dir: a.Dir,
				Format: a.Format, Base: a.Base, Epoch: shortEpoch(m.jm.o.Epoch),
				Unaligned: a.Unaligned, AlignedTimeoutMs: a.AlignedTimeout.Milliseconds()}
			byWorker[e.Slot.Worker] = cmd
		}
		cmd.Tasks = append(cmd.Tasks, taskOf(e))
	}
	for id, cmd := range byWorker {
		m.tell(id, &control.WorkerCommand{Command: &control.WorkerCommand_Trigger{Trigger: cmd}})
	}
}

// write makes _metadata appear, whole.
func (m *master) write(a checkpoint.Write) {
	m.began[a.ID] = m.jm.clock.Now()
	m.background(func(ctx context.Context) func() {
		ctx, cancel := m.bounded(ctx)
		defer cancel()
		data, err := checkpoint.EncodeMetadata(a.Metadata)
		if err == nil {
			var fsys hdfsstore.FS
			var path string
			if fsys, path, err = m.jm.o.Files.For(a.Dir); err == nil {
				err = hdfsstore.WriteFile(ctx, fsys, path+"/"+checkpoint.MetadataName, data, hdfsstore.PublishOptions{})
			}
		}
		return func() { m.check(checkpoint.Written{ID: a.ID, Size: int64(len(data)), Err: err}) }
	})
}

// publish makes the pointer durable: with it the checkpoint is complete.
func (m *master) publish(a checkpoint.Publish) {
	p := ha.CheckpointPointer{ID: a.ID, Path: a.Dir, Savepoint: a.Kind == checkpoint.Stop, Time: m.jm.clock.Now(), Extra: encodeRetained(m.cp.Retained())}
	m.background(func(ctx context.Context) func() {
		err := m.jm.o.HA.PublishCheckpoint(ctx, m.id, p)
		if lost(err) {
			m.jm.fatal(err)
		}
		return func() { m.check(checkpoint.Published{ID: a.ID, Err: err, Fenced: lost(err)}) }
	})
}

func (m *master) completed(a checkpoint.Complete) {
	c := a.Checkpoint
	finalization := int64(0)
	if t, ok := m.began[c.ID]; ok {
		finalization = c.Done.Sub(t).Milliseconds()
		delete(m.began, c.ID)
	}
	m.log.Info(fmt.Sprintf("Completed checkpoint %d for job %s (%d bytes, checkpointDuration=%d ms, finalizationTime=%d ms).",
		c.ID, m.id, c.Size, c.Done.Sub(c.At).Milliseconds()-finalization, finalization))
	m.refreshGauges()
	if !a.Notify {
		return
	}
	cmd := &control.CheckpointComplete{CheckpointId: c.ID, Stop: a.Stop, Final: a.Final}
	m.everyWorker(&control.WorkerCommand{Command: &control.WorkerCommand_Complete{Complete: cmd}})
	m.toCoordinator(&control.CoordinatorCommand{Command: &control.CoordinatorCommand_Complete{Complete: cmd}})
}

func (m *master) aborted(a checkpoint.Aborted) {
	delete(m.began, a.ID)
	m.log.Warn(fmt.Sprintf("Failed to complete checkpoint %d for job %s.", a.ID, m.id), "reason", a.Reason)
	if !a.Notify {
		return
	}
	cmd := &control.CheckpointAborted{CheckpointId: a.ID, Reason: a.Reason}
	m.everyWorker(&control.WorkerCommand{Command: &control.WorkerCommand_Aborted{Aborted: cmd}})
	m.toCoordinator(&control.CoordinatorCommand{Command: &control.CoordinatorCommand_Aborted{Aborted: cmd}})
}

// finalCommit lets the tasks of a job without checkpoints commit and end. If
// there is something to commit, it is first made durable that this begins: so
// that neither a JobManager that was succeeded commits, nor its successor runs
// a job again whose output is there already.
func (m *master) finalCommit(a checkpoint.FinalCommit) {
	if !hasCommits(m.graph) {
		m.orderCommit(a)
		return
	}
	p := ha.CheckpointPointer{ID: 1, Path: committingPath, Time: m.jm.clock.Now()}
	if last := m.cp.Latest(); last != nil {
		p.ID = last.ID + 1
	}
	attempt := m.exec.Attempt()
	m.background(func(ctx context.Context) func() {
		err := m.jm.o.HA.PublishCheckpoint(ctx, m.id, p)
		return func() {
			switch {
			case lost(err):
				m.jm.fatal(err)
			case err != nil:
				m.step(execution.GlobalFailure{Cause: execution.Failure{Domain: "external", Retry: "restart",
					Message: fmt.Sprintf("it could not be made durable that the job commits: %v", err)}})
			case m.exec.Attempt() == attempt && m.exec.State() == execution.JobRunning:
				m.step(execution.Committing{})
				m.orderCommit(a)
			}
		}
	})
}

// committingPath is the path of the pointer of a job that commits without
// checkpoints; those of checkpoints are not empty.
const committingPath = ""

func hasCommits(g *graph.JobGraph) bool {
	for _, v := range g.GetVertices() {
		for _, op := range v.Operators {
			if op.Commits {
				return true
			}
		}
	}
	return false
}

func (m *master) orderCommit(a checkpoint.FinalCommit) {
	byWorker := map[string]*control.FinalCommit{}
	for _, t := range a.Tasks {
		e := m.exec.Task(execution.TaskID(t))
		cmd := byWorker[e.Slot.Worker]
		if cmd == nil {
			cmd = &control.FinalCommit{}
			byWorker[e.Slot.Worker] = cmd
		}
		cmd.Tasks = append(cmd.Tasks, taskOf(e))
	}
	for id, cmd := range byWorker {
		m.tell(id, &control.WorkerCommand{Command: &control.WorkerCommand_FinalCommit{FinalCommit: cmd}})
	}
}

// restoreFrom divides the state that the attempt begins with.
func (m *master) restoreFrom(c *checkpoint.Completed) {
	if !m.waiting {
		return
	}
	m.restored, m.assigned, m.from = true, nil, 0
	if c != nil {
		m.log.Info(fmt.Sprintf("Restoring job %s from %s %d @ %d for %s located at %s.", m.id, kindWord(c), c.ID, c.At.UnixMilli(), m.id, c.Dir))
		m.assigned, m.from = checkpoint.Assign(m.scaled, c), c.ID
	} else {
		m.log.Info("No checkpoint found to restore")
	}
	m.startCoordinator()
	m.deployIfReady()
}

func kindWord(c *checkpoint.Completed) string {
	if c.Kind.IsSavepoint() {
		return "Savepoint"
	}
	return "Checkpoint"
}

// removeFolder removes the job's own folder when nothing was retained in it. It
// tells whether that is under way.
func (m *master) removeFolder() bool {
	if m.dir == "" || len(m.cp.Retained()) > 0 {
		return false
	}
	m.background(func(ctx context.Context) func() {
		removeEmpty(ctx, m.jm.o.Files, m.log, m.dir)
		return func() {}
	})
	return m.busy > 0
}
