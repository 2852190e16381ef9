// Package rpctest is a Hadoop RPC server for tests: it speaks the wire (SIMPLE, and TOKEN by DIGEST-MD5 with all
// qualities of protection), so that clients of the real thing run against it unchanged. The fake
// ResourceManager of yarnrpc/yarntest stands on it.
//
// Goroutines: one accepts, each connection has one that reads, each call one that runs its handler. Close ends
// the connections, cancels the handlers' contexts, and waits for all of them. Server.mu guards the set of
// connections, serverConn.writeMu the order of answers; neither is held while a handler runs.
package rpctest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"

	"google.golang.org/protobuf/proto"

	"goflink/hadooprpc"
	"goflink/hadooprpc/internal/wire"
)

// Options configure a Server.
type Options struct {
	// Addr is the address to listen on; empty: a free port of 127.0.0.1. Given again after Close, it plays a
	// restarted server.
	Addr string

	// Methods are the authentication methods offered, SIMPLE and TOKEN; empty: SIMPLE.
	Methods []string

	// QOP and Ciphers are the qualities of protection offered with TOKEN ("auth,auth-int,auth-conf"; empty:
	// "auth") and the ciphers for auth-conf ("3des,rc4").
	QOP, Ciphers string

	// Password gives the password of a token by its identifier.
	Password func(identifier []byte) (password []byte, ok bool)

	// Handle answers a call. A *hadooprpc.RemoteError is sent as the exception it is, other errors as an
	// IOException; ErrDrop ends the connection without an answer. Handlers run concurrently.
	Handle func(ctx context.Context, c *Call) (proto.Message, error)
}

// Authentication methods.
const (
	Simple = "SIMPLE"
	Token  = "TOKEN"
)

// ErrDrop, returned by a handler, makes the server close the connection instead of answering.
var ErrDrop = errors.New("rpctest: drop the connection")

// Call is one request.
type Call struct {
	Protocol string // of the connection
	Method   string
	User     string // of the connection context; empty with TOKEN
	Token    []byte // identifier of the token that authenticated the connection
	QOP      string // quality of protection in force
	ClientID []byte
	CallID   int32
	Retry    int32
	Remote   net.Addr
	body     []byte
}

// Decode reads the request's parameter.
func (c *Call) Decode(m proto.Message) error {
	_, err := wire.Next(c.body, m)
	return err
}

// Server is a listening server.
type Server struct {
	o      Options
	ln     net.Listener
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu struct {
		sync.Mutex
		conns  map[*serverConn]bool
		opened int
		pings  int
		closed bool
	}
}

// Start listens and serves until Close.
func Start(o Options) (*Server, error) {
	if o.Addr == "" {
		o.Addr = "127.0.0.1:0"
	}
	if len(o.Methods) == 0 {
		o.Methods = []string{Simple}
	}
	if o.QOP == "" {
		o.QOP = "auth"
	}
	ln, err := net.Listen("tcp", o.Addr)
	if err != nil {
		return nil, fmt.Errorf("rpctest: %w", err)
	}
	s := &Server{o: o, ln: ln}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.mu.conns = map[*serverConn]bool{}
	s.wg.Go(s.accept)
	return s, nil
}

// Addr is where the server listens.
func (s *Server) Addr() string { return s.ln.Addr().String() }

// Close stops the server at once and waits for its goroutines.
func (s *Server) Close() error {
	s.mu.Lock()
	s.mu.closed = true
	s.mu.Unlock()
	s.cancel()
	err := s.ln.Close()
	s.DropConnections()
	s.wg.Wait()
	return err
}

// DropConnections closes all connections, as a restart or a broken network would.
func (s *Server) DropConnections() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.mu.conns {
		_ = c.conn.Close() // the reader sees it
	}
}

// Opened counts the connections that were accepted.
func (s *Server) Opened() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mu.opened
}

// Pings counts the pings that were received.
func (s *Server) Pings() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mu.pings
}

func (s *Server) accept() {
	for {
		conn, err := s.ln.Accept()
		if err != nil {
			return // closed
		}
		c := &serverConn{s: s, conn: conn, r: bufio.NewReader(conn)}
		if !s.add(c) {
			_ = conn.Close()
			return
		}
		s.wg.Go(c.serve)
	}
}

func (s *Server) add(c *serverConn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.closed {
		return false
	}
	s.mu.conns[c] = true
	s.mu.opened++
	return true
}

func (s *Server) remove(c *serverConn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.mu.conns, c)
}

func (s *Server) offers(method string) bool { return slices.Contains(s.o.Methods, method) }

// Error makes the exception that a handler returns to be sent.
func Error(class, msg string) error { return &hadooprpc.RemoteError{Class: class, Message: msg} }
