package stream

import "time"

// TimeoutOption changes a ProcessingTimeoutTrigger.
type TimeoutOption func(*timeoutOptions)

type timeoutOptions struct{ reset, keep bool }

// ResetOnRecord lets the time-out begin anew with each record (Flink's
// resetTimerOnNewRecord).
func ResetOnRecord() TimeoutOption { return func(o *timeoutOptions) { o.reset = true } }

// KeepOnTimeout leaves the state of the nested trigger as it is when the time-out
// comes, and no further time-out begins before that trigger fires by itself
// (Flink's shouldClearOnTimeout, false).
func KeepOnTimeout() TimeoutOption { return func(o *timeoutOptions) { o.keep = true } }

// ProcessingTimeoutTrigger fires when t does, and when that did not happen within
// timeout of the clock, counted from the first record since the last firing. As in
// Flink, every timer of the window counts as the time-out, also those that t sets
// and the one of event time that ends the window's life, and windows that merge
// cannot have it.
func ProcessingTimeoutTrigger[T any](t Trigger[T], timeout time.Duration, opts ...TimeoutOption) Trigger[T] {
	var o timeoutOptions
	for _, opt := range opts {
		opt(&o)
	}
	span := max(1, timeout.Milliseconds())
	stop := func(c *TriggerCtx[T]) {
		if c.State.Timeout != 0 {
			c.DeleteProcTimer(c.State.Timeout)
			c.State.Timeout = 0
		}
	}
	forget := func(c *TriggerCtx[T]) {
		stop(c)
		t.onClear(c)
		*c.State = TriggerState[T]{}
	}
	return NewTrigger("ProcessingTimeoutTrigger", func(c *TriggerCtx[T], v T, ts int64) Action {
		a := t.onRecord(c, v, ts)
		if a.fires() {
			forget(c)
			return a
		}
		if o.reset {
			stop(c)
		}
		if c.State.Timeout == 0 {
			c.State.Timeout = addClamped(c.Now, span)
			c.ProcTimerAt(c.State.Timeout)
		}
		return a
	}, func(c *TriggerCtx[T], ms int64, proc bool) Action {
		a := t.onTimer(c, ms, proc)
		if !o.keep {
			forget(c)
		}
		if a.purges() {
			return FireAndPurge
		}
		return Fire
	}).OnClear(func(c *TriggerCtx[T]) {
		stop(c)
		t.onClear(c)
	})
}
