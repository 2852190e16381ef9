package restclient

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"goflink/graph"
	"goflink/jobmanager/rest"
)

// fetch sends a GET request.
func fetch[T any](ctx context.Context, c *Client, path string) (T, error) {
	var v T
	err := c.do(ctx, request{method: http.MethodGet, path: path}, &v)
	return v, err
}

func jobPath(id, more string) string { return "/jobs/" + url.PathEscape(id) + more }

// Jobs lists all jobs that the cluster remembers, newest first.
func (c *Client) Jobs(ctx context.Context) ([]rest.JobOverview, error) {
	a, err := fetch[rest.JobsOverviewAnswer](ctx, c, "/jobs/overview")
	return a.Jobs, err
}

// Job returns a job and its vertices.
func (c *Client) Job(ctx context.Context, id string) (rest.JobAnswer, error) {
	return fetch[rest.JobAnswer](ctx, c, jobPath(id, ""))
}

// JobStatus returns a job's state.
func (c *Client) JobStatus(ctx context.Context, id string) (string, error) {
	a, err := fetch[rest.JobStatusAnswer](ctx, c, jobPath(id, "/status"))
	return a.Status, err
}

// Exceptions returns a job's failures.
func (c *Client) Exceptions(ctx context.Context, id string) (rest.ExceptionsAnswer, error) {
	return fetch[rest.ExceptionsAnswer](ctx, c, jobPath(id, "/exceptions"))
}

// Checkpoints returns the statistics of a job's checkpoints.
func (c *Client) Checkpoints(ctx context.Context, id string) (rest.CheckpointsAnswer, error) {
	return fetch[rest.CheckpointsAnswer](ctx, c, jobPath(id, "/checkpoints"))
}

// Result returns the outcome of a job; nil while it goes on.
func (c *Client) Result(ctx context.Context, id string) (*rest.ExecutionResult, error) {
	a, err := fetch[rest.ResultAnswer](ctx, c, jobPath(id, "/execution-result"))
	return a.Result, err
}

// Polling begins fast, for jobs that take a moment only, and slows down to a quarter of a second.
const (
	firstPoll = 10 * time.Millisecond
	lastPoll  = 250 * time.Millisecond
)

// poll calls f until it is done or fails.
func poll(ctx context.Context, f func() (done bool, err error)) error {
	for wait := firstPoll; ; wait = min(wait*3/2, lastPoll) {
		done, err := f()
		if done || err != nil {
			return err
		}
		if err := pause(ctx, wait); err != nil {
			return err
		}
	}
}

// AwaitResult returns the outcome of a job once it has ended.
func (c *Client) AwaitResult(ctx context.Context, id string) (*rest.ExecutionResult, error) {
	var result *rest.ExecutionResult
	err := poll(ctx, func() (done bool, err error) {
		result, err = c.Result(ctx, id)
		return result != nil, err
	})
	return result, err
}

// Cancel begins to cancel a job.
func (c *Client) Cancel(ctx context.Context, id string) error {
	return c.do(ctx, request{method: http.MethodPatch, path: jobPath(id, ""), query: url.Values{"mode": {"cancel"}}}, nil)
}

// Heartbeat says that the client of an attached job lives, and for how long it is to be taken for alive.
func (c *Client) Heartbeat(ctx context.Context, id string, alive time.Duration) error {
	q, err := request{method: http.MethodPatch, path: jobPath(id, "/clientHeartbeat")}.withJSON(rest.HeartbeatRequest{Expired: time.Now().Add(alive).UnixMilli()})
	if err != nil {
		return err
	}
	return c.do(ctx, q, nil)
}

// Submit starts a job and returns its id, which the graph names. Its program has to be where the graph says, or uploaded.
func (c *Client) Submit(ctx context.Context, g *graph.JobGraph) (string, error) {
	b, err := proto.Marshal(g)
	if err != nil {
		return "", fmt.Errorf("encoding the job graph of %q: %w", g.GetName(), err)
	}
	var a rest.SubmitAnswer
	err = c.do(ctx, request{method: http.MethodPost, path: "/jobs"}.withBytes("application/octet-stream", b), &a)
	var refused *StatusError
	if errors.As(err, &refused) && refused.Status == http.StatusConflict && refused.Attempt > 1 {
		return g.GetJobId(), nil // an earlier attempt had arrived, its answer had not
	}
	if err != nil {
		return "", err
	}
	if id := strings.TrimPrefix(a.JobURL, "/jobs/"); id != "" {
		return id, nil
	}
	return g.GetJobId(), nil
}

