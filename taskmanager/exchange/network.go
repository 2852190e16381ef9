package exchange

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"

	"goflink/control"
)

// Options configure a Network.
type Options struct {
	// WorkerID names this worker among those of the job.
	WorkerID string
	// Bind is the address to listen on; empty: all.
	Bind string
	// Port to listen on (taskmanager.data.port); 0: any free one.
	Port int
	// Secret is the cluster's secret: connections prove it first.
	Secret control.Secret
	// NetworkBytes is the network memory (taskmanager.memory.network.*).
	NetworkBytes int64
	// Credits are how many buffers may be on their way; zero fields take
	// Flink's defaults.
	Credits Credits
	// Compression is how buffers are sent to peers that read it
	// (taskmanager.network.compression.codec); Plain by default.
	Compression Compression
	// Debloat bounds what is in flight by time.
	Debloat Debloat
	// ConnectTimeout bounds how long a session waits for its connections;
	// 0: 30 s. It covers a peer that is slow to start its tasks.
	ConnectTimeout time.Duration
	// Wrap is the seam for faults in tests: every connection goes through it; nil: none
	// does.
	Wrap func(net.Conn) net.Conn
	// Log hears of connections that end; nil: slog.Default.
	Log *slog.Logger
}

// Credits bound the buffers of channels.
type Credits struct {
	// Exclusive are a channel's own
	// (taskmanager.network.memory.buffers-per-channel); 0: 2, which keep one on
	// the way while another is processed.
	Exclusive int
	// Floating are shared by the channels of a gate that have a backlog
	// (….floating-buffers-per-gate); 0: 8.
	Floating int
	// Overdraft is how many buffers of a task may wait without credit before a
	// send inside a record blocks (….max-overdraft-buffers-per-gate); 0: 5.
	Overdraft int
}

func (c *Credits) complete() {
	if c.Exclusive <= 0 {
		c.Exclusive = 2
	}
	if c.Floating <= 0 {
		c.Floating = 8
	}
	if c.Overdraft <= 0 {
		c.Overdraft = 5
	}
}

// Network is the data plane of one worker.
type Network struct {
	o      Options
	budget *budget
	listen net.Listener
	stop   context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup
	slots  chan struct{} // connections being accepted
	mu     struct {
		sync.Mutex
		current map[int32]*Session  // by region
		newest  map[int32]AttemptID // by region
		changed chan struct{}       // closed and replaced when current changes
		closed  bool
	}
}

// accepting bounds the connections that have not said their attempt yet. More
// peers than that queue in the kernel.
const accepting = 64

// Listen opens the data plane.
func Listen(o Options) (*Network, error) {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.ConnectTimeout <= 0 {
		o.ConnectTimeout = 30 * time.Second
	}
	o.Credits.complete()
	o.Debloat.complete()
	address := net.JoinHostPort(o.Bind, strconv.Itoa(o.Port))
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("exchange: opening the data port %s (taskmanager.data.port): %w", address, err)
	}
	n := &Network{o: o, budget: newBudget(o.NetworkBytes), listen: l, slots: make(chan struct{}, accepting)}
	n.stop, n.cancel = context.WithCancel(context.Background())
	n.mu.changed = make(chan struct{})
	n.mu.current, n.mu.newest = map[int32]*Session{}, map[int32]AttemptID{}
	n.wg.Go(n.accept)
	return n, nil
}

// Port is the port that peers dial.
func (n *Network) Port() int { return n.listen.Addr().(*net.TCPAddr).Port }

// Buffers tells how many network buffers there are and how many are not
// promised to a channel.
func (n *Network) Buffers() (total, free int) {
	n.budget.mu.Lock()
	defer n.budget.mu.Unlock()
	return n.budget.total, n.budget.mu.free
}

// Open begins an attempt of a region and closes the one before.
func (n *Network) Open(id AttemptID) (*Session, error) {
	n.mu.Lock()
	if n.mu.closed {
		n.mu.Unlock()
		return nil, ErrClosed
	}
	if newest, some := n.mu.newest[id.Region]; some && !newest.Before(id) {
		n.mu.Unlock()
		return nil, fmt.Errorf("exchange: attempt %s is not newer than %s", id, newest)
	}
	old := n.mu.current[id.Region]
	s := newSession(n, id)
	n.mu.current[id.Region], n.mu.newest[id.Region] = s, id
	n.changedLocked()
	n.mu.Unlock()
	if old != nil {
		old.Close(true)
	}
	return s, nil
}

