package execution

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"goflink/graph"
)

// The scripts know four commands:
//
//	job [restart=none|fixed|rate|exponential] [attempts=N] [delay=D] [full] [adaptive]   input: one "name:parallelism [coupled] [group=G]" or
//	                                                                         "a -> b forward|rescale|hash [blocking]" a line
//	step t=D                        input: one event a line; output: actions
//	state                           output: job, tasks, history
func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		var g *Graph
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			switch d.Cmd {
			case "job":
				g = scriptJob(t, d)
				return fmt.Sprintf("%s, %d slots%s", g.State(), g.Slots(), regionsString(g))
			case "step":
				return scriptSteps(t, d, g)
			case "state":
				return describe(g)
			}
			d.Fatalf(t, "unknown command %s", d.Cmd)
			return ""
		})
	})
}

var zero = time.UnixMilli(0).UTC()

func duration(t *testing.T, d *datadriven.TestData, key string) time.Duration {
	var s string
	if !d.HasArg(key) {
		return 0
	}
	d.ScanArgs(t, key, &s)
	v, err := time.ParseDuration(s)
	if err != nil {
		d.Fatalf(t, "%s", err)
	}
	return v
}

func scriptJob(t *testing.T, d *datadriven.TestData) *Graph {
	cfg := Config{JobID: "job", Name: "test", Full: d.HasArg("full"), Adaptive: d.HasArg("adaptive")}
	for line := range strings.Lines(d.Input) {
		f := strings.Fields(line)
		if len(f) >= 4 && f[1] == "->" {
			p := graph.Partitioning_value[strings.ToUpper(f[3])]
			cfg.Edges = append(cfg.Edges, Edge{Source: f[0], Target: f[2], Partitioning: graph.Partitioning(p), Blocking: len(f) > 4 && f[4] == "blocking"})
			continue
		}
		name, n, _ := strings.Cut(f[0], ":")
		p, err := strconv.Atoi(n)
		if err != nil {
			d.Fatalf(t, "%s", err)
		}
		v := Vertex{ID: name, Name: name, Parallelism: p}
		for _, a := range f[1:] {
			v.Coupled = v.Coupled || a == "coupled"
			if g, ok := strings.CutPrefix(a, "group="); ok {
				v.Group = g
			}
		}
		cfg.Vertices = append(cfg.Vertices, v)
	}
	kind, attempts := "none", 1
	if d.HasArg("restart") {
		d.ScanArgs(t, "restart", &kind)
	}
	if d.HasArg("attempts") {
		d.ScanArgs(t, "attempts", &attempts)
	}
	delay := duration(t, d, "delay")
	switch kind {
	case "fixed":
		cfg.Restart = &FixedDelay{Attempts: attempts, Delay: delay}
	case "rate":
		cfg.Restart = &FailureRate{Max: attempts, Interval: time.Minute, Delay: delay}
	case "exponential":
		cfg.Restart = &ExponentialDelay{Initial: delay, Max: 10 * delay, Multiplier: 1.5, Reset: time.Hour, Attempts: math.MaxInt}
	}
	return New(cfg, zero)
}

// regionsString lists the tasks of each region, when there are several.
func regionsString(g *Graph) string {
	if g.Regions() == 1 {
		return ""
	}
	var b strings.Builder
	for r := range g.Regions() {
		fmt.Fprintf(&b, "\nregion %d:", r)
		for _, e := range g.RegionTasks(r) {
			fmt.Fprintf(&b, " %s/%d", e.Vertex.ID, e.Subtask)
		}
	}
	return b.String()
}

func scriptSteps(t *testing.T, d *datadriven.TestData, g *Graph) string {
	now := zero.Add(duration(t, d, "t"))
	var out strings.Builder
	for line := range strings.Lines(d.Input) {
		f := strings.Fields(line)
		for _, ev := range scriptEvents(t, d, g, f) {
			for _, a := range g.Step(now, ev) {
				out.WriteString(actionString(a) + "\n")
			}
		}
	}
	return out.String()
}

