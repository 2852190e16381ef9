package state

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"slices"

	"goflink/codec"
)

// The canonical snapshot, version 1. Integers are big-endian where a width is given, else uvarints.
//
//	"gfks"  version (1)  kind (1)  2 zero bytes
//	frame:  0xfffe, header
//	frames: key group, rows                 ascending by key group (group-order), any number of frames a group
//	frame:  0xffff, index
//	offset of the index frame (8)  CRC-32C of these 8 bytes (4)  "gfke"
//
//	frame   length (4)  CRC-32C of the payload (4)  payload, which begins with a mark (2)
//	header  checkpoint id (zigzag), max parallelism, first key group, end of the key groups, key schema, number of
//	        states; each: id (2), kind (1), name, value schema, map key schema, next chunk number;
//	        where the kind has the bit 0x80, the time to live in milliseconds
//	row     state id, length and bytes of the address, length and bytes of the value
//	index   number of rows, then the offset of each key group's first frame and the end of the last one, each as
//	        the difference from the one before
//
// Within a key group rows are in no particular order, but the chunks of one list are in theirs.
const (
	snapshotMagic   = "gfks"
	trailerMagic    = "gfke"
	snapshotVersion = 1
	prefixSize      = 8
	trailerSize     = 16
	frameHeader     = 8
	markHeader      = 0xfffe
	markIndex       = 0xffff
)

// frameSize is when a frame is closed. A frame is what is held in memory and checked at a time: 64 KiB are enough
// to make its 10 bytes of framing and the checksum's call nothing.
const frameSize = 64 << 10

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// header describes a snapshot.
type header struct {
	checkpointID int64
	maxPar       int
	groups       Range
	key          *codec.Schema
	states       []*stateMeta
}

func (h *header) append(dst []byte) []byte {
	dst = binary.AppendVarint(dst, h.checkpointID)
	for _, n := range []int{h.maxPar, h.groups.Start, h.groups.End} {
		dst = binary.AppendUvarint(dst, uint64(n))
	}
	dst = appendSchema(dst, h.key)
	dst = binary.AppendUvarint(dst, uint64(len(h.states)))
	for _, m := range h.states {
		dst = m.append(dst)
	}
	return dst
}

func decodeHeader(src []byte) (*header, error) {
	in := fields{src: src}
	id := in.uvarint()
	h := &header{checkpointID: int64(id>>1) ^ -int64(id&1)}
	maxPar, start, end := in.uvarint(), in.uvarint(), in.uvarint()
	if maxPar > MaxMaxParallelism || end > maxPar || start > end {
		in.failf("key groups [%d, %d) of %d", start, end, maxPar)
	}
	h.maxPar, h.groups = int(maxPar), Range{int(start), int(end)}
	h.key = in.schema()
	if h.key == nil {
		in.failf("no key schema")
	}
	n := in.uvarint()
	if n > 1<<16 {
		in.failf("%d states", n)
	}
	for i := uint64(0); i < n && in.err == nil; i++ {
		h.states = append(h.states, in.meta())
	}
	if in.err == nil && len(in.src) > 0 {
		in.failf("%d bytes behind the header", len(in.src))
	}
	return h, in.err
}

// snapshotWriter writes the canonical format.
type snapshotWriter struct {
	w       io.Writer
	at      int64
	frame   []byte // header and payload of the open frame
	mark    uint16
	groups  Range
	offsets []int64
	rows    uint64
	live    map[uint16]rowFilter
	err     error
}

func newSnapshotWriter(w io.Writer, h *header) *snapshotWriter {
	s := &snapshotWriter{w: w, groups: h.groups}
	s.write([]byte{snapshotMagic[0], snapshotMagic[1], snapshotMagic[2], snapshotMagic[3], snapshotVersion, byte(Canonical), 0, 0})
	s.open(markHeader)
	s.frame = h.append(s.frame)
	s.close()
	return s
}

func (s *snapshotWriter) write(b []byte) {
	if s.err != nil {
		return
	}
	n, err := s.w.Write(b)
	s.at += int64(n)
	s.err = err
}

func (s *snapshotWriter) open(mark uint16) {
	s.mark = mark
	s.frame = append(s.frame[:0], make([]byte, frameHeader)...)
	s.frame = binary.BigEndian.AppendUint16(s.frame, mark)
}

// close writes the open frame.
func (s *snapshotWriter) close() {
	payload := s.frame[frameHeader:]
	if s.err == nil && uint64(len(payload)) > maxFrame {
		s.err = fmt.Errorf("state: a row of %d bytes is larger than %d", len(payload), int64(maxFrame))
	}
	binary.BigEndian.PutUint32(s.frame, uint32(len(payload)))
	binary.BigEndian.PutUint32(s.frame[4:], crc32.Checksum(payload, castagnoli))
	s.write(s.frame)
}

// startGroup begins the rows of the next key group.
func (s *snapshotWriter) startGroup(group int) {
	s.offsets = append(s.offsets, s.at)
	s.open(uint16(group))
}

// rowFilter takes out of a value what is not to be written; keep is false when that is all of it.
type rowFilter = func(val []byte) (out []byte, keep bool, err error)

func (s *snapshotWriter) row(id uint16, address, val []byte) error {
	if f := s.live[id]; f != nil {
		left, keep, err := f(val)
		if err != nil || !keep {
			return err
		}
		val = left
	}
	s.rows++
	s.frame = binary.AppendUvarint(s.frame, uint64(id))
	s.frame = appendBytes(appendBytes(s.frame, address), val)
	if len(s.frame) >= frameSize {
		s.close()
		s.open(s.mark)
	}
	return s.err
}

func (s *snapshotWriter) endGroup() error {
	if len(s.frame) > frameHeader+2 {
		s.close()
	}
	return s.err
}

// finish writes the index and returns what was written.
func (s *snapshotWriter) finish(checkpointID int64) (SnapshotInfo, error) {
	indexAt := s.at
	s.offsets = append(s.offsets, indexAt)
	s.open(markIndex)
	s.frame = binary.AppendUvarint(s.frame, s.rows)
	last := int64(0)
	for _, o := range s.offsets {
		s.frame = binary.AppendUvarint(s.frame, uint64(o-last))
		last = o
	}
	s.close()
	trailer := binary.BigEndian.AppendUint64(nil, uint64(indexAt))
	trailer = binary.BigEndian.AppendUint32(trailer, crc32.Checksum(trailer, castagnoli))
	s.write(append(trailer, trailerMagic...))
	return SnapshotInfo{
		Kind: Canonical, Version: snapshotVersion, CheckpointID: checkpointID, Range: s.groups, Bytes: s.at,
		Offsets: slices.Clip(s.offsets),
	}, s.err
}
