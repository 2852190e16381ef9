//go:build e2e

package e2e

import (
	"fmt"
	"sort"
	"strconv"
	"testing"

	"goflink/hdfsstore"
	"goflink/internal/testbed"
)

// windows is a run of e2e/jobs/windowed: its output follows from these figures.
type windows struct {
	records, keys, rate int64
}

func (w windows) args(output string) []string {
	return []string{"--records", strconv.FormatInt(w.records, 10), "--keys", strconv.FormatInt(w.keys, 10), "--rate", strconv.FormatInt(w.rate, 10), "--output", output}
}

// expect evaluates the job the plain way: "key start count sum" for each key
// and second of event time. Record i has key i*7919 mod keys and time 2i ms.
func (w windows) expect() map[string]int {
	type pane struct{ key, start int64 }
	type total struct{ count, sum int64 }
	panes := map[pane]total{}
	for i := int64(0); i < w.records; i++ {
		p := pane{i * 7919 % w.keys, 2 * i / 1000 * 1000}
		t := panes[p]
		panes[p] = total{t.count + 1, t.sum + i}
	}
	lines := map[string]int{}
	for p, t := range panes {
		lines[fmt.Sprintf("%d %d %d %d", p.key, p.start, t.count, t.sum)] = 1
	}
	return lines
}

// check compares what lies in the folder, line by line.
func (w windows) check(b *testbed.Bed, fsys hdfsstore.FS, dir string) {
	b.T.Helper()
	got := map[string]int{}
	files := b.Lines(fsys, dir, func(line []byte) { got[string(line)]++ })
	want := w.expect()
	if compare(b.T, dir, got, want) {
		b.T.Logf("%d lines in %d files of %s, each exactly once", len(want), files, dir)
	}
}

// compare reports lines that are missing, doubled, or should not be there.
func compare(t testing.TB, what string, got, want map[string]int) bool {
	t.Helper()
	var missing, more, foreign []string
	for line, n := range want {
		switch {
		case got[line] < n:
			missing = append(missing, line)
		case got[line] > n:
			more = append(more, fmt.Sprintf("%s (%d times)", line, got[line]))
		}
	}
	for line := range got {
		if want[line] == 0 {
			foreign = append(foreign, line)
		}
	}
	for kind, list := range map[string][]string{"missing": missing, "more than once": more, "wrong": foreign} {
		if len(list) > 0 {
			sort.Strings(list)
			t.Errorf("%s: %d of %d lines %s, such as %q", what, len(list), len(want), kind, list[:min(len(list), 5)])
		}
	}
	return len(missing)+len(more)+len(foreign) == 0
}
