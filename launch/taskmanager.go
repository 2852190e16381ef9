package launch

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"goflink/conf"
	"goflink/control"
	"goflink/taskmanager"
	"goflink/taskmanager/container"
	"goflink/taskmanager/worker"
)

// runTaskManager is a YARN container of a per-job or application cluster: the
// TaskManager's part and the job's tasks in one process.
func runTaskManager(programs []Program) error {
	clearRole()
	dir, err := os.Getwd()
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return container.Run(ctx, dir, func(p *container.Process) (*taskmanager.Dedicated, error) {
		digest, err := ownDigest()
		if err != nil {
			return nil, err
		}
		return &taskmanager.Dedicated{SHA256: digest, Run: func(ctx context.Context, b *control.Bootstrap) error {
			return runDedicated(ctx, programs, p, b)
		}}, nil
	})
}

// runDedicated runs the worker inside the TaskManager's process.
func runDedicated(ctx context.Context, programs []Program, p *container.Process, boot *control.Bootstrap) error {
	start := boot.GetWorker()
	prog, err := rebuildFor(programs, start)
	if err != nil {
		return err
	}
	files, err := OpenFiles(conf.FromMap(start.GetConfig()))
	if err != nil {
		return err
	}
	defer files.Close()
	return worker.Run(ctx, worker.Options{Bootstrap: boot, Program: prog, Files: files, Log: p.Log, FindLeader: p.FindLeader})
}
