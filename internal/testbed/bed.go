package testbed

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"goflink/hdfsstore"
	"goflink/internal/hadooptest"
)

// marker is the environment variable by which processes of tests are found.
const marker = "GOFLINK_TESTBED"

// User is who the tests are in HDFS and YARN.
const User = "alice"

// Root is the repository.
var root = func() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Dir(filepath.Dir(filepath.Dir(file)))
}()

// Root is the folder of the repository.
func Root() string {
	if _, err := os.Stat(filepath.Join(root, "go.mod")); err == nil {
		return root
	}
	dir, err := os.Getwd() // built with -trimpath: look above the test's folder
	for err == nil && dir != filepath.Dir(dir) {
		if _, e := os.Stat(filepath.Join(dir, "go.mod")); e == nil {
			return dir
		}
		dir = filepath.Dir(dir)
	}
	return "."
}

// Bed is one test's place on a cluster.
type Bed struct {
	T       testing.TB
	Cluster *hadooptest.Cluster // nil without Hadoop
	Name    string              // the YARN tag of its applications
	Home    string              // local folder with conf/, log/ and notes/
	Dir     string              // folder in HDFS, of its own

	fs hdfsstore.FS
}

// Options say what a test needs.
type Options struct {
	// Hadoop is the cluster; nil: none, as for embedded and standalone runs.
	Hadoop *hadooptest.Cluster
	// Conf is added to conf/config.yaml.
	Conf map[string]string
}

var plain = regexp.MustCompile(`[^a-z0-9]+`)

// New makes a place for a test and, when it ends, checks that nothing is left.
func New(t testing.TB, o Options) *Bed {
	t.Helper()
	name := "e2e-" + strings.Trim(plain.ReplaceAllString(strings.ToLower(t.Name()), "-"), "-") + fmt.Sprintf("-%d", os.Getpid())
	b := &Bed{T: t, Cluster: o.Hadoop, Name: name, Home: t.TempDir()}
	for _, dir := range []string{"conf", "log", "notes", "tmp"} {
		b.must(os.Mkdir(filepath.Join(b.Home, dir), 0o755))
	}
	settings := map[string]string{"io.tmp.dirs": filepath.Join(b.Home, "tmp")}
	if o.Hadoop != nil {
		settings = map[string]string{"yarn.tags": name, "yarn.properties-file.location": filepath.Join(b.Home, "notes")}
	}
	for k, v := range o.Conf {
		settings[k] = v
	}
	b.Configure(settings)
	if o.Hadoop != nil {
		b.fs = o.Hadoop.As(User).FS()
		b.Dir = "/user/" + User + "/" + name
		b.must(b.fs.Mkdir(t.Context(), b.Dir, 0o755))
	}
	t.Cleanup(b.clean)
	return b
}

// Configure writes conf/config.yaml.
func (b *Bed) Configure(settings map[string]string) {
	b.T.Helper()
	var text bytes.Buffer
	for k, v := range settings {
		fmt.Fprintf(&text, "%s: %q\n", k, v)
	}
	b.must(os.WriteFile(filepath.Join(b.Home, "conf", "config.yaml"), text.Bytes(), 0o644))
}

// Env is the environment of the user's commands.
func (b *Bed) Env() []string {
	env := cleanEnv()
	if b.Cluster != nil {
		env = append(env, "HADOOP_CONF_DIR="+b.Cluster.ConfDir(), "HADOOP_USER_NAME="+User)
	}
	return append(env, "FLINK_CONF_DIR="+filepath.Join(b.Home, "conf"), "FLINK_LOG_DIR="+filepath.Join(b.Home, "log"),
		"FLINK_PID_DIR="+filepath.Join(b.Home, "notes"), "TMPDIR="+filepath.Join(b.Home, "tmp"), marker+"="+b.Name)
}

// Must ends the test on an error.
func (b *Bed) Must(err error) { b.T.Helper(); b.must(err) }

