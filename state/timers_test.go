package state_test

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"testing"

	"goflink/state"
)

// TestTimersBeyondMemory registers far more timers than the horizon keeps, deletes some, fires in steps and goes
// through a snapshot in the middle.
func TestTimersBeyondMemory(t *testing.T) {
	for i, b := range backends {
		t.Run(b.name, func(t *testing.T) {
			rng := seeded(t)
			x, m := openTask(t, env(t, i, state.Range{End: maxPar})), newModel()
			register := func(n int, span int64) {
				for range n {
					tm := timer{randomAt(rng, 500), rng.Int64N(span), rng.IntN(2) == 0}
					x.move(tm.at)
					if tm.proc {
						x.timers.RegisterProc(tm.ts)
					} else {
						x.timers.RegisterEvent(tm.ts)
					}
					m.timers[tm] = true
				}
			}
			register(5000, 100)
			n := 0
			for tm := range m.timers {
				if n++; n%3 > 0 {
					continue
				}
				x.move(tm.at)
				x.timers.DeleteEvent(tm.ts + 1000) // no such timer
				if tm.proc {
					x.timers.DeleteProc(tm.ts)
				} else {
					x.timers.DeleteEvent(tm.ts)
				}
				delete(m.timers, tm)
			}
			x.fire(m, 30, false)
			register(2000, 80)
			x.fire(m, 31, true)
			var wg sync.WaitGroup
			w := x.snapshot(m, 1, &wg)
			x.fire(m, 60, false)
			x.fire(m, math.MaxInt64, true)
			wg.Wait()
			if w.err != nil {
				t.Fatal(w.err)
			}
			x.fire(m, math.MaxInt64, false)
			x.close()
			restoreAll(t, (i+1)%len(backends), 3, memory{w.bytes.Bytes()}, []state.Handle{{Location: "0", SnapshotInfo: w.info}}, w.model, 0)
		})
	}
}

func TestTimersWhileFiring(t *testing.T) {
	for i, b := range backends {
		t.Run(b.name, func(t *testing.T) {
			x := openTask(t, env(t, i, state.Range{End: maxPar}))
			defer x.close()
			x.move(at{key: "a"})
			for _, ts := range []int64{30, 10, 10, 20} {
				x.timers.RegisterEvent(ts)
			}
			x.move(at{"b", state.Namespace{A: 1, B: 2}})
			x.timers.RegisterEvent(10)
			var fired []string
			fire := func(ts int64) error {
				fired = append(fired, fmt.Sprintf("%s%d %d", x.k.Key(), x.k.Namespace().B, ts))
				if ts == 10 && x.k.Key() == "a" {
					x.timers.RegisterEvent(15) // fires in the same advance
					x.timers.RegisterEvent(5)  // late: at once
					x.timers.RegisterEvent(40)
					x.timers.DeleteEvent(20)
				}
				return nil
			}
			if err := x.timers.AdvanceEvent(30, fire); err != nil {
				t.Fatal(err)
			}
			if got := fmt.Sprint(fired); got != fmt.Sprint([]string{"a0 10", "a0 5", "b2 10", "a0 15", "a0 30"}) {
				t.Fatal(got)
			}
			if ts, ok := x.timers.NextEvent(); !ok || ts != 40 {
				t.Fatal(ts, ok)
			}
			if _, ok := x.timers.NextProc(); ok {
				t.Fatal("a processing-time timer from nowhere")
			}
			x.timers.RegisterProc(-7)
			if ts, ok := x.timers.NextProc(); !ok || ts != -7 {
				t.Fatal(ts, ok)
			}
			boom := errors.New("boom")
			if err := x.timers.AdvanceEvent(50, func(int64) error { return boom }); !errors.Is(err, boom) {
				t.Fatal(err)
			}
		})
	}
}

// TestTimersMovedAgain deletes and registers one timer over and over: stale items must not pile up.
func TestTimersMovedAgain(t *testing.T) {
	x := openTask(t, env(t, 0, state.Range{End: maxPar}))
	defer x.close()
	x.move(at{key: "session"})
	for ts := range int64(100_000) {
		x.timers.DeleteEvent(ts + 999)
		x.timers.RegisterEvent(ts + 1000)
	}
	var fired []int64
	if err := x.timers.AdvanceEvent(math.MaxInt64, func(ts int64) error {
		fired = append(fired, ts)
		return nil
	}); err != nil || !slices.Equal(fired, []int64{100_999}) {
		t.Fatal(fired, err)
	}
}
