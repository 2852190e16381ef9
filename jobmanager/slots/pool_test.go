package slots

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
)

var zero = time.UnixMilli(0).UTC()

// The scripts know three commands:
//
//	pool [spread] [whole] [elastic] [slots=N] [min=N] [max=N] [redundant=N]    idle time-out 30s, request time-out 5m
//	step t=D     input: one event a line; output: actions, then the deadline
//	show         output: the TaskManagers
func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		var p *Pool
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			switch d.Cmd {
			case "pool":
				p = scriptPool(t, d)
				return ""
			case "step":
				return scriptSteps(t, d, p)
			case "show":
				return show(p)
			}
			d.Fatalf(t, "unknown command %s", d.Cmd)
			return ""
		})
	})
}

func scriptPool(t *testing.T, d *datadriven.TestData) *Pool {
	cfg := Config{Spread: d.HasArg("spread"), Whole: d.HasArg("whole"), Elastic: d.HasArg("elastic"), SlotsPerTaskManager: 2,
		IdleTimeout: 30 * time.Second, RequestTimeout: 5 * time.Minute, WorkerPrefix: "w"}
	d.MaybeScanArgs(t, "slots", &cfg.SlotsPerTaskManager)
	d.MaybeScanArgs(t, "min", &cfg.Min)
	d.MaybeScanArgs(t, "max", &cfg.MaxSlots)
	d.MaybeScanArgs(t, "redundant", &cfg.Redundant)
	return New(cfg)
}

func scriptSteps(t *testing.T, d *datadriven.TestData, p *Pool) string {
	var s string
	d.ScanArgs(t, "t", &s)
	at, err := time.ParseDuration(s)
	if err != nil {
		d.Fatalf(t, "%s", err)
	}
	var b strings.Builder
	for line := range strings.Lines(d.Input) {
		for _, a := range p.Step(zero.Add(at), scriptEvent(t, d, strings.Fields(line))) {
			b.WriteString(strings.TrimPrefix(fmt.Sprintf("%T%+v\n", a, a), "slots."))
		}
	}
	if dl := p.Deadline(); !dl.IsZero() {
		fmt.Fprintf(&b, "next %s\n", dl.Sub(zero))
	}
	return b.String()
}

func scriptEvent(t *testing.T, d *datadriven.TestData, f []string) Event {
	n := 0
	if len(f) > 2 {
		fmt.Sscan(f[2], &n)
	}
	switch f[0] {
	case "begin":
		return Begin{}
	case "join":
		return Joined{ID: f[1], Host: "host-" + f[1], Slots: n}
	case "gone":
		return Gone{ID: f[1], Reason: "lost"}
	case "request":
		return Request{Job: f[1], Name: f[1], Slots: n}
	case "desire":
		return Desire{Job: f[1], Name: f[1], Slots: n}
	case "take":
		return Take{Job: f[1], Slots: n}
	case "release":
		return Release{Job: f[1]}
	case "ended":
		return WorkerEnded{Worker: f[1], Reason: "exit 1"}
	case "abandon":
		return Abandon{Worker: f[1], Reason: "unreachable"}
	case "tick":
		return Tick{}
	}
	d.Fatalf(t, "unknown event %q", f)
	return nil
}

func show(p *Pool) string {
	var b strings.Builder
	for _, t := range p.TaskManagers() {
		fmt.Fprintf(&b, "%s:", t.ID)
		for _, h := range t.Slots {
			switch {
			case h.Worker == "":
				b.WriteString(" -")
			case h.Stopping:
				fmt.Fprintf(&b, " (%s/%s)", h.Job, h.Worker)
			default:
				fmt.Fprintf(&b, " %s/%s.%d", h.Job, h.Worker, h.Index)
			}
		}
		if t.Releasing {
			b.WriteString(" releasing")
		}
		b.WriteString("\n")
	}
	return b.String()
}

