package jobmanager

import (
	"context"
	"time"

	"goflink/jobmanager/checkpoint"
)

const (
	// startPatience is how long a savepoint or checkpoint waits for tasks that
	// are still to start: a script that submits a job and stops it would have to
	// guess that time otherwise. A container starts within it; a client that
	// waits for the answer has not lost its own patience yet.
	startPatience = 30 * time.Second
	// startPoll is the pause between two looks.
	startPoll = 50 * time.Millisecond
)

// request gives a wish to the job's checkpoint coordinator and waits for its
// answer, for a while also for the job's tasks to run.
func (r *restCluster) request(ctx context.Context, id string, q checkpoint.Request) (checkpoint.Reply, *master, error) {
	var m *master
	a, err := awaitStart(ctx, startPatience, startPoll, func() (a checkpoint.Reply, err error) {
		a, m, err = r.requestOnce(ctx, id, q)
		return a, err
	})
	return a, m, err
}

// awaitStart asks again while the answer is that tasks are still to start.
func awaitStart(ctx context.Context, limit, pause time.Duration, ask func() (checkpoint.Reply, error)) (checkpoint.Reply, error) {
	deadline := time.NewTimer(limit)
	defer deadline.Stop()
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for {
		a, err := ask()
		if err == nil || a.Err != checkpoint.NotRunning {
			return a, err
		}
		select {
		case <-tick.C:
		case <-deadline.C:
			return a, err
		case <-ctx.Done():
			return a, ctx.Err()
		}
	}
}
