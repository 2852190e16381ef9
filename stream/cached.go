package stream

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"goflink/dataflow"
	"goflink/hdfsstore"
	"goflink/launch"
)

const (
	// maxShipped bounds the local files of a job together: they travel inside its
	// graph, which the JobManager keeps and sends to each worker.
	maxShipped = 1 << 20
	// maxCachedFiles bounds the files of a registered folder; the list of them is
	// part of the graph.
	maxCachedFiles = 10_000
)

// cachedFile is what RegisterCachedFile recorded.
type cachedFile struct {
	uri        string // empty: shipped
	executable bool
	Found      cachedInfo

	mu sync.Mutex // one fetch at a time in the process
}

// cachedInfo is what was found when the job was planned.
type cachedInfo struct {
	Folder bool
	Files  []cachedPart // of a file: one, with an empty path
	Data   []byte       // of a local file, which is shipped
}

// cachedPart is one file, by its path within the folder.
type cachedPart struct {
	Path string
	Size int64
}

// RegisterCachedFile makes a file or folder available to all functions under an
// alias (Setup.CachedFile), as Flink's distributed cache does: each worker process
// copies it to its local disk before it is used for the first time.
//
// uri with a scheme (hdfs:///…) is read by the workers. A path without a scheme is
// a file of the machine where the job is planned, and travels with the job: up to
// 1 MiB for all of them. That it is there is checked when the job is planned.
// executable makes the copy a program that may be run.
func (e *Env) RegisterCachedFile(uri, alias string, executable bool) {
	if alias == "" || e.cached[alias] != nil {
		e.failf("cached file %s: the alias %q is empty or was used before", uri, alias)
		return
	}
	c := &cachedFile{executable: executable}
	if strings.Contains(uri, "://") || strings.HasPrefix(uri, "file:") {
		c.uri = uri
	}
	c.Found = Once(e, "cached file "+alias, func() (cachedInfo, error) {
		if c.uri == "" {
			return readShipped(uri)
		}
		files, err := launch.OpenFiles(e.Conf())
		if err != nil {
			return cachedInfo{}, err
		}
		defer files.Close()
		return findCached(context.Background(), files, uri)
	})
	if e.shipped += len(c.Found.Data); e.shipped > maxShipped {
		e.failf("cached file %q: local files take more than %d bytes together: put %s into HDFS and register hdfs:///…", alias, maxShipped, uri)
	}
	e.cached[alias] = c
}

// readShipped reads a file of this machine.
func readShipped(path string) (cachedInfo, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return cachedInfo{}, err
	case info.IsDir():
		return cachedInfo{}, fmt.Errorf("%s is a folder of this machine: put it into HDFS and register hdfs:///…", path)
	case info.Size() > maxShipped:
		return cachedInfo{}, fmt.Errorf("%s has %d bytes, local files may have %d: put it into HDFS and register hdfs:///…", path, info.Size(), maxShipped)
	}
	data, err := os.ReadFile(path)
	return cachedInfo{Files: []cachedPart{{Size: int64(len(data))}}, Data: data}, err
}

// findCached lists what a URI names.
func findCached(ctx context.Context, files dataflow.FileSystems, uri string) (cachedInfo, error) {
	fs, path, err := files.For(uri)
	if err != nil {
		return cachedInfo{}, err
	}
	info, err := fs.Stat(ctx, path)
	if err != nil {
		return cachedInfo{}, fmt.Errorf("%s: %w", uri, err)
	}
	if !info.IsDir {
		return cachedInfo{Files: []cachedPart{{Size: info.Size}}}, nil
	}
	out := cachedInfo{Folder: true}
	if err := listCached(ctx, fs, path, "", &out); err != nil {
		return cachedInfo{}, fmt.Errorf("%s: %w", uri, err)
	}
	return out, nil
}

