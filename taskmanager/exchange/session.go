package exchange

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"
)

// Session holds the channels of one attempt on this worker.
type Session struct {
	net   *Network
	id    AttemptID
	ready chan struct{} // closed by Connect: all channels are known
	over  chan struct{} // closed by Close
	mu    struct {
		sync.Mutex
		inputs    map[ChannelID]*inputChannel
		writers   map[ChannelID]*Writer
		gates     []*Gate
		outputs   []*Outputs
		conns     map[string]*conn // by worker id
		arrived   chan struct{}    // replaced and closed at each new connection
		connected bool
		closed    bool
	}
}

func newSession(n *Network, id AttemptID) *Session {
	s := &Session{net: n, id: id, ready: make(chan struct{}), over: make(chan struct{})}
	s.mu.inputs = map[ChannelID]*inputChannel{}
	s.mu.writers = map[ChannelID]*Writer{}
	s.mu.conns = map[string]*conn{}
	s.mu.arrived = make(chan struct{})
	return s
}

// NewGate makes the receiving end of a task. Call it before Connect.
func (s *Session) NewGate(o GateOptions) (*Gate, error) {
	g := newGate(s.net, o)
	need, more := 0, 0
	for _, c := range g.channels {
		if c.peer.WorkerID != s.net.o.WorkerID && !o.Inputs[c.input].Sources[c.index].Finished {
			need += s.net.o.Credits.Exclusive
			more = s.net.o.Credits.Floating
		}
	}
	if more > 0 { // one floating credit at least, or a backlog never moves faster
		got, err := s.net.budget.reserve(need+1, more-1)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", o.Task, err)
		}
		g.floating = got + 1
		g.reserved = need + g.floating
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.closed || s.mu.connected {
		s.net.budget.release(g.reserved)
		return nil, s.tooLateLocked(o.Task)
	}
	for _, c := range g.channels {
		if s.mu.inputs[c.id] != nil {
			s.net.budget.release(g.reserved)
			return nil, fmt.Errorf("exchange: %s: channel %s is there already", o.Task, c.id)
		}
	}
	for _, c := range g.channels {
		s.mu.inputs[c.id] = c
	}
	s.mu.gates = append(s.mu.gates, g)
	return g, nil
}

// NewOutputs makes the sending end of a task whose context is ctx. Call it
// before Connect.
func (s *Session) NewOutputs(ctx context.Context, o OutputsOptions) (*Outputs, error) {
	out := newOutputs(ctx, s.net, o)
	if out.remote > 0 { // one being filled and one on its way a channel, and the overdraft
		need := 2*out.remote + s.net.o.Credits.Overdraft
		if o.Served {
			need = min(need, servedBuffers)
		}
		if _, err := s.net.budget.reserve(need, 0); err != nil {
			return nil, fmt.Errorf("%s: %w", o.Task, err)
		}
		out.reserved = need
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.closed || s.mu.connected {
		s.net.budget.release(out.reserved)
		return nil, s.tooLateLocked(o.Task)
	}
	for _, edge := range out.edges {
		for _, w := range edge {
			s.mu.writers[w.id] = w
		}
	}
	s.mu.outputs = append(s.mu.outputs, out)
	return out, nil
}

func (s *Session) tooLateLocked(task string) error {
	if s.mu.closed {
		return ErrClosed
	}
	return fmt.Errorf("exchange: %s is deployed after attempt %s was connected", task, s.id)
}

// Connect joins all channels: local ones at once, remote ones over connections
// that it dials or waits for. No task may send before it returns.
func (s *Session) Connect(ctx context.Context) error {
	peers, err := s.bindLocal()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, s.net.o.ConnectTimeout,
		fmt.Errorf("no connection within %s", s.net.o.ConnectTimeout))
	defer cancel()
	var group errgroup.Group
	group.SetLimit(16) // dials at a time: enough to hide latency, few enough for a peer's accept queue
	for _, p := range peers {
		group.Go(func() error {
			if s.net.o.WorkerID < p.WorkerID {
				return s.net.dial(ctx, s, p)
			}
			return s.await(ctx, p)
		})
	}
	return group.Wait()
}

