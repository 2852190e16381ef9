package main

import (
	"slices"
	"strings"
	"testing"

	"goflink/stream"
	"goflink/stream/streamtest"
)

// run runs the program at parallelism 3, with checkpoints, and returns its lines,
// sorted and without the numbers of subtasks.
func run(t *testing.T, args ...string) []string {
	t.Helper()
	env := stream.NewEnv(stream.Settings{Args: args})
	env.SetParallelism(3)
	if err := build(env); err != nil {
		t.Fatal(err)
	}
	p, err := env.Program()
	if err != nil {
		t.Fatal(err)
	}
	c, err := streamtest.New(p, streamtest.Options{RemoteShare: 0.5, CheckpointEvery: 10})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Run(); err != nil {
		t.Fatal(err)
	}
	lines := c.Lines()
	for i, l := range lines {
		if before, after, ok := strings.Cut(l, "> "); ok {
			word, _, _ := strings.Cut(before, ":")
			lines[i] = strings.TrimLeft(word, "123") + after
		}
	}
	slices.Sort(lines)
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
