package state

import (
	"context"
	"errors"
	"fmt"
)

// restore reads the rows of this subtask's key groups from all handles: into the store, or encoded as they are
// until the state is declared.
func (k *Keyed[K]) restore(ctx context.Context, env Env, natives []native) error {
	for i := range natives {
		if err := k.merge(ctx, env, &natives[i]); err != nil {
			return fmt.Errorf("state: restore from %q: %w", natives[i].h.Location, err)
		}
	}
	for _, h := range env.Restore {
		if err := k.restoreHandle(ctx, env, h); err != nil {
			return fmt.Errorf("state: restore from %q: %w", h.Location, err)
		}
	}
	return nil
}

func (k *Keyed[K]) restoreHandle(ctx context.Context, env Env, h Handle) (err error) {
	if h.Kind == Native {
		return nil // taken care of
	}
	if h.Kind != Canonical && h.Kind != 0 {
		return fmt.Errorf("snapshot of unknown kind %d; was it written by a newer release?", h.Kind)
	}
	if !h.Range.Empty() && h.Range.Intersect(env.Range).Empty() {
		return nil
	}
	rc, err := env.Open(ctx, h)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rc.Close()) }()
	var states []*restored
	start := func(head *header) error {
		if err := k.fits(head); err != nil {
			return err
		}
		var err error
		states, err = k.adopt(head.states)
		return err
	}
	row := func(group uint16, state int, address, val []byte) error {
		s := states[state]
		if k.b.store == nil {
			s.rows.add(group, address, val)
			return nil
		}
		key := append(storeKey(nil, group, s.meta.ID), address...)
		if err := k.b.batch.Set(key, val); err != nil || k.b.batch.Len() < migrateBatch {
			return err
		}
		return k.b.batch.Commit()
	}
	if err := readHandle(ctx, rc, h, env.Range, start, row); err != nil {
		return err
	}
	if k.b.store != nil {
		return k.b.batch.Commit()
	}
	return nil
}

// adopt finds or adds the restored states of a snapshot. All snapshots of a checkpoint come from one program, so
// that they agree on the schemas.
func (k *Keyed[K]) adopt(metas []*stateMeta) ([]*restored, error) {
	states := make([]*restored, 0, len(metas))
	for _, m := range metas {
		s, err := k.adoptOne(*m)
		if err != nil {
			return nil, err
		}
		states = append(states, s)
	}
	return states, nil
}

func (k *Keyed[K]) adoptOne(m stateMeta) (*restored, error) {
	for _, s := range k.states {
		if !s.meta.same(&m) {
			continue
		}
		if s.meta.Kind != m.Kind || !s.meta.Value.Equal(m.Value) || !s.meta.MapKey.Equal(m.MapKey) || (s.meta.TTL > 0) != (m.TTL > 0) {
			return nil, fmt.Errorf("%w: state %q has different types in the snapshots of one checkpoint", ErrCorrupt, m.Name)
		}
		s.meta.Next = max(s.meta.Next, m.Next)
		return s, nil
	}
	s, err := k.addState(&m)
	if err != nil {
		return nil, err
	}
	s.known, s.old, s.oldTTL = true, s.meta.Value, s.meta.TTL
	return s, nil
}
