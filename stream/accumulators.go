package stream

import (
	"goflink/metrics"
	"goflink/metrics/accumulator"
)

// Accumulators are figures that functions add to; merged over all subtasks they
// are shown while the job runs, and are part of its result. A name means the same
// accumulator in all operators of the job. They are not part of checkpoints: after
// a failure they begin anew, as in Flink.
//
// Like state they are declared in the factory, and belong to the task's
// goroutine: a function of RunAsync adds to them in none of its calls.

// accumulatorOf declares an accumulator, or returns the subtask's.
func accumulatorOf[A any, K comparable](s *Setup[K], name string, get func(*accumulator.Set, string) (A, error)) A {
	set := s.o.env.accumulators
	if s.b != nil {
		set = s.b.t.accumulators()
	}
	a, err := get(set, name)
	if err != nil {
		s.fail(err)
	}
	return a
}

// accumulators are the task's; without a runtime that reports them they count for
// nobody.
func (t *task) accumulators() *accumulator.Set {
	if t.env.Accumulators == nil {
		t.env.Accumulators = accumulator.NewSet()
	}
	return t.env.Accumulators
}

// IntCounter adds up whole numbers; Flink's IntCounter, with 64 bits, over all subtasks.
func (s *Setup[K]) IntCounter(name string) *accumulator.IntCounter {
	return accumulatorOf(s, name, (*accumulator.Set).IntCounter)
}

// LongCounter adds up whole numbers, over all subtasks.
func (s *Setup[K]) LongCounter(name string) *accumulator.LongCounter {
	return accumulatorOf(s, name, (*accumulator.Set).LongCounter)
}

// DoubleCounter adds up numbers, over all subtasks.
func (s *Setup[K]) DoubleCounter(name string) *accumulator.DoubleCounter {
	return accumulatorOf(s, name, (*accumulator.Set).DoubleCounter)
}

// LongMinimum keeps the least whole number, over all subtasks.
func (s *Setup[K]) LongMinimum(name string) *accumulator.LongMinimum {
	return accumulatorOf(s, name, (*accumulator.Set).LongMinimum)
}

// LongMaximum keeps the greatest whole number, over all subtasks.
func (s *Setup[K]) LongMaximum(name string) *accumulator.LongMaximum {
	return accumulatorOf(s, name, (*accumulator.Set).LongMaximum)
}

// DoubleMinimum keeps the least number, over all subtasks.
func (s *Setup[K]) DoubleMinimum(name string) *accumulator.DoubleMinimum {
	return accumulatorOf(s, name, (*accumulator.Set).DoubleMinimum)
}

// DoubleMaximum keeps the greatest number, over all subtasks.
func (s *Setup[K]) DoubleMaximum(name string) *accumulator.DoubleMaximum {
	return accumulatorOf(s, name, (*accumulator.Set).DoubleMaximum)
}

// AverageAccumulator keeps the mean of numbers, over all subtasks.
func (s *Setup[K]) AverageAccumulator(name string) *accumulator.Average {
	return accumulatorOf(s, name, (*accumulator.Set).Average)
}

// HistogramAccumulator counts how often each whole number came, over all subtasks.
func (s *Setup[K]) HistogramAccumulator(name string) *accumulator.Histogram {
	return accumulatorOf(s, name, (*accumulator.Set).Histogram)
}

// ListAccumulator collects a few texts, over all subtasks.
func (s *Setup[K]) ListAccumulator(name string) *accumulator.List {
	return accumulatorOf(s, name, (*accumulator.Set).List)
}

// Metrics are the metrics of the operator, under Flink's scope of operators: it
// makes counters, gauges, meters and histograms, and groups within. Counters and
// values belong to the task's goroutine, which publishes them after each batch; a
// gauge is a function that any goroutine calls. When the graph is built the
// metrics count for nobody.
func (s *Setup[K]) Metrics() *metrics.Group {
	if s.b == nil || s.b.t.env.OperatorMetrics == nil {
		return metrics.NewRegistry(metrics.Options{}).Process()
	}
	return s.b.t.env.OperatorMetrics(s.b.id, s.b.name)
}
