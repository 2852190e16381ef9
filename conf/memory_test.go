package conf

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
)

// TestMemory runs the scripts in testdata/memory: configuration lines in, the plan in bytes or the error out.
func TestMemory(t *testing.T) {
	datadriven.Walk(t, "testdata/memory", func(t *testing.T, path string) {
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			c, err := ParseLegacy("input", []byte(d.Input))
			if err != nil {
				t.Fatal(err)
			}
			switch d.Cmd {
			case "taskmanager":
				p, err := TaskManagerMemory(c)
				if err != nil {
					return err.Error() + "\n"
				}
				return taskManagerText(t, p)
			case "jobmanager":
				p, err := JobManagerMemory(c)
				if err != nil {
					return err.Error() + "\n"
				}
				if p.Heap+p.OffHeap != p.Flink || p.Flink+p.Metaspace+p.Overhead != p.Process {
					t.Errorf("the parts do not add up: %+v", p)
				}
				return fmt.Sprintf("process %d flink %d heap %d off-heap %d metaspace %d overhead %d\n", p.Process, p.Flink, p.Heap, p.OffHeap, p.Metaspace, p.Overhead)
			case "log":
				tm, err := TaskManagerMemory(c)
				if err != nil {
					t.Fatal(err)
				}
				jm, err := JobManagerMemory(c)
				if err != nil {
					t.Fatal(err)
				}
				return strings.Join(append(tm.Lines(), jm.Lines()...), "\n") + "\n"
			}
			t.Fatalf("unknown command %s", d.Cmd)
			return ""
		})
	})
}

func taskManagerText(t *testing.T, p TaskManagerPlan) string {
	t.Helper()
	if p.flinkSize() != p.Flink || p.Flink+p.Metaspace+p.Overhead != p.Process {
		t.Errorf("the parts do not add up: %+v", p)
	}
	s := p.Slot()
	return fmt.Sprintf("process %d flink %d\nheap: framework %d task %d\noff-heap: framework %d task %d network %d managed %d\nmetaspace %d overhead %d\nslot (of %d): task heap %d network %d managed %d\nbuffers %d\n",
		p.Process, p.Flink, p.FrameworkHeap, p.TaskHeap, p.FrameworkOffHeap, p.TaskOffHeap, p.Network, p.Managed, p.Metaspace, p.Overhead,
		p.Slots, s.TaskHeap, s.Network, s.Managed, p.Buffers())
}

func TestMemoryReportsMalformedValues(t *testing.T) {
	var ve *ValueError
	if _, err := TaskManagerMemory(FromMap(map[string]string{"taskmanager.memory.process.size": "2 giga"})); !errors.As(err, &ve) {
		t.Errorf("error %v", err)
	}
	if _, err := JobManagerMemory(FromMap(map[string]string{"jobmanager.memory.jvm-overhead.fraction": "2"})); !errors.As(err, &ve) {
		t.Errorf("error %v", err)
	}
}

func TestWorkerShares(t *testing.T) {
	p, err := TaskManagerMemory(FromMap(map[string]string{"taskmanager.memory.process.size": "4096m", "taskmanager.numberOfTaskSlots": "4"}))
	if err != nil {
		t.Fatal(err)
	}
	if got := p.WorkerProcess(1); got != GB {
		t.Errorf("one slot of four: %v", got)
	}
	if got := p.WorkerProcess(9); got != p.Process {
		t.Errorf("more slots than there are: %v", got)
	}
	if got := SoftLimit(1000); got != 900 {
		t.Errorf("soft limit %d", got)
	}
}
