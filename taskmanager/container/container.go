// Package container runs a TaskManager in a YARN container: it reads what the
// ApplicationMaster put into the container's environment, folder and
// credentials, and runs package taskmanager with it. bin/flink does so for
// session clusters (`flink yarn-taskmanager`), a job binary for itself in
// per-job and application mode (launch).
//
// It has no goroutines and no state of its own.
package container

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"goflink/appmaster/spec"
	"goflink/conf"
	"goflink/control"
	"goflink/hadooprpc"
	"goflink/hdfsstore"
	"goflink/internal/logfile"
	"goflink/jobmanager/ha"
	"goflink/taskmanager"
	"goflink/yarnrpc"
)

// logName is Flink's name of a TaskManager's log, without .log and .out.
const logName = "taskmanager"

// Process is what a TaskManager's container offers to what runs in it.
type Process struct {
	Conf       *conf.Config
	Files      *hdfsstore.Resolver
	Log        *slog.Logger
	FindLeader func(ctx context.Context) (string, error)
}

// Run runs the TaskManager of the container whose files lie in dir until it is
// told to end. dedicated is nil, or makes what runs the container's own job.
func Run(ctx context.Context, dir string, dedicated func(p *Process) (*taskmanager.Dedicated, error)) error {
	id, err := yarnrpc.ParseContainerID(os.Getenv("CONTAINER_ID"))
	if err != nil {
		return fmt.Errorf("this is no YARN container (%w): the ApplicationMaster starts TaskManagers", err)
	}
	c, err := conf.Load(dir)
	if err != nil {
		return err
	}
	logDir, _, _ := strings.Cut(os.Getenv("LOG_DIRS"), ",")
	file, err := logfile.Open(logfile.FromConf(filepath.Join(logDir, logName+".log"), c))
	if err != nil {
		return err
	}
	defer file.Close()
	slog.SetDefault(file.Logger())
	p := &Process{Conf: c, Log: file.Logger()}
	p.Log.Info(fmt.Sprintf("Starting goflink %s as TaskManager %s.", conf.Version, id))
	if err := p.serve(ctx, dir, logDir, id.String(), dedicated); err != nil {
		p.Log.Error("The TaskManager ends.", "error", err)
		return err
	}
	return nil
}

func (p *Process) serve(ctx context.Context, dir, logDir, id string, dedicated func(p *Process) (*taskmanager.Dedicated, error)) error {
	hadoop, err := hadooprpc.LoadConfFile(filepath.Join(dir, spec.HadoopConfFile))
	if err != nil {
		return err
	}
	p.Files = hdfsstore.NewResolver(hdfsstore.Options{Hadoop: hadoop, DefaultScheme: conf.FSDefaultScheme.Get(p.Conf), Logger: p.Log})
	defer p.Files.Close()
	o, err := p.options(ctx, dir, logDir, id)
	if err != nil {
		return err
	}
	p.FindLeader = o.FindLeader
	if dedicated != nil {
		if o.Dedicated, err = dedicated(p); err != nil {
			return err
		}
	}
	return taskmanager.Run(ctx, *o)
}

// options reads the container.
func (p *Process) options(ctx context.Context, dir, logDir, id string) (*taskmanager.Options, error) {
	credentials, err := hadooprpc.LoadCredentials(os.Getenv)
	if err != nil {
		return nil, err
	}
	secret := control.Secret(credentials.Secret(spec.SecretAlias))
	jobManager := os.Getenv(spec.EnvJobManager)
	if len(secret) == 0 || jobManager == "" {
		return nil, errors.New("the container lacks the cluster's secret or the JobManager's address: the ApplicationMaster starts TaskManagers")
	}
	plan, err := conf.TaskManagerMemory(p.Conf)
	if err != nil {
		return nil, err
	}
	for _, line := range plan.Lines() {
		p.Log.Info(line)
	}
	cores, err := strconv.Atoi(os.Getenv(spec.EnvVCores))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", spec.EnvVCores, err)
	}
	host, err := taskmanager.DetectHost(ctx, jobManager, p.Log)
	if err != nil {
		return nil, err
	}
	return &taskmanager.Options{
		JobManager: jobManager, Secret: secret, ResourceID: id, Host: host, Slots: plan.Slots, Memory: taskmanager.PlanOf(plan), VCores: cores,
		LogDir: logDir, LogName: logName, ScratchDir: filepath.Join(dir, "scratch"), Conf: p.Conf, Files: p.Files, Version: conf.Version,
		FindLeader: p.leader(os.Getenv(spec.EnvLeaderDir)), Log: p.Log,
	}, nil
}

// leader finds the JobManager of a later attempt in the application's folder.
func (p *Process) leader(uri string) func(ctx context.Context) (string, error) {
	if uri == "" {
		return nil
	}
	return func(ctx context.Context) (string, error) {
		fsys, dir, err := p.Files.For(uri)
		if err != nil {
			return "", err
		}
		l, err := ha.ReadLeader(ctx, fsys, dir)
		return l.Address, err
	}
}
