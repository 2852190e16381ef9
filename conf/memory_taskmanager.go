package conf

import (
	"fmt"
	"strings"
)

const taskManagerComponent = "TaskManager"

// TaskManagerPlan is the memory of a TaskManager, part by part, as Flink's model splits it. All figures are Flink's to the
// byte; what is metaspace and JVM overhead there is headroom of the Go process here.
type TaskManagerPlan struct {
	// Process is the whole, the container's size; Flink is what remains without Metaspace and Overhead.
	Process, Flink Size
	// FrameworkHeap and TaskHeap are Flink's heap.
	FrameworkHeap, TaskHeap Size
	// FrameworkOffHeap, TaskOffHeap and Network are Flink's direct memory; Network holds the exchange's buffers.
	FrameworkOffHeap, TaskOffHeap, Network Size
	// Managed is for state backends, sorting and hashing.
	Managed Size
	// Metaspace and Overhead complete the process.
	Metaspace, Overhead Size
	// Slots is the number of slots that share TaskHeap, TaskOffHeap, Network and Managed evenly.
	Slots int
	// Segment is the size of one network buffer.
	Segment Size
}

// SlotShare is what one slot has of its TaskManager.
type SlotShare struct {
	TaskHeap, TaskOffHeap, Network, Managed Size
}

func (p TaskManagerPlan) flinkSize() Size {
	return p.FrameworkHeap + p.TaskHeap + p.FrameworkOffHeap + p.TaskOffHeap + p.Network + p.Managed
}

// taskManagerKeys is a function because options and derivations refer to each other.
func taskManagerKeys() processKeys {
	return processKeys{
		component: taskManagerComponent, process: TaskManagerProcessSize, flink: TaskManagerFlinkSize, metaspace: TaskManagerMetaspaceSize,
		overheadMin: TaskManagerOverheadMin, overheadMax: TaskManagerOverheadMax, overheadFraction: TaskManagerOverheadFraction,
		legacySize: TaskManagerHeapSize, legacyMB: TaskManagerHeapMB, defaultProcess: defaultTaskManagerProcess,
		innerFromFlink: taskManagerFromFlink, innerFromParts: taskManagerFromParts,
	}
}

// TaskManagerMemory derives a TaskManager's memory from the configuration. It reads one of: task heap and managed size;
// Flink size; process size (1728m when none is set). Errors are *MemoryError or *ValueError and say what to change.
func TaskManagerMemory(c *Config) (TaskManagerPlan, error) {
	in, out, err := taskManagerKeys().derive(c)
	if err != nil {
		return TaskManagerPlan{}, err
	}
	p := in.(TaskManagerPlan)
	p.Flink, p.Process, p.Metaspace, p.Overhead = p.flinkSize(), out.process, out.metaspace, out.overhead
	p.Slots, p.Segment = TaskManagerNumberOfTaskSlots.Get(c), TaskManagerSegmentSize.Get(c)
	if p.Network < p.Segment {
		return p, &MemoryError{taskManagerComponent, fmt.Sprintf("network memory (%s) holds no buffer of %s", p.Network, p.Segment), "raise " + TaskManagerNetworkMin.Key}
	}
	return p, nil
}

// fixedParts are the parts whose sizes are always configured.
func fixedParts(c *Config) (TaskManagerPlan, []part) {
	p := TaskManagerPlan{
		FrameworkHeap:    TaskManagerFrameworkHeapSize.Get(c),
		FrameworkOffHeap: TaskManagerFrameworkOffHeapSize.Get(c),
		TaskOffHeap:      TaskManagerTaskOffHeapSize.Get(c),
	}
	return p, []part{
		{TaskManagerFrameworkHeapSize.Key, p.FrameworkHeap}, {TaskManagerFrameworkOffHeapSize.Key, p.FrameworkOffHeap},
		{TaskManagerTaskOffHeapSize.Key, p.TaskOffHeap},
	}
}

func networkBounds(c *Config) (bounded, error) {
	return newBounded(taskManagerComponent, c, TaskManagerNetworkMin, TaskManagerNetworkMax, TaskManagerNetworkFraction)
}

// taskManagerFromParts is the fine-grained way: task heap and managed memory are set.
func taskManagerFromParts(c *Config) (inner, bool, error) {
	if !TaskManagerTaskHeapSize.IsSet(c) || !TaskManagerManagedSize.IsSet(c) {
		return nil, false, nil
	}
	p, parts := fixedParts(c)
	p.TaskHeap, p.Managed = TaskManagerTaskHeapSize.Get(c), TaskManagerManagedSize.Get(c)
	parts = append(parts, part{TaskManagerTaskHeapSize.Key, p.TaskHeap}, part{TaskManagerManagedSize.Key, p.Managed})
	if TaskManagerFlinkSize.IsSet(c) {
		in, err := restToNetwork(c, p, parts, TaskManagerFlinkSize.Get(c))
		return in, true, err
	}
	b, err := networkBounds(c)
	if err != nil {
		return nil, true, err
	}
	p.Network = b.onTopOf(sum(parts))
	return p, true, nil
}

