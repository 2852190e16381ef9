package jobmanager

import (
	"context"
	"errors"
	"sync"
	"time"
)

// errEnded is the answer of a loop that has ended.
var errEnded = errors.New("the JobManager is shutting down")

// backlog is how many functions may wait in a loop before streams are held
// back: a second's work of a loop that does a microsecond's work a function is
// a hundred times that.
const backlog = 10000

// loop runs functions one after another on one goroutine, and a tick at the
// time that they ask for. Whoever owns state of a loop touches it there only.
type loop struct {
	clock    Clock
	deadline func() time.Time // of the state; zero: none
	tick     func()

	wake chan struct{}
	mu   struct {
		sync.Mutex
		queue  []func()
		closed bool
		room   chan struct{} // closed when the queue was emptied
	}
	armed time.Time
	stop  func()
}

func newLoop(clock Clock, deadline func() time.Time, tick func()) *loop {
	l := &loop{clock: clock, deadline: deadline, tick: tick, wake: make(chan struct{}, 1)}
	l.mu.room = make(chan struct{})
	return l
}

// post queues f; false when the loop has ended. It never blocks.
func (l *loop) post(f func()) bool {
	l.mu.Lock()
	if l.mu.closed {
		l.mu.Unlock()
		return false
	}
	l.mu.queue = append(l.mu.queue, f)
	l.mu.Unlock()
	select {
	case l.wake <- struct{}{}:
	default:
	}
	return true
}

// feed queues f like post, and waits while too many are waiting: that is how a
// stream is slowed down.
func (l *loop) feed(ctx context.Context, f func()) bool {
	for {
		l.mu.Lock()
		full, room := len(l.mu.queue) >= backlog && !l.mu.closed, l.mu.room
		l.mu.Unlock()
		if !full {
			return l.post(f)
		}
		select {
		case <-room:
		case <-ctx.Done():
			return false
		}
	}
}

// close ends the loop after what is queued.
func (l *loop) close() {
	l.mu.Lock()
	l.mu.closed = true
	l.mu.Unlock()
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// run executes until close.
func (l *loop) run() {
	defer func() {
		if l.stop != nil {
			l.stop()
		}
	}()
	for {
		l.mu.Lock()
		queue, closed := l.mu.queue, l.mu.closed
		l.mu.queue = nil
		close(l.mu.room)
		l.mu.room = make(chan struct{})
		l.mu.Unlock()
		for _, f := range queue {
			f()
		}
		if len(queue) > 0 {
			l.arm()
			continue
		}
		if closed {
			return
		}
		<-l.wake
	}
}

// arm sets the timer to the state's deadline.
func (l *loop) arm() {
	if l.deadline == nil {
		return
	}
	at := l.deadline()
	if at.Equal(l.armed) {
		return
	}
	if l.stop != nil {
		l.stop()
		l.stop = nil
	}
	l.armed = at
	if at.IsZero() {
		return
	}
	l.stop = l.clock.AfterFunc(max(0, at.Sub(l.clock.Now())), func() {
		l.post(func() {
			l.armed = time.Time{} // whatever it was, it is over
			l.tick()
		})
	})
}

// ask runs f on the loop and waits for its result.
func ask[T any](ctx context.Context, l *loop, f func() T) (T, error) {
	done := make(chan T, 1)
	var zero T
	if !l.post(func() { done <- f() }) {
		return zero, errEnded
	}
	select {
	case v := <-done:
		return v, nil
	case <-ctx.Done():
		return zero, ctx.Err()
	}
}
