package hadooptest

import (
	"strings"
	"testing"
)

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
