package main

import (
	"strings"
	"testing"

	"goflink/stream/streamtest"
)

// run runs the program at parallelism 3, with checkpoints.
func run(t *testing.T, args ...string) []string {
	t.Helper()
	lines, err := streamtest.Lines(build, 3, streamtest.Options{RemoteShare: 0.5, CheckpointEvery: 10}, args...)
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

func TestVisitors(t *testing.T) {
	want := "/cart hour 0: pv 500 uv 300; /cart hour 1: pv 500 uv 300; /home hour 0: pv 500 uv 300; /home hour 1: pv 500 uv 300"
	if got := strings.Join(run(t, "--views", "2000"), "; "); got != want {
		t.Errorf("got %s", got)
	}
}

// TestFilter: of many visitors very few are missed, and none is counted twice.
func TestFilter(t *testing.T) {
	c := Counts{Filter: make([]uint64, filterBits/64)}
	for range 2 {
		for v := range int64(4000) {
			c.add(v)
		}
	}
	if c.PV != 8000 || c.UV > 4000 || c.UV < 3990 {
		t.Errorf("pv %d, uv %d of 4000", c.PV, c.UV)
	}
}
