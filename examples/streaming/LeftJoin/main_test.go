package main

import (
	"slices"
	"strings"
	"testing"

	"goflink/stream"
	"goflink/stream/streamtest"
)

func TestLeftJoin(t *testing.T) {
	for seed := range uint64(5) {
		env := stream.NewEnv(stream.Settings{})
		if err := build(env); err != nil {
			t.Fatal(err)
		}
		p, err := env.Program()
		if err != nil {
			t.Fatal(err)
		}
		c, err := streamtest.New(p, streamtest.Options{Seed: seed, RemoteShare: 0.5})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if err := c.Run(); err != nil {
			t.Fatal(err)
		}
		lines := c.Lines()
		slices.Sort(lines)
		if got := strings.Join(lines, " "); got != "(o1,ann,250) (o1,ann,500) (o2,bob,unpaid) (o3,ann,unpaid) (o4,cat,100)" {
			t.Errorf("seed %d: got %s", seed, got)
		}
	}
}
