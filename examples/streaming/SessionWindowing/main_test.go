package main

import (
	"strings"
	"testing"

	"goflink/stream/streamtest"
)

func TestSessions(t *testing.T) {
	lines, err := streamtest.Lines(build, 1, streamtest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(lines, " "); got != "(a,1,1) (a,10,1) (b,1,3) (c,11,1) (c,6,1)" {
		t.Errorf("got %s", got)
	}
}
