package stream

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"os"
	"slices"
)

// External merge sort of encoded records by key, then event time, then arrival.
// Records are gathered in memory up to a budget, sorted, and written to a local
// file as a run; in the end the runs are merged. The file has no name any more when
// it is written to, so that it goes with the process whatever happens.
//
//	file   = "GFSR" version 0 0 0 { run }
//	run    = { block }                 a stream of entries, cut into blocks
//	block  = length crc bytes          4 bytes each, big-endian; CRC-32C of the bytes
//	entry  = keyLength valueLength side time key value
//
// The lengths take 4 bytes, side 1, time 8 (sign bit flipped, so that it sorts).
const (
	runMagic   = "GFSR"
	runVersion = 1

	entryHead = 17
	// segmentSize is the piece in which memory is taken: large beside a record,
	// small beside any budget.
	segmentSize = 256 << 10
	blockSize   = 32 << 10
	itemBytes   = 16
	// leastSortBudget is two segments and what a merge of two runs takes.
	leastSortBudget = 1 << 20
)

var castagnoliTable = crc32.MakeTable(crc32.Castagnoli)

// spillError is a failure of the local disk: the job may succeed elsewhere.
type spillError struct{ err error }

func (e *spillError) Error() string         { return e.err.Error() }
func (e *spillError) Unwrap() error         { return e.err }
func (e *spillError) FailureDomain() string { return "external" }
func (e *spillError) FailureRetry() string  { return "restart" }

func spillf(format string, args ...any) error { return &spillError{fmt.Errorf(format, args...)} }

// sortEntry is a record that comes out of the sort; it is good until the next one.
type sortEntry struct {
	key, value []byte
	ts         int64
	side       byte
}

// sortItem finds an entry in memory. prefix is the beginning of its key.
type sortItem struct {
	prefix  uint64
	segment uint32
	at      uint32
}

// run is a sorted part of a file.
type run struct{ from, to int64 }

// runSort sorts what is added to it. It belongs to one goroutine.
type runSort struct {
	dir    string
	budget int64
	// stopped tells, in between, why a long merge is to be given up; nil: nothing does.
	stopped  func() error
	segments [][]byte // those in use, then those that are kept
	used     int      // of segments
	large    int64    // bytes of segments larger than usual
	items    []sortItem
	file     *os.File
	runs     []run
	at       int64 // end of file
	spilled  int64 // bytes, ever
	next     func() (*sortEntry, error)
	position int // of items, when all is in memory
	entry    sortEntry
}

func newRunSort(dir string, budget int64) *runSort {
	return &runSort{dir: dir, budget: max(budget, leastSortBudget)}
}

// add takes a copy of a record.
func (s *runSort) add(side byte, key []byte, ts int64, value []byte) error {
	seg := s.room(entryHead + len(key) + len(value))
	start := len(*seg)
	b := binary.BigEndian.AppendUint32(*seg, uint32(len(key)))
	b = binary.BigEndian.AppendUint32(b, uint32(len(value)))
	b = binary.BigEndian.AppendUint64(append(b, side), uint64(ts)^(1<<63))
	*seg = append(append(b, key...), value...)
	s.items = append(s.items, sortItem{prefixOf(key), uint32(s.used - 1), uint32(start)})
	if s.held() < s.budget {
		return nil
	}
	return s.spill()
}

// room is a segment with so many bytes free.
func (s *runSort) room(n int) *[]byte {
	if s.used > 0 {
		if last := &s.segments[s.used-1]; cap(*last)-len(*last) >= n {
			return last
		}
	}
	if s.used == len(s.segments) {
		s.segments = append(s.segments, nil)
	}
	s.used++
	seg := &s.segments[s.used-1]
	if cap(*seg) < n {
		size := max(segmentSize, n)
		*seg = make([]byte, 0, size)
		s.large += int64(size - segmentSize)
	}
	*seg = (*seg)[:0]
	return seg
}

func (s *runSort) held() int64 {
	return int64(s.used)*segmentSize + s.large + int64(cap(s.items))*itemBytes
}

// prefixOf is the beginning of a key, as a number that sorts like it.
func prefixOf(key []byte) uint64 {
	if len(key) >= 8 {
		return binary.BigEndian.Uint64(key)
	}
	var b [8]byte
	copy(b[:], key)
	return binary.BigEndian.Uint64(b[:])
}

// raw is an entry in memory.
func (s *runSort) raw(i sortItem) []byte { return s.segments[i.segment][i.at:] }

func keyOf(raw []byte) []byte { return raw[entryHead : entryHead+binary.BigEndian.Uint32(raw)] }

func sizeOf(raw []byte) int {
	return entryHead + int(binary.BigEndian.Uint32(raw)) + int(binary.BigEndian.Uint32(raw[4:]))
}

