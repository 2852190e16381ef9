package execution

import (
	"fmt"
	"math"
	"time"
)

// Strategy decides after each failure whether and when the job restarts. It is
// used by one goroutine.
type Strategy interface {
	// Failed takes note of a failure. It tells whether to restart, and how long
	// to wait before.
	Failed(now time.Time) (delay time.Duration, restart bool)
	// String describes the strategy, for the reason of a job that gave up.
	String() string
}

// NoRestart fails the job at the first failure (restart-strategy.type: none).
type NoRestart struct{}

// Failed never restarts.
func (NoRestart) Failed(time.Time) (time.Duration, bool) { return 0, false }

// String names the strategy.
func (NoRestart) String() string { return "no restart strategy" }

// FixedDelay restarts a number of times, with a pause before each
// (restart-strategy.fixed-delay.*).
type FixedDelay struct {
	// Attempts is how often the job restarts in all.
	Attempts int
	// Delay is the pause before a restart.
	Delay time.Duration

	used int
}

// Failed counts a restart.
func (s *FixedDelay) Failed(time.Time) (time.Duration, bool) {
	if s.used >= s.Attempts {
		return 0, false
	}
	s.used++
	return s.Delay, true
}

// String describes the strategy.
func (s *FixedDelay) String() string {
	return fmt.Sprintf("fixed delay, at most %d restarts, %s before each", s.Attempts, s.Delay)
}

// FailureRate restarts as long as failures are not too frequent
// (restart-strategy.failure-rate.*).
type FailureRate struct {
	// Max is how many failures an Interval may have.
	Max      int
	Interval time.Duration
	// Delay is the pause before a restart.
	Delay time.Duration

	failures []time.Time
}

// Failed counts the failures of the last Interval.
func (s *FailureRate) Failed(now time.Time) (time.Duration, bool) {
	s.failures = append(s.failures, now)
	for len(s.failures) > 0 && now.Sub(s.failures[0]) > s.Interval {
		s.failures = s.failures[1:]
	}
	return s.Delay, len(s.failures) <= s.Max
}

// String describes the strategy.
func (s *FailureRate) String() string {
	return fmt.Sprintf("failure rate, at most %d failures in %s", s.Max, s.Interval)
}

// ExponentialDelay restarts with a pause that grows from failure to failure
// and shrinks to the initial one after a time without any
// (restart-strategy.exponential-delay.*). It is the default of a job with
// checkpoints.
type ExponentialDelay struct {
	Initial, Max time.Duration
	// Multiplier is what the pause grows by, 1.5 by default.
	Multiplier float64
	// Reset is how long the job must run without failure for the pause to be
	// Initial again.
	Reset time.Duration
	// Jitter is the part of the pause that is added or taken away at random.
	Jitter float64
	// Attempts is how many failures without a Reset end the job;
	// math.MaxInt: never.
	Attempts int
	// Random yields numbers in [0, 1); nil means no jitter.
	Random func() float64

	next    time.Duration
	last    time.Time // end of the last pause
	current int
}

// Failed grows the pause. A failure during the pause of the one before it
// belongs to the same restart and neither counts nor grows anything.
func (s *ExponentialDelay) Failed(now time.Time) (time.Duration, bool) {
	if !s.last.IsZero() && now.Before(s.last) {
		return s.last.Sub(now), s.current <= s.Attempts
	}
	if s.next == 0 || !s.last.IsZero() && now.Sub(s.last) >= s.Reset {
		s.next, s.current = s.Initial, 0
	}
	s.current++
	delay := s.next
	if s.Random != nil {
		delay += time.Duration(float64(delay) * s.Jitter * (2*s.Random() - 1))
	}
	delay = min(delay, s.Max)
	s.next = min(time.Duration(float64(s.next)*s.Multiplier), s.Max)
	s.last = now.Add(delay)
	return delay, s.current <= s.Attempts
}

// String describes the strategy.
func (s *ExponentialDelay) String() string {
	limit := "no limit"
	if s.Attempts != math.MaxInt {
		limit = fmt.Sprintf("at most %d restarts in a row", s.Attempts)
	}
	return fmt.Sprintf("exponential delay from %s to %s, %s", s.Initial, s.Max, limit)
}
