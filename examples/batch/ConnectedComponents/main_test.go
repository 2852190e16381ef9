package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"goflink/stream/streamtest"
)

func run(t *testing.T, parallelism int, o streamtest.Options, args ...string) string {
	t.Helper()
	o.Dir = t.TempDir()
	lines, err := streamtest.Lines(build, parallelism, o, args...)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(lines, " ")
}

func TestConnectedComponents(t *testing.T) {
	want := "(1,1) (10,8) (11,1) (12,6) (13,13) (14,14) (15,15) (16,16) (2,1) (3,1) (4,1) (5,1) (6,6) (7,6) (8,8) (9,8)"
	for seed := range uint64(5) {
		if got := run(t, 1, streamtest.Options{Seed: seed, RemoteShare: 0.5}); got != want {
			t.Errorf("seed %d: got %s", seed, got)
		}
	}
}

func TestFiles(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"vertices": "3\n4\n5\n", "edges": "5 4\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	args := []string{"--vertices", filepath.Join(dir, "vertices"), "--edges", filepath.Join(dir, "edges")}
	if got := run(t, 1, streamtest.Options{}, args...); got != "(3,3) (4,4) (5,4)" {
		t.Errorf("got %s", got)
	}
	if got := run(t, 1, streamtest.Options{}, append(args, "--iterations", "1")...); got != "(3,3) (4,4) (5,4)" {
		t.Errorf("one round: got %s", got)
	}
}
