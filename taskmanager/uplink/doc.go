// Package uplink is a control stream from a process of a cluster up to its
// JobManager: dialled, authenticated, with a queue for events. TaskManagers
// and workers use it; what the messages mean is their business.
//
// Goroutines: one sends, one receives; Close ends them and waits. The queue of
// events is bounded: a JobManager that takes none for that long is lost.
//
// Invariants:
//
//	in-order    events are sent in the order of Send, commands come in the
//	            order in which they were sent.
//	loss-final  a stream that broke is over: the owner dials a new one and
//	            registers again.
package uplink
