// Package execution is the state machine of one job: its own state, the states
// of its tasks, failover and restart, and the history of its failures.
//
// It is a pure core: Graph.Step takes an event and the time and returns what
// is to be done; there is no clock, I/O, goroutine or lock in it. The job
// master (package jobmanager) owns a Graph, calls it from one goroutine and
// carries out the actions.
//
// Invariants:
//
//	one-attempt    every task of the graph runs in the same attempt: a failover
//	               ends all of them and starts the next attempt (full failover).
//	ended-first    an attempt starts only when every task of the one before has
//	               ended: no two attempts of a task run beside each other.
//	terminal       FINISHED, CANCELED and FAILED are never left.
//	stale-ignored  news of an older attempt changes nothing.
package execution
