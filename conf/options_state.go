package conf

import "time"

// CheckpointMode is what a checkpoint guarantees.
type CheckpointMode string

// Values of execution.checkpointing.mode.
const (
	ExactlyOnce CheckpointMode = "EXACTLY_ONCE"
	AtLeastOnce CheckpointMode = "AT_LEAST_ONCE"
)

// CheckpointRetention is what becomes of the last checkpoints when a job ends.
type CheckpointRetention string

// Values of execution.checkpointing.externalized-checkpoint-retention.
const (
	RetainOnCancellation CheckpointRetention = "RETAIN_ON_CANCELLATION"
	DeleteOnCancellation CheckpointRetention = "DELETE_ON_CANCELLATION"
	NoRetention          CheckpointRetention = "NO_EXTERNALIZED_CHECKPOINTS"
)

// CheckpointStorage is where checkpoints are kept.
type CheckpointStorage string

// Values of execution.checkpointing.storage.
const (
	StorageJobManager CheckpointStorage = "jobmanager"
	StorageFileSystem CheckpointStorage = "filesystem"
)

// ClaimMode is who owns the files of a snapshot a job starts from.
type ClaimMode string

// Values of execution.state-recovery.claim-mode.
const (
	ClaimNo     ClaimMode = "NO_CLAIM"
	ClaimOwned  ClaimMode = "CLAIM"
	ClaimLegacy ClaimMode = "LEGACY"
)

// StateBackend is where keyed state lives.
type StateBackend string

// State backends: the heap, and pebble in RocksDB's place. Configuration files use Flink's names; heap and pebble are read too.
const (
	BackendHashMap StateBackend = "hashmap"
	BackendRocksDB StateBackend = "rocksdb"
)

