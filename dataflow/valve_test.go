package dataflow

import (
	"math/rand/v2"
	"testing"
)

// model recomputes the output from scratch: the law of the valve.
type model struct {
	wm          []int64
	idle, ended []bool
	out         int64
}

func (m *model) output() int64 {
	low, any := int64(MaxWatermark), false
	for i, wm := range m.wm {
		if !m.idle[i] && !m.ended[i] {
			any = true
			low = min(low, wm)
		}
	}
	if any {
		m.out = max(m.out, low)
	}
	return m.out
}

func TestValveIsTheMinimumOfActiveChannels(t *testing.T) {
	for seed := uint64(1); seed <= 200; seed++ {
		rnd := rand.New(rand.NewPCG(seed, 1))
		n := 1 + rnd.IntN(4)
		v, m := NewValve(n), &model{make([]int64, n), make([]bool, n), make([]bool, n), MinWatermark}
		for i := range m.wm {
			m.wm[i] = MinWatermark
		}
		last := int64(MinWatermark)
		for range 60 {
			ch := rnd.IntN(n)
			switch op := rnd.IntN(10); {
			case op < 7:
				ts := int64(rnd.IntN(100))
				if !m.ended[ch] && (ts > m.wm[ch] || m.idle[ch]) {
					m.wm[ch], m.idle[ch] = max(ts, m.wm[ch]), false
				}
				v.Watermark(ch, ts)
			case op < 9:
				idle := rnd.IntN(2) == 0
				if !m.ended[ch] {
					m.idle[ch] = idle
				}
				v.Status(ch, idle)
			default:
				m.ended[ch] = true
				v.Ended(ch)
			}
			got := v.Current()
			if got < last {
				t.Fatalf("seed %d: watermark went back from %d to %d", seed, last, got)
			}
			last = got
			if want := m.output(); want > got {
				t.Fatalf("seed %d: watermark %d, active channels reached %d", seed, got, want)
			}
			m.out = max(m.out, got) // when nothing is active the valve may flush what was reached
		}
	}
}

func TestValveCases(t *testing.T) {
	v := NewValve(2)
	if _, advanced, _ := v.Watermark(0, 5); advanced {
		t.Error("advanced although channel 1 has no watermark")
	}
	if out, advanced, _ := v.Watermark(1, 3); !advanced || out != 3 {
		t.Errorf("out %d advanced %v, want 3", out, advanced)
	}
	if out, advanced, changed := v.Status(1, true); !advanced || out != 5 || changed {
		t.Errorf("out %d advanced %v changed %v: an idle channel holds nothing back", out, advanced, changed)
	}
	if _, _, changed := v.Status(0, true); !changed || !v.Idle() {
		t.Error("all channels idle: the input is idle")
	}
	if _, advanced, changed := v.Watermark(1, 4); advanced || !changed {
		t.Error("an old watermark makes the channel active and does not go back")
	}
	if out, _, _ := v.Ended(0); out != 5 {
		t.Errorf("out %d, want 5", out)
	}
	if _, _, changed := v.Ended(1); changed {
		t.Error("an input whose channels all ended is over, not idle")
	}
}
