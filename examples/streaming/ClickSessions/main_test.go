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

func TestSessions(t *testing.T) {
	want := "ann: 1 clicks in minutes 20 to 30; ann: 1 clicks in minutes 50 to 60; ann: 2 clicks in minutes 0 to 14; ann: 4 clicks in minutes 0 to 30; " +
		"bob: 1 clicks in minutes 35 to 45; bob: 1 clicks in minutes 5 to 15; bob: 1 clicks in minutes 70 to 80; too late{bob 1}"
	if got := strings.Join(run(t), "; "); got != want {
		t.Errorf("got %s", got)
	}
}