func (s *runSort) sort() {
	slices.SortFunc(s.items, func(a, b sortItem) int {
		if a.prefix != b.prefix {
			if a.prefix < b.prefix {
				return -1
			}
			return 1
		}
		x, y := s.raw(a), s.raw(b)
		if c := bytes.Compare(keyOf(x), keyOf(y)); c != 0 {
			return c
		}
		if c := bytes.Compare(x[9:17], y[9:17]); c != 0 {
			return c
		}
		if a.segment != b.segment { // they came in this order
			return int(a.segment) - int(b.segment)
		}
		return int(a.at) - int(b.at)
	})
}

// spill writes what is held as a run.
func (s *runSort) spill() error {
	if len(s.items) == 0 {
		return nil
	}
	s.sort()
	if s.file == nil {
		if err := s.create(); err != nil {
			return err
		}
	}
	w := &blockWriter{file: s.file, at: s.at}
	for _, i := range s.items {
		raw := s.raw(i)
		if err := w.write(raw[:sizeOf(raw)]); err != nil {
			return err
		}
	}
	if err := s.endRun(w); err != nil {
		return err
	}
	s.forget()
	return nil
}

// endRun ends the run that w has written.
func (s *runSort) endRun(w *blockWriter) error {
	if err := w.flush(); err != nil {
		return err
	}
	s.runs = append(s.runs, run{s.at, w.at})
	s.spilled += w.at - s.at
	s.at = w.at
	return nil
}

// forget lets go of what is in memory, but for the usual segments.
func (s *runSort) forget() {
	s.segments = slices.DeleteFunc(s.segments, func(b []byte) bool { return cap(b) > segmentSize })
	s.items, s.used, s.large = s.items[:0], 0, 0
}

func (s *runSort) create() error {
	file, err := newRunFile(s.dir)
	if err != nil {
		return err
	}
	s.file, s.at = file, 8
	return nil
}

func newRunFile(dir string) (*os.File, error) {
	if dir != "" {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, spillf("sorting: making a folder (io.tmp.dirs): %w", err)
		}
	}
	file, err := os.CreateTemp(dir, "sort-*")
	if err != nil {
		return nil, spillf("sorting: making a file (io.tmp.dirs): %w", err)
	}
	err = os.Remove(file.Name())
	if err == nil {
		_, err = file.Write(append([]byte(runMagic), runVersion, 0, 0, 0))
	}
	if err != nil {
		file.Close()
		return nil, spillf("sorting: writing a file (io.tmp.dirs): %w", err)
	}
	return file, nil
}

// sorted begins to give out what was added, in order: call take until io.EOF.
func (s *runSort) sorted() error {
	if s.file == nil {
		s.sort()
		s.next = s.fromMemory
		return nil
	}
	if err := s.spill(); err != nil {
		return err
	}
	s.segments, s.items = nil, nil // the merge needs the memory
	fan := int(min(math.MaxInt32, max(2, s.budget/(4*blockSize))))
	for len(s.runs) > fan {
		if err := s.pass(fan); err != nil {
			return err
		}
	}
	m, err := newRunMerge(s.file, s.runs)
	if err != nil {
		return err
	}
	s.next = m.take
	return nil
}

// take is the next record, or io.EOF.
func (s *runSort) take() (*sortEntry, error) { return s.next() }

func (s *runSort) fromMemory() (*sortEntry, error) {
	if s.position == len(s.items) {
		return nil, io.EOF
	}
	raw := s.raw(s.items[s.position])
	s.position++
	s.entry.set(raw)
	return &s.entry, nil
}

func (e *sortEntry) set(raw []byte) {
	key := int(binary.BigEndian.Uint32(raw))
	e.key, e.value = raw[entryHead:entryHead+key], raw[entryHead+key:sizeOf(raw)]
	e.side, e.ts = raw[8], int64(binary.BigEndian.Uint64(raw[9:])^(1<<63))
}

// pass merges each fan runs that follow each other into one, in another file.
func (s *runSort) pass(fan int) error {
	old, runs := s.file, s.runs
	defer old.Close() // it was read; with its end it is gone
	s.runs = nil
	if err := s.create(); err != nil {
		s.file = nil
		return err
	}
	for part := range slices.Chunk(runs, fan) {
		m, err := newRunMerge(old, part)
		if err != nil {
			return err
		}
		w := &blockWriter{file: s.file, at: s.at}
		for n := 0; ; n++ {
			_, err := m.take()
			if errors.Is(err, io.EOF) {
				break
			}
			if n%4096 == 0 && err == nil && s.stopped != nil {
				err = s.stopped()
			}
			if err == nil {
				err = w.write(m.runs[0].raw)
			}
			if err != nil {
				return err
			}
		}
		if err := s.endRun(w); err != nil {
			return err
		}
	}
	return nil
}

// close gives everything up.
func (s *runSort) close() {
	if s.file != nil {
		_ = s.file.Close() // it has no name any more
		s.file = nil
	}
	s.segments, s.items, s.next = nil, nil, nil
}
