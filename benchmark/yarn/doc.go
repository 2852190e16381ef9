// Package yarn measures what jobs on YARN cost: the time from a submission to
// all tasks running and where it goes, bytes staged, resident memory, a small
// job on a running session, the recovery of a killed TaskManager. It starts a
// real two-node cluster through scripts/hadoop and prints a table:
//
//	make bench-yarn [RUNS=5]
//
// With GOFLINK_BENCH_FLINK set to the folder of a real Flink 1.20 (lib/, conf/,
// examples/streaming/), what can be measured from outside is measured for it,
// too, on the same cluster. Times are medians over the runs; the machine should
// have nothing else to do.
package yarn
