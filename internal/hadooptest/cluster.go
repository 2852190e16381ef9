package hadooptest

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"goflink/hadooprpc"
	"goflink/hdfsstore"
)

// Cluster is a running Hadoop cluster. Methods that a test calls end the test
// when they fail.
type Cluster struct {
	script   string
	port     int
	env      map[string]string
	alive    io.Closer // the guardian's standard input
	guardian *exec.Cmd
	t        testing.TB
	user     string
}

// commandLimit bounds one command: a Java client that waits for a dead daemon
// gives up after a minute or so.
const commandLimit = 3 * time.Minute

// forTest is the cluster as one test sees it.
func (c *Cluster) forTest(t testing.TB) *Cluster {
	out := *c
	out.t, out.guardian, out.alive = t, nil, nil
	return &out
}

// As is the cluster whose Hadoop clients run as another user.
func (c *Cluster) As(user string) *Cluster {
	out := *c
	out.user = user
	return &out
}

// BasePort is the first of its ports.
func (c *Cluster) BasePort() int { return c.port }

// Getenv is a variable that "hadoop-local env" exports, such as YARN_RM_ADDRESS.
func (c *Cluster) Getenv(key string) string { return c.env[key] }

// Env is the environment for a process that uses the cluster: that of the test
// with HADOOP_CONF_DIR and the rest set.
func (c *Cluster) Env() []string {
	out := slices.DeleteFunc(os.Environ(), func(kv string) bool {
		key, _, _ := strings.Cut(kv, "=")
		_, ours := c.env[key]
		return ours || key == "YARN_CONF_DIR" || key == "HADOOP_HOME"
	})
	for k, v := range c.env {
		out = append(out, k+"="+v)
	}
	slices.Sort(out)
	return out
}

// ConfDir is the folder of core-site.xml, hdfs-site.xml and yarn-site.xml.
func (c *Cluster) ConfDir() string { return c.env["HADOOP_CONF_DIR"] }

// Dir is the cluster's folder, with logs/ and data/.
func (c *Cluster) Dir() string { return c.env["HADOOP_LOCAL_DIR"] }

// URI is a path as an hdfs:// URI that names the cluster.
func (c *Cluster) URI(path string) string { return c.env["HDFS_URI"] + path }

// Conf is the cluster's Hadoop configuration.
func (c *Cluster) Conf() *hadooprpc.Conf {
	c.t.Helper()
	conf, err := hadooprpc.LoadConf(c.ConfDir())
	if err != nil {
		c.t.Fatal(err)
	}
	return conf
}

// FS is the cluster's HDFS through hdfsstore, as the system's user or the user
// of As. It is closed when the test ends.
func (c *Cluster) FS() hdfsstore.FS {
	c.t.Helper()
	r := hdfsstore.NewResolver(hdfsstore.Options{Hadoop: c.Conf(), User: c.user})
	c.t.Cleanup(func() {
		if err := r.Close(); err != nil {
			c.t.Error(err)
		}
	})
	fsys, _, err := r.Default()
	if err != nil {
		c.t.Fatal(err)
	}
	return fsys
}

// HDFS runs "hdfs ARGS" with Hadoop's own client and returns what it printed.
func (c *Cluster) HDFS(args ...string) string {
	c.t.Helper()
	return c.must(append([]string{"hdfs"}, args...)...)
}

// YARN runs "yarn ARGS" with Hadoop's own client and returns what it printed.
func (c *Cluster) YARN(args ...string) string {
	c.t.Helper()
	return c.must(append([]string{"yarn"}, args...)...)
}

// Try runs a command of hadoop-local, such as "hdfs", "dfs", "-ls", "/", which
// may fail.
func (c *Cluster) Try(args ...string) (string, error) {
	out, err := c.command(commandLimit, args...)
	return string(out), err
}

// Kill ends a daemon with SIGKILL: "nn", "rm", "dn", "2", "active-rm" and so on,
// as "hadoop-local --help" lists them.
func (c *Cluster) Kill(daemon ...string) {
	c.t.Helper()
	c.must(append([]string{"kill"}, daemon...)...)
}

// Restart ends a daemon if it runs, starts it and waits until it does its work.
func (c *Cluster) Restart(daemon ...string) {
	c.t.Helper()
	c.must(append([]string{"restart"}, daemon...)...)
}

// Pause stops a daemon with SIGSTOP, until Resume or the end of the test.
func (c *Cluster) Pause(daemon ...string) {
	c.t.Helper()
	c.must(append([]string{"pause"}, daemon...)...)
	c.t.Cleanup(func() {
		// It may have been resumed, killed or restarted meanwhile.
		_, _ = c.Try(append([]string{"resume"}, daemon...)...)
	})
}

// Resume lets a paused daemon go on.
func (c *Cluster) Resume(daemon ...string) {
	c.t.Helper()
	c.must(append([]string{"resume"}, daemon...)...)
}

// LogFile is the path of a daemon's log.
func (c *Cluster) LogFile(daemon ...string) string {
	c.t.Helper()
	return strings.TrimSpace(c.must(append([]string{"log"}, daemon...)...))
}

// Container is one container's process on this machine.
type Container struct {
	ID          string // container_…
	Application string // application_…
	Node        int    // of the NodeManager, from 1 on
	PID         int    // of the launch script's process group
	Alive       bool
}

// Containers lists the containers of which NodeManagers keep a process id, with
// whether the process lives. After its end a container vanishes from the list
// within seconds.
func (c *Cluster) Containers() []Container {
	c.t.Helper()
	files, err := filepath.Glob(filepath.Join(c.Dir(), "data", "nm*", "local", "nmPrivate", "application_*", "container_*", "container_*.pid"))
	if err != nil {
		c.t.Fatal(err)
	}
	var out []Container
	for _, file := range files {
		text, err := os.ReadFile(file)
		pid, perr := strconv.Atoi(strings.TrimSpace(string(text)))
		if err != nil || perr != nil {
			continue // it vanished, or is being written
		}
		parts := strings.Split(strings.TrimPrefix(file, filepath.Join(c.Dir(), "data")+"/"), "/")
		node, _ := strconv.Atoi(strings.TrimPrefix(parts[0], "nm"))
		out = append(out, Container{
			ID: filepath.Base(filepath.Dir(file)), Application: filepath.Base(filepath.Dir(filepath.Dir(file))),
			Node: node, PID: pid, Alive: alive(pid),
		})
	}
	return out
}

// alive tells whether a process exists and is no zombie.
func alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, after, ok := strings.Cut(string(stat), ") ")
	return ok && !strings.HasPrefix(after, "Z")
}

func (c *Cluster) must(args ...string) string {
	c.t.Helper()
	out, err := c.Try(args...)
	if err != nil {
		c.t.Fatalf("hadoop-local %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// command runs hadoop-local on this cluster.
func (c *Cluster) command(limit time.Duration, args ...string) ([]byte, error) {
	all := []string{"--base-port", strconv.Itoa(c.port)}
	if c.user != "" {
		all = append(all, "--as", c.user)
	}
	return run(limit, nil, c.script, append(all, args...)...)
}
