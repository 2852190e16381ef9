package rest

import "goflink/conf"

// TaskManagersAnswer answers GET /taskmanagers.
type TaskManagersAnswer struct {
	TaskManagers []TaskManagerAnswer `json:"taskmanagers"`
}

// TaskManagerAnswer is a TaskManager in the list.
type TaskManagerAnswer struct {
	ID       string `json:"id"`
	Path     string `json:"path"`
	DataPort int    `json:"dataPort"`
	JMXPort  int    `json:"jmxPort"`
	// LastHeartbeat is the time of the last heartbeat in milliseconds since the epoch; the name is Flink's.
	LastHeartbeat int64               `json:"timeSinceLastHeartbeat"`
	Slots         int                 `json:"slotsNumber"`
	FreeSlots     int                 `json:"freeSlots"`
	Total         Resource            `json:"totalResource"`
	Free          Resource            `json:"freeResource"`
	Hardware      Hardware            `json:"hardware"`
	Memory        MemoryConfiguration `json:"memoryConfiguration"`
}

// TaskManagerDetailsAnswer answers GET /taskmanagers/:taskmanagerid.
type TaskManagerDetailsAnswer struct {
	TaskManagerAnswer
	Allocated []AllocatedSlot    `json:"allocatedSlots"`
	Metrics   TaskManagerMetrics `json:"metrics"`
}

// Resource is what a TaskManager or a slot has; memory is in mebibytes.
type Resource struct {
	CPU         float64            `json:"cpuCores"`
	TaskHeap    int64              `json:"taskHeapMemory"`
	TaskOffHeap int64              `json:"taskOffHeapMemory"`
	Managed     int64              `json:"managedMemory"`
	Network     int64              `json:"networkMemory"`
	Extended    map[string]float64 `json:"extendedResources"`
}

// Hardware is the machine a TaskManager runs on; memory is in bytes, Free the heap's size.
type Hardware struct {
	CPUCores int   `json:"cpuCores"`
	Physical int64 `json:"physicalMemory"`
	Free     int64 `json:"freeMemory"`
	Managed  int64 `json:"managedMemory"`
}

// MemoryConfiguration is a TaskManager's memory plan in bytes.
type MemoryConfiguration struct {
	FrameworkHeap    int64 `json:"frameworkHeap"`
	TaskHeap         int64 `json:"taskHeap"`
	FrameworkOffHeap int64 `json:"frameworkOffHeap"`
	TaskOffHeap      int64 `json:"taskOffHeap"`
	Network          int64 `json:"networkMemory"`
	Managed          int64 `json:"managedMemory"`
	Metaspace        int64 `json:"jvmMetaspace"`
	Overhead         int64 `json:"jvmOverhead"`
	Flink            int64 `json:"totalFlinkMemory"`
	Process          int64 `json:"totalProcessMemory"`
}

// AllocatedSlot is a slot in use.
type AllocatedSlot struct {
	JobID    string   `json:"jobId"`
	Resource Resource `json:"resource"`
}

// TaskManagerMetrics are the figures of a TaskManager's process and network buffers.
type TaskManagerMetrics struct {
	HeapUsed          int64              `json:"heapUsed"`
	HeapCommitted     int64              `json:"heapCommitted"`
	HeapMax           int64              `json:"heapMax"`
	NonHeapUsed       int64              `json:"nonHeapUsed"`
	NonHeapCommitted  int64              `json:"nonHeapCommitted"`
	NonHeapMax        int64              `json:"nonHeapMax"`
	DirectCount       int64              `json:"directCount"`
	DirectUsed        int64              `json:"directUsed"`
	DirectMax         int64              `json:"directMax"`
	MappedCount       int64              `json:"mappedCount"`
	MappedUsed        int64              `json:"mappedUsed"`
	MappedMax         int64              `json:"mappedMax"`
	SegmentsAvailable int64              `json:"memorySegmentsAvailable"`
	SegmentsTotal     int64              `json:"memorySegmentsTotal"`
	NettyAvailable    int64              `json:"nettyShuffleMemorySegmentsAvailable"`
	NettyUsed         int64              `json:"nettyShuffleMemorySegmentsUsed"`
	NettyTotal        int64              `json:"nettyShuffleMemorySegmentsTotal"`
	NettyAvailBytes   int64              `json:"nettyShuffleMemoryAvailable"`
	NettyUsedBytes    int64              `json:"nettyShuffleMemoryUsed"`
	NettyTotalBytes   int64              `json:"nettyShuffleMemoryTotal"`
	Collectors        []GarbageCollector `json:"garbageCollectors"`
}

// GarbageCollector is the work of a collector, its time in milliseconds.
type GarbageCollector struct {
	Name  string `json:"name"`
	Count int64  `json:"count"`
	Time  int64  `json:"time"`
}

// SetBuffers fills in the network buffers: how many there are, how many are in use, and their size in bytes.
func (m *TaskManagerMetrics) SetBuffers(total, used, size int64) {
	m.SegmentsTotal, m.SegmentsAvailable = total, total-used
	m.NettyTotal, m.NettyUsed, m.NettyAvailable = total, used, total-used
	m.NettyTotalBytes, m.NettyUsedBytes, m.NettyAvailBytes = total*size, used*size, (total-used)*size
}

// MemoryOf returns a memory plan as the API shows it.
func MemoryOf(p conf.TaskManagerPlan) MemoryConfiguration {
	return MemoryConfiguration{
		FrameworkHeap: int64(p.FrameworkHeap), TaskHeap: int64(p.TaskHeap), FrameworkOffHeap: int64(p.FrameworkOffHeap),
		TaskOffHeap: int64(p.TaskOffHeap), Network: int64(p.Network), Managed: int64(p.Managed), Metaspace: int64(p.Metaspace),
		Overhead: int64(p.Overhead), Flink: int64(p.Flink), Process: int64(p.Process),
	}
}

// ResourceOf returns what so many slots of a plan have, each of them an equal share, with so many cores in all.
func ResourceOf(p conf.TaskManagerPlan, slots int, cores float64) Resource {
	all := conf.Size(max(p.Slots, 1))
	share := func(s conf.Size) int64 { return int64(s / all * conf.Size(slots) / conf.MB) }
	r := Resource{CPU: cores / float64(all) * float64(slots), Extended: map[string]float64{}}
	if slots == p.Slots { // the whole, without the bytes that the division drops
		share = func(s conf.Size) int64 { return int64(s / conf.MB) }
	}
	r.TaskHeap, r.TaskOffHeap, r.Managed, r.Network = share(p.TaskHeap), share(p.TaskOffHeap), share(p.Managed), share(p.Network)
	return r
}
