package yarn

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"goflink/appmaster/spec"
	"goflink/client/clientlog"
	"goflink/client/program"
	"goflink/conf"
	"goflink/control"
	"goflink/graph"
	"goflink/hadooprpc"
	"goflink/yarnrpc"
)

// Tag marks the applications of this program among YARN's.
const Tag = "goflink"

// defaultType is the application type that existing filters look for.
const defaultType = "Apache Flink"

// defaultNames are the applications' names where none is configured.
var defaultNames = map[spec.Mode]string{
	spec.SessionMode: "Flink session cluster", spec.PerJobMode: "Flink per-job cluster", spec.ApplicationMode: "Flink Application Cluster",
}

// Deployment is what is to be deployed.
type Deployment struct {
	Mode spec.Mode
	// Program is the job's binary in per-job and application mode, Args and
	// Entry what it is run with.
	Program *program.File
	Args    []string
	Entry   string
	// Graph is the planned job in per-job mode.
	Graph *graph.JobGraph
	// Attached tells that this client waits for the result.
	Attached bool
}

// Cluster is a cluster of ours on YARN.
type Cluster struct {
	ID yarnrpc.ApplicationID
	// URL is the address of its REST API.
	URL string
	// Secret is what its REST API asks for; empty when it could not be read.
	Secret control.Secret
	// Owner is the user it runs as.
	Owner string
}

// Deploy starts a cluster and returns when its REST API is there. When it fails
// or is interrupted, nothing is left.
func (d *Descriptor) Deploy(ctx context.Context, dep Deployment) (_ *Cluster, err error) {
	if dep.Mode == spec.PerJobMode {
		d.o.Console.Warnf(clientlog.Descriptor, "Job Clusters are deprecated since Flink 1.15. Please use an Application Cluster/Application Mode instead.")
	}
	shape, err := shapeOf(d.o.Conf)
	if err != nil {
		return nil, err
	}
	invitation, err := d.rm.NewApplication(ctx)
	if err != nil {
		return nil, d.reach(err)
	}
	if err := d.check(ctx, shape, invitation.Maximum); err != nil {
		return nil, err
	}
	d.o.Console.Infof(clientlog.Descriptor, "Cluster specification: %s", shape)
	app := &application{d: d, dep: dep, id: invitation.ID, shape: shape, conf: d.o.Conf.Clone()}
	defer func() {
		if err != nil {
			err = errors.Join(err, app.undo(context.WithoutCancel(ctx)))
		}
	}()
	if err := app.stage(ctx); err != nil {
		return nil, err
	}
	if err := app.submit(ctx); err != nil {
		return nil, err
	}
	report, err := app.await(ctx)
	if err != nil {
		return nil, err
	}
	if dep.Mode == spec.PerJobMode && !dep.Attached {
		PrintDetached(d.o.Console, clientlog.Descriptor, app.id)
	}
	return d.found(report, app.secret)
}

// application is one deployment under way.
type application struct {
	d         *Descriptor
	dep       Deployment
	id        yarnrpc.ApplicationID
	shape     Shape
	conf      *conf.Config // what the cluster gets
	secret    control.Secret
	resources []spec.Resource
	made      bool // the folder is there
	submitted bool
}

// undo ends what a failed deployment has begun.
func (a *application) undo(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, wait(a.conf))
	defer cancel()
	if !a.made && !a.submitted {
		return nil
	}
	a.d.o.Console.Infof(clientlog.Descriptor, "Cancelling deployment from Deployment Failure Hook")
	var errs []error
	if a.submitted {
		a.d.o.Console.Infof(clientlog.Descriptor, "Killing YARN application")
		if err := a.d.rm.Kill(ctx, a.id, "the client gave the deployment up"); err != nil {
			errs = append(errs, err)
		} else {
			a.d.o.Console.Infof(clientlog.YarnClient, "Killed application %s", a.id)
		}
	}
	a.d.o.Console.Infof(clientlog.Descriptor, "Deleting files in %s.", a.d.area.AppURI(a.id.String()))
	return errors.Join(append(errs, a.d.area.RemoveApp(ctx, a.id.String()))...)
}

// submit hands the application to the ResourceManager.
func (a *application) submit(ctx context.Context) error {
	s, err := a.submission()
	if err != nil {
		return err
	}
	a.d.o.Console.Infof(clientlog.Descriptor, "Submitting application master %s", a.id)
	a.submitted = true // even if the answer is lost
	report, err := a.d.rm.Submit(ctx, s)
	if err != nil {
		return err
	}
	if report.State == yarnrpc.AppFailed || report.State == yarnrpc.AppKilled {
		return unexpected(report)
	}
	a.d.o.Console.Infof(clientlog.YarnClient, "Submitted application %s", a.id)
	return nil
}

// submission describes the application to YARN.
func (a *application) submission() (yarnrpc.Submission, error) {
	c := a.conf
	launch, err := a.launch()
	if err != nil {
		return yarnrpc.Submission{}, err
	}
	s := yarnrpc.Submission{
		ID: a.id, Name: a.name(), Type: orDefault(conf.YarnApplicationType.Get(c), defaultType), Tags: []string{Tag},
		Queue: conf.YarnApplicationQueue.Get(c), Priority: int32(max(0, conf.YarnApplicationPriority.Get(c))), AM: launch,
		Resource:       yarnrpc.Resource{MemoryMB: a.shape.MasterMB, VCores: int32(a.shape.MasterVCores)},
		KeepContainers: true, NodeLabel: conf.YarnApplicationNodeLabel.Get(c), RolledLogs: conf.YarnRolledLogsInclude.Get(c),
	}
	for _, t := range strings.Split(conf.YarnTags.Get(c), ",") {
		if t = strings.TrimSpace(t); t != "" {
			s.Tags = append(s.Tags, t)
		}
	}
	if conf.YarnApplicationAttempts.IsSet(c) {
		s.MaxAttempts = int32(conf.YarnApplicationAttempts.Get(c))
	}
	if ms := conf.YarnAttemptFailuresValidityInterval.Get(c); ms > 0 {
		s.AttemptFailuresValidity = time.Duration(ms) * time.Millisecond
	}
	return s, nil
}

