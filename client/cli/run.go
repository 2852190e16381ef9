package cli

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"goflink/appmaster/spec"
	"goflink/client/program"
	"goflink/client/yarn"
	"goflink/conf"
	"goflink/graph"
)

// job is what a run, run-application or info command is about.
type job struct {
	file  *program.File
	args  []string
	entry string
}

// job finds the program on the command line and looks at it.
func (c *command) job() (*job, error) {
	if err := c.refuseForeign(); err != nil {
		return nil, err
	}
	path, args := c.opts.String("jarfile"), c.args
	if path == "" {
		if len(args) == 0 {
			return nil, argErrorf("The program to run is missing: give the path of a job binary, and its arguments behind it.")
		}
		path, args = args[0], args[1:]
	}
	if c.opts.IsSet("arguments") {
		args = append(c.opts.StringSlice("arguments"), args...)
	}
	j := &job{args: slices.Clone(args), entry: c.opts.String("class")}
	file, err := c.fetch(path)
	if err != nil {
		return nil, err
	}
	j.file = file
	if file.Note != "" {
		fmt.Fprintln(c.env.Stderr, file.Note)
	}
	return j, nil
}

// refuseForeign refuses options of Python and JVM programs.
func (c *command) refuseForeign() error {
	for _, o := range pythonOptions {
		if c.opts.IsSet(o.name()) {
			return argErrorf("The option -%s is for Python programs, which goflink does not run: write the job in Go against package stream.", o.short)
		}
	}
	if c.opts.IsSet("classpath") {
		return argErrorf("The option -C has no meaning here: a job is one static binary and has no class path. Files for the job go with -Dyarn.ship-files=.")
	}
	return nil
}

