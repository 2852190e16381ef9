package exchange

import (
	"math/rand/v2"
	"testing"
	"time"
)

const period = 200 * time.Millisecond

// TestSizerHoldsTheTarget: for a consumer of any speed and any number of buffers
// in flight, what is in flight comes to be worth the target, within the limits.
func TestSizerHoldsTheTarget(t *testing.T) {
	for seed := uint64(1); seed <= 300; seed++ {
		r := rand.New(rand.NewPCG(seed, 1))
		target := time.Duration(50+r.IntN(3000)) * time.Millisecond
		s := newSizer(Debloat{Target: target, Threshold: r.IntN(30)}, 256, 32<<10)
		var rate float64
		for range 3 { // it changes its speed
			rate = float64(int64(1) << r.IntN(31))
			buffers := 1 + r.IntN(40)
			for range 400 {
				s.step(int64(rate*period.Seconds()), period, period, buffers)
			}
			want := rate * target.Seconds() / float64(buffers)
			got := float64(s.told)
			switch {
			case got == float64(s.least) && want < 1.3*got, got == float64(s.most) && want > 0.7*got:
			case got < 0.7*want || got > 1.4*want:
				t.Fatalf("seed %d: %.0f bytes/s, %d buffers, target %s: buffers of %d bytes, want about %.0f", seed, rate, buffers, target, s.told, want)
			}
		}
	}
}

func TestSizerSteps(t *testing.T) {
	s := newSizer(Debloat{Threshold: 25}, 256, 32<<10)
	for range 1000 {
		if s.step(0, 0, period, 0) {
			t.Fatal("an idle task has news")
		}
	}
	if s.told != 32<<10 {
		t.Fatalf("without a sample the size is %d", s.told)
	}
	// A task that is inside one buffer for three periods consumes as much as one
	// that gets a third of it each period.
	s = newSizer(Debloat{}, 256, 32<<10)
	steady := newSizer(Debloat{}, 256, 32<<10)
	for range 100 {
		s.step(0, period, period, 10)
		s.step(0, period, period, 10)
		s.step(3000, period, period, 10)
		for range 3 {
			steady.step(1000, period, period, 10)
		}
	}
	if s.told < steady.told*95/100 || s.told > steady.told*105/100 {
		t.Errorf("in bursts %d, steady %d", s.told, steady.told)
	}
	// Nothing at all for long: the smallest ones.
	for range 200 {
		s.step(0, period, period, 10)
	}
	if s.told != 256 {
		t.Errorf("a stuck task has buffers of %d bytes", s.told)
	}
	// Little news is none.
	s = newSizer(Debloat{Threshold: 25}, 256, 32<<10)
	news := 0
	for i := range 400 {
		if s.step(20_000+int64(i%3)*300, period, period, 10) {
			news++
		}
	}
	if news > 6 {
		t.Errorf("%d announcements of a steady throughput", news)
	}
}
