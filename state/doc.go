// Package state holds the keyed state of a task: values, lists and maps by key and namespace, timers, and their
// snapshots. Its callers are stream (operators hold the handles), dataflow and taskmanager (environment and
// snapshots) and jobmanager (handles of finished snapshots and their assignment to subtasks).
//
// A Keyed belongs to one task and to its goroutine. Behind every handle stands a table of typed entries in pages;
// this is the whole of the heap backend. With the pebble backend the same tables are a write-back cache in front
// of an ordered byte store, so that a hot key costs no encoding; the store is reached through the ByteStore seam,
// and this package does not import it.
//
// A snapshot has a synchronous part on the task's goroutine, which freezes the pages in O(number of pages) and
// takes a snapshot of the store, and an asynchronous part, Snapshot.WriteTo, which any goroutine may run while
// the task goes on. It starts no goroutines of its own. A native snapshot (SnapshotNative) does not read the store but
// lets it write what was frozen, and hands out its files; meanwhile the store keeps what the task commits above them. The only lock (Keyed.mu) guards the list of running
// snapshots; the record path takes none.
//
// Invariants, cited in the code:
//
//	frozen-pages    a page that a running snapshot can see is never written: the task replaces it by a copy first.
//	frozen-values   what a value that is not flat refers to is copied before the task gets hold of it, while a
//	                snapshot can still see it.
//	one-row         a row is in the store or dirty in its table or both, and the table is right; a snapshot is the
//	                store's snapshot overlaid by the dirty entries of the frozen pages.
//	drained         what was dirty in a page that a native snapshot froze is in the store once that snapshot's changes
//	                are (clock.drained), and may come there at any time before: until then nothing of it counts as new.
//	cut             the files of a native snapshot hold what the store and the dirty entries held at the barrier, and
//	                nothing that was committed later.
//	group-order     canonical snapshots hold rows by ascending key group, so that a range of them is a range of bytes.
//	verify-first    no byte of a snapshot is interpreted before its checksum was compared.
//
// Errors of handles are sticky: the first one is kept in Keyed.Err, handles then behave as if they were empty, and
// Snapshot refuses. The caller asks Err at least before each snapshot.
package state
