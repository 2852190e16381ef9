// Package inspect reads checkpoints and savepoints as they lie in a file system, without a cluster: it finds, loads,
// verifies, describes and compares them. Package jobmanager loads what a job begins from with it, client/cli is
// `flink state`. It starts goroutines to read several files at once, which end before its functions return, and has
// no locks of its own but the one of a report.
//
// Invariant: nothing is ever written.
package inspect
