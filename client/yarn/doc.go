// Package yarn deploys clusters on YARN and finds them again: what Flink calls
// its YarnClusterDescriptor. It checks the request against what the cluster
// has, stages files, writes the description that the ApplicationMaster reads
// (appmaster/spec), submits, and follows the application's states with the
// lines that wrappers match.
//
// client/cli calls it. It speaks to the ResourceManager through yarnrpc and to
// the file system through hdfsstore.
//
// Goroutines: Deploy stages files in several, and waits for them. Locks: none;
// a Descriptor is used by one goroutine.
//
// Invariants:
//   - checked-first: queue, memory and cores are checked before anything is
//     written or submitted.
//   - all-or-nothing: a Deploy that fails or is interrupted leaves no
//     application and no application folder behind.
//   - secret-in-credentials: the cluster's secret travels in the credentials of
//     the ApplicationMaster's container, and for later clients of the same user
//     in a file of the application's private folder; never in arguments, the
//     environment, configuration or logs.
package yarn
