package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"goflink/client/yarn"
	"goflink/conf"
	"goflink/graph"
	"goflink/yarnrpc"
)

// Limits of what a client does after it was interrupted: within ten seconds
// everything has to be gone.
const (
	cancelTime = 5 * time.Second // to tell the cluster
	endTime    = 4 * time.Second // for the cluster to end by itself
)

// reconnectEvery is the pause between two looks for a JobManager that is
// starting again.
const reconnectEvery = 200 * time.Millisecond

// missingPatience is how often a JobManager that was started for a job may say
// that it does not know it: a minute, for a recovery from a large checkpoint
// list on a slow file system.
const missingPatience = int(time.Minute / reconnectEvery)

// submitted prints the line that wrappers look for.
func (c *command) submitted(id string) { c.printf("Job has been submitted with JobID %s\n", id) }

// onYarnApp is the application a followed job runs in.
type onYarnApp struct {
	d   *yarn.Descriptor
	id  yarnrpc.ApplicationID
	own bool // started for this job
}

// submit starts a job on a running cluster and, attached, waits for its end.
func (c *command) submit(ctx context.Context, cl cluster, g *graph.JobGraph, local string, app *onYarnApp) error {
	id, err := cl.Submit(ctx, g, local)
	if err != nil {
		return failf("Failed to execute job '%s': %w", g.Name, err)
	}
	c.submitted(id)
	if !conf.ExecutionAttached.Get(c.set.conf) {
		return nil
	}
	return c.follow(ctx, cl, id, app)
}

// follow waits for the end of a job and prints it. With -sae it tells the
// cluster that it lives, and cancels the job when it is interrupted.
func (c *command) follow(ctx context.Context, cl cluster, id string, app *onYarnApp) error {
	var beats sync.WaitGroup
	stop := func() {}
	if conf.ExecutionShutdownOnAttachedExit.Get(c.set.conf) {
		beatCtx, cancel := context.WithCancel(ctx)
		stop = cancel
		beats.Go(func() { c.heartbeats(beatCtx, cl, id) })
	}
	end, err := c.wait(ctx, cl, id, app)
	stop()
	beats.Wait()
	switch {
	case ctx.Err() != nil:
		return c.interrupted(cl, id, app)
	case err != nil:
		return fmt.Errorf("the job %s: %w", id, err)
	}
	if app != nil && app.own {
		app.settle(c.env.log)
	}
	return c.ended(id, end)
}

// settle waits a moment for the end of a cluster whose job is over, so that
// nothing of it is left when the command returns.
func (a *onYarnApp) settle(log *slog.Logger) {
	ctx, cancel := context.WithTimeout(context.Background(), cancelTime)
	defer cancel()
	if _, err := a.d.AwaitEnd(ctx, a.id); err != nil {
		log.Warn("the job is over, its cluster still ends", "application", a.id, "error", err)
	}
}

