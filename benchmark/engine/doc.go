// Package engine measures how fast tasks run: jobs of benchmark/jobs on a
// standalone session cluster, beside their twins on a real Flink 1.20
// (benchmark/flink) in the same run, interleaved.
//
//	make bench [ROUNDS=3 WARMUP=20s MEASURE=60s JOBS=windowed,keyed]
//
// A job runs without end. After the warm-up its records and the CPU time of all
// processes of the cluster are taken at two moments; what is printed is records
// per CPU second and per second, medians over the rounds, and their ratio. Both
// clusters have one TaskManager with two slots (two with one where data must
// cross a network), equal memory, buffer time-out and checkpoint interval.
package engine
