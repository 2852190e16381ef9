package state

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"goflink/codec"
)

// DefaultMemoryBudget is what a store gets when Env.MemoryBudget is 0.
const DefaultMemoryBudget = 64 << 20

// Keyed is the keyed state of one task. All its methods and those of its handles belong to the task's goroutine.
type Keyed[K comparable] struct {
	b      base[K]
	dir    string
	states []*restored // by id
	closed bool
}

// OpenKeyed opens the keyed state of a task and restores it from env.Restore: the rows of env.Range are read, and
// become visible as the states are declared. A state that nobody declares stays in the next snapshot.
func OpenKeyed[K comparable](env Env, key codec.KeyCodec[K]) (*Keyed[K], error) {
	if err := env.validate(); err != nil {
		return nil, err
	}
	k := &Keyed[K]{b: base[K]{codec: key, hashKey: hasher[K](), groupOf: Grouper(key, env.MaxParallelism), clock: newClock(), maxPar: env.MaxParallelism, groups: env.Range}}
	k.b.now = func() int64 { return time.Now().UnixMilli() }
	if env.Now != nil {
		k.b.now = func() int64 { return env.Now().UnixMilli() }
	}
	ctx := env.Context
	if ctx == nil {
		ctx = context.Background()
	}
	natives, err := k.natives(ctx, env)
	if err != nil {
		return nil, err
	}
	if env.Kind != Heap {
		if natives, err = k.openStore(ctx, env, natives); err != nil {
			return nil, err
		}
	}
	if err := k.restore(ctx, env, natives); err != nil {
		return nil, errors.Join(err, k.Close())
	}
	return k, nil
}

func (e *Env) validate() error {
	switch {
	case e.MaxParallelism < 1 || e.MaxParallelism > MaxMaxParallelism:
		return fmt.Errorf("state: max parallelism %d is not within 1 and %d", e.MaxParallelism, MaxMaxParallelism)
	case e.Range.Start < 0 || e.Range.End > e.MaxParallelism:
		return fmt.Errorf("state: key groups %s exceed the max parallelism %d", e.Range, e.MaxParallelism)
	case len(e.Restore) > 0 && e.Open == nil:
		return errors.New("state: Env.Restore needs Env.Open")
	case e.Kind != Heap && e.Dir == "":
		return fmt.Errorf("state: backend %s needs a scratch folder (Env.Dir)", e.Kind)
	default:
		return nil
	}
}

// openStore divides the budget: half for the entries in front of the store, because a hit there costs nothing, and
// half for the store's write buffers and block cache. A store of native snapshots is made of the largest one's files;
// what is left of them is returned.
func (k *Keyed[K]) openStore(ctx context.Context, env Env, natives []native) ([]native, error) {
	budget := env.MemoryBudget
	if budget == 0 {
		budget = DefaultMemoryBudget
	}
	if err := os.MkdirAll(env.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("state: scratch folder: %w", err)
	}
	dir, err := os.MkdirTemp(env.Dir, "keyed-")
	if err != nil {
		return nil, fmt.Errorf("state: scratch folder: %w", err)
	}
	k.dir = dir
	k.b.budget = budget / 2
	o := StoreOptions{Dir: filepath.Join(dir, "db"), MemoryBudget: budget - budget/2}
	if i := seed(natives, env.Range); i >= 0 {
		if err = k.grow(ctx, env, &natives[i], o); err != nil {
			err = fmt.Errorf("state: restore from %q: %w", natives[i].h.Location, err)
		}
		natives = append(natives[:i:i], natives[i+1:]...)
	} else if k.b.store, err = openStore(env.Kind, o); err != nil {
		err = fmt.Errorf("state: open %s: %w", env.Kind, err)
	}
	if err != nil {
		if k.b.store != nil {
			err = errors.Join(err, k.b.store.Close())
		}
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	k.b.batch = k.b.store.NewBatch()
	return natives, nil
}

// SetKey makes key the current key. The namespace stays.
func (k *Keyed[K]) SetKey(key K) {
	k.b.setKey(key)
	if k.b.onKey != nil {
		k.b.cleanUp()
	}
}

// Key returns the current key.
func (k *Keyed[K]) Key() K { return k.b.key }

// SetNamespace makes ns the current namespace.
func (k *Keyed[K]) SetNamespace(ns Namespace) {
	if ns != k.b.ns {
		k.b.setNamespace(ns)
	}
}

// Namespace returns the current namespace.
func (k *Keyed[K]) Namespace() Namespace { return k.b.ns }

// Err returns the first error that a handle met; from then on the state cannot be trusted and the task must fail.
func (k *Keyed[K]) Err() error { return k.b.err }

// Bytes estimates the memory of the entries that are held as Go values.
func (k *Keyed[K]) Bytes() int64 {
	total := int64(0)
	for _, t := range k.b.tables {
		total += t.bytes()
	}
	return total
}

// EachKey visits every key and namespace that has a value in the named state (for a list or map: an element), in an
// unspecified order and each of them once, with the key and namespace set; afterwards the key and namespace are as
// before. fn may change the state of the key and namespace it is given, and no other.
func (k *Keyed[K]) EachKey(stateName string, fn func(key K, ns Namespace) error) error {
	var found *restored
	for _, s := range k.states {
		if s.meta.Name == stateName && s.meta.Kind <= kindMap {
			found = s
		}
	}
	if found == nil || found.table == nil {
		return fmt.Errorf("state: EachKey: no state %q is declared", stateName)
	}
	key, ns := k.b.key, k.b.ns
	defer func() {
		k.b.setKey(key)
		k.b.setNamespace(ns)
	}()
	err := found.table.eachCell(func() error { return fn(k.b.key, k.b.ns) })
	return errors.Join(err, k.b.err)
}

// Close frees everything and removes what is on disk. A task may end while a snapshot of it is still being written;
// then the store is closed, and its files removed, when the last snapshot is released.
func (k *Keyed[K]) Close() error {
	if k.closed {
		return nil
	}
	k.closed = true
	var err error
	if k.b.batch != nil {
		err = k.b.batch.Close()
	}
	k.b.tables, k.states = nil, nil
	if k.b.store == nil {
		return err
	}
	store, dir := k.b.store, k.dir
	var late error // of nobody's concern once the task has ended
	if k.b.clock.after(func() { late = errors.Join(store.Close(), os.RemoveAll(dir)) }) {
		err = errors.Join(err, late)
	}
	return err
}
