package hadooptest

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Options say what cluster a test needs. The zero value is two nodes without
// Kerberos and without high availability.
type Options struct {
	// Nodes is the number of NodeManagers and DataNodes; 0 means 2.
	Nodes int
	// MemoryMB and VCores are what a NodeManager offers; 0 means 8192 and 8.
	MemoryMB int
	VCores   int
	// Secure demands Kerberos; HA has two of each master and ZooKeeper.
	Secure bool
	HA     bool
	// BasePort is the first of the cluster's hundred ports; 0 chooses a free one.
	BasePort int
	// Settings are further Hadoop settings.
	Settings map[string]string
	// Args are further options of "hadoop-local start".
	Args []string
}

func (o Options) args() []string {
	nodes := o.Nodes
	if nodes == 0 {
		nodes = 2
	}
	out := []string{"--nodes", strconv.Itoa(nodes)}
	if o.MemoryMB > 0 {
		out = append(out, "--memory", strconv.Itoa(o.MemoryMB))
	}
	if o.VCores > 0 {
		out = append(out, "--vcores", strconv.Itoa(o.VCores))
	}
	if o.Secure {
		out = append(out, "--secure")
	}
	if o.HA {
		out = append(out, "--ha")
	}
	keys := make([]string, 0, len(o.Settings))
	for k := range o.Settings {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		out = append(out, "-D", k+"="+o.Settings[k])
	}
	return append(out, o.Args...)
}

// startLimit bounds a start: two minutes of the script's own, twice that of
// fetching jars the first time.
const startLimit = 12 * time.Minute

var shared struct {
	sync.Mutex
	clusters map[string]*Cluster
}

// Start gives a running cluster with these options, a new one or that of an
// earlier test of the same binary. Daemons that an earlier test has killed and
// not restarted are restarted.
func Start(t testing.TB, o Options) *Cluster {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	key := fmt.Sprint(o.BasePort, o.args())
	c := shared.clusters[key]
	var err error
	if c == nil {
		c, err = start(o)
	} else {
		err = c.revive()
	}
	if err != nil {
		t.Fatalf("Hadoop cluster: %v", err)
	}
	if shared.clusters == nil {
		shared.clusters = map[string]*Cluster{}
	}
	shared.clusters[key] = c
	return c.forTest(t)
}

// Main runs the tests of a binary and stops its clusters; TestMain calls it:
//
//	func TestMain(m *testing.M) { os.Exit(hadooptest.Main(m)) }
//
// Without it the clusters stop, too, only nobody waits for them.
func Main(m *testing.M) int {
	code := m.Run()
	shared.Lock()
	defer shared.Unlock()
	for _, c := range shared.clusters {
		if err := c.stop(); err != nil {
			fmt.Fprintln(os.Stderr, "stop the Hadoop cluster:", err)
		}
	}
	shared.clusters = nil
	return code
}

func start(o Options) (*Cluster, error) {
	script, err := findScript()
	if err != nil {
		return nil, err
	}
	if port := os.Getenv("GOFLINK_HADOOP_BASE_PORT"); port != "" && fmt.Sprint(o) == fmt.Sprint(Options{}) {
		n, err := strconv.Atoi(port)
		if err != nil {
			return nil, fmt.Errorf("GOFLINK_HADOOP_BASE_PORT=%s is no number", port)
		}
		c := &Cluster{script: script, port: n}
		return c, c.loadEnv()
	}
	if out, err := run(startLimit, nil, filepath.Join(filepath.Dir(script), "install"), installArgs(o)...); err != nil {
		return nil, fmt.Errorf("scripts/hadoop/install: %w\n%s", err, out)
	}
	port, lock, err := choosePort(o.BasePort)
	if err != nil {
		return nil, err
	}
	c := &Cluster{script: script, port: port}
	if err := c.guard(lock); err != nil {
		return nil, err
	}
	if out, err := c.command(startLimit, append([]string{"start"}, o.args()...)...); err != nil {
		return nil, errors.Join(fmt.Errorf("start: %w\n%s", err, out), c.stop())
	}
	return c, c.loadEnv()
}

func installArgs(o Options) []string {
	if o.Secure {
		return []string{"hadoop", "--secure"}
	}
	return []string{"hadoop"}
}

// findScript looks for scripts/hadoop in the folders above the test's.
func findScript() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		script := filepath.Join(dir, "scripts", "hadoop", "hadoop-local")
		if _, err := os.Stat(script); err == nil {
			return script, nil
		}
		if dir == filepath.Dir(dir) {
			return "", errors.New("no scripts/hadoop/hadoop-local in the folders above")
		}
		dir = filepath.Dir(dir)
	}
}