// bindLocal joins the channels inside this process, marks the session ready,
// and returns the peers to connect to, in a fixed order.
func (s *Session) bindLocal() ([]Peer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.closed {
		return nil, ErrClosed
	}
	peers := map[string]Peer{}
	for id, w := range s.mu.writers {
		if w.finished {
			continue
		}
		if !w.isLocal {
			peers[w.peer.WorkerID] = w.peer
			continue
		}
		in := s.mu.inputs[id]
		if in == nil {
			return nil, fmt.Errorf("exchange: %s: the receiver of %s is not deployed here", w.out.o.Task, id)
		}
		in.bindLocal(w)
		w.target = in
	}
	for id, in := range s.mu.inputs {
		if in.finished() || in.local != nil {
			continue
		}
		if in.peer.WorkerID == s.net.o.WorkerID {
			return nil, fmt.Errorf("exchange: %s: the sender of %s is not deployed here", in.gate.o.Task, id)
		}
		peers[in.peer.WorkerID] = in.peer
	}
	if !s.mu.connected {
		s.mu.connected = true
		close(s.ready)
	}
	return slices.SortedFunc(maps.Values(peers), func(a, b Peer) int { return cmp.Compare(a.WorkerID, b.WorkerID) }), nil
}

// bindLocal joins the channel to its sender in this process.
func (c *inputChannel) bindLocal(w *Writer) {
	c.gate.mu.Lock()
	defer c.gate.mu.Unlock()
	c.local, c.writer = w.out, w
}

// await waits until the peer has dialled.
func (s *Session) await(ctx context.Context, p Peer) error {
	for {
		s.mu.Lock()
		_, ok := s.mu.conns[p.WorkerID]
		arrived := s.mu.arrived
		s.mu.Unlock()
		if ok {
			return nil
		}
		select {
		case <-arrived:
		case <-s.over:
			return ErrClosed
		case <-ctx.Done():
			return external("waiting for %s to connect: %w", p, context.Cause(ctx))
		}
	}
}

// adopt makes nc the connection to a worker that reads these compressions, binds the channels and starts it.
func (s *Session) adopt(peer Peer, nc net.Conn, reads byte) error {
	c, err := newConn(s, peer, nc, reads)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.closed {
		return ErrClosed
	}
	if s.mu.conns[peer.WorkerID] != nil {
		return fmt.Errorf("exchange: %s is connected already", peer)
	}
	for _, in := range s.mu.inputs {
		if in.peer.WorkerID == peer.WorkerID && !in.finished() { // an ended one has no sender to give credit to
			c.peer = in.peer // with the address as deployed, for messages
			in.gate.attach(in, c)
		}
	}
	for _, w := range s.mu.writers {
		if !w.isLocal && w.peer.WorkerID == peer.WorkerID {
			c.peer = w.peer
			w.bind(c)
		}
	}
	s.mu.conns[peer.WorkerID] = c
	close(s.mu.arrived)
	s.mu.arrived = make(chan struct{})
	c.start()
	return nil
}

// joined tells that a worker has been connected.
func (s *Session) joined(worker string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mu.conns[worker] != nil
}

func (w *Writer) bind(c *conn) {
	w.out.mu.Lock()
	defer w.out.mu.Unlock()
	w.conn = c
}

// writer finds the sending end of a channel that belongs to c.
func (s *Session) writer(c *conn, id ChannelID) *Writer {
	s.mu.Lock()
	defer s.mu.Unlock()
	if w := s.mu.writers[id]; w != nil && w.conn == c {
		return w
	}
	return nil
}

// input finds the receiving end of a channel that belongs to c.
func (s *Session) input(c *conn, id ChannelID) *inputChannel {
	s.mu.Lock()
	defer s.mu.Unlock()
	if in := s.mu.inputs[id]; in != nil && in.conn == c {
		return in
	}
	return nil
}

// lost fails the tasks that still expected something from a connection.
func (s *Session) lost(c *conn, err error) {
	select {
	case <-s.over:
		return
	default:
	}
	if errors.Is(err, errGoodbye) {
		return
	}
	s.mu.Lock()
	gates := slices.Clone(s.mu.gates)
	s.mu.Unlock()
	reason := lostReason(c.peer, err)
	for _, g := range gates {
		g.fail(c, reason)
	}
	s.net.o.Log.Info("data connection ended", "peer", c.peer.String(), "attempt", s.id.String(), "reason", err)
}

// Close ends the attempt: connections, queues and network memory are given up.
// The tasks have ended or are about to; their sends and Next return errors. With
// cancelled true the JobManager has told everybody to end the attempt, so peers
// are told that their connections do not fail.
func (s *Session) Close(cancelled bool) {
	s.mu.Lock()
	if s.mu.closed {
		s.mu.Unlock()
		return
	}
	s.mu.closed = true
	close(s.over)
	conns := slices.Collect(maps.Values(s.mu.conns))
	gates, outputs := s.mu.gates, s.mu.outputs
	s.mu.Unlock()
	var wg sync.WaitGroup
	for _, c := range conns {
		wg.Go(func() { c.close(cancelled) })
	}
	wg.Wait()
	for _, g := range gates {
		g.close()
	}
	for _, o := range outputs {
		o.close()
	}
	s.net.forget(s)
}
