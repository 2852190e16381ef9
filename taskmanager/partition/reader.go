package partition

import (
	"encoding/binary"
	"hash/crc32"
	"io"
	"os"

	"goflink/dataflow"
)

// Partition is a whole partition, open for reading.
type Partition struct {
	file   *os.File
	foot   footer
	tables []int64 // where the tables of the spills lie
}

// maxTables bounds the spills of a file: with a million of them, of 8 MiB each, it
// would be larger than any local disk.
const maxTables = 1 << 24

// Open opens a partition and checks what describes it.
func Open(path string) (*Partition, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, failed("opening a result partition: %w", err)
	}
	p := &Partition{file: file}
	if err := p.describe(); err != nil {
		file.Close()
		return nil, err
	}
	return p, nil
}

func (p *Partition) describe() error {
	info, err := p.file.Stat()
	if err != nil {
		return failed("opening a result partition: %w", err)
	}
	size := info.Size()
	if size < headerSize+footerSize {
		return p.damaged("it has %d bytes", size)
	}
	head, tail := make([]byte, headerSize), make([]byte, footerSize)
	if err := p.read(head, 0); err != nil {
		return err
	}
	if string(head[:4]) != magic || head[4] != Version {
		return p.damaged("its header is %x, want %q and version %d", head, magic, Version)
	}
	if err := p.read(tail, size-footerSize); err != nil {
		return err
	}
	f, sum, ok := decodeFooter(tail, size)
	if !ok || f.spills > maxTables {
		return p.damaged("its footer is not one")
	}
	index := make([]byte, 8*f.spills, 8*f.spills+footerSize)
	if err := p.read(index, f.index); err != nil {
		return err
	}
	if crc32.Checksum(append(index, tail[:24]...), castagnoli) != sum {
		return p.damaged("the checksum of its index does not match")
	}
	p.foot = f
	p.tables = make([]int64, f.spills)
	for i := range p.tables {
		p.tables[i] = int64(binary.BigEndian.Uint64(index[8*i:]))
	}
	return nil
}

func (p *Partition) damaged(format string, args ...any) error {
	return failed("result partition %s is damaged: "+format, append([]any{p.file.Name()}, args...)...)
}

func (p *Partition) read(b []byte, at int64) error {
	if _, err := p.file.ReadAt(b, at); err != nil {
		return failed("reading a result partition: %w", err)
	}
	return nil
}

// Targets is the number of channels that it was written for.
func (p *Partition) Targets() int { return p.foot.targets }

// Rows is how many records it holds.
func (p *Partition) Rows() int64 { return p.foot.rows }

// Close closes the file; readers must not be used any more.
func (p *Partition) Close() error { return p.file.Close() }

// Reader reads what was written for one target, in the order in which it was sent.
type Reader struct {
	p        *Partition
	target   int
	spill    int   // next one
	at, stop int64 // of the chunks of the spill in work
}

// Reader makes a reader of one target.
func (p *Partition) Reader(target int) (*Reader, error) {
	if target < 0 || target >= p.foot.targets {
		return nil, failed("result partition %s has %d targets, not one of number %d", p.file.Name(), p.foot.targets, target)
	}
	return &Reader{p: p, target: target}, nil
}

// Next returns the next buffer, made by alloc, or io.EOF.
func (r *Reader) Next(alloc func(n int) *dataflow.Buffer) (*dataflow.Buffer, error) {
	for r.at == r.stop {
		if r.spill == len(r.p.tables) {
			return nil, io.EOF
		}
		if err := r.next(); err != nil {
			return nil, err
		}
	}
	var head [chunkSize]byte
	if r.stop-r.at < chunkSize {
		return nil, r.p.damaged("a chunk at byte %d has no header", r.at)
	}
	if err := r.p.read(head[:], r.at); err != nil {
		return nil, err
	}
	size := int64(binary.BigEndian.Uint32(head[:]))
	if size > r.stop-r.at-chunkSize {
		return nil, r.p.damaged("the chunk at byte %d says it has %d bytes", r.at, size)
	}
	b := alloc(int(size))
	b.Data, b.Rows = b.Data[:size], int(binary.BigEndian.Uint32(head[4:]))
	if err := r.p.read(b.Data, r.at+chunkSize); err != nil {
		return nil, err
	}
	if crc32.Checksum(b.Data, castagnoli) != binary.BigEndian.Uint32(head[8:]) {
		return nil, r.p.damaged("the checksum of the chunk at byte %d does not match", r.at)
	}
	r.at += chunkSize + size
	return b, nil
}

// next goes to the next spill.
func (r *Reader) next() error {
	var b [entrySize]byte
	if err := r.p.read(b[:], r.p.tables[r.spill]+entrySize*int64(r.target)); err != nil {
		return err
	}
	e, ok := decodeEntry(b[:], r.p.tables[r.spill])
	if !ok {
		return r.p.damaged("target %d of spill %d is not where its table says", r.target, r.spill)
	}
	r.spill++
	r.at, r.stop = e.offset, e.offset+e.length
	return nil
}
