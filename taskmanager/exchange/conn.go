package exchange

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"goflink/dataflow"
)

// conn is a connection to the worker at the other end, for one session.
type conn struct {
	session *Session
	peer    Peer
	net     net.Conn
	wg      sync.WaitGroup
	wake    chan struct{} // the writer has work, capacity 1
	done    chan struct{} // closed with the connection
	pack    *packer       // the writer's; nil: buffers are sent as they are
	unpack  unpacker      // the reader's
	mu      struct {
		sync.Mutex
		queue  []outFrame
		closed bool
	}
}

// outFrame is a frame on its way out. Data belongs to buffer or is an event's
// body.
type outFrame struct {
	header header
	buffer *dataflow.Buffer
	body   []byte
}

// newConn makes a connection to a peer that reads these compressions.
func newConn(s *Session, peer Peer, nc net.Conn, reads byte) (*conn, error) {
	kind := s.net.o.Compression
	if reads&(1<<kind) == 0 && kind != Plain {
		s.net.o.Log.Warn("sending buffers as they are: the peer does not read the compression", "peer", peer.String(), "compression", kind.String(), "reads", set(reads))
		kind = Plain
	}
	p, err := newPacker(kind)
	if err != nil {
		return nil, err
	}
	return &conn{session: s, peer: peer, net: nc, wake: make(chan struct{}, 1), done: make(chan struct{}), pack: p}, nil
}

// start runs reader and writer. The session's channels to the peer are bound.
func (c *conn) start() {
	c.wg.Go(func() { c.end(c.read()) })
	c.wg.Go(func() { c.end(c.write()) })
}

// end closes the connection for both goroutines and tells who depended on it.
func (c *conn) end(err error) {
	c.mu.Lock()
	first := !c.mu.closed
	c.mu.closed = true
	queue := c.mu.queue
	c.mu.queue = nil
	c.mu.Unlock()
	for i := range queue {
		queue[i].release()
	}
	if !first {
		return
	}
	close(c.done)
	c.net.Close()
	c.session.lost(c, err)
}

// close ends the connection from our side and waits for its goroutines. With
// goodbye the peer is told that this is no accident; what is queued is dropped.
func (c *conn) close(goodbye bool) {
	if !goodbye {
		c.end(ErrClosed)
	} else {
		c.sayGoodbye()
	}
	c.wg.Wait()
}

// goodbyeTime bounds how long a peer that does not read holds up the end.
const goodbyeTime = 500 * time.Millisecond

func (c *conn) sayGoodbye() {
	c.mu.Lock()
	queue := c.mu.queue
	c.mu.queue = nil
	c.mu.Unlock()
	for i := range queue {
		queue[i].release()
	}
	_ = c.net.SetWriteDeadline(time.Now().Add(goodbyeTime)) // a write that fails ends the connection as well
	c.enqueue(outFrame{header: header{kind: frameGoodbye}})
}

func (f *outFrame) release() {
	if f.buffer != nil {
		freeBuffer(f.buffer)
		f.buffer = nil
	}
}

