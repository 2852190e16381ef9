package hadooprpc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"goflink/hadooprpc/internal/wire"
	pb "goflink/hadooprpc/proto/hadoopproto"
)

const (
	// pingInterval is how long a connection with waiting calls may be silent before a ping goes out, which the
	// network answers with a reset if the server is gone (ipc.ping.interval is 60 s, and so slow to notice).
	pingInterval = 15 * time.Second

	// frameTimeout bounds the arrival of one frame whose first byte is there, and the sending of one.
	frameTimeout = 60 * time.Second
)

// ConnOptions are what a connection needs beside the address.
type ConnOptions struct {
	Protocol string   // Java name of the protocol interface
	Auth     Auth     // who we are
	Dial     DialFunc // nil: TCP
	ClientID []byte   // 16 bytes that identify the client over its connections; nil: random

	// PingInterval is the silence after which a ping is sent while calls wait. Default 15 s.
	PingInterval time.Duration
	Logger       *slog.Logger // nil: slog.Default()
}

// Conn multiplexes calls over one connection to one server. It is safe for concurrent use. Once the connection
// breaks, all waiting and later calls fail; Client makes new ones.
type Conn struct {
	session  *Session
	protocol string
	clientID []byte
	ping     time.Duration
	log      *slog.Logger
	done     chan struct{} // closed when the reader has ended
	reader   sync.WaitGroup

	writeMu sync.Mutex // orders frames on the wire

	mu struct {
		sync.Mutex
		waiting map[int32]chan answer
		nextID  int32
		err     error // why the connection ended
	}
}

// answer is what the reader hands to a waiting call: a message to decode, or an error.
type answer struct {
	body []byte
	err  error
}

// Dial connects and authenticates; ctx bounds that.
func Dial(ctx context.Context, addr string, o ConnOptions) (*Conn, error) {
	if o.ClientID == nil {
		id, err := newClientID()
		if err != nil {
			return nil, err
		}
		o.ClientID = id
	}
	s, err := dialSession(ctx, addr, o.Protocol, o.Auth, o.Dial, o.ClientID)
	if err != nil {
		return nil, err
	}
	c := &Conn{session: s, protocol: o.Protocol, clientID: o.ClientID, ping: o.PingInterval, log: o.Logger, done: make(chan struct{})}
	if c.ping <= 0 {
		c.ping = pingInterval
	}
	if c.log == nil {
		c.log = slog.Default()
	}
	c.mu.waiting = map[int32]chan answer{}
	c.reader.Go(c.read)
	return c, nil
}

// Addr is the server's address as it was dialled.
func (c *Conn) Addr() string { return c.session.Addr() }

// LocalAddr is our end of the connection.
func (c *Conn) LocalAddr() net.Addr { return c.session.LocalAddr() }

// Done is closed when the connection has ended.
func (c *Conn) Done() <-chan struct{} { return c.done }

// Close ends the connection and waits for its reader. Waiting calls fail with ErrClosed.
func (c *Conn) Close() error {
	c.fail(ErrClosed)
	c.reader.Wait()
	return nil
}

// abandon ends the connection for a reason that lets a Client repeat the waiting calls elsewhere.
func (c *Conn) abandon(why error) {
	c.fail(&ConnectError{Addr: c.Addr(), Err: why})
	c.reader.Wait()
}

// Call sends a request and waits for its answer, which is decoded into resp. When ctx ends first the call is
// abandoned: whether the server carried it out is not known.
func (c *Conn) Call(ctx context.Context, method string, req, resp proto.Message) error {
	return c.call(ctx, c.newCallID(), 0, method, req, resp)
}

func (c *Conn) newCallID() int32 {
	c.mu.Lock()
	defer c.mu.Unlock()
	id := c.mu.nextID
	c.mu.nextID = (id + 1) & 0x7fffffff
	return id
}

// call is one attempt of a call with a given identity.
func (c *Conn) call(ctx context.Context, id, retry int32, method string, req, resp proto.Message) error {
	head := &pb.RequestHeaderProto{
		MethodName: proto.String(method), DeclaringClassProtocolName: proto.String(c.protocol),
		ClientProtocolVersion: proto.Uint64(1),
	}
	frame, err := wire.AppendFrame(nil, wire.RequestHeader(id, c.clientID, retry), head, req)
	if err != nil {
		return err
	}
	ch := make(chan answer, 1)
	if err := c.expect(id, ch); err != nil {
		return err
	}
	if err := c.send(ctx, frame); err != nil {
		c.forget(id)
		return err
	}
	select {
	case a := <-ch:
		return a.decode(resp)
	case <-ctx.Done():
		c.forget(id)
		return fmt.Errorf("hadoop rpc to %s: %s: %w", c.Addr(), method, context.Cause(ctx))
	}
}

