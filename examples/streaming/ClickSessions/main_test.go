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

func TestSessions(t *testing.T) {
	want := "ann: 1 clicks in minutes 20 to 30; ann: 1 clicks in minutes 50 to 60; ann: 2 clicks in minutes 0 to 14; ann: 4 clicks in minutes 0 to 30; " +
		"bob: 1 clicks in minutes 35 to 45; bob: 1 clicks in minutes 5 to 15; bob: 1 clicks in minutes 70 to 80; too late{bob 1}"
	if got := strings.Join(run(t), "; "); got != want {
		t.Errorf("got %s", got)
	}
}
