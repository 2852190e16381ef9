package conf

import (
	"slices"
	"strings"
	"testing"
)

func TestIdle(t *testing.T) {
	c := FromMap(map[string]string{
		"execution.checkpointing.snapshot-compression": "true", "state.backend.incremental": "true", "high-availability.type": "none",
		"metrics.reporter.prom.port": "9249", "fs.default-scheme": "hdfs:///", "yarn.heartbeat.interval": "5", "parallelism.default": "3",
	})
	var got []string
	for _, i := range Idle(c) {
		got = append(got, i.Key)
	}
	want := []string{"execution.checkpointing.snapshot-compression", "metrics.reporter.prom.port"}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	warnings, _ := Notes(c)
	if len(warnings) != 2 || !strings.Contains(warnings[0], "has no effect: snapshots are not compressed") {
		t.Errorf("got %q", warnings)
	}
}

// TestIdleKeysExist: the table names options and families, each once.
func TestIdleKeysExist(t *testing.T) {
	seen := map[string]bool{}
	for _, g := range idle {
		for _, k := range g.keys {
			known := registry.byKey[k] != nil
			for _, f := range registry.families {
				known = known || f.key == k
			}
			if !known || seen[k] {
				t.Errorf("%s: no option, or listed twice", k)
			}
			seen[k] = true
		}
	}
}