// fetch finds a program; one that is in HDFS is copied to this host, to be
// looked at and planned.
func (c *command) fetch(path string) (*program.File, error) {
	if err := checkScheme(path); err != nil {
		return nil, fmt.Errorf("the program: %w", err)
	}
	if !strings.HasPrefix(path, "hdfs:") {
		return program.Find(strings.TrimPrefix(path, "file://"))
	}
	d, err := c.env.descriptor(c.set)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	local, err := d.Download(c.env.Interrupted, path)
	if err != nil {
		return nil, err
	}
	c.cleanup = append(c.cleanup, func() { _ = os.RemoveAll(local.Dir) }) // a temporary folder of ours
	f, err := program.Find(local.Path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return f, nil
}

// plan runs the program's plan role and makes the job of it.
func (c *command) plan(j *job, stdout io.Writer) (*graph.JobGraph, error) {
	g, err := program.Plan(c.env.Interrupted, program.Planning{
		File: j.file, Args: j.args, Entry: j.entry, Conf: c.set.conf, Stdout: stdout, Stderr: c.env.Stderr,
	})
	if err != nil {
		return nil, err
	}
	for _, w := range g.Warnings {
		fmt.Fprintf(c.env.Stderr, "WARNING: %s\n", w)
	}
	if g.JobId == "" {
		id := make([]byte, 16)
		if _, err := rand.Read(id); err != nil {
			return nil, fmt.Errorf("making a job id: %w", err)
		}
		g.JobId = hex.EncodeToString(id)
	}
	g.SubmittedMs = c.env.Now().UnixMilli()
	if path := conf.StateRecoveryPath.Get(c.set.conf); path != "" {
		g.Restore = &graph.SavepointRestore{
			Path: path, AllowNonRestoredState: conf.StateRecoveryIgnoreUnclaimed.Get(c.set.conf),
			ClaimMode: string(conf.StateRecoveryClaimMode.Get(c.set.conf)),
		}
	}
	c.jobConfig(g)
	return g, nil
}

// jobKeys begin the names of the keys that belong to a job: they go with it to
// a cluster that runs already.
var jobKeys = []string{"execution.", "pipeline.", "parallelism.", "restart-strategy", "state.", "table.", "metrics.latency.", "task.cancellation.", "heartbeat.client"}

// notOfTheJob are keys under those prefixes that only the client reads.
var notOfTheJob = []string{conf.ExecutionTarget.Key, conf.ExecutionAttached.Key, conf.PipelineJars.Key, conf.PipelineClasspaths.Key}

// jobConfig adds the submitted configuration below what the program set.
func (c *command) jobConfig(g *graph.JobGraph) {
	submitted := conf.New()
	for _, k := range c.set.conf.Keys() {
		if slices.Contains(notOfTheJob, k) || !slices.ContainsFunc(jobKeys, func(p string) bool { return strings.HasPrefix(k, p) }) {
			continue
		}
		v, _ := c.set.conf.Lookup(k)
		submitted.Set(k, v)
	}
	g.Config = conf.Merge(submitted, conf.FromMap(g.Config)).Map()
}

func infoAction(c *command) error {
	j, err := c.job()
	if err != nil {
		return err
	}
	g, err := c.plan(j, io.Discard)
	if err != nil {
		return err
	}
	c.printf("----------------------- Execution Plan -----------------------\n%s\n%s\n\nNo description provided.\n", strings.TrimRight(graph.InfoJSON(g), "\n"), ruleEnd)
	return nil
}

func runAction(c *command) error {
	if c.set.target == targetApplication {
		return runApplicationAction(c)
	}
	if _, typed := c.set.given.Lookup(conf.ExecutionAttached.Key); !typed {
		conf.ExecutionAttached.Set(c.set.conf, true) // flink run waits unless -d
	}
	j, err := c.job()
	if err != nil {
		return err
	}
	switch c.set.target {
	case targetLocal:
		return c.runLocal(j)
	case targetPerJob:
		return c.runPerJob(j)
	}
	g, err := c.plan(j, c.env.Stdout)
	if err != nil {
		return err
	}
	if c.set.target == targetSession {
		return c.runInSession(j, g)
	}
	c.env.warnClusterKeys(c.set)
	return c.withCluster(func(ctx context.Context, cl cluster) error { return c.submit(ctx, cl, g, j.file.Path, nil) })
}

// runLocal hands over to the program itself.
func (c *command) runLocal(j *job) error {
	if !conf.ExecutionAttached.Get(c.set.conf) {
		fmt.Fprintln(c.env.Stderr, "WARNING: a local job runs in this process: -d has no effect.")
	}
	return program.RunLocal(j.file, j.args, j.entry, c.set.conf)
}

// runInSession submits to a session on YARN.
func (c *command) runInSession(j *job, g *graph.JobGraph) error {
	c.env.warnClusterKeys(c.set)
	ctx := c.env.Interrupted
	return c.onYarn(func(d *yarn.Descriptor) error {
		if err := d.CheckSavepoint(ctx, g.GetRestore().GetPath()); err != nil {
			return err
		}
		found, err := c.retrieve(ctx, d)
		if err != nil {
			return err
		}
		if g.Program.Uri, err = d.StageProgram(ctx, found, j.file); err != nil {
			return err
		}
		cl, err := newCluster(found.URL, found.Secret, c.set.conf)
		if err != nil {
			return err
		}
		return c.submit(ctx, cl, g, j.file.Path, &onYarnApp{d: d, id: found.ID})
	})
}

// runPerJob starts a cluster for the job alone.
func (c *command) runPerJob(j *job) error {
	g, err := c.plan(j, c.env.Stdout)
	if err != nil {
		return err
	}
	ctx := c.env.Interrupted
	attached := conf.ExecutionAttached.Get(c.set.conf)
	return c.onYarn(func(d *yarn.Descriptor) error {
		if err := d.CheckSavepoint(ctx, g.GetRestore().GetPath()); err != nil {
			return err
		}
		cl, err := d.Deploy(ctx, yarn.Deployment{Mode: spec.PerJobMode, Program: j.file, Args: j.args, Entry: j.entry, Graph: g, Attached: attached})
		if err != nil {
			return err
		}
		over := cl.URL == "" // before we looked: its end is known, also where nobody waits
		if !attached && !over {
			c.awaitJob(ctx, d, cl, g.JobId)
		}
		c.submitted(g.JobId)
		if !attached && !over {
			return nil
		}
		return c.followPerJob(ctx, d, cl, g.JobId)
	})
}

func runApplicationAction(c *command) error {
	switch c.set.target {
	case targetApplication:
	case targetLocal, targetRemote:
		return argErrorf("run-application runs the program in the cluster's ApplicationMaster: give -t yarn-application (for the target %s use flink run).", c.set.target)
	default:
		return argErrorf("run-application does not take the target %s: give -t yarn-application, or use flink run.", c.set.target)
	}
	j, err := c.job()
	if err != nil {
		return err
	}
	ctx := c.env.Interrupted
	return c.onYarn(func(d *yarn.Descriptor) error {
		if err := d.CheckSavepoint(ctx, conf.StateRecoveryPath.Get(c.set.conf)); err != nil {
			return err
		}
		_, err := d.Deploy(ctx, yarn.Deployment{Mode: spec.ApplicationMode, Program: j.file, Args: j.args, Entry: j.entry})
		return err
	})
}
