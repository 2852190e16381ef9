package adaptive

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"goflink/internal/seeds"
)

var zero = time.UnixMilli(0).UTC()

// The scripts know three commands:
//
//	job [wait=D] [stable=D] [min=D] [max=D] [increase=N]   input: one "name:parallelism [max=N] [group=G] [fixed]" or "a = b" (tied) a line
//	step t=D     input: one event a line (wait, slots N, require name=L..U …, stop, tick); output: actions, then the deadline
//	validate     input: one set of bounds a line; output: what is wrong with it
func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		var d *Decider
		datadriven.RunTest(t, path, func(t *testing.T, data *datadriven.TestData) string {
			switch data.Cmd {
			case "job":
				d = scriptJob(t, data)
				return fmt.Sprintf("sufficient %d, desired %d", d.demand.sufficient, d.demand.desired)
			case "step":
				return scriptSteps(t, data, d)
			case "validate":
				return scriptValidate(t, data, d)
			}
			data.Fatalf(t, "unknown command %s", data.Cmd)
			return ""
		})
	})
}

func scriptJob(t *testing.T, data *datadriven.TestData) *Decider {
	cfg := Config{WaitTimeout: 5 * time.Minute, StabilizationTimeout: 10 * time.Second, MinInterval: 30 * time.Second}
	for name, v := range map[string]*time.Duration{"wait": &cfg.WaitTimeout, "stable": &cfg.StabilizationTimeout, "min": &cfg.MinInterval, "max": &cfg.MaxInterval} {
		if data.HasArg(name) {
			var s string
			data.ScanArgs(t, name, &s)
			*v = duration(t, data, s)
		}
	}
	data.MaybeScanArgs(t, "increase", &cfg.MinIncrease)
	var vertices []Vertex
	var ties [][2]string
	for line := range strings.Lines(data.Input) {
		f := strings.Fields(line)
		if len(f) == 3 && f[1] == "=" {
			ties = append(ties, [2]string{f[0], f[2]})
			continue
		}
		name, n, _ := strings.Cut(f[0], ":")
		v := Vertex{ID: name, Parallelism: number(t, data, n), MaxParallelism: 128}
		for _, a := range f[1:] {
			key, value, _ := strings.Cut(a, "=")
			switch key {
			case "max":
				v.MaxParallelism = number(t, data, value)
			case "group":
				v.Group = value
			case "fixed":
				v.Fixed = true
			}
		}
		vertices = append(vertices, v)
	}
	return New(cfg, NewJob(vertices, ties), nil)
}

func number(t *testing.T, data *datadriven.TestData, s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		data.Fatalf(t, "%s", err)
	}
	return n
}

func duration(t *testing.T, data *datadriven.TestData, s string) time.Duration {
	v, err := time.ParseDuration(s)
	if err != nil {
		data.Fatalf(t, "%s", err)
	}
	return v
}

func requirements(t *testing.T, data *datadriven.TestData, f []string) Requirements {
	r := Requirements{}
	for _, a := range f {
		name, bounds, _ := strings.Cut(a, "=")
		low, high, _ := strings.Cut(bounds, "..")
		r[name] = Bounds{number(t, data, low), number(t, data, high)}
	}
	return r
}

func scriptSteps(t *testing.T, data *datadriven.TestData, d *Decider) string {
	var at string
	data.ScanArgs(t, "t", &at)
	now := zero.Add(duration(t, data, at))
	var b strings.Builder
	for line := range strings.Lines(data.Input) {
		f := strings.Fields(line)
		var ev Event
		switch f[0] {
		case "wait":
			ev = Wait{}
		case "slots":
			ev = Slots{number(t, data, f[1])}
		case "require":
			ev = Require{requirements(t, data, f[1:])}
		case "stop":
			ev = Stop{}
		case "tick":
			ev = Tick{}
		default:
			data.Fatalf(t, "unknown event %q", f)
		}
		for _, a := range d.Step(now, ev) {
			b.WriteString(strings.TrimPrefix(fmt.Sprintf("%T%+v\n", a, a), "adaptive."))
		}
	}
	if at := d.Deadline(); !at.IsZero() {
		fmt.Fprintf(&b, "next %s\n", at.Sub(zero))
	}
	return b.String()
}

func scriptValidate(t *testing.T, data *datadriven.TestData, d *Decider) string {
	var b strings.Builder
	for line := range strings.Lines(data.Input) {
		r := requirements(t, data, strings.Fields(line))
		err := d.job.Validate(r)
		if err == nil {
			fmt.Fprintf(&b, "good: %v\n", d.job.Resolve(r))
			continue
		}
		b.WriteString(err.Error() + "\n")
	}
	return b.String()
}

// TestRandom checks in-bounds, tied and no-more, and that more slots never give a
// vertex fewer subtasks.
func TestRandom(t *testing.T) {
	seed := seeds.One(t)
	r := rand.New(rand.NewPCG(seed, 0))
	for range 300 {
		j, need := randomJob(r)
		d := newDemand(j, need)
		before := Parallelism{}
		for slots := range d.desired + 3 {
			p, ok := d.with(slots)
			if ok != (slots >= d.sufficient) {
				t.Fatalf("%d slots of %d: %v", slots, d.sufficient, ok)
			}
			if !ok {
				continue
			}
			if n := j.slots(p); n > slots {
				t.Fatalf("%v takes %d slots of %d", p, n, slots)
			}
			for _, v := range j.vertices {
				b := d.classes[j.class[v.ID]]
				if n := p[v.ID]; n < b.Lower || n > b.Upper || n > v.MaxParallelism || n != p[j.class[v.ID]] || n < before[v.ID] {
					t.Fatalf("%s has %d of %v with %d slots, before %d", v.ID, n, b, slots, before[v.ID])
				}
			}
			before = maps.Clone(p)
		}
		if full, _ := d.with(d.desired); len(full) != len(j.vertices) {
			t.Fatalf("%v", full)
		}
	}
}

// randomJob is a job with valid requirements.
func randomJob(r *rand.Rand) (*Job, Requirements) {
	for {
		var vertices []Vertex
		var ties [][2]string
		need := Requirements{}
		for i := range 1 + r.IntN(5) {
			id := fmt.Sprintf("v%d", i)
			p := 1 + r.IntN(6)
			vertices = append(vertices, Vertex{ID: id, Parallelism: p, MaxParallelism: p + r.IntN(3), Group: fmt.Sprintf("g%d", r.IntN(2)), Fixed: r.IntN(5) == 0})
			low := 1 + r.IntN(4)
			need[id] = Bounds{low, low + r.IntN(5)}
			if i > 0 && r.IntN(3) == 0 {
				ties = append(ties, [2]string{id, fmt.Sprintf("v%d", r.IntN(i))})
			}
		}
		if j := NewJob(vertices, ties); j.Validate(need) == nil {
			return j, need
		}
	}
}

// TestDefaults: what a job does not say, it has.
func TestDefaults(t *testing.T) {
	j := NewJob([]Vertex{{ID: "a", Parallelism: 4, MaxParallelism: 8}, {ID: "b", Parallelism: 2, MaxParallelism: 8}}, nil)
	got := New(Config{}, j, Requirements{"a": {Lower: 2, Upper: Default}}).Requirements()
	if !maps.Equal(got, Requirements{"a": {2, 4}, "b": {1, 2}}) {
		t.Fatalf("%v of %v", got, slices.Sorted(maps.Keys(got)))
	}
}
