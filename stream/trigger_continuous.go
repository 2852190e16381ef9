package stream

import "time"

// ContinuousEventTimeTrigger fires each interval of event time, counted from the
// epoch, and at the window's end. The interval is 1 ms at least. When windows
// merge, the earliest of their next firings is the next one.
func ContinuousEventTimeTrigger[T any](interval time.Duration) Trigger[T] {
	step := max(1, interval.Milliseconds())
	next := func(c *TriggerCtx[T], from int64) {
		c.State.N, c.State.Set = min(addClamped(from, step), c.End-1), true
		c.TimerAt(c.State.N)
	}
	return NewTrigger("ContinuousEventTimeTrigger", func(c *TriggerCtx[T], _ T, ts int64) Action {
		if c.End-1 <= c.Watermark {
			return Fire
		}
		c.TimerAt(c.End - 1)
		if !c.State.Set {
			next(c, floorTo(ts, 0, step))
		}
		return Continue
	}, func(c *TriggerCtx[T], ms int64, proc bool) Action {
		switch {
		case proc:
			return Continue
		case ms == c.End-1:
			return Fire
		case !c.State.Set || ms != c.State.N:
			return Continue
		}
		next(c, ms)
		return Fire
	}).OnMerge(func(c *TriggerCtx[T], merged []TriggerState[T]) {
		if earliest(c.State, merged) {
			c.TimerAt(c.State.N)
		}
	}).OnClear(func(c *TriggerCtx[T]) {
		c.DeleteTimer(c.End - 1)
		if c.State.Set {
			c.DeleteTimer(c.State.N)
		}
	})
}

// ContinuousProcessingTimeTrigger fires each interval of the clock, counted from
// the epoch; windows of processing time fire at their end, too. The interval is 1
// ms at least. A window of event time that has this trigger does not fire when the
// watermark passes its end: what came since its last firing is dropped at the end
// of its life. When windows merge, the earliest of their next firings is the next
// one.
func ContinuousProcessingTimeTrigger[T any](interval time.Duration) Trigger[T] {
	step := max(1, interval.Milliseconds())
	next := func(c *TriggerCtx[T], from int64) {
		c.State.N, c.State.Set = addClamped(from, step), true
		if c.byClock { // the end of other windows is not a time of the clock
			c.State.N = min(c.State.N, c.End)
		}
		c.ProcTimerAt(c.State.N)
	}
	return NewTrigger("ContinuousProcessingTimeTrigger", func(c *TriggerCtx[T], _ T, _ int64) Action {
		if !c.State.Set {
			next(c, floorTo(c.Now, 0, step))
		}
		return Continue
	}, func(c *TriggerCtx[T], ms int64, proc bool) Action {
		if !proc || !c.State.Set || ms != c.State.N {
			return Continue
		}
		if !c.byClock || ms < c.End {
			next(c, ms)
		}
		return Fire
	}).OnMerge(func(c *TriggerCtx[T], merged []TriggerState[T]) {
		if earliest(c.State, merged) {
			c.ProcTimerAt(c.State.N)
		}
	}).OnClear(func(c *TriggerCtx[T]) {
		if c.State.Set {
			c.DeleteProcTimer(c.State.N)
		}
	})
}

// earliest takes the least time of merged windows over and tells whether there is
// one.
func earliest[T any](s *TriggerState[T], merged []TriggerState[T]) bool {
	for i := range merged {
		if merged[i].Set && (!s.Set || merged[i].N < s.N) {
			s.N, s.Set = merged[i].N, true
		}
	}
	return s.Set
}
