// Package clientlog writes what a client command does: into its log file, in
// the form and under the name of Flink's, and, for the lines that wrappers of
// Flink's YARN client match, onto the terminal.
//
// Who calls it: client/cli opens the file, client/yarn writes Console lines.
// Goroutines: none. Locks: a File's mutex orders lines and rotation; nothing is
// called while it is held.
package clientlog

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// Options say where a log goes. The zero values of Level, MaxBytes and Keep
// are INFO, no rotation and no old files.
type Options struct {
	// Dir is made when it is absent.
	Dir string
	// User, Host and Kind make the name: flink-<user>-<kind>-<host>.log.
	User, Host, Kind string
	// Level is the least one that is written: DEBUG, INFO, WARN, ERROR.
	Level string
	// MaxBytes is the size at which the file is renamed to .1, .2 … when it is
	// opened, Keep how many of these are kept.
	MaxBytes int64
	Keep     int
}

// File is an open log.
type File struct {
	level slog.Level
	path  string
	mu    struct {
		sync.Mutex
		w io.WriteCloser
	}
}

// Open opens the log for appending.
func Open(o Options) (*File, error) {
	if err := os.MkdirAll(o.Dir, 0o755); err != nil {
		return nil, fmt.Errorf("the client's log folder: %w", err)
	}
	f := &File{path: filepath.Join(o.Dir, fmt.Sprintf("flink-%s-%s-%s.log", clean(o.User), clean(o.Kind), clean(o.Host)))}
	if err := f.level.UnmarshalText([]byte(o.Level)); err != nil {
		f.level = slog.LevelInfo
	}
	if info, err := os.Stat(f.path); err == nil && o.MaxBytes > 0 && info.Size() >= o.MaxBytes {
		rotate(f.path, o.Keep)
	}
	w, err := os.OpenFile(f.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("the client's log: %w", err)
	}
	f.mu.w = w
	return f, nil
}

// Path is where the log is.
func (f *File) Path() string { return f.path }

// clean keeps a part of a file name from being more than a name.
func clean(part string) string {
	return strings.Map(func(r rune) rune {
		if r == '/' || r == 0 || r == '\n' {
			return '_'
		}
		return r
	}, part)
}

// rotate renames path to path.1, that to path.2, and so on. Errors are left to
// the open that follows: an old file that cannot be renamed only grows.
func rotate(path string, keep int) {
	if keep < 1 {
		_ = os.Remove(path)
		return
	}
	for i := keep - 1; i >= 1; i-- {
		_ = os.Rename(fmt.Sprintf("%s.%d", path, i), fmt.Sprintf("%s.%d", path, i+1))
	}
	_ = os.Rename(path, path+".1")
}

// Close closes the file; later lines are dropped.
func (f *File) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.mu.w == nil {
		return nil
	}
	err := f.mu.w.Close()
	f.mu.w = nil
	return err
}

// Logger writes to the file.
func (f *File) Logger() *slog.Logger { return slog.New(&handler{file: f}) }

func (f *File) write(line string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.mu.w == nil {
		return nil
	}
	_, err := io.WriteString(f.mu.w, line)
	return err
}

// handler turns records into lines of Flink's log layout.
type handler struct {
	file  *File
	attrs string
	name  string
}

// Enabled compares with the file's level.
func (h *handler) Enabled(_ context.Context, l slog.Level) bool { return l >= h.file.level }

// Handle writes one line. A multi-line value stays in one record.
func (h *handler) Handle(_ context.Context, r slog.Record) error {
	var b strings.Builder
	b.WriteString(r.Message)
	b.WriteString(h.attrs)
	r.Attrs(func(a slog.Attr) bool {
		writeAttr(&b, a)
		return true
	})
	name := h.name
	if name == "" {
		name = "goflink.client"
	}
	return h.file.write(Line(r.Time, r.Level.String(), name, b.String()))
}

// WithAttrs keeps attributes for later lines.
func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	next := *h
	var b strings.Builder
	for _, a := range attrs {
		writeAttr(&b, a)
	}
	next.attrs += b.String()
	return &next
}

// WithGroup makes the group's name the line's logger.
func (h *handler) WithGroup(name string) slog.Handler {
	next := *h
	next.name = name
	return &next
}

func writeAttr(b *strings.Builder, a slog.Attr) {
	if a.Equal(slog.Attr{}) {
		return
	}
	fmt.Fprintf(b, " %s=%v", a.Key, a.Value.Resolve())
}

// Line is a line in the layout of Flink's log files:
// %d{yyyy-MM-dd HH:mm:ss,SSS} %-5p %-60c %x - %m%n
func Line(t time.Time, level, logger, msg string) string {
	return fmt.Sprintf("%s %-5s %-60s [] - %s\n", t.Format("2006-01-02 15:04:05,000"), level, logger, msg)
}

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
	_, err := io.WriteString(c.Out, Line(c.Now(), level.String(), logger, msg))
	if err != nil && !errors.Is(err, os.ErrClosed) {
		c.Log.Debug("the terminal is gone", "error", err)
	}
	c.Log.WithGroup(logger).Log(context.Background(), level, msg)
}
