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

func TestCounts(t *testing.T) {
	want := "minute 0: brown 33; minute 0: fox 33; minute 0: quick 34; minute 0: the 900; minute 1: brown 34; minute 1: fox 33; minute 1: quick 33; minute 1: the 900"
	for _, salts := range []string{"1", "8"} { // salting changes nothing about the result
		if got := strings.Join(run(t, "--words", "2000", "--salts", salts), "; "); got != want {
			t.Errorf("%s salts: got %s", salts, got)
		}
	}
}
