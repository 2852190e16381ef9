// Package testbed is a user's terminal beside a real Hadoop cluster: it runs
// bin/flink and its launchers as a user runs them, finds the applications and
// processes that came of it, asks their REST API, reads what lies in HDFS, and
// checks that nothing is left. The end-to-end tests, those of the documentation and
// benchmark/yarn use it; nothing else does.
//
// A Bed belongs to one test: it has an HDFS folder, a configuration folder, a
// log folder and a YARN tag of its own. By the tag its applications are found,
// by the application's id in their environment the processes of containers, by
// the variable GOFLINK_TESTBED the commands and whatever they have started.
//
// Nothing here asks goflink about itself where somebody else can tell: states
// come from the ResourceManager's web service, processes from /proc, files from
// HDFS.
//
// Goroutines: one a started command, which ends with it; Process.Wait and the
// test's clean-up wait for it. Locks: one in Process around its output. A small
// shell process ends what a test binary leaves behind that is itself killed.
package testbed
