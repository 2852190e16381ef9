//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// root is the repository: the tests run in its folder e2e.
var root = func() string {
	dir, err := filepath.Abs("..")
	if err != nil {
		panic(err)
	}
	return dir
}()

// result is what a command left behind.
type result struct {
	code           int
	stdout, stderr string
	took           time.Duration
}

func (r result) all() string { return r.stdout + r.stderr }

// command is a command line of a user, with its environment.
type command struct {
	t       *testing.T
	env     []string
	timeout time.Duration
	stdin   string
}

// flink runs bin/flink with args.
func (c command) flink(args ...string) result {
	return c.run(filepath.Join(root, "bin", "flink"), args...)
}

// session runs bin/yarn-session.sh with args.
func (c command) session(args ...string) result {
	return c.run(filepath.Join(root, "bin", "yarn-session.sh"), args...)
}

func (c command) run(program string, args ...string) result {
	c.t.Helper()
	limit := c.timeout
	if limit == 0 {
		limit = 2 * time.Minute
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = c.env
	cmd.Dir = root
	cmd.Stdin = strings.NewReader(c.stdin)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 2 * time.Second
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	begin := time.Now()
	err := cmd.Run()
	r := result{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String(), time.Since(begin)}
	c.t.Logf("$ %s %s\n  exit code %d, %.1f s", filepath.Base(program), strings.Join(args, " "), r.code, r.took.Seconds())
	if ctx.Err() != nil {
		c.t.Fatalf("%s did not end within %v\nstdout:\n%s\nstderr:\n%s", filepath.Base(program), limit, r.stdout, r.stderr)
	}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		c.t.Fatalf("%s: %v", program, err)
	}
	return r
}

// ok fails the test unless the command succeeded.
func (r result) ok(t *testing.T) result {
	t.Helper()
	if r.code != 0 {
		t.Fatalf("exit code %d\nstdout:\n%s\nstderr:\n%s", r.code, r.stdout, r.stderr)
	}
	return r
}

var (
	applicationID = regexp.MustCompile(`application_\d+_\d+`)
	jobIDLine     = regexp.MustCompile(`(?m)^Job has been submitted with JobID ([0-9a-f]{32})$`)
	savepointLine = regexp.MustCompile(`(?m)^Savepoint completed\. Path: (\S+)$`)
)

func (r result) match(t *testing.T, re *regexp.Regexp) string {
	t.Helper()
	m := re.FindStringSubmatch(r.stdout)
	if m == nil {
		t.Fatalf("no %s in\nstdout:\n%s\nstderr:\n%s", re, r.stdout, r.stderr)
	}
	return m[len(m)-1]
}

// eventually polls until ok is true.
func eventually(t *testing.T, what string, limit time.Duration, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(limit)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %v", what, limit)
		}
		<-tick.C
	}
}

// environment returns this process's environment with changes, without the
// variables by which a user's own Hadoop or Flink would be found.
func environment(changes ...string) []string {
	var env []string
	for _, kv := range os.Environ() {
		name, _, _ := strings.Cut(kv, "=")
		switch name {
		case "HADOOP_CONF_DIR", "YARN_CONF_DIR", "HADOOP_HOME", "FLINK_CONF_DIR", "FLINK_LOG_DIR", "HADOOP_USER_NAME":
			continue
		}
		env = append(env, kv)
	}
	return append(env, changes...)
}
