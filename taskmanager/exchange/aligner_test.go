package exchange

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
)

// The scripts know: new channels=N mode=exactly-once|at-least-once, and step
// with one "barrier CH ID", "end CH" or "cancel ID" a line.
func TestAlignerScripts(t *testing.T) {
	var a barriers
	datadriven.RunTest(t, "testdata/aligner", func(t *testing.T, d *datadriven.TestData) string {
		if d.Cmd == "new" {
			var n int
			var mode string
			d.ScanArgs(t, "channels", &n)
			d.ScanArgs(t, "mode", &mode)
			if a = newTracker(n); mode == "exactly-once" {
				a = newAligner(n)
			}
			return ""
		}
		var out strings.Builder
		for line := range strings.Lines(d.Input) {
			f := strings.Fields(line)
			var nums [2]int64
			for i, s := range f[1:] {
				nums[i], _ = strconv.ParseInt(s, 10, 64)
			}
			var r alignment
			switch f[0] {
			case "barrier":
				r = a.barrier(int(nums[0]), nums[1])
			case "end":
				r = a.end(int(nums[0]))
			case "cancel":
				r = a.cancel(nums[0])
			}
			fmt.Fprintf(&out, "%s:%s\n", strings.TrimSpace(line), r.describe())
		}
		return out.String()
	})
}

func (r alignment) describe() string {
	var s string
	add := func(on bool, word string) {
		if on {
			s += " " + word
		}
	}
	add(r.unblock, "unblock")
	add(r.aborted != 0, fmt.Sprintf("aborted=%d", r.aborted))
	add(r.forward, "forward")
	add(r.started, "started")
	add(r.block, "block")
	add(r.aligned != 0, fmt.Sprintf("aligned=%d", r.aligned))
	for _, next := range r.then {
		s += next.describe()
	}
	if s == "" {
		return " nothing"
	}
	return s
}

// TestAlignerRandom checks against a plain model: a checkpoint is aligned
// exactly when all channels that go on had its barrier, ids only grow, and
// nothing stays blocked after the last one.
func TestAlignerRandom(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	for range 500 {
		n := 1 + r.IntN(4)
		a := newAligner(n)
		next := make([]int64, n) // next barrier of each channel
		blocked := make([]bool, n)
		last := int64(0)
		for range 100 {
			ch := r.IntN(n)
			if a.ended[ch] || blocked[ch] {
				continue
			}
			var step alignment
			switch r.IntN(12) {
			case 0:
				step = a.end(ch)
			case 1:
				step = a.cancel(last + int64(r.IntN(2)))
			default:
				next[ch] += int64(1 + r.IntN(8)/7)
				step = a.barrier(ch, next[ch])
			}
			if step.unblock {
				clear(blocked)
			}
			blocked[ch] = blocked[ch] || step.block
			if step.aligned != 0 {
				if step.aligned <= last {
					t.Fatalf("aligned %d after %d", step.aligned, last)
				}
				last = step.aligned
			}
			if a.cur == 0 && anyOf(blocked) {
				t.Fatalf("channels stay blocked without an alignment")
			}
		}
	}
}

func anyOf(bs []bool) bool {
	for _, b := range bs {
		if b {
			return true
		}
	}
	return false
}