// scaleEvent reads "scale a:2 b:1", "rescale" and "fatal MESSAGE".
func scaleEvent(t *testing.T, d *datadriven.TestData, f []string) Event {
	switch f[0] {
	case "rescale":
		return Rescale{"other slots"}
	case "fatal":
		return GlobalFailure{Failure{Message: strings.Join(f[1:], " "), Retry: RetryNone}}
	}
	p := map[string]int{}
	for _, a := range f[1:] {
		name, n, _ := strings.Cut(a, ":")
		var err error
		if p[name], err = strconv.Atoi(n); err != nil {
			d.Fatalf(t, "%s", err)
		}
	}
	return Scale{p}
}

func scriptEvents(t *testing.T, d *datadriven.TestData, g *Graph, f []string) []Event {
	switch f[0] {
	case "scale", "rescale", "fatal":
		return []Event{scaleEvent(t, d, f)}
	case "start":
		return []Event{Start{}}
	case "slots":
		var slots []Slot
		for _, w := range f[1:] {
			slots = append(slots, Slot{Worker: w, TaskManager: "tm-" + w, Host: "host-" + w})
		}
		return []Event{SlotsReady{slots}}
	case "all":
		var evs []Event
		for _, e := range g.Tasks() {
			evs = append(evs, TaskReport{Task: e.ID(), Attempt: e.Attempt, State: TaskState(f[1])})
		}
		return evs
	case "region": // region 1 STATE
		n, _ := strconv.Atoi(f[1])
		var evs []Event
		for _, e := range g.RegionTasks(n) {
			evs = append(evs, TaskReport{Task: e.ID(), Attempt: e.Attempt, State: TaskState(f[2])})
		}
		return evs
	case "task": // task a/0 STATE [attempt=N] [retry=none] [message]
		name, sub, _ := strings.Cut(f[1], "/")
		n, _ := strconv.Atoi(sub)
		r := TaskReport{Task: TaskID{name, n}, Attempt: g.Task(TaskID{name, n}).Attempt, State: TaskState(f[2])}
		if r.State == TaskFailed {
			r.Failure = &Failure{Message: "boom"}
		}
		for _, a := range f[3:] {
			if v, ok := strings.CutPrefix(a, "attempt="); ok {
				r.Attempt, _ = strconv.Atoi(v)
			}
			if a == "retry=none" {
				r.Failure.Retry = RetryNone
			}
		}
		return []Event{r}
	case "lost":
		return []Event{WorkerLost{Worker: f[1], Planned: len(f) > 2, Cause: Failure{Message: "worker " + f[1] + " is gone"}}}
	case "gone": // gone a/0 [attempt=N]: its partition cannot be read
		name, sub, _ := strings.Cut(f[1], "/")
		n, _ := strconv.Atoi(sub)
		ev := PartitionLost{Task: TaskID{name, n}, Attempt: g.Task(TaskID{name, n}).Attempt, Cause: Failure{Message: "the partition of " + f[1] + " is damaged"}}
		if len(f) > 2 {
			ev.Attempt, _ = strconv.Atoi(strings.TrimPrefix(f[2], "attempt="))
		}
		return []Event{ev}
	case "unschedulable":
		return []Event{SchedulingFailed{Failure{Message: "no slots"}}}
	case "stopping":
		return []Event{Stopping{}}
	case "global":
		return []Event{GlobalFailure{Failure{Message: strings.Join(f[1:], " ")}}}
	case "cancel":
		return []Event{Cancel{}}
	case "committing":
		return []Event{Committing{}}
	case "suspend":
		return []Event{Suspend{}}
	case "due":
		return []Event{RestartDue{}}
	}
	d.Fatalf(t, "unknown event %q", f)
	return nil
}

