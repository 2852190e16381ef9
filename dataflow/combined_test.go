package dataflow

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// combinedModel recomputes the output from scratch: the law of Combined.
type combinedModel struct {
	wm   []int64
	idle []bool
	out  int64
}

func (m *combinedModel) output() (wm int64, idle bool) {
	var going, active []int64
	for i, w := range m.wm {
		if w != MaxWatermark {
			going = append(going, w)
			if !m.idle[i] {
				active = append(active, w)
			}
		}
	}
	switch {
	case len(going) == 0:
		m.out = MaxWatermark
	case len(active) > 0:
		m.out = max(m.out, slices.Min(active))
	}
	return m.out, len(going) > 0 && len(active) == 0
}

func TestCombinedIsTheMinimumOfInputsThatGoOn(t *testing.T) {
	for seed := uint64(1); seed <= 200; seed++ {
		rnd := rand.New(rand.NewPCG(seed, 2))
		n := 1 + rnd.IntN(3)
		c, m := NewCombined(n), &combinedModel{make([]int64, n), make([]bool, n), MinWatermark}
		for i := range m.wm {
			m.wm[i] = MinWatermark
		}
		for range 60 {
			i, before, wasIdle := rnd.IntN(n), c.Current(), c.Idle()
			var advanced, changed bool
			switch op := rnd.IntN(20); {
			case op < 13:
				ts := int64(rnd.IntN(100))
				m.wm[i], m.idle[i] = max(m.wm[i], ts), false
				_, advanced, changed = c.Watermark(i, ts)
			case op < 19:
				m.idle[i] = rnd.IntN(2) == 0
				_, advanced, changed = c.Status(i, m.idle[i])
			default:
				m.wm[i], m.idle[i] = MaxWatermark, false
				_, advanced, changed = c.Watermark(i, MaxWatermark)
			}
			wm, idle := m.output()
			if c.Current() != wm || c.Idle() != idle {
				t.Fatalf("seed %d: watermark %d idle %t, want %d %t", seed, c.Current(), c.Idle(), wm, idle)
			}
			if advanced != (wm > before) || changed != (idle != wasIdle) {
				t.Fatalf("seed %d: advanced %t changed %t, from %d %t to %d %t", seed, advanced, changed, before, wasIdle, wm, idle)
			}
		}
	}
}

// TestCombinedIdleness holds what differs from a Valve, and from Flink.
func TestCombinedIdleness(t *testing.T) {
	c := NewCombined(2)
	step := func(what string, want string, out int64, advanced, changed bool) {
		t.Helper()
		if got := fmt.Sprintf("%d advanced=%t changed=%t idle=%t", out, advanced, changed, c.Idle()); got != want {
			t.Errorf("%s: %s, want %s", what, got, want)
		}
	}
	at := func(what, want string, f func() (int64, bool, bool)) {
		t.Helper()
		out, advanced, changed := f()
		step(what, want, out, advanced, changed)
	}
	at("first at 5", fmt.Sprintf("%d advanced=false changed=false idle=false", MinWatermark), func() (int64, bool, bool) { return c.Watermark(0, 5) })
	at("second at 10", "5 advanced=true changed=false idle=false", func() (int64, bool, bool) { return c.Watermark(1, 10) })
	at("second idle", "5 advanced=false changed=false idle=false", func() (int64, bool, bool) { return c.Status(1, true) })
	at("both idle: nothing is flushed", "5 advanced=false changed=true idle=true", func() (int64, bool, bool) { return c.Status(0, true) })
	at("second wakes: it counts at once", "10 advanced=true changed=true idle=false", func() (int64, bool, bool) { return c.Status(1, false) })
	at("first wakes with an old watermark", "10 advanced=false changed=false idle=false", func() (int64, bool, bool) { return c.Watermark(0, 7) })
	at("second falls idle", "10 advanced=false changed=false idle=false", func() (int64, bool, bool) { return c.Status(1, true) })
	at("first ends: the idle one goes on", "10 advanced=false changed=true idle=true", func() (int64, bool, bool) { return c.Watermark(0, MaxWatermark) })
	at("second goes on", "12 advanced=true changed=true idle=false", func() (int64, bool, bool) { return c.Watermark(1, 12) })
	at("second ends", fmt.Sprintf("%d advanced=true changed=false idle=false", MaxWatermark), func() (int64, bool, bool) { return c.Watermark(1, MaxWatermark) })
}
