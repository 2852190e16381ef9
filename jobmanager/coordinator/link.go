package coordinator

import (
	"context"
	"fmt"
	"net"
	"sync"
	"time"

	"google.golang.org/grpc"

	"goflink/control"
)

// maxMessage bounds a message in both directions, as on the JobManager's side.
const maxMessage = 256 << 20

type stream = grpc.BidiStreamingClient[control.CoordinatorEvent, control.CoordinatorCommand]

// link is the stream to the JobManager.
type link struct {
	conn     *grpc.ClientConn
	stream   stream
	cancel   context.CancelFunc
	commands chan *control.CoordinatorCommand // closed when the stream ends
	err      error                            // why, once commands is closed
	wake     chan struct{}
	wg       sync.WaitGroup
	mu       struct {
		sync.Mutex
		queue  []*control.CoordinatorEvent
		closed bool
	}
}

func dial(ctx context.Context, address string, secret control.Secret) (*link, error) {
	d := &net.Dialer{Timeout: 10 * time.Second}
	conn, err := grpc.NewClient("passthrough:///"+address, grpc.WithTransportCredentials(control.Credentials(secret)),
		grpc.WithContextDialer(func(ctx context.Context, a string) (net.Conn, error) { return d.DialContext(ctx, "tcp", a) }),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage), grpc.MaxCallSendMsgSize(maxMessage), grpc.WaitForReady(true)))
	if err != nil {
		return nil, fmt.Errorf("JobManager address %s: %w", address, err)
	}
	ctx, cancel := context.WithCancel(ctx)
	s, err := control.NewJobManagerClient(conn).Coordinator(ctx)
	if err != nil {
		cancel()
		conn.Close()
		return nil, fmt.Errorf("connecting to the JobManager at %s: %w", address, err)
	}
	l := &link{conn: conn, stream: s, cancel: cancel, commands: make(chan *control.CoordinatorCommand, 64), wake: make(chan struct{}, 1)}
	l.wg.Go(l.receive)
	l.wg.Go(l.sendAll)
	return l, nil
}

// send queues an event; it never blocks.
func (l *link) send(e *control.CoordinatorEvent) {
	l.mu.Lock()
	l.mu.queue = append(l.mu.queue, e)
	l.mu.Unlock()
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

func (l *link) receive() {
	defer close(l.commands)
	for {
		c, err := l.stream.Recv()
		if err != nil {
			l.err = err
			return
		}
		select {
		case l.commands <- c:
		case <-l.stream.Context().Done():
			l.err = l.stream.Context().Err()
			return
		}
	}
}

func (l *link) sendAll() {
	for {
		l.mu.Lock()
		queue, closed := l.mu.queue, l.mu.closed
		l.mu.queue = nil
		l.mu.Unlock()
		for _, e := range queue {
			if err := l.stream.Send(e); err != nil {
				return // receive has the reason
			}
		}
		if closed && len(queue) == 0 {
			_ = l.stream.CloseSend() // its error would be that the stream has ended
			return
		}
		select {
		case <-l.wake:
		case <-l.stream.Context().Done():
			return
		}
	}
}

// linger is how long close waits for what is queued to be taken.
const linger = 2 * time.Second

// close sends what is queued and ends the stream.
func (l *link) close() {
	l.mu.Lock()
	l.mu.closed = true
	l.mu.Unlock()
	select {
	case l.wake <- struct{}{}:
	default:
	}
	t := time.NewTimer(linger)
	defer t.Stop()
	for open := true; open; {
		select {
		case _, open = <-l.commands:
		case <-t.C:
			open = false
		}
	}
	l.cancel()
	l.wg.Wait()
	l.conn.Close()
}