func (b *Bed) must(err error) {
	b.T.Helper()
	if err != nil {
		b.T.Fatal(err)
	}
}

// clean ends what the test left running and reports it: a test ends what it
// starts, and our programs end what they start.
func (b *Bed) clean() {
	if b.T.Failed() {
		b.dump()
	}
	if b.Cluster != nil {
		b.checkApplications()
	}
	var left []Proc
	if !Poll(10*time.Second, func() bool { left = b.marked(); return len(left) == 0 }) {
		b.T.Errorf("processes are left:\n%s", procLines(left))
		for _, p := range left {
			_ = syscall.Kill(p.PID, syscall.SIGKILL) // it may have ended
		}
	}
	if b.Cluster != nil {
		if err := b.fs.Delete(context.Background(), b.Dir, true); err != nil {
			b.T.Error(err)
		}
	}
}

// checkApplications demands that the test's applications are over, with all
// that belonged to them.
func (b *Bed) checkApplications() {
	var running []App
	Poll(10*time.Second, func() bool {
		running = nil
		for _, a := range b.Applications() {
			if !a.Ended() {
				running = append(running, a)
			}
		}
		return len(running) == 0
	})
	for _, a := range running {
		b.T.Errorf("the application %s is still %s", a.ID, a.State)
		b.KillApplication(a.ID)
	}
	for _, a := range b.Applications() {
		b.checkGone(a.ID)
	}
}

// checkGone demands that nothing of an application is left.
func (b *Bed) checkGone(id string) {
	var left []Proc
	if !Poll(10*time.Second, func() bool { left = b.Processes(id); return len(left) == 0 }) {
		b.T.Errorf("processes of %s are left:\n%s", id, procLines(left))
		for _, p := range left {
			_ = syscall.Kill(p.PID, syscall.SIGKILL) // it may have ended
		}
	}
	if _, err := b.fs.Stat(context.Background(), b.StagingDir(id)); err == nil && !b.T.Failed() {
		b.T.Errorf("the folder %s of an application that is over is left", b.StagingDir(id))
	}
}

// dump logs what helps to understand a failure: the tails of the logs of the
// test's containers and clients.
func (b *Bed) dump() {
	var files []string
	if b.Cluster != nil {
		for _, a := range b.Applications() {
			b.T.Logf("%s: %s, %s, %d attempts: %s", a.ID, a.State, a.FinalStatus, b.attempts(a.ID), a.Diagnostics)
			files = append(files, b.logs(a.ID)...)
		}
	}
	local, _ := filepath.Glob(filepath.Join(b.Home, "log", "*")) // the pattern is good
	for _, f := range append(files, local...) {
		data, err := os.ReadFile(f)
		if err != nil || len(data) == 0 {
			continue
		}
		const most = 6000
		if len(data) > most && os.Getenv("GOFLINK_E2E_LOGS") == "" {
			data = data[len(data)-most:]
		}
		b.T.Logf("--- %s\n%s", f, data)
	}
}

// StartReaper starts the process that ends what this test binary leaves behind
// should it be killed. It returns the function that ends the reaper.
func StartReaper() (stop func(), err error) {
	id := fmt.Sprintf("-%d", os.Getpid())
	script := `cat >/dev/null
for e in /proc/[0-9]*/environ; do
  if tr '\0' '\n' <"$e" 2>/dev/null | grep -q "^` + marker + `=e2e-.*` + id + `$"; then p=${e#/proc/}; kill -9 "${p%/environ}" 2>/dev/null; fi
done`
	cmd := exec.Command("bash", "-c", script)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // Ctrl-C must not reach it
	alive, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return func() {
		_ = alive.Close()
		_ = cmd.Wait() // it found nothing, or ended it
	}, nil
}

// For is the same place for a subtest: failures are the subtest's.
func (b *Bed) For(t testing.TB) *Bed {
	out := *b
	out.T = t
	return &out
}
