package appmaster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"goflink/appmaster/alloc"
	"goflink/appmaster/spec"
	"goflink/client/program"
	"goflink/conf"
	"goflink/graph"
	"goflink/hdfsstore"
	"goflink/jobmanager"
	"goflink/jobmanager/ha"
	"goflink/jobmanager/rest"
	"goflink/yarnrpc"
)

// verdict is how the application ends.
type verdict struct {
	status      jobmanager.FinalStatus
	diagnostics string
}

// work recovers or begins the jobs and waits for what ends the application.
func (m *master) work(ctx context.Context, recovered *ha.Recovered, dir string) (verdict, error) {
	if _, err := m.jm.Recover(ctx, recovered); err != nil {
		return verdict{}, fmt.Errorf("recovering jobs: %w", err)
	}
	if m.env.app.Mode == spec.SessionMode {
		return m.await(ctx, "", nil)
	}
	id, v, err := m.begin(ctx, recovered, dir)
	if err != nil || v.status != "" {
		return v, err
	}
	ended := make(chan *rest.JobResult, 1)
	m.background(func(ctx context.Context) {
		if r, err := m.jm.Wait(ctx, id); err == nil {
			ended <- r
		}
	})
	return m.await(ctx, id, ended)
}

// begin finds the one job of a per-job or application cluster: recovered, ended
// before, or new. A job that cannot begin is a verdict, as another attempt
// would not help.
func (m *master) begin(ctx context.Context, recovered *ha.Recovered, dir string) (string, verdict, error) {
	if len(recovered.Jobs) > 0 {
		return recovered.Jobs[0].ID, verdict{}, nil
	}
	if len(recovered.Results) > 0 {
		return recovered.Results[0].JobID, verdict{}, nil
	}
	g, err := m.jobGraph(ctx, dir)
	if err == nil {
		err = m.jm.Submit(ctx, g)
	}
	if fenced(err) {
		return "", verdict{}, err
	}
	if err != nil {
		m.log.Error("The job could not be started.", "error", err)
		return "", verdict{status: jobmanager.StatusFailed, diagnostics: err.Error()}, nil
	}
	return g.JobId, verdict{}, nil
}

// jobGraph is what the client planned, or, in application mode, what is planned
// here.
func (m *master) jobGraph(ctx context.Context, dir string) (*graph.JobGraph, error) {
	app := m.env.app
	if app.Mode == spec.PerJobMode {
		data, err := os.ReadFile(filepath.Join(dir, spec.JobGraphFile))
		if err != nil {
			return nil, fmt.Errorf("the planned job: %w", err)
		}
		return graph.Decode(data)
	}
	file, err := program.Find(filepath.Join(dir, spec.ProgramBinary))
	if err != nil {
		return nil, err
	}
	file.Name = app.Program.Name
	if file.SHA256 != app.Program.SHA256 {
		return nil, fmt.Errorf("the program %s has changed on its way: its digest is not the one it was submitted with", app.Program.Name)
	}
	g, err := program.Plan(ctx, program.Planning{File: file, Args: app.Program.Args, Entry: app.Program.Entry, Conf: m.env.conf, Stdout: os.Stdout, Stderr: os.Stderr})
	if err != nil {
		return nil, err
	}
	g.Program.Uri = app.Program.URI
	g.Config = conf.Merge(m.env.conf, conf.FromMap(g.Config)).Map()
	if app.Program.RestorePath != "" {
		g.Restore = &graph.SavepointRestore{Path: app.Program.RestorePath,
			AllowNonRestoredState: app.Program.RestoreAllowNonRestored, ClaimMode: app.Program.RestoreClaimMode}
	}
	return g, nil
}

// await waits for the end of the job, of the cluster, or of this process.
func (m *master) await(ctx context.Context, id string, ended <-chan *rest.JobResult) (verdict, error) {
	select {
	case r := <-ended:
		v := jobVerdict(r)
		m.delivered(ctx, id)
		return v, nil
	case <-m.jm.Stopping():
		if err := m.jm.Err(); err != nil {
			return verdict{}, err
		}
		return verdict{status: m.jm.Status(), diagnostics: "the cluster was shut down by request"}, nil
	case <-m.ctx.Done():
		return verdict{}, context.Cause(m.ctx)
	case <-ctx.Done(): // SIGTERM: YARN ends the container and tells its reason itself
		return verdict{}, fmt.Errorf("the ApplicationMaster was told to end: %w", ctx.Err())
	}
}

// delivered gives a client that waits the time to fetch the result and what
// came of its operations.
func (m *master) delivered(ctx context.Context, id string) {
	ctx, cancel := context.WithTimeout(ctx, resultPatience)
	defer cancel()
	if m.env.app.Program != nil && m.env.app.Program.Attached {
		for waiting := true; waiting; {
			select {
			case fetched := <-m.fetched:
				waiting = fetched != id
			case <-ctx.Done():
				waiting = false
			}
		}
	}
	if err := m.host.AwaitResults(ctx); err != nil {
		m.log.Info("The cluster ends before all clients fetched their results.", "error", err)
	}
}

// jobVerdict turns a job's end into the application's.
func jobVerdict(r *rest.JobResult) verdict {
	switch r.State {
	case "FINISHED":
		return verdict{status: jobmanager.StatusSucceeded}
	case "CANCELED":
		return verdict{status: jobmanager.StatusKilled, diagnostics: "Job was cancelled."}
	}
	v := verdict{status: jobmanager.StatusFailed, diagnostics: "Job failed."}
	if r.Failure != nil {
		v.diagnostics = r.Failure.Message
	}
	return v
}

// finish ends the cluster, tells the ResourceManager and removes the
// application's folder.
func (m *master) finish(ctx context.Context, v verdict, store *ha.Store, files *hdfsstore.Resolver) error {
	ctx, cancel := context.WithTimeout(ctx, endPatience)
	defer cancel()
	if err := m.host.Shutdown(ctx, v.status); err != nil {
		if fenced(err) {
			return err
		}
		m.log.Warn("The JobManager did not end well.", "error", err)
	}
	m.releaseAll(ctx)
	m.log.Info("Unregistering the application.", "status", v.status, "diagnostics", v.diagnostics)
	if err := m.am.Finish(ctx, yarnrpc.FinalStatus(v.status), v.diagnostics, ""); err != nil {
		return fmt.Errorf("giving the ResourceManager the verdict %s: %w", v.status, err)
	}
	var errs []error
	errs = append(errs, store.Close(ctx, true))
	fsys, dir, err := files.For(m.env.app.Dir)
	if err == nil {
		err = fsys.Delete(ctx, dir, true)
	}
	if err = errors.Join(append(errs, err)...); err != nil {
		m.log.Warn("The application's folder could not be removed; the next client command does it.", "folder", m.env.app.Dir, "error", err)
	}
	return nil // the verdict is given
}

// releaseAll gives all containers back and waits until they are.
func (m *master) releaseAll(ctx context.Context) {
	settled := make(chan struct{})
	var check func()
	check = func() {
		if m.alloc.Settled() {
			close(settled)
			return
		}
		m.hurry()
		time.AfterFunc(20*time.Millisecond, func() { m.post(check) })
	}
	m.post(func() {
		m.step(alloc.Close{})
		check()
	})
	patience := time.NewTimer(5 * time.Second) // the ResourceManager ends what is left
	defer patience.Stop()
	select {
	case <-settled:
	case <-patience.C:
	case <-ctx.Done():
	}
}