// Checkpointing.
var (
	// CheckpointingInterval (execution.checkpointing.interval) switches checkpointing on.
	CheckpointingInterval = DurationOption("execution.checkpointing.interval", 0, "How often checkpoints are taken; checkpointing is off when it is not set or 0.").Optional()
	// CheckpointingIntervalDuringBacklog (execution.checkpointing.interval-during-backlog) is the interval while a source catches up.
	CheckpointingIntervalDuringBacklog = DurationOption("execution.checkpointing.interval-during-backlog", 0, "Interval while a source works off its backlog; 0 takes none meanwhile.").Optional()
	// CheckpointingMode (execution.checkpointing.mode) is exactly once or at least once.
	CheckpointingMode = EnumOption("execution.checkpointing.mode", ExactlyOnce, []CheckpointMode{ExactlyOnce, AtLeastOnce}, nil, "Guarantee of checkpoints.")
	// CheckpointingTimeout (execution.checkpointing.timeout) bounds a checkpoint.
	CheckpointingTimeout = DurationOption("execution.checkpointing.timeout", 10*time.Minute, "Longest time a checkpoint may take before it is given up.")
	// CheckpointingMinPause (execution.checkpointing.min-pause) is the least time between checkpoints.
	CheckpointingMinPause = DurationOption("execution.checkpointing.min-pause", 0, "Least time between the end of a checkpoint and the begin of the next.")
	// CheckpointingMaxConcurrent (execution.checkpointing.max-concurrent-checkpoints) bounds checkpoints under way.
	CheckpointingMaxConcurrent = PositiveOption("execution.checkpointing.max-concurrent-checkpoints", 1, "Most checkpoints that may be under way at once.")
	// CheckpointingTolerableFailed (execution.checkpointing.tolerable-failed-checkpoints) bounds failed checkpoints in a row.
	CheckpointingTolerableFailed = IntOption("execution.checkpointing.tolerable-failed-checkpoints", 0, "How many checkpoints in a row may fail before the job does.").Where("a whole number of at least 0", isNatural)
	// CheckpointingRetention (execution.checkpointing.externalized-checkpoint-retention) is what stays after a job's end.
	CheckpointingRetention = EnumOption("execution.checkpointing.externalized-checkpoint-retention", NoRetention, []CheckpointRetention{DeleteOnCancellation, RetainOnCancellation, NoRetention}, nil, "Whether the last checkpoints stay when a job is cancelled or fails.")
	// CheckpointingDir (execution.checkpointing.dir) is where checkpoints are written.
	CheckpointingDir = StringOption("execution.checkpointing.dir", "", "Folder for checkpoints, reachable from all processes: hdfs://… or file://….", "state.checkpoints.dir", "state.backend.fs.checkpointdir").Optional()
	// CheckpointingSavepointDir (execution.checkpointing.savepoint-dir) is where savepoints are written by default.
	CheckpointingSavepointDir = StringOption("execution.checkpointing.savepoint-dir", "", "Default folder for savepoints.", "state.savepoints.dir", "savepoints.state.backend.fs.dir").Optional()
	// CheckpointingStorage (execution.checkpointing.storage) is jobmanager, or filesystem when a folder is set.
	CheckpointingStorage = EnumOption("execution.checkpointing.storage", CheckpointStorage(""), []CheckpointStorage{StorageJobManager, StorageFileSystem}, nil, "Where checkpoints are kept: filesystem when execution.checkpointing.dir is set, else jobmanager.", "state.checkpoint-storage")
	// CheckpointingIncremental (execution.checkpointing.incremental) uploads new state files only.
	CheckpointingIncremental = BoolOption("execution.checkpointing.incremental", false, "Whether checkpoints of the rocksdb backend consist of the store's own files, of which only new ones are uploaded.", "state.backend.incremental")
	// CheckpointingNumRetained (execution.checkpointing.num-retained) is how many completed checkpoints are kept.
	CheckpointingNumRetained = PositiveOption("execution.checkpointing.num-retained", 1, "How many completed checkpoints are kept.", "state.checkpoints.num-retained")
	// CheckpointingCreateSubdir (execution.checkpointing.create-subdir) puts a folder named after the job between.
	CheckpointingCreateSubdir = BoolOption("execution.checkpointing.create-subdir", true, "Whether checkpoints go to a folder named after the job id below the checkpoint folder.", "state.checkpoints.create-subdir")
	// CheckpointingDataInlineThreshold (execution.checkpointing.data-inline-threshold) keeps small state in the metadata.
	CheckpointingDataInlineThreshold = SizeOption("execution.checkpointing.data-inline-threshold", 20*KB, "State smaller than this is stored in the checkpoint's metadata instead of a file. At most 1 mb.", "state.storage.fs.memory-threshold", "state.backend.fs.memory-threshold").Where("a memory size of at most 1 mb", func(s Size) bool { return s <= MB })
	// CheckpointingWriteBufferSize (execution.checkpointing.write-buffer-size) is the buffer of a state file, in bytes.
	CheckpointingWriteBufferSize = IntOption("execution.checkpointing.write-buffer-size", 4096, "Bytes of the write buffer of a state file.", "state.storage.fs.write-buffer-size", "state.backend.fs.write-buffer-size").Where("a positive number of bytes", isPositive)
	// CheckpointingUnaligned (execution.checkpointing.unaligned.enabled) lets barriers overtake records.
	CheckpointingUnaligned = BoolOption("execution.checkpointing.unaligned.enabled", false, "Whether barriers overtake queued records, which then belong to the checkpoint.", "execution.checkpointing.unaligned")
	// CheckpointingUnalignedForced (execution.checkpointing.unaligned.forced) insists on unaligned checkpoints.
	CheckpointingUnalignedForced = BoolOption("execution.checkpointing.unaligned.forced", false, "Whether checkpoints are unaligned even where a custom partitioner speaks against it.")
	// CheckpointingAlignedTimeout (execution.checkpointing.aligned-checkpoint-timeout) turns an aligned checkpoint into an unaligned one.
	CheckpointingAlignedTimeout = DurationOption("execution.checkpointing.aligned-checkpoint-timeout", 0, "With unaligned checkpoints: how long a checkpoint tries to be aligned first.", "execution.checkpointing.alignment-timeout")
	// CheckpointingAfterTasksFinish (execution.checkpointing.checkpoints-after-tasks-finish) keeps on when tasks ended.
	CheckpointingAfterTasksFinish = BoolOption("execution.checkpointing.checkpoints-after-tasks-finish", true, "Whether checkpoints go on after some tasks finished.", "execution.checkpointing.checkpoints-after-tasks-finish.enabled")
	// CheckpointingSnapshotCompression (execution.checkpointing.snapshot-compression) compresses snapshots.
	CheckpointingSnapshotCompression = BoolOption("execution.checkpointing.snapshot-compression", false, "Whether full snapshots of keyed state are compressed.")
	// CheckpointingFileMerging (execution.checkpointing.file-merging.enabled) writes one file per worker and checkpoint.
	CheckpointingFileMerging = BoolOption("execution.checkpointing.file-merging.enabled", true, "Whether small state files of a checkpoint are written into one file per worker. Flink's default is false; merging is what the NameNode needs.")
	// CheckpointingFileMergingMaxSize (execution.checkpointing.file-merging.max-file-size) bounds a merged file.
	CheckpointingFileMergingMaxSize = SizeOption("execution.checkpointing.file-merging.max-file-size", 32*MB, "Largest merged file.")
	// CheckpointingLocalBackup (execution.checkpointing.local-backup.enabled) keeps local copies.
	CheckpointingLocalBackup = BoolOption("execution.checkpointing.local-backup.enabled", false, "Whether a copy of the state stays on the TaskManager for a faster recovery.")
)

