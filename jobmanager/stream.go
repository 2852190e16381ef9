package jobmanager

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const (
	// maxMessage bounds a control message in both directions: a deployment
	// carries the inline state of a worker's tasks.
	maxMessage = 256 << 20
	// outboxLimit is how many commands may wait for a process that reads none.
	// At a few commands a second and task it is minutes of a worker of hundreds
	// of tasks: longer than the heartbeat's time-out.
	outboxLimit = 16384
	// registerTimeout is how long a process may take from connecting to saying
	// who it is.
	registerTimeout = 10 * time.Second
)

// conn is the sending side of a stream to a process: a queue that the stream's
// goroutine empties, in order.
type conn[C any] struct {
	wake chan struct{}
	mu   struct {
		sync.Mutex
		queue  []*C
		closed bool
		heard  time.Time
	}
}

func newConn[C any](now time.Time) *conn[C] {
	c := &conn[C]{wake: make(chan struct{}, 1)}
	c.mu.heard = now
	return c
}

// send queues a command. It never blocks; a process that takes none for long is
// cut off.
func (c *conn[C]) send(cmd *C) {
	c.mu.Lock()
	if !c.mu.closed {
		c.mu.queue = append(c.mu.queue, cmd)
		c.mu.closed = len(c.mu.queue) > outboxLimit
	}
	c.mu.Unlock()
	c.kick()
}

// close ends the stream after what is queued was sent.
func (c *conn[C]) close() {
	c.mu.Lock()
	c.mu.closed = true
	c.mu.Unlock()
	c.kick()
}

func (c *conn[C]) kick() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

func (c *conn[C]) hear(now time.Time) {
	c.mu.Lock()
	c.mu.heard = now
	c.mu.Unlock()
}

// heard is when the process last sent something.
func (c *conn[C]) heard() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mu.heard
}

// take returns what is queued, and whether the stream is to end after it.
func (c *conn[C]) take() ([]*C, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	q := c.mu.queue
	c.mu.queue = nil
	return q, c.mu.closed
}

// serve runs a stream until either end closes it: this goroutine sends, another
// one of the group receives and calls on for each event, in order.
func serve[E, C any](jm *JobManager, stream grpc.BidiStreamingServer[E, C], c *conn[C], on func(*E) bool) error {
	ended := make(chan error, 1)
	receive := func() {
		for {
			e, err := stream.Recv()
			if err != nil {
				ended <- err
				return
			}
			c.hear(jm.clock.Now())
			if !on(e) {
				ended <- errEnded
				return
			}
		}
	}
	if !jm.start(receive) {
		return status.Error(codes.Unavailable, errEnded.Error())
	}
	for {
		queue, closed := c.take()
		for _, cmd := range queue {
			if err := stream.Send(cmd); err != nil {
				return err
			}
		}
		if closed {
			return nil
		}
		select {
		case <-c.wake:
		case err := <-ended:
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		case <-jm.ctx.Done():
			return status.Error(codes.Unavailable, errEnded.Error())
		}
	}
}

// first receives the message with which a process registers.
func first[E, C any](jm *JobManager, stream grpc.BidiStreamingServer[E, C]) (*E, error) {
	type result struct {
		e   *E
		err error
	}
	got := make(chan result, 1)
	if !jm.start(func() {
		e, err := stream.Recv()
		got <- result{e, err}
	}) {
		return nil, status.Error(codes.Unavailable, errEnded.Error())
	}
	ctx, cancel := context.WithTimeout(jm.ctx, registerTimeout)
	defer cancel()
	select {
	case r := <-got:
		return r.e, r.err
	case <-ctx.Done():
		return nil, status.Error(codes.DeadlineExceeded, "the process did not register")
	}
}
