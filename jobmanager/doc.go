// Package jobmanager is the JobManager: it takes jobs, finds slots for them,
// deploys their tasks, takes their checkpoints, restarts them after failures,
// and tells REST what goes on.
//
// Who calls it: launch (embedded), cmd/flink (standalone), appmaster (YARN).
// They make one with New, then Start, then Recover; after that jobs come
// through Submit or REST.
//
// The decisions are made by pure cores: execution (job and task states,
// failover), slots (who runs where), checkpoint (what is complete, what may go).
// This package is their shell: streams, timers, processes, files.
//
// File map: jobmanager.go life of a JobManager; cluster.go TaskManagers and the
// slot pool; server.go, stream.go the control plane; submit.go, recover.go,
// savepoint.go how a job begins; master*.go one running job (master_scale.go its
// parallelism); settings.go
// configuration; process.go the coordinator process; rest*.go, view.go,
// figures.go, archive.go what REST sees; files.go folders of checkpoints;
// loop.go the goroutine that owns state.
//
// Goroutines: one loop for the cluster and one for each job, which own all
// state of theirs and never block; two for each stream; one for each piece of
// I/O under way (checkpoint folders, metadata, pointers, deletions, starting a
// coordinator), bounded by the checkpoints under way. All belong to the
// JobManager's group: Close ends them and waits.
//
// Locks: loop.mu and conn.mu guard queues; nothing is called under them.
//
// Invariants:
//
//	own-loop      the cores of a job are touched on that job's loop only; loops
//	              talk by posting functions, never by waiting for each other.
//	in-order      what is sent to a process keeps the order in which the loop
//	              decided; what a process sends is handled in its order.
//	stop-fenced   once the recovery store says that another JobManager leads,
//	              nothing is published, deleted or told any more.
//	result-first  the files of an ended job go only after its result is durable.
//	known-only    a process that this JobManager did not start, or that runs
//	              another program or graph, is refused with the reason.
package jobmanager
