package stream

import (
	"context"
	"fmt"
	"path/filepath"

	"goflink/codec"
	"goflink/dataflow"
	"goflink/graph"
	"goflink/state"
)

// Keyed is a stream partitioned by a key: all records of a key reach the same
// subtask, in the order in which each sender sent them.
type Keyed[K comparable, T any] struct {
	in    Stream[T]
	key   func(T) K
	codec codec.KeyCodec[K]
}

// KeyBy partitions s by a key. The key function must be pure.
func KeyBy[K comparable, T any](s Stream[T], key func(T) K) Keyed[K, T] {
	c, err := codec.Key[K]()
	if err != nil {
		s.env.failf("key: %w", err)
	}
	return Keyed[K, T]{in: s.partitioned(graph.Partitioning_HASH, hashRouter[K, T]{key, c}), key: key, codec: c}
}

// addKeyedOp adds an operator with keyed state.
func addKeyedOp[K comparable, T any](k Keyed[K, T], kind, name string, opts []Option) *op {
	o := addOpOf(k.in, kind, name, opts)
	o.node.Stateful = true
	if k.codec != nil {
		o.node.KeySchema = k.codec.Schema().String()
	}
	return o
}

// timersState is the name of the timers in an operator's state.
const timersState = "_timers"

func timersOf() *graph.State {
	return &graph.State{Name: timersState, Kind: "timers", Type: "timers"}
}

// keyedBase is an operator with keyed state and timers.
type keyedBase[K comparable] struct {
	base
	codec  codec.KeyCodec[K]
	keyed  *state.Keyed[K]
	timers *state.Timers[K]
	wm     int64
	// onEvent and onProc run a timer; key and namespace are set.
	onEvent, onProc func(ts int64) error
}

func newKeyedBase[K comparable](t *task, c codec.KeyCodec[K]) keyedBase[K] {
	return keyedBase[K]{base: newBase(t), codec: c, wm: dataflow.MinWatermark}
}

// openState opens the keyed state and restores it.
func (o *keyedBase[K]) openState(ctx context.Context) error {
	env := o.t.env.State
	env.Context, env.Now = ctx, o.t.env.Now
	if o.t.sorting != nil { // the state of one key, which is small
		env.Kind = state.Heap
	}
	if env.Dir != "" {
		env.Dir = filepath.Join(env.Dir, o.id)
	}
	if o.t.env.RestoreOf != nil {
		if r, ok := o.t.env.RestoreOf(o.id); ok {
			env.Restore = r.Keyed
		}
	}
	k, err := state.OpenKeyed(env, o.codec)
	if err != nil {
		return fmt.Errorf("operator %q: open state: %w", o.name, err)
	}
	o.keyed = k
	if o.timers, err = state.NewTimers(k, timersState); err != nil {
		return fmt.Errorf("operator %q: timers: %w", o.name, err)
	}
	return nil
}

// Watermark fires event timers up to ts and hands it on.
func (o *keyedBase[K]) Watermark(ts int64) error {
	o.wm = ts
	if err := o.timers.AdvanceEvent(ts, o.onEvent); err != nil {
		return err
	}
	if err := o.keyed.Err(); err != nil {
		return o.stateError(err)
	}
	return o.sendWatermark(ts)
}

func (o *keyedBase[K]) nextProc() (int64, bool) {
	if o.timers == nil || o.t.sorting != nil { // in BATCH they fire at the end of their key
		return 0, false
	}
	return o.timers.NextProc()
}

func (o *keyedBase[K]) fireProc(now int64) error {
	if err := o.timers.AdvanceProc(now, o.onProc); err != nil {
		return err
	}
	if err := o.keyed.Err(); err != nil {
		return o.stateError(err)
	}
	return nil
}

func (o *keyedBase[K]) stateError(err error) error {
	return fmt.Errorf("operator %q: state: %w", o.name, err)
}

// nativeFormat is the Format of checkpoints that consist of the store's own files.
const nativeFormat = "native"

// Snapshot is the synchronous part of a snapshot of the keyed state, after what
// the function does for it.
func (o *keyedBase[K]) Snapshot(c dataflow.Checkpoint) (dataflow.OperatorSnapshot, error) {
	if o.t.sorting != nil {
		return dataflow.OperatorSnapshot{}, errBatchSnapshot
	}
	out, err := o.base.Snapshot(c)
	if err != nil {
		return out, err
	}
	take := o.keyed.Snapshot
	if c.Format == nativeFormat {
		take = o.keyed.SnapshotNative
	}
	if out.Keyed, err = take(c.ID); err != nil {
		return dataflow.OperatorSnapshot{}, o.stateError(err)
	}
	return out, nil
}

// Close frees the state.
func (o *keyedBase[K]) Close() error {
	if o.t.sorting != nil {
		o.t.sorting.close()
	}
	if o.keyed == nil {
		return nil
	}
	k := o.keyed
	o.keyed, o.timers = nil, nil
	if err := k.Close(); err != nil {
		return o.stateError(err)
	}
	return nil
}
