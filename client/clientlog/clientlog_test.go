package clientlog

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"
)

func TestConsole(t *testing.T) {
	var out, log bytes.Buffer
	at := time.Date(2026, 11, 20, 9, 10, 34, 470*int(time.Millisecond), time.Local)
	c := &Console{Out: &out, Now: func() time.Time { return at }, Log: slog.New(slog.NewTextHandler(&log, nil))}
	c.Infof(Descriptor, "Deploying cluster, current state %s", "ACCEPTED")
	c.Errorf(SessionCLI, "no")
	if !strings.HasPrefix(out.String(), "2026-11-20 09:10:34,470 INFO  org.apache.flink.yarn.YarnClusterDescriptor                  [] - Deploying cluster, current state ACCEPTED\n") || !strings.Contains(out.String(), "ERROR "+SessionCLI) {
		t.Errorf("printed %q", out.String())
	}
	if !strings.Contains(log.String(), "Deploying") {
		t.Errorf("logged %q", log.String())
	}
}
