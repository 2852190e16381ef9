package jobmanager

import (
	"fmt"

	"goflink/conf"
	"goflink/control"
	"goflink/graph"
)

// slotsWarning tells what is unwise about the slots of a TaskManager; empty:
// nothing.
func slotsWarning(r *control.RegisterTaskManager) string {
	if r.GetCpuCores() <= 0 || r.GetSlots() <= r.GetCpuCores() {
		return ""
	}
	return fmt.Sprintf("TaskManager %s has more slots than cores (%d and %d): busy tasks will wait for each other; lower taskmanager.numberOfTaskSlots, or start TaskManagers on more hosts",
		r.GetId(), r.GetSlots(), r.GetCpuCores())
}

// stateWarning tells that a job would lose its state at the first failure; empty:
// it has none, or takes checkpoints.
func stateWarning(g *graph.JobGraph, c *conf.Config) string {
	if conf.CheckpointingInterval.Get(c) > 0 || batch(c) {
		return ""
	}
	for _, v := range g.GetVertices() {
		for _, op := range v.Operators {
			if len(op.States) > 0 {
				return fmt.Sprintf("operator %s has state, and the job takes no checkpoints: a failure loses the state; set execution.checkpointing.interval", op.Name)
			}
		}
	}
	return ""
}

// batchWarning tells that a job in BATCH takes no checkpoints, though they are
// configured; empty: they are not, or it is no such job.
func batchWarning(g *graph.JobGraph, cluster *conf.Config) string {
	c := conf.Merge(cluster, conf.FromMap(g.GetConfig()))
	if !batch(c) || conf.CheckpointingInterval.Get(c) <= 0 {
		return ""
	}
	return "the job runs in BATCH: execution.checkpointing.interval is ignored, no checkpoints are taken; after a failure the regions that it touched run again, if restart-strategy.type says so"
}
