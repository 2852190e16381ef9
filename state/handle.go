package state

import (
	"encoding/binary"
	"fmt"
	"io"
	"time"

	"goflink/codec"
)

// handleVersion is the first byte of an encoded handle.
const handleVersion = 1

// AppendBinary appends the encoding of the handle, for the checkpoint's metadata: the version, the location, and
// kind, version, checkpoint id, key groups, bytes and offsets as uvarints (offsets as differences).
func (h *Handle) AppendBinary(dst []byte) []byte {
	dst = append(dst, handleVersion)
	dst = appendBytes(dst, []byte(h.Location))
	dst = append(dst, byte(h.Kind), h.Version)
	dst = binary.AppendVarint(dst, h.CheckpointID)
	for _, n := range []uint64{uint64(h.Range.Start), uint64(h.Range.End), uint64(h.Bytes), uint64(len(h.Offsets))} {
		dst = binary.AppendUvarint(dst, n)
	}
	last := int64(0)
	for _, o := range h.Offsets {
		dst = binary.AppendUvarint(dst, uint64(o-last))
		last = o
	}
	return dst
}

// DecodeHandle decodes a handle from the front of src and returns the bytes taken.
func DecodeHandle(src []byte) (h Handle, n int, err error) {
	if len(src) == 0 || src[0] != handleVersion {
		return h, 0, fmt.Errorf("%w: version byte of a handle is missing or not %d", ErrCorrupt, handleVersion)
	}
	in := fields{src: src[1:]}
	h.Location = string(in.bytes())
	if len(in.src) >= 2 {
		h.Kind, h.Version = SnapshotKind(in.src[0]), in.src[1]
		in.src = in.src[2:]
	}
	id, start, end, size, count := in.uvarint(), in.uvarint(), in.uvarint(), in.uvarint(), in.uvarint()
	h.CheckpointID = int64(id>>1) ^ -int64(id&1)
	if start > end || end > MaxMaxParallelism || count != 0 && count != end-start+1 {
		in.failf("handle of key groups [%d, %d) with %d offsets", start, end, count)
		return Handle{}, 0, in.err
	}
	h.Range, h.Bytes = Range{int(start), int(end)}, int64(size)
	last := uint64(0)
	for i := uint64(0); i < count && in.err == nil; i++ {
		last += in.uvarint()
		if last > size || int64(last) < 0 {
			in.failf("handle with an offset behind its %d bytes", size)
		}
		h.Offsets = append(h.Offsets, int64(last))
	}
	if in.err != nil {
		return Handle{}, 0, in.err
	}
	return h, len(src) - len(in.src), nil
}

// Assign returns, for each subtask at the new parallelism, the handles that hold key groups of it.
func Assign(handles []Handle, maxParallelism, parallelism int) [][]Handle {
	out := make([][]Handle, parallelism)
	for i := range out {
		r := KeyGroupRange(maxParallelism, parallelism, i)
		for _, h := range handles {
			if !h.Range.Intersect(r).Empty() {
				out[i] = append(out[i], h)
			}
		}
	}
	return out
}

// SnapshotDescription is what the header of a snapshot says.
type SnapshotDescription struct {
	CheckpointID   int64
	MaxParallelism int
	Range          Range
	Key            *codec.Schema
	States         []StateInfo
}

// StateInfo describes a state in a snapshot.
type StateInfo struct {
	Name   string
	Kind   string        // value, list, map, event-time timers, processing-time timers
	Value  *codec.Schema // of a value or element; nil for timers
	MapKey *codec.Schema // of maps
	TTL    time.Duration // 0: nothing expires
}

// Describe reads the header of a snapshot, for checks before anything is restored.
func Describe(r io.Reader) (*SnapshotDescription, error) {
	s := &snapshotReader{r: r}
	if err := s.header(); err != nil {
		return nil, err
	}
	d := &SnapshotDescription{CheckpointID: s.h.checkpointID, MaxParallelism: s.h.maxPar, Range: s.h.groups, Key: s.h.key}
	for _, m := range s.h.states {
		d.States = append(d.States, StateInfo{Name: m.Name, Kind: m.Kind.String(), Value: m.Value, MapKey: m.MapKey, TTL: time.Duration(m.TTL) * time.Millisecond})
	}
	return d, nil
}
