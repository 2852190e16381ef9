package state

import (
	"goflink/codec"
)

// Timers is a timer service: event- and processing-time timers by key and namespace, each registered at most once
// for a time. Timers are part of the snapshots. They fire in the order of their times; those of one time in the
// order in which they were registered, as long as they were neither restored nor written to a store in between.
type Timers[K comparable] struct {
	event, proc *timerQueue[K]
}

// NewTimers declares a timer service; it needs a name of its own among timer services, not among states.
func NewTimers[K comparable](k *Keyed[K], name string) (*Timers[K], error) {
	t := &Timers[K]{}
	var err error
	if t.event, err = newTimerQueue(k, name, kindEventTimers); err != nil {
		return nil, err
	}
	if t.proc, err = newTimerQueue(k, name, kindProcTimers); err != nil {
		return nil, err
	}
	return t, nil
}

// RegisterEvent registers an event-time timer for the current key and namespace; ts is in milliseconds.
func (t *Timers[K]) RegisterEvent(ts int64) { t.event.register(ts) }

// RegisterEventNew is RegisterEvent for a timer that is not registered, which the caller must know.
func (t *Timers[K]) RegisterEventNew(ts int64) { t.event.registerNew(ts) }

// DeleteEvent deletes an event-time timer of the current key and namespace, if there is one.
func (t *Timers[K]) DeleteEvent(ts int64) { t.event.delete(ts) }

// RegisterProc registers a processing-time timer for the current key and namespace; ts is in milliseconds.
func (t *Timers[K]) RegisterProc(ts int64) { t.proc.register(ts) }

// RegisterProcNew is RegisterProc for a timer that is not registered, which the caller must know.
func (t *Timers[K]) RegisterProcNew(ts int64) { t.proc.registerNew(ts) }

// DeleteProc deletes a processing-time timer of the current key and namespace, if there is one.
func (t *Timers[K]) DeleteProc(ts int64) { t.proc.delete(ts) }

// AdvanceEvent fires the event-time timers up to and including the watermark, with their key and namespace made
// current. A timer is gone before it fires, and may be registered again by fire; timers that fire registers up to
// the watermark fire too. An error of fire ends it and is returned.
func (t *Timers[K]) AdvanceEvent(watermark int64, fire func(ts int64) error) error {
	return t.event.advance(watermark, fire)
}

// AdvanceProc fires the processing-time timers up to and including now, as AdvanceEvent does.
func (t *Timers[K]) AdvanceProc(now int64, fire func(ts int64) error) error {
	return t.proc.advance(now, fire)
}

// NextProc returns the time of the earliest processing-time timer.
func (t *Timers[K]) NextProc() (int64, bool) { return t.proc.next() }

// NextEvent returns the time of the earliest event-time timer.
func (t *Timers[K]) NextEvent() (int64, bool) { return t.event.next() }

// unitCodec encodes nothing: a timer is all address.
type unitCodec struct{}

func (unitCodec) Append(dst []byte, _ *unit) []byte  { return dst }
func (unitCodec) Decode([]byte, *unit) (int, error)  { return 0, nil }
func (unitCodec) Copy(unit) unit                     { return unit{} }
func (unitCodec) Flat() bool                         { return true }
func timestampCodec() (codec.KeyCodec[int64], error) { return codec.Key[int64]() }
func noValue(_ []byte, _ *unit) (int, error)         { return 0, nil }