// heartbeats tells the cluster every client.heartbeat.interval that this
// client lives.
func (c *command) heartbeats(ctx context.Context, cl cluster, id string) {
	interval, timeout := conf.ClientHeartbeatInterval.Get(c.set.conf), conf.ClientHeartbeatTimeout.Get(c.set.conf)
	tick := time.NewTicker(max(interval, time.Second))
	defer tick.Stop()
	for {
		if err := cl.Heartbeat(ctx, id, timeout); err != nil && ctx.Err() == nil {
			c.env.log.Warn("the heartbeat for the job was not taken", "job", id, "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// wait waits for the job's end. On YARN the JobManager may die and come back
// at another address; the application's report tells where, or how it ended.
//
// The REST server of a cluster that was started for the job is there a moment
// before the job is, at the start and after a recovery.
func (c *command) wait(ctx context.Context, cl cluster, id string, app *onYarnApp) (*jobEnd, error) {
	missing := 0
	for {
		end, err := cl.Wait(ctx, id)
		if err == nil || ctx.Err() != nil || app == nil {
			return end, err
		}
		if isMissing(err) && app.own {
			missing++
		}
		if isAnswer(err) && (!isMissing(err) || !app.own || missing > missingPatience) {
			return end, err
		}
		c.env.log.Debug("looking for the JobManager", "job", id, "error", err)
		report, rerr := app.d.Report(ctx, app.id)
		if rerr != nil {
			return nil, errors.Join(err, rerr)
		}
		if report.State.Ended() {
			return endOf(report, app.own)
		}
		if next, ferr := app.d.Find(ctx, report); ferr == nil {
			if again, nerr := newCluster(next.URL, next.Secret, c.set.conf); nerr == nil {
				cl = again
			}
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(reconnectEvery):
		}
	}
}

// endOf is the end of a job as its application's final status tells it.
func endOf(r yarnrpc.Report, own bool) (*jobEnd, error) {
	if !own {
		return nil, fmt.Errorf("the session %s has ended (state %s, final status %s) before the job did", r.ID, r.State, r.FinalStatus)
	}
	end := &jobEnd{State: "FAILED", Runtime: r.FinishTime.Sub(r.StartTime), Failure: strings.TrimSpace(r.Diagnostics)}
	switch {
	case r.FinalStatus == yarnrpc.FinalSucceeded:
		end.State = "FINISHED"
	case r.FinalStatus == yarnrpc.FinalKilled || r.State == yarnrpc.AppKilled:
		end.State = "CANCELED"
	}
	return end, nil
}

// ended prints how a job ended.
func (c *command) ended(id string, end *jobEnd) error {
	switch end.State {
	case "FINISHED":
	case "CANCELED":
		return failf("Job failed (JobID: %s): Job was cancelled.", id)
	default:
		reason := end.Failure
		if reason == "" {
			reason = "the cluster gives no reason; its log does"
		}
		err := failf("Job failed (JobID: %s): %s", id, reason)
		if end.Stack != "" {
			err = &stackError{err: err, stack: end.Stack}
		}
		return err
	}
	c.printf("Program execution finished\nJob with JobID %s has finished.\nJob Runtime: %d ms\n", id, end.Runtime.Milliseconds())
	if len(end.Accumulators) > 0 {
		c.printf("Accumulator Results: \n")
		for _, a := range end.Accumulators {
			c.printf("- %s\n", a)
		}
		c.printf("\n")
	}
	c.printf("\n")
	return nil
}

// stackError is an error with a longer form, which -v shows.
type stackError struct {
	err   error
	stack string
}

// Error is the short form.
func (e *stackError) Error() string { return e.err.Error() }

// Unwrap returns the short form.
func (e *stackError) Unwrap() error { return e.err }

// interrupted is what happens after Ctrl-C while a job is followed.
func (c *command) interrupted(cl cluster, id string, app *onYarnApp) error {
	quiet := &ExitError{Code: exitInterrupt, Quiet: true, Err: context.Canceled}
	if !conf.ExecutionShutdownOnAttachedExit.Get(c.set.conf) {
		fmt.Fprintf(c.env.Stderr, "\nInterrupted. The job %s goes on: flink list shows it, flink cancel %s ends it (-sae would have ended it now).\n", id, id)
		if app != nil {
			fmt.Fprintf(c.env.Stderr, "Its cluster is %s: give -t %s -Dyarn.application.id=%s.\n", app.id, c.set.target, app.id)
		}
		return quiet
	}
	fmt.Fprintf(c.env.Stderr, "\nInterrupted: cancelling the job %s.\n", id)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.env.Interrupted), cancelTime)
	defer cancel()
	err := cl.Cancel(ctx, id)
	if err == nil {
		// A cluster that was started for the job ends when its result was fetched.
		if _, werr := cl.Wait(ctx, id); werr != nil {
			c.env.log.Warn("the job was cancelled, its end was not seen", "job", id, "error", werr)
		}
	}
	if app == nil || !app.own {
		if err != nil {
			return failf("Could not cancel job %s: %w", id, err)
		}
		return quiet
	}
	if err := app.end(err == nil); err != nil {
		return fmt.Errorf("ending the cluster %s: %w", app.id, err)
	}
	return quiet
}

// end waits for a cluster that was told to end, and kills it when it does not.
func (a *onYarnApp) end(told bool) error {
	ctx, cancel := context.WithTimeout(context.Background(), endTime)
	defer cancel()
	if told {
		if _, err := a.d.AwaitEnd(ctx, a.id); err == nil {
			return nil
		}
	}
	return a.d.Kill(context.Background(), a.id, "the attached client was interrupted")
}

// followPerJob follows the job of a cluster that was started for it.
func (c *command) followPerJob(ctx context.Context, d *yarn.Descriptor, found *yarn.Cluster, id string) error {
	app := &onYarnApp{d: d, id: found.ID, own: true}
	if found.URL == "" { // it was over before we looked
		report, err := d.Report(ctx, found.ID)
		if err != nil {
			return err
		}
		end, err := endOf(report, true)
		if err != nil {
			return err
		}
		return c.ended(id, end)
	}
	cl, err := newCluster(found.URL, found.Secret, c.set.conf)
	if err != nil {
		return err
	}
	return c.follow(ctx, cl, id, app)
}
