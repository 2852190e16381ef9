package hdfsstore

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"time"
)

// TemporaryPrefix begins the name of every file that Publish has not finished.
// The leading dot keeps it out of what file sources read.
const TemporaryPrefix = ".tmp-"

// publishAttempts bounds how often Publish writes the whole file. On a cluster
// of N DataNodes of which one has died unnoticed a file with replication r fails
// with chance r/N; at r = 2 of 3 seven tries leave 6 %, and the NameNode of a
// cluster that small is told of the failure meanwhile. More would only delay
// the failure of a checkpoint on a cluster that is really down.
const publishAttempts = 7

// publishBackoff is the first pause between tries; it doubles up to 2 s, so that
// all tries together wait about 7 s: shorter than a checkpoint time-out.
const publishBackoff = 200 * time.Millisecond

// PublishOptions say how Publish writes.
type PublishOptions struct {
	CreateOptions
	// TemporaryDir is where the file is written before it is renamed; empty
	// means the folder of the file. It must lie on the same file system. Parents
	// of the file are made only if it is empty: a caller that names another
	// folder relies on the file's folder being there (see jobmanager/ha).
	TemporaryDir string
}

// Publish writes a file that appears under its name whole or not at all: write
// fills a temporary file, which is closed durably and then renamed. Without
// o.Overwrite an existing path is fs.ErrExist. If the file system fails under it
// in a way that may pass (IsTransient), write is called again with an empty
// file, so it must produce the same bytes each time; its own errors are not
// retried. The temporary file is removed whatever happens.
func Publish(ctx context.Context, fsys FS, file string, o PublishOptions, write func(io.Writer) error) error {
	temporary, err := writeTemporary(ctx, fsys, file, o, write)
	if err != nil {
		return err
	}
	move := fsys.Rename
	if o.Overwrite {
		move = fsys.Replace
	}
	if err := settleRename(ctx, fsys, temporary, file, move); err != nil {
		return errors.Join(err, fsys.Delete(context.WithoutCancel(ctx), temporary, false))
	}
	return nil
}

// WriteTemporary does the first half of Publish: it returns the path of a
// durable temporary file in o.TemporaryDir that the caller renames or deletes.
func WriteTemporary(ctx context.Context, fsys FS, dir string, o CreateOptions, write func(io.Writer) error) (string, error) {
	return writeTemporary(ctx, fsys, path.Join(dir, "file"), PublishOptions{CreateOptions: o, TemporaryDir: dir}, write)
}

func writeTemporary(ctx context.Context, fsys FS, file string, o PublishOptions, write func(io.Writer) error) (string, error) {
	dir := o.TemporaryDir
	if dir == "" {
		dir = path.Dir(file)
	}
	create := o.CreateOptions
	create.Overwrite = false
	var err error
	var failed []string
	pause := publishBackoff
	for try := 1; ; try++ {
		name := path.Join(dir, temporaryName(path.Base(file)))
		err = writeOnce(ctx, fsys, name, create, write)
		if err == nil {
			// What could not be removed while the file system failed can be now.
			for _, f := range failed {
				_ = fsys.Delete(context.WithoutCancel(ctx), f, false)
			}
			return name, nil
		}
		failed = append(failed, name)
		if !IsTransient(err) || try == publishAttempts {
			break
		}
		if serr := sleep(ctx, pause); serr != nil {
			return "", errors.Join(serr, err)
		}
		pause = min(2*pause, 2*time.Second)
	}
	return "", fmt.Errorf("publish %s: %w", file, err)
}

// writeOnce writes one temporary file and removes it on an error.
func writeOnce(ctx context.Context, fsys FS, name string, o CreateOptions, write func(io.Writer) error) error {
	w, err := fsys.Create(ctx, name, o)
	if err != nil {
		if IsTransient(err) {
			// Perhaps only the answer was lost.
			_ = fsys.Delete(context.WithoutCancel(ctx), name, false)
		}
		return err
	}
	watched := &watchedWriter{w: w}
	err = write(watched)
	if watched.err != nil {
		// The caller may have wrapped or swallowed it; what counts is that the
		// file is broken, and how.
		err = watched.err
	} else if err != nil {
		return errors.Join(err, w.Abort())
	}
	if err == nil {
		err = w.Close()
	}
	if err == nil {
		return nil
	}
	// Best effort: what remains has the temporary prefix and is swept.
	_ = w.Abort()
	_ = fsys.Delete(context.WithoutCancel(ctx), name, false)
	return err
}

