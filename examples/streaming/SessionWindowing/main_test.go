package main

import (
	"slices"
	"strings"
	"testing"

	"goflink/stream"
	"goflink/stream/streamtest"
)

func TestSessions(t *testing.T) {
	env := stream.NewEnv(stream.Settings{})
	if err := build(env); err != nil {
		t.Fatal(err)
	}
	p, err := env.Program()
	if err != nil {
		t.Fatal(err)
	}
	c, err := streamtest.New(p, streamtest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Run(); err != nil {
		t.Fatal(err)
	}
	lines := c.Lines()
	slices.Sort(lines)
	if got := strings.Join(lines, " "); got != "(a,1,1) (a,10,1) (b,1,3) (c,11,1) (c,6,1)" {
		t.Errorf("got %s", got)
	}
}
