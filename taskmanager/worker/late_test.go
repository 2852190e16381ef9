package worker

import (
	"strings"
	"testing"

	"goflink/control"
	"goflink/taskmanager/tmtest"
)

// TestLateDeployment: a deployment that comes behind a newer one, or once more, ends
// nothing.
func TestLateDeployment(t *testing.T) {
	job := &tmtest.Job{Sources: 1, Counters: 1, Sinks: 1, Keys: 3, Hold: 10}
	r := newRig(t, job)
	workers := r.start("a")
	first := r.Deploy(job.JobGraph(), workers, 0, nil)
	first.Start()
	second := r.Deploy(job.JobGraph(), workers, 1, nil)
	second.Start()
	for _, attempt := range []int32{0, 1} {
		late := &control.DeployTasks{Attempt: attempt}
		for _, v := range job.JobGraph().Vertices {
			late.Tasks = append(late.Tasks, &control.TaskDeployment{Task: &control.Task{VertexId: v.Id, Attempt: attempt}})
			late.Locations = append(late.Locations, &control.TaskLocation{VertexId: v.Id, WorkerId: "a", Host: "127.0.0.1", DataPort: workers[0].DataPort})
		}
		workers[0].Send(&control.WorkerCommand{Command: &control.WorkerCommand_Deploy{Deploy: late}})
	}
	if !second.Checkpoint(r.trigger(1, "checkpoint")) {
		t.Fatalf("declined: %v", r.Declines)
	}
	r.Look(func() {
		for _, h := range r.History {
			if strings.Contains(h, "#1 C") || strings.Contains(h, "#1 F") || strings.Contains(h, "#0 F") {
				t.Errorf("%s in %v", h, r.History)
			}
		}
	})
	second.Cancel()
	r.shutdown(workers)
}