func (n *Network) changedLocked() {
	close(n.mu.changed)
	n.mu.changed = make(chan struct{})
}

func (n *Network) forget(s *Session) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.mu.current[s.id.Region] == s {
		delete(n.mu.current, s.id.Region)
		n.changedLocked()
	}
}

// Close ends the sessions and all goroutines.
func (n *Network) Close() error {
	n.mu.Lock()
	n.mu.closed = true
	sessions := slices.Collect(maps.Values(n.mu.current))
	n.mu.Unlock()
	n.cancel()
	err := n.listen.Close()
	for _, s := range sessions {
		s.Close(false)
	}
	n.wg.Wait()
	return err
}

func (n *Network) accept() {
	for {
		select {
		case n.slots <- struct{}{}:
		case <-n.stop.Done():
			return
		}
		nc, err := n.listen.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			<-n.slots
			n.o.Log.Warn("accepting a data connection", "error", err)
			if !pause(n.stop, 50*time.Millisecond) { // out of descriptors, usually
				return
			}
			continue
		}
		n.wg.Go(func() {
			defer func() { <-n.slots }()
			if err := n.welcome(nc); err != nil {
				nc.Close()
				n.o.Log.Warn("refused a data connection", "remote", nc.RemoteAddr().String(), "error", err)
			}
		})
	}
}

func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// Answers to a hello.
const (
	helloOK     = 0
	helloOver   = 1 // the attempt is over, or will never be
	helloRefuse = 2
	helloTwice  = 3 // there is a connection of the attempt already
)

// welcome takes a connection that a peer has dialled.
func (n *Network) welcome(raw net.Conn) error {
	stop := context.AfterFunc(n.stop, func() { raw.Close() })
	defer stop()
	tune(raw)
	nc := n.wrap(raw)
	if err := control.Handshake(nc, n.o.Secret, false); err != nil {
		return err
	}
	if err := nc.SetDeadline(time.Now().Add(n.o.ConnectTimeout)); err != nil {
		return err
	}
	id, worker, reads, err := readHello(nc)
	if err != nil {
		return err
	}
	s, err := n.sessionFor(id)
	if err != nil {
		_, _ = nc.Write([]byte{helloOver})
		return fmt.Errorf("worker %s for attempt %s: %w", worker, id, err)
	}
	if s.joined(worker) {
		_, _ = nc.Write([]byte{helloTwice})
		return fmt.Errorf("worker %s for attempt %s: %w", worker, id, errTwice)
	}
	if _, err := nc.Write([]byte{helloOK, compressions}); err != nil {
		return err
	}
	if err := nc.SetDeadline(time.Time{}); err != nil {
		return err
	}
	return s.adopt(Peer{WorkerID: worker}, nc, reads)
}

// sessionFor waits until the session of an attempt knows all its channels: a
// peer may be told to start a moment before we are.
func (n *Network) sessionFor(id AttemptID) (*Session, error) {
	ctx, cancel := context.WithTimeout(n.stop, n.o.ConnectTimeout)
	defer cancel()
	for {
		n.mu.Lock()
		s, changed := n.mu.current[id.Region], n.mu.changed
		newest, some := n.mu.newest[id.Region]
		n.mu.Unlock()
		if s != nil && s.id == id {
			select {
			case <-s.ready:
				return s, nil
			case <-s.over:
				return nil, ErrClosed
			case <-ctx.Done():
				return nil, fmt.Errorf("not started within %s", n.o.ConnectTimeout)
			}
		}
		if some && !newest.Before(id) {
			return nil, ErrClosed
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, fmt.Errorf("not deployed within %s", n.o.ConnectTimeout)
		}
	}
}

// dial connects to a peer and says which attempt it is for. It tries until the
// context ends, unless the peer knows the attempt to be over.
func (n *Network) dial(ctx context.Context, s *Session, p Peer) error {
	for wait := 20 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		nc, reads, err := n.dialOnce(ctx, s, p)
		if err == nil {
			if err = s.adopt(p, nc, reads); err != nil {
				nc.Close()
			}
			return err
		}
		if errors.Is(err, ErrClosed) || errors.Is(err, errTwice) || errors.Is(err, control.ErrSecret) {
			return external("connecting to %s: %w", p, err)
		}
		select {
		case <-s.over:
			return ErrClosed
		default:
		}
		if !pause(ctx, wait) {
			return external("connecting to %s: %w (%w)", p, err, context.Cause(ctx))
		}
	}
}

