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

func TestTop(t *testing.T) {
	want := "minute 10: item-0=53 item-1=22; minute 20: item-0=106 item-1=44; minute 30: item-0=106 item-1=44; minute 40: item-0=106 item-1=44; " +
		"minute 50: item-0=106 item-1=44; minute 60: item-0=106 item-1=44; minute 70: item-0=53 item-1=22"
	if got := strings.Join(run(t, "--purchases", "333", "--top", "2"), "; "); got != want {
		t.Errorf("got %s", got)
	}
}
