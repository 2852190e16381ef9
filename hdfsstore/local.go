package hdfsstore

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"sort"
	"strconv"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

type linkError = os.LinkError

// Local is the local file system, also a mounted shared one. The zero value is
// ready to use.
type Local struct{}

var _ FS = Local{}

// Scheme is "file".
func (Local) Scheme() string { return "file" }

// Close does nothing.
func (Local) Close() error { return nil }

// URI is "file://" and the path.
func (Local) URI(path string) string { return "file://" + path }

// Create opens a new file; see FS.
func (Local) Create(ctx context.Context, path string, o CreateOptions) (Writer, error) {
	if err := ctx.Err(); err != nil {
		return nil, wrap("create", path, err)
	}
	flags := os.O_WRONLY | os.O_CREATE | os.O_EXCL
	if o.Overwrite {
		flags = os.O_WRONLY | os.O_CREATE | os.O_TRUNC
	}
	f, err := os.OpenFile(path, flags, o.perm())
	if errors.Is(err, fs.ErrNotExist) && !o.NoParents {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return nil, localError("create", path, err)
		}
		f, err = os.OpenFile(path, flags, o.perm())
	}
	if err != nil {
		return nil, localError("create", path, err)
	}
	return &localWriter{ctx: ctx, f: f, path: path}, nil
}

type localWriter struct {
	ctx    context.Context
	f      *os.File // nil after Close or Abort
	path   string
	n      int64
	broken bool // Close failed; Abort has something to remove
}

func (w *localWriter) Write(p []byte) (int, error) {
	if err := w.usable(); err != nil {
		return 0, wrap("write", w.path, err)
	}
	n, err := w.f.Write(p)
	w.n += int64(n)
	return n, localError("write", w.path, err)
}

func (w *localWriter) usable() error {
	if w.f == nil {
		return fs.ErrClosed
	}
	return w.ctx.Err()
}

// Close syncs the file, checks its length and syncs the folder that names it.
func (w *localWriter) Close() error {
	if w.f == nil {
		return nil
	}
	f := w.f
	w.f = nil
	err := w.ctx.Err()
	if err == nil {
		err = f.Sync()
	}
	info, serr := f.Stat()
	if err == nil {
		err = serr
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil && info.Size() != w.n {
		err = sizeMismatch(w.path, info.Size(), w.n)
	}
	if err == nil {
		err = syncFolder(filepath.Dir(w.path))
	}
	w.broken = err != nil
	return localError("close", w.path, err)
}

// sizeMismatch is the error of a file whose length is not what was written.
func sizeMismatch(path string, have, want int64) error {
	return &Error{Op: "close", Path: path, Err: errSize, Transient: true,
		Reason: "the file has " + strconv.FormatInt(have, 10) + " bytes where " + strconv.FormatInt(want, 10) + " were written"}
}

var errSize = errors.New("file has the wrong length")

func (w *localWriter) Abort() error {
	if w.f == nil && !w.broken {
		return nil
	}
	err := os.Remove(w.path)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	if w.f != nil {
		err = errors.Join(err, w.f.Close())
	}
	w.f, w.broken = nil, false
	return localError("abort", w.path, err)
}

// syncFolder makes the names in a folder durable. A file system that cannot
// sync folders (EINVAL) makes them durable by itself or not at all.
func syncFolder(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	err = d.Sync()
	if errors.Is(err, syscall.EINVAL) {
		err = nil
	}
	return errors.Join(err, d.Close())
}

// Open opens a file for reading; see FS.
func (Local) Open(ctx context.Context, path string) (File, error) {
	if err := ctx.Err(); err != nil {
		return nil, wrap("open", path, err)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, localError("open", path, err)
	}
	info, err := f.Stat()
	if err == nil && info.IsDir() {
		err = ErrIsDir
	}
	if err != nil {
		f.Close()
		return nil, localError("open", path, err)
	}
	return &localFile{File: f, ctx: ctx, size: info.Size()}, nil
}

type localFile struct {
	*os.File
	ctx  context.Context
	size int64
}

func (f *localFile) Size() int64 { return f.size }

func (f *localFile) Read(p []byte) (int, error) {
	if err := f.ctx.Err(); err != nil {
		return 0, wrap("read", f.Name(), err)
	}
	return f.File.Read(p)
}

func (f *localFile) ReadAt(p []byte, off int64) (int, error) {
	if err := f.ctx.Err(); err != nil {
		return 0, wrap("read", f.Name(), err)
	}
	return f.File.ReadAt(p, off)
}

// Stat describes a path; see FS.
func (Local) Stat(ctx context.Context, path string) (Info, error) {
	if err := ctx.Err(); err != nil {
		return Info{}, wrap("stat", path, err)
	}
	fi, err := os.Stat(path)
	if err != nil {
		return Info{}, localError("stat", path, err)
	}
	return localInfo(path, fi), nil
}

// List describes the children of a folder; see FS.
func (Local) List(ctx context.Context, path string) ([]Info, error) {
	if err := ctx.Err(); err != nil {
		return nil, wrap("list", path, err)
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, localError("list", path, err)
	}
	out := make([]Info, 0, len(entries))
	for _, e := range entries {
		child := filepath.Join(path, e.Name())
		fi, err := os.Stat(child)
		if errors.Is(err, fs.ErrNotExist) {
			// It vanished since the folder was read, or is a link to nothing.
			continue
		}
		if err != nil {
			return nil, localError("list", child, err)
		}
		out = append(out, localInfo(child, fi))
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Name < out[j].Name })
	return out, nil
}

