package law

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"goflink/state"
	"goflink/stream/streamtest"
)

// Faults are the ways in which a graph is run: attempts that are killed, but for
// the last.
type Faults struct {
	Attempts []Attempt
	// Again runs the last attempt's successor from the final checkpoint: a job
	// that failed between that and its end.
	Again bool
}

// Attempt is one run, from the last complete checkpoint of those before.
type Attempt struct {
	Seed           uint64
	Parallelism    int
	MaxParallelism int
	Chained        bool
	Backend        state.BackendKind
	Remote, Single float64
	Credit, Every  int
	Tick           time.Duration
	// Checkpoints is how barriers are taken: "aligned" is what there is.
	Checkpoints string
	// Brake is how long a source's records are held up; 0 not at all.
	Brake time.Duration
	// Steps kills after so many steps; 0 does not.
	Steps int
	// At kills at the Nth time that a checkpoint comes to this moment; N 0 does
	// not. Final: only while the final checkpoint is taken.
	At    streamtest.Moment
	N     int
	Final bool
}

// all are the attempts, with the one that is run again.
func (f *Faults) all() []Attempt {
	if !f.Again {
		return f.Attempts
	}
	return append(f.Attempts[:len(f.Attempts):len(f.Attempts)], f.Attempts[len(f.Attempts)-1])
}

// DrawFaults draws how a seed's graph is run.
func DrawFaults(s *Spec) *Faults {
	r := rand.New(rand.NewPCG(s.Seed, 2))
	groups := []int{8, 32, 128}[r.IntN(3)]
	f := &Faults{}
	kills := []int{0, 1, 2, 2, 3, 3, 4}[r.IntN(7)]
	if last := s.Nodes[len(s.Nodes)-1]; s.Class == Idle || last.Fn == "sums" {
		kills = 0
	}
	if s.restored() {
		kills = 1
	}
	checkpoints := kills > 0 || r.IntN(2) == 0
	for i := range kills + 1 {
		a := Attempt{Seed: r.Uint64(), Parallelism: 1 + r.IntN(3), MaxParallelism: groups, Chained: r.IntN(2) == 0,
			Remote: []float64{0, 0.5, 1}[r.IntN(3)], Single: []float64{0, 0.3, 0.9, 1}[r.IntN(4)], Credit: 1 + r.IntN(4),
			Tick: time.Duration(r.IntN(60)) * time.Millisecond, Checkpoints: "aligned"}
		if r.IntN(3) == 0 {
			a.Backend = state.Pebble
		}
		if checkpoints && !s.Batch {
			a.Every = 3 + r.IntN(60)
		}
		switch {
		case i == kills:
		case s.Batch: // which takes no checkpoints: a killed job begins anew
			a.Steps = 5 + r.IntN(300)
		default:
			a.drawKill(r)
		}
		f.Attempts = append(f.Attempts, a)
	}
	f.Again = kills > 0 && r.IntN(3) == 0 && !s.Batch && s.Class != Idle
	switch {
	case s.restored(): // soon, while the other source speaks
		first := &f.Attempts[0]
		first.Every, first.Steps, first.At, first.N, first.Final = 1, 0, streamtest.Completed, 1, false
		f.Attempts[1].Every = 50
	case kills > 0 && !s.Batch && r.IntN(2) == 0:
		if r.IntN(2) == 0 { // and then one reader has all splits, some of which it must ask for
			f.Attempts[0].Parallelism, f.Attempts[0].Single = 1, 0
		}
		f.Attempts = append([]Attempt{f.Attempts[0].early(r)}, f.Attempts...)
	}
	return f
}

// early is an attempt like a that is killed behind its first checkpoint, before all
// readers have asked for splits.
func (a Attempt) early(r *rand.Rand) Attempt {
	a.Seed, a.Parallelism, a.Single = r.Uint64(), 2+r.IntN(2), 1
	a.Every, a.Steps, a.At, a.N, a.Final = 2+r.IntN(8), 0, streamtest.Completed, 1, false
	return a
}

func (a *Attempt) drawKill(r *rand.Rand) {
	switch r.IntN(10) {
	case 0, 1:
		a.Steps = 5 + r.IntN(200)
	case 2, 3, 4:
		a.At, a.N = []streamtest.Moment{streamtest.Triggered, streamtest.Triggered, streamtest.Completed}[r.IntN(3)], 1+r.IntN(2)
	case 5, 6:
		a.At, a.N = []streamtest.Moment{streamtest.Acked, streamtest.Told}[r.IntN(2)], 1+r.IntN(10)
	default:
		a.At, a.N, a.Final = []streamtest.Moment{streamtest.Acked, streamtest.Completed, streamtest.Completed, streamtest.Told}[r.IntN(4)], 1+r.IntN(3), true
		if a.At == streamtest.Completed {
			a.N = 1
		}
	}
}

// String is a line an attempt.
func (f *Faults) String() string {
	var b strings.Builder
	for i := range f.Attempts {
		a := &f.Attempts[i]
		fmt.Fprintf(&b, "  attempt %d: parallelism %d of %d, %s, chained %t, encoded %g, single records %g, credit %d, checkpoint each %d steps, tick %s",
			i, a.Parallelism, a.MaxParallelism, a.backend(), a.Chained, a.Remote, a.Single, a.Credit, a.Every, a.Tick)
		switch {
		case a.Steps > 0:
			fmt.Fprintf(&b, ", killed after %d steps", a.Steps)
		case a.N > 0:
			fmt.Fprintf(&b, ", killed at %s number %d, final %t", a.At, a.N, a.Final)
		}
		b.WriteByte('\n')
	}
	if f.Again {
		b.WriteString("  and once more from the final checkpoint\n")
	}
	return b.String()
}

func (a *Attempt) backend() string {
	if a.Backend == state.Pebble {
		return "pebble"
	}
	return "heap"
}
