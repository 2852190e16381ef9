// Package e2e holds the end-to-end tests: bin/flink and its launchers, run as
// a user runs them, against a real HDFS and YARN that scripts/hadoop starts on
// loopback. They have the build tag e2e and run with `make test`.
//
// They share one cluster a test binary (main_test.go); each test has a place of
// its own on it (internal/testbed), which checks afterwards that nothing is
// left. Results are compared with independent evaluations (expect_test.go).
// Programs made for tests lie in e2e/jobs.
//
// Tests that harm the whole cluster (a killed ResourceManager, a paused
// NodeManager) run alone; the others run beside each other.
package e2e
