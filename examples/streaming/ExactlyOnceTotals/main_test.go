package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"goflink/stream"
	"goflink/stream/streamtest"
)

// TestTotals kills the job three times, restores it at another parallelism, and
// compares the files with what a loop computes.
func TestTotals(t *testing.T) {
	const payments = 10_000
	want := map[Total]int64{}
	for i := range int64(payments) {
		p := payment(i)
		want[Total{Shop: p.Shop, Minute: p.At / 60_000 * 60_000}] += p.Cents
	}
	var lines []string
	for t, cents := range want {
		t.Cents = cents
		lines = append(lines, t.String())
	}
	slices.Sort(lines)
	dir := t.TempDir()
	var from *streamtest.Checkpoint
	for attempt := range 4 {
		from = run(t, dir, 1+attempt%3, attempt < 3, uint64(attempt), from)
	}
	if got := written(t, dir); !slices.Equal(got, lines) {
		t.Errorf("%d totals, want %d: %.3q and %.3q", len(got), len(lines), got, lines)
	}
}

// run runs the job, or a part of it, and returns its last checkpoint.
func run(t *testing.T, dir string, parallelism int, kill bool, seed uint64, from *streamtest.Checkpoint) *streamtest.Checkpoint {
	t.Helper()
	env := stream.NewEnv(stream.Settings{Args: []string{"--output", dir}})
	env.SetParallelism(parallelism)
	env.SetMaxParallelism(32)
	if err := build(env); err != nil {
		t.Fatal(err)
	}
	p, err := env.Program()
	if err != nil {
		t.Fatal(err)
	}
	c, err := streamtest.New(p, streamtest.Options{Seed: seed, RemoteShare: 0.5, CheckpointEvery: 10, Restore: from})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	steps := 1 << 40
	if kill {
		steps = 25
	}
	if err := c.RunSteps(steps); err != nil {
		t.Fatal(err)
	}
	return c.LastCheckpoint()
}

func written(t *testing.T, dir string) (lines []string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "day=1970-01-01", "*.csv"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if strings.HasPrefix(filepath.Base(f), ".") {
			continue
		}
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, strings.Fields(string(b))...)
	}
	slices.Sort(lines)
	return lines
}
