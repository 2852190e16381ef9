package testbed

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Result is what a command left behind.
type Result struct {
	Line           string
	Code           int
	Stdout, Stderr string
	Took           time.Duration
}

// All is everything that the command printed.
func (r Result) All() string { return r.Stdout + r.Stderr }

// String is the command as a terminal would show it.
func (r Result) String() string {
	return fmt.Sprintf("$ %s\n[exit code %d, %.1f s]\nstdout:\n%s\nstderr:\n%s", r.Line, r.Code, r.Took.Seconds(), r.Stdout, r.Stderr)
}

// Lines that scripts match on.
var (
	ApplicationID = regexp.MustCompile(`application_\d+_\d+`)
	JobID         = regexp.MustCompile(`(?m)^Job has been submitted with JobID ([0-9a-f]{32})$`)
	Savepoint     = regexp.MustCompile(`(?m)^Savepoint completed\. Path: (\S+)$`)
)

// OK ends the test unless the command succeeded.
func (r Result) OK(t testing.TB) Result {
	t.Helper()
	if r.Code != 0 {
		t.Fatalf("the command failed\n%s", r)
	}
	return r
}

// Match returns what re's last group, or re itself, matches in the output.
func (r Result) Match(t testing.TB, re *regexp.Regexp) string {
	t.Helper()
	m := re.FindStringSubmatch(r.Stdout)
	if m == nil {
		t.Fatalf("%s matches nothing in\n%s", re, r)
	}
	return m[len(m)-1]
}

// Command is a command line to be run.
type Command struct {
	// Limit bounds it, 2 minutes when 0: a command that does not end fails the test.
	Limit time.Duration
	// Stdin is what it reads.
	Stdin string
	// Env are changes of the environment, KEY=VALUE.
	Env []string
}

// Process is a command that runs.
type Process struct {
	bed   *Bed
	cmd   *exec.Cmd
	line  string
	begin time.Time
	took  time.Duration
	done  chan struct{}

	mu struct {
		sync.Mutex
		stdout, stderr bytes.Buffer
	}
}

// lockedWriter writes into a buffer of a Process.
type lockedWriter struct {
	p *Process
	b *bytes.Buffer
}

func (w lockedWriter) Write(data []byte) (int, error) {
	w.p.mu.Lock()
	defer w.p.mu.Unlock()
	return w.b.Write(data)
}

// Flink runs bin/flink to its end.
func (b *Bed) Flink(args ...string) Result {
	b.T.Helper()
	return b.Run(Command{}, b.Bin("flink"), args...)
}

// Session runs bin/yarn-session.sh to its end.
func (b *Bed) Session(args ...string) Result {
	b.T.Helper()
	return b.Run(Command{}, b.Bin("yarn-session.sh"), args...)
}

// Bin is the path of a program in bin.
func (b *Bed) Bin(name string) string { return filepath.Join(Root(), "bin", name) }

// Run runs a program to its end.
func (b *Bed) Run(c Command, program string, args ...string) Result {
	b.T.Helper()
	limit := c.Limit
	if limit == 0 {
		limit = 2 * time.Minute
	}
	return b.Start(c, program, args...).Wait(limit)
}

// Start runs a program in the background. What still runs when the test ends is
// killed.
func (b *Bed) Start(c Command, program string, args ...string) *Process {
	b.T.Helper()
	p := &Process{bed: b, line: filepath.Base(program) + " " + strings.Join(args, " "), begin: time.Now(), done: make(chan struct{})}
	p.cmd = exec.Command(program, args...)
	p.cmd.Env = append(b.Env(), c.Env...)
	p.cmd.Dir = Root()
	p.cmd.Stdin = strings.NewReader(c.Stdin)
	p.cmd.Stdout, p.cmd.Stderr = lockedWriter{p, &p.mu.stdout}, lockedWriter{p, &p.mu.stderr}
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p.cmd.WaitDelay = 2 * time.Second // a daemon may hold its standard output
	if err := p.cmd.Start(); err != nil {
		b.T.Fatalf("%s: %v", program, err)
	}
	go func() {
		defer close(p.done)
		_ = p.cmd.Wait() // the exit code is in ProcessState
		p.took = time.Since(p.begin)
	}()
	b.T.Cleanup(func() {
		_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL) // it may have ended
		<-p.done
	})
	return p
}

