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
const socketRetry = 500 * time.Millisecond

// SocketSource emits the lines that a server sends; delimiter is "\n" unless given
// otherwise. When the connection ends or fails, it connects again maxRetry times
// (-1: for ever); 0 ends the stream at its end. What was sent before a failure
// of the job is lost: sockets cannot be read again.
func SocketSource(host string, port int, delimiter string, maxRetry int) Source[string] {
	if delimiter == "" {
		delimiter = "\n"
	}
	src := Source[string]{kind: "Socket Stream", digest: fmt.Sprintf("%s:%d", host, port), fixed: 1, unbounded: true}
	if port < 1 || port > 65535 {
		src.err = fmt.Errorf("port %d is not between 1 and 65535", port)
	}
	src.newSplit = func(r *readerEnv, _ []byte) (splitReader[string], error) {
		s := &socketReader{addr: net.JoinHostPort(host, strconv.Itoa(port)), delimiter: delimiter, retries: maxRetry,
			lines: make(chan string, 256), env: r}
		ctx, cancel := context.WithCancel(r.env.Ctx)
		s.cancel = cancel
		r.env.Go("socket "+s.addr, func(taskCtx context.Context) error {
			stop := context.AfterFunc(taskCtx, cancel)
			defer stop()
			defer r.wake()
			defer close(s.lines)
			err := s.run(ctx)
			if ctx.Err() != nil {
				return nil
			}
			return err
		})
		return s, nil
	}
	return src
}

// SocketText is the stream of SocketSource.
func SocketText(e *Env, host string, port int, delimiter string, maxRetry int, opts ...Option) Stream[string] {
	return From(e, SocketSource(host, port, delimiter, maxRetry), NoWatermarks[string](), opts...)
}

// socketReader takes lines from its goroutine.
type socketReader struct {
	addr      string
	delimiter string
	retries   int
	lines     chan string
	env       *readerEnv
	cancel    context.CancelFunc
}

func (s *socketReader) next(r *dataflow.Rec[string]) (readStatus, error) {
	select {
	case line, ok := <-s.lines:
		if !ok {
			return readEnd, nil
		}
		r.V, r.TS = line, dataflow.NoTimestamp
		return readRecord, nil
	default:
		return readWait, nil
	}
}

func (s *socketReader) wakeAt() int64    { return 0 }
func (s *socketReader) woken()           {}
func (s *socketReader) snapshot() []byte { return nil }

func (s *socketReader) close() error {
	s.cancel()
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
				return fmt.Errorf("operator %q: socket %s: %w", s.env.name, s.addr, err)
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
		s.env.wake()
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
