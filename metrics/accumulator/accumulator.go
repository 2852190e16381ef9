// Package accumulator holds Flink's accumulators: figures that functions of a
// program add to, which are merged over all subtasks and are the job's result
// beside its records.
//
// A task has a Set; its functions get accumulators from it (package stream) and
// change them with plain additions, on the task's goroutine. Now and then that
// goroutine encodes the set, and the bytes go to the JobManager, which decodes,
// merges and shows them as Flink does. Nothing here locks or runs by itself.
//
// Invariants:
//
//	single-writer  an accumulator belongs to the goroutine of its task.
//	bounded        what a set encodes to is at most MaxBytes; more is an error of
//	               the program, not less said.
package accumulator

import (
	"math"
)

// IntCounter adds up whole numbers; Flink shows its result as an Integer.
type IntCounter struct{ n int64 }

// Add adds n.
func (c *IntCounter) Add(n int64) { c.n += n }

// Local is the value of this subtask.
func (c *IntCounter) Local() int64 { return c.n }

// LongCounter adds up whole numbers.
type LongCounter struct{ n int64 }

// Add adds n.
func (c *LongCounter) Add(n int64) { c.n += n }

// Local is the value of this subtask.
func (c *LongCounter) Local() int64 { return c.n }

// DoubleCounter adds up numbers.
type DoubleCounter struct{ x float64 }

// Add adds x.
func (c *DoubleCounter) Add(x float64) { c.x += x }

// Local is the value of this subtask.
func (c *DoubleCounter) Local() float64 { return c.x }

// LongMinimum keeps the least whole number; math.MaxInt64 before the first one.
type LongMinimum struct{ n int64 }

// Add takes n into account.
func (m *LongMinimum) Add(n int64) { m.n = min(m.n, n) }

// Local is the value of this subtask.
func (m *LongMinimum) Local() int64 { return m.n }

// LongMaximum keeps the greatest whole number; math.MinInt64 before the first one.
type LongMaximum struct{ n int64 }

// Add takes n into account.
func (m *LongMaximum) Add(n int64) { m.n = max(m.n, n) }

// Local is the value of this subtask.
func (m *LongMaximum) Local() int64 { return m.n }

// DoubleMinimum keeps the least number; +Inf before the first one.
type DoubleMinimum struct{ x float64 }

// Add takes x into account.
func (m *DoubleMinimum) Add(x float64) { m.x = min(m.x, x) }

// Local is the value of this subtask.
func (m *DoubleMinimum) Local() float64 { return m.x }

// DoubleMaximum keeps the greatest number; -Inf before the first one.
type DoubleMaximum struct{ x float64 }

// Add takes x into account.
func (m *DoubleMaximum) Add(x float64) { m.x = max(m.x, x) }

// Local is the value of this subtask.
func (m *DoubleMaximum) Local() float64 { return m.x }

// Average keeps the mean of numbers (Flink's AverageAccumulator).
type Average struct {
	n   int64
	sum float64
}

// Add takes x into account.
func (a *Average) Add(x float64) { a.n++; a.sum += x }

// Local is the value of this subtask, 0 before the first number.
func (a *Average) Local() float64 { return mean(a.sum, a.n) }

func mean(sum float64, n int64) float64 {
	if n == 0 {
		return 0
	}
	return sum / float64(n)
}

// Histogram counts how often each whole number came. It is for few distinct
// numbers: see MaxBytes.
type Histogram struct{ counts map[int64]int64 }

// Add counts v.
func (h *Histogram) Add(v int64) {
	if len(h.counts) < maxElements || h.counts[v] > 0 { // one beyond the bound is enough to be told
		h.counts[v]++
	}
}

// Local is the value of this subtask.
func (h *Histogram) Local() map[int64]int64 { return h.counts }

// List collects texts (Flink's ListAccumulator). It is for a few: see MaxBytes.
type List struct {
	items []string
	bytes int
}

// Add appends an element.
func (l *List) Add(v string) {
	if l.bytes <= MaxBytes { // one beyond the bound is enough to be told
		l.items = append(l.items, v)
		l.bytes += len(v) + 1
	}
}

// Local is the value of this subtask.
func (l *List) Local() []string { return l.items }

func (c *IntCounter) value() Value    { return Value{kind: IntCounterKind, n: c.n} }
func (c *LongCounter) value() Value   { return Value{kind: LongCounterKind, n: c.n} }
func (c *DoubleCounter) value() Value { return Value{kind: DoubleCounterKind, x: c.x} }
func (m *LongMinimum) value() Value   { return Value{kind: LongMinimumKind, n: m.n} }
func (m *LongMaximum) value() Value   { return Value{kind: LongMaximumKind, n: m.n} }
func (m *DoubleMinimum) value() Value { return Value{kind: DoubleMinimumKind, x: m.x} }
func (m *DoubleMaximum) value() Value { return Value{kind: DoubleMaximumKind, x: m.x} }
func (a *Average) value() Value       { return Value{kind: AverageKind, n: a.n, x: a.sum} }
func (h *Histogram) value() Value     { return Value{kind: HistogramKind, counts: h.counts} }
func (l *List) value() Value          { return Value{kind: ListKind, items: l.items} }

// What follows makes accumulators to which nothing was added.
func newLongMinimum() *LongMinimum     { return &LongMinimum{math.MaxInt64} }
func newLongMaximum() *LongMaximum     { return &LongMaximum{math.MinInt64} }
func newDoubleMinimum() *DoubleMinimum { return &DoubleMinimum{math.Inf(1)} }
func newDoubleMaximum() *DoubleMaximum { return &DoubleMaximum{math.Inf(-1)} }
func newHistogram() *Histogram         { return &Histogram{map[int64]int64{}} }
