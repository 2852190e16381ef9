package uplink

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/connectivity"

	"goflink/control"
)

const (
	// maxMessage bounds a message in both directions: a deployment carries the
	// inline state of a worker's tasks, an acknowledgement list states.
	maxMessage = 256 << 20
	// queueLimit is how many events may wait. At one event a task and second a
	// worker of a hundred tasks fills it in a minute, longer than any time-out.
	queueLimit = 8192
)

// ErrOverflow is the end of a stream whose JobManager took no events.
var ErrOverflow = errors.New("the JobManager takes no messages")

// Dial prepares a connection to the JobManager at address. Nothing is sent
// before a stream is opened on it.
func Dial(address string, secret control.Secret) (*grpc.ClientConn, error) {
	dialer := &net.Dialer{Timeout: 10 * time.Second,
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 10 * time.Second, Interval: 5 * time.Second, Count: 4}}
	conn, err := grpc.NewClient("passthrough:///"+address,
		grpc.WithTransportCredentials(control.Credentials(secret)),
		grpc.WithContextDialer(func(ctx context.Context, addr string) (net.Conn, error) { return dialer.DialContext(ctx, "tcp", addr) }),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: backoff.Config{BaseDelay: 50 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 2 * time.Second}}),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage), grpc.MaxCallSendMsgSize(maxMessage)))
	if err != nil {
		return nil, fmt.Errorf("JobManager address %s: %w", address, err)
	}
	return conn, nil
}

// Await waits until the connection stands. Without it a call on a connection
// that cannot be made fails at once, or waits for ever.
func Await(ctx context.Context, conn *grpc.ClientConn) error {
	conn.Connect()
	for {
		s := conn.GetState()
		if s == connectivity.Ready {
			return nil
		}
		if !conn.WaitForStateChange(ctx, s) {
			return fmt.Errorf("connecting to the JobManager at %s: %w", conn.Target(), context.Cause(ctx))
		}
		if s == connectivity.Idle {
			conn.Connect()
		}
	}
}

// Link is one open stream: events E up, commands C down.
type Link[E, C any] struct {
	commands chan *C
	cancel   context.CancelFunc
	wake     chan struct{}
	drained  chan struct{} // closed when the sender has ended
	done     chan struct{} // closed at the first error
	wg       sync.WaitGroup
	mu       struct {
		sync.Mutex
		queue   []*E
		err     error
		closing bool
		heard   time.Time
	}
}

// Open opens a stream with open, for example
// client.Worker. The stream lives until Close or its first error.
func Open[E, C any](open func(ctx context.Context, opts ...grpc.CallOption) (grpc.BidiStreamingClient[E, C], error)) (*Link[E, C], error) {
	ctx, cancel := context.WithCancel(context.Background())
	stream, err := open(ctx)
	if err != nil {
		cancel()
		return nil, fmt.Errorf("opening the control stream: %w", err)
	}
	l := &Link[E, C]{commands: make(chan *C, 16), cancel: cancel, wake: make(chan struct{}, 1),
		done: make(chan struct{}), drained: make(chan struct{})}
	l.mu.heard = time.Now()
	l.wg.Go(func() { l.send(stream) })
	l.wg.Go(func() { l.receive(ctx, stream) })
	return l, nil
}

// Commands are the messages from the JobManager; closed when the stream ends.
func (l *Link[E, C]) Commands() <-chan *C { return l.commands }

// Done is closed when the stream has ended.
func (l *Link[E, C]) Done() <-chan struct{} { return l.done }

// Err is why the stream ended.
func (l *Link[E, C]) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.mu.err
}

// Heard is when the JobManager last sent something.
func (l *Link[E, C]) Heard() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.mu.heard
}

// ErrSucceeded is the end of a connection to a JobManager that fell silent
// while another one has taken over: it may be paused, and wake.
var ErrSucceeded = errors.New("another JobManager leads")

// doubtAfter is how many intervals without a heartbeat raise the question
// whether another JobManager leads: one may be late.
const doubtAfter = 2

// leaderLimit bounds the look for the leader.
const leaderLimit = 3 * time.Second

// Judge tells why a JobManager whose heartbeats come each interval is no longer
// to be waited for: it has been silent for timeout, or for two intervals while
// leader (nil: there is no way to ask) names another address. It returns nil
// for one that is well.
func (l *Link[E, C]) Judge(ctx context.Context, interval, timeout time.Duration, address string, leader func(context.Context) (string, error)) error {
	silence := time.Since(l.Heard())
	switch {
	case silence > timeout:
		return fmt.Errorf("no heartbeat from the JobManager since %s", timeout)
	case leader == nil || silence <= doubtAfter*interval:
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, leaderLimit)
	defer cancel()
	now, err := leader(ctx)
	if err != nil || now == "" || now == address {
		return nil // nobody else: wait for this one
	}
	return fmt.Errorf("no heartbeat from the JobManager at %s since %s: %w (at %s)", address, silence.Round(time.Second), ErrSucceeded, now)
}

// JudgeEvery is how often a JobManager is to be judged.
func JudgeEvery(timeout time.Duration) time.Duration {
	return min(max(timeout/4, 50*time.Millisecond), time.Second)
}

// Send queues an event and never blocks. Events of a stream that ended are
// dropped: the owner says everything again when it registers.
func (l *Link[E, C]) Send(e *E) {
	l.mu.Lock()
	if l.mu.err != nil || l.mu.closing {
		l.mu.Unlock()
		return
	}
	if len(l.mu.queue) >= queueLimit {
		l.mu.Unlock()
		l.fail(ErrOverflow)
		return
	}
	l.mu.queue = append(l.mu.queue, e)
	l.mu.Unlock()
	l.kick()
}

func (l *Link[E, C]) kick() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

func (l *Link[E, C]) fail(err error) {
	l.mu.Lock()
	first := l.mu.err == nil
	if first {
		l.mu.err = err
	}
	l.mu.Unlock()
	if first {
		close(l.done)
		l.cancel()
	}
}

func (l *Link[E, C]) send(stream grpc.BidiStreamingClient[E, C]) {
	defer close(l.drained)
	for {
		l.mu.Lock()
		queue, closing := l.mu.queue, l.mu.closing
		l.mu.queue = nil
		l.mu.Unlock()
		for _, e := range queue {
			if err := stream.Send(e); err != nil {
				return // Recv has the reason
			}
		}
		if closing && len(queue) == 0 {
			_ = stream.CloseSend()
			return
		}
		select {
		case <-l.wake:
		case <-l.done:
			return
		}
	}
}

func (l *Link[E, C]) receive(ctx context.Context, stream grpc.BidiStreamingClient[E, C]) {
	defer close(l.commands)
	for {
		c, err := stream.Recv()
		if err != nil {
			l.fail(fmt.Errorf("the control stream to the JobManager ended: %w", err))
			return
		}
		l.mu.Lock()
		l.mu.heard = time.Now()
		l.mu.Unlock()
		select {
		case l.commands <- c:
		case <-ctx.Done():
			l.fail(ctx.Err())
			return
		}
	}
}

// Close sends what is queued, for at most linger, and ends the stream.
func (l *Link[E, C]) Close(linger time.Duration) {
	l.mu.Lock()
	l.mu.closing = true
	l.mu.Unlock()
	l.kick()
	if linger > 0 {
		t := time.NewTimer(linger)
		defer t.Stop()
		select {
		case <-l.drained:
			select { // the other end closes when it has read everything
			case <-l.done:
			case <-t.C:
			}
		case <-t.C:
		}
	}
	l.fail(context.Canceled)
	l.wg.Wait()
}
