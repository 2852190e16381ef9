// Package appmaster is the YARN ApplicationMaster: it hosts the JobManager,
// registers with the ResourceManager, turns the JobManager's wish for
// TaskManagers into containers, starts them, replaces lost ones, and ends the
// application with its verdict. bin/flink runs it (`flink yarn-appmaster`);
// what it is to do stands in appmaster/spec.
//
// Decisions on containers are appmaster/alloc's (pure); this package executes
// them. One goroutine, the loop of Run, owns the allocator, makes the
// heartbeats and handles every event; starting and stopping containers happens
// on goroutines of its group, which report back to the loop. Run waits for
// all of them.
//
// Invariants:
//
//   - fenced-first: nothing is registered, recovered or started before the
//     epoch is ours (jobmanager/ha).
//   - verdict-before-exit: a verdict is given to the ResourceManager before the
//     process exits; an attempt that fails without one is tried again by YARN.
//   - folder-last: the application's folder goes only after the verdict was
//     stored, so that an attempt after us always finds what it needs.
package appmaster
