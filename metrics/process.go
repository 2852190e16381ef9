package metrics

import (
	"runtime"
	rtm "runtime/metrics"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// samples of the Go runtime behind the figures that Flink shows of its JVM, by the same names: tools look for them.
const (
	heapObjects = "/memory/classes/heap/objects:bytes"
	heapTotal   = "/memory/classes/total:bytes"
	heapFreed   = "/memory/classes/heap/released:bytes"
	gcCycles    = "/gc/cycles/total:gc-cycles"
	gcPauses    = "/cpu/classes/gc/pause:cpu-seconds"
	memLimit    = "/gc/gomemlimit:bytes"
)

// goStats reads the runtime's figures at most once a second for all gauges together.
type goStats struct {
	mu struct {
		sync.Mutex
		at      time.Time
		cpu     time.Duration // at the last reading
		load    float64
		samples []rtm.Sample
	}
}

func newGoStats() *goStats {
	s := &goStats{}
	for _, n := range []string{heapObjects, heapTotal, heapFreed, gcCycles, gcPauses, memLimit} {
		s.mu.samples = append(s.mu.samples, rtm.Sample{Name: n})
	}
	s.mu.cpu = cpuTime()
	return s
}

// cpuTime is the processor time the process has used.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// get returns one figure, reading anew when the last reading is older than a second.
func (s *goStats) get(name string) float64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refresh(time.Now())
	for _, x := range s.mu.samples {
		if x.Name != name {
			continue
		}
		switch x.Value.Kind() {
		case rtm.KindUint64:
			return float64(x.Value.Uint64())
		case rtm.KindFloat64:
			return x.Value.Float64()
		}
	}
	return 0
}

// load is the share of all processors the process used lately.
func (s *goStats) load() float64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refresh(time.Now())
	return s.mu.load
}

func (s *goStats) refresh(now time.Time) {
	if now.Sub(s.mu.at) < time.Second {
		return
	}
	cpu := cpuTime()
	if !s.mu.at.IsZero() {
		s.mu.load = min(1, float64(cpu-s.mu.cpu)/float64(now.Sub(s.mu.at))/float64(runtime.NumCPU()))
	}
	s.mu.at, s.mu.cpu = now, cpu
	rtm.Read(s.mu.samples)
}

// RegisterProcess registers the figures of the Go process under the names Flink has for its JVM (Status.JVM.…).
func RegisterProcess(g *Group) {
	s := newGoStats()
	whole := func(f func() float64) Gauge { return IntGauge(func() int64 { return int64(f()) }) }
	jvm := g.Group("Status").Group("JVM")
	jvm.Group("CPU").Gauge("Load", FloatGauge(s.load))
	jvm.Group("CPU").Gauge("Time", IntGauge(func() int64 { return int64(cpuTime()) }))
	heap := jvm.Group("Memory").Group("Heap")
	heap.Gauge("Used", whole(func() float64 { return s.get(heapObjects) }))
	heap.Gauge("Committed", whole(func() float64 { return s.get(heapTotal) - s.get(heapFreed) }))
	heap.Gauge("Max", whole(func() float64 { return s.get(memLimit) }))
	none := Gauge(func() string { return strconv.Itoa(0) })
	for _, kind := range []string{"NonHeap", "Metaspace"} {
		for _, name := range []string{"Used", "Committed", "Max"} {
			jvm.Group("Memory").Group(kind).Gauge(name, none)
		}
	}
	for _, kind := range []string{"Direct", "Mapped"} {
		for _, name := range []string{"Count", "MemoryUsed", "TotalCapacity"} {
			jvm.Group("Memory").Group(kind).Gauge(name, none)
		}
	}
	gc := jvm.Group("GarbageCollector").Group("All")
	gc.Gauge("Count", whole(func() float64 { return s.get(gcCycles) }))
	gc.Gauge("Time", whole(func() float64 { return s.get(gcPauses) * 1000 }))
	jvm.Group("Threads").Gauge("Count", IntGauge(func() int64 { return int64(runtime.NumGoroutine()) }))
}
