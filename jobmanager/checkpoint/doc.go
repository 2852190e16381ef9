// Package checkpoint decides about checkpoints and savepoints of one job: when
// they are taken, when they are complete, when their files may go. It also owns
// the format of _metadata, and which subtask gets which state at a restore.
//
// Coordinator is a pure core: Step takes an event and the time and returns what
// is to be done; there is no clock, I/O, goroutine or lock in it. The job
// master (package jobmanager) owns it, calls it from one goroutine, carries out
// the actions in the order given, and reports back.
//
// The way of a checkpoint, with the event that ends each stage:
//
//	preparing     its folder is made, exclusively           Prepared
//	snapshotting  the enumerators are snapshotted           CoordinatorSnapshot
//	acking        tasks take and store their state          Ack, of every task
//	queued        an older one is being finalised
//	writing       _metadata is written and renamed          Written
//	publishing    its pointer is made durable               Published
//
// then it is complete: tasks are told, older ones are subsumed.
//
// Invariants:
//
//	all-acked       no checkpoint completes without the acknowledgement of every
//	                task that had not finished when it was triggered.
//	publish-first   tasks hear of a completion only after the pointer is durable.
//	referenced      no file is deleted that a retained checkpoint, one being
//	                finalised or one under way may refer to.
//	exclusive       a folder is deleted only by who made it, so a paused
//	                predecessor cannot remove what its successor writes.
//	split-order     Trigger is given out in the very step that takes the
//	                enumerators' snapshot, so nothing assigned later overtakes it.
//	one-unaligned   with unaligned checkpoints nothing is under way beside one:
//	                a barrier that overtakes must meet no other.
//	in-order        checkpoints are finalised one after another, oldest first.
package checkpoint
