package hadooprpc

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"google.golang.org/protobuf/proto"

	"goflink/hadooprpc/internal/wire"
	pb "goflink/hadooprpc/proto/hadoopproto"
)

// handshakeTimeout bounds connecting and authenticating when the context has no earlier end. Hadoop's own
// clients give a connection attempt 20 s (ipc.client.connect.timeout).
const handshakeTimeout = 20 * time.Second

// MaxFrame is the largest frame, without its length, that a Session passes in either direction.
const MaxFrame = wire.MaxFrame

// DialFunc makes a network connection. Tests inject faults here.
type DialFunc func(ctx context.Context, network, addr string) (net.Conn, error)

// layer protects what is sent after the authentication.
type layer interface {
	Wrap(msg []byte) ([]byte, error)
	Unwrap(token []byte) ([]byte, error)
	MaxPlain() int
}

// Session is an authenticated Hadoop RPC connection that has sent its connection context and now passes frames.
// A frame is the bytes of one request or response after the four-byte length: the protocol above is the
// caller's. With integrity or privacy agreed on, frames are wrapped and unwrapped on the way.
//
// One goroutine may read while another one writes; Close may be called at any time and ends both.
type Session struct {
	addr  string
	conn  net.Conn
	r     *bufio.Reader
	layer layer
	plain bytes.Reader // unwrapped bytes that are not read yet
	wbuf  []byte       // frames to be sent with the next flush
}

// DialAuthenticated connects to addr, authenticates, and announces the protocol (a Java interface name such as
// "org.apache.hadoop.hdfs.protocol.ClientProtocol"). The context bounds the hand-shake, which takes 20 s at
// most; it has no effect afterwards. Deadlines of the established session are set with SetReadDeadline and
// SetWriteDeadline.
//
// A shim below another Hadoop client drops that client's connection header (7 bytes) and its first frame (its
// connection context), then passes every later frame through WriteFrame and ReadFrame.
func DialAuthenticated(ctx context.Context, addr, protocol string, auth Auth) (*Session, error) {
	return dialSession(ctx, addr, protocol, auth, nil, nil)
}

// dialSession does it with a given dialer and client id; nil gives the usual dialer and a random id.
func dialSession(ctx context.Context, addr, protocol string, auth Auth, dial DialFunc, clientID []byte) (*Session, error) {
	if err := auth.validate(); err != nil {
		return nil, &ConnectError{Addr: addr, Err: err}
	}
	if clientID == nil {
		var err error
		if clientID, err = newClientID(); err != nil {
			return nil, err
		}
	}
	if dial == nil {
		dial = (&net.Dialer{KeepAlive: 30 * time.Second}).DialContext
	}
	ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	conn, err := dial(ctx, "tcp", addr)
	if err != nil {
		return nil, &ConnectError{Addr: addr, Err: dialCause(ctx, err)}
	}
	s := &Session{addr: addr, conn: conn, r: bufio.NewReaderSize(conn, 32<<10)}
	if err := s.handshake(ctx, protocol, auth, clientID); err != nil {
		_ = conn.Close() // the hand-shake's error is the one that matters
		return nil, &ConnectError{Addr: addr, Err: dialCause(ctx, err)}
	}
	return s, nil
}

// dialCause prefers the context's end over the network error that it caused.
func dialCause(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		return err
	}
	var re *RemoteError
	if errors.As(err, &re) {
		return err
	}
	return fmt.Errorf("%w (%w)", context.Cause(ctx), err)
}

// handshake sends the connection header, authenticates, and queues the connection context.
func (s *Session) handshake(ctx context.Context, protocol string, auth Auth, clientID []byte) error {
	stop := context.AfterFunc(ctx, func() { _ = s.conn.SetDeadline(time.Unix(1, 0)) })
	user, err := s.authenticate(auth)
	if !stop() && err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		return err
	}
	if err := s.conn.SetDeadline(time.Time{}); err != nil {
		return fmt.Errorf("clear the deadline: %w", err)
	}
	info := &pb.IpcConnectionContextProto{Protocol: proto.String(protocol), UserInfo: &pb.UserInformationProto{}}
	if user != "" {
		info.UserInfo.EffectiveUser = proto.String(user)
	}
	frame, err := wire.AppendFrame(nil, wire.RequestHeader(wire.CallContext, clientID, 0), info)
	if err != nil {
		return err
	}
	// Not flushed: the context goes out with the first call, in one packet.
	return s.queue(frame)
}

