package stream

import (
	"encoding/binary"
	"errors"
	"fmt"

	"goflink/codec"
	"goflink/dataflow"
)

// The content of a remote buffer. A buffer stands for itself: nothing in it refers
// to an earlier one. Its format is 1, or 2 when it holds a latency marker.
//
//	buffer  = 0x01 { element } | 0x02 { element | marker }
//	element = 0x00 value                      a record without event time
//	        | 0x01 delta value                a record; delta is its event time less
//	                                          that of the record before it in this
//	                                          buffer (the first: less 0), wrapping
//	        | 0x02 ts                         a watermark
//	        | 0x03                            the channel is idle
//	        | 0x04                            the channel is active
//	marker  = 0x05 ts id subtask              when and where it began: 16 bytes and a varint
//	delta, ts = zigzag varint (encoding/binary), milliseconds
//	value   = as the codec of the edge's type encodes it; self-delimiting
const (
	formatVersion = 1
	formatLatency = 2

	tagRecord    = 0
	tagTimed     = 1
	tagWatermark = 2
	tagIdle      = 3
	tagActive    = 4
	tagLatency   = 5
)

// MaxRecordSize bounds the encoded size of one record, 64 MiB: a record is held
// whole in memory by sender and receiver, and the exchange refuses longer frames.
const MaxRecordSize = 64 << 20

var errBuffer = errors.New("damaged buffer")

func badBuffer(at int, what string) error {
	return fmt.Errorf("%w: %s at byte %d", errBuffer, what, at)
}

// checkFormat checks the version that a buffer begins with.
func checkFormat(data []byte) error {
	if len(data) == 0 || data[0] != formatVersion && data[0] != formatLatency {
		return fmt.Errorf("%w: format version %v, want %d or %d", errBuffer, data[:min(1, len(data))], formatVersion, formatLatency)
	}
	return nil
}

func appendRecord[T any](dst []byte, c codec.Codec[T], r *dataflow.Rec[T], last *int64) []byte {
	if r.TS == dataflow.NoTimestamp {
		return c.Append(append(dst, tagRecord), &r.V)
	}
	dst = binary.AppendVarint(append(dst, tagTimed), r.TS-*last)
	*last = r.TS
	return c.Append(dst, &r.V)
}

func appendWatermark(dst []byte, ts int64) []byte {
	return binary.AppendVarint(append(dst, tagWatermark), ts)
}

func appendStatus(dst []byte, idle bool) []byte {
	if idle {
		return append(dst, tagIdle)
	}
	return append(dst, tagActive)
}

// decodeRecord reads the record whose tag is at data[at] and returns the
// position behind it.
func decodeRecord[T any](data []byte, at int, c codec.Codec[T], r *dataflow.Rec[T], last *int64) (int, error) {
	timed := data[at] == tagTimed
	at++
	r.TS = dataflow.NoTimestamp
	if timed {
		d, n := binary.Varint(data[at:])
		if n <= 0 {
			return at, badBuffer(at, "no event time")
		}
		at += n
		*last += d
		r.TS = *last
	}
	n, err := c.Decode(data[at:], &r.V)
	if err != nil {
		return at, fmt.Errorf("%w: record at byte %d: %w", errBuffer, at, err)
	}
	return at + n, nil
}