// taskManagerFromFlink splits a Flink size: managed and network memory by their shares, the rest is task heap; with a task
// heap set, the rest is network memory.
func taskManagerFromFlink(c *Config, flink Size) (inner, error) {
	p, parts := fixedParts(c)
	p.Managed = flink.times(narrow(TaskManagerManagedFraction.Get(c)))
	if TaskManagerManagedSize.IsSet(c) {
		p.Managed = TaskManagerManagedSize.Get(c)
	}
	parts = append(parts, part{TaskManagerManagedSize.Key, p.Managed})
	if TaskManagerTaskHeapSize.IsSet(c) {
		p.TaskHeap = TaskManagerTaskHeapSize.Get(c)
		return restToNetwork(c, p, append(parts, part{TaskManagerTaskHeapSize.Key, p.TaskHeap}), flink)
	}
	b, err := networkBounds(c)
	if err != nil {
		return nil, err
	}
	p.Network = b.of(flink)
	parts = append(parts, part{"network memory", p.Network})
	if sum(parts) > flink {
		return nil, tooLittle(parts, flink)
	}
	p.TaskHeap = flink - sum(parts)
	return p, nil
}

// restToNetwork gives what the set parts leave to the network buffers.
func restToNetwork(c *Config, p TaskManagerPlan, parts []part, flink Size) (inner, error) {
	if sum(parts) > flink {
		return nil, tooLittle(parts, flink)
	}
	b, err := networkBounds(c)
	if err != nil {
		return nil, err
	}
	p.Network = flink - sum(parts)
	if err := b.check(taskManagerComponent, "network memory", p.Network); err != nil {
		return nil, err
	}
	return p, nil
}

func tooLittle(parts []part, flink Size) error {
	return &MemoryError{taskManagerComponent,
		fmt.Sprintf("%s = %s exceed the Flink memory of %s (the process without metaspace and overhead)", describe(parts), sum(parts), flink),
		fmt.Sprintf("raise %s by at least %s, or lower one of these sizes", TaskManagerProcessSize.Key, sum(parts)-flink)}
}

// Slot returns an even share of the memory that slots have.
func (p TaskManagerPlan) Slot() SlotShare {
	n := Size(max(p.Slots, 1))
	return SlotShare{TaskHeap: p.TaskHeap / n, TaskOffHeap: p.TaskOffHeap / n, Network: p.Network / n, Managed: p.Managed / n}
}

// Buffers returns how many network buffers the network memory holds.
func (p TaskManagerPlan) Buffers() int { return int(p.Network / max(p.Segment, 1)) }

// WorkerProcess returns the share of the process that a worker started for some of the slots has, all processes of the
// TaskManager together staying within Process.
func (p TaskManagerPlan) WorkerProcess(slots int) Size {
	all := max(p.Slots, 1)
	return p.Process / Size(all) * Size(min(max(slots, 1), all))
}

// SoftLimit returns the GOMEMLIMIT of a Go process that may use share: nine tenths, since stacks of other libraries, the
// binary's pages and the collector's lag count for the container too.
func SoftLimit(share Size) Size { return share / 10 * 9 }

// Lines returns the table Flink prints at start, one line each, without a log prefix.
func (p TaskManagerPlan) Lines() []string {
	direct := p.FrameworkOffHeap + p.TaskOffHeap + p.Network
	return table("Final TaskExecutor Memory configuration:", 33, []row{
		{1, "Total Process Memory:", p.Process},
		{2, "Total Flink Memory:", p.Flink},
		{3, "Total JVM Heap Memory:", p.FrameworkHeap + p.TaskHeap},
		{4, "Framework:", p.FrameworkHeap},
		{4, "Task:", p.TaskHeap},
		{3, "Total Off-heap Memory:", p.Managed + direct},
		{4, "Managed:", p.Managed},
		{4, "Total JVM Direct Memory:", direct},
		{5, "Framework:", p.FrameworkOffHeap},
		{5, "Task:", p.TaskOffHeap},
		{5, "Network:", p.Network},
		{2, "JVM Metaspace:", p.Metaspace},
		{2, "JVM Overhead:", p.Overhead},
	})
}

// row is a line of a memory table.
type row struct {
	level int
	label string
	size  Size
}

// table lays out rows, labels indented by their level, figures in one column.
func table(title string, column int, rows []row) []string {
	lines := []string{title}
	for _, r := range rows {
		label := strings.Repeat("  ", r.level) + r.label
		lines = append(lines, fmt.Sprintf("%-*s%s", column, label, r.size.Human()))
	}
	return lines
}
