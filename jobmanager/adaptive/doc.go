// Package adaptive decides with which parallelism a job runs: Flink's adaptive
// scheduler. A job declares bounds for each vertex; it starts with what the
// cluster has, and is rescaled when that changes or its bounds do.
//
// It is a pure core: Decider.Step takes an event and the time and returns what is
// to be done; there is no clock, I/O, goroutine or lock in it. The job master
// (package jobmanager) owns a Decider, calls it from one goroutine and carries
// out the actions.
//
// A job is in one of three phases. It waits for slots, until the desired ones are
// there, or sufficient ones for the stabilisation time-out; it executes; or it is
// being stopped, for a rescale or after a failure, until it waits again.
//
// Invariants:
//
//	in-bounds    a vertex gets a parallelism within its bounds, and never one above
//	             its max parallelism.
//	tied         vertices joined by forward edges get the same parallelism.
//	no-more      the slots that a decision needs are not more than there are.
//	one-rescale  after Rescale nothing is decided until the job waits again.
package adaptive
