package alloc

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"goflink/yarnrpc"
)

var epoch = time.Unix(1700000000, 0)

func containerID(n int64) yarnrpc.ContainerID {
	return yarnrpc.ContainerID{Attempt: yarnrpc.AttemptID{App: yarnrpc.ApplicationID{ClusterTimestamp: 1, ID: 1}, Attempt: 1}, ID: n}
}

// script runs commands against an allocator.
type script struct {
	t     *testing.T
	state *State
	now   time.Time
}

// TestScripts runs testdata. Commands: new, desire, allocated, previous, started, start-failed, registered,
// completed, discard, tick, close, counts. Containers are numbers; "at=" is the time since the beginning.
func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		s := &script{t: t, state: New(Config{}), now: epoch}
		datadriven.RunTest(t, path, s.run)
	})
}

func (s *script) run(t *testing.T, d *datadriven.TestData) string {
	if d.HasArg("at") {
		s.now = epoch.Add(s.duration(d, "at"))
	}
	switch d.Cmd {
	case "new":
		return s.renew(d)
	case "counts":
		return fmt.Sprintf("%+v\n", s.state.Counts(int32(s.number(d, "p", 1))))
	}
	actions := s.state.Step(s.now, s.event(d))
	if err := s.state.Check(); err != nil {
		t.Fatalf("%s: %v", d.Pos, err)
	}
	return printActions(actions)
}

func (s *script) renew(d *datadriven.TestData) string {
	s.now = epoch
	s.state = New(Config{
		MaxFailureRate: int(s.number(d, "failures", 0)), RetryInterval: s.duration(d, "retry"),
		RegistrationTimeout: s.duration(d, "register"), ReleasePrevious: d.HasArg("release-previous"),
	})
	return ""
}

func (s *script) number(d *datadriven.TestData, key string, def int64) int64 {
	if !d.HasArg(key) {
		return def
	}
	var v string
	d.ScanArgs(s.t, key, &v)
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil {
		s.t.Fatalf("%s: %v", d.Pos, err)
	}
	return n
}

func (s *script) duration(d *datadriven.TestData, key string) time.Duration {
	if !d.HasArg(key) {
		return 0
	}
	var v string
	d.ScanArgs(s.t, key, &v)
	out, err := time.ParseDuration(v)
	if err != nil {
		s.t.Fatalf("%s: %v", d.Pos, err)
	}
	return out
}

// ids reads the numbers that stand without a key.
func (s *script) ids(d *datadriven.TestData) []yarnrpc.ContainerID {
	var out []yarnrpc.ContainerID
	for _, a := range d.CmdArgs {
		if len(a.Vals) > 0 {
			continue
		}
		n, err := strconv.ParseInt(a.Key, 10, 64)
		if err != nil {
			s.t.Fatalf("%s: %v", d.Pos, err)
		}
		out = append(out, containerID(n))
	}
	return out
}

func (s *script) containers(d *datadriven.TestData) []Container {
	var out []Container
	for _, id := range s.ids(d) {
		out = append(out, Container{
			ID: id, Node: yarnrpc.NodeID{Host: "n", Port: 1}, Priority: int32(s.number(d, "p", 1)),
			Resource: yarnrpc.Resource{MemoryMB: s.number(d, "mem", 100), VCores: 1},
		})
	}
	return out
}

func (s *script) id(d *datadriven.TestData) yarnrpc.ContainerID {
	ids := s.ids(d)
	if len(ids) != 1 {
		s.t.Fatalf("%s: one container is needed", d.Pos)
	}
	return ids[0]
}

