package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"slices"
	"time"

	"goflink/client/restclient"
	"goflink/conf"
	"goflink/control"
	"goflink/graph"
	"goflink/internal/standalone"
	"goflink/jobmanager/rest"
)

// Attempts of a request where rest.retry.… is not configured: somebody waits
// for the answer. A JobManager that comes back at another address is looked
// for on YARN; elsewhere the end of a job is waited for with Flink's patience.
const (
	quickAttempts = 4
	quickDelay    = 500 * time.Millisecond
)

// restCluster is a cluster over REST.
type restCluster struct {
	quick, patient *restclient.Client
}

// openRest speaks to the JobManager at base.
func openRest(base string, secret control.Secret, c *conf.Config, onYarn bool) (cluster, error) {
	o := restclient.OptionsFrom(base, c)
	o.Secret = secret
	patient, err := restclient.New(o)
	if err != nil {
		return nil, err
	}
	if !conf.RestRetryMaxAttempts.IsSet(c) {
		o.Attempts = quickAttempts
	}
	if !conf.RestRetryDelay.IsSet(c) {
		o.RetryDelay = quickDelay
	}
	quick, err := restclient.New(o)
	if err != nil {
		return nil, err
	}
	if onYarn {
		patient = quick
	}
	return &restCluster{quick: quick, patient: patient}, nil
}

// standaloneSecret is the secret of a cluster that is not on YARN. Without one
// only questions are answered.
func (e *Env) standaloneSecret() (control.Secret, error) {
	secret, err := standalone.LoadSecret(e.confDir())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return secret, err
}

// isAnswer tells whether an error is the JobManager's answer, and not that
// there was none.
func isAnswer(err error) bool {
	var op *restclient.OperationError
	return restclient.IsAnswer(err) || errors.As(err, &op)
}

// isMissing tells whether the JobManager does not know what was asked for.
func isMissing(err error) bool { return restclient.IsNotFound(err) }

// explain makes the user's error of a client's.
func (r *restCluster) explain(err error) error {
	var status *restclient.StatusError
	var op *restclient.OperationError
	switch {
	case err == nil || errors.Is(err, context.Canceled):
		return err
	case errors.As(err, &op):
		reason, stack := rest.CutStack(op.Error())
		return &stackError{err: errors.New(reason), stack: stack}
	case errors.As(err, &status) && status.Status == http.StatusUnauthorized:
		return fmt.Errorf("%w: the secret of this cluster is not at hand, or another one is. On YARN it is read from the application's folder, by its owner; for a standalone cluster it is the file %s in the configuration folder (FLINK_CONF_DIR)", err, standalone.SecretFile)
	case errors.As(err, &status):
		reason, stack := rest.CutStack(status.Error())
		return &stackError{err: &answerError{text: reason, err: err}, stack: stack}
	}
	return fmt.Errorf("%w: is a cluster running there? bin/start-cluster.sh starts one; -m host:port, -t and -yid name another one", err)
}

// answerError is the short form of an answer.
type answerError struct {
	text string
	err  error
}

func (e *answerError) Error() string { return e.text }
func (e *answerError) Unwrap() error { return e.err }

// Jobs implements cluster.
func (r *restCluster) Jobs(ctx context.Context) ([]jobLine, error) {
	jobs, err := r.quick.Jobs(ctx)
	var out []jobLine
	for _, j := range jobs {
		out = append(out, jobLine{ID: j.ID, Name: j.Name, State: j.State, Start: time.UnixMilli(j.StartTime)})
	}
	return out, r.explain(err)
}

// Submit implements cluster: a program without a URI is uploaded first, unless
// the cluster has it.
func (r *restCluster) Submit(ctx context.Context, g *graph.JobGraph, local string) (string, error) {
	if g.GetProgram().GetUri() == "" {
		if _, err := r.quick.UploadProgram(ctx, g.GetProgram().GetSha256(), local); err != nil {
			return "", r.explain(err)
		}
	}
	id, err := r.quick.Submit(ctx, g)
	return id, r.explain(err)
}

// Wait implements cluster.
func (r *restCluster) Wait(ctx context.Context, id string) (*jobEnd, error) {
	result, err := r.patient.AwaitResult(ctx, id)
	if err != nil {
		return nil, r.explain(err)
	}
	end := &jobEnd{State: "FAILED", Runtime: time.Duration(result.NetRuntime) * time.Millisecond}
	switch result.Status {
	case rest.ApplicationSucceeded:
		end.State = "FINISHED"
	case rest.ApplicationCanceled:
		end.State = "CANCELED"
	}
	for _, name := range slices.Sorted(maps.Keys(result.Accumulators)) {
		a := result.Accumulators[name]
		a.Name = name
		end.Accumulators = append(end.Accumulators, formatAccumulator(a))
	}
	if f := result.Failure; f != nil {
		end.Failure, end.Stack = rest.CutStack(f.StackTrace)
	}
	return end, nil
}

// Cancel implements cluster.
func (r *restCluster) Cancel(ctx context.Context, id string) error {
	return r.explain(r.quick.Cancel(ctx, id))
}

// Savepoint implements cluster.
func (r *restCluster) Savepoint(ctx context.Context, id, dir string, native, cancel bool) (string, error) {
	t, err := r.quick.Savepoint(ctx, id, rest.SavepointOptions{Directory: dir, Native: native, Cancel: cancel})
	return t, r.explain(err)
}

// Stop implements cluster.
func (r *restCluster) Stop(ctx context.Context, id, dir string, native, drain bool) (string, error) {
	t, err := r.quick.Stop(ctx, id, rest.StopOptions{Directory: dir, Native: native, Drain: drain})
	return t, r.explain(err)
}

// AwaitSavepoint implements cluster.
func (r *restCluster) AwaitSavepoint(ctx context.Context, id, trigger string) (string, error) {
	path, err := r.patient.AwaitSavepoint(ctx, id, trigger)
	return path, r.explain(err)
}

// Checkpoint implements cluster.
func (r *restCluster) Checkpoint(ctx context.Context, id string, full bool) (int64, error) {
	kind := rest.CheckpointConfigured
	if full {
		kind = rest.CheckpointFull
	}
	n, err := r.quick.Checkpoint(ctx, id, kind)
	return n, r.explain(err)
}

// Dispose implements cluster.
func (r *restCluster) Dispose(ctx context.Context, path string) error {
	return r.explain(r.quick.Dispose(ctx, path))
}

// Heartbeat implements cluster.
func (r *restCluster) Heartbeat(ctx context.Context, id string, forHow time.Duration) error {
	return r.explain(r.quick.Heartbeat(ctx, id, forHow))
}

// Shutdown implements cluster.
func (r *restCluster) Shutdown(ctx context.Context) error { return r.explain(r.quick.Shutdown(ctx)) }

// formatAccumulator writes a result as Flink does: of a collection its size, which
// is what the JobManager tells of it.
func formatAccumulator(a rest.UserAccumulator) string {
	if a.Type == "java.util.ArrayList" {
		return fmt.Sprintf("%s (%s) %s", a.Name, a.Type, a.Value)
	}
	return fmt.Sprintf("%s (%s): %s", a.Name, a.Type, a.Value)
}