// watchedWriter remembers the first error of the file, to tell it from errors
// of the caller's own.
type watchedWriter struct {
	w   io.Writer
	err error
}

func (w *watchedWriter) Write(p []byte) (int, error) {
	if w.err != nil {
		return 0, w.err
	}
	n, err := w.w.Write(p)
	w.err = err
	return n, err
}

// settleRename renames, and finds out what became of a rename whose answer was
// lost: the temporary name is used once, so a file that is gone from there and
// stands at its new place with the same length was moved by us.
func settleRename(ctx context.Context, fsys FS, from, to string, move func(context.Context, string, string) error) error {
	info, err := fsys.Stat(ctx, from)
	if err != nil {
		return err
	}
	pause := publishBackoff
	unsure := false
	for try := 1; ; try++ {
		err = move(ctx, from, to)
		if err == nil {
			return nil
		}
		if unsure && (errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrExist)) && moved(ctx, fsys, from, to, info.Size) {
			return nil
		}
		if !IsTransient(err) || try == publishAttempts {
			return err
		}
		unsure = true
		if serr := sleep(ctx, pause); serr != nil {
			return errors.Join(serr, err)
		}
		pause = min(2*pause, 2*time.Second)
	}
}

func moved(ctx context.Context, fsys FS, from, to string, size int64) bool {
	if _, err := fsys.Stat(ctx, from); !errors.Is(err, fs.ErrNotExist) {
		return false
	}
	info, err := fsys.Stat(ctx, to)
	return err == nil && !info.IsDir && info.Size == size
}

func temporaryName(base string) string {
	var random [8]byte
	rand.Read(random[:]) // it never fails
	return TemporaryPrefix + base + "-" + hex.EncodeToString(random[:])
}

// IsTemporary tells whether a file name is that of an unfinished Publish.
func IsTemporary(name string) bool { return strings.HasPrefix(name, TemporaryPrefix) }

// SweepTemporary removes what interrupted calls of Publish left in a folder, if
// it was last changed before the given time. It returns how many it removed.
func SweepTemporary(ctx context.Context, fsys FS, dir string, before time.Time) (int, error) {
	entries, err := fsys.List(ctx, dir)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	n := 0
	for _, e := range entries {
		if e.IsDir || !IsTemporary(e.Name) || !e.ModTime.Before(before) {
			continue
		}
		if err := fsys.Delete(ctx, e.Path, false); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// WriteFile publishes a small file in one call.
func WriteFile(ctx context.Context, fsys FS, file string, data []byte, o PublishOptions) error {
	return Publish(ctx, fsys, file, o, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

// ReadFile reads a file of at most limit bytes; a longer one is an error that
// says so, before its content is read.
func ReadFile(ctx context.Context, fsys FS, file string, limit int64) ([]byte, error) {
	f, err := fsys.Open(ctx, file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if f.Size() > limit {
		return nil, &Error{Op: "read", Path: URI(fsys, file), Err: errTooLong,
			Reason: fmt.Sprintf("the file has %d bytes, more than the %d allowed here", f.Size(), limit)}
	}
	data := make([]byte, f.Size())
	if _, err := io.ReadFull(f, data); err != nil {
		return nil, wrap("read", URI(fsys, file), err)
	}
	return data, nil
}

var errTooLong = errors.New("file is too long")

// URI is the full name of a path: scheme, host where there is one, path.
func URI(fsys FS, file string) string {
	if u, ok := fsys.(interface{ URI(string) string }); ok {
		return u.URI(file)
	}
	return fsys.Scheme() + "://" + file
}

// Touch sets the time of the last change of a file, by which caches are swept.
func Touch(ctx context.Context, fsys FS, file string, t time.Time) error {
	if f, ok := fsys.(interface {
		Touch(context.Context, string, time.Time) error
	}); ok {
		return f.Touch(ctx, file, t)
	}
	return &Error{Op: "touch", Path: URI(fsys, file), Err: errors.ErrUnsupported}
}

// sleep waits or ends with ctx.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