func (s *script) event(d *datadriven.TestData) Event {
	switch d.Cmd {
	case "desire":
		return Desire{
			Priority: int32(s.number(d, "p", 1)), Count: int(s.number(d, "n", 0)), Unwanted: s.ids(d),
			Resource: yarnrpc.Resource{MemoryMB: s.number(d, "mem", 100), VCores: 1},
		}
	case "allocated":
		return Allocated{Containers: s.containers(d)}
	case "previous":
		return Previous{Containers: s.containers(d)}
	case "started":
		return Started{ID: s.id(d)}
	case "start-failed":
		return StartFailed{ID: s.id(d)}
	case "registered":
		return WorkerRegistered{ID: s.id(d)}
	case "completed":
		return Completed{ID: s.id(d), Exit: int32(s.number(d, "exit", 0)), Text: "text"}
	case "discard":
		return Discard{ID: s.id(d)}
	case "tick":
		return Tick{}
	case "close":
		return Close{}
	}
	s.t.Fatalf("%s: unknown command %s", d.Pos, d.Cmd)
	return nil
}

func printActions(actions []Action) string {
	var b strings.Builder
	for _, a := range actions {
		switch a := a.(type) {
		case Ask:
			fmt.Fprintf(&b, "ask p=%d mem=%d n=%d\n", a.Priority, a.Resource.MemoryMB, a.Count)
		case Start:
			fmt.Fprintf(&b, "start %d\n", a.Container.ID.ID)
		case Release:
			fmt.Fprintf(&b, "release %d: %s\n", a.ID.ID, a.Reason)
		case Stop:
			fmt.Fprintf(&b, "stop %d: %s\n", a.ID.ID, a.Reason)
		case Lost:
			fmt.Fprintf(&b, "lost %d registered=%v exit=%d\n", a.ID.ID, a.Registered, a.Exit)
		case Pause:
			fmt.Fprintf(&b, "pause until %v after %d failures\n", a.Until.Sub(epoch), a.Failures)
		case WakeAt:
			if a.Time.IsZero() {
				b.WriteString("wake never\n")
			} else {
				fmt.Fprintf(&b, "wake at %v\n", a.Time.Sub(epoch))
			}
		}
	}
	if b.Len() == 0 {
		return "nothing\n"
	}
	return b.String()
}

// world is a ResourceManager and NodeManagers for the random test: it keeps its own books of what it was told.
type world struct {
	rng     *rand.Rand
	next    int64
	asked   map[int32]Ask
	live    map[yarnrpc.ContainerID]Container
	pending []Event // to be delivered in some order
}

func (w *world) apply(t *testing.T, actions []Action) {
	t.Helper()
	for _, a := range actions {
		switch a := a.(type) {
		case Ask:
			w.asked[a.Priority] = a
		case Start:
			if _, ok := w.live[a.Container.ID]; !ok {
				t.Fatalf("start of %s, which does not live", a.Container.ID)
			}
			w.pending = append(w.pending, w.startResult(a.Container.ID))
		case Release:
			w.end(a.ID, yarnrpc.ExitAborted)
		case Stop:
			w.end(a.ID, yarnrpc.ExitKilledByAM)
		}
	}
}

func (w *world) startResult(id yarnrpc.ContainerID) Event {
	if w.rng.IntN(5) == 0 {
		return StartFailed{ID: id}
	}
	return Started{ID: id}
}

func (w *world) end(id yarnrpc.ContainerID, exit int32) {
	if _, ok := w.live[id]; ok {
		delete(w.live, id)
		w.pending = append(w.pending, Completed{ID: id, Exit: exit})
	}
}

// nextEvent invents something that a cluster may do.
func (w *world) nextEvent() Event {
	switch n := w.rng.IntN(12); {
	case n < 4 && len(w.pending) > 0:
		i := w.rng.IntN(len(w.pending))
		e := w.pending[i]
		if w.rng.IntN(8) > 0 { // else it is delivered again later
			w.pending = append(w.pending[:i], w.pending[i+1:]...)
		}
		return e
	case n < 7:
		return w.allocate()
	case n == 7:
		return Desire{Priority: int32(1 + w.rng.IntN(2)), Resource: yarnrpc.Resource{MemoryMB: 100, VCores: 1}, Count: w.rng.IntN(6)}
	case n == 8:
		for id := range w.live {
			return WorkerRegistered{ID: id}
		}
	case n == 9:
		for id := range w.live {
			w.end(id, 1)
			break
		}
	}
	return Tick{}
}

