package cli

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"goflink/conf"
)

// Lines of dashes that scripts match.
const (
	ruleRunning    = "------------------ Running/Restarting Jobs -------------------"
	ruleScheduled  = "----------------------- Scheduled Jobs -----------------------"
	ruleTerminated = "---------------------- Terminated Jobs -----------------------"
	ruleEnd        = "--------------------------------------------------------------"
	waiting        = "Waiting for response...\n"
)

// Sets of job states.
var (
	scheduledStates  = []string{"CREATED", "INITIALIZING"}
	terminatedStates = []string{"FINISHED", "FAILED", "CANCELED"}
)

func listAction(c *command) error {
	running, scheduled, all := c.opts.Bool("running"), c.opts.Bool("scheduled"), c.opts.Bool("all")
	if !running && !scheduled || all {
		running, scheduled = true, true
	}
	return c.withCluster(func(ctx context.Context, cl cluster) error {
		c.printf(waiting)
		jobs, err := cl.Jobs(ctx)
		if err != nil {
			return failf("Failed to retrieve job list: %w", err)
		}
		c.printJobs(jobs, running, scheduled, all)
		return nil
	})
}

// printJobs prints the lists in Flink's layout.
func (c *command) printJobs(jobs []jobLine, running, scheduled, all bool) {
	var r, s, t []jobLine
	for _, j := range jobs {
		switch {
		case slices.Contains(scheduledStates, j.State):
			s = append(s, j)
		case slices.Contains(terminatedStates, j.State):
			t = append(t, j)
		default:
			r = append(r, j)
		}
	}
	byStart := func(a, b jobLine) int { return a.Start.Compare(b.Start) }
	byState := func(a, b jobLine) int { return cmp.Or(cmp.Compare(a.State, b.State), byStart(a, b)) }
	if running {
		c.printSection(r, ruleRunning, "No running jobs.", byState)
	}
	if scheduled {
		c.printSection(s, ruleScheduled, "No scheduled jobs.", byState)
	}
	if all && len(t) > 0 {
		c.printSection(t, ruleTerminated, "", byStart)
	}
}

func (c *command) printSection(jobs []jobLine, rule, none string, order func(a, b jobLine) int) {
	if len(jobs) == 0 {
		c.printf("%s\n", none)
		return
	}
	slices.SortStableFunc(jobs, order)
	c.printf("%s\n", rule)
	for _, j := range jobs {
		c.printf("%s : %s : %s (%s)\n", j.Start.Local().Format("02.01.2006 15:04:05"), j.ID, j.Name, j.State)
	}
	c.printf("%s\n", ruleEnd)
}

var jobIDPattern = regexp.MustCompile(`^[0-9a-fA-F]{32}$`)

// parseJobID checks the form of a job id.
func parseJobID(s string) (string, error) {
	if !jobIDPattern.MatchString(s) {
		return "", argErrorf("Cannot parse JobID from %q. The expected format is [0-9a-fA-F]{32}, e.g. fd72014d4c864993a2e5a9287b4a9c5d.", s)
	}
	return strings.ToLower(s), nil
}

// jobArg is the job id among the arguments; missing is the message without one.
func (c *command) jobArg(missing string) (string, error) {
	if len(c.args) == 0 {
		return "", argErrorf("%s", missing)
	}
	return parseJobID(c.args[0])
}

// native reads -type.
func (c *command) native() (bool, string, error) {
	switch t := strings.ToLower(c.opts.String("type")); t {
	case "", "canonical":
		return false, "CANONICAL", nil
	case "native":
		return true, "NATIVE", nil
	default:
		return false, "", argErrorf("The savepoint type %q is unknown: canonical or native.", t)
	}
}

// target checks a folder that is given for a savepoint.
func target(dir string) (string, error) {
	if err := checkScheme(dir); err != nil {
		return "", argErrorf("%v", err)
	}
	return dir, nil
}

func cancelAction(c *command) error {
	if c.opts.IsSet("withSavepoint") {
		return c.cancelWithSavepoint()
	}
	id, err := c.jobArg("Missing JobID. Specify a JobID to cancel a job.")
	if err != nil {
		return err
	}
	c.printf("Cancelling job %s.\n", id)
	return c.withCluster(func(ctx context.Context, cl cluster) error {
		if err := cl.Cancel(ctx, id); err != nil {
			return failf("Could not cancel job %s: %w", id, err)
		}
		c.printf("Cancelled job %s.\n", id)
		return nil
	})
}

// cancelWithSavepoint is cancel -s [dir] job. Without a folder the parser has
// taken the job for it.
func (c *command) cancelWithSavepoint() error {
	dir, job := c.opts.String("withSavepoint"), ""
	if len(c.args) > 0 {
		job = c.args[0]
	} else {
		dir, job = "", dir
	}
	if job == "" {
		return argErrorf("Missing JobID. Specify a JobID to cancel a job.")
	}
	id, err := parseJobID(job)
	if err != nil {
		return err
	}
	if dir, err = target(dir); err != nil {
		return err
	}
	where := "default savepoint directory"
	if dir != "" {
		where = dir
	}
	c.printf("DEPRECATION WARNING: Cancelling a job with savepoint is deprecated. Use \"stop\" instead.\n")
	c.printf("Cancelling job %s with CANONICAL savepoint to %s.\n", id, where)
	return c.withCluster(func(ctx context.Context, cl cluster) error {
		path, err := await(ctx, cl, id, func() (string, error) { return cl.Savepoint(ctx, id, dir, false, true) })
		if err != nil {
			return failf("Could not cancel job %s: %w", id, err)
		}
		c.printf("Cancelled job %s. Savepoint stored in %s.\n", id, path)
		return nil
	})
}