func (n *Network) dialOnce(ctx context.Context, s *Session, p Peer) (nc net.Conn, reads byte, err error) {
	var d net.Dialer
	raw, err := d.DialContext(ctx, "tcp", net.JoinHostPort(p.Host, strconv.Itoa(p.Port)))
	if err != nil {
		return nil, 0, err
	}
	stop := context.AfterFunc(ctx, func() { raw.Close() })
	defer stop()
	tune(raw)
	nc = n.wrap(raw)
	if reads, err = n.introduce(nc, s); err != nil {
		nc.Close()
		return nil, 0, err
	}
	return nc, reads, nil
}

// introduce says hello and returns the compressions that the peer reads.
func (n *Network) introduce(nc net.Conn, s *Session) (reads byte, err error) {
	if err := control.Handshake(nc, n.o.Secret, true); err != nil {
		return 0, err
	}
	if _, err := nc.Write(helloBytes(s.id, n.o.WorkerID, compressions)); err != nil {
		return 0, err
	}
	var answer [1]byte
	if _, err := io.ReadFull(nc, answer[:]); err != nil {
		return 0, fmt.Errorf("waiting for its answer: %w", err)
	}
	switch answer[0] {
	case helloOK:
		if _, err := io.ReadFull(nc, answer[:]); err != nil {
			return 0, fmt.Errorf("waiting for its answer: %w", err)
		}
		return answer[0], nil
	case helloOver:
		return 0, ErrClosed
	case helloTwice:
		return 0, errTwice
	}
	return 0, fmt.Errorf("it answered %d", answer[0])
}

// workerIDLimit bounds a worker's id on the wire.
const workerIDLimit = 512

// helloBytes: version 1, epoch 8, region 4, attempt 4, compressions that the
// dialling side reads 1, length of the worker's id 2, the id; all big-endian. The
// answer is a byte, and after helloOK the compressions that the other side reads.
func helloBytes(id AttemptID, worker string, reads byte) []byte {
	b := []byte{WireVersion}
	b = binary.BigEndian.AppendUint64(b, uint64(id.Epoch))
	b = binary.BigEndian.AppendUint32(b, uint32(id.Region))
	b = binary.BigEndian.AppendUint32(b, uint32(id.Attempt))
	b = append(b, reads)
	b = binary.BigEndian.AppendUint16(b, uint16(len(worker)))
	return append(b, worker...)
}

func readHello(r io.Reader) (id AttemptID, worker string, reads byte, err error) {
	var fixed [20]byte
	if _, err := io.ReadFull(r, fixed[:1]); err != nil {
		return id, "", 0, fmt.Errorf("exchange: reading a hello: %w", err)
	}
	if fixed[0] != WireVersion { // whose hello may be shorter
		return id, "", 0, fmt.Errorf("exchange: the peer speaks version %d of the data plane, this is %d", fixed[0], WireVersion)
	}
	if _, err := io.ReadFull(r, fixed[1:]); err != nil {
		return id, "", 0, fmt.Errorf("exchange: reading a hello: %w", err)
	}
	id = AttemptID{Epoch: int64(binary.BigEndian.Uint64(fixed[1:])), Region: int32(binary.BigEndian.Uint32(fixed[9:])),
		Attempt: int32(binary.BigEndian.Uint32(fixed[13:]))}
	size := int(binary.BigEndian.Uint16(fixed[18:]))
	if size == 0 || size > workerIDLimit {
		return id, "", 0, fmt.Errorf("exchange: a worker id of %d bytes", size)
	}
	name := make([]byte, size)
	if _, err := io.ReadFull(r, name); err != nil {
		return id, "", 0, fmt.Errorf("exchange: reading a hello: %w", err)
	}
	return id, string(name), fixed[17], nil
}

func (n *Network) wrap(nc net.Conn) net.Conn {
	if n.o.Wrap == nil {
		return nc
	}
	return n.o.Wrap(nc)
}

// tune notices a dead peer after about half a minute: heartbeats to the
// JobManager usually tell earlier. Small frames are not held back.
func tune(nc net.Conn) {
	if tcp, ok := nc.(*net.TCPConn); ok {
		_ = tcp.SetNoDelay(true)
		_ = tcp.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: 10 * time.Second, Interval: 5 * time.Second, Count: 4})
	}
}
