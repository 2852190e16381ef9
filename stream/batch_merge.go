package stream

import (
	"bytes"
	"container/heap"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"os"
)

// blockWriter cuts a stream into blocks.
type blockWriter struct {
	file *os.File
	at   int64
	buf  []byte
}

func (w *blockWriter) write(b []byte) error {
	for len(b) > 0 {
		if w.buf == nil {
			w.buf = make([]byte, 8, blockSize)
		}
		n := min(len(b), blockSize-len(w.buf))
		w.buf = append(w.buf, b[:n]...)
		b = b[n:]
		if len(w.buf) == blockSize {
			if err := w.flush(); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *blockWriter) flush() error {
	if len(w.buf) <= 8 {
		return nil
	}
	binary.BigEndian.PutUint32(w.buf, uint32(len(w.buf)-8))
	binary.BigEndian.PutUint32(w.buf[4:], crc32.Checksum(w.buf[8:], castagnoliTable))
	n, err := w.file.WriteAt(w.buf, w.at)
	w.at += int64(n)
	if err != nil {
		return spillf("sorting: writing to local disk (io.tmp.dirs): %w", err)
	}
	w.buf = w.buf[:8]
	return nil
}

// runReader reads a run. Its entry is the one to come out next.
type runReader struct {
	file  *os.File
	at    int64
	to    int64
	order int // among the runs that are merged
	block []byte
	rest  []byte // of block
	raw   []byte
	entry sortEntry
}

// advance reads the next entry; io.EOF at the end of the run.
func (r *runReader) advance() error {
	if len(r.rest) == 0 && r.at == r.to {
		return io.EOF
	}
	r.raw = r.raw[:0]
	if err := r.read(entryHead); err != nil {
		return err
	}
	if err := r.read(sizeOf(r.raw) - entryHead); err != nil {
		return err
	}
	r.entry.set(r.raw)
	return nil
}

// read appends n bytes to raw.
func (r *runReader) read(n int) error {
	for n > 0 {
		if len(r.rest) == 0 {
			if err := r.load(); err != nil {
				return err
			}
		}
		k := min(n, len(r.rest))
		r.raw = append(r.raw, r.rest[:k]...)
		r.rest = r.rest[k:]
		n -= k
	}
	return nil
}

func (r *runReader) load() error {
	if r.block == nil {
		r.block = make([]byte, blockSize)
	}
	n := min(int64(blockSize), r.to-r.at)
	if n < 8 {
		return spillf("sorting: a file on local disk is damaged at byte %d: a run ends within a record", r.at)
	}
	b := r.block[:n]
	if _, err := r.file.ReadAt(b, r.at); err != nil {
		return spillf("sorting: reading from local disk: %w", err)
	}
	size := int64(binary.BigEndian.Uint32(b))
	if size == 0 || size > n-8 || crc32.Checksum(b[8:8+size], castagnoliTable) != binary.BigEndian.Uint32(b[4:]) {
		return spillf("sorting: a file on local disk is damaged at byte %d: the checksum does not match", r.at)
	}
	r.rest = b[8 : 8+size]
	r.at += 8 + size
	return nil
}

// runMerge gives out the entries of several runs, in order; it is a heap of them.
type runMerge struct {
	runs  []*runReader
	began bool
}

func newRunMerge(file *os.File, runs []run) (*runMerge, error) {
	m := &runMerge{}
	for i, r := range runs {
		x := &runReader{file: file, at: r.from, to: r.to, order: i}
		err := x.advance()
		if errors.Is(err, io.EOF) {
			continue
		}
		if err != nil {
			return nil, err
		}
		m.runs = append(m.runs, x)
	}
	heap.Init(m)
	return m, nil
}

// take is the next entry, which is runs[0]'s until the next call, or io.EOF.
func (m *runMerge) take() (*sortEntry, error) {
	if m.began && len(m.runs) > 0 {
		switch err := m.runs[0].advance(); {
		case errors.Is(err, io.EOF):
			heap.Pop(m)
		case err != nil:
			return nil, err
		default:
			heap.Fix(m, 0)
		}
	}
	m.began = true
	if len(m.runs) == 0 {
		return nil, io.EOF
	}
	return &m.runs[0].entry, nil
}

// Len is for package heap, as are the next ones.
func (m *runMerge) Len() int      { return len(m.runs) }
func (m *runMerge) Swap(i, j int) { m.runs[i], m.runs[j] = m.runs[j], m.runs[i] }

// Less compares keys, then times, then when they came.
func (m *runMerge) Less(i, j int) bool {
	a, b := m.runs[i], m.runs[j]
	if c := bytes.Compare(a.entry.key, b.entry.key); c != 0 {
		return c < 0
	}
	if a.entry.ts != b.entry.ts {
		return a.entry.ts < b.entry.ts
	}
	return a.order < b.order
}

// Push is not used: runs only end.
func (m *runMerge) Push(any) {}

// Pop takes the last one out.
func (m *runMerge) Pop() any {
	last := m.runs[len(m.runs)-1]
	m.runs = m.runs[:len(m.runs)-1]
	return last
}
