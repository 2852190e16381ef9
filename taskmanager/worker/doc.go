// Package worker is the task runtime: the process that runs the tasks of one
// job. It registers at the JobManager, builds the tasks it is told to from the
// program's chains (package dataflow), joins them by package exchange, runs
// each on a goroutine of its own, and takes checkpoints. Package launch calls
// Run in a job binary's worker role, package taskmanager in a container that
// is dedicated to one job.
//
// Life of a task: deploy makes its channels; its goroutine builds the chain and
// reports INITIALIZING; after StartTasks the channels are connected, the
// operators open (restoring state) and the task is RUNNING; after the end of
// its data it stays until a checkpoint that began afterwards is complete, or a
// final commit is ordered; then FINISHED. Every task ends with exactly one of
// FINISHED, CANCELED, FAILED.
//
// Goroutines: Run's own, which carries out commands and never waits for a task
// (an attempt being replaced excepted); one a task, with those that its
// operators start through Env.Go; one for each attempt's connecting; the
// ticker (buffer time-out, sizes of buffers, heartbeats, metrics) and one for each
// buffer time-out of an operator's own; the checkpoint writers. All
// end before Run returns, unless user code does not heed its context: then the
// watchdog ends the process.
//
// Locks: mailbox.mu, segments.mu, attempt.mu, worker.mu; none is held while
// another is taken or anything blocks.
//
// Invariants:
//
//	task-goroutine  a chain is called on its task's goroutine only.
//	flush-first     outputs are flushed before an event is sent.
//	once-ended      a task reports one terminal state, after everything it
//	                held is closed.
//	own-attempt     nothing of an older attempt is reported or reaches a newer
//	                one.
//	in-flight       an unaligned checkpoint is handed over to be written when all
//	                records in flight that belong to it are known (flight); until
//	                then it can be given up at any point.
//	whole-first     a partition can be read when its task has finished (stages.go).
//	durable-first   a checkpoint is acknowledged after its bytes are durable.
package worker
