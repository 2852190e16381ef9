// Package clientlog prints the lines that Flink's YARN client logs to the
// terminal, because wrappers match them; they go to the client's log too (see
// internal/logfile).
//
// Who calls it: client/cli and client/yarn. Goroutines and locks: none.
package clientlog

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"goflink/internal/logfile"
)

// Console prints the lines that Flink's YARN client logs to the terminal, under
// the names of its classes, because wrappers match them; they go to the log too.
type Console struct {
	Out io.Writer
	Now func() time.Time
	Log *slog.Logger
}

// Loggers of the lines, as wrappers know them.
const (
	Descriptor = "org.apache.flink.yarn.YarnClusterDescriptor"
	SessionCLI = "org.apache.flink.yarn.cli.FlinkYarnSessionCli"
	YarnClient = "org.apache.hadoop.yarn.client.api.impl.YarnClientImpl"
	RMProxy    = "org.apache.hadoop.yarn.client.DefaultNoHARMFailoverProxyProvider"
)

// Infof prints an INFO line.
func (c *Console) Infof(logger, format string, args ...any) {
	c.print(slog.LevelInfo, logger, fmt.Sprintf(format, args...))
}

// Warnf prints a WARN line.
func (c *Console) Warnf(logger, format string, args ...any) {
	c.print(slog.LevelWarn, logger, fmt.Sprintf(format, args...))
}

// Errorf prints an ERROR line.
func (c *Console) Errorf(logger, format string, args ...any) {
	c.print(slog.LevelError, logger, fmt.Sprintf(format, args...))
}

func (c *Console) print(level slog.Level, logger, msg string) {
	_, err := io.WriteString(c.Out, logfile.Line(c.Now(), level.String(), logger, msg))
	if err != nil && !errors.Is(err, os.ErrClosed) {
		c.Log.Debug("the terminal is gone", "error", err)
	}
	c.Log.WithGroup(logger).Log(context.Background(), level, msg)
}