// enqueue never blocks: what it queues is bounded by credits.
func (c *conn) enqueue(f outFrame) {
	c.mu.Lock()
	if c.mu.closed {
		c.mu.Unlock()
		f.release()
		return
	}
	c.mu.queue = append(c.mu.queue, f)
	c.mu.Unlock()
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

func (c *conn) sendBuffer(id ChannelID, b *dataflow.Buffer, backlog int) {
	c.enqueue(outFrame{header: header{kind: frameBuffer, channel: id, length: len(b.Data), rows: b.Rows, backlog: backlog}, buffer: b})
}

func (c *conn) sendEvent(id ChannelID, e Event) error {
	body, err := e.body()
	if err != nil {
		return err
	}
	c.enqueue(outFrame{header: header{kind: e.frameType(), channel: id, length: len(body)}, body: body})
	return nil
}

func (c *conn) grant(id ChannelID, n int) {
	c.enqueue(outFrame{header: header{kind: frameCredit, channel: id, rows: n}})
}

func (c *conn) size(id ChannelID, bytes int) {
	c.enqueue(outFrame{header: header{kind: frameSize, channel: id, rows: bytes}})
}

func (c *conn) backlog(id ChannelID, n int) {
	c.enqueue(outFrame{header: header{kind: frameBacklog, channel: id, rows: n}})
}

// writeBatch bounds how many frames go out in one system call: 64 buffers of
// 32 KiB fill the largest usual socket buffer.
const writeBatch = 64

func (c *conn) write() error {
	var headers [writeBatch][headerSize]byte
	var frames []outFrame
	for {
		select {
		case <-c.done:
			return ErrClosed
		case <-c.wake:
		}
		c.mu.Lock()
		frames, c.mu.queue = c.mu.queue, frames[:0]
		c.mu.Unlock()
		for from := 0; from < len(frames); from += writeBatch {
			batch := frames[from:min(from+writeBatch, len(frames))]
			if err := c.writeFrames(batch, &headers); err != nil {
				for i := range frames[from:] {
					frames[from+i].release()
				}
				return err
			}
		}
		clear(frames)
	}
}

func (c *conn) writeFrames(frames []outFrame, headers *[writeBatch][headerSize]byte) error {
	vec := make(net.Buffers, 0, 2*len(frames))
	for i := range frames {
		f := &frames[i]
		if c.pack != nil && f.buffer != nil {
			c.pack.pack(f)
		}
		f.header.encode(&headers[i])
		vec = append(vec, headers[i][:])
		switch {
		case f.buffer != nil:
			vec = append(vec, f.buffer.Data)
		case len(f.body) > 0:
			vec = append(vec, f.body)
		}
	}
	if _, err := vec.WriteTo(c.net); err != nil {
		return err
	}
	last := frames[len(frames)-1].header.kind
	for i := range frames {
		frames[i].release()
	}
	if last == frameGoodbye {
		return ErrClosed
	}
	return nil
}

func (c *conn) read() error {
	r := bufio.NewReaderSize(c.net, 2*dataflow.BufferSize)
	defer c.unpack.close()
	var raw [headerSize]byte
	for {
		if _, err := io.ReadFull(r, raw[:]); err != nil {
			return err
		}
		h, err := decodeHeader(&raw)
		if err == nil {
			err = c.dispatch(r, h)
		}
		if err != nil {
			return err
		}
	}
}

func (c *conn) dispatch(r io.Reader, h header) error {
	if h.kind == frameGoodbye {
		return errGoodbye
	}
	if h.kind == frameCredit || h.kind == frameSize {
		w := c.session.writer(c, h.channel)
		switch {
		case w == nil:
			return fmt.Errorf("exchange: credit for %s: %w", h.channel, errUnknownChannel)
		case h.kind == frameSize:
			w.sized(h.rows)
			return nil
		}
		return w.credited(h.rows)
	}
	in := c.session.input(c, h.channel)
	if in == nil {
		return fmt.Errorf("exchange: frame for %s: %w", h.channel, errUnknownChannel)
	}
	switch h.kind {
	case frameBacklog:
		in.gate.announced(in, h.rows)
		return nil
	case frameBuffer:
		b, err := c.readBuffer(r, h)
		if err != nil {
			return err
		}
		return in.gate.receive(in, queued{buffer: b, units: units(len(b.Data))}, h.backlog)
	}
	e, err := readEvent(r, h)
	if err != nil {
		return err
	}
	return in.gate.receive(in, queued{event: &e}, 0)
}

func (c *conn) readBuffer(r io.Reader, h header) (*dataflow.Buffer, error) {
	if h.packed != Plain {
		return c.unpack.read(r, h)
	}
	return readBuffer(r, h)
}

// lostReason turns the end of a connection into a sentence.
func lostReason(peer Peer, err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return external("connection to %s was closed by it: the worker has probably died; see its log", peer)
	}
	return external("connection to %s was lost: %w", peer, err)
}
