// Package logfile writes the log of one process: lines in the layout of
// Flink's log files, under Flink's file names, rotated by size, with levels by
// package. Daemons, workers and the client open one each.
//
// Goroutines: none. Locks: File.mu orders lines and rotation; nothing is
// called under it.
package logfile

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"goflink/conf"
)

// Options say where a log goes.
type Options struct {
	// Path of the file; its folder is made when it is absent.
	Path string
	// Level is the least one that is written.
	Level slog.Level
	// Levels are other ones for packages, by their path below the module
	// ("jobmanager", "taskmanager/worker").
	Levels map[string]slog.Level
	// MaxBytes is the size at which the file is renamed to .1, .2 …; 0: never.
	MaxBytes int64
	// Keep is how many of these are kept.
	Keep int
	// Shared files belong to another process that rotates them.
	Shared bool
	// Echo also takes the lines that the user's own code logs, for programs
	// that run on a terminal; nil: no one.
	Echo io.Writer
}

// FromConf takes levels and rotation from the configuration (env.log.*).
func FromConf(path string, c *conf.Config) Options {
	o := Options{Path: path, Level: level(string(conf.EnvLogLevel.Get(c))), Levels: map[string]slog.Level{},
		MaxBytes: int64(conf.EnvLogMaxSize.Get(c)), Keep: conf.EnvLogMax.Get(c)}
	for pkg, l := range conf.EnvLogLevels.Get(c) {
		o.Levels[pkg] = level(l)
	}
	return o
}

func level(name string) slog.Level {
	var l slog.Level
	if err := l.UnmarshalText([]byte(name)); err != nil {
		return slog.LevelInfo
	}
	return l
}

// File is an open log.
type File struct {
	o    Options
	min  slog.Level
	mu   sync.Mutex
	w    *os.File
	size int64
}

// Open opens the log for appending.
func Open(o Options) (*File, error) {
	f := &File{o: o, min: o.Level}
	for _, l := range o.Levels {
		f.min = min(f.min, l)
	}
	if err := os.MkdirAll(filepath.Dir(o.Path), 0o755); err != nil {
		return nil, fmt.Errorf("the log folder: %w", err)
	}
	return f, f.open()
}

func (f *File) open() error {
	w, err := os.OpenFile(f.o.Path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("the log file: %w", err)
	}
	info, err := w.Stat()
	if err != nil {
		w.Close()
		return fmt.Errorf("the log file: %w", err)
	}
	f.w, f.size = w, info.Size()
	return nil
}

// Path is where the log is.
func (f *File) Path() string { return f.o.Path }

// Logger writes to the file.
func (f *File) Logger() *slog.Logger { return slog.New(&handler{file: f}) }

// Close closes the file; later lines are dropped.
func (f *File) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.w == nil {
		return nil
	}
	err := f.w.Close()
	f.w = nil
	return err
}

// WriteString appends whole lines. Errors are dropped: a full disk must not
// end a job.
func (f *File) WriteString(lines string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.w == nil {
		return
	}
	if f.o.MaxBytes > 0 && !f.o.Shared && f.size+int64(len(lines)) > f.o.MaxBytes && f.size > 0 {
		f.rotate()
	}
	n, _ := io.WriteString(f.w, lines)
	f.size += int64(n)
}

// rotate renames path to path.1, that to path.2, and so on, and begins anew. A
// file that cannot be renamed only grows.
func (f *File) rotate() {
	old := f.w
	if f.o.Keep < 1 {
		_ = os.Remove(f.o.Path)
	} else {
		for i := f.o.Keep - 1; i >= 1; i-- {
			_ = os.Rename(fmt.Sprintf("%s.%d", f.o.Path, i), fmt.Sprintf("%s.%d", f.o.Path, i+1))
		}
		_ = os.Rename(f.o.Path, f.o.Path+".1")
	}
	if f.open() != nil {
		f.w = old
		return
	}
	old.Close()
}

// Line is a line in the layout of Flink's log files:
// %d{yyyy-MM-dd HH:mm:ss,SSS} %-5p %-60c %x - %m%n
func Line(t time.Time, level, logger, msg string) string {
	return fmt.Sprintf("%s %-5s %-60s [] - %s\n", t.Format("2006-01-02 15:04:05,000"), level, logger, strings.TrimRight(msg, "\n"))
}
