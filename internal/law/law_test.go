package law

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"sync/atomic"
	"testing"

	"goflink/internal/seeds"
)

var (
	seedRange = seeds.Flag("law.seeds", "0..39", "TestSeeds")
	fastFlag  = flag.Bool("law.failfast", false, "end at the first seed that fails, without shrinking it")
)

// enoughSeeds is from how many seeds on the coverage must have no gap.
const enoughSeeds = 500

// TestSeeds runs the law for a range of seeds.
func TestSeeds(t *testing.T) {
	var c coverage
	var stop atomic.Bool
	t.Run("seed", func(t *testing.T) {
		for seed := seedRange.First; seed <= seedRange.Last; seed++ {
			t.Run(fmt.Sprint(seed), func(t *testing.T) {
				t.Parallel()
				if !stop.Load() && !holds(t, seed, &c) {
					stop.Store(*fastFlag)
				}
			})
		}
	})
	text, gaps := c.table()
	if seedRange.Len() >= enoughSeeds && !t.Failed() {
		t.Logf("how often each part of a graph went through what:\n%s", text)
		for _, g := range gaps {
			t.Errorf("no seed covers %s", g)
		}
	}
}

// holds runs one seed; what fails is shrunk and shown.
func holds(t *testing.T, seed uint64, c *coverage) bool {
	s := Draw(seed)
	f := DrawFaults(s)
	out, err := run(t, s, f)
	if err == nil {
		c.add(s, out.happened)
		return true
	}
	if *fastFlag {
		t.Errorf("seed %d: %v", seed, err)
		return false
	}
	small, fewer := shrink(s, f, func(s *Spec, f *Faults) bool {
		_, err := run(t, s, f)
		return err != nil && !errors.Is(err, errGraph)
	})
	_, serr := run(t, small, fewer)
	t.Errorf("the law does not hold: %v\n%s%s\nshrunk: %v\n%s%s\nagain: make torture SEEDS=%d..%d", err, s, f, serr, small, fewer, seed, seed)
	return false
}

// run runs a graph in a folder of its own and checks what came of it.
func run(t *testing.T, s *Spec, f *Faults) (*outputs, error) {
	dir, err := os.MkdirTemp(t.TempDir(), "run")
	if err != nil {
		t.Fatal(err)
	}
	var out *outputs
	if runsOnWorkers(s) && !testing.Short() {
		out, err = runWorkers(t, s, f, dir)
	} else {
		out, err = runFast(s, f, dir)
	}
	if err == nil {
		err = check(s, f, out)
	}
	return out, err
}

// TestSpecsAreReplayable: a seed always draws the same graph, and its text.
func TestSpecsAreReplayable(t *testing.T) {
	for seed := range uint64(200) {
		a, b := Draw(seed), Draw(seed)
		if a.String() != b.String() || DrawFaults(a).String() != DrawFaults(b).String() {
			t.Errorf("seed %d draws two graphs:\n%s%s", seed, a, b)
		}
	}
}

// TestGraphsAreNotTrivial: most graphs write something, and late graphs do have
// late records.
func TestGraphsAreNotTrivial(t *testing.T) {
	empty := 0
	for seed := range uint64(300) {
		s := Draw(seed)
		lines := 0
		for _, sink := range Expect(s) {
			lines += len(sink)
		}
		if lines == 0 {
			empty++
		}
	}
	if empty > 20 {
		t.Errorf("%d of 300 graphs write nothing", empty)
	}
}
