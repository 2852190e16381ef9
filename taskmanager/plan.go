package taskmanager

import (
	"goflink/conf"
	"goflink/control"
)

// PlanOf is a memory plan as it travels to the JobManager.
func PlanOf(p conf.TaskManagerPlan) *control.MemoryPlan {
	return &control.MemoryPlan{
		TotalProcess: int64(p.Process), TotalFlink: int64(p.Flink), FrameworkHeap: int64(p.FrameworkHeap), TaskHeap: int64(p.TaskHeap),
		FrameworkOffHeap: int64(p.FrameworkOffHeap), TaskOffHeap: int64(p.TaskOffHeap), Network: int64(p.Network), Managed: int64(p.Managed),
		Metaspace: int64(p.Metaspace), Overhead: int64(p.Overhead),
	}
}
