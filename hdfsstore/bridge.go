package hdfsstore

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"

	"goflink/hadooprpc"
	"goflink/hadooprpc/proto/hadoopproto"
)

// bridge is the NameNode as one instance of the HDFS client library sees it: a
// net.Conn whose other end is this process. The library writes requests of
// Hadoop RPC in its plain form; the bridge takes them apart and makes the calls
// through h.nn, and what the library then reads is the answer. So all open files
// share one authenticated connection with fail-over, deadlines and safe
// repetition, none of which the library has, and the bridge repairs single calls
// on their way (bridge_calls.go).
//
// The library writes a request and reads its answer under one lock, so Write and
// Read never run at the same time and need no goroutine between them.
type bridge struct {
	h   *HDFS
	ctx context.Context // of the file

	// Of the connection to the library; used under its lock only.
	preamble int    // bytes of the connection header still to come
	greeted  bool   // the connection context frame has come
	in       []byte // bytes of frames that are not complete
	request  []byte // a complete request, not answered yet
	out      []byte // of answers, not read yet

	// What the repairs of single calls know.
	file fileCalls

	mu struct {
		sync.Mutex
		failed    error // of the last call that failed, for explainClient
		nodes     []*nodeConn
		abandoned bool
	}
}

// connectionHeader is "hrpc", version, service class, authentication.
const connectionHeader = 7

// maxRequest bounds one request of the library; its largest, an addBlock, has
// some kilobytes.
const maxRequest = 1 << 20

// newBridge makes the NameNode for one file.
func newBridge(ctx context.Context, h *HDFS) *bridge {
	return &bridge{h: h, ctx: ctx, preamble: connectionHeader}
}

// dial is the library's way to the NameNode.
func (b *bridge) dial(context.Context, string, string) (net.Conn, error) {
	b.preamble, b.greeted = connectionHeader, false
	b.in, b.request, b.out = nil, nil, nil
	return b, nil
}

// Write takes bytes from the library.
func (b *bridge) Write(p []byte) (int, error) {
	n := len(p)
	skip := min(b.preamble, n)
	b.preamble -= skip
	b.in = append(b.in, p[skip:]...)
	for len(b.in) >= 4 {
		size := binary.BigEndian.Uint32(b.in)
		if size > maxRequest {
			return 0, fmt.Errorf("request of %d bytes is larger than %d", size, maxRequest)
		}
		if len(b.in) < int(size)+4 {
			break
		}
		frame := b.in[4 : 4+size]
		b.in = b.in[4+size:]
		if b.greeted {
			b.request = frame
		}
		b.greeted = true
	}
	return n, nil
}

// Read gives the answer to the request that was written last.
func (b *bridge) Read(p []byte) (int, error) {
	if len(b.out) == 0 {
		if b.request == nil {
			return 0, io.EOF
		}
		request := b.request
		b.request = nil
		out, err := b.serve(request)
		if err != nil {
			return 0, err
		}
		b.out = out
	}
	n := copy(p, b.out)
	b.out = b.out[n:]
	return n, nil
}

// serve makes the call of one request frame and returns the answer's frame.
func (b *bridge) serve(frame []byte) ([]byte, error) {
	header := &hadoopproto.RpcRequestHeaderProto{}
	method := &hadoopproto.RequestHeaderProto{}
	rest, err := nextMessage(frame, header)
	if err == nil {
		rest, err = nextMessage(rest, method)
	}
	var request []byte
	if err == nil {
		request, _, err = nextBytes(rest)
	}
	if err != nil {
		return nil, fmt.Errorf("request of the hdfs client: %w", err)
	}
	answer, err := b.file.call(b, method.GetMethodName(), request)
	head := &hadoopproto.RpcResponseHeaderProto{
		CallId: proto.Uint32(uint32(header.GetCallId())), ClientId: header.ClientId,
		Status: hadoopproto.RpcResponseHeaderProto_SUCCESS.Enum(),
	}
	if err != nil {
		b.keepError(err)
		head.Status = hadoopproto.RpcResponseHeaderProto_ERROR.Enum()
		class, message := "goflink.Bridge", err.Error()
		var remote *hadooprpc.RemoteError
		if errors.As(err, &remote) {
			class, message = remote.Class, remote.Message
		}
		head.ExceptionClassName, head.ErrorMsg = proto.String(class), proto.String(message)
	}
	return answerFrame(head, answer, err == nil)
}

// answerFrame is length, header, and the answer of a call that succeeded.
func answerFrame(head proto.Message, answer []byte, ok bool) ([]byte, error) {
	h, err := proto.Marshal(head)
	if err != nil {
		return nil, fmt.Errorf("answer to the hdfs client: %w", err)
	}
	out := make([]byte, 4, 16+len(h)+len(answer))
	out = protowire.AppendBytes(out, h)
	if ok {
		out = protowire.AppendBytes(out, answer)
	}
	binary.BigEndian.PutUint32(out, uint32(len(out)-4))
	return out, nil
}

// nextMessage decodes a message behind its length and returns what follows.
func nextMessage(p []byte, m proto.Message) ([]byte, error) {
	body, rest, err := nextBytes(p)
	if err != nil {
		return nil, err
	}
	return rest, proto.Unmarshal(body, m)
}

func nextBytes(p []byte) (body, rest []byte, err error) {
	body, n := protowire.ConsumeBytes(p)
	if n < 0 {
		return nil, nil, protowire.ParseError(n)
	}
	return body, p[n:], nil
}

// forward makes a call with bytes as they are.
func (b *bridge) forward(method string, request []byte) ([]byte, error) {
	// Fields of a message that has none are kept as they are, unknown.
	req, resp := &emptypb.Empty{}, &emptypb.Empty{}
	if err := proto.Unmarshal(request, req); err != nil {
		return nil, fmt.Errorf("request %s: %w", method, err)
	}
	if err := b.exchange(method, req, resp); err != nil {
		return nil, err
	}
	return proto.Marshal(resp)
}

// exchange makes one call.
func (b *bridge) exchange(method string, req, resp proto.Message) error {
	return b.h.nn.Call(b.ctx, method, req, resp)
}

func (b *bridge) keepError(err error) {
	b.mu.Lock()
	b.mu.failed = err
	b.mu.Unlock()
}

// takeError returns the last failed call's error, once.
func (b *bridge) takeError() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	err := b.mu.failed
	b.mu.failed = nil
	return err
}

// Close has nothing to let go.
func (b *bridge) Close() error { return nil }

// LocalAddr and RemoteAddr name no network.
func (b *bridge) LocalAddr() net.Addr { return bridgeAddr{} }

// RemoteAddr is as LocalAddr.
func (b *bridge) RemoteAddr() net.Addr { return bridgeAddr{} }

// SetDeadline does nothing: calls have deadlines of their own.
func (b *bridge) SetDeadline(time.Time) error { return nil }

// SetReadDeadline does nothing.
func (b *bridge) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline does nothing.
func (b *bridge) SetWriteDeadline(time.Time) error { return nil }

type bridgeAddr struct{}

func (bridgeAddr) Network() string { return "bridge" }
func (bridgeAddr) String() string  { return "namenode" }
