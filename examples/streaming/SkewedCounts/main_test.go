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

func TestCounts(t *testing.T) {
	want := "minute 0: brown 33; minute 0: fox 33; minute 0: quick 34; minute 0: the 900; minute 1: brown 34; minute 1: fox 33; minute 1: quick 33; minute 1: the 900"
	for _, salts := range []string{"1", "8"} { // salting changes nothing about the result
		if got := strings.Join(run(t, "--words", "2000", "--salts", salts), "; "); got != want {
			t.Errorf("%s salts: got %s", salts, got)
		}
	}
}
