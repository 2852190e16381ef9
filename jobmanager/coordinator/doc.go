// Package coordinator is the runtime of a job's coordinator process: it runs
// the split enumerators of the job's sources, beside the JobManager, because
// that holds no user code. Package launch calls Run in a job binary's
// coordinator role.
//
// Goroutines: Run's own calls the enumerators, and nothing else does; one
// receives from the JobManager, one sends; those that enumerators start through
// EnumeratorContext.Run and Every belong to the enumerator that started them.
// All have ended when Run returns.
//
// Locks: link.mu guards the queue of events; nothing is called under it.
//
// Invariants:
//
//	one-goroutine  an enumerator's methods and the callbacks it asked for run on
//	               Run's goroutine.
//	in-order       what an enumerator assigns before its snapshot is sent before
//	               it, what it assigns afterwards after it.
//	own-attempt    a new attempt begins with new enumerators, of all sources or
//	               of those that are run again; nothing of the ones before is
//	               sent after it was acknowledged.
package coordinator
