package seeds

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"
	"time"
)

var one = flag.Uint64("seed", 0, "the seed of tests with random input; 0 draws one")

// One is the seed of a test with random input: that of the flag -seed, or else one
// drawn now. The log of the test names it; since a test that runs into its time
// limit has no log, so does the standard error output just before the limit.
func One(t testing.TB) uint64 {
	t.Helper()
	seed := *one
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("seed %d", seed)
	limited, ok := t.(interface{ Deadline() (time.Time, bool) })
	if !ok {
		return seed
	}
	if limit, ok := limited.Deadline(); ok {
		late := time.AfterFunc(time.Until(limit)-time.Second, func() { fmt.Fprintf(os.Stderr, "%s is late: seed %d\n", t.Name(), seed) })
		t.Cleanup(func() { late.Stop() })
	}
	return seed
}
