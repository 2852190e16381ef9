// Package law holds the one law of the engine as a test: whatever a job's graph
// is and however it is run, its output is that of a plain interpreter.
//
// A seed draws a graph (Spec: operators, windows, state, partitioners, sinks, as
// data) and the ways in which it is run (Faults: parallelism, backend, chaining,
// buffers, kills, restores). From the spec come both the program of package
// stream and the expected result: Expect runs the same graph on one goroutine
// over sorted events, and shares no code with the engine.
//
// Each graph knows what of it is determined, its Class:
//
//	free     the multiset of results, whatever order records arrive in: every
//	         function of such a graph is commutative, and nothing is late.
//	ordered  the sequence of results of each key: all records of a key come from
//	         one split and take one way. A last operator numbers them.
//	late     records come too late, and how many do depends on the run; results
//	         and late records together hold each record exactly once.
//	idle     one source says nothing for long; the windows of another one fire
//	         all the same.
//
// Who calls it: its tests. make law runs 500 seeds, make torture any range, make
// mutants shows that each of the planted bugs is found.
//
// A new operator is one file: its kinds (how it is drawn, built, and what it must
// give) and one line in kinds.
package law
