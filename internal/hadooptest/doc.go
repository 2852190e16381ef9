// Package hadooptest starts a real Hadoop cluster for tests, through
// scripts/hadoop, and gives tests a hold on it: its configuration, its clients,
// its daemons to kill, pause and restart, and the processes of its containers.
// Tests that need a cluster call Start; nothing else of the project uses it.
//
// A cluster is started once for each combination of Options in a test binary and
// then shared. It ends with the test binary, however that ends: a small shell
// process holds a pipe to it and stops the cluster when the pipe closes. Main
// waits for that.
//
// Environment: GOFLINK_HADOOP_BASE_PORT names a cluster that runs already and is
// used instead of starting one (tests that need other options start their own);
// GOFLINK_HADOOP_KEEP=1 leaves the files and logs of a cluster behind;
// HADOOP_LOCAL_HOME is where jars and clusters lie.
//
// Goroutines: none that outlive a call. Locks: one mutex around the table of
// clusters, held while a cluster starts, so that a second test waits for it.
package hadooptest