// TestRandom checks one-holder, all-or-nothing and exact against random
// clusters of jobs.
func TestRandom(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	for round := range 100 {
		r := rand.New(rand.NewPCG(seed, uint64(round)))
		p := New(Config{Spread: r.IntN(2) == 0, Elastic: r.IntN(4) > 0, SlotsPerTaskManager: 1 + r.IntN(4), Min: r.IntN(2),
			Redundant: r.IntN(2), IdleTimeout: 30 * time.Second, RequestTimeout: time.Minute, WorkerPrefix: "w"})
		c := &simulation{t: t, r: r, p: p, workers: map[string]string{}, wanted: map[string]int{}, available: map[string]int{}, now: zero}
		c.apply(Begin{})
		for range 200 {
			c.now = c.now.Add(time.Duration(r.IntN(5000)) * time.Millisecond)
			c.random()
		}
		c.drain()
	}
}

// simulation is a cluster that does what the pool says.
type simulation struct {
	t        *testing.T
	r        *rand.Rand
	p        *Pool
	now      time.Time
	declared int
	tms      []string
	next     int
	workers  map[string]string // running: worker -> TaskManager
	stopping []string
	wanted   map[string]int
	// available is what adaptive jobs were told last.
	available map[string]int
}

func (c *simulation) random() {
	job := fmt.Sprintf("job%d", c.r.IntN(4))
	switch c.r.IntN(8) {
	case 0, 1:
		n := 1 + c.r.IntN(6)
		if c.r.IntN(2) == 0 { // an adaptive job, whose need changes
			job = fmt.Sprintf("adaptive%d", c.r.IntN(3))
			c.desires(job, n)
			return
		}
		if w, ok := c.wanted[job]; ok {
			n = w // a job's need does not change
		}
		c.wanted[job] = n
		c.apply(Request{Job: job, Name: job, Slots: n})
	case 2:
		if c.r.IntN(2) == 0 {
			job = fmt.Sprintf("adaptive%d", c.r.IntN(3))
		}
		delete(c.wanted, job)
		c.apply(Release{Job: job})
		delete(c.available, job)
	case 3:
		c.launch()
	case 4:
		if len(c.tms) > 0 && c.r.IntN(3) == 0 {
			c.lose(c.tms[c.r.IntN(len(c.tms))])
		}
	case 5:
		for w := range c.workers {
			if c.r.IntN(4) == 0 {
				delete(c.workers, w)
				c.apply(WorkerEnded{Worker: w})
			}
			break
		}
	case 6:
		if len(c.stopping) > 0 {
			w := c.stopping[0]
			c.stopping = c.stopping[1:]
			if _, ok := c.workers[w]; ok {
				delete(c.workers, w)
				c.apply(WorkerEnded{Worker: w})
			}
		}
	default:
		c.apply(Tick{})
	}
}

// desires lets an adaptive job want n slots, and takes what it could have.
func (c *simulation) desires(job string, n int) {
	if _, before := c.wanted[job]; !before || c.r.IntN(2) == 0 {
		c.wanted[job] = max(1, c.wanted[job])
		c.apply(Desire{Job: job, Name: job, Slots: n})
	}
	if k := min(c.available[job], n); k > 0 {
		c.wanted[job] = k
		c.apply(Take{Job: job, Slots: k})
		if held := len(c.p.Held(job)); held > k {
			c.t.Fatalf("job %s holds %d slots and took %d", job, held, k)
		}
	}
}

func (c *simulation) launch() {
	if c.p.cfg.Elastic && len(c.tms) >= c.declared {
		return
	}
	c.next++
	id := fmt.Sprintf("tm%03d", c.next)
	c.tms = append(c.tms, id)
	c.apply(Joined{ID: id, Slots: c.p.cfg.SlotsPerTaskManager})
}

func (c *simulation) lose(id string) {
	for i, tm := range c.tms {
		if tm == id {
			c.tms = append(c.tms[:i], c.tms[i+1:]...)
			break
		}
	}
	for w, tm := range c.workers {
		if tm == id {
			delete(c.workers, w)
		}
	}
	c.apply(Gone{ID: id})
}

