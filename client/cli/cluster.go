package cli

import (
	"context"
	"time"

	"goflink/graph"
)

// jobLine is a job as flink list shows it.
type jobLine struct {
	ID, Name, State string
	Start           time.Time
}

// jobEnd is how a job ended.
type jobEnd struct {
	// State is FINISHED, FAILED or CANCELED.
	State string
	// Runtime is what flink run prints.
	Runtime time.Duration
	// Accumulators by name, already formatted as "name (type): value".
	Accumulators []string
	// Failure is the root cause of a FAILED job, Stack its longer form.
	Failure, Stack string
}

// cluster is what the actions need of a running cluster; restCluster is the
// one over REST.
type cluster interface {
	// Jobs lists all jobs the cluster remembers.
	Jobs(ctx context.Context) ([]jobLine, error)
	// Submit starts a job and returns its id; local is the program's path, for
	// clusters that cannot read it anywhere else.
	Submit(ctx context.Context, g *graph.JobGraph, local string) (string, error)
	// Wait returns when the job has ended.
	Wait(ctx context.Context, id string) (*jobEnd, error)
	// Cancel begins to cancel a job.
	Cancel(ctx context.Context, id string) error
	// Savepoint takes a savepoint: trigger returns the trigger id, await its
	// path.
	Savepoint(ctx context.Context, id, dir string, native, cancel bool) (trigger string, err error)
	// Stop is Savepoint for a job that ends with it.
	Stop(ctx context.Context, id, dir string, native, drain bool) (trigger string, err error)
	// AwaitSavepoint waits for what Savepoint or Stop triggered.
	AwaitSavepoint(ctx context.Context, id, trigger string) (path string, err error)
	// Checkpoint takes a checkpoint and returns its id.
	Checkpoint(ctx context.Context, id string, full bool) (int64, error)
	// Dispose deletes a savepoint.
	Dispose(ctx context.Context, path string) error
	// Heartbeat tells that the client of a job lives, and for how long to take
	// it for alive.
	Heartbeat(ctx context.Context, id string, forHow time.Duration) error
	// Shutdown ends the cluster.
	Shutdown(ctx context.Context) error
}
