package program

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"goflink/conf"
	"goflink/control"
	"goflink/graph"
)

// jobMarker makes this test binary a job binary.
var jobMarker = control.MarkerHead + control.MarkerTail

// TestMain plays a job binary when the environment says so: what it does is
// its first argument.
func TestMain(m *testing.M) {
	if os.Getenv(control.EnvRole) == control.RolePlan {
		os.Exit(playJob(os.Args[1]))
	}
	if len(jobMarker) == 0 {
		panic("no marker")
	}
	// Under the race detector each process would wait a second at its end.
	if err := os.Setenv("GORACE", "atexit_sleep_ms=0"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

func playJob(behaviour string) int {
	fd := func(env string) *os.File {
		n, _ := strconv.Atoi(os.Getenv(env))
		return os.NewFile(uintptr(n), env)
	}
	data, err := io.ReadAll(fd(control.EnvBootstrapFD))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 3
	}
	var b control.Bootstrap
	if err := proto.Unmarshal(data, &b); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 3
	}
	g := &graph.JobGraph{Version: graph.Version, Name: b.Config["pipeline.name"], MaxParallelism: 128, Protocol: control.ProtocolVersion, Vertices: []*graph.Vertex{{
		Id: strings.Repeat("ab", 16), Name: "Source", Parallelism: 1, MaxParallelism: 128, SlotSharingGroup: "default", Source: true,
		Operators: []*graph.Operator{{Id: strings.Repeat("ab", 16), Kind: "source", Name: "Source"}},
	}}}
	switch behaviour {
	case "good":
		fmt.Println("hello from build")
	case "fails":
		fmt.Fprintln(os.Stderr, "main.go:7: map function is nil")
		return 1
	case "fails-by-result":
		fmt.Fprint(fd(control.EnvResultFD), "main.go:8: no sink")
		return 1
	case "clock":
		g.Vertices[0].Operators[0].States = []*graph.State{{Name: fmt.Sprint("state-", time.Now().UnixNano()), Kind: "value"}}
	case "once":
		now, ok := b.Once["now"]
		if !ok {
			now = fmt.Append(nil, time.Now().UnixNano())
		}
		g.Once = map[string][]byte{"now": now}
		g.Vertices[0].Operators[0].States = []*graph.State{{Name: "state-" + string(now), Kind: "value"}}
	case "silent":
		return 0
	case "garbage":
		fmt.Fprint(fd(control.EnvResultFD), "certainly no graph")
		return 0
	case "hangs":
		select {}
	}
	out, _ := proto.Marshal(g)
	if _, err := fd(control.EnvResultFD).Write(out); err != nil {
		return 3
	}
	return 0
}

func self(t *testing.T) *File {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	f, err := Find(exe)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func plan(t *testing.T, behaviour string, c *conf.Config) (*graph.JobGraph, string, error) {
	t.Helper()
	var out bytes.Buffer
	if c == nil {
		c = conf.New()
	}
	g, err := Plan(context.Background(), Planning{File: self(t), Args: []string{behaviour}, Conf: c, Stdout: &out, Stderr: io.Discard})
	return g, out.String(), err
}

func TestPlan(t *testing.T) {
	c := conf.New()
	conf.PipelineName.Set(c, "my job")
	g, out, err := plan(t, "good", c)
	if err != nil {
		t.Fatal(err)
	}
	if out != "hello from build\n" {
		t.Errorf("the program's output went through as %q, want it once", out)
	}
	if g.Name != "my job" || g.Program.Sha256 != self(t).SHA256 || len(g.Program.Args) != 1 {
		t.Errorf("graph %v", g)
	}
	if _, _, err := plan(t, "once", nil); err != nil {
		t.Errorf("with stream.Once: %v", err)
	}
}

func TestPlanFailures(t *testing.T) {
	short := conf.New()
	conf.ClientTimeout.Set(short, 300*time.Millisecond)
	for _, c := range []struct {
		behaviour string
		conf      *conf.Config
		want      []string
	}{
		{"fails", nil, []string{"could not be planned", "main.go:7: map function is nil"}},
		{"fails-by-result", nil, []string{"main.go:8: no sink"}},
		{"clock", nil, []string{"stream.Once", "state-"}},
		{"silent", nil, []string{"stream.Main"}},
		{"garbage", nil, []string{"no plan"}},
		{"hangs", short, []string{"within 300ms", "client.timeout"}},
	} {
		t.Run(c.behaviour, func(t *testing.T) {
			_, _, err := plan(t, c.behaviour, c.conf)
			if err == nil {
				t.Fatal("planned")
			}
			for _, w := range c.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("error %q lacks %q", err, w)
				}
			}
		})
	}
}

func TestPlanIsCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := Plan(ctx, Planning{File: self(t), Args: []string{"hangs"}, Conf: conf.New(), Stdout: io.Discard, Stderr: io.Discard})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func elfHeader(machine byte) []byte {
	h := make([]byte, 64)
	copy(h, "\x7fELF\x02\x01\x01")
	h[16], h[18] = 2, machine
	return h
}

func TestFindRefuses(t *testing.T) {
	dir := t.TempDir()
	other := byte(0xb7) // arm64
	if runtime.GOARCH == "arm64" {
		other = 0x3e
	}
	own := byte(0x3e)
	if runtime.GOARCH == "arm64" {
		own = 0xb7
	}
	files := map[string][]byte{
		"Job.jar": []byte("PK\x03\x04..."), "empty": {}, "script": []byte("#!/bin/sh\n"), "text": []byte("hello"),
		"win.exe": []byte("MZ\x90"), "mac": []byte("\xcf\xfa\xed\xfe...."), "otherarch": elfHeader(other), "nojob": elfHeader(own), "cut": []byte("\x7fELF\x02\x01"),
	}
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]string{
		"absent": "does not exist", "absent.jar": "does not exist", ".": "is a folder", "Job.jar": "is a jar", "empty": "empty file", "script": "is a script",
		"text": "no executable", "win.exe": "built for Windows", "mac": "built for macOS", "otherarch": "GOARCH=" + runtime.GOARCH, "nojob": "is no goflink job", "cut": "cut off",
	} {
		_, err := Find(filepath.Join(dir, name))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
	if _, err := Find(filepath.Join(dir, "absent")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("absent: %v", err)
	}
}

func TestFindTakesTheBinaryOfAJar(t *testing.T) {
	dir := t.TempDir()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(exe, filepath.Join(dir, "WordCount")); err != nil {
		t.Fatal(err)
	}
	f, err := Find(filepath.Join(dir, "WordCount.jar"))
	if err != nil {
		t.Fatal(err)
	}
	if f.Name != "WordCount" || !strings.Contains(f.Note, "WordCount.jar does not exist") {
		t.Errorf("found %+v", f)
	}
}

func TestMarkerOverBorders(t *testing.T) {
	marker := []byte("0123456789")
	text := append(bytes.Repeat([]byte{'x'}, 37), marker...)
	text = append(text, 'y')
	for chunk := 1; chunk < len(text); chunk++ {
		s := &markerScan{marker: marker}
		for rest := text; len(rest) > 0; {
			n := min(chunk, len(rest))
			if _, err := s.Write(rest[:n]); err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
		if !s.found {
			t.Errorf("not found in chunks of %d", chunk)
		}
	}
}

func FuzzPlatform(f *testing.F) {
	f.Add(elfHeader(0x3e))
	f.Add([]byte("PK\x03\x04"))
	f.Fuzz(func(t *testing.T, header []byte) {
		if len(header) > 64 {
			header = header[:64]
		}
		_ = platform(header, "amd64")
	})
}
