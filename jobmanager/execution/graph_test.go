package execution

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
)

// The scripts know four commands:
//
//	job [restart=none|fixed|rate|exponential] [attempts=N] [delay=D]   input: one "name:parallelism" a line
//	step t=D                        input: one event a line; output: actions
//	state                           output: job, tasks, history
func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		var g *Graph
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			switch d.Cmd {
			case "job":
				g = scriptJob(t, d)
				return fmt.Sprintf("%s, %d slots", g.State(), g.Slots())
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
	cfg := Config{JobID: "job", Name: "test"}
	for line := range strings.Lines(d.Input) {
		name, n, _ := strings.Cut(strings.TrimSpace(line), ":")
		p, err := strconv.Atoi(n)
		if err != nil {
			d.Fatalf(t, "%s", err)
		}
		cfg.Vertices = append(cfg.Vertices, Vertex{ID: name, Name: name, Parallelism: p})
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

func scriptEvents(t *testing.T, d *datadriven.TestData, g *Graph, f []string) []Event {
	switch f[0] {
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
			evs = append(evs, TaskReport{Task: e.ID(), Attempt: g.Attempt(), State: TaskState(f[1])})
		}
		return evs
	case "task": // task a/0 STATE [attempt=N] [retry=none] [message]
		name, sub, _ := strings.Cut(f[1], "/")
		n, _ := strconv.Atoi(sub)
		r := TaskReport{Task: TaskID{name, n}, Attempt: g.Attempt(), State: TaskState(f[2])}
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
		return []Event{WorkerLost{Worker: f[1], Cause: Failure{Message: "worker " + f[1] + " is gone"}}}
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
	case Ended:
		return fmt.Sprintf("ended %s%s", a.State, because(a.Cause))
	}
	return strings.TrimPrefix(fmt.Sprintf("%T%+v", a, a), "execution.")
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
	for _, e := range g.Tasks() {
		fmt.Fprintf(&b, "%s %s on %q, %d earlier\n", e.Name(), e.State, e.Slot.Worker, len(g.Previous(e.ID())))
	}
	entries, _ := g.History()
	for _, h := range entries {
		fmt.Fprintf(&b, "at %s: %s [%s] global=%t concurrent=%d\n", h.At.Sub(zero), h.Message, h.Task, h.Global, len(h.Concurrent))
	}
	return b.String()
}

// TestRandomEvents throws events at the machine in any order: it never panics,
// terminal states are never left, an attempt never starts while a task of the
// one before lives, and a job whose tasks all end does not hang.
func TestRandomEvents(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	for range 2000 {
		g := New(Config{Vertices: []Vertex{{ID: "a", Parallelism: 2}, {ID: "b", Parallelism: 3}}, Restart: &FixedDelay{Attempts: 3, Delay: time.Second}}, zero)
		now := zero
		for range 60 {
			now = now.Add(time.Duration(r.IntN(700)) * time.Millisecond)
			before, attempt := g.State(), g.Attempt()
			alive := live(g)
			g.Step(now, randomEvent(r, g))
			if before.Terminal() && g.State() != before {
				t.Fatalf("left %s for %s", before, g.State())
			}
			if g.Attempt() > attempt && alive > 1 { // the event itself may end one
				t.Fatalf("attempt %d started beside %d tasks", g.Attempt(), alive)
			}
		}
		finishOff(t, g, now)
	}
}

func live(g *Graph) int {
	n := 0
	for _, e := range g.Tasks() {
		if e.State.onWorker() {
			n++
		}
	}
	return n
}

func randomEvent(r *rand.Rand, g *Graph) Event {
	e := g.Tasks()[r.IntN(len(g.Tasks()))]
	report := func(s TaskState) Event { return TaskReport{Task: e.ID(), Attempt: g.Attempt() - r.IntN(8)/7, State: s} }
	switch r.IntN(24) {
	case 0:
		return report(TaskFailed)
	case 1:
		return report(TaskCanceled)
	case 2, 3, 4:
		return report(TaskFinished)
	case 5, 6, 7:
		return report(TaskInitializing)
	case 8, 9, 10:
		return report(TaskRunning)
	case 11:
		return SlotsReady{Slots: []Slot{{Worker: "w0"}, {Worker: "w1"}, {Worker: "w0"}}}
	case 12:
		return RestartDue{}
	case 13:
		return GlobalFailure{Failure{Message: "global"}}
	case 14:
		if r.IntN(10) == 0 {
			return Cancel{}
		}
	}
	if g.State() == JobCreated {
		return Start{}
	}
	return SlotsReady{Slots: []Slot{{Worker: "w0"}, {Worker: "w1"}, {Worker: "w0"}}}
}

// finishOff cancels the job, lets every worker answer and expects an end.
func finishOff(t *testing.T, g *Graph, now time.Time) {
	g.Step(now, Cancel{})
	for _, w := range []string{"w0", "w1"} {
		g.Step(now, WorkerLost{Worker: w})
	}
	if !g.State().Terminal() {
		t.Fatalf("the job hangs:\n%s", describe(g))
	}
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
