// Package e2e holds the end-to-end tests: bin/flink and its launchers, run as
// a user runs them, against a real HDFS and YARN that scripts/hadoop starts on
// loopback. They have the build tag e2e and run with `make test`.
//
// What they share: one cluster a test binary (cluster_test.go), the commands
// (flink_test.go), independent evaluations of the jobs' results
// (expect_test.go). Programs made for tests lie in e2e/jobs.
package e2e
