package worker

import "sync"

// mailbox holds what is to run on the task's goroutine. Letters are rare
// compared with records; the queue is bounded by what sends them: commands of
// the JobManager, timers and requests of operators.
type mailbox struct {
	wake func()
	mu   struct {
		sync.Mutex
		letters []func() error
		spare   []func() error
		closed  bool
	}
}

// put appends a letter; false when the task has ended.
func (m *mailbox) put(f func() error) bool {
	m.mu.Lock()
	if m.mu.closed {
		m.mu.Unlock()
		return false
	}
	m.mu.letters = append(m.mu.letters, f)
	m.mu.Unlock()
	m.wake()
	return true
}

// run runs what has arrived, in order, until an error. Letters that arrive
// meanwhile wait for the next call, so that records get their turn.
func (m *mailbox) run() (n int, err error) {
	m.mu.Lock()
	letters := m.mu.letters
	m.mu.letters = m.mu.spare[:0]
	m.mu.Unlock()
	for i, f := range letters {
		letters[i] = nil
		if err == nil {
			err = f()
		}
	}
	m.mu.Lock()
	m.mu.spare = letters[:0]
	m.mu.Unlock()
	return len(letters), err
}

// close refuses further letters and drops what waits.
func (m *mailbox) close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mu.closed = true
	m.mu.letters = nil
}