func actionString(a Action) string {
	switch a := a.(type) {
	case JobSwitched:
		return fmt.Sprintf("job %s -> %s%s", a.From, a.To, because(a.Cause))
	case TaskSwitched:
		return fmt.Sprintf("task %s attempt %d %s -> %s", a.Task.Name(), a.Task.Attempt, a.From, a.To)
	case Schedule:
		return fmt.Sprintf("schedule attempt %d slots %d:%s", a.Attempt, a.Slots, names(a.Tasks))
	case Deploy:
		return "deploy" + names(a.Tasks)
	case Restarting:
		if a.Rescale {
			return "restarting, to be rescaled"
		}
		return fmt.Sprintf("Restarting{Delay:%s Others:%t}", a.Delay, a.Others)
	case Ended:
		return fmt.Sprintf("ended %s%s", a.State, because(a.Cause))
	}
	return strings.TrimPrefix(fmt.Sprintf("%T%+v", a, a), "execution.")
}

func names(list []*Execution) string {
	var b strings.Builder
	for _, e := range list {
		fmt.Fprintf(&b, " %s/%d#%d", e.Vertex.ID, e.Subtask, e.Attempt)
		if e.Slot.Worker != "" {
			b.WriteString("@" + e.Slot.Worker)
		}
	}
	return b.String()
}

func because(f *Failure) string {
	if f == nil {
		return ""
	}
	return " (" + f.Message + ")"
}

func describe(g *Graph) string {
	var b strings.Builder
	fmt.Fprintf(&b, "job %s attempt %d restarts %d\n", g.State(), g.Attempt(), g.Restarts())
	if g.cfg.Adaptive {
		fmt.Fprintf(&b, "awaiting %t rescalable %t rescales %d slots %d\n", g.Awaiting(), g.Rescalable(), g.Rescales(), g.Slots())
	}
	for _, e := range g.Tasks() {
		fmt.Fprintf(&b, "%s attempt %d %s on %q, %d earlier\n", e.Name(), e.Attempt, e.State, e.Slot.Worker, len(g.Previous(e.ID())))
	}
	entries, _ := g.History()
	for _, h := range entries {
		fmt.Fprintf(&b, "at %s: %s [%s#%d at %s] global=%t concurrent=%d\n", h.At.Sub(zero), h.Message, h.Task, h.Attempt, h.Location, h.Global, len(h.Concurrent))
		for _, c := range h.Concurrent {
			fmt.Fprintf(&b, "  %s [%s#%d]\n", c.Message, c.Task, c.Attempt)
		}
	}
	return b.String()
}

func TestExponentialDelay(t *testing.T) {
	s := &ExponentialDelay{Initial: time.Second, Max: 4 * time.Second, Multiplier: 2, Reset: time.Minute, Attempts: math.MaxInt}
	now := zero
	for i, want := range []time.Duration{1, 2, 4, 4} {
		got, ok := s.Failed(now)
		if got != want*time.Second || !ok {
			t.Fatalf("failure %d: %s %t", i, got, ok)
		}
		if again, _ := s.Failed(now.Add(got / 2)); again != got/2 {
			t.Fatalf("a failure during the pause waits another %s", again)
		}
		now = now.Add(got)
	}
	if got, _ := s.Failed(now.Add(time.Minute)); got != time.Second {
		t.Fatalf("after a quiet minute the pause is %s", got)
	}
	s.Random, s.Jitter = func() float64 { return 1 }, 0.1
	if got, _ := s.Failed(now.Add(time.Hour)); got != 1100*time.Millisecond {
		t.Fatalf("with jitter the pause is %s", got)
	}
}

func TestFailureRate(t *testing.T) {
	s := &FailureRate{Max: 2, Interval: time.Minute}
	for i, want := range []bool{true, true, false} {
		if _, ok := s.Failed(zero.Add(time.Duration(i) * time.Second)); ok != want {
			t.Fatalf("failure %d: %t", i, ok)
		}
	}
	if _, ok := s.Failed(zero.Add(2 * time.Hour)); !ok {
		t.Fatal("old failures count")
	}
}