// PID is the process's id, and that of its process group.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Signal sends a signal to the process group, as a terminal does for Ctrl-C.
func (p *Process) Signal(sig syscall.Signal) {
	p.bed.T.Helper()
	if err := syscall.Kill(-p.cmd.Process.Pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
		p.bed.T.Fatalf("%v to %s: %v", sig, p.line, err)
	}
}

// Output is what was printed so far.
func (p *Process) Output() (stdout, stderr string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.mu.stdout.String(), p.mu.stderr.String()
}

// Done is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Ended tells whether the process has ended.
func (p *Process) Ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// Await waits until the standard output matches re and returns its last group.
func (p *Process) Await(re *regexp.Regexp, limit time.Duration) string {
	p.bed.T.Helper()
	var found string
	p.bed.Eventually(fmt.Sprintf("%s prints %s", p.line, re), limit, func() bool {
		ended := p.Ended()
		stdout, stderr := p.Output()
		m := re.FindStringSubmatch(stdout)
		if m == nil && ended {
			p.bed.T.Fatalf("%s ended without printing %s\nstdout:\n%s\nstderr:\n%s", p.line, re, stdout, stderr)
		}
		if m != nil {
			found = m[len(m)-1]
		}
		return m != nil
	})
	return found
}

// Wait waits for the end of the process.
func (p *Process) Wait(limit time.Duration) Result {
	p.bed.T.Helper()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-p.done:
	case <-timer.C:
		stdout, stderr := p.Output()
		p.bed.T.Fatalf("%s did not end within %v\nstdout:\n%s\nstderr:\n%s", p.line, limit, stdout, stderr)
	}
	stdout, stderr := p.Output()
	r := Result{Line: p.line, Code: shellCode(p.cmd.ProcessState), Stdout: stdout, Stderr: stderr, Took: p.took}
	p.bed.T.Logf("$ %s  [exit code %d, %.1f s]", r.Line, r.Code, r.Took.Seconds())
	return r
}

// shellCode is the exit code as a shell tells it: 128 and the signal for a
// process that a signal ended, as Ctrl-C does before a program handles it.
func shellCode(state *os.ProcessState) int {
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal())
	}
	return state.ExitCode()
}

// Eventually polls until ok is true, and ends the test when that takes longer
// than limit.
func (b *Bed) Eventually(what string, limit time.Duration, ok func() bool) {
	b.T.Helper()
	if !Poll(limit, ok) {
		b.T.Fatalf("%s: not within %v", what, limit)
	}
}

// Poll calls ok until it is true or the time is over.
func Poll(limit time.Duration, ok func() bool) bool {
	deadline := time.Now().Add(limit)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		if time.Now().After(deadline) {
			return false
		}
		<-tick.C
	}
	return true
}

// cleanEnv is this process's environment without the variables by which a
// user's own Hadoop or Flink would be found.
func cleanEnv() []string {
	var env []string
	for _, kv := range os.Environ() {
		name, _, _ := strings.Cut(kv, "=")
		switch name {
		case "HADOOP_CONF_DIR", "YARN_CONF_DIR", "HADOOP_HOME", "FLINK_CONF_DIR", "FLINK_LOG_DIR", "FLINK_HOME", "HADOOP_USER_NAME", "HADOOP_CLASSPATH":
			continue
		}
		env = append(env, kv)
	}
	return env
}

// EndedWithin waits that long for the end of the process.
func (p *Process) EndedWithin(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-p.done:
		return true
	case <-timer.C:
		return false
	}
}

// Began is when the process was started.
func (p *Process) Began() time.Time { return p.begin }
