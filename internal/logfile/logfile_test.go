package logfile

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestLayoutAndLevels(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log", "jobmanager.log")
	f, err := Open(Options{Path: path, Levels: map[string]slog.Level{"internal": slog.LevelWarn, "quiet": slog.LevelError}})
	if err != nil {
		t.Fatal(err)
	}
	log := f.Logger()
	log.Info("below the package's level")
	log.Warn("seen", "job", "a b")
	log.WithGroup("quiet").Warn("too low")
	log.WithGroup("other").With("task", 3).Info("with")
	f.Close()
	log.Error("dropped after Close")
	lines := strings.Split(strings.TrimSpace(read(t, path)), "\n")
	want := []string{
		`^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} WARN  internal/logfile +\[\] - seen job=a b$`,
		`^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} INFO  other +\[\] - with task=3$`,
	}
	if len(lines) != len(want) {
		t.Fatalf("%d lines: %q", len(lines), lines)
	}
	for i := range want {
		if !regexp.MustCompile(want[i]).MatchString(lines[i]) {
			t.Errorf("line %q does not match %s", lines[i], want[i])
		}
	}
}

func TestRotation(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.log")
	f, err := Open(Options{Path: path, MaxBytes: 100, Keep: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for i := range 10 {
		f.WriteString(fmt.Sprintf("%059d\n", i))
	}
	files, _ := filepath.Glob(path + "*")
	if len(files) != 3 {
		t.Errorf("%d files, want the log and 2 old ones: %v", len(files), files)
	}
	if got := read(t, path); !strings.HasSuffix(got, "9\n") {
		t.Errorf("the newest line is not in the log: %q", got)
	}
	if got := read(t, path+".2"); !strings.HasSuffix(got, "7\n") {
		t.Errorf("oldest kept file: %q", got)
	}
}

// TestEcho: lines of the user's code go to the terminal too, ours do not.
func TestEcho(t *testing.T) {
	var terminal strings.Builder
	path := filepath.Join(t.TempDir(), "worker.log")
	f, err := Open(Options{Path: path, Echo: &terminal})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	f.Logger().Info("ours")
	if err := f.Logger().Handler().Handle(t.Context(), slog.NewRecord(time.Now(), slog.LevelInfo, "theirs", 0)); err != nil {
		t.Fatal(err)
	}
	if text := read(t, path); !strings.Contains(text, "ours") || !strings.Contains(text, "theirs") {
		t.Errorf("the file has %q", text)
	}
	if text := terminal.String(); strings.Contains(text, "ours") || !strings.Contains(text, "theirs") {
		t.Errorf("the terminal has %q", text)
	}
}
