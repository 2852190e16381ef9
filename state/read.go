package state

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// maxFrame bounds a frame. It is as large as its length field allows less a little; memory is only taken as the
// bytes arrive.
const maxFrame = 1<<32 - 64

// rowFunc receives a row; the slices are good during the call. id is an index into header.states.
type rowFunc func(group uint16, state int, address, val []byte) error

// snapshotReader reads frames from a stream.
type snapshotReader struct {
	r   io.Reader
	at  int64
	buf []byte
	h   *header
	ids map[uint16]int
}

// corrupt makes an error that says where.
func (s *snapshotReader) corrupt(format string, args ...any) error {
	return fmt.Errorf("%w: %s at offset %d", ErrCorrupt, fmt.Sprintf(format, args...), s.at)
}

// read fills b.
func (s *snapshotReader) read(b []byte, what string) error {
	n, err := io.ReadFull(s.r, b)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = s.corrupt("truncated: %d of %d bytes of the %s", n, len(b), what)
	}
	if err != nil {
		return err
	}
	s.at += int64(n)
	return nil
}

// readStep is how much of a frame is read before more memory is taken, so that a corrupt length takes none.
const readStep = 1 << 20

// frame reads a frame and returns its mark and the rest of its payload, verified (verify-first).
func (s *snapshotReader) frame() (mark uint16, payload []byte, err error) {
	var head [frameHeader]byte
	if err := s.read(head[:], "frame header"); err != nil {
		return 0, nil, err
	}
	left := int64(binary.BigEndian.Uint32(head[:]))
	if left < 2 || left > maxFrame {
		return 0, nil, s.corrupt("impossible frame length %d", left)
	}
	s.buf = s.buf[:0]
	for left > 0 {
		n := int(min(left, readStep))
		have := len(s.buf)
		s.buf = append(s.buf, make([]byte, n)...)
		if err := s.read(s.buf[have:], "frame"); err != nil {
			return 0, nil, err
		}
		left -= int64(n)
	}
	if crc32.Checksum(s.buf, castagnoli) != binary.BigEndian.Uint32(head[4:]) {
		return 0, nil, s.corrupt("wrong checksum of the frame that ends")
	}
	return binary.BigEndian.Uint16(s.buf), s.buf[2:], nil
}

// header reads what comes before the rows.
func (s *snapshotReader) header() error {
	var prefix [prefixSize]byte
	if err := s.read(prefix[:], "snapshot's beginning"); err != nil {
		return err
	}
	switch {
	case string(prefix[:4]) != snapshotMagic:
		return s.corrupt("it is no snapshot of keyed state: it does not begin with %q", snapshotMagic)
	case prefix[4] != snapshotVersion || SnapshotKind(prefix[5]) != Canonical:
		return fmt.Errorf("state: snapshot of version %d and kind %d; this release reads version %d and kind %d", prefix[4], prefix[5], snapshotVersion, Canonical)
	}
	mark, payload, err := s.frame()
	if err != nil {
		return err
	}
	if mark != markHeader {
		return s.corrupt("the header is missing")
	}
	if s.h, err = decodeHeader(payload); err != nil {
		return err
	}
	s.ids = map[uint16]int{}
	for i, m := range s.h.states {
		if _, dup := s.ids[m.ID]; dup {
			return s.corrupt("two states with the id %d", m.ID)
		}
		s.ids[m.ID] = i
	}
	return nil
}

// rows reads the frames of the key groups want, the first of which comes next, up to the offset end, or up to the
// index when end is negative.
func (s *snapshotReader) rows(ctx context.Context, want Range, end int64, f rowFunc) error {
	last := -1
	for end < 0 || s.at < end {
		if err := ctx.Err(); err != nil {
			return err
		}
		mark, payload, err := s.frame()
		if err != nil {
			return err
		}
		if mark == markIndex && end < 0 {
			return nil
		}
		g := int(mark)
		if !s.h.groups.Contains(g) || g < last || end >= 0 && !want.Contains(g) {
			return s.corrupt("key group %d out of order or range in the frame that ends", g)
		}
		last = g
		if !want.Contains(g) {
			continue
		}
		if err := s.split(mark, payload, f); err != nil {
			return err
		}
	}
	if end >= 0 && s.at != end {
		return s.corrupt("a frame crosses the end of the key groups, %d,", end)
	}
	return nil
}

// split visits the rows of a payload.
func (s *snapshotReader) split(group uint16, payload []byte, f rowFunc) error {
	for in := (fields{src: payload}); len(in.src) > 0; {
		id := in.uvarint()
		address, val := in.bytes(), in.bytes()
		state, ok := s.ids[uint16(id)]
		if in.err == nil && (!ok || id > 1<<16-1) {
			in.failf("a row of the unknown state %d", id)
		}
		if in.err != nil {
			return s.corrupt("%v, in the frame that ends", in.err)
		}
		if err := f(group, state, address, val); err != nil {
			return err
		}
	}
	return nil
}

// readHandle reads the rows of the key groups want from a handle.
func readHandle(ctx context.Context, rc io.Reader, h Handle, want Range, start func(*header) error, f rowFunc) error {
	s := &snapshotReader{r: rc}
	if err := s.header(); err != nil {
		return err
	}
	if err := start(s.h); err != nil {
		return err
	}
	want = want.Intersect(s.h.groups)
	if want.Empty() {
		return nil
	}
	if len(h.Offsets) == 0 {
		return s.rows(ctx, want, -1, f)
	}
	if h.Range != s.h.groups || len(h.Offsets) != h.Range.Len()+1 {
		return fmt.Errorf("%w: the handle says key groups %s with %d offsets, the snapshot %s", ErrCorrupt, h.Range, len(h.Offsets), s.h.groups)
	}
	from, end := h.Offsets[want.Start-h.Range.Start], h.Offsets[want.End-h.Range.Start]
	if from < s.at || end < from {
		return fmt.Errorf("%w: offsets %d to %d of the handle", ErrCorrupt, from, end)
	}
	if err := s.skipTo(rc, from, end); err != nil {
		return err
	}
	return s.rows(ctx, want, end, f)
}

// skipTo moves to an offset, reading only where nothing better is offered.
func (s *snapshotReader) skipTo(rc io.Reader, from, end int64) error {
	switch r := rc.(type) {
	case io.ReaderAt:
		s.r = io.NewSectionReader(r, from, end-from)
	case io.Seeker:
		if _, err := r.Seek(from, io.SeekStart); err != nil {
			return err
		}
	default:
		n, err := io.CopyN(io.Discard, rc, from-s.at)
		if errors.Is(err, io.EOF) {
			s.at += n
			return s.corrupt("truncated: it ends before the rows at %d", from)
		}
		if err != nil {
			return err
		}
	}
	s.at = from
	return nil
}
