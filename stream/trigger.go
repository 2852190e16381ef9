package stream

// Action is what a trigger decides.
type Action uint8

// The actions of triggers.
const (
	Continue     Action = iota // nothing
	Fire                       // evaluate the window
	Purge                      // drop what it holds
	FireAndPurge               // both
)

func (a Action) fires() bool  { return a == Fire || a == FireAndPurge }
func (a Action) purges() bool { return a == Purge || a == FireAndPurge }

// TriggerState is what a trigger keeps for each window of each key. It is kept
// while N is not zero or Set is true.
type TriggerState[T any] struct {
	N    int64 // free for the trigger: a count, a time
	Last T     // free for the trigger: a record
	Set  bool  // whether N or Last are set
	// Timeout is when ProcessingTimeoutTrigger fires, in milliseconds of processing
	// time; 0: no time-out runs. It is that trigger's own.
	Timeout int64
}

// kept tells whether there is something to keep.
func (s *TriggerState[T]) kept() bool { return s.Set || s.N != 0 || s.Timeout != 0 }

// TriggerCtx is the context of one decision.
type TriggerCtx[T any] struct {
	// State of the current key and window; changes are kept.
	State *TriggerState[T]
	// Start and End of the window in milliseconds.
	Start, End int64
	// Watermark and Now are the task's event time and processing time.
	Watermark, Now int64

	timers triggerTimers
	// deleted: a timer was, which may have been that of the end of the window's life.
	deleted bool
	// byClock is true for windows of processing time, whose bounds are times of the
	// clock.
	byClock bool
}

// triggerTimers are the timers of the current key and window.
type triggerTimers interface {
	RegisterEvent(ms int64)
	RegisterProc(ms int64)
	DeleteEvent(ms int64)
	DeleteProc(ms int64)
}

// TimerAt asks for OnTimer at event time ms.
func (c *TriggerCtx[T]) TimerAt(ms int64) { c.timers.RegisterEvent(ms) }

// ProcTimerAt asks for OnTimer at processing time ms.
func (c *TriggerCtx[T]) ProcTimerAt(ms int64) { c.timers.RegisterProc(ms) }

// DeleteTimer takes TimerAt back.
func (c *TriggerCtx[T]) DeleteTimer(ms int64) { c.timers.DeleteEvent(ms); c.deleted = true }

// DeleteProcTimer takes ProcTimerAt back.
func (c *TriggerCtx[T]) DeleteProcTimer(ms int64) { c.timers.DeleteProc(ms); c.deleted = true }

// Trigger decides when a window is evaluated. Its functions hold no state
// themselves: all keys share them.
type Trigger[T any] struct {
	name     string
	onRecord func(c *TriggerCtx[T], v T, ts int64) Action
	onTimer  func(c *TriggerCtx[T], ms int64, proc bool) Action
	onMerge  func(c *TriggerCtx[T], merged []TriggerState[T])
	onClear  func(c *TriggerCtx[T])
	// stateless triggers never touch State.
	stateless bool
}

// NewTrigger makes a trigger; onTimer may be nil. For windows that merge it needs
// OnMerge, too.
func NewTrigger[T any](name string, onRecord func(c *TriggerCtx[T], v T, ts int64) Action, onTimer func(c *TriggerCtx[T], ms int64, proc bool) Action) Trigger[T] {
	if onTimer == nil {
		onTimer = func(*TriggerCtx[T], int64, bool) Action { return Continue }
	}
	return Trigger[T]{name: name, onRecord: onRecord, onTimer: onTimer, onClear: func(*TriggerCtx[T]) {}}
}

// OnMerge lets the trigger serve windows that merge, such as sessions (Flink's
// canMerge and onMerge). f is called when windows became one: c is the context of
// the new window, whose State is empty, and merged are the states of the windows
// that went into it, in the order in which those began; nothing of them is left,
// timers neither once OnClear deleted them. f makes the new state and sets the
// timers that the new window needs. The record that joined the windows comes next.
func (t Trigger[T]) OnMerge(f func(c *TriggerCtx[T], merged []TriggerState[T])) Trigger[T] {
	t.onMerge = f
	return t
}

// OnClear is called when a window is forgotten: at the end of its life, and when it
// was merged into another one. f deletes the timers that the trigger set for it; a
// timer that stays does nothing. The state is removed after it.
func (t Trigger[T]) OnClear(f func(c *TriggerCtx[T])) Trigger[T] {
	t.onClear = f
	return t
}

// Purging makes a trigger drop what a window holds whenever it fires.
func Purging[T any](t Trigger[T]) Trigger[T] {
	purge := func(a Action) Action {
		if a == Fire {
			return FireAndPurge
		}
		return a
	}
	p := t
	p.name = "PurgingTrigger"
	p.onRecord = func(c *TriggerCtx[T], v T, ts int64) Action { return purge(t.onRecord(c, v, ts)) }
	p.onTimer = func(c *TriggerCtx[T], ms int64, proc bool) Action { return purge(t.onTimer(c, ms, proc)) }
	return p
}
