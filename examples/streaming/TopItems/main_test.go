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

func TestTop(t *testing.T) {
	want := "minute 10: item-0=53 item-1=22; minute 20: item-0=106 item-1=44; minute 30: item-0=106 item-1=44; minute 40: item-0=106 item-1=44; " +
		"minute 50: item-0=106 item-1=44; minute 60: item-0=106 item-1=44; minute 70: item-0=53 item-1=22"
	if got := strings.Join(run(t, "--purchases", "333", "--top", "2"), "; "); got != want {
		t.Errorf("got %s", got)
	}
}
