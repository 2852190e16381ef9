// Package slots keeps the slots of a cluster: which TaskManagers offer them,
// which jobs hold them, which jobs wait, and how many TaskManagers there should
// be.
//
// It is a pure core: Pool.Step takes an event and the time and returns what is
// to be done; there is no clock, I/O, goroutine or lock in it. The dispatcher
// (package jobmanager) owns the Pool and calls it from one goroutine.
//
// A job asks for all of its slots at once and gets them at once (all vertices
// share slots, so the need is the highest parallelism). The slots that a job
// takes from one TaskManager in one go belong to one worker process, whose
// memory is their share; slots taken later make another worker. A job keeps its
// slots over a failover, except those it lost.
//
// An adaptive job (adaptive.go) tells how many slots it desires, which counts for
// the TaskManagers that are asked for, and takes what it finds. When it takes less
// than it holds it gives workers back, and for the slots of a worker that it needs
// in part another one is started, unless it has all of its TaskManager.
//
// Invariants:
//
//	one-holder     a slot has at most one worker; it is free again only when
//	               that worker's process has ended, or its TaskManager.
//	all-or-nothing a job holds no new slot before it can have all it asked for.
//	exact          TaskManagers are asked for only as far as the slots that
//	               jobs want exceed those that are free or becoming free.
package slots
