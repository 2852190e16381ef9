package state

import (
	"encoding/binary"
	"errors"
	"fmt"

	"goflink/codec"
)

// timed is a value with the time of its last access, in milliseconds.
type timed[V any] struct {
	at  int64
	val V
}

// timedCodec writes the time as a varint in front of the value. That a state's values are written so is said by its
// description in the snapshot, so that its schema stays that of the values.
type timedCodec[V any] struct{ c codec.Codec[V] }

func (c timedCodec[V]) Append(dst []byte, v *timed[V]) []byte {
	return c.c.Append(binary.AppendVarint(dst, v.at), &v.val)
}

func (c timedCodec[V]) Decode(src []byte, v *timed[V]) (int, error) {
	return decodeTimed(src, v, c.c.Decode)
}

func (c timedCodec[V]) Copy(v timed[V]) timed[V] { return timed[V]{v.at, c.c.Copy(v.val)} }
func (c timedCodec[V]) Flat() bool               { return c.c.Flat() }
func (c timedCodec[V]) Schema() *codec.Schema    { return c.c.Schema() }

func decodeTimed[V any](src []byte, v *timed[V], read func([]byte, *V) (int, error)) (int, error) {
	at, n, err := timeOf(src)
	if err != nil {
		return 0, err
	}
	v.at = at
	m, err := read(src[n:], &v.val)
	return n + m, err
}

// timeOf reads the time in front of a value.
func timeOf(src []byte) (at int64, n int, err error) {
	if at, n = binary.Varint(src); n <= 0 {
		return 0, 0, fmt.Errorf("%w: time of a value", ErrCorrupt)
	}
	return at, n, nil
}

// errExpired is what the reader of a restored value says of one that has expired.
var errExpired = errors.New("state: expired")

// timedReader returns the decoder of the restored values of s, for a state with a time to live. Values that had no
// time count as accessed now: they live as long as if they had been written by the restore.
func timedReader[V any](s *restored, c codec.Codec[V], now int64) (func([]byte, *timed[V]) (int, error), error) {
	read, err := valueReader(s, c)
	if err != nil {
		return nil, err
	}
	if s.known && s.oldTTL == 0 {
		return func(src []byte, v *timed[V]) (int, error) {
			v.at = now
			return read(src, &v.val)
		}, nil
	}
	return func(src []byte, v *timed[V]) (int, error) { return decodeTimed(src, v, read) }, nil
}

// untimedReader drops the times of values that had a time to live, and the values that it was over for: they must
// not come back because nothing expires any more.
func untimedReader[V any](read func([]byte, *V) (int, error), deadline int64) func([]byte, *V) (int, error) {
	return func(src []byte, v *V) (int, error) {
		at, n, err := timeOf(src)
		if err != nil {
			return 0, err
		}
		m, err := read(src[n:], v)
		if err == nil && at <= deadline {
			err = errExpired
		}
		return n + m, err
	}
}

// filterTimed is aging.filter of values and map entries.
func filterTimed(val []byte, deadline int64) ([]byte, bool, error) {
	at, _, err := timeOf(val)
	return val, err != nil || at > deadline, err
}

// chunkFilter is aging.filter of lists.
func chunkFilter[V any](c chunkCodec[timed[V]]) func([]byte, int64) ([]byte, bool, error) {
	var buf []byte
	return func(val []byte, deadline int64) ([]byte, bool, error) {
		var v chunk[timed[V]]
		if _, err := c.Decode(val, &v); err != nil {
			return val, true, err
		}
		left := pruned(v, deadline)
		switch len(left.items) {
		case len(v.items):
			return val, true, nil
		case 0:
			return nil, false, nil
		}
		buf = c.Append(buf[:0], &left)
		return buf, true, nil
	}
}

// pruned returns the elements of a chunk that have not expired, in a slice of their own if some have.
func pruned[V any](v chunk[timed[V]], deadline int64) chunk[timed[V]] {
	dead := 0
	for i := range v.items {
		if v.items[i].at <= deadline {
			dead++
		}
	}
	if dead == 0 {
		return v
	}
	items := make([]timed[V], 0, len(v.items)-dead)
	for _, x := range v.items {
		if x.at > deadline {
			items = append(items, x)
		}
	}
	return chunk[timed[V]]{v.number, items}
}
