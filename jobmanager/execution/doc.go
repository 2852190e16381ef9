// Package execution is the state machine of one job: its own state, the states
// of its tasks, failover and restart, and the history of its failures.
//
// It is a pure core: Graph.Step takes an event and the time and returns what
// is to be done; there is no clock, I/O, goroutine or lock in it. The job
// master (package jobmanager) owns a Graph, calls it from one goroutine and
// carries out the actions.
//
// The tasks are divided into pipelined regions (regions.go): what is connected
// by edges, and the readers of one enumerator, since splits that were handed out
// cannot be taken back from some of them alone. A region is what is deployed,
// started, cancelled and run again together. A failure is a failover of the
// regions that it touched; a failure of no task, or any failure once the job is
// being stopped, is one of all regions. With the strategy "full" there is one
// region.
//
// Blocking edges (BATCH) divide regions into stages (stages.go): what a region
// writes lies on its workers' disks, and who reads it is scheduled when all of it
// is there. What was written is given up when nobody can need it again. If it is
// lost before that, its region runs again, with those that read from it; and so
// does, when it has to be read again, whoever wrote what was given up.
//
// With Config.Adaptive the parallelism is another one in each attempt (scale.go):
// nothing is scheduled before somebody has said which, and all tasks are one
// region.
//
// Invariants:
//
//	one-attempt    the tasks of a region run in the same attempt; the attempts of
//	               different regions are counted apart.
//	ended-first    an attempt starts only when every task of the one before has
//	               ended, in all regions of the failover: no two attempts of a
//	               task run beside each other.
//	undisturbed    a failover neither cancels nor restarts a task of a region
//	               that it did not touch, nor moves it to another slot.
//	terminal       FINISHED, CANCELED and FAILED are never left.
//	fed-first      a region is scheduled when every region that it reads from over
//	               blocking edges has finished, and nothing of that is lost.
//	stale-ignored  news of an older attempt changes nothing.
package execution
