package stream

// EventTimeTrigger fires when the watermark passes the window's end, and for each
// record that comes later: what windows of event time have by default.
func EventTimeTrigger[T any]() Trigger[T] {
	t := NewTrigger("EventTimeTrigger", func(c *TriggerCtx[T], _ T, _ int64) Action {
		if c.End-1 <= c.Watermark {
			return Fire
		}
		c.TimerAt(c.End - 1)
		return Continue
	}, func(c *TriggerCtx[T], ms int64, proc bool) Action {
		if !proc && ms == c.End-1 {
			return Fire
		}
		return Continue
	}).OnMerge(func(c *TriggerCtx[T], _ []TriggerState[T]) {
		if c.End-1 > c.Watermark {
			c.TimerAt(c.End - 1)
		}
	}).OnClear(func(c *TriggerCtx[T]) { c.DeleteTimer(c.End - 1) })
	t.stateless = true
	return t
}

// ProcessingTimeTrigger fires when the clock passes the window's end: what windows
// of processing time have by default.
func ProcessingTimeTrigger[T any]() Trigger[T] {
	// A timer at End comes when the last millisecond of the window is over.
	t := NewTrigger("ProcessingTimeTrigger", func(c *TriggerCtx[T], _ T, _ int64) Action {
		c.ProcTimerAt(c.End)
		return Continue
	}, func(_ *TriggerCtx[T], _ int64, proc bool) Action {
		if proc {
			return Fire
		}
		return Continue
	}).OnMerge(func(c *TriggerCtx[T], _ []TriggerState[T]) {
		if c.End-1 > c.Now {
			c.ProcTimerAt(c.End)
		}
	}).OnClear(func(c *TriggerCtx[T]) { c.DeleteProcTimer(c.End) })
	t.stateless = true
	return t
}
