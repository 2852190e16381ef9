package stream

// CountTrigger fires each n records. Windows that merge add up their counts.
func CountTrigger[T any](n int64) Trigger[T] {
	return NewTrigger("CountTrigger", func(c *TriggerCtx[T], _ T, _ int64) Action {
		c.State.N++
		if c.State.N < n {
			return Continue
		}
		c.State.N = 0
		return Fire
	}, nil).OnMerge(func(c *TriggerCtx[T], merged []TriggerState[T]) {
		for i := range merged {
			c.State.N += merged[i].N
		}
	})
}

// DeltaTrigger fires when a record differs from the one of the last firing by
// more than threshold. Windows that merge cannot have it, as in Flink: of several
// last records none is the last.
func DeltaTrigger[T any](threshold float64, delta func(old, next T) float64) Trigger[T] {
	return NewTrigger("DeltaTrigger", func(c *TriggerCtx[T], v T, _ int64) Action {
		if !c.State.Set {
			c.State.Last, c.State.Set = v, true
			return Continue
		}
		if delta(c.State.Last, v) <= threshold {
			return Continue
		}
		c.State.Last = v
		return Fire
	}, nil)
}
