// Package metrics owns the figures a process reports about itself, its tasks and its operators, under Flink's names and scopes.
//
// Who calls it: TaskManager workers (Task, Operator and user groups), the JobManager (job groups), the REST server and the
// reporters (Snapshot). One Registry a process.
//
// How a figure gets out: Counter and Value are plain fields of the goroutine that owns the task. It calls Publish once per
// batch, which copies what changed into atomics; Snapshot reads those. So a record costs an addition, a batch a few stores,
// and a reader never waits for a task nor a task for a reader. Meters are rates over a counter's published value and are
// computed by Tick. Gauges are functions and are called by the reader.
//
// Goroutines: none of its own. The process's owner calls Registry.Tick every TickInterval from one goroutine.
//
// Locks: Registry.mu guards the tree of groups, and is taken to register, to remove and to read; never per record or batch.
// A Histogram has a lock of its own and is not for the record path.
//
// Invariants:
//   - single-writer: a Counter or Value is changed and published by one goroutine.
//   - bounded: a group holds at most maxPerGroup metrics and maxChildren groups, and names are cut at maxName bytes; what
//     exceeds it works and is not reported. User code that makes a metric per key cannot fill the process.
package metrics
