package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"time"

	"goflink/appmaster"
	"goflink/client/cli"
	"goflink/conf"
	"goflink/hadooprpc"
	"goflink/hdfsstore"
	"goflink/internal/logfile"
	"goflink/internal/standalone"
	"goflink/jobmanager"
	"goflink/jobmanager/host"
	"goflink/taskmanager"
	"goflink/taskmanager/container"
)

// daemons are the long-lived roles by the name of their command.
var daemons = map[string]cli.Daemon{
	"jobmanager":       runJobManager,
	"taskmanager":      runTaskManager,
	"yarn-appmaster":   runAppMaster,
	"yarn-taskmanager": runContainer,
}

// endPatience bounds the end of a standalone JobManager after SIGTERM.
const endPatience = 10 * time.Second

// runAppMaster is the ApplicationMaster in its container's folder.
func runAppMaster(ctx context.Context, _ cli.DaemonArgs) error {
	dir, err := os.Getwd()
	if err != nil {
		return err
	}
	return appmaster.Run(ctx, dir)
}

// runContainer is a TaskManager of a session cluster in its container's folder.
func runContainer(ctx context.Context, _ cli.DaemonArgs) error {
	dir, err := os.Getwd()
	if err != nil {
		return err
	}
	return container.Run(ctx, dir, nil)
}

// process is what the standalone daemons share.
type process struct {
	conf    *conf.Config
	log     *slog.Logger
	logDir  string
	logName string // without .log
	scratch string
	files   *hdfsstore.Resolver
	close   []func()
}

func newProcess(a cli.DaemonArgs, kind string) (*process, error) {
	p := &process{conf: a.Conf, log: slog.Default(), logName: kind}
	var err error
	if p.scratch, err = os.MkdirTemp(conf.IOTmpDirs.Get(a.Conf), "goflink-"+kind+"-"); err != nil {
		return nil, fmt.Errorf("the folder for temporary files (%s): %w", conf.IOTmpDirs.Key, err)
	}
	p.close = append(p.close, func() { _ = os.RemoveAll(p.scratch) })
	p.logDir = filepath.Join(p.scratch, "log")
	if a.LogPrefix != "" {
		p.logDir, p.logName = filepath.Dir(a.LogPrefix), filepath.Base(a.LogPrefix)
		f, err := logfile.Open(logfile.FromConf(a.LogPrefix+".log", a.Conf))
		if err != nil {
			return nil, errors.Join(err, p.end())
		}
		p.close = append(p.close, func() { _ = f.Close() })
		p.log = f.Logger()
		slog.SetDefault(p.log)
	}
	if err := os.MkdirAll(p.logDir, 0o755); err != nil { // workers and coordinators write theirs there
		return nil, errors.Join(err, p.end())
	}
	o := hdfsstore.Options{DefaultScheme: conf.FSDefaultScheme.Get(a.Conf), Logger: p.log}
	hadoop, err := hadooprpc.FindConf(os.Getenv, conf.FSHadoopConf.Get(a.Conf))
	switch {
	case err == nil:
		o.Hadoop = hadoop // else it stays nil: hdfs:// with an address works without
	case !errors.Is(err, hadooprpc.ErrNoConf):
		return nil, errors.Join(err, p.end())
	}
	p.files = hdfsstore.NewResolver(o)
	p.close = append(p.close, func() { _ = p.files.Close() })
	return p, nil
}

// end frees what newProcess took, last first.
func (p *process) end() error {
	for i := len(p.close) - 1; i >= 0; i-- {
		p.close[i]()
	}
	return nil
}

// runJobManager is the JobManager of a standalone session cluster.
func runJobManager(ctx context.Context, a cli.DaemonArgs) error {
	p, err := newProcess(a, "jobmanager")
	if err != nil {
		return err
	}
	defer p.end()
	secret, err := standalone.EnsureSecret(a.ConfDir)
	if err != nil {
		return err
	}
	plan, err := conf.JobManagerMemory(a.Conf)
	if err != nil {
		return err
	}
	p.log.Info(fmt.Sprintf("Starting goflink %s as a standalone JobManager.", conf.Version))
	for _, line := range plan.Lines() {
		p.log.Info(line)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(int64(conf.SoftLimit(plan.Process)))
	}
	address := conf.JobManagerRPCAddress.Get(a.Conf)
	if address == "" {
		address = "localhost"
	}
	h, err := host.Start(ctx, host.Options{
		Conf: a.Conf, Secret: secret, ClusterID: "standalone", Epoch: time.Now().UnixMilli(), Mode: jobmanager.Session, Files: p.files,
		Host: address, Scratch: p.scratch, LogDir: p.logDir, LogFile: p.logName + ".log", StdoutFile: p.logName + ".out", Log: p.log,
	})
	if err != nil {
		return err
	}
	select {
	case <-ctx.Done():
	case <-h.JobManager.Stopping():
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endPatience)
	defer cancel()
	if err := h.AwaitResults(ctx); err != nil {
		p.log.Info("The cluster ends before all clients fetched their results.", "error", err)
	}
	return h.Shutdown(ctx, jobmanager.StatusSucceeded)
}

// runTaskManager is a TaskManager of a standalone session cluster.
func runTaskManager(ctx context.Context, a cli.DaemonArgs) error {
	p, err := newProcess(a, "taskmanager")
	if err != nil {
		return err
	}
	defer p.end()
	secret, err := standalone.LoadSecret(a.ConfDir)
	if err != nil {
		return fmt.Errorf("%w: start the JobManager first, it makes the file", err)
	}
	plan, err := conf.TaskManagerMemory(a.Conf)
	if err != nil {
		return err
	}
	for _, line := range plan.Lines() {
		p.log.Info(line)
	}
	address := conf.JobManagerRPCAddress.Get(a.Conf)
	if address == "" {
		address = "localhost"
	}
	jobManager := net.JoinHostPort(address, strconv.Itoa(conf.JobManagerRPCPort.Get(a.Conf)))
	self := conf.TaskManagerHost.Get(a.Conf)
	if self == "" {
		if self, err = taskmanager.DetectHost(ctx, jobManager, p.log); err != nil {
			return err
		}
	}
	return taskmanager.Run(ctx, taskmanager.Options{
		JobManager: jobManager, Secret: secret, ResourceID: fmt.Sprintf("%s-%d-%06x", self, os.Getpid(), time.Now().UnixNano()&0xffffff),
		Host: self, Slots: plan.Slots, Memory: taskmanager.PlanOf(plan), LogDir: p.logDir, LogName: p.logName, ScratchDir: p.scratch,
		Conf: a.Conf, Files: p.files, Version: conf.Version, Log: p.log,
	})
}
