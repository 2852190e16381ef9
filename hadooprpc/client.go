package hadooprpc

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"math"
	mrand "math/rand/v2"
	"strings"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"
)

// clientIDLen is the length of the id that, with the call id, is the key of the NameNode's retry cache.
const clientIDLen = 16

func newClientID() ([]byte, error) {
	id := make([]byte, clientIDLen)
	if _, err := rand.Read(id); err != nil {
		return nil, fmt.Errorf("random client id: %w", err)
	}
	return id, nil
}

// Options say which servers a Client calls, and for how long it tries.
type Options struct {
	// Addresses are the servers ("host:port") of which one is active. With several, the others are tried when
	// one refuses, breaks, or says that it is a standby.
	Addresses []string

	// Protocol is the Java name of the protocol interface.
	Protocol string

	// Auth gives the credential for each new connection.
	Auth AuthSource

	// MaxWait bounds one Call over all its attempts. 0 means two minutes (Java's clients wait fifteen for a
	// ResourceManager); negative means as long as the context allows.
	MaxWait time.Duration

	// AttemptTimeout bounds one attempt, so that a server that hangs is left for another one. Default 30 s.
	AttemptTimeout time.Duration

	// MinBackoff and MaxBackoff bound the pause between two rounds over the addresses, which doubles and is
	// spread by a random half. Defaults 100 ms and 5 s: a failover of a ResourceManager takes some seconds.
	MinBackoff, MaxBackoff time.Duration

	// RetryClasses are simple names of exceptions after which the same server is asked again, beside
	// RetriableException.
	RetryClasses []string

	// Dial makes network connections; nil: TCP.
	Dial DialFunc

	// PingInterval is that of ConnOptions.
	PingInterval time.Duration

	// Logger gets failovers; nil: slog.Default().
	Logger *slog.Logger
}

func (o *Options) setDefaults() {
	if o.MaxWait == 0 {
		o.MaxWait = 2 * time.Minute
	}
	if o.AttemptTimeout <= 0 {
		o.AttemptTimeout = 30 * time.Second
	}
	if o.MinBackoff <= 0 {
		o.MinBackoff = 100 * time.Millisecond
	}
	if o.MaxBackoff <= 0 {
		o.MaxBackoff = 5 * time.Second
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
}

// Client calls the active one of several servers over one connection that it makes when needed. Calls are
// repeated after network errors and by servers that are not active, with the identity of the first attempt:
// the caller's requests must bear that, as all of Hadoop's do that its own clients repeat. It is safe for
// concurrent use.
type Client struct {
	o        Options
	clientID []byte
	dialing  chan struct{} // held by the one call that makes a connection

	mu struct {
		sync.Mutex
		conn   *Conn
		server int // index of the address to use
		nextID int32
		closed bool
	}
}

// NewClient makes a client; it connects with the first call.
func NewClient(o Options) (*Client, error) {
	if len(o.Addresses) == 0 || o.Protocol == "" || o.Auth == nil {
		return nil, errors.New("hadoop rpc client: addresses, protocol and credential are needed")
	}
	o.setDefaults()
	id, err := newClientID()
	if err != nil {
		return nil, err
	}
	return &Client{o: o, clientID: id, dialing: make(chan struct{}, 1)}, nil
}

// Close ends the connection; waiting calls fail with ErrClosed.
func (c *Client) Close() error {
	c.mu.Lock()
	conn := c.mu.conn
	c.mu.conn, c.mu.closed = nil, true
	c.mu.Unlock()
	if conn != nil {
		return conn.Close()
	}
	return nil
}

// Addr is the address in use, or that will be tried next.
func (c *Client) Addr() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.o.Addresses[c.mu.server]
}

// Reconnect ends the connection, so that the next call makes one with a fresh credential. Calls that wait on
// the old one are repeated.
func (c *Client) Reconnect() {
	c.mu.Lock()
	conn := c.mu.conn
	c.mu.conn = nil
	c.mu.Unlock()
	if conn != nil {
		conn.abandon(errReconnect)
	}
}

var (
	errReconnect = errors.New("the connection was given up for a new one")
	errHangs     = errors.New("the connection was given up: another call got no answer, or the server is no longer active")
)

// Call sends a request and waits for the answer, over as many attempts as MaxWait and ctx allow. A server's
// exception is a *RemoteError; when no server answered in time, the error names the addresses and the last cause.
func (c *Client) Call(ctx context.Context, method string, req, resp proto.Message) error {
	start := time.Now()
	if c.o.MaxWait > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.o.MaxWait)
		defer cancel()
	}
	id := c.newCallID()
	var last error
	for attempt := 0; ; attempt++ {
		conn, err := c.attempt(ctx, id, int32(min(attempt, math.MaxInt32)), method, req, resp)
		if err == nil {
			return nil
		}
		next := c.decide(err)
		if next == giveUp {
			return c.describe(method, err)
		}
		if last == nil || !errors.Is(err, context.DeadlineExceeded) {
			last = err // "deadline exceeded" says less than what went before
		}
		if ctx.Err() == nil {
			c.o.Logger.Debug("hadoop call is repeated", "method", method, "server", c.Addr(), "attempt", attempt, "error", err)
			c.drop(conn, next)
		}
		if !c.pause(ctx, attempt, next) {
			return c.noAnswer(method, time.Since(start), last)
		}
	}
}