// Base ports to choose from: below the system's ephemeral ports, above what
// people start by hand.
const (
	firstBasePort = 23500
	lastBasePort  = 31900
)

// choosePort finds a base port that no cluster uses and no other test binary has
// chosen, which the lock file tells.
func choosePort(wanted int) (int, *os.File, error) {
	first, last := firstBasePort, lastBasePort
	if wanted != 0 {
		first, last = wanted, wanted
	}
	for port := first; port <= last; port += 100 {
		lock, err := os.OpenFile(filepath.Join(os.TempDir(), fmt.Sprintf("goflink-hadoop-%d.lock", port)), os.O_CREATE|os.O_RDWR, 0o666)
		if err != nil {
			return 0, nil, err
		}
		if syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil && isFree(port) {
			return port, lock, nil
		}
		if err := lock.Close(); err != nil {
			return 0, nil, err
		}
	}
	return 0, nil, fmt.Errorf("no free base port from %d to %d", first, last)
}

func isFree(port int) bool {
	for _, host := range []string{"127.0.0.1", "127.0.0.2", "127.0.0.11", "127.0.0.12"} {
		for _, offset := range []int{0, 1, 10, 11, 12, 13, 14, 20, 21, 22, 30, 31, 32, 40, 50, 60} {
			l, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port+offset)))
			if err != nil {
				return false
			}
			if l.Close() != nil {
				return false
			}
		}
	}
	return true
}

// guard starts the process that stops the cluster when this one is gone. It
// holds the port's lock until then.
func (c *Cluster) guard(lock *os.File) error {
	wipe := "--wipe"
	if os.Getenv("GOFLINK_HADOOP_KEEP") != "" {
		wipe = ""
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer null.Close()
	cmd := exec.Command("bash", "-c", `cat >/dev/null; exec "$0" stop $2 --base-port "$1"`, c.script, strconv.Itoa(c.port), wipe)
	cmd.Stdout, cmd.Stderr = null, null // not the test's: go test waits for their end
	cmd.ExtraFiles = []*os.File{lock}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // Ctrl-C must not reach it
	if c.alive, err = cmd.StdinPipe(); err != nil {
		return err
	}
	c.guardian = cmd
	return errors.Join(cmd.Start(), lock.Close())
}

// stop lets the guardian do its work and waits for it.
func (c *Cluster) stop() error {
	if c.guardian == nil {
		return nil
	}
	guardian := c.guardian
	c.guardian = nil
	if err := c.alive.Close(); err != nil {
		return err
	}
	return guardian.Wait()
}

// loadEnv reads what "hadoop-local env" exports.
func (c *Cluster) loadEnv() error {
	out, err := c.command(time.Minute, "env")
	if err != nil {
		return fmt.Errorf("env: %w\n%s", err, out)
	}
	// A shell undoes the quoting.
	plain, err := run(time.Minute, nil, "env", "-i", "bash", "--norc", "-c", string(out)+"\nexec env -0")
	if err != nil {
		return fmt.Errorf("env: %w\n%s", err, plain)
	}
	c.env = map[string]string{}
	for _, line := range bytes.Split(plain, []byte{0}) {
		key, value, ok := strings.Cut(string(line), "=")
		if ok && key != "PWD" && key != "SHLVL" && key != "_" && key != "OLDPWD" {
			c.env[key] = value
		}
	}
	return nil
}

// revive restarts what is down, and resumes what is paused.
func (c *Cluster) revive() error {
	out, _ := c.command(time.Minute, "status") // fails when a daemon is down, which is what we look for
	lines := bufio.NewScanner(bytes.NewReader(out))
	for lines.Scan() {
		f := strings.Fields(lines.Text())
		if len(f) < 2 {
			continue
		}
		var action string
		switch f[len(f)-1] {
		case "down":
			action = "restart"
		case "paused":
			action = "resume"
		default:
			continue
		}
		if out, err := c.command(3*time.Minute, action, f[0]); err != nil {
			return fmt.Errorf("%s %s: %w\n%s", action, f[0], err, out)
		}
	}
	return lines.Err()
}

// run runs a program to its end and returns what it printed.
func run(limit time.Duration, env []string, name string, args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = env
	cmd.WaitDelay = 5 * time.Second
	out, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		err = fmt.Errorf("no end after %v", limit)
	}
	return out, err
}
