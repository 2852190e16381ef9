// Package streamtest runs a program's chains in one process, without cluster,
// network or disk of its own: for tests of operators and of programs.
//
// A Cluster builds every task through dataflow.Program, connects them with
// queues, some of which carry encoded buffers as between processes, and takes
// their steps in an order that a seed decides. It aligns barriers, takes
// checkpoints through the real state encoding, and can be killed at any step and
// restored from a checkpoint, at another parallelism too.
//
// Everything runs on the caller's goroutine, but for functions that operators
// hand to Env.Go; Close cancels those and waits. The clock is the cluster's own
// and moves when nothing else can.
package streamtest
