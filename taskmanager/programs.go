package taskmanager

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"time"

	"goflink/control"
	"goflink/dataflow"
	"goflink/graph"
)

// maxProgram bounds a program, 4 GiB: no linker makes a larger one.
const maxProgram = 4 << 30

// unusedAfter is how long a program stays in the cache without being started.
// A job that fails over comes back within minutes; disks of clusters fill up in
// weeks.
const unusedAfter = 24 * time.Hour

var digestPattern = regexp.MustCompile(`^[0-9a-f]{64}$`)

// cache keeps programs by digest. A file in it is complete and verified.
type cache struct {
	dir   string
	files dataflow.FileSystems
	// fetch reads a program from the JobManager, from an offset on.
	fetch func(ctx context.Context, sha256 string, w io.Writer) error
	log   *slog.Logger
	mu    struct {
		sync.Mutex
		busy map[string]chan struct{} // downloads under way
		used map[string]int           // by running workers
	}
}

func newCache(dir string, files dataflow.FileSystems, log *slog.Logger) (*cache, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("cache of programs: %w", err)
	}
	c := &cache{dir: dir, files: files, log: log}
	c.mu.busy, c.mu.used = map[string]chan struct{}{}, map[string]int{}
	return c, nil
}

// get returns the path of a program, fetched if needed, and a function to call
// when it runs no more. Several workers that want one program share a download.
func (c *cache) get(ctx context.Context, p *graph.Program) (file string, done func(), err error) {
	if !digestPattern.MatchString(p.GetSha256()) {
		return "", nil, fmt.Errorf("program %s has no SHA-256 digest", p.GetName())
	}
	file = filepath.Join(c.dir, p.Sha256)
	for {
		c.mu.Lock()
		wait := c.mu.busy[p.Sha256]
		if wait == nil {
			c.mu.busy[p.Sha256] = make(chan struct{})
			c.mu.used[p.Sha256]++
		}
		c.mu.Unlock()
		if wait == nil {
			break
		}
		select {
		case <-wait:
		case <-ctx.Done():
			return "", nil, ctx.Err()
		}
	}
	err = c.provide(ctx, p, file)
	c.mu.Lock()
	close(c.mu.busy[p.Sha256])
	delete(c.mu.busy, p.Sha256)
	c.mu.Unlock()
	release := sync.OnceFunc(func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.mu.used[p.Sha256]--; c.mu.used[p.Sha256] == 0 {
			delete(c.mu.used, p.Sha256)
		}
	})
	if err != nil {
		release()
		return "", nil, fmt.Errorf("fetching program %s (%s): %w", p.GetName(), p.Sha256, err)
	}
	return file, release, nil
}

func (c *cache) provide(ctx context.Context, p *graph.Program, file string) error {
	now := time.Now()
	if err := os.Chtimes(file, now, now); err == nil {
		return nil // there already
	}
	c.sweep(now)
	tmp, err := os.CreateTemp(c.dir, ".fetch-*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	err = c.download(ctx, p, tmp)
	if err == nil {
		err = tmp.Chmod(0o500)
	}
	if cerr := tmp.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	return os.Rename(tmp.Name(), file)
}

// download writes the program and checks size and digest.
func (c *cache) download(ctx context.Context, p *graph.Program, to *os.File) error {
	began := time.Now()
	sum := sha256.New()
	limit := int64(maxProgram)
	if p.Size > 0 {
		limit = min(limit, p.Size)
	}
	w := &limited{to: io.MultiWriter(to, sum), sum: sum, left: limit}
	copied, err := c.copyLocal(p, to, w)
	if err == nil && !copied {
		err = c.source(ctx, p, w)
	}
	if err != nil {
		return err
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != p.Sha256 {
		return fmt.Errorf("what came has digest %s: the file was changed or damaged; submit the job again", got)
	}
	c.log.Info("program fetched", "program", p.Name, "sha256", p.Sha256, "bytes", limit-w.left, "took", time.Since(began).Round(time.Millisecond))
	return nil
}

// copyLocal lets the kernel copy a program that lies on this host, which takes a
// tenth of the time, and then sums what was copied: it cannot change any more.
func (c *cache) copyLocal(p *graph.Program, to *os.File, w *limited) (bool, error) {
	if p.Uri == "" || c.files == nil {
		return false, nil
	}
	fsys, name, err := c.files.For(p.Uri)
	if err != nil || fsys.Scheme() != "file" {
		return false, err
	}
	f, err := os.Open(name)
	if err != nil {
		return false, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() || info.Size() > w.left {
		return false, errors.Join(err, errTooLong)
	}
	if _, err := io.Copy(to, f); err != nil {
		return false, err
	}
	if _, err := to.Seek(0, io.SeekStart); err != nil {
		return false, err
	}
	w.to = w.sum
	_, err = io.CopyBuffer(struct{ io.Writer }{w}, struct{ io.Reader }{to}, make([]byte, 1<<20))
	return true, err
}

func (c *cache) source(ctx context.Context, p *graph.Program, w io.Writer) error {
	if p.Uri == "" || c.files == nil {
		return c.fetch(ctx, p.Sha256, w)
	}
	fsys, name, err := c.files.For(p.Uri)
	if err != nil {
		return err
	}
	f, err := fsys.Open(ctx, name)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.CopyBuffer(w, struct{ io.Reader }{f}, make([]byte, 1<<20))
	return err
}

// limited refuses more than left bytes.
type limited struct {
	to   io.Writer
	sum  io.Writer
	left int64
}

var errTooLong = errors.New("it is longer than announced")

func (l *limited) Write(p []byte) (int, error) {
	if int64(len(p)) > l.left {
		return 0, errTooLong
	}
	l.left -= int64(len(p))
	return l.to.Write(p)
}

// sweep removes programs that nobody started for a while, and what interrupted
// downloads have left.
func (c *cache) sweep(now time.Time) {
	entries, err := os.ReadDir(c.dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || now.Sub(info.ModTime()) < unusedAfter {
			continue
		}
		c.mu.Lock()
		used := c.mu.used[e.Name()] > 0
		c.mu.Unlock()
		if !used {
			_ = os.Remove(filepath.Join(c.dir, e.Name()))
		}
	}
}

// fetchFrom returns the cache's way to read from the JobManager.
func fetchFrom(client func() control.JobManagerClient) func(ctx context.Context, sha256 string, w io.Writer) error {
	return func(ctx context.Context, sha256 string, w io.Writer) error {
		jm := client()
		if jm == nil {
			return errors.New("no connection to the JobManager")
		}
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		s, err := jm.FetchProgram(ctx, &control.FetchProgramRequest{Sha256: sha256})
		if err != nil {
			return err
		}
		for {
			chunk, err := s.Recv()
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err != nil {
				return err
			}
			if _, err := w.Write(chunk.Data); err != nil {
				return err
			}
		}
	}
}
