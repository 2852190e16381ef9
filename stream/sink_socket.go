package stream

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"goflink/dataflow"
)

// PrintErr is Print to the standard error output of the TaskManager, Flink's
// printToErr.
func (s Stream[T]) PrintErr(opts ...Option) { PrintErrAs(s, "", opts...) }

// PrintErrAs is PrintErr with a word before each line.
func PrintErrAs[T any](s Stream[T], id string, opts ...Option) {
	addPrint(s, id, "Print to Std. Err", func(t *task) func(string) {
		if p, ok := t.env.Out.(dataflow.ErrPrinter); ok {
			return p.PrintErr
		}
		return t.env.Out.Print
	}, opts)
}

// ToSocket sends records to a server, from one subtask, as encode appends them
// (nil: as fmt prints them, and a line end); Flink's writeToSocket. When the
// connection fails, it connects again and sends the record again, maxRetry times
// for each record (-1: for ever, 0: never). A socket confirms nothing: what was
// on its way when a connection broke is lost, and what was sent since the last
// checkpoint is sent again when the job restarts.
func ToSocket[T any](s Stream[T], host string, port int, encode func(dst []byte, v T) []byte, maxRetry int, opts ...Option) {
	if port < 1 || port > 65535 {
		s.env.failf("socket sink: port %d is not between 1 and 65535", port)
	}
	if maxRetry < -1 {
		s.env.failf("socket sink: %d retries: it must be -1 (for ever), 0 or more", maxRetry)
	}
	if encode == nil {
		encode = func(dst []byte, v T) []byte { return append(fmt.Append(dst, v), '\n') }
	}
	o := addSink(s, "Socket", append([]Option{Parallelism(1)}, opts...))
	o.node.Fixed = true
	if o.node.Parallelism != 1 {
		s.env.failf("operator %q: a socket sink has parallelism 1 and cannot have %d", o.node.Name, o.node.Parallelism)
	}
	address := net.JoinHostPort(host, strconv.Itoa(port))
	o.build = func(t *task) error {
		x := &socketSink[T]{base: newBase(t), address: address, encode: encode, retries: maxRetry}
		t.install(x, x)
		return nil
	}
}

type socketSink[T any] struct {
	base
	address string
	encode  func(dst []byte, v T) []byte
	retries int
	conn    net.Conn
	buf     []byte
}

// Open connects, and so tells at once that nobody listens.
func (o *socketSink[T]) Open(ctx context.Context) error {
	return o.again(ctx, o.connect)
}

// Collect sends a record.
func (o *socketSink[T]) Collect(r *dataflow.Rec[T]) error {
	o.buf = o.encode(o.buf[:0], r.V)
	return o.again(o.t.env.Ctx, o.send)
}

func (o *socketSink[T]) connect(ctx context.Context) error {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", o.address)
	o.conn = conn
	return err
}

func (o *socketSink[T]) send(ctx context.Context) error {
	if o.conn == nil {
		if err := o.connect(ctx); err != nil {
			return err
		}
	}
	stop := context.AfterFunc(ctx, func() { o.conn.SetDeadline(time.Unix(1, 0)) })
	_, err := o.conn.Write(o.buf)
	stop()
	return err
}

// again tries f as often as retries allow, with a new connection each time.
func (o *socketSink[T]) again(ctx context.Context, f func(ctx context.Context) error) error {
	for left := o.retries; ; left-- {
		err := f(ctx)
		if err == nil {
			return nil
		}
		o.drop()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if left == 0 {
			return fmt.Errorf("operator %q: socket %s: %w", o.name, o.address, err)
		}
		if !pauseFor(ctx, socketRetry) {
			return ctx.Err()
		}
	}
}

func (o *socketSink[T]) drop() {
	if o.conn != nil {
		_ = o.conn.Close() // it has failed, or is to be used no more
		o.conn = nil
	}
}

// Close ends the connection.
func (o *socketSink[T]) Close() error {
	if o.conn == nil {
		return nil
	}
	err := o.conn.Close()
	o.conn = nil
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return o.fail(err)
}
