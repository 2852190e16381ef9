package conf

// Memory of a TaskManager; TaskManagerMemory does the arithmetic.
var (
	// TaskManagerProcessSize (taskmanager.memory.process.size) is the whole process, the YARN container's size.
	TaskManagerProcessSize = SizeOption("taskmanager.memory.process.size", 0, "Memory of the whole TaskManager process; on YARN the size of its container.").Optional()
	// TaskManagerFlinkSize (taskmanager.memory.flink.size) is the process without metaspace and overhead.
	TaskManagerFlinkSize = SizeOption("taskmanager.memory.flink.size", 0, "Memory of the TaskManager without metaspace and overhead.").Optional()
	// TaskManagerFrameworkHeapSize (taskmanager.memory.framework.heap.size) is kept for the framework.
	TaskManagerFrameworkHeapSize = SizeOption("taskmanager.memory.framework.heap.size", 128*MB, "Heap kept for the framework, not given to slots.")
	// TaskManagerFrameworkOffHeapSize (taskmanager.memory.framework.off-heap.size) is kept for the framework.
	TaskManagerFrameworkOffHeapSize = SizeOption("taskmanager.memory.framework.off-heap.size", 128*MB, "Off-heap memory kept for the framework, not given to slots.")
	// TaskManagerTaskHeapSize (taskmanager.memory.task.heap.size) is for tasks.
	TaskManagerTaskHeapSize = SizeOption("taskmanager.memory.task.heap.size", 0, "Heap for tasks. Together with taskmanager.memory.managed.size it fixes the whole budget.").Optional()
	// TaskManagerTaskOffHeapSize (taskmanager.memory.task.off-heap.size) is for tasks.
	TaskManagerTaskOffHeapSize = SizeOption("taskmanager.memory.task.off-heap.size", 0, "Off-heap memory for tasks.")
	// TaskManagerManagedSize (taskmanager.memory.managed.size) is for state backends, sorting and hashing.
	TaskManagerManagedSize = SizeOption("taskmanager.memory.managed.size", 0, "Managed memory: block cache and write buffers of the pebble state backend, sorting, hashing.", "taskmanager.memory.size").Optional()
	// TaskManagerManagedFraction (taskmanager.memory.managed.fraction) is managed memory's share.
	TaskManagerManagedFraction = FractionOption("taskmanager.memory.managed.fraction", 0.4, "Managed memory's share of the Flink memory when its size is not set.")
	// TaskManagerManagedConsumerWeights (taskmanager.memory.managed.consumer-weights) splits managed memory.
	TaskManagerManagedConsumerWeights = MapOption("taskmanager.memory.managed.consumer-weights", map[string]string{"OPERATOR": "70", "STATE_BACKEND": "70", "PYTHON": "30"}, "Weights by which the managed memory of a slot is split among its consumers.")
	// TaskManagerNetworkMin (taskmanager.memory.network.min) is network memory's lower bound.
	TaskManagerNetworkMin = SizeOption("taskmanager.memory.network.min", 64*MB, "Least memory for network buffers.", "taskmanager.network.memory.min")
	// TaskManagerNetworkMax (taskmanager.memory.network.max) is network memory's upper bound.
	TaskManagerNetworkMax = SizeOption("taskmanager.memory.network.max", MaxSize, "Most memory for network buffers. Set to the same value as the minimum it fixes the size.", "taskmanager.network.memory.max")
	// TaskManagerNetworkFraction (taskmanager.memory.network.fraction) is network memory's share.
	TaskManagerNetworkFraction = FractionOption("taskmanager.memory.network.fraction", 0.1, "Network buffers' share of the Flink memory, within their bounds.", "taskmanager.network.memory.fraction")
	// TaskManagerSegmentSize (taskmanager.memory.segment-size) is the size of a network buffer.
	TaskManagerSegmentSize = SizeOption("taskmanager.memory.segment-size", 32*KB, "Size of a network buffer, a power of two.").Where("a power of two of at least 256 bytes, for example 32kb", isSegmentSize)
	// TaskManagerMinSegmentSize (taskmanager.memory.min-segment-size) is the least buffer size debloating goes down to.
	TaskManagerMinSegmentSize = SizeOption("taskmanager.memory.min-segment-size", 256, "Least size of a network buffer that buffer debloating goes down to.").Where("a memory size of at least 1 byte", func(s Size) bool { return s >= 1 })
	// TaskManagerMetaspaceSize (taskmanager.memory.jvm-metaspace.size) keeps the arithmetic; Go has no metaspace.
	TaskManagerMetaspaceSize = SizeOption("taskmanager.memory.jvm-metaspace.size", 256*MB, "Metaspace of a JVM. There is none here: the figure keeps Flink's arithmetic, the memory is headroom of the process.")
	// TaskManagerOverheadMin (taskmanager.memory.jvm-overhead.min) is the overhead's lower bound.
	TaskManagerOverheadMin = SizeOption("taskmanager.memory.jvm-overhead.min", 192*MB, "Least memory kept for the runtime's own needs.")
	// TaskManagerOverheadMax (taskmanager.memory.jvm-overhead.max) is the overhead's upper bound.
	TaskManagerOverheadMax = SizeOption("taskmanager.memory.jvm-overhead.max", 1*GB, "Most memory kept for the runtime's own needs.")
	// TaskManagerOverheadFraction (taskmanager.memory.jvm-overhead.fraction) is the overhead's share.
	TaskManagerOverheadFraction = FractionOption("taskmanager.memory.jvm-overhead.fraction", 0.1, "Overhead's share of the process memory, within its bounds.")
	// TaskManagerCPUCores (taskmanager.cpu.cores) is what a TaskManager reports as its cores.
	TaskManagerCPUCores = FloatOption("taskmanager.cpu.cores", 0, "CPU cores of a TaskManager; the number of its slots, on YARN its vcores, when it is not set.").Optional()
	// TaskManagerHeapSize (taskmanager.heap.size) is the process size's old name.
	TaskManagerHeapSize = SizeOption("taskmanager.heap.size", 0, "Old name of taskmanager.memory.process.size, read when no newer size is set.").Optional()
	// TaskManagerHeapMB (taskmanager.heap.mb) is the process size's oldest name, in megabytes.
	TaskManagerHeapMB = IntOption("taskmanager.heap.mb", 0, "Older name of the TaskManager's size, in megabytes.").Optional()
)