func (w *world) allocate() Event {
	priority := int32(1 + w.rng.IntN(2))
	n := w.asked[priority].Count
	if w.rng.IntN(6) == 0 {
		n++ // too many
	}
	var out []Container
	for range min(n, 1+w.rng.IntN(3)) {
		w.next++
		c := Container{ID: containerID(w.next), Priority: priority, Resource: yarnrpc.Resource{MemoryMB: 100, VCores: 1}}
		w.live[c.ID] = c
		out = append(out, c)
		if a := w.asked[priority]; a.Count > 0 {
			a.Count--
			w.asked[priority] = a
		}
	}
	return Allocated{Containers: out}
}

// Whatever the cluster does, the invariants hold, and in the end exactly what is wanted lives.
func TestRandomCluster(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	for round := range uint64(200) {
		w := &world{rng: rand.New(rand.NewPCG(seed, round)), asked: map[int32]Ask{}, live: map[yarnrpc.ContainerID]Container{}}
		s, now := New(Config{MaxFailureRate: 3, RetryInterval: 5 * time.Second, RegistrationTimeout: time.Hour}), epoch
		step := func(e Event) {
			now = now.Add(time.Second)
			w.apply(t, s.Step(now, e))
			if err := s.Check(); err != nil {
				t.Fatalf("round %d: after %#v: %v", round, e, err)
			}
		}
		for range 300 {
			step(w.nextEvent())
		}
		w.settle(t, s, step, round)
	}
}

// settle delivers everything and lets the cluster behave, until nothing changes any more.
func (w *world) settle(t *testing.T, s *State, step func(Event), round uint64) {
	t.Helper()
	step(Desire{Priority: 1, Resource: yarnrpc.Resource{MemoryMB: 100, VCores: 1}, Count: 4})
	step(Desire{Priority: 2, Resource: yarnrpc.Resource{MemoryMB: 100, VCores: 1}, Count: 1})
	for range 500 {
		pending := w.pending
		w.pending = nil
		for _, e := range pending {
			step(e)
		}
		step(Tick{})
		if len(w.pending) > 0 {
			continue
		}
		if w.asked[1].Count+w.asked[2].Count == 0 && len(w.live) == 5 {
			break
		}
		step(w.allocate())
	}
	if len(w.live) != 5 || len(s.where) != 5 {
		t.Fatalf("round %d: %d containers live and %d are known, wanted are 5", round, len(w.live), len(s.where))
	}
	step(Close{})
	for _, e := range w.pending {
		step(e)
	}
	if !s.Settled() || len(w.live) != 0 {
		t.Fatalf("round %d: after the end %d containers live, books %+v", round, len(w.live), s)
	}
}

// Ten thousand workers come, register and go without the work per event growing with their number.
func TestManyWorkers(t *testing.T) {
	const n = 10000
	s := New(Config{})
	start := time.Now()
	s.Step(epoch, Desire{Priority: 1, Resource: yarnrpc.Resource{MemoryMB: 100, VCores: 1}, Count: n})
	for i := range int64(n) {
		c := Container{ID: containerID(i), Priority: 1, Resource: yarnrpc.Resource{MemoryMB: 100, VCores: 1}}
		s.Step(epoch, Allocated{Containers: []Container{c}})
		s.Step(epoch, Started{ID: c.ID})
		s.Step(epoch, WorkerRegistered{ID: c.ID})
	}
	if got := s.Counts(1); got != (Counts{Wanted: n, Registered: n}) {
		t.Errorf("counts %+v", got)
	}
	if d := time.Since(start); d > 5*time.Second {
		t.Errorf("it took %v", d)
	}
}
