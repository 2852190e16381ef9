package state

import (
	"errors"

	"goflink/codec"
)

var errStub = errors.New("state: being written")

// Keyed is the keyed state of one task.
type Keyed[K comparable] struct{}

// OpenKeyed opens the keyed state of a task and restores it from env.Restore.
func OpenKeyed[K comparable](env Env, key codec.KeyCodec[K]) (*Keyed[K], error) { return nil, errStub }

// SetKey makes key the current key.
func (k *Keyed[K]) SetKey(key K) {}

// Key returns the current key.
func (k *Keyed[K]) Key() (key K) { return key }

// SetNamespace makes ns the current namespace.
func (k *Keyed[K]) SetNamespace(ns Namespace) {}

// Namespace returns the current namespace.
func (k *Keyed[K]) Namespace() (ns Namespace) { return ns }

// Err returns the first error that a state access met.
func (k *Keyed[K]) Err() error { return nil }

// EachKey visits every key and namespace that has a value in the named state, in an unspecified order, with the
// key and namespace set. fn may change the state of the key it is given.
func (k *Keyed[K]) EachKey(stateName string, fn func(key K, ns Namespace) error) error { return errStub }

// Snapshot is the synchronous part of a snapshot, on the task's goroutine.
func (k *Keyed[K]) Snapshot(checkpointID int64) (Snapshot, error) { return nil, errStub }

// Close frees everything.
func (k *Keyed[K]) Close() error { return nil }

// NewValue declares a value state.
func NewValue[K comparable, V any](k *Keyed[K], d Desc[V]) (Value[V], error) { return nil, errStub }

// NewList declares a list state.
func NewList[K comparable, V any](k *Keyed[K], d Desc[V]) (List[V], error) { return nil, errStub }

// NewMap declares a map state.
func NewMap[K comparable, MK comparable, V any](k *Keyed[K], d MapDesc[MK, V]) (Map[MK, V], error) {
	return nil, errStub
}

// MergeValue folds the values of the source namespaces of the current key into target and clears the sources.
func MergeValue[K comparable, V any](k *Keyed[K], v Value[V], target Namespace, sources []Namespace, merge func(a, b V) V) {
}

// MergeList appends the lists of the source namespaces of the current key to target's and clears the sources.
func MergeList[K comparable, V any](k *Keyed[K], l List[V], target Namespace, sources []Namespace) {}

// Timers is a timer service.
type Timers[K comparable] struct{}

// NewTimers declares a timer service.
func NewTimers[K comparable](k *Keyed[K], name string) (*Timers[K], error) { return nil, errStub }

// RegisterEvent registers an event-time timer for the current key and namespace.
func (t *Timers[K]) RegisterEvent(ts int64) {}

// DeleteEvent deletes it.
func (t *Timers[K]) DeleteEvent(ts int64) {}

// RegisterProc registers a processing-time timer for the current key and namespace.
func (t *Timers[K]) RegisterProc(ts int64) {}

// DeleteProc deletes it.
func (t *Timers[K]) DeleteProc(ts int64) {}

// AdvanceEvent fires the timers up to the watermark.
func (t *Timers[K]) AdvanceEvent(watermark int64, fire func(ts int64) error) error { return errStub }

// AdvanceProc fires the timers up to now.
func (t *Timers[K]) AdvanceProc(now int64, fire func(ts int64) error) error { return errStub }

// NextProc returns the earliest processing-time timer.
func (t *Timers[K]) NextProc() (int64, bool) { return 0, false }