// Recovery.
var (
	// StateRecoveryPath (execution.state-recovery.path) is the snapshot a job starts from.
	StateRecoveryPath = StringOption("execution.state-recovery.path", "", "Savepoint or retained checkpoint the job starts from.", "execution.savepoint.path").Optional()
	// StateRecoveryIgnoreUnclaimed (execution.state-recovery.ignore-unclaimed-state) skips state without an operator.
	StateRecoveryIgnoreUnclaimed = BoolOption("execution.state-recovery.ignore-unclaimed-state", false, "Whether state of operators that are no longer in the program is skipped.", "execution.savepoint.ignore-unclaimed-state")
	// StateRecoveryClaimMode (execution.state-recovery.claim-mode) is who owns the snapshot's files.
	StateRecoveryClaimMode = EnumOption("execution.state-recovery.claim-mode", ClaimNo, []ClaimMode{ClaimOwned, ClaimNo, ClaimLegacy}, nil, "Who owns the snapshot the job starts from: CLAIM makes it the job's, NO_CLAIM leaves it alone.", "execution.savepoint-restore-mode")
	// StateRecoveryFromLocal (execution.state-recovery.from-local) restores from local copies.
	StateRecoveryFromLocal = BoolOption("execution.state-recovery.from-local", false, "Whether tasks restore from the copy on their TaskManager where there is one.", "state.backend.local-recovery")
)

// State backends.
var (
	// StateBackendType (state.backend.type) is hashmap (heap) or rocksdb (pebble).
	StateBackendType = EnumOption("state.backend.type", BackendHashMap, []StateBackend{BackendHashMap, BackendRocksDB},
		map[string]StateBackend{"heap": BackendHashMap, "pebble": BackendRocksDB, "jobmanager": BackendHashMap, "filesystem": BackendHashMap,
			"org.apache.flink.runtime.state.hashmap.hashmapstatebackendfactory":                BackendHashMap,
			"org.apache.flink.contrib.streaming.state.embeddedrocksdbstatebackendfactory":      BackendRocksDB,
			"org.apache.flink.contrib.streaming.state.rocksdbstatebackendfactory":              BackendRocksDB,
			"org.apache.flink.state.rocksdb.embeddedrocksdbstatebackendfactory":                BackendRocksDB,
			"org.apache.flink.runtime.state.filesystem.fsstatebackendfactory":                  BackendHashMap,
			"org.apache.flink.streaming.api.operators.sorted.state.batchexecutionstatebackend": BackendHashMap},
		"Where keyed state lives: hashmap (or heap), or rocksdb (or pebble: an embedded LSM store in RocksDB's place) for state larger than memory.", "state.backend")
	// RocksDBLocalDir (state.backend.rocksdb.localdir) is where the store's files are while a job runs.
	RocksDBLocalDir = StringOption("state.backend.rocksdb.localdir", "", "Folders for the working files of the rocksdb backend; io.tmp.dirs when it is not set.", "state.backend.rocksdb.checkpointdir").Optional()
	// RocksDBMemoryManaged (state.backend.rocksdb.memory.managed) sizes caches from managed memory.
	RocksDBMemoryManaged = BoolOption("state.backend.rocksdb.memory.managed", true, "Whether block cache and write buffers come out of managed memory.")
	// RocksDBFixedPerSlot (state.backend.rocksdb.memory.fixed-per-slot) sizes caches per slot.
	RocksDBFixedPerSlot = SizeOption("state.backend.rocksdb.memory.fixed-per-slot", 0, "Memory per slot for block cache and write buffers, instead of the slot's managed memory.").Optional()
	// RocksDBWriteBufferRatio (state.backend.rocksdb.memory.write-buffer-ratio) is the write buffers' share.
	RocksDBWriteBufferRatio = FractionOption("state.backend.rocksdb.memory.write-buffer-ratio", 0.5, "Write buffers' share of the backend's memory.")
	// RocksDBTransferThreads (state.backend.rocksdb.checkpoint.transfer.thread.num) bounds transfers at once.
	RocksDBTransferThreads = PositiveOption("state.backend.rocksdb.checkpoint.transfer.thread.num", 4, "Files that are uploaded or downloaded at once per task.")
	// RocksDBWriteBufferSize (state.backend.rocksdb.writebuffer.size) bounds a memtable.
	RocksDBWriteBufferSize = SizeOption("state.backend.rocksdb.writebuffer.size", 64*MB, "Largest write buffer; with managed memory it is derived from the slot's share and at most 16 mb.")
	// RocksDBBlockSize (state.backend.rocksdb.block.blocksize) is the size of a data block.
	RocksDBBlockSize = SizeOption("state.backend.rocksdb.block.blocksize", 4*KB, "Size of a data block.")
	// RocksDBBloomFilter (state.backend.rocksdb.use-bloom-filter) adds filters to new files.
	RocksDBBloomFilter = BoolOption("state.backend.rocksdb.use-bloom-filter", false, "Whether new files carry a bloom filter.")
)