// await triggers a savepoint and waits for its path.
func await(ctx context.Context, cl cluster, id string, trigger func() (string, error)) (string, error) {
	t, err := trigger()
	if err != nil {
		return "", err
	}
	return cl.AwaitSavepoint(ctx, id, t)
}

func stopAction(c *command) error {
	id, err := c.jobArg("Missing JobID. Specify a JobID to stop a job with a savepoint.")
	if err != nil {
		return err
	}
	native, format, err := c.native()
	if err != nil {
		return err
	}
	dir, err := target(c.opts.String("savepointPath"))
	if err != nil {
		return err
	}
	drain, verb, mode := c.opts.Bool("drain"), "Suspending", ""
	if drain {
		verb = "Draining"
	}
	detached := c.opts.Bool("detached")
	if detached {
		mode = "in detached mode "
	}
	c.printf("%s job \"%s\" with a %s savepoint.\n", verb, id, format)
	return c.withCluster(func(ctx context.Context, cl cluster) error {
		c.printf("Triggering stop-with-savepoint %sfor job %s.\n", mode, id)
		trigger := func() (string, error) { return cl.Stop(ctx, id, dir, native, drain) }
		return c.savepointLines(ctx, cl, id, savepointRun{
			trigger: trigger, detached: detached, what: "stop-with-savepoint in detached mode",
			failed: fmt.Sprintf("Could not stop with a savepoint job \"%s\"", id),
		})
	})
}

// savepointRun is one triggered savepoint.
type savepointRun struct {
	trigger      func() (string, error)
	detached     bool
	what, failed string
	resume       bool // tell how to go on from it
}

func (c *command) savepointLines(ctx context.Context, cl cluster, id string, r savepointRun) error {
	if !r.detached {
		c.printf(waiting)
	}
	t, err := r.trigger()
	if err == nil && r.detached {
		c.printf("Successfully trigger %s, triggerId: %s\n", r.what, t)
		return nil
	}
	var path string
	if err == nil {
		path, err = cl.AwaitSavepoint(ctx, id, t)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", r.failed, err)
	}
	c.printf("Savepoint completed. Path: %s\n", path)
	if r.resume {
		c.printf("You can resume your program from this savepoint with the run command.\n")
	}
	return nil
}

func savepointAction(c *command) error {
	if c.opts.IsSet("dispose") {
		return c.dispose(c.opts.String("dispose"))
	}
	id, err := c.jobArg("Missing JobID. Specify a Job ID to trigger a savepoint.")
	if err != nil {
		return err
	}
	native, _, err := c.native()
	if err != nil {
		return err
	}
	dir := ""
	if len(c.args) > 1 {
		if dir, err = target(c.args[1]); err != nil {
			return err
		}
	}
	if len(c.args) > 2 {
		c.printf("Provided %d arguments. Ignoring not needed arguments.\n", len(c.args))
	}
	detached, mode := c.opts.Bool("detached"), ""
	if detached {
		mode = "in detached mode "
	}
	return c.withCluster(func(ctx context.Context, cl cluster) error {
		c.printf("Triggering savepoint %sfor job %s.\n", mode, id)
		return c.savepointLines(ctx, cl, id, savepointRun{
			trigger:  func() (string, error) { return cl.Savepoint(ctx, id, dir, native, false) },
			detached: detached, what: "manual savepoint", resume: true,
			failed: fmt.Sprintf("Failed to trigger a savepoint for the job %s", id),
		})
	})
}

// dispose deletes a savepoint.
func (c *command) dispose(path string) error {
	path, err := target(path)
	if err != nil {
		return err
	}
	c.printf("Disposing savepoint '%s'.\n", path)
	return c.withCluster(func(ctx context.Context, cl cluster) error {
		c.printf(waiting)
		if err := cl.Dispose(ctx, path); err != nil {
			return failf("Disposing the savepoint '%s' failed: %w", path, err)
		}
		c.printf("Savepoint '%s' disposed.\n", path)
		return nil
	})
}

func checkpointAction(c *command) error {
	id, err := c.jobArg("Missing JobID. Specify a Job ID to manipulate a checkpoint.")
	if err != nil {
		return err
	}
	full, name := c.opts.Bool("full"), "Checkpoint"
	if full {
		name = "Checkpoint(FULL)"
	}
	return c.withCluster(func(ctx context.Context, cl cluster) error {
		c.printf("Triggering checkpoint for job %s.\n", id)
		c.printf(waiting)
		n, err := cl.Checkpoint(ctx, id, full)
		if err != nil {
			return failf("Triggering a checkpoint for the job %s failed: %w", id, err)
		}
		c.printf("%s %d for job %s completed.\n", name, n, id)
		c.printf("You can resume your program from this checkpoint with the run command.\n")
		return nil
	})
}

// clusterKeys begin the names of keys that only a new cluster reads.
var clusterKeys = []string{"jobmanager.", "taskmanager.", "yarn.", "containerized.", "slotmanager.", "resourcemanager.", "high-availability.", "cluster.", "env."}

// warnClusterKeys tells which typed keys a running cluster cannot follow.
func (e *Env) warnClusterKeys(s *settings) {
	for _, k := range s.given.Keys() {
		if k == conf.YarnApplicationID.Key || k == conf.JobManagerRPCAddress.Key || k == conf.HighAvailabilityClusterID.Key || k == conf.YarnPropertiesFileLocation.Key || k == conf.YarnStagingDirectory.Key {
			continue
		}
		if slices.ContainsFunc(clusterKeys, func(p string) bool { return strings.HasPrefix(k, p) }) {
			fmt.Fprintf(e.Stderr, "WARNING: %s has no effect on a cluster that runs already: set it when the cluster is started.\n", k)
		}
	}
}
