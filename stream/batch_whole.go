package stream

// Bounded data as a whole: what Flink's DataSet API did with groups and joins, and
// its DataStream API does with EndOfStreamWindows.

// Whole puts all records of a key into one window, which ends when the input does:
// so that Reduce and Aggregate yield one result for each key, and Apply gets all
// records of a group at once. Records need no event time. An input that never ends
// yields nothing.
//
// In BATCH one group is in memory at a time; in STREAMING all of them are state
// until the end.
func (s Keyed[K, T]) Whole() Windowed[K, T] {
	return s.Window(Global()).Trigger(atTheEnd[T]())
}

// Whole puts all records of a key, of both inputs, into one window, which ends when
// the inputs do: Join joins them as an inner join, CoGroup as any other one. See
// Keyed.Whole.
func (c ConnectedKeyed[K, A, B]) Whole() CoWindowed[K, A, B] {
	return c.Window(Global()).Trigger(atTheEnd[Either[A, B]]())
}

// WholeAll is Whole of a stream without keys: one window, in one subtask.
func (s Stream[T]) WholeAll() Windowed[NoKey, T] {
	return s.WindowAll(Global()).Trigger(atTheEnd[T]())
}

// atTheEnd fires at the end of the input, which is that of a global window.
func atTheEnd[T any]() Trigger[T] { return Purging(EventTimeTrigger[T]()) }
