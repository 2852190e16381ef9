// Package taskmanager is the TaskManager: it offers slots to the JobManager and
// supervises a worker process for each job that gets some of them (package
// taskmanager/worker), or runs the worker of the one job it is dedicated to in
// its own process. Package launch and the command flink call Run.
//
// A worker process is the job's binary, found by its SHA-256. It gets the job's
// arguments, a listed environment, and over an inherited pipe a Bootstrap with
// the cluster's secret. It is its own process group, limited in memory, and
// dies with its supervisor: the kernel signals it (parent-death signal), and a
// pipe that both hold is closed. A worker that crashes or overruns its memory
// takes down itself only.
//
// Goroutines: Run's own, which carries out commands; one a worker, from
// fetching its program to its end (locked to a thread, because the parent-death
// signal belongs to the thread that started the process); one for heartbeats;
// one for each log request. All end before Run returns.
//
// Locks: supervisor.mu guards the workers and the stream; cache.mu the
// downloads. Neither is held while the other is taken or anything blocks.
//
// Invariants:
//
//	one-exit      every StartWorker is answered by exactly one WorkerExited,
//	              whatever happens in between.
//	no-orphans    no worker process outlives Run.
//	verified      a program is executed only after its digest was checked.
//	log-dir       a log request reads regular files of the log folder, nothing
//	              else.
package taskmanager
