package exchange

import (
	"encoding/binary"
	"fmt"
	"io"
	"strings"

	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"

	"goflink/dataflow"
)

// Compression is how buffers are compressed on their way to another worker. It is
// a byte of the frame's header: the values are fixed.
type Compression byte

// The compressions there are.
const (
	Plain Compression = 0
	LZ4   Compression = 1 // fast, for networks slower than a few hundred MB/s
	ZSTD  Compression = 2 // at its fastest level: smaller, for slow networks
)

// compressions are those that this release reads, as a set of bits in a hello.
const compressions = 1<<LZ4 | 1<<ZSTD

// String is the name in configurations.
func (c Compression) String() string {
	names := []string{"NONE", "LZ4", "ZSTD"}
	if int(c) < len(names) {
		return names[c]
	}
	return fmt.Sprintf("compression %d", byte(c))
}

// set lists the bits of a hello, for messages.
func set(bits byte) string {
	var names []string
	for _, c := range []Compression{LZ4, ZSTD} {
		if bits&(1<<c) != 0 {
			names = append(names, c.String())
		}
	}
	return strings.Join(names, ", ")
}

const (
	// sizePrefix is the length of the size that precedes compressed bytes.
	sizePrefix = 4
	// leastPacked is the smallest buffer worth the try: below it the headers of
	// formats take what is gained.
	leastPacked = 128
	// mostSkipped bounds the buffers that are sent plain, untried, after some that
	// did not become smaller.
	mostSkipped = 32
)

// packer compresses buffers. It belongs to the writer of a connection. Memory: one
// table or window, some hundred KiB, and what replaces a buffer comes from the
// same pool.
type packer struct {
	kind  Compression
	lz4   lz4.Compressor
	zstd  *zstd.Encoder
	skip  int // buffers to send untried
	plain int // tries in a row that were of no use
}

func newPacker(kind Compression) (*packer, error) {
	p := &packer{kind: kind}
	switch kind {
	case Plain:
		return nil, nil
	case LZ4:
		return p, nil
	case ZSTD:
		var err error
		p.zstd, err = zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(false),
			zstd.WithWindowSize(dataflow.BufferSize), zstd.WithLowerEncoderMem(true))
		if err != nil {
			return nil, fmt.Errorf("exchange: %w", err)
		}
		return p, nil
	}
	return nil, fmt.Errorf("exchange: %s is not known", kind)
}

// pack replaces a frame's buffer by a compressed one where that is smaller. A
// record that is larger than a buffer is sent plain: it would need as much memory
// again on both sides.
func (p *packer) pack(f *outFrame) {
	raw := f.buffer.Data
	if len(raw) < leastPacked || len(raw) > dataflow.BufferSize {
		return
	}
	if p.skip > 0 {
		p.skip--
		return
	}
	b := newBuffer(dataflow.BufferSize)
	// An eighth less, or it is not worth the work of the receiver.
	room := b.Data[sizePrefix : sizePrefix+len(raw)-len(raw)/8-sizePrefix]
	n := p.compress(room, raw)
	if n == 0 {
		freeBuffer(b)
		p.plain = min(p.plain+1, 6)
		p.skip = min(1<<p.plain, mostSkipped)
		return
	}
	p.plain = 0
	b.Data, b.Rows = b.Data[:sizePrefix+n], f.buffer.Rows
	binary.BigEndian.PutUint32(b.Data, uint32(len(raw)))
	freeBuffer(f.buffer)
	f.buffer, f.header.packed, f.header.length = b, p.kind, len(b.Data)
}

// compress writes raw to dst; 0 when it does not fit.
func (p *packer) compress(dst, raw []byte) int {
	if p.kind == ZSTD {
		out := p.zstd.EncodeAll(raw, dst[:0:len(dst)])
		if len(out) > len(dst) {
			return 0
		}
		return len(out)
	}
	n, err := p.lz4.CompressBlock(raw, dst)
	if err != nil {
		return 0 // it does not fit
	}
	return n
}

// unpacker reads compressed buffers. It belongs to the reader of a connection.
type unpacker struct {
	body []byte
	zstd *zstd.Decoder
}

// read reads the body of a compressed buffer. What comes out is never larger than
// a network buffer: its size is checked before anything is decompressed, and
// nothing is decompressed beyond it.
func (u *unpacker) read(r io.Reader, h header) (*dataflow.Buffer, error) {
	if u.body == nil {
		u.body = make([]byte, dataflow.BufferSize)
	}
	body := u.body[:h.length] // as the header was checked
	if _, err := io.ReadFull(r, body); err != nil {
		return nil, fmt.Errorf("exchange: reading a buffer: %w", err)
	}
	size := binary.BigEndian.Uint32(body)
	if size <= uint32(h.length) || size > dataflow.BufferSize {
		return nil, fmt.Errorf("exchange: a compressed buffer of %d bytes claims to hold %d", h.length, size)
	}
	b := newBuffer(dataflow.BufferSize)
	n, err := u.decompress(h.packed, b.Data[:size], body[sizePrefix:])
	if err == nil && n != int(size) {
		err = fmt.Errorf("it holds %d bytes, not %d", n, size)
	}
	if err != nil {
		freeBuffer(b)
		return nil, fmt.Errorf("exchange: damaged buffer (%s): %w", h.packed, err)
	}
	b.Data, b.Rows = b.Data[:size], h.rows
	return b, nil
}

// decompress fills dst.
func (u *unpacker) decompress(kind Compression, dst, src []byte) (int, error) {
	if kind == LZ4 {
		return lz4.UncompressBlock(src, dst)
	}
	if u.zstd == nil {
		var err error
		u.zstd, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxMemory(dataflow.BufferSize),
			zstd.WithDecoderMaxWindow(dataflow.BufferSize), zstd.WithDecodeAllCapLimit(true))
		if err != nil {
			return 0, err
		}
	}
	out, err := u.zstd.DecodeAll(src, dst[:0:len(dst)])
	if err == nil && len(out) > 0 && &out[0] != &dst[0] {
		err = fmt.Errorf("it holds more than %d bytes", len(dst))
	}
	return len(out), err
}

// close gives up what the decoder holds.
func (u *unpacker) close() {
	if u.zstd != nil {
		u.zstd.Close()
	}
}