func (a *application) name() string {
	return orDefault(conf.YarnApplicationName.Get(a.conf), defaultNames[a.dep.Mode])
}

func orDefault(s, def string) string {
	if s == "" {
		return def
	}
	return s
}

// launch says how the ApplicationMaster's container is started.
func (a *application) launch() (yarnrpc.LaunchContext, error) {
	creds, err := hadooprpc.LoadCredentials(a.d.o.Getenv)
	if err != nil {
		return yarnrpc.LaunchContext{}, err
	}
	creds.AddSecret(spec.SecretAlias, a.secret)
	env := conf.MasterEnv.Get(a.conf)
	jm, err := conf.JobManagerMemory(a.conf)
	if err != nil {
		return yarnrpc.LaunchContext{}, err
	}
	env["GOMEMLIMIT"] = fmt.Sprintf("%dB", conf.SoftLimit(jm.Process))
	// Two at least: YARN's default calculator gives every container one core,
	// and a garbage collection would stop the heartbeats.
	env["GOMAXPROCS"] = fmt.Sprint(max(2, a.shape.MasterVCores))
	if !a.d.hadoop.Secure() {
		env["HADOOP_USER_NAME"] = a.d.user
	}
	l := yarnrpc.LaunchContext{
		Resources: map[string]yarnrpc.LocalResource{}, Env: env,
		EnvExpanded: map[string]string{"TMPDIR": "{{PWD}}/tmp"}, // YARN makes the folder, and removes it
		Command:     yarnrpc.ShellCommand([]string{"./" + spec.FlinkBinary, "yarn-appmaster"}, "jobmanager.out", "jobmanager.err"),
		Credentials: creds, ViewACL: conf.YarnViewACLs.Get(a.conf), ModifyACL: conf.YarnModifyACLs.Get(a.conf),
	}
	for _, r := range a.resources {
		l.Resources[r.Name] = r.Local()
	}
	return l, nil
}

// await follows the application until it runs.
func (a *application) await(ctx context.Context) (yarnrpc.Report, error) {
	console := a.d.o.Console
	console.Infof(clientlog.Descriptor, "Waiting for the cluster to be allocated")
	var last yarnrpc.AppState
	const patience = time.Minute
	warnAt := time.Now().Add(patience)
	report, err := a.d.rm.Wait(ctx, a.id, func(r yarnrpc.Report) bool {
		if registered(r) || r.State.Ended() {
			return true
		}
		if r.State != last && r.State != yarnrpc.AppRunning {
			console.Infof(clientlog.Descriptor, "Deploying cluster, current state %s", r.State)
			last = r.State
		}
		if now := time.Now(); now.After(warnAt) {
			console.Infof(clientlog.Descriptor, "Deployment took more than 60 seconds. Please check if the requested resources are available in the YARN cluster")
			warnAt = now.Add(patience)
		}
		return false
	})
	switch {
	case err != nil:
		return report, fmt.Errorf("waiting for the cluster %s: %w", a.id, err)
	case report.State == yarnrpc.AppFailed || report.State == yarnrpc.AppKilled:
		return report, unexpected(report)
	case report.State == yarnrpc.AppFinished && report.FinalStatus != yarnrpc.FinalSucceeded && a.dep.Mode != spec.PerJobMode:
		return report, unexpected(report)
	case report.State == yarnrpc.AppFinished && report.FinalStatus != yarnrpc.FinalSucceeded:
		// The job's end is told by who waits for it.
		console.Infof(clientlog.Descriptor, "YARN application has been finished with the status %s.", report.FinalStatus)
	case report.State == yarnrpc.AppFinished:
		console.Infof(clientlog.Descriptor, "YARN application has been finished successfully.")
	default:
		console.Infof(clientlog.Descriptor, "YARN application has been deployed successfully.")
	}
	return report, nil
}

// unexpected is the error for an application that ended while it started.
func unexpected(r yarnrpc.Report) error {
	return sayf("The YARN application unexpectedly switched to state %s during deployment. \nDiagnostics from YARN: %s\n"+
		"If log aggregation is enabled on your cluster, use this command to further investigate the issue:\nyarn logs -applicationId %s", r.State, strings.TrimSpace(r.Diagnostics), r.ID)
}

// PrintDetached tells how a cluster that goes on alone is stopped.
func PrintDetached(console *clientlog.Console, logger string, id yarnrpc.ApplicationID) {
	console.Infof(logger, "The Flink YARN session cluster has been started in detached mode. In order to stop Flink gracefully, use the following command:\n"+
		"$ echo \"stop\" | ./bin/yarn-session.sh -id %s\n"+
		"If this should not be possible, then you can also kill Flink via YARN's web interface or via:\n"+
		"$ yarn application -kill %s\n"+
		"Note that killing Flink might not clean up all job artifacts and temporary files.", id, id)
}
