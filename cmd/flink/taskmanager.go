package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"strconv"
	"strings"

	"goflink/client/cli"
	"goflink/conf"
	"goflink/internal/standalone"
	"goflink/taskmanager"
	"goflink/taskmanager/container"
)

// runContainer is the TaskManager of a session cluster on YARN.
func runContainer(ctx context.Context, _ cli.DaemonArgs) error { return container.Run(ctx, ".", nil) }

// runTaskManager is a TaskManager of a cluster that is not on YARN.
func runTaskManager(ctx context.Context, a cli.DaemonArgs) (err error) {
	p, err := open(a)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	secret, err := standalone.LoadSecret(a.ConfDir)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: the JobManager makes it; start it first, or copy %s/%s from its host", err, a.ConfDir, standalone.SecretFile)
	}
	if err != nil {
		return err
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
	reach := conf.TaskManagerHost.Get(a.Conf)
	if reach == "" {
		if reach, err = taskmanager.DetectHost(jobManager, p.log); err != nil {
			return err
		}
	}
	id := conf.TaskManagerResourceID.Get(a.Conf)
	if id == "" {
		id = reach + "-" + strings.ToLower(rand.Text()[:8])
	}
	dir, log, _ := logNames(a)
	return taskmanager.Run(ctx, taskmanager.Options{
		JobManager: jobManager, Secret: secret, ResourceID: id, Host: reach, Slots: plan.Slots, Memory: taskmanager.PlanOf(plan), VCores: plan.Slots,
		LogDir: dir, LogName: strings.TrimSuffix(log, ".log"), ScratchDir: p.scratch, Conf: a.Conf, Files: p.files, Version: conf.Version,
		Log: p.log,
	})
}
