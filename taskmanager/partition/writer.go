package partition

import (
	"bufio"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"os"

	"goflink/dataflow"
)

// Options describe a partition to be written.
type Options struct {
	// Path of the file, which is made.
	Path string
	// Targets is the number of channels.
	Targets int
	// Memory bounds what is held before it is written, in bytes, the buffers that
	// are being filled among it. Below MinMemory(Targets) it is taken for that.
	Memory int64
}

const (
	// smallest is the least size of a buffer: with many targets, buffers of the
	// exchange's size would take all the memory before any is full.
	smallest = 1 << 10
	// fileBuffer is how much goes to the file at once.
	fileBuffer = 64 << 10
)

// MinMemory is the least memory with which a partition of so many targets is
// written: twice the smallest buffers, and what goes to the file at once.
func MinMemory(targets int) int64 { return 2*smallest*int64(targets) + 4*fileBuffer }

// Writer writes one partition. Its channels are the writers of one edge.
type Writer struct {
	o        Options
	size     int // of a buffer
	file     *os.File
	out      *bufio.Writer
	at       int64
	channels []channel
	held     int64 // by channels, and free
	room     int64 // for these
	free     []*dataflow.Buffer
	tables   []int64
	rows     int64
	scratch  []byte
	ended    bool
}

// channel gathers what goes to one target.
type channel struct {
	w    *Writer
	held []*dataflow.Buffer
}

// Create makes the file of a partition.
func Create(o Options) (*Writer, error) {
	o.Memory = max(o.Memory, MinMemory(o.Targets))
	half := (o.Memory - fileBuffer) / 2 // the other one is for buffers that are being filled
	w := &Writer{o: o, size: int(min(dataflow.BufferSize, max(smallest, half/int64(max(1, o.Targets))))), room: half, channels: make([]channel, o.Targets)}
	for i := range w.channels {
		w.channels[i].w = w
	}
	var err error
	if w.file, err = os.OpenFile(o.Path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600); err != nil {
		return nil, failed("making a result partition (io.tmp.dirs): %w", err)
	}
	w.out = bufio.NewWriterSize(w.file, fileBuffer)
	if err := w.write(header()); err != nil {
		w.Abort()
		return nil, err
	}
	return w, nil
}

// Channels are the writers of the edge, by target.
func (w *Writer) Channels() []dataflow.ChannelWriter {
	list := make([]dataflow.ChannelWriter, len(w.channels))
	for i := range w.channels {
		list[i] = &w.channels[i]
	}
	return list
}

// Local is false: a channel takes encoded records.
func (c *channel) Local() bool { return false }

// SendBatch is not for these channels.
func (c *channel) SendBatch(dataflow.Batch) error {
	return errors.New("partition: batches go to tasks of the same process, not to disk")
}

// BufferSize is the size of a buffer that is full.
func (c *channel) BufferSize() int { return c.w.size }

// Limit is the same: nobody waits for a buffer of a partition.
func (c *channel) Limit() int { return c.w.size }

// NewBuffer returns an empty buffer. n is what a channel of the exchange would be
// asked for: only one larger than BufferSize is a jumbo buffer.
func (c *channel) NewBuffer(n int) *dataflow.Buffer {
	if n > c.w.size {
		return &dataflow.Buffer{Data: make([]byte, 0, n)}
	}
	if last := len(c.w.free) - 1; last >= 0 {
		b := c.w.free[last]
		c.w.free = c.w.free[:last]
		return b
	}
	return &dataflow.Buffer{Data: make([]byte, 0, c.w.size)}
}

// SendBuffer keeps a buffer, and writes all that is kept once that is much.
func (c *channel) SendBuffer(b *dataflow.Buffer) error {
	w := c.w
	if len(b.Data) == 0 {
		return nil
	}
	c.held = append(c.held, b)
	w.held += int64(cap(b.Data))
	w.rows += int64(b.Rows)
	if w.held < w.room {
		return nil
	}
	return w.spill()
}

// spill writes what is held, target by target, and the table of it.
func (w *Writer) spill() error {
	table := w.scratch[:0]
	for i := range w.channels {
		e := entry{offset: w.at}
		if err := w.channels[i].write(); err != nil {
			return err
		}
		e.length = w.at - e.offset
		table = e.append(table)
	}
	w.scratch = table
	w.tables = append(w.tables, w.at)
	w.held = 0
	return w.write(table)
}

// write writes the chunks of a channel.
func (c *channel) write() error {
	w := c.w
	for i, b := range c.held {
		var head [chunkSize]byte
		binary.BigEndian.PutUint32(head[:], uint32(len(b.Data)))
		binary.BigEndian.PutUint32(head[4:], uint32(b.Rows))
		binary.BigEndian.PutUint32(head[8:], crc32.Checksum(b.Data, castagnoli))
		if err := w.write(head[:]); err != nil {
			return err
		}
		if err := w.write(b.Data); err != nil {
			return err
		}
		c.held[i] = nil
		if cap(b.Data) == w.size && int64(len(w.free)+1)*int64(w.size) <= w.room {
			b.Data, b.Rows = b.Data[:0], 0
			w.free = append(w.free, b)
		}
	}
	c.held = c.held[:0]
	return nil
}

func (w *Writer) write(b []byte) error {
	n, err := w.out.Write(b)
	w.at += int64(n)
	if err != nil {
		return failed("writing a result partition (io.tmp.dirs): %w", err)
	}
	return nil
}

// Bytes is how many bytes were written so far.
func (w *Writer) Bytes() int64 { return w.at }

// Finish writes the rest and what describes the file.
func (w *Writer) Finish() error {
	if w.held > 0 {
		if err := w.spill(); err != nil {
			return err
		}
	}
	f := footer{index: w.at, spills: len(w.tables), targets: w.o.Targets, rows: w.rows}
	if err := w.write(f.append(nil, w.tables)); err != nil {
		return err
	}
	if err := w.out.Flush(); err != nil {
		return failed("writing a result partition (io.tmp.dirs): %w", err)
	}
	w.ended = true
	w.drop()
	if err := w.file.Close(); err != nil {
		return failed("writing a result partition (io.tmp.dirs): %w", err)
	}
	return nil
}

// Abort gives the partition up; after Finish it does nothing.
func (w *Writer) Abort() {
	if w.ended {
		return
	}
	w.ended = true
	w.drop()
	_ = w.file.Close() // it goes
	_ = os.Remove(w.o.Path)
}

// drop lets go of all memory.
func (w *Writer) drop() {
	w.free, w.scratch = nil, nil
	for i := range w.channels {
		w.channels[i].held = nil
	}
}
