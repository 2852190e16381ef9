package stream

// WindowAll cuts a stream without keys into windows, in one subtask: the operator
// has parallelism 1 and max parallelism 1, and all records go through it (Flink's
// AllWindowedStream). Reduce, Aggregate, Apply and their like take it; where a
// result has a key, it is NoKey.
//
// Whatever can be counted or summed by parts first, with keys, should be.
func (s Stream[T]) WindowAll(a Assigner) Windowed[NoKey, T] {
	w := KeyBy(s, func(T) NoKey { return NoKey{} }).Window(a)
	w.w.all = true
	return w
}

// CountWindowAll cuts a stream without keys into windows of n records, in one
// subtask.
func (s Stream[T]) CountWindowAll(n int64) Windowed[NoKey, T] {
	return s.WindowAll(Global()).Trigger(Purging(CountTrigger[T](n)))
}

// SlidingCountWindowAll fires each slide records, over the last n, in one subtask.
func (s Stream[T]) SlidingCountWindowAll(n, slide int64) Windowed[NoKey, T] {
	return s.WindowAll(Global()).Trigger(CountTrigger[T](slide)).Evict(CountEvictor[T](n))
}

// single makes an operator run in one subtask.
func (o *op) single() {
	if o.node.Parallelism > 1 || o.node.MaxParallelism > 1 {
		o.env.failf("operator %q: windows over a stream without keys run in one subtask, parallelism %d and max parallelism %d are not possible: key the stream, or leave the options out",
			o.node.Name, max(1, o.node.Parallelism), max(1, o.node.MaxParallelism))
	}
	o.node.Parallelism, o.node.MaxParallelism = 1, 1
}
