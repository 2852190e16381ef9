package launch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"google.golang.org/protobuf/proto"

	"goflink/conf"
	"goflink/control"
	"goflink/dataflow"
	"goflink/graph"
	"goflink/hdfsstore"
	"goflink/jobmanager/coordinator"
	"goflink/state/pebblestate" // makes state.backend.type: rocksdb known
	"goflink/taskmanager/worker"
)

// runWorker is the worker role: the tasks of one job.
func runWorker(programs []Program, boot *control.Bootstrap) error {
	return runChild(programs, boot, func(ctx context.Context, c child) error {
		shareStoreMemory(boot.GetWorker())
		return worker.Run(ctx, worker.Options{Bootstrap: boot, Program: c.program, Files: c.files, Log: c.log})
	})
}

// shareStoreMemory gives all state stores of the process one block cache, out of
// which their write buffers are taken too: half of the managed memory, as the
// other half is for the entries in front of them (state.OpenKeyed). Without
// managed memory each store has a cache of its own.
func shareStoreMemory(start *control.StartWorker) {
	if conf.StateBackendType.Get(conf.FromMap(start.GetConfig())) == conf.BackendRocksDB {
		pebblestate.ShareCache(start.GetManagedBytes() / 2)
	}
}

// runCoordinator is the coordinator role: what of the job runs once.
func runCoordinator(programs []Program, boot *control.Bootstrap) error {
	return runChild(programs, boot, func(ctx context.Context, c child) error {
		return coordinator.Run(ctx, coordinator.Options{Bootstrap: boot, Program: c.program, Files: c.files, Log: c.log})
	})
}

// child is what a process has that another one of ours started.
type child struct {
	program dataflow.Program
	files   *hdfsstore.Resolver
	log     *slog.Logger
}

// runChild rebuilds the program as its parent says and runs the role until its
// end, SIGTERM, or the parent's end.
func runChild(programs []Program, boot *control.Bootstrap, run func(ctx context.Context, c child) error) error {
	start := boot.GetWorker()
	if start == nil {
		return errors.New("workers and coordinators are started by their cluster, not by hand")
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
	err = run(ctx, child{program: prog, files: files, log: log})
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil // it was told to end, and did
	}
	return err
}

// rebuildFor rebuilds the program of a job as it was planned.
func rebuildFor(programs []Program, start *control.StartWorker) (dataflow.Program, error) {
	var binary graph.Program
	if err := proto.Unmarshal(start.GetProgram(), &binary); err != nil {
		return nil, fmt.Errorf("the program's description is damaged: %w", err)
	}
	return rebuild(programs, binary.Entry, start.GetConfig(), start.GetOnce())
}
