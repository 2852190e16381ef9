package conf

import "fmt"

const jobManagerComponent = "JobManager"

// JobManagerPlan is the memory of a JobManager, part by part, as Flink's model splits it.
type JobManagerPlan struct {
	// Process is the whole, the ApplicationMaster's container; Flink is what remains without Metaspace and Overhead.
	Process, Flink Size
	// Heap and OffHeap make up Flink.
	Heap, OffHeap Size
	// Metaspace and Overhead complete the process.
	Metaspace, Overhead Size
}

func (p JobManagerPlan) flinkSize() Size { return p.Heap + p.OffHeap }

func jobManagerKeys() processKeys {
	return processKeys{
		component: jobManagerComponent, process: JobManagerProcessSize, flink: JobManagerFlinkSize, metaspace: JobManagerMetaspaceSize,
		overheadMin: JobManagerOverheadMin, overheadMax: JobManagerOverheadMax, overheadFraction: JobManagerOverheadFraction,
		legacySize: JobManagerHeapSize, legacyMB: JobManagerHeapMB, defaultProcess: defaultJobManagerProcess,
		innerFromFlink: jobManagerFromFlink, innerFromParts: jobManagerFromParts,
	}
}

// JobManagerMemory derives a JobManager's memory from the configuration. It reads one of: heap size; Flink size; process
// size (1600m when none is set). Errors are *MemoryError or *ValueError and say what to change.
func JobManagerMemory(c *Config) (JobManagerPlan, error) {
	in, out, err := jobManagerKeys().derive(c)
	if err != nil {
		return JobManagerPlan{}, err
	}
	p := in.(JobManagerPlan)
	p.Flink, p.Process, p.Metaspace, p.Overhead = p.flinkSize(), out.process, out.metaspace, out.overhead
	return p, nil
}

// jobManagerFromParts is the fine-grained way: the heap is set. With a Flink size beside it the rest is off-heap.
func jobManagerFromParts(c *Config) (inner, bool, error) {
	if !JobManagerMemoryHeapSize.IsSet(c) {
		return nil, false, nil
	}
	p := JobManagerPlan{Heap: JobManagerMemoryHeapSize.Get(c), OffHeap: JobManagerOffHeapSize.Get(c)}
	if !JobManagerFlinkSize.IsSet(c) {
		return p, true, nil
	}
	flink := JobManagerFlinkSize.Get(c)
	if p.Heap > flink {
		return nil, true, &MemoryError{jobManagerComponent, fmt.Sprintf("%s (%s) exceeds %s (%s)", JobManagerMemoryHeapSize.Key, p.Heap, JobManagerFlinkSize.Key, flink),
			"raise the Flink size, or leave one of the two out"}
	}
	p.OffHeap = flink - p.Heap
	return p, true, nil
}

func jobManagerFromFlink(c *Config, flink Size) (inner, error) {
	off := JobManagerOffHeapSize.Get(c)
	if off >= flink {
		return nil, &MemoryError{jobManagerComponent, fmt.Sprintf("%s (%s) leaves nothing of the Flink memory of %s (the process without metaspace and overhead)", JobManagerOffHeapSize.Key, off, flink),
			fmt.Sprintf("raise %s to at least %s, or lower the off-heap size", JobManagerProcessSize.Key, defaultJobManagerProcess)}
	}
	return JobManagerPlan{Heap: flink - off, OffHeap: off}, nil
}

// Lines returns the table Flink prints at start, one line each, without a log prefix.
func (p JobManagerPlan) Lines() []string {
	return table("Final Master Memory configuration:", 24, []row{
		{1, "Total Process Memory:", p.Process},
		{2, "Total Flink Memory:", p.Flink},
		{3, "JVM Heap:", p.Heap},
		{3, "Off-heap:", p.OffHeap},
		{2, "JVM Metaspace:", p.Metaspace},
		{2, "JVM Overhead:", p.Overhead},
	})
}
