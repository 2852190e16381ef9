package logfile

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"strings"
)

// module is cut from the front of package paths.
const module = "goflink/"

// handler turns records into lines; the logger's name is the package that
// wrote the record, or the group that was set.
type handler struct {
	file  *File
	attrs string
	name  string
}

// Enabled compares with the least of all levels: the package is known later.
func (h *handler) Enabled(_ context.Context, l slog.Level) bool { return l >= h.file.min }

// Handle writes one record. A multi-line value stays in it.
func (h *handler) Handle(_ context.Context, r slog.Record) error {
	from := functionOf(r.PC)
	name := h.name
	if name == "" {
		name = packageOf(from)
	}
	if r.Level < h.file.levelOf(name) {
		return nil
	}
	var b strings.Builder
	b.WriteString(r.Message)
	r.Attrs(func(a slog.Attr) bool {
		writeAttr(&b, a)
		return true
	})
	b.WriteString(h.attrs)
	line := Line(r.Time, r.Level.String(), name, b.String())
	h.file.WriteString(line)
	if h.file.o.Echo != nil && !strings.HasPrefix(from, module) {
		_, _ = io.WriteString(h.file.o.Echo, line) // as with the file: a log must not end a job
	}
	return nil
}

// levelOf finds the level of a package: its own or that of a folder above.
func (f *File) levelOf(pkg string) slog.Level {
	for len(f.o.Levels) > 0 && pkg != "" {
		if l, ok := f.o.Levels[pkg]; ok {
			return l
		}
		cut := strings.LastIndexByte(pkg, '/')
		if cut < 0 {
			break
		}
		pkg = pkg[:cut]
	}
	return f.o.Level
}

// functionOf is the function of a program counter; empty for lines of the
// package log, which tells none.
func functionOf(pc uintptr) string {
	frame, _ := runtime.CallersFrames([]uintptr{pc}).Next()
	return frame.Function
}

// packageOf is the package of a function, below the module.
func packageOf(function string) string {
	name := strings.TrimPrefix(function, module)
	slash := strings.LastIndexByte(name, '/')
	if dot := strings.IndexByte(name[slash+1:], '.'); dot >= 0 {
		name = name[:slash+1+dot]
	}
	return name
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
