package ha

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"goflink/hdfsstore"
)

// envStopAt makes the test binary the old leader: it stops itself before the
// operation of that number.
const envStopAt = "GOFLINK_HA_STOP_AT"

// stopping is a file system whose process stops itself (SIGSTOP) before an
// operation, as a virtual machine that is moved or a host that swaps does.
type stopping struct {
	hdfsstore.FS
	armed bool
	n, at int
}

func (s *stopping) step() {
	if !s.armed {
		return
	}
	if s.n++; s.n == s.at {
		_ = syscall.Kill(os.Getpid(), syscall.SIGSTOP)
	}
}

func (s *stopping) Create(ctx context.Context, p string, o hdfsstore.CreateOptions) (hdfsstore.Writer, error) {
	s.step()
	w, err := s.FS.Create(ctx, p, o)
	return &stoppingWriter{w, s}, err
}

func (s *stopping) Open(ctx context.Context, p string) (hdfsstore.File, error) {
	s.step()
	return s.FS.Open(ctx, p)
}

func (s *stopping) Stat(ctx context.Context, p string) (hdfsstore.Info, error) {
	s.step()
	return s.FS.Stat(ctx, p)
}

func (s *stopping) List(ctx context.Context, p string) ([]hdfsstore.Info, error) {
	s.step()
	return s.FS.List(ctx, p)
}

func (s *stopping) Rename(ctx context.Context, from, to string) error {
	s.step()
	return s.FS.Rename(ctx, from, to)
}

func (s *stopping) Replace(ctx context.Context, from, to string) error {
	s.step()
	return s.FS.Replace(ctx, from, to)
}

func (s *stopping) Mkdir(ctx context.Context, p string, perm fs.FileMode) error {
	s.step()
	return s.FS.Mkdir(ctx, p, perm)
}

func (s *stopping) MkdirExclusive(ctx context.Context, p string, perm fs.FileMode) error {
	s.step()
	return s.FS.MkdirExclusive(ctx, p, perm)
}

func (s *stopping) Delete(ctx context.Context, p string, recursive bool) error {
	s.step()
	return s.FS.Delete(ctx, p, recursive)
}

type stoppingWriter struct {
	hdfsstore.Writer
	s *stopping
}

func (w *stoppingWriter) Write(p []byte) (int, error) {
	w.s.step()
	return w.Writer.Write(p)
}

func (w *stoppingWriter) Close() error {
	w.s.step()
	return w.Writer.Close()
}

// oldLeader is the child: attempt 1 publishes checkpoint 1, then checkpoint 2
// with a stop on its way, and says what came of it.
func oldLeader(dir string, at int) string {
	ctx := context.Background()
	fsys := &stopping{FS: hdfsstore.Local{}, at: at}
	s, _, err := Open(ctx, fsys, dir, 1, Options{})
	if err == nil {
		err = errors.Join(s.PutJob(ctx, "job", []byte("graph")), s.PublishCheckpoint(ctx, "job", CheckpointPointer{ID: 1, Path: "chk-1", Time: time.Now()}))
	}
	if err != nil {
		return "setup: " + err.Error()
	}
	fsys.armed = true
	err = s.PublishCheckpoint(ctx, "job", CheckpointPointer{ID: 2, Path: "chk-2", Time: time.Now()})
	switch {
	case err == nil:
		return "published"
	case errors.Is(err, ErrFenced), errors.Is(err, ErrUnknownOutcome):
		return "gave up"
	}
	return "failed: " + err.Error()
}

// TestStoppedProcess stops the process of a leader before each operation of a
// publication, lets a successor take over and publish, and wakes the old one:
// it must publish nothing more, and what it was told is published must be what
// the successor began from.
func TestStoppedProcess(t *testing.T) {
	if at := os.Getenv(envStopAt); at != "" {
		n, _ := strconv.Atoi(at)
		fmt.Println("outcome: " + oldLeader(os.Getenv(envStopAt+"_DIR"), n))
		return
	}
	for at := 1; ; at++ {
		if stopped := stopAndTakeOver(t, filepath.Join(t.TempDir(), "ha"), at); !stopped {
			if at < 4 {
				t.Fatalf("a publication had only %d operations: nothing was tested", at-1)
			}
			t.Logf("stopped before each of %d operations", at-1)
			return
		}
	}
}

// stopAndTakeOver runs one round; false when the publication has fewer
// operations.
func stopAndTakeOver(t *testing.T, dir string, at int) bool {
	t.Helper()
	out, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	cmd := exec.Command(os.Args[0], "-test.run=^TestStoppedProcess$", "-test.v")
	cmd.Env = append(os.Environ(), envStopAt+"="+strconv.Itoa(at), envStopAt+"_DIR="+dir)
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stopped := waitStopped(t, cmd.Process.Pid)
	var began int64
	if stopped {
		began = takeOver(t, dir, 2, 10)
		if err := syscall.Kill(cmd.Process.Pid, syscall.SIGCONT); err != nil {
			t.Fatal(err)
		}
		if waitStopped(t, cmd.Process.Pid) {
			t.Fatal("it stopped twice")
		}
	}
	_ = cmd.Process.Release()
	text, err := os.ReadFile(out.Name())
	if err != nil {
		t.Fatal(err)
	}
	judge(t, string(text), at, stopped, began)
	if stopped {
		if last := takeOver(t, dir, 3, 11); last != 10 {
			t.Errorf("operation %d: the third leader begins from checkpoint %d, the second had published 10", at, last)
		}
	}
	return stopped
}

func judge(t *testing.T, out string, at int, stopped bool, began int64) {
	t.Helper()
	switch {
	case !strings.Contains(out, "outcome: published") && !strings.Contains(out, "outcome: gave up"):
		t.Errorf("operation %d: %s", at, out)
	case strings.Contains(out, "outcome: published") && stopped && began != 2:
		t.Errorf("operation %d: the old leader was told that checkpoint 2 is published, its successor began from %d", at, began)
	case !stopped && !strings.Contains(out, "outcome: published"):
		t.Errorf("undisturbed: %s", out)
	}
}

// waitStopped waits until a child stops (true) or has ended.
func waitStopped(t *testing.T, pid int) bool {
	t.Helper()
	var status syscall.WaitStatus
	for {
		_, err := syscall.Wait4(pid, &status, syscall.WUNTRACED, nil)
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		return status.Stopped()
	}
}

// takeOver leads as attempt n, publishes a checkpoint, and returns the one that
// it began from.
func takeOver(t *testing.T, dir string, attempt, publish int64) int64 {
	t.Helper()
	s, r, err := Open(t.Context(), hdfsstore.Local{}, dir, attempt, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Jobs) != 1 || r.Jobs[0].Checkpoint == nil {
		t.Fatalf("attempt %d found %+v", attempt, r.Jobs)
	}
	if err := s.PublishCheckpoint(t.Context(), "job", CheckpointPointer{ID: publish, Path: fmt.Sprintf("chk-%d", publish), Time: time.Now()}); err != nil {
		t.Fatal(err)
	}
	return r.Jobs[0].Checkpoint.ID
}