func (c *simulation) apply(ev Event) {
	for _, a := range c.p.Step(c.now, ev) {
		switch a := a.(type) {
		case StartWorker:
			if _, twice := c.workers[a.Worker]; twice {
				c.t.Fatalf("worker %s started twice", a.Worker)
			}
			c.workers[a.Worker] = a.TaskManager
		case StopWorker:
			c.stopping = append(c.stopping, a.Worker)
		case Allocated:
			if len(a.Slots) != c.wanted[a.Job] { // Whole is not drawn
				c.t.Fatalf("job %s got %d of %d slots", a.Job, len(a.Slots), c.wanted[a.Job])
			}
			for _, s := range a.Slots {
				if c.workers[s.Worker] != s.TaskManager {
					c.t.Fatalf("slot of worker %s, which does not run on %s", s.Worker, s.TaskManager)
				}
			}
		case Refused:
			if c.available[a.Job] >= c.wanted[a.Job] {
				c.t.Fatalf("job %s could have %d slots and was refused %d", a.Job, c.available[a.Job], c.wanted[a.Job])
			}
		case Available:
			c.available[a.Job] = a.Slots
		case Declare:
			c.declared = a.TaskManagers
		case ReleaseTaskManager:
			for w, tm := range c.workers {
				if tm == a.ID {
					c.t.Fatalf("%s is released under worker %s", a.ID, w)
				}
			}
			defer c.lose(a.ID)
		}
	}
	c.checkSums()
	if dl := c.p.Deadline(); !dl.IsZero() && dl.Before(c.now) {
		c.t.Fatalf("deadline %s has passed at %s", dl.Sub(zero), c.now.Sub(zero))
	}
}

// checkSums counts anew what the pool keeps count of.
func (c *simulation) checkSums() {
	fresh := New(c.p.cfg)
	var idle time.Time
	for _, t := range c.p.order {
		fresh.count(t, 1)
		if !t.Releasing && !t.Idle.IsZero() && (idle.IsZero() || t.Idle.Before(idle)) {
			idle = t.Idle
		}
	}
	got := c.p.sum
	if got.known && !got.idle.Equal(idle) {
		c.t.Fatalf("idle since %s, not %s", idle, got.idle)
	}
	got.idle, got.known, fresh.sum.idle, fresh.sum.known = time.Time{}, false, time.Time{}, false
	if !reflect.DeepEqual(got, fresh.sum) {
		c.t.Fatalf("sums %+v, counted %+v", got, fresh.sum)
	}
}

// drain releases everything: in the end only what is always kept is left.
func (c *simulation) drain() {
	for job := range c.wanted {
		c.apply(Release{Job: job})
	}
	for _, w := range c.stopping {
		if _, ok := c.workers[w]; ok {
			delete(c.workers, w)
			c.apply(WorkerEnded{Worker: w})
		}
	}
	c.now = c.now.Add(time.Hour)
	c.apply(Tick{})
	if len(c.workers) > 0 {
		c.t.Fatalf("workers left: %v", c.workers)
	}
	if c.p.cfg.Elastic && (len(c.tms) > max(c.p.cfg.Min, 0) || c.declared != c.p.cfg.Min) {
		c.t.Fatalf("%d TaskManagers left, %d declared, %d are kept", len(c.tms), c.declared, c.p.cfg.Min)
	}
}

// TestLarge places a job on a thousand TaskManagers, in both ways.
func TestLarge(t *testing.T) {
	for _, spread := range []bool{false, true} {
		p := New(Config{Spread: spread, RequestTimeout: time.Minute})
		for i := range 1000 {
			p.Step(zero, Joined{ID: fmt.Sprintf("tm%05d", i), Slots: 2})
		}
		out := p.Step(zero, Request{Job: "A", Slots: 2000})
		if len(out) != 1001 {
			t.Fatalf("%d actions", len(out))
		}
	}
}
