package hadooptest

import (
	"os"
	"slices"
	"strings"
	"testing"
)

func TestMain(m *testing.M) { os.Exit(Main(m)) }

func TestOptions(t *testing.T) {
	o := Options{Nodes: 3, HA: true, Settings: map[string]string{"b": "2", "a": "1"}, Args: []string{"--no-pmem-check"}}
	want := "--nodes 3 --ha -D a=1 -D b=2 --no-pmem-check"
	if got := strings.Join(o.args(), " "); got != want {
		t.Fatalf("got %q, want %q", got, want)
	}
}

func TestFindScript(t *testing.T) {
	if script, err := findScript(); err != nil || !strings.HasSuffix(script, "scripts/hadoop/hadoop-local") {
		t.Fatalf("got %q, %v", script, err)
	}
}

func TestCluster(t *testing.T) {
	if os.Getenv("GOFLINK_E2E") == "" {
		t.Skip("starts a real Hadoop cluster: set GOFLINK_E2E=1")
	}
	c := Start(t, Options{Nodes: 1})
	if !slices.Contains(c.Env(), "HADOOP_CONF_DIR="+c.ConfDir()) {
		t.Fatalf("HADOOP_CONF_DIR is missing in %v", c.Env())
	}
	if out := c.HDFS("dfs", "-ls", "/"); !strings.Contains(out, "/user") {
		t.Fatalf("hdfs dfs -ls / prints %q", out)
	}
	entries, err := c.FS().List(t.Context(), "/user")
	if err != nil || len(entries) < 4 {
		t.Fatalf("/user holds %v, %v", entries, err)
	}
	c.Kill("rm")
	again := Start(t, Options{Nodes: 1})
	if again.BasePort() != c.BasePort() {
		t.Fatal("a second cluster was started")
	}
	if out := again.YARN("node", "-list"); !strings.Contains(out, "RUNNING") {
		t.Fatalf("yarn node -list prints %q", out)
	}
}
