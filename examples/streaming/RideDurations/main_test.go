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

func TestRides(t *testing.T) {
	want := "a took 1h50m0s; a took 30m0s; b takes longer than 2h0m0s; b took 2h25m0s; c took 6m0s; d takes longer than 2h0m0s; e took 5m0s"
	if got := strings.Join(run(t), "; "); got != want {
		t.Errorf("got %s", got)
	}
}