// attempt makes the call once and returns the connection it used.
func (c *Client) attempt(ctx context.Context, id, retry int32, method string, req, resp proto.Message) (*Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, c.o.AttemptTimeout)
	defer cancel()
	conn, err := c.connection(ctx)
	if err != nil {
		return nil, err
	}
	return conn, conn.call(ctx, id, retry, method, req, resp)
}

// describe puts the method's name before an error that ends the call.
func (c *Client) describe(method string, err error) error {
	return fmt.Errorf("%s at %s: %w", method, c.Addr(), err)
}

// noAnswer is the error after the last attempt.
func (c *Client) noAnswer(method string, waited time.Duration, last error) error {
	return fmt.Errorf("%s: no answer from %s within %v: %w",
		method, strings.Join(c.o.Addresses, ", "), waited.Round(100*time.Millisecond), last)
}

func (c *Client) newCallID() int32 {
	c.mu.Lock()
	defer c.mu.Unlock()
	id := c.mu.nextID
	c.mu.nextID = (id + 1) & 0x7fffffff
	return id
}

// connection gives the current connection, or makes one. One call dials at a time, the others wait for it.
func (c *Client) connection(ctx context.Context) (*Conn, error) {
	select {
	case c.dialing <- struct{}{}:
		defer func() { <-c.dialing }()
	case <-ctx.Done():
		return nil, &ConnectError{Addr: c.Addr(), Err: context.Cause(ctx)}
	}
	conn, addr, err := c.current()
	if conn != nil || err != nil {
		return conn, err
	}
	auth, err := c.o.Auth(ctx)
	if err != nil {
		return nil, fmt.Errorf("credential for %s: %w", addr, err)
	}
	conn, err = Dial(ctx, addr, ConnOptions{
		Protocol: c.o.Protocol, Auth: auth, Dial: c.o.Dial, ClientID: c.clientID, PingInterval: c.o.PingInterval, Logger: c.o.Logger,
	})
	if err != nil {
		c.nextServer(addr)
		return nil, err
	}
	c.mu.Lock()
	closed := c.mu.closed
	if !closed {
		c.mu.conn = conn
	}
	c.mu.Unlock()
	if closed {
		_ = conn.Close()
		return nil, ErrClosed
	}
	return conn, nil
}

// current gives the connection if it is alive, else the address to dial.
func (c *Client) current() (*Conn, string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.closed {
		return nil, "", ErrClosed
	}
	if c.mu.conn != nil {
		select {
		case <-c.mu.conn.Done():
			c.mu.conn = nil // ended while idle: nothing was lost, and the server need not be left
		default:
			return c.mu.conn, "", nil
		}
	}
	return nil, c.o.Addresses[c.mu.server], nil
}

// nextServer goes on to another address, unless another call did so already.
func (c *Client) nextServer(from string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.o.Addresses[c.mu.server] == from {
		c.mu.server = (c.mu.server + 1) % len(c.o.Addresses)
	}
}

// decision is what follows a failed attempt.
type decision int

const (
	giveUp    decision = iota // the error is the answer
	sameAgain                 // the server asked to try again
	otherNext                 // the server is gone, or not active
)

// decide classifies an attempt's error.
func (c *Client) decide(err error) decision {
	var re *RemoteError
	var ae *AuthError
	switch {
	case errors.Is(err, ErrClosed):
		return giveUp
	case IsRemote(err, ClassStandby, ClassServerNotReady, ClassObserverRetry):
		return otherNext
	case IsRemote(err, ClassRetriable), IsRemote(err, c.o.RetryClasses...):
		return sameAgain
	case errors.As(err, &re), errors.As(err, &ae):
		return giveUp
	case errors.Is(err, context.DeadlineExceeded):
		return otherNext
	}
	var ce *ConnectError
	if errors.As(err, &ce) && !errors.Is(err, context.Canceled) {
		return otherNext
	}
	return giveUp
}

// drop leaves a connection whose server is not to be used any more.
func (c *Client) drop(conn *Conn, next decision) {
	if conn == nil || next != otherNext {
		return
	}
	c.mu.Lock()
	if c.mu.conn == conn {
		c.mu.conn = nil
		c.mu.server = (c.mu.server + 1) % len(c.o.Addresses)
	}
	c.mu.Unlock()
	conn.abandon(errHangs)
}

// pause waits before the next attempt and tells whether there is time for it. The other addresses are tried at
// once; the pause comes after each round, and doubles.
func (c *Client) pause(ctx context.Context, attempt int, next decision) bool {
	if ctx.Err() != nil {
		return false
	}
	round := attempt
	if next == otherNext {
		round = attempt / len(c.o.Addresses)
		if (attempt+1)%len(c.o.Addresses) != 0 {
			return true
		}
	}
	d := min(c.o.MaxBackoff, c.o.MinBackoff<<min(round, 16))
	d = d/2 + mrand.N(d/2+1)
	if end, ok := ctx.Deadline(); ok && time.Until(end) <= d {
		// Not worth the wait: the attempt after it would have no time.
		return false
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
