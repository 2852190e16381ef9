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

func TestRides(t *testing.T) {
	want := "a took 1h50m0s; a took 30m0s; b takes longer than 2h0m0s; b took 2h25m0s; c took 6m0s; d takes longer than 2h0m0s; e took 5m0s"
	if got := strings.Join(run(t), "; "); got != want {
		t.Errorf("got %s", got)
	}
}
