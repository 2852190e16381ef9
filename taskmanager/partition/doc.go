// Package partition keeps what tasks write for tasks of a later stage: result
// partitions on local disk, the blocking exchanges of BATCH. It knows nothing of
// record types. Package taskmanager/worker is its only caller: its tasks write
// partitions, and it serves them over package exchange.
//
// A partition is one file: what one subtask sent over one edge, for all targets.
// A Writer gathers buffers up to its memory and then writes them out in one go,
// ordered by target (a spill), so that a reader of one target reads long stretches
// however many targets there are. The Store of a worker knows the partitions that
// are complete.
//
//	file    = header { spill } index footer
//	header  = "GFPT" version 0 0 0
//	spill   = { chunk } table            the chunks of target 0, then of 1, …
//	chunk   = length rows crc bytes      one buffer of the exchange; crc of the bytes
//	table   = { offset length crc }      for each target, where its chunks lie;
//	                                     crc of the two
//	index   = { offset }                 of each spill's table
//	footer  = offset spills targets rows crc "GFPT"    offset of the index; crc of the
//	                                     index and of the four
//
// Offsets, lengths of a target, and rows of the footer take 8 bytes, the other
// numbers 4, all big-endian; crc is CRC-32C. A reader holds one table entry for each
// spill, never more of the file than a chunk, and checks all that it uses.
//
// Goroutines: none. A Writer belongs to its task's goroutine, a Reader to whoever
// reads; a Partition may be read by many.
//
// Locks: Store.mu; files are removed under it, and nothing else is done.
//
// Invariants:
//
//	whole-only   a partition is in the Store once its footer is written.
//	bounded      a Writer holds its Memory at most, and one jumbo buffer.
package partition
