package taskmanager

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"google.golang.org/protobuf/proto"

	"goflink/control"
	"goflink/graph"
	"goflink/taskmanager/worker"
)

// workerEnv are the variables that a worker inherits: what user code and the
// Hadoop client need to find their way. Nothing else of our environment
// reaches it.
var workerEnv = []string{"PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TZ", "TMPDIR", "PWD", "LD_LIBRARY_PATH",
	"HADOOP_CONF_DIR", "YARN_CONF_DIR", "HADOOP_HOME", "HADOOP_USER_NAME", "HADOOP_TOKEN_FILE_LOCATION", "HADOOP_PROXY_USER",
	"KRB5_CONFIG", "KRB5CCNAME", "FLINK_CONF_DIR", "CONTAINER_ID", "LOCAL_DIRS", "LOG_DIRS", "SSL_CERT_FILE", "SSL_CERT_DIR",
	"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"}

// command prepares a worker's process; the files go to the child.
func (s *supervisor) command(path string, w *control.StartWorker, p *graph.Program) *exec.Cmd {
	cmd := s.o.command(path, p.Args)
	cmd.Args[0] = p.Name
	for _, name := range append(append([]string{}, workerEnv...), s.o.PassEnv...) {
		if v, ok := os.LookupEnv(name); ok {
			cmd.Env = append(cmd.Env, name+"="+v)
		}
	}
	cmd.Env = append(cmd.Env, s.limits(w).env()...)
	cmd.Env = append(cmd.Env, p.Env...) // the job's own word counts
	cmd.Env = append(cmd.Env, control.EnvRole+"="+control.RoleWorker, control.EnvBootstrapFD+"=3", control.EnvParentFD+"=4")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.WaitDelay = 2 * time.Second // a grandchild that keeps our pipe does not keep us
	return cmd
}

func (s *supervisor) limits(w *control.StartWorker) Limits {
	return Limits{MemoryBytes: w.MemoryBytes, VCores: s.o.VCores}
}

// bootstrap is what a worker is told.
func (s *supervisor) bootstrap(w *control.StartWorker, p *graph.Program) *control.Bootstrap {
	return &control.Bootstrap{Protocol: control.ProtocolVersion, Role: control.RoleWorker, Jobmanager: s.address(), Secret: s.o.Secret, Worker: w,
		TaskManagerId: s.o.ResourceID, LogDir: s.o.LogDir, LogName: s.logName(w), ScratchDir: s.o.ScratchDir, Host: s.o.Host,
		Once: w.Once, Config: w.Config, Entry: p.Entry}
}

// logName is the name of a worker's files: "taskmanager-<worker>".
func (s *supervisor) logName(w *control.StartWorker) string {
	if s.o.Dedicated != nil {
		return s.o.LogName
	}
	return s.o.LogName + "-" + fileName(w.WorkerId)
}

// fileName keeps what is harmless in a file name.
func fileName(id string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' || r == '.' {
			return r
		}
		return '_'
	}, id)
}

