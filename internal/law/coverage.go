package law

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"goflink/stream/streamtest"
)

// note tells what attempt i of f went through: the columns of the coverage.
func (o *outputs) note(f *Faults, i int, checkpoint, done bool) {
	all := f.all()
	a := all[i]
	o.happened[a.backend()] = true
	o.happened[map[bool]string{true: "chained", false: "single"}[a.Chained]] = true
	if a.Remote < 1 {
		o.happened["local"] = true
	}
	if a.Remote > 0 {
		o.happened["encoded"] = true
	}
	if a.Single > 0 {
		o.happened["1-record"] = true
	}
	if i+1 == len(all) {
		return
	}
	switch next := all[i+1]; {
	case !checkpoint:
		o.happened["afresh"] = true
	case next.Parallelism != a.Parallelism:
		o.happened["rescaled"] = true
	default:
		o.happened["restored"] = true
	}
	switch {
	case done:
		o.happened["again"] = true
	case a.Steps > 0:
		o.happened["step"] = true
	case a.N > 0 && a.Final && a.At == streamtest.Completed:
		o.happened["final"] = true
	case a.N > 0:
		o.happened[a.At.String()] = true
	}
}

// columns are what a graph may go through.
var columns = []string{"heap", "pebble", "chained", "single", "local", "encoded", "1-record", "step", "triggered", "acked",
	"completed", "told", "final", "again", "afresh", "restored", "rescaled", "workers"}

// coverage counts which parts of graphs went through what.
type coverage struct {
	mu struct {
		sync.Mutex
		cells map[string]map[string]int
	}
}

// add counts a run.
func (c *coverage) add(s *Spec, happened map[string]bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.cells == nil {
		c.mu.cells = map[string]map[string]int{}
	}
	for row := range rowsOf(s) {
		if c.mu.cells[row] == nil {
			c.mu.cells[row] = map[string]int{}
		}
		for h := range happened {
			c.mu.cells[row][h]++
		}
	}
}

// rowsOf are the parts of a graph.
func rowsOf(s *Spec) map[string]bool {
	rows := map[string]bool{}
	for i := range s.Nodes {
		n := &s.Nodes[i]
		rows["operator "+n.Kind] = true
		if state := kindOf(n.Kind).state; state != "" {
			for kind := range strings.SplitSeq(state, "+") {
				rows["state "+kind] = true
			}
		}
		if n.Fn != "" {
			rows["function "+n.Fn] = true
		}
		if len(n.In) > 1 {
			rows["edge union"] = true
		}
		if n.Side {
			rows["edge side output"] = true
		}
		if len(n.In) > 0 {
			rows["edge "+strings.TrimSuffix("by "+n.Part, "by ")] = true
		}
		if len(n.Second) > 0 {
			rows["edge second input"] = true
			rows["edge "+strings.TrimSuffix("by "+n.Part2, "by ")] = true
		}
		if n.Group != "" {
			rows["slot-sharing group"] = true
		}
	}
	for _, k := range s.Sinks {
		rows["sink "+k.Kind] = true
	}
	rows["class "+string(s.Class)] = true
	rows["mode "+s.mode()] = true
	return rows
}

// wanted are all rows that seeds must cover.
func wanted() []string {
	rows := map[string]bool{"edge union": true, "edge second input": true, "edge side output": true, "slot-sharing group": true, "edge ": true}
	for _, k := range kinds() {
		if !k.in(Idle) {
			rows["operator "+k.name] = true
		}
		for kind := range strings.SplitSeq(k.state, "+") {
			if kind != "" && !k.in(Idle) {
				rows["state "+kind] = true
			}
		}
	}
	for _, fn := range append(freeFns, "once", "purge", "some") {
		rows["function "+fn] = true
	}
	for _, p := range []string{"forward", "rebalance", "rescale", "shuffle", "broadcast", "global", "custom", "hash"} {
		rows["edge by "+p] = true
	}
	for _, k := range []string{"files", "each", "custom", "print", "listed"} {
		rows["sink "+k] = true
	}
	for _, c := range []Class{Free, Ordered, Late} {
		rows["class "+string(c)] = true
	}
	rows["mode streaming"], rows["mode batch"] = true, true
	return slices.Sorted(maps.Keys(rows))
}

// batchColumns are what graphs in BATCH go through, which take no checkpoints.
var batchColumns = []string{"heap", "pebble", "chained", "single", "local", "encoded", "1-record", "step", "afresh"}

// needed tells whether a cell must not be empty. Functions are a detail of their
// operator, operators without state have nothing to lose, and those of ordered or late
// graphs only are in few: it is enough that each was restored and rescaled. What is in
// idle graphs only is not looked at. Few seeds run on workers, and a start afresh
// restores nothing: that must show for classes, state and edges.
func needed(row, col string) bool {
	part, name, _ := strings.Cut(row, " ")
	switch {
	case row == "mode batch":
		return slices.Contains(batchColumns, col)
	case col == "workers", col == "afresh":
		return part == "class" || part == "state" || part == "edge"
	case part == "function", part == "operator" && few(kindOf(name)):
		return slices.Contains([]string{"heap", "pebble", "restored", "rescaled"}, col)
	}
	return true
}

// few tells whether it is enough that a kind was restored and rescaled: it has no
// state, or is of one class only, which few seeds have.
func few(k *kind) bool {
	return k.state == "" || slices.Equal(k.classes, []Class{Ordered}) || slices.Equal(k.classes, []Class{Late})
}

// table is the coverage as text, and what is missing of it.
func (c *coverage) table() (text string, gaps []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var b strings.Builder
	fmt.Fprintf(&b, "%-28s", "")
	for _, col := range columns {
		fmt.Fprintf(&b, "%10s", col)
	}
	b.WriteByte('\n')
	want := wanted()
	rows := append(slices.Clone(want), slices.Sorted(maps.Keys(c.mu.cells))...)
	slices.Sort(rows)
	for _, row := range slices.Compact(rows) {
		fmt.Fprintf(&b, "%-28s", row)
		for _, col := range columns {
			n := c.mu.cells[row][col]
			fmt.Fprintf(&b, "%10d", n)
			if n == 0 && slices.Contains(want, row) && needed(row, col) {
				gaps = append(gaps, row+" × "+col)
			}
		}
		b.WriteByte('\n')
	}
	return b.String(), gaps
}