func localInfo(path string, fi fs.FileInfo) Info {
	info := Info{
		Path: filepath.Clean(path), Name: filepath.Base(path), ModTime: fi.ModTime(),
		IsDir: fi.IsDir(), Perm: fi.Mode().Perm(),
	}
	if !info.IsDir {
		info.Size = fi.Size()
	}
	if st, ok := fi.Sys().(*syscall.Stat_t); ok {
		info.Owner, info.Group = ownerName(st.Uid), groupName(st.Gid)
	}
	return info
}

// names remembers the system's user and group names, since each look-up reads
// a file of the system.
var names sync.Map

func ownerName(id uint32) string {
	return cachedName("u", id, func(s string) (string, error) {
		u, err := user.LookupId(s)
		if err != nil {
			return "", err
		}
		return u.Username, nil
	})
}

func groupName(id uint32) string {
	return cachedName("g", id, func(s string) (string, error) {
		g, err := user.LookupGroupId(s)
		if err != nil {
			return "", err
		}
		return g.Name, nil
	})
}

func cachedName(kind string, id uint32, find func(string) (string, error)) string {
	number := strconv.FormatUint(uint64(id), 10)
	if name, ok := names.Load(kind + number); ok {
		return name.(string)
	}
	name, err := find(number)
	if err != nil {
		name = number
	}
	names.Store(kind+number, name)
	return name
}

// Rename moves without overwriting; see FS.
func (Local) Rename(ctx context.Context, from, to string) error {
	if err := ctx.Err(); err != nil {
		return wrap("rename", from, err)
	}
	err := unix.Renameat2(unix.AT_FDCWD, from, unix.AT_FDCWD, to, unix.RENAME_NOREPLACE)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.ENOTSUP) {
		err = renameByLink(from, to)
	}
	if err != nil {
		return localError("rename", from+" to "+to, err)
	}
	return localError("rename", to, syncFolders(from, to))
}

// renameByLink is for file systems without RENAME_NOREPLACE: a hard link is
// never made over something that exists. Folders cannot be linked.
func renameByLink(from, to string) error {
	fi, err := os.Lstat(from)
	if err != nil {
		return err
	}
	if fi.IsDir() {
		return errors.New("this file system cannot rename a folder without overwriting (no RENAME_NOREPLACE)")
	}
	if err := os.Link(from, to); err != nil {
		return err
	}
	return os.Remove(from)
}

func syncFolders(from, to string) error {
	err := syncFolder(filepath.Dir(to))
	if a, b := filepath.Dir(from), filepath.Dir(to); a != b && err == nil {
		err = syncFolder(a)
	}
	if errors.Is(err, fs.ErrNotExist) {
		// The folder itself was moved meanwhile, which its mover makes durable.
		err = nil
	}
	return err
}

// Replace moves over an existing file; see FS.
func (Local) Replace(ctx context.Context, from, to string) error {
	if err := ctx.Err(); err != nil {
		return wrap("replace", from, err)
	}
	if err := os.Rename(from, to); err != nil {
		return localError("replace", from+" to "+to, err)
	}
	return localError("replace", to, syncFolders(from, to))
}

// Mkdir makes a folder and its parents; see FS.
func (Local) Mkdir(ctx context.Context, path string, perm fs.FileMode) error {
	if err := ctx.Err(); err != nil {
		return wrap("mkdir", path, err)
	}
	return localError("mkdir", path, os.MkdirAll(path, perm))
}

// MkdirExclusive makes a folder that must not exist; see FS.
func (Local) MkdirExclusive(ctx context.Context, path string, perm fs.FileMode) error {
	if err := ctx.Err(); err != nil {
		return wrap("mkdir", path, err)
	}
	if err := os.Mkdir(path, perm); err != nil {
		return localError("mkdir", path, err)
	}
	return localError("mkdir", path, syncFolder(filepath.Dir(path)))
}

// Delete removes a path; see FS.
func (Local) Delete(ctx context.Context, path string, recursive bool) error {
	if err := ctx.Err(); err != nil {
		return wrap("delete", path, err)
	}
	if filepath.Clean(path) == "/" {
		return &Error{Op: "delete", Path: path, Err: fs.ErrInvalid, Reason: "refusing to delete the root folder"}
	}
	var err error
	if recursive {
		err = os.RemoveAll(path)
	} else {
		err = os.Remove(path)
	}
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return nil
	}
	return localError("delete", path, err)
}

// Touch sets the time of the last change.
func (Local) Touch(ctx context.Context, path string, t time.Time) error {
	if err := ctx.Err(); err != nil {
		return wrap("touch", path, err)
	}
	return localError("touch", path, os.Chtimes(path, t, t))
}
