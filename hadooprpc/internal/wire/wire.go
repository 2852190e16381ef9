// Package wire holds the byte formats of Hadoop RPC version 9 that client and test server share: frames and
// length-delimited protobuf messages. It has no state and no goroutines. Every length read from a peer is
// checked against a bound before memory is taken for it.
package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	pb "goflink/hadooprpc/proto/hadoopproto"
)

// Call ids with a meaning of their own. They travel as int32 in an unsigned field.
const (
	CallContext = -3  // the connection context
	CallPing    = -4  // a ping, never answered
	CallSASL    = -33 // SASL negotiation and wrapped frames
)

// Auth bytes of the connection header.
const (
	AuthNone = 0x00
	AuthSASL = 0xDF // -33
)

// Version is the RPC version of the connection header.
const Version = 9

// MaxFrame is the largest frame accepted, Hadoop's ipc.maximum.data.length and ipc.maximum.response.length.
const MaxFrame = 128 << 20

// firstChunk is what is allocated on a frame's announced length alone. More is taken as bytes arrive, so that a
// peer that only claims a large frame costs nothing.
const firstChunk = 256 << 10

// Header is the connection header a client sends first.
func Header(auth byte) []byte {
	return []byte{'h', 'r', 'p', 'c', Version, 0, auth}
}

// ReadFrame reads one frame: a four-byte length and that many bytes, which it returns.
func ReadFrame(r io.Reader) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(head[:])
	if n > MaxFrame {
		return nil, fmt.Errorf("frame of %d bytes announced, at most %d are accepted (is this a Hadoop RPC port?)", n, MaxFrame)
	}
	buf := make([]byte, min(n, firstChunk))
	if _, err := io.ReadFull(r, buf); err != nil {
		return nil, noEOF(err)
	}
	for uint32(len(buf)) < n {
		more := min(n-uint32(len(buf)), uint32(len(buf)))
		start := len(buf)
		buf = append(buf, make([]byte, more)...)
		if _, err := io.ReadFull(r, buf[start:]); err != nil {
			return nil, noEOF(err)
		}
	}
	return buf, nil
}

// noEOF makes an end of stream inside a frame an unexpected one.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// AppendFrame appends a frame that holds the messages, each with its length before it.
func AppendFrame(dst []byte, msgs ...proto.Message) ([]byte, error) {
	start := len(dst)
	dst = append(dst, 0, 0, 0, 0)
	var err error
	for _, m := range msgs {
		dst = protowire.AppendVarint(dst, uint64(proto.Size(m)))
		if dst, err = (proto.MarshalOptions{UseCachedSize: true}).MarshalAppend(dst, m); err != nil {
			return nil, fmt.Errorf("encode %s: %w", m.ProtoReflect().Descriptor().Name(), err)
		}
	}
	n := len(dst) - start - 4
	if n > MaxFrame {
		return nil, fmt.Errorf("frame of %d bytes is larger than %d", n, MaxFrame)
	}
	binary.BigEndian.PutUint32(dst[start:], uint32(n))
	return dst, nil
}

// ErrShort says that a delimited message claims more bytes than there are.
var ErrShort = errors.New("hadoop rpc: truncated message")

// Next decodes the delimited message at the start of b and returns what follows it.
func Next(b []byte, m proto.Message) ([]byte, error) {
	n, w := protowire.ConsumeVarint(b)
	if w < 0 || n > uint64(len(b)-w) {
		return nil, fmt.Errorf("%w: %s", ErrShort, m.ProtoReflect().Descriptor().Name())
	}
	end := w + int(n)
	if err := proto.Unmarshal(b[w:end], m); err != nil {
		return nil, fmt.Errorf("decode %s: %w", m.ProtoReflect().Descriptor().Name(), err)
	}
	return b[end:], nil
}

// RequestHeader is the header of a request. Out-of-band frames (negative call ids) count no retries.
func RequestHeader(callID int32, clientID []byte, retry int32) *pb.RpcRequestHeaderProto {
	if callID < 0 {
		retry = -1
	}
	return &pb.RpcRequestHeaderProto{
		RpcKind:    pb.RpcKindProto_RPC_PROTOCOL_BUFFER.Enum(),
		RpcOp:      pb.RpcRequestHeaderProto_RPC_FINAL_PACKET.Enum(),
		CallId:     proto.Int32(callID),
		ClientId:   clientID,
		RetryCount: proto.Int32(retry),
	}
}
