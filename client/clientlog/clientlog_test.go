package clientlog

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestLine(t *testing.T) {
	at := time.Date(2026, 11, 20, 9, 10, 34, 470*int(time.Millisecond), time.Local)
	got := Line(at, "INFO", Descriptor, "Submitting application master application_1795165672300_0007")
	want := "2026-11-20 09:10:34,470 INFO  org.apache.flink.yarn.YarnClusterDescriptor                  [] - Submitting application master application_1795165672300_0007\n"
	if got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestFile(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "log")
	o := Options{Dir: dir, User: "alice", Host: "node1", Kind: "client", Level: "INFO", MaxBytes: 200, Keep: 2}
	for i := range 6 {
		f, err := Open(o)
		if err != nil {
			t.Fatal(err)
		}
		f.Logger().Debug("not written")
		f.Logger().Info("run", "number", i)
		f.Logger().Warn("again", "number", i)
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		f.Logger().Info("after the end")
	}
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != 3 {
		t.Errorf("kept %v, want the log and two old ones", files)
	}
	data, err := os.ReadFile(filepath.Join(dir, "flink-alice-client-node1.log"))
	if err != nil {
		t.Fatal(err)
	}
	line := regexp.MustCompile(`^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} (INFO |WARN ) goflink\.client +\[\] - (run|again) number=\d$`)
	for l := range strings.Lines(string(data)) {
		if !line.MatchString(strings.TrimSuffix(l, "\n")) {
			t.Errorf("line %q", l)
		}
	}
}

func TestConsole(t *testing.T) {
	var out, log bytes.Buffer
	c := &Console{Out: &out, Now: func() time.Time { return time.Unix(0, 0) }, Log: slog.New(slog.NewTextHandler(&log, nil))}
	c.Infof(Descriptor, "Deploying cluster, current state %s", "ACCEPTED")
	c.Errorf(SessionCLI, "no")
	if !strings.Contains(out.String(), "[] - Deploying cluster, current state ACCEPTED\n") || !strings.Contains(out.String(), "ERROR "+SessionCLI) {
		t.Errorf("printed %q", out.String())
	}
	if !strings.Contains(log.String(), "Deploying") {
		t.Errorf("logged %q", log.String())
	}
}
