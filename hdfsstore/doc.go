// Package hdfsstore is the file-system seam of goflink: everything that a job,
// the JobManager, the client or the ApplicationMaster keeps outside its own
// process goes through the FS interface, to the local disk (file://) or to HDFS
// (hdfs://).
//
// What it owns: the meaning of "durable" and "atomic" on both. A Writer that
// closed without an error has its bytes on disk (local: fsync of file and
// folder) or acknowledged by the DataNodes and completed at the NameNode, and
// its length was checked. Rename never overwrites, on which the fencing of
// jobmanager/ha rests; Replace does. Publish makes a whole file appear under
// its name or not at all, and writes it again under another temporary name when
// a DataNode fails under it.
//
// Who calls it: state and checkpoints (taskmanager, jobmanager), jobmanager/ha,
// connectors for files, client and appmaster for staging. All of them take an
// FS from a Resolver by URI and hand it plain, absolute paths.
//
// Goroutines: an HDFS file system runs one that closes idle connections; Close
// ends it and waits. Connections of the HDFS client below have their own lease
// renewers, which end with the connection. Nothing else runs in the background.
//
// Locks: each file system guards its pool of connections with one mutex that is
// never held during I/O. The Resolver's mutex is never held while a file system
// works.
//
// Invariants, by name:
//
//   - no-overwrite: Rename and a Create without Overwrite never touch what
//     exists; fs.ErrExist is the answer.
//   - whole-or-nothing: a path that Publish wrote holds all bytes or is absent.
//   - plain-errors: every error names the operation and the path, satisfies
//     errors.Is for fs.ErrNotExist, fs.ErrExist and fs.ErrPermission where these
//     apply, and holds no Java stack trace.
//   - one-writer-one-connection: concurrent writers never share a connection to
//     the NameNode, because the HDFS client below has one call in flight at a
//     time and renews leases through the same lock.
package hdfsstore