// HasProgram tells whether the cluster has a program already.
func (c *Client) HasProgram(ctx context.Context, sha256 string) (bool, error) {
	err := c.do(ctx, request{method: http.MethodHead, path: "/programs/" + sha256}, nil)
	if IsNotFound(err) {
		return false, nil
	}
	return err == nil, err
}

// UploadProgram sends the file at path unless the cluster has it already, and tells whether it sent it. sha256 is the file's
// digest, which the cluster verifies.
func (c *Client) UploadProgram(ctx context.Context, sha256, path string) (sent bool, err error) {
	if there, err := c.HasProgram(ctx, sha256); there || err != nil {
		return false, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return false, fmt.Errorf("the program to upload: %w", err)
	}
	q := request{method: http.MethodPut, path: "/programs/" + sha256, contentType: "application/octet-stream", size: info.Size(), sha256: sha256, slow: true}
	q.body = func() (io.ReadCloser, error) { return os.Open(path) }
	if err := c.do(ctx, q, nil); err != nil {
		return false, fmt.Errorf("uploading %s: %w", path, err)
	}
	return true, nil
}

// newTrigger makes the id of an asynchronous operation.
func newTrigger() string {
	var b [16]byte
	rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// trigger begins an asynchronous operation and returns its id.
func (c *Client) trigger(ctx context.Context, path string, body any) (string, error) {
	q, err := request{method: http.MethodPost, path: path}.withJSON(body)
	if err != nil {
		return "", err
	}
	var a rest.TriggerAnswer
	err = c.do(ctx, q, &a)
	return a.RequestID, err
}

// format names a savepoint format.
func format(native bool) string {
	if native {
		return "NATIVE"
	}
	return "CANONICAL"
}

// Savepoint begins a savepoint in dir, or in the default folder when it is empty, and returns its trigger id.
func (c *Client) Savepoint(ctx context.Context, id string, o rest.SavepointOptions) (string, error) {
	return c.trigger(ctx, jobPath(id, "/savepoints"), rest.SavepointRequest{TargetDirectory: o.Directory, CancelJob: o.Cancel, TriggerID: newTrigger(), FormatType: format(o.Native)})
}

// Stop begins to stop a job with a savepoint and returns its trigger id.
func (c *Client) Stop(ctx context.Context, id string, o rest.StopOptions) (string, error) {
	return c.trigger(ctx, jobPath(id, "/stop"), rest.StopRequest{TargetDirectory: o.Directory, Drain: o.Drain, TriggerID: newTrigger(), FormatType: format(o.Native)})
}

// OperationError is the failure of an asynchronous operation. It is an answer of the server.
type OperationError struct{ rest.FailureCause }

// Error returns the reason.
func (e *OperationError) Error() string { return e.StackTrace }

// await waits for an asynchronous operation.
func (c *Client) await(ctx context.Context, path string) (rest.OperationResult, error) {
	var result rest.OperationResult
	err := poll(ctx, func() (bool, error) {
		a, err := fetch[rest.OperationAnswer](ctx, c, path)
		if err != nil || a.Status.ID != rest.OperationCompleted {
			return false, err
		}
		if a.Operation == nil {
			return true, nil
		}
		if a.Operation.Failure != nil {
			return true, &OperationError{*a.Operation.Failure}
		}
		result = *a.Operation
		return true, nil
	})
	return result, err
}

// AwaitSavepoint waits for what Savepoint or Stop began and returns the savepoint's path.
func (c *Client) AwaitSavepoint(ctx context.Context, id, trigger string) (string, error) {
	r, err := c.await(ctx, jobPath(id, "/savepoints/"+trigger))
	return r.Location, err
}

// Checkpoint takes a checkpoint and returns its id.
func (c *Client) Checkpoint(ctx context.Context, id string, kind rest.CheckpointKind) (int64, error) {
	trigger, err := c.trigger(ctx, jobPath(id, "/checkpoints"), rest.CheckpointRequest{TriggerID: newTrigger(), CheckpointType: string(kind)})
	if err != nil {
		return 0, err
	}
	r, err := c.await(ctx, jobPath(id, "/checkpoints/"+trigger))
	if err != nil || r.CheckpointID == nil {
		return 0, err
	}
	return *r.CheckpointID, nil
}

// Dispose deletes a savepoint.
func (c *Client) Dispose(ctx context.Context, path string) error {
	trigger, err := c.trigger(ctx, "/savepoint-disposal", rest.DisposalRequest{SavepointPath: path})
	if err != nil {
		return err
	}
	_, err = c.await(ctx, "/savepoint-disposal/"+trigger)
	return err
}