func (a answer) decode(resp proto.Message) error {
	if a.err != nil {
		return a.err
	}
	_, err := wire.Next(a.body, resp)
	return err
}

func (c *Conn) expect(id int32, ch chan answer) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.err != nil {
		return c.mu.err
	}
	if _, ok := c.mu.waiting[id]; ok {
		return fmt.Errorf("hadoop rpc to %s: call %d is waiting already", c.Addr(), id)
	}
	c.mu.waiting[id] = ch
	if len(c.mu.waiting) == 1 {
		// The reader sleeps without a bound while nobody waits: wake it up to watch the silence.
		_ = c.session.SetReadDeadline(time.Now().Add(c.ping)) // an error shows at the next read
	}
	return nil
}

func (c *Conn) forget(id int32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.mu.waiting, id)
}

// send writes one frame. A frame sent in part would shift all later ones, so that a failure ends the connection.
func (c *Conn) send(ctx context.Context, frame []byte) error {
	c.writeMu.Lock()
	defer c.writeMu.Unlock()
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("hadoop rpc to %s: %w", c.Addr(), context.Cause(ctx))
	}
	deadline := time.Now().Add(frameTimeout)
	if d, ok := ctx.Deadline(); ok && d.Before(deadline) {
		deadline = d
	}
	err := c.session.SetWriteDeadline(deadline)
	if err == nil {
		err = c.session.writeRaw(frame)
	}
	if err != nil {
		c.fail(err)
		return c.cause()
	}
	return nil
}

// cause is why the connection ended.
func (c *Conn) cause() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mu.err
}

// fail ends the connection with the first reason given, and all waiting calls with it.
func (c *Conn) fail(err error) {
	c.mu.Lock()
	if c.mu.err == nil {
		c.mu.err = err
	}
	err = c.mu.err
	waiting := c.mu.waiting
	c.mu.waiting = map[int32]chan answer{}
	c.mu.Unlock()
	for _, ch := range waiting {
		ch <- answer{err: err} // buffered, and only who removes it from the table sends
	}
	_ = c.session.Close() // ends the reader; the reason is known already
}

// read is the reader goroutine.
func (c *Conn) read() {
	defer close(c.done)
	for {
		frame, err := c.nextFrame()
		if err == nil {
			err = c.dispatch(frame)
		}
		if err != nil {
			c.fail(c.connectError(err))
			return
		}
	}
}

func (c *Conn) connectError(err error) error {
	var re *RemoteError
	var ce *ConnectError
	if errors.As(err, &re) || errors.As(err, &ce) {
		return err
	}
	if errors.Is(err, io.EOF) {
		err = fmt.Errorf("the server closed the connection: %w", err)
	}
	return &ConnectError{Addr: c.Addr(), Err: err}
}

// nextFrame waits for a frame; while calls wait and nothing comes, it pings.
func (c *Conn) nextFrame() ([]byte, error) {
	for {
		if err := c.setReadDeadline(); err != nil {
			return nil, err
		}
		err := c.session.waitReadable()
		if errors.Is(err, os.ErrDeadlineExceeded) {
			if err := c.sendPing(); err != nil {
				return nil, err
			}
			continue
		}
		if err != nil {
			return nil, err
		}
		if err := c.session.SetReadDeadline(time.Now().Add(frameTimeout)); err != nil {
			return nil, err
		}
		return c.session.ReadFrame()
	}
}

func (c *Conn) setReadDeadline() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.mu.waiting) == 0 {
		return c.session.SetReadDeadline(time.Time{})
	}
	return c.session.SetReadDeadline(time.Now().Add(c.ping))
}

func (c *Conn) sendPing() error {
	c.mu.Lock()
	idle := len(c.mu.waiting) == 0
	c.mu.Unlock()
	if idle {
		return nil
	}
	frame, err := wire.AppendFrame(nil, wire.RequestHeader(wire.CallPing, []byte{}, 0))
	if err != nil {
		return err
	}
	return c.send(context.Background(), frame)
}

// dispatch hands a response to the call that waits for it. Answers to abandoned calls are dropped.
func (c *Conn) dispatch(frame []byte) error {
	head := &pb.RpcResponseHeaderProto{}
	body, err := wire.Next(frame, head)
	if err != nil {
		return err
	}
	remote := statusError(head)
	if head.GetStatus() == pb.RpcResponseHeaderProto_FATAL {
		return remote // the server ends the connection; every waiting call gets its reason
	}
	id := int32(head.GetCallId())
	c.mu.Lock()
	ch := c.mu.waiting[id]
	delete(c.mu.waiting, id)
	c.mu.Unlock()
	if ch == nil {
		c.log.Debug("answer to an abandoned hadoop call", "server", c.Addr(), "call", id)
		return nil
	}
	ch <- answer{body: body, err: remote}
	return nil
}
