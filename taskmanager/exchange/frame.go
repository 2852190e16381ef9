package exchange

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"slices"

	"goflink/dataflow"
)

// WireVersion is the version of the data plane's framing. Both ends must have
// the same one: workers of one job run one binary.
const WireVersion = 2

// Frame types.
const (
	frameBuffer         = 1 // records; needs credit
	frameCredit         = 2 // receiver to sender: Rows more buffers may come
	frameBacklog        = 3 // sender to receiver: Rows buffers wait for credit
	frameBarrier        = 4
	frameEndOfData      = 5
	frameEndOfPartition = 6
	frameCancel         = 7
	frameGoodbye        = 8 // the sender's side of the attempt was cancelled
	frameSize           = 9 // receiver to sender: put Rows bytes into a buffer
	frameLast           = frameSize
)

// MaxRecord is the largest encoded record, in bytes, with 4 KiB for what the
// edge writes around it: one that does not fit into
// a network buffer travels in a jumbo buffer of its own. Larger ones could
// drive a worker with Flink's smallest memory (1728m) out of its share, since
// sender and receiver hold it encoded and decoded.
const MaxRecord = 64<<20 + 4<<10

// headerSize: type 1, compression 1, reserved 2 (zero), edge 4, source 4, target 4, body
// length 4, rows 4, backlog 4; all big-endian.
const headerSize = 28

// maxRows bounds rows, credits and backlogs in a frame.
const maxRows = math.MaxInt32

type header struct {
	kind    byte
	packed  Compression // of a buffer's body
	channel ChannelID
	length  int
	rows    int
	backlog int
}

func (h *header) encode(dst *[headerSize]byte) {
	dst[0], dst[1], dst[2], dst[3] = h.kind, byte(h.packed), 0, 0
	be := binary.BigEndian
	be.PutUint32(dst[4:], uint32(h.channel.Edge))
	be.PutUint32(dst[8:], uint32(h.channel.Source))
	be.PutUint32(dst[12:], uint32(h.channel.Target))
	be.PutUint32(dst[16:], uint32(h.length))
	be.PutUint32(dst[20:], uint32(h.rows))
	be.PutUint32(dst[24:], uint32(h.backlog))
}

// decodeHeader checks every field: what comes after trusts them.
func decodeHeader(src *[headerSize]byte) (header, error) {
	be := binary.BigEndian
	var fields [6]uint32
	for i := range fields {
		fields[i] = be.Uint32(src[4+4*i:])
		if fields[i] > maxRows {
			return header{}, fmt.Errorf("exchange: frame field %d is %d", i, fields[i])
		}
	}
	h := header{
		kind:    src[0],
		packed:  Compression(src[1]),
		channel: ChannelID{Edge: int(fields[0]), Source: int(fields[1]), Target: int(fields[2])},
		length:  int(fields[3]), rows: int(fields[4]), backlog: int(fields[5]),
	}
	if src[2]|src[3] != 0 {
		return header{}, fmt.Errorf("exchange: reserved frame bytes are set")
	}
	return h, h.check()
}

func (h *header) check() error {
	limit := 0
	switch h.kind {
	case frameBuffer:
		limit = MaxRecord
		switch {
		case h.packed > ZSTD:
			return fmt.Errorf("exchange: a buffer with unknown %s", h.packed)
		case h.packed != Plain && h.length <= sizePrefix, h.length == 0:
			return fmt.Errorf("exchange: empty buffer frame")
		case h.packed != Plain:
			limit = dataflow.BufferSize
		}
	case frameCredit, frameBacklog, frameSize:
		if h.rows == 0 {
			return fmt.Errorf("exchange: credit, backlog or size of 0")
		}
	case frameBarrier, frameEndOfData, frameEndOfPartition, frameCancel:
		limit = eventLimit
	case frameGoodbye:
	default:
		return fmt.Errorf("exchange: unknown frame type %d (known: 1 to %d)", h.kind, frameLast)
	}
	if h.packed != Plain && h.kind != frameBuffer {
		return fmt.Errorf("exchange: frame type %d with %s", h.kind, h.packed)
	}
	if h.length > limit {
		return fmt.Errorf("exchange: frame type %d of %d bytes, more than %d", h.kind, h.length, limit)
	}
	return nil
}

// readEvent reads the body of an event frame.
func readEvent(r io.Reader, h header) (Event, error) {
	body := make([]byte, h.length)
	if _, err := io.ReadFull(r, body); err != nil {
		return Event{}, fmt.Errorf("exchange: reading an event: %w", err)
	}
	return decodeEvent(h.kind, body)
}

// readBuffer reads the body of a buffer frame into memory of the pool. A jumbo
// body grows while it comes in, so that a header alone allocates little.
func readBuffer(r io.Reader, h header) (*dataflow.Buffer, error) {
	b := newBuffer(min(h.length, dataflow.BufferSize))
	b.Rows = h.rows
	for len(b.Data) < h.length {
		n := min(h.length-len(b.Data), max(dataflow.BufferSize, len(b.Data)))
		b.Data = slices.Grow(b.Data, n)[:len(b.Data)+n]
		if _, err := io.ReadFull(r, b.Data[len(b.Data)-n:]); err != nil {
			freeBuffer(b)
			return nil, fmt.Errorf("exchange: reading a buffer: %w", err)
		}
	}
	return b, nil
}

// units is what a buffer of n bytes costs in credits: a jumbo buffer pays for
// the memory it takes.
func units(n int) int { return max(1, (n+dataflow.BufferSize-1)/dataflow.BufferSize) }