// authenticate returns the user that the connection context names.
func (s *Session) authenticate(auth Auth) (user string, err error) {
	if !auth.sasl() {
		s.wbuf = append(s.wbuf, wire.Header(wire.AuthNone)...)
		return auth.User, nil
	}
	s.wbuf = append(s.wbuf, wire.Header(wire.AuthSASL)...)
	return s.negotiate(auth)
}

// queue wraps a frame (with its length) if need be and puts it into the write buffer.
func (s *Session) queue(frame []byte) error {
	if s.layer == nil {
		s.wbuf = append(s.wbuf, frame...)
		return nil
	}
	// The server joins the pieces of a frame again, each no longer than what it accepts.
	for len(frame) > 0 {
		n := min(len(frame), s.layer.MaxPlain())
		token, err := s.layer.Wrap(frame[:n])
		if err != nil {
			return err
		}
		frame = frame[n:]
		msg := &pb.RpcSaslProto{State: pb.RpcSaslProto_WRAP.Enum(), Token: token}
		if s.wbuf, err = wire.AppendFrame(s.wbuf, saslHeader(), msg); err != nil {
			return err
		}
	}
	return nil
}

func (s *Session) flush() error {
	_, err := s.conn.Write(s.wbuf)
	if cap(s.wbuf) > 1<<20 {
		s.wbuf = nil // one large request must not hold its memory for ever
	}
	s.wbuf = s.wbuf[:0]
	if err != nil {
		return &ConnectError{Addr: s.addr, Err: err}
	}
	return nil
}

// WriteFrame sends one frame, given without its length.
func (s *Session) WriteFrame(frame []byte) error {
	if len(frame) > MaxFrame {
		return fmt.Errorf("hadoop rpc to %s: frame of %d bytes is larger than %d", s.addr, len(frame), MaxFrame)
	}
	return s.writeRaw(append(lengthOf(frame), frame...))
}

func lengthOf(frame []byte) []byte {
	n := len(frame)
	return []byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}
}

// writeRaw sends a frame that starts with its length.
func (s *Session) writeRaw(frame []byte) error {
	if err := s.queue(frame); err != nil {
		return &ConnectError{Addr: s.addr, Err: err}
	}
	return s.flush()
}

// ReadFrame waits for the next frame and returns it without its length. After an error other than an exceeded
// read deadline that struck between two frames the session is of no use any more.
func (s *Session) ReadFrame() ([]byte, error) {
	if s.layer == nil {
		return wire.ReadFrame(s.r)
	}
	return wire.ReadFrame((*unwrapper)(s))
}

// buffered tells whether ReadFrame can start without waiting for the network.
func (s *Session) buffered() bool { return s.plain.Len() > 0 || s.r.Buffered() > 0 }

// waitReadable blocks until a frame starts to arrive or the read deadline passes. No byte is lost by a deadline.
func (s *Session) waitReadable() error {
	if s.buffered() {
		return nil
	}
	_, err := s.r.Peek(1)
	return err
}

// unwrapper is the session as a stream of unwrapped bytes.
type unwrapper Session

// Read gives the plain bytes of the current wrapped message, or those of the next one.
func (u *unwrapper) Read(p []byte) (int, error) {
	for u.plain.Len() == 0 {
		frame, err := wire.ReadFrame(u.r)
		if err != nil {
			return 0, err
		}
		msg, err := decodeSASL(frame)
		if err != nil {
			return 0, err
		}
		if msg.GetState() != pb.RpcSaslProto_WRAP {
			return 0, fmt.Errorf("the server sent %v instead of a wrapped answer", msg.GetState())
		}
		b, err := u.layer.Unwrap(msg.GetToken())
		if err != nil {
			return 0, err
		}
		u.plain.Reset(b)
	}
	return u.plain.Read(p)
}

// Addr is the address that was dialled.
func (s *Session) Addr() string { return s.addr }

// LocalAddr is our end of the connection: on hosts with several addresses, the one that reaches the server.
func (s *Session) LocalAddr() net.Addr { return s.conn.LocalAddr() }

// RemoteAddr is the server's end of the connection.
func (s *Session) RemoteAddr() net.Addr { return s.conn.RemoteAddr() }

// SetReadDeadline bounds a waiting and all later ReadFrame calls; the zero time removes the bound.
func (s *Session) SetReadDeadline(t time.Time) error { return s.conn.SetReadDeadline(t) }

// SetWriteDeadline bounds all later WriteFrame calls; the zero time removes the bound.
func (s *Session) SetWriteDeadline(t time.Time) error { return s.conn.SetWriteDeadline(t) }

// SetDeadline sets both.
func (s *Session) SetDeadline(t time.Time) error { return s.conn.SetDeadline(t) }

// Close ends the connection.
func (s *Session) Close() error { return s.conn.Close() }
