//go:build e2e

package hadooptest

import (
	"os"
	"slices"
	"strings"
	"testing"
)

func TestMain(m *testing.M) { os.Exit(Main(m)) }

func TestCluster(t *testing.T) {
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
