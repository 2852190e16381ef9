// Package seeds is the flag by which tests with random input take their seeds, so
// that a failure can be run again and a longer range by hand.
package seeds

import (
	"flag"
	"fmt"
)

// Range is a range of seeds, both ends included. Its text is FIRST..LAST.
type Range struct{ First, Last uint64 }

// Flag adds a flag for the seeds of a test to the command line; it panics when def
// is not FIRST..LAST.
func Flag(name, def, test string) *Range {
	r := &Range{}
	if err := r.Set(def); err != nil {
		panic(err)
	}
	flag.Var(r, name, "the seeds of "+test+", FIRST..LAST")
	return r
}

// Set reads FIRST..LAST.
func (r *Range) Set(text string) error {
	x := Range{}
	if n, err := fmt.Sscanf(text, "%d..%d", &x.First, &x.Last); err != nil || n != 2 || x.First > x.Last || text != x.String() {
		return fmt.Errorf("%q is not FIRST..LAST", text)
	}
	*r = x
	return nil
}

// String returns FIRST..LAST.
func (r *Range) String() string { return fmt.Sprintf("%d..%d", r.First, r.Last) }

// Len is the number of seeds.
func (r *Range) Len() uint64 { return r.Last - r.First + 1 }