// Memory of the JobManager; JobManagerMemory does the arithmetic.
var (
	// JobManagerProcessSize (jobmanager.memory.process.size) is the whole process, the YARN container's size.
	JobManagerProcessSize = SizeOption("jobmanager.memory.process.size", 0, "Memory of the whole JobManager process; on YARN the size of the ApplicationMaster's container.").Optional()
	// JobManagerFlinkSize (jobmanager.memory.flink.size) is the process without metaspace and overhead.
	JobManagerFlinkSize = SizeOption("jobmanager.memory.flink.size", 0, "Memory of the JobManager without metaspace and overhead.").Optional()
	// JobManagerMemoryHeapSize (jobmanager.memory.heap.size) is the JobManager's heap.
	JobManagerMemoryHeapSize = SizeOption("jobmanager.memory.heap.size", 0, "Heap of the JobManager.").Optional()
	// JobManagerOffHeapSize (jobmanager.memory.off-heap.size) is the JobManager's off-heap memory.
	JobManagerOffHeapSize = SizeOption("jobmanager.memory.off-heap.size", 128*MB, "Off-heap memory of the JobManager.")
	// JobManagerMetaspaceSize (jobmanager.memory.jvm-metaspace.size) keeps the arithmetic; Go has no metaspace.
	JobManagerMetaspaceSize = SizeOption("jobmanager.memory.jvm-metaspace.size", 256*MB, "Metaspace of a JVM. There is none here: the figure keeps Flink's arithmetic, the memory is headroom of the process.")
	// JobManagerOverheadMin (jobmanager.memory.jvm-overhead.min) is the overhead's lower bound.
	JobManagerOverheadMin = SizeOption("jobmanager.memory.jvm-overhead.min", 192*MB, "Least memory kept for the runtime's own needs.")
	// JobManagerOverheadMax (jobmanager.memory.jvm-overhead.max) is the overhead's upper bound.
	JobManagerOverheadMax = SizeOption("jobmanager.memory.jvm-overhead.max", 1*GB, "Most memory kept for the runtime's own needs.")
	// JobManagerOverheadFraction (jobmanager.memory.jvm-overhead.fraction) is the overhead's share.
	JobManagerOverheadFraction = FractionOption("jobmanager.memory.jvm-overhead.fraction", 0.1, "Overhead's share of the process memory, within its bounds.")
	// JobManagerHeapSize (jobmanager.heap.size) is the process size's old name.
	JobManagerHeapSize = SizeOption("jobmanager.heap.size", 0, "Old name of jobmanager.memory.process.size, read when no newer size is set.").Optional()
	// JobManagerHeapMB (jobmanager.heap.mb) is the process size's oldest name, in megabytes.
	JobManagerHeapMB = IntOption("jobmanager.heap.mb", 0, "Older name of the JobManager's size, in megabytes.").Optional()
)

// isSegmentSize: a power of two, so that offsets are masks; 256 bytes hold at least a header and a record's beginning.
func isSegmentSize(s Size) bool { return s >= 256 && s <= 1*GB && s&(s-1) == 0 }
