package launch

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"google.golang.org/protobuf/proto"

	"goflink/conf"
	"goflink/control"
	"goflink/dataflow"
	"goflink/graph"
	"goflink/jobmanager/coordinator"
	_ "goflink/state/pebblestate" // state.backend.type: rocksdb
	"goflink/taskmanager/worker"
)

// runWorker is the worker role: the tasks of one job.
func runWorker(programs []Program, boot *control.Bootstrap) error {
	start := boot.GetWorker()
	if start == nil {
		return errors.New("the worker role is started by a TaskManager, not by hand")
	}
	if err := watchParent(); err != nil {
		return err
	}
	clearRole()
	c := conf.FromMap(start.Config)
	log, closeLog, err := openLog(boot, c)
	if err != nil {
		return err
	}
	defer closeLog()
	prog, err := rebuildFor(programs, start)
	if err != nil {
		return err
	}
	files, err := OpenFiles(c)
	if err != nil {
		return err
	}
	defer files.Close()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return worker.Run(ctx, worker.Options{Bootstrap: boot, Program: prog, Files: files, Log: log})
}

// runCoordinator is the coordinator role: what of the job runs once.
func runCoordinator(programs []Program, boot *control.Bootstrap) error {
	if boot == nil {
		return errors.New("the coordinator role is started by a JobManager, not by hand")
	}
	if err := watchParent(); err != nil {
		return err
	}
	clearRole()
	start := boot.GetWorker()
	c := conf.FromMap(start.GetConfig())
	log, closeLog, err := openLog(boot, c)
	if err != nil {
		return err
	}
	defer closeLog()
	prog, err := rebuildFor(programs, start)
	if err != nil {
		return err
	}
	files, err := OpenFiles(c)
	if err != nil {
		return err
	}
	defer files.Close()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return coordinator.Run(ctx, coordinator.Options{Bootstrap: boot, Program: prog, Files: files, Log: log})
}

// rebuildFor rebuilds the program of a job as it was planned.
func rebuildFor(programs []Program, start *control.StartWorker) (dataflow.Program, error) {
	var binary graph.Program
	if err := proto.Unmarshal(start.GetProgram(), &binary); err != nil {
		return nil, fmt.Errorf("the program's description is damaged: %w", err)
	}
	return rebuild(programs, binary.Entry, start.GetConfig(), start.GetOnce())
}
