package taskmanager

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"os"
	"strings"
	"sync"
	"syscall"

	"goflink/control"
)

// exit is how a worker ended.
type exit struct {
	code        int
	signal      string
	reason      string
	tail        string
	outOfMemory bool
}

// describe says how a process ended, in a sentence.
func (s *supervisor) describe(st *os.ProcessState, err error, tail string, w *control.StartWorker) exit {
	x := exit{tail: scrub(tail, s.o.Secret)}
	if st == nil {
		x.code, x.reason = -1, fmt.Sprintf("waiting for the process: %v", err)
		return x
	}
	x.code = st.ExitCode()
	status, ok := st.Sys().(syscall.WaitStatus)
	x.outOfMemory = w.MemoryBytes > 0 && outOfMemory(tail)
	switch {
	case x.outOfMemory:
		x.reason = fmt.Sprintf("ran out of its memory share of %d MB: raise taskmanager.memory.process.size, or give the job more slots of its own", w.MemoryBytes>>20)
	case ok && status.Signaled():
		x.signal = status.Signal().String()
		x.reason = "was ended by signal " + x.signal
		if status.Signal() == syscall.SIGKILL {
			x.reason += ": by the kernel for lack of memory, by an operator, or because it did not end in time"
		}
	case x.code == 0:
		x.reason = "ended"
	default:
		x.reason = fmt.Sprintf("exited with code %d", x.code)
		if last := lastLine(x.tail); last != "" {
			x.reason += ": " + last
		}
	}
	return x
}

// outOfMemory recognises the last words of a Go process that got no memory.
func outOfMemory(tail string) bool {
	return strings.Contains(tail, "runtime: out of memory") || strings.Contains(tail, "fatal error: out of memory") ||
		strings.Contains(tail, "runtime: cannot allocate") || strings.Contains(tail, "errno=12")
}

// lastLine is the line that tells most: the first one of a Go crash, else the
// last one.
func lastLine(tail string) string {
	last := ""
	for line := range strings.Lines(tail) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "panic: ") || strings.HasPrefix(line, "fatal error: ") {
			return line
		}
		if line != "" {
			last = line
		}
	}
	const limit = 500
	if len(last) > limit {
		last = last[:limit] + "…"
	}
	return last
}

// scrub removes the secret, should a program ever print it.
func scrub(text string, secret control.Secret) string {
	if len(secret) < 8 {
		return text
	}
	text = strings.ReplaceAll(text, string([]byte(secret)), "******")
	return strings.ReplaceAll(text, hex.EncodeToString(secret), "******")
}

// lastWords keeps of a process's standard error what tells why it ended: the
// beginning of a Go crash where there is one (the reason and the first
// goroutine, before hundreds of others), else the end.
type lastWords struct {
	mu struct {
		sync.Mutex
		tail  []byte
		crash []byte
		line  []byte // begin of the current line
	}
}

const (
	// tailLimit and crashLimit bound what is kept; together they fit on a page
	// or two.
	tailLimit  = 4 << 10
	crashLimit = 8 << 10
	// prefixLimit is as much of a line as the markers need.
	prefixLimit = 32
)

// crashMarks begin the lines with which the Go runtime reports a crash.
var crashMarks = []string{"panic: ", "fatal error: ", "runtime: out of memory", "runtime: cannot allocate", "SIGSEGV", "unexpected fault"}

// Write implements io.Writer and never fails. The runtime writes a crash in
// many small pieces.
func (l *lastWords) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	m := &l.mu
	m.tail = append(m.tail, p...)
	if over := len(m.tail) - tailLimit; over > 0 {
		m.tail = append(m.tail[:0], m.tail[over:]...)
	}
	for _, b := range p {
		if len(m.crash) > 0 {
			if len(m.crash) < crashLimit {
				m.crash = append(m.crash, b)
			}
			continue
		}
		switch {
		case b == '\n':
			m.line = m.line[:0]
		case len(m.line) < prefixLimit:
			if m.line = append(m.line, b); marks(m.line) {
				m.crash = append(m.crash, m.line...)
			}
		}
	}
	return len(p), nil
}

func marks(line []byte) bool {
	for _, mark := range crashMarks {
		if string(line) == mark {
			return true
		}
	}
	return false
}

// String returns what was kept, as valid text.
func (l *lastWords) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	kept := l.mu.tail
	if len(l.mu.crash) > 0 {
		kept = l.mu.crash
	}
	return string(bytes.ToValidUTF8(kept, []byte("?")))
}
