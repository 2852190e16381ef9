package metrics

import (
	"math"
	"slices"
)

// Statistics is the distribution of some values.
type Statistics struct {
	// Count is the number of values ever seen, Sum the sum of those that are kept.
	Count, Sum int64
	// Min and Max bound the kept values, Mean and StdDev describe them; all are 0 without values.
	Min, Max     int64
	Mean, StdDev float64
	sorted       []int64
}

// Summarise computes the distribution of values, which it sorts.
func Summarise(values []int64) Statistics {
	s := Statistics{Count: int64(len(values)), sorted: values}
	if len(values) == 0 {
		return s
	}
	slices.Sort(values)
	s.Min, s.Max = values[0], values[len(values)-1]
	for _, v := range values {
		s.Sum += v
		s.Mean += float64(v) / float64(len(values))
	}
	if len(values) > 1 {
		squares := 0.0
		for _, v := range values {
			squares += (float64(v) - s.Mean) * (float64(v) - s.Mean)
		}
		s.StdDev = math.Sqrt(squares / float64(len(values)-1))
	}
	return s
}

// Quantile returns the value below which the share q of all values lies, interpolated between neighbours as Flink's
// histograms do; 0 without values.
func (s Statistics) Quantile(q float64) float64 {
	n := len(s.sorted)
	if n == 0 {
		return 0
	}
	pos := q * float64(n+1)
	lower := int(math.Floor(pos))
	switch {
	case lower < 1:
		return float64(s.sorted[0])
	case lower >= n:
		return float64(s.sorted[n-1])
	}
	below, above := float64(s.sorted[lower-1]), float64(s.sorted[lower])
	return below + (pos-math.Floor(pos))*(above-below)
}

// each yields the figures of a histogram under Flink's suffixes.
func (s Statistics) each(yield func(suffix, text string)) {
	yield("_min", formatFloat(float64(s.Min)))
	yield("_max", formatFloat(float64(s.Max)))
	yield("_mean", formatFloat(s.Mean))
	yield("_stddev", formatFloat(s.StdDev))
	yield("_median", formatFloat(s.Quantile(0.5)))
	for _, p := range []struct {
		suffix string
		q      float64
	}{{"_p75", 0.75}, {"_p90", 0.9}, {"_p95", 0.95}, {"_p98", 0.98}, {"_p99", 0.99}, {"_p999", 0.999}} {
		yield(p.suffix, formatFloat(s.Quantile(p.q)))
	}
}
