package stream

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"

	"goflink/dataflow"
)

// socketRetry is the pause between attempts to connect, Flink's.
var socketRetry = 500 * time.Millisecond

// SocketSource emits the lines that a server sends; delimiter is "\n" unless given
// otherwise. When the connection ends or fails, it connects again maxRetry times
// (-1: for ever); 0 ends the stream at its end. What was sent before a failure
// of the job is lost: sockets cannot be read again.
func SocketSource(host string, port int, delimiter string, maxRetry int) Source[string] {
	if delimiter == "" {
		delimiter = "\n"
	}
	src := newSplitSource("Socket Stream", fmt.Sprintf("%s:%d", host, port), true, func(ctx *ReaderContext) (Reader[socketSplit, string], error) {
		return &socketReader{addr: net.JoinHostPort(host, strconv.Itoa(port)), delimiter: delimiter, retries: maxRetry,
			lines: make(chan string, 256), ctx: ctx}, nil
	})
	src.fixed, src.unbounded = 1, true
	if port < 1 || port > 65535 {
		src.err = fmt.Errorf("port %d is not between 1 and 65535", port)
	}
	return src
}

// SocketText is the stream of SocketSource.
func SocketText(e *Env, host string, port int, delimiter string, maxRetry int, opts ...Option) Stream[string] {
	return From(e, SocketSource(host, port, delimiter, maxRetry), NoWatermarks[string](), opts...)
}

// socketSplit is the whole connection: there is nothing to know of it.
type socketSplit struct{}

// socketReader takes lines from its goroutine. It is its only split, too.
type socketReader struct {
	addr      string
	delimiter string
	retries   int
	lines     chan string
	ctx       *ReaderContext
	cancel    context.CancelFunc
}

// Open begins to connect.
func (s *socketReader) Open(socketSplit) (SplitReader[socketSplit, string], error) {
	ctx, cancel := context.WithCancel(s.ctx.Context())
	s.cancel = cancel
	s.ctx.Go("socket "+s.addr, func(taskCtx context.Context) error {
		stop := context.AfterFunc(taskCtx, cancel)
		defer stop()
		defer s.ctx.Wake()
		defer close(s.lines)
		err := s.run(ctx)
		if ctx.Err() != nil {
			return nil
		}
		return err
	})
	return s, nil
}

// Next takes a line, if there is one.
func (s *socketReader) Next(r *dataflow.Rec[string]) (ReadStatus, error) {
	select {
	case line, ok := <-s.lines:
		if !ok {
			return ReadEnd, nil
		}
		r.V = line
		return ReadRecord, nil
	default:
		return ReadWait, nil
	}
}

// Split is the connection.
func (s *socketReader) Split() socketSplit { return socketSplit{} }

// Close ends the connection; it may be called twice, for the split and the reader.
func (s *socketReader) Close() error {
	if s.cancel != nil {
		s.cancel()
	}
	return nil
}

// run connects and reads, again and again as far as retries allow.
func (s *socketReader) run(ctx context.Context) error {
	for left := s.retries; ; left-- {
		err := s.session(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if left == 0 {
			if err != nil {
				return fmt.Errorf("operator %q: socket %s: %w", s.ctx.name, s.addr, err)
			}
			return nil
		}
		pause := time.NewTimer(socketRetry)
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return nil
		}
	}
}

// session is one connection; nil when the server ended it.
func (s *socketReader) session(ctx context.Context) error {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", s.addr)
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	defer conn.Close()
	in := bufio.NewReaderSize(conn, 64<<10)
	for {
		line, err := readUntil(in, s.delimiter)
		if line != "" || err == nil {
			if !s.offer(ctx, line) {
				return nil
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// offer hands over a line.
func (s *socketReader) offer(ctx context.Context, line string) bool {
	select {
	case s.lines <- line:
		s.ctx.Wake()
		return true
	case <-ctx.Done():
		return false
	}
}

// readUntil reads a line without its delimiter; for "\n" a "\r" before it is
// dropped too.
func readUntil(in *bufio.Reader, delimiter string) (string, error) {
	last := delimiter[len(delimiter)-1]
	var line []byte
	for {
		piece, err := in.ReadSlice(last)
		line = append(line, piece...)
		if len(line) > MaxLineSize {
			return "", fmt.Errorf("a line is longer than %d bytes", MaxLineSize)
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if err != nil {
			return string(line), err
		}
		n := len(line) - len(delimiter)
		if n < 0 || string(line[n:]) != delimiter {
			continue
		}
		if delimiter == "\n" {
			return string(trimReturn(line[:n])), nil
		}
		return string(line[:n]), nil
	}
}
