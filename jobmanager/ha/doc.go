// Package ha keeps what a JobManager must not forget (its jobs, the last
// completed checkpoint of each, the results of ended ones) in a folder of a file
// system, and makes sure that of several attempts of a JobManager only the
// newest changes it. It needs no ZooKeeper: its only tool is that a file system
// renames atomically and, asked so, never overwrites.
//
// Who calls it: the JobManager (dispatcher and checkpoint coordinator) owns a
// Store; TaskManagers and workers that lost their JobManager call ReadLeader.
//
// The folder:
//
//	<dir>/epoch-0000000003/                     the open epoch, of attempt 3
//	          0000000000-snapshot               what it took over
//	          0000000001-job-<job>              a job graph
//	          0000000005-upd-<job>              the graph that replaced it
//	          0000000009-chk-<job>              the last completed checkpoint
//	          0000000010-end-<job>              the result of an ended job
//	          0000000011-del-<job>              a job that was removed
//	          leader                            where attempt 3 can be reached
//	<dir>/closed-0000000002/                    an earlier epoch
//	<dir>/tmp-0000000003/                       its files before their rename
//
// Attempt n takes over: it claims its epoch folder (exclusively), renames every
// open folder of a lower number to closed-…, which takes the ground from under
// whoever still writes there, reads the highest of the closed ones that has a
// snapshot, and publishes its own snapshot. From then on it leads. An attempt
// that sees a higher number anywhere gives up with ErrFenced. Every change is a
// small file, written to tmp-…/ and renamed into the epoch folder: the rename of an
// attempt whose folder is gone fails, however long it slept between any two
// steps. The decisions are in takeover.go and publish.go, without I/O; the
// Store carries them out.
//
// Invariants, by name:
//
//   - claim-then-look: an attempt makes its own claim visible before it looks for
//     others, so that of two attempts at least one sees the other.
//   - close-then-read: a folder is read only after it was closed, so nothing is
//     acknowledged in it that the reader misses.
//   - snapshot-last: an epoch without a snapshot counts for nothing; one with a
//     snapshot holds everything.
//   - rename-is-the-act: a change has happened when its rename has, and is
//     acknowledged only after the file was seen in the open folder afterwards (on
//     a local file system a rename may land in a folder that is being renamed).
//   - sequence: files of an epoch are numbered by its one writer; replaying them in
//     this order gives the state, so deleting what was superseded is only thrift.
//
// Goroutines: none. Locks: Store.mu orders the renames and guards the table of
// jobs; it is held during the rename and its check, a few milliseconds each, not
// while a file is written.
package ha
