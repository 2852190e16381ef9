package rest

import (
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
)

// maxLogFiles bounds a list of log files.
const maxLogFiles = 1000

// plainName tells whether name is the name of a file, without a way to another folder.
func plainName(name string) bool {
	return name != "" && name == filepath.Base(name) && filepath.IsLocal(name) && !strings.HasPrefix(name, ".") && !strings.ContainsAny(name, "\\\x00")
}

// LogFiles lists the regular files of a log folder, by name; an empty or absent folder has none.
func LogFiles(dir string) ([]LogFile, error) {
	entries, err := os.ReadDir(dir)
	if dir == "" || errors.Is(err, fs.ErrNotExist) {
		return []LogFile{}, nil
	}
	if err != nil {
		return nil, err
	}
	out := []LogFile{}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || !info.Mode().IsRegular() || !plainName(e.Name()) {
			continue
		}
		if len(out) == maxLogFiles {
			break
		}
		out = append(out, LogFile{Name: e.Name(), Size: info.Size(), Modified: info.ModTime().UnixMilli()})
	}
	return out, nil
}

// OpenLog opens a file of a log folder. The name is checked, and links out of the folder are not followed.
func OpenLog(dir, name string) (*os.File, error) {
	if dir == "" || !plainName(name) {
		return nil, NotFound("This process has no log file %q.", name)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, NotFound("The log folder cannot be opened.")
	}
	f, err := root.Open(name)
	if err := errors.Join(err, root.Close()); err != nil {
		return nil, NotFound("This process has no log file %q.", name)
	}
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, errors.Join(NotFound("This process has no log file %q.", name), f.Close())
	}
	return f, nil
}

func (s *Server) getLogs(*http.Request) (LogsAnswer, error) {
	files, err := LogFiles(s.o.LogDir)
	return LogsAnswer{Logs: files}, err
}

// serveLog sends a log file of this process; ranges are understood, so that a tail costs what it shows.
func (s *Server) serveLog(w http.ResponseWriter, r *http.Request, name string) {
	f, err := OpenLog(s.o.LogDir, name)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	defer s.closing(f, r)
	info, err := f.Stat()
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=UTF-8")
	s.deadlines(w, chunkTimeout)
	http.ServeContent(rollingWriter{w, func() { s.deadlines(w, chunkTimeout) }}, r, "", info.ModTime(), f)
}

// rollingWriter moves the deadlines on with every part that is sent.
type rollingWriter struct {
	http.ResponseWriter
	move func()
}

func (w rollingWriter) Write(p []byte) (int, error) {
	w.move()
	return w.ResponseWriter.Write(p)
}

func (s *Server) closing(c io.Closer, r *http.Request) {
	if err := c.Close(); err != nil {
		s.o.Log.Debug("closing what a REST request read failed", "path", r.URL.Path, "error", err)
	}
}

func (s *Server) serveTaskManagerLog(w http.ResponseWriter, r *http.Request, name string) {
	if !plainName(name) {
		s.refuse(w, r, NotFound("The TaskManager has no log file %q.", name))
		return
	}
	f, err := s.o.Cluster.TaskManagerLog(r.Context(), r.PathValue("id"), name)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	defer s.closing(f, r)
	w.Header().Set("Content-Type", "text/plain; charset=UTF-8")
	if _, err := io.Copy(rollingWriter{w, func() { s.deadlines(w, chunkTimeout) }}, f); err != nil {
		s.o.Log.Debug("a log file was not sent whole", "path", r.URL.Path, "error", err)
	}
}
