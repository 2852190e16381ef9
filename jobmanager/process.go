package jobmanager

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"

	"google.golang.org/protobuf/proto"

	"goflink/control"
	"goflink/graph"
	"goflink/hdfsstore"
	"goflink/jobmanager/rest"
)

// ExecLauncher starts coordinators as processes of their own, from the job's
// binary. Its methods may be called concurrently.
type ExecLauncher struct {
	// Dir is a local folder for binaries, by their SHA-256.
	Dir string
	// LogDir takes the processes' .out files (and logs).
	LogDir string
	// Binary is a local copy of the only program there is; empty: programs are
	// fetched from their URI or from Programs.
	Binary string
	// Files opens program URIs.
	Files *hdfsstore.Resolver
	// Programs are those without a URI.
	Programs rest.ProgramStore
	// Log is where the launcher logs; nil: slog.Default.
	Log *slog.Logger

	mu sync.Mutex // one program is fetched once
}

// Launch fetches the program, verifies it and starts it as a coordinator.
func (l *ExecLauncher) Launch(ctx context.Context, s CoordinatorSpec) (CoordinatorProcess, error) {
	binary, err := l.fetch(ctx, s.Program)
	if err != nil {
		return nil, err
	}
	boot := proto.CloneOf(s.Bootstrap)
	boot.LogDir = l.LogDir
	data, err := proto.Marshal(boot)
	if err != nil {
		return nil, fmt.Errorf("encoding the bootstrap: %w", err)
	}
	out, err := os.OpenFile(filepath.Join(l.LogDir, boot.LogName+".out"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	return startProcess(binary, s.Program, data, out)
}

// process is a running coordinator.
type process struct {
	cmd    *exec.Cmd
	parent *os.File // its end tells the process that we are gone
	tail   *tail
	done   chan struct{}
	reason string
}

// startProcess starts the binary with the bootstrap on descriptor 3 and a pipe
// that tells it when this process ends on descriptor 4.
func startProcess(binary string, p *graph.Program, bootstrap []byte, out *os.File) (*process, error) {
	bootR, bootW, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer bootR.Close()
	parentR, parentW, err := os.Pipe()
	if err != nil {
		bootW.Close()
		return nil, err
	}
	defer parentR.Close()
	pr := &process{parent: parentW, tail: &tail{to: out}, done: make(chan struct{})}
	pr.cmd = exec.Command(binary, p.GetArgs()...)
	pr.cmd.Env = append(environment(p),
		control.EnvRole+"="+control.RoleCoordinator, control.EnvBootstrapFD+"=3", control.EnvParentFD+"=4")
	pr.cmd.ExtraFiles = []*os.File{bootR, parentR}
	pr.cmd.Stdout, pr.cmd.Stderr = out, pr.tail
	if err := pr.spawn(); err != nil {
		bootW.Close()
		parentW.Close()
		return nil, fmt.Errorf("starting the program as source coordinator: %w", err)
	}
	var wg sync.WaitGroup
	wg.Go(func() { // the pipe holds 64 KiB; more waits for the process to read
		defer bootW.Close()
		_, _ = bootW.Write(bootstrap)
	})
	go func() {
		defer close(pr.done)
		err := pr.cmd.Wait()
		wg.Wait()
		parentW.Close()
		pr.reason = describeExit(err, pr.tail.text())
	}()
	return pr, nil
}

// spawn starts the process so that it dies with this one. Linux ties the
// parent-death signal to the thread that started the child, so it must not be
// one that the runtime ends: the parent's pipe is what counts, the signal only
// covers a process that does not watch it.
func (p *process) spawn() error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return p.cmd.Start()
}

// environment is what the program gets of ours: the listed variables, and those
// that processes need to find their way.
func environment(p *graph.Program) []string {
	var env []string
	for _, kv := range os.Environ() {
		name, _, _ := strings.Cut(kv, "=")
		switch {
		case strings.HasPrefix(name, "GOFLINK_"):
		case strings.HasPrefix(name, "HADOOP_"), strings.HasPrefix(name, "YARN_"), strings.HasPrefix(name, "KRB5"),
			name == "PATH", name == "HOME", name == "USER", name == "TMPDIR", name == "TZ", name == "LANG":
			env = append(env, kv)
		}
	}
	return append(env, p.GetEnv()...)
}

// Done is closed when the process has ended.
func (p *process) Done() <-chan struct{} { return p.done }

// Reason tells how it ended.
func (p *process) Reason() string { return p.reason }

// Kill ends the process and what it has started.
func (p *process) Kill() {
	select {
	case <-p.done:
	default:
		_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	}
}

func describeExit(err error, stderr string) string {
	var exit *exec.ExitError
	how := "it ended by itself"
	if errors.As(err, &exit) {
		how = exit.ProcessState.String()
	} else if err != nil {
		how = err.Error()
	}
	if stderr != "" {
		how += "\n" + stderr
	}
	return how
}

// tail passes on what is written and keeps its end, for messages.
type tail struct {
	to  io.Writer
	mu  sync.Mutex
	buf []byte
}

// tailSize is how much of a process's standard error is kept: a panic's first
// goroutine.
const tailSize = 8 << 10

// Write implements io.Writer.
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	t.buf = append(t.buf, p...)
	t.buf = t.buf[max(0, len(t.buf)-tailSize):]
	t.mu.Unlock()
	return t.to.Write(p)
}

func (t *tail) text() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(string(t.buf))
}

// fetch returns a verified local copy of a program.
func (l *ExecLauncher) fetch(ctx context.Context, p *graph.Program) (string, error) {
	if l.Binary != "" {
		return l.Binary, nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	target := filepath.Join(l.Dir, p.GetSha256())
	if _, err := os.Stat(target); err == nil {
		return target, nil // only verified bytes get this name
	}
	r, err := l.open(ctx, p)
	if err != nil {
		return "", fmt.Errorf("fetching program %.12s…: %w", p.GetSha256(), err)
	}
	defer r.Close()
	if err := os.MkdirAll(l.Dir, 0o700); err != nil {
		return "", err
	}
	if err := copyVerified(target, r, p.GetSha256()); err != nil {
		return "", fmt.Errorf("fetching program %.12s…: %w", p.GetSha256(), err)
	}
	return target, nil
}

func (l *ExecLauncher) open(ctx context.Context, p *graph.Program) (io.ReadCloser, error) {
	if p.GetUri() == "" {
		if l.Programs == nil {
			return nil, fs.ErrNotExist
		}
		return l.Programs.Open(ctx, p.GetSha256())
	}
	fsys, path, err := l.Files.For(p.GetUri())
	if err != nil {
		return nil, err
	}
	return fsys.Open(ctx, path)
}

// copyVerified writes an executable file, which gets its name only when its
// bytes have the digest.
func copyVerified(target string, r io.Reader, sum string) error {
	f, err := os.CreateTemp(filepath.Dir(target), ".fetch-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	h := sha256.New()
	_, err = io.Copy(io.MultiWriter(f, h), r)
	if err == nil {
		err = f.Chmod(0o700)
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != sum {
		return fmt.Errorf("its SHA-256 is %s, not %s", got, sum)
	}
	return os.Rename(f.Name(), target)
}
