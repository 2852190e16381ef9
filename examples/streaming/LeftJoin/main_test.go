package main

import (
	"strings"
	"testing"

	"goflink/stream/streamtest"
)

func TestLeftJoin(t *testing.T) {
	for seed := range uint64(5) {
		lines, err := streamtest.Lines(build, 1, streamtest.Options{Seed: seed, RemoteShare: 0.5})
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(lines, " "); got != "(o1,ann,250) (o1,ann,500) (o2,bob,unpaid) (o3,ann,unpaid) (o4,cat,100)" {
			t.Errorf("seed %d: got %s", seed, got)
		}
	}
}
