package taskmanager

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"goflink/control"
)

const (
	// logChunk is the data of one reply.
	logChunk = 256 << 10
	// logLimit bounds the data of one request: whoever wants more asks again
	// with the next offset, and a slow reader never fills our memory.
	logLimit = 8 << 20
	// maxLogFiles bounds a listing.
	maxLogFiles = 1000
)

// serveLog answers a request with one or more replies, the last one marked.
func serveLog(dir string, r *control.LogRequest, reply func(*control.LogReply)) {
	var err error
	if r.Name == "" {
		var files []*control.LogFile
		if files, err = listLogs(dir); err == nil {
			reply(&control.LogReply{RequestId: r.RequestId, Files: files, Last: true})
		}
	} else {
		err = readLog(dir, r, reply)
	}
	if err != nil {
		reply(&control.LogReply{RequestId: r.RequestId, Error: err.Error(), Last: true})
	}
}

func listLogs(dir string) ([]*control.LogFile, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, errors.New("the log folder cannot be read")
	}
	var files []*control.LogFile
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || !info.Mode().IsRegular() || len(files) == maxLogFiles {
			continue
		}
		files = append(files, &control.LogFile{Name: e.Name(), Size: info.Size(), MtimeMs: info.ModTime().UnixMilli()})
	}
	return files, nil
}

// readLog reads a regular file of the folder: no other folder, no link out of
// it, nothing that would block.
func readLog(dir string, r *control.LogRequest, reply func(*control.LogReply)) error {
	if r.Name != filepath.Base(r.Name) || strings.ContainsAny(r.Name, "/\\\x00") || r.Name == "." || r.Name == ".." {
		return fmt.Errorf("%q is no name of a log file", r.Name)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return errors.New("the log folder cannot be read")
	}
	defer root.Close()
	info, err := root.Lstat(r.Name)
	if err != nil || !info.Mode().IsRegular() {
		return fmt.Errorf("there is no log file %q", r.Name)
	}
	f, err := root.Open(r.Name)
	if err != nil {
		return fmt.Errorf("log file %q cannot be read", r.Name)
	}
	defer f.Close()
	left := r.Limit
	if left <= 0 || left > logLimit {
		left = logLimit
	}
	section := io.NewSectionReader(f, max(0, r.Offset), left)
	for {
		data := make([]byte, logChunk)
		n, err := io.ReadFull(section, data)
		last := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
		if err != nil && !last {
			return fmt.Errorf("reading log file %q: %w", r.Name, err)
		}
		reply(&control.LogReply{RequestId: r.RequestId, Data: data[:n], Last: last})
		if last {
			return nil
		}
	}
}
