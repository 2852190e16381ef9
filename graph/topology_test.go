package graph

import (
	"fmt"
	"strings"
	"testing"
)

func TestTopology(t *testing.T) {
	for _, c := range []struct {
		p                Partitioning
		sources, targets int
		want             string
	}{
		{Partitioning_FORWARD, 3, 3, "[0] [1] [2]"},
		{Partitioning_RESCALE, 2, 4, "[0 1] [2 3]"},
		{Partitioning_RESCALE, 4, 2, "[0] [0] [1] [1]"},
		{Partitioning_RESCALE, 3, 2, "[0] [1] [1]"},
		{Partitioning_RESCALE, 2, 3, "[0 1] [2]"},
		{Partitioning_RESCALE, 7, 3, "[0] [0] [1] [1] [2] [2] [2]"},
		{Partitioning_RESCALE, 3, 3, "[0] [1] [2]"},
		{Partitioning_HASH, 2, 3, "[0 1 2] [0 1 2]"},
		{Partitioning_BROADCAST, 1, 2, "[0 1]"},
	} {
		var got []string
		from := map[int]int{}
		for s := range c.sources {
			list := Targets(c.p, s, c.sources, c.targets)
			got = append(got, fmt.Sprint(list))
			for _, target := range list {
				from[target]++
			}
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%v %d->%d: %v, want %s", c.p, c.sources, c.targets, got, c.want)
		}
		for target := range c.targets {
			if n := len(Sources(c.p, target, c.sources, c.targets)); n == 0 || n != from[target] {
				t.Errorf("%v %d->%d: target %d has %d sources, %d send to it", c.p, c.sources, c.targets, target, n, from[target])
			}
		}
	}
}

// TestSourcesInvertTargets compares the two directions for all small sizes.
func TestSourcesInvertTargets(t *testing.T) {
	for sources := 1; sources <= 24; sources++ {
		for targets := 1; targets <= 24; targets++ {
			want := make([][]int, targets)
			for s := range sources {
				for _, target := range Targets(Partitioning_RESCALE, s, sources, targets) {
					want[target] = append(want[target], s)
				}
			}
			for target := range targets {
				if got := Sources(Partitioning_RESCALE, target, sources, targets); fmt.Sprint(got) != fmt.Sprint(want[target]) {
					t.Fatalf("%d->%d: target %d receives from %v, sent to by %v", sources, targets, target, got, want[target])
				}
			}
		}
	}
}
