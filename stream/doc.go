// Package stream is the DataStream API: typed handles on the edges of a job's
// graph, and the operators that run behind them.
//
// A program is a function that builds a graph on an Env and returns; Main runs
// it in every process of the job. Graph time and run time are apart: functions
// such as Map or KeyBy add a node to the graph and keep a closure that, in a
// worker, makes the operator of one subtask (Program.BuildChain). The runtime
// below knows neither types nor functions; package dataflow is the contract.
//
//	words  := stream.FlatMap(lines, split)
//	byWord := stream.KeyBy(words, func(w string) string { return w })
//	counts := stream.Aggregate(byWord.Window(stream.Tumbling(time.Minute)), count{}, stream.UID("count"))
//
// Who calls it: user programs at the top, package launch (NewEnv, Program)
// below. Files: env, params, main (programs); stream, node, program, task
// (graph and chains); wire, batch, output, input, partition (edges); map,
// process, keyed, reduce, window, async (operators); twoinput, connect, broadcast,
// intervaljoin, cogroup (operators with two inputs); source, watermark, sink (ends).
//
// Goroutines: operators run on their task's goroutine and start none. Sources
// that wait for I/O read on a goroutine of Env.Go, which the task owns and
// waits for; asynchronous operators run each call of the user's function on
// one, and take its result back through the task's mailbox. Locks: none on the record
// path, calls that return apart; pools of batches are sync.Pool.
//
// Invariants, cited in the code, beside those of dataflow:
//
//	one-build      build is deterministic: what a worker builds has the
//	               fingerprint of what was planned.
//	errors-kept    graph building never panics on wrong use; it records the error
//	               with the caller's file:line, and Program reports all of them.
//	no-box         nothing on the record path boxes, reflects, locks or
//	               allocates per record, where the type's codec does not.
//	marks-lazy     watermarks and idleness are written to a channel before its
//	               next record or at a flush, whichever is first, the last
//	               of each only; they never cause a flush.
package stream
