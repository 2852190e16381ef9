package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"goflink/stream"
	"goflink/stream/streamtest"
)

// TestRefresh changes the file of products while the job runs.
func TestRefresh(t *testing.T) {
	file := filepath.Join(t.TempDir(), "products.csv")
	write(t, file, "p0,apple\np1,pear\n")
	env := stream.NewEnv(stream.Settings{Args: []string{"--products", file, "--refresh", "1s"}})
	if err := build(env); err != nil {
		t.Fatal(err)
	}
	p, err := env.Program()
	if err != nil {
		t.Fatal(err)
	}
	c, err := streamtest.New(p, streamtest.Options{RemoteShare: 0.5})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()

	until(t, c, "p0,apple)")
	until(t, c, "p1,pear)")
	until(t, c, "p2,?)")
	write(t, file, "p1,peach\np2,plum\n")
	until(t, c, "p1,peach)")
	seen := len(c.Lines())
	until(t, c, "p2,plum)")
	until(t, c, "p0,?)")
	if later := strings.Join(c.Lines()[seen:], " "); strings.Contains(later, "apple") || strings.Contains(later, "pear)") {
		t.Errorf("old names after the new ones: %s", later)
	}
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// until runs the job until it prints a new line with this end.
func until(t *testing.T, c *streamtest.Cluster, end string) {
	t.Helper()
	from := len(c.Lines())
	for range 10_000 {
		if err := c.RunSteps(1); err != nil {
			t.Fatal(err)
		}
		for _, l := range c.Lines()[from:] {
			if strings.HasSuffix(l, end) {
				return
			}
		}
	}
	t.Fatalf("no line ends with %q", end)
}

// TestArguments: what is missing is said.
func TestArguments(t *testing.T) {
	for want, args := range map[string][]string{"--products FILE": nil, "--refresh": {"--products", "x", "--refresh", "often"}} {
		if err := build(stream.NewEnv(stream.Settings{Args: args})); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v", args, err)
		}
	}
}