func listCached(ctx context.Context, fs hdfsstore.FS, root, under string, out *cachedInfo) error {
	children, err := fs.List(ctx, filepath.Join(root, under))
	if err != nil {
		return err
	}
	for _, c := range children {
		rel := filepath.Join(under, filepath.Base(c.Name))
		if c.IsDir {
			if err := listCached(ctx, fs, root, rel, out); err != nil {
				return err
			}
			continue
		}
		if len(out.Files) == maxCachedFiles {
			return fmt.Errorf("the folder has more than %d files: pack them into an archive", maxCachedFiles)
		}
		out.Files = append(out.Files, cachedPart{rel, c.Size})
	}
	return nil
}

// CachedFile is the local path of what was registered under an alias, copied to
// this process when it is asked for the first time. The copy is shared by all
// subtasks of the process and must not be changed; it goes with the job. When the
// graph is built the path is empty.
func (s *Setup[K]) CachedFile(alias string) string {
	c := s.o.env.cached[alias]
	if c == nil {
		s.fail(fmt.Errorf("no cached file %q: register it with Env.RegisterCachedFile before the operator is added", alias))
		return ""
	}
	if s.b == nil {
		return ""
	}
	path, err := c.local(s.b.t.env, alias)
	if err != nil {
		s.fail(fmt.Errorf("cached file %q: %w", alias, err))
	}
	return path
}

// local returns the copy in this process, and makes it when it is not there. It
// appears under its name when it is whole.
func (c *cachedFile) local(env *dataflow.Env, alias string) (string, error) {
	if env.Scratch == "" {
		return "", errors.New("the process has no folder for it")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	root := filepath.Join(env.Scratch, "cached")
	dir := filepath.Join(root, fmt.Sprintf("%x", sha256.Sum256([]byte(alias))))
	path := filepath.Join(dir, c.base())
	if _, err := os.Stat(dir); err == nil {
		return path, nil
	}
	if err := os.MkdirAll(root, 0o700); err != nil {
		return "", err
	}
	tmp, err := os.MkdirTemp(root, "fetch-*")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(tmp)
	if err := c.fetch(env, filepath.Join(tmp, c.base())); err != nil {
		return "", err
	}
	return path, os.Rename(tmp, dir)
}

// base is the name of the copy: that of the original, where it has one.
func (c *cachedFile) base() string {
	if c.uri == "" {
		return "file"
	}
	return filepath.Base(c.uri)
}

func (c *cachedFile) fetch(env *dataflow.Env, to string) error {
	if c.uri == "" {
		return os.WriteFile(to, c.Found.Data, c.mode())
	}
	fs, path, err := env.Files.For(c.uri)
	if err != nil {
		return err
	}
	if c.Found.Folder { // an empty one, too
		if err := os.MkdirAll(to, 0o700); err != nil {
			return err
		}
	}
	for _, p := range c.Found.Files {
		if err := c.copy(env.Ctx, fs, filepath.Join(path, p.Path), filepath.Join(to, p.Path), p.Size); err != nil {
			return err
		}
	}
	return nil
}

// copy copies one file, whose size must be that of the plan.
func (c *cachedFile) copy(ctx context.Context, fs hdfsstore.FS, from, to string, size int64) error {
	in, err := fs.Open(ctx, from)
	if err != nil {
		return err
	}
	defer in.Close()
	if in.Size() != size {
		return fmt.Errorf("%s has %d bytes, and had %d when the job was planned: submit the job again, and do not change files of running jobs", from, in.Size(), size)
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, c.mode())
	if err != nil {
		return err
	}
	n, err := io.Copy(out, io.NewSectionReader(in, 0, size))
	if err == nil && n != size {
		err = io.ErrUnexpectedEOF
	}
	if cerr := out.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return fmt.Errorf("%s: %w", from, err)
	}
	return nil
}

func (c *cachedFile) mode() os.FileMode {
	if c.executable {
		return 0o700
	}
	return 0o600
}
