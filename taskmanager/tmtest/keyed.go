package tmtest

import (
	"context"
	"encoding/binary"
	"path/filepath"

	"goflink/codec"
	"goflink/dataflow"
	"goflink/state"
)

// group is the key group of a key: with Stores the real one.
func (j *Job) group(key int64, maxParallelism int) int {
	if !j.Stores {
		return int(key) % maxParallelism
	}
	c, err := codec.Key[int64]()
	if err != nil {
		return 0 // int64 has a codec
	}
	return state.KeyGroup(c.Append(nil, key), maxParallelism)
}

// keyedCounter is counter with its counts in a state.Keyed. Beside each count lies a pad that does not change, so
// that a store has tables which stay as they are.
type keyedCounter struct {
	base
	out    *port
	k      *state.Keyed[int64]
	counts state.Value[int64]
	pads   state.Map[int64, []byte]
}

func (c *keyedCounter) Open(ctx context.Context) error {
	key, err := codec.Key[int64]()
	if err != nil {
		return err
	}
	env := c.env.State
	env.Context, env.Dir = ctx, filepath.Join(env.Dir, c.id)
	if r, ok := c.env.RestoreOf(c.id); ok {
		env.Restore = r.Keyed
	}
	if c.k, err = state.OpenKeyed(env, key); err != nil {
		return err
	}
	if c.counts, err = state.NewValue(c.k, state.Desc[int64]{Name: "counts"}); err != nil {
		return err
	}
	c.pads, err = state.NewMap(c.k, state.MapDesc[int64, []byte]{Name: "pads"})
	return err
}

func (c *keyedCounter) collect(v int64) error {
	if c.job.OnCount != nil {
		if err := c.job.OnCount(c.env, v); err != nil {
			return err
		}
	}
	key := v % c.job.Keys
	c.k.SetKey(key)
	n, _ := c.counts.Get()
	c.counts.Set(n + 1)
	if c.job.PadState > 0 && n%64 == 0 {
		c.pads.Put(n, binary.BigEndian.AppendUint64(make([]byte, c.job.PadState), uint64(v)))
	}
	if err := c.k.Err(); err != nil {
		return err
	}
	return c.out.roundRobin(key<<32 | (n + 1))
}

func (c *keyedCounter) Snapshot(x dataflow.Checkpoint) (dataflow.OperatorSnapshot, error) {
	take := c.k.Snapshot
	if x.Format == "native" {
		take = c.k.SnapshotNative
	}
	s, err := take(x.ID)
	return dataflow.OperatorSnapshot{Keyed: s}, err
}

func (c *keyedCounter) Close() error {
	if c.k == nil {
		return nil
	}
	return c.k.Close()
}