// runProcess starts a worker's process and waits for its end. ctx asks it to
// end (SIGTERM, after the grace SIGKILL); kill ends it at once. started is
// called with its pid.
func (s *supervisor) runProcess(ctx context.Context, kill <-chan struct{}, w *control.StartWorker, started func(pid int)) exit {
	p := &graph.Program{}
	if err := proto.Unmarshal(w.Program, p); err != nil {
		return exit{code: -1, reason: "the description of the program is damaged: " + err.Error()}
	}
	file, done, err := s.cache.get(ctx, p)
	if err != nil {
		return exit{code: -1, reason: err.Error()}
	}
	defer done()
	// The parent-death signal comes when the thread ends that started the
	// process, so this thread stays until the process has ended.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	out, err := os.OpenFile(filepath.Join(s.o.LogDir, s.logName(w)+".out"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o640)
	if err != nil {
		return exit{code: -1, reason: "opening the worker's .out file: " + err.Error()}
	}
	defer out.Close()
	cmd := s.command(file, w, p)
	tail := &lastWords{}
	cmd.Stdout, cmd.Stderr = out, io.MultiWriter(out, tail)
	if s.o.Stdout != nil {
		cmd.Stdout = s.o.Stdout
	}
	if s.o.Stderr != nil {
		cmd.Stderr = io.MultiWriter(out, tail, s.o.Stderr)
	}
	alive, err := s.spawn(cmd, s.bootstrap(w, p))
	if err != nil {
		return exit{code: -1, reason: "starting the worker's process: " + err.Error()}
	}
	defer alive.Close()
	pid := cmd.Process.Pid
	if err := s.limits(w).apply(pid); err != nil {
		s.o.Log.Warn("the worker runs without limits", "worker", w.WorkerId, "error", err)
	}
	started(pid)
	ended := make(chan struct{})
	var watch sync.WaitGroup
	watch.Go(func() { s.terminate(ctx, kill, ended, pid) })
	err = cmd.Wait()
	close(ended)
	watch.Wait()
	_ = syscall.Kill(-pid, syscall.SIGKILL) // what it started and left behind
	if err := os.RemoveAll(worker.ScratchFolder(s.o.ScratchDir, w.WorkerId)); err != nil {
		s.o.Log.Warn("files of a worker are left behind", "worker", w.WorkerId, "error", err)
	}
	return s.describe(cmd.ProcessState, err, tail.String(), w)
}

// spawn starts the process and gives it its bootstrap. The returned pipe end
// tells it that we live.
func (s *supervisor) spawn(cmd *exec.Cmd, b *control.Bootstrap) (alive *os.File, err error) {
	data, err := proto.Marshal(b)
	if err != nil {
		return nil, err
	}
	bootRead, bootWrite, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer bootRead.Close()
	defer bootWrite.Close()
	parentRead, alive, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer parentRead.Close()
	cmd.ExtraFiles = []*os.File{bootRead, parentRead}
	if err := startRetrying(cmd); err != nil {
		alive.Close()
		return nil, err
	}
	bootRead.Close() // else a child that dies at once would block the write
	if err := bootWrite.SetWriteDeadline(time.Now().Add(10 * time.Second)); err != nil && !errors.Is(err, os.ErrNoDeadline) {
		s.o.Log.Warn("bootstrap pipe", "error", err)
	}
	if _, err := bootWrite.Write(data); err != nil && !errors.Is(err, syscall.EPIPE) {
		s.o.Log.Warn("the worker did not take its bootstrap", "error", err)
	}
	return alive, nil
}

// startRetrying starts a program that another process may still hold open for
// writing: a fork that happened while it was written inherits the descriptor
// for a moment.
func startRetrying(cmd *exec.Cmd) error {
	for try := 0; ; try++ {
		err := cmd.Start()
		if !errors.Is(err, syscall.ETXTBSY) || try == 20 {
			return err
		}
		fresh := *cmd
		*cmd = exec.Cmd{Path: fresh.Path, Args: fresh.Args, Env: fresh.Env, Dir: fresh.Dir, Stdout: fresh.Stdout, Stderr: fresh.Stderr,
			ExtraFiles: fresh.ExtraFiles, SysProcAttr: fresh.SysProcAttr, WaitDelay: fresh.WaitDelay}
		time.Sleep(10 * time.Millisecond)
	}
}

// terminate ends a process when it is asked to.
func (s *supervisor) terminate(ctx context.Context, kill, ended <-chan struct{}, pid int) {
	select {
	case <-ended:
		return
	case <-kill:
	case <-ctx.Done():
		_ = syscall.Kill(pid, syscall.SIGTERM)
		t := time.NewTimer(s.o.Grace)
		defer t.Stop()
		select {
		case <-ended:
			return
		case <-kill:
		case <-t.C:
		}
	}
	_ = syscall.Kill(-pid, syscall.SIGKILL)
}

// programOf decodes a worker's program; an empty one when it is damaged.
func programOf(w *control.StartWorker) *graph.Program {
	p := &graph.Program{}
	if proto.Unmarshal(w.Program, p) != nil {
		return &graph.Program{}
	}
	return p
}
