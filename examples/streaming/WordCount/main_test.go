package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"goflink/stream"
	"goflink/stream/streamtest"
)

// job runs the example and returns what it printed and what it told the user.
func job(t *testing.T, args ...string) (lines []string, said string) {
	t.Helper()
	var out bytes.Buffer
	env := stream.NewEnv(stream.Settings{Args: args, Planning: true, Stdout: &out})
	if err := build(env); err != nil {
		t.Fatal(err)
	}
	p, err := env.Program()
	if err != nil {
		t.Fatal(err)
	}
	c, err := streamtest.New(p, streamtest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Run(); err != nil {
		t.Fatal(err)
	}
	return c.Lines(), out.String()
}

func TestDefaultText(t *testing.T) {
	lines, said := job(t)
	if want := "Executing example with default input data.\nUse --input to specify file input.\nPrinting result to stdout. Use --output to specify output path.\n"; said != want {
		t.Errorf("said %q", said)
	}
	if len(lines) != 287 || lines[0] != "(to,1)" || lines[1] != "(be,1)" || !slices.Contains(lines, "(the,22)") || slices.Contains(lines, "(the,23)") {
		t.Errorf("%d lines, %v…", len(lines), lines[:2])
	}
}

func TestFiles(t *testing.T) {
	dir := t.TempDir()
	in, out := filepath.Join(dir, "in"), filepath.Join(dir, "out")
	if err := os.WriteFile(in, []byte("A b\na\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if lines, said := job(t, "--input", in, "--output", out, "--execution-mode", "batch"); len(lines) > 0 || said != "" {
		t.Errorf("printed %v, said %q", lines, said)
	}
	var got []string
	files, _ := filepath.Glob(filepath.Join(out, "part-*"))
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, strings.Fields(string(b))...)
	}
	slices.Sort(got)
	if strings.Join(got, " ") != "(a,2) (b,1)" {
		t.Errorf("got %v", got)
	}
}
