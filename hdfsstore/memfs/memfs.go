// Package memfs is an hdfsstore.FS in memory, for tests that run thousands of
// schedules of file-system operations. It keeps the contract (it passes fstest)
// and is deterministic: nothing in it depends on time or chance but the
// modification times. It has one mutex, held during each operation, so that
// every operation is atomic, as the NameNode's are. It starts no goroutines.
package memfs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"goflink/hdfsstore"
)

// FS is a file system in memory.
type FS struct {
	mu struct {
		sync.Mutex
		root *node
	}
}

type node struct {
	dir   map[string]*node // nil for a file
	data  []byte
	perm  fs.FileMode
	mtime time.Time
}

var _ hdfsstore.FS = (*FS)(nil)

// New returns an empty file system.
func New() *FS {
	m := &FS{}
	m.mu.root = folder(0o755)
	return m
}

func folder(perm fs.FileMode) *node {
	return &node{dir: map[string]*node{}, perm: perm, mtime: time.Now()}
}

// Scheme is "mem".
func (*FS) Scheme() string { return "mem" }

// Close does nothing.
func (*FS) Close() error { return nil }

func fail(op, p string, err error) error { return &hdfsstore.Error{Op: op, Path: p, Err: err} }

// locked runs f with the lock held, unless ctx has ended.
func (m *FS) locked(ctx context.Context, op, p string, f func() error) error {
	if err := ctx.Err(); err != nil {
		return fail(op, p, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := f(); err != nil {
		return fail(op, p, err)
	}
	return nil
}

func split(p string) []string {
	return strings.FieldsFunc(path.Clean(p), func(r rune) bool { return r == '/' })
}

// find returns the node at p.
func (m *FS) find(p string) (*node, error) {
	n := m.mu.root
	for _, name := range split(p) {
		if n.dir == nil {
			return nil, fs.ErrNotExist
		}
		if n = n.dir[name]; n == nil {
			return nil, fs.ErrNotExist
		}
	}
	return n, nil
}

// parent returns the folder that p lies in.
func (m *FS) parent(p string) (*node, string, error) {
	n, err := m.find(path.Dir(path.Clean(p)))
	if err != nil {
		return nil, "", err
	}
	if n.dir == nil {
		return nil, "", hdfsstore.ErrNotDir
	}
	return n, path.Base(path.Clean(p)), nil
}

// makeAll makes a folder and its parents.
func (m *FS) makeAll(p string, perm fs.FileMode) error {
	n := m.mu.root
	for _, name := range split(p) {
		if n.dir == nil {
			return hdfsstore.ErrNotDir
		}
		child := n.dir[name]
		if child == nil {
			child = folder(perm)
			n.dir[name] = child
		}
		n = child
	}
	if n.dir == nil {
		return hdfsstore.ErrNotDir
	}
	return nil
}

// Create opens a new file; see hdfsstore.FS.
func (m *FS) Create(ctx context.Context, p string, o hdfsstore.CreateOptions) (hdfsstore.Writer, error) {
	n := &node{perm: o.Perm, mtime: time.Now()}
	if n.perm == 0 {
		n.perm = hdfsstore.DefaultPerm
	}
	err := m.locked(ctx, "create", p, func() error {
		if !o.NoParents {
			if err := m.makeAll(path.Dir(p), 0o755); err != nil {
				return err
			}
		}
		dir, name, err := m.parent(p)
		if err != nil {
			return err
		}
		if old := dir.dir[name]; old != nil && (old.dir != nil || !o.Overwrite) {
			return fs.ErrExist
		}
		dir.dir[name] = n
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &writer{m: m, ctx: ctx, path: p, n: n}, nil
}

type writer struct {
	m    *FS
	ctx  context.Context
	path string
	n    *node
	done bool
	kept bool
}

func (w *writer) Write(p []byte) (int, error) {
	if w.done {
		return 0, fail("write", w.path, fs.ErrClosed)
	}
	err := w.m.locked(w.ctx, "write", w.path, func() error {
		w.n.data = append(w.n.data, p...)
		return nil
	})
	if err != nil {
		return 0, err
	}
	return len(p), nil
}

func (w *writer) Close() error {
	if w.done {
		return nil
	}
	w.done = true
	err := w.m.locked(w.ctx, "close", w.path, func() error { return nil })
	w.kept = err == nil
	return err
}

func (w *writer) Abort() error {
	if w.kept {
		return nil
	}
	w.done, w.kept = true, true
	return w.m.locked(context.WithoutCancel(w.ctx), "abort", w.path, func() error {
		// Only if the name still means this file.
		if dir, name, err := w.m.parent(w.path); err == nil && dir.dir[name] == w.n {
			delete(dir.dir, name)
		}
		return nil
	})
}

// Open opens a file; see hdfsstore.FS.
func (m *FS) Open(ctx context.Context, p string) (hdfsstore.File, error) {
	var data []byte
	err := m.locked(ctx, "open", p, func() error {
		n, err := m.find(p)
		if err != nil {
			return err
		}
		if n.dir != nil {
			return hdfsstore.ErrIsDir
		}
		data = n.data[:len(n.data):len(n.data)]
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &file{Reader: bytes.NewReader(data)}, nil
}

type file struct{ *bytes.Reader }

func (f *file) Size() int64  { return f.Reader.Size() }
func (f *file) Close() error { return nil }

func (f *file) ReadAt(p []byte, off int64) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	n, err := f.Reader.ReadAt(p, off)
	if err != nil && !errors.Is(err, io.EOF) {
		err = fail("read", "file", err)
	}
	return n, err
}

func info(p string, n *node) hdfsstore.Info {
	return hdfsstore.Info{
		Path: path.Clean(p), Name: path.Base(p), Size: int64(len(n.data)), ModTime: n.mtime,
		IsDir: n.dir != nil, Perm: n.perm, Owner: "mem", Group: "mem",
	}
}

// Stat describes a path; see hdfsstore.FS.
func (m *FS) Stat(ctx context.Context, p string) (out hdfsstore.Info, err error) {
	err = m.locked(ctx, "stat", p, func() error {
		n, err := m.find(p)
		if err == nil {
			out = info(p, n)
		}
		return err
	})
	return out, err
}

// List describes a folder's children; see hdfsstore.FS.
func (m *FS) List(ctx context.Context, p string) (out []hdfsstore.Info, err error) {
	err = m.locked(ctx, "list", p, func() error {
		n, err := m.find(p)
		if err != nil {
			return err
		}
		if n.dir == nil {
			return hdfsstore.ErrNotDir
		}
		for _, name := range slices.Sorted(maps.Keys(n.dir)) {
			out = append(out, info(path.Join(p, name), n.dir[name]))
		}
		return nil
	})
	return out, err
}

// Rename moves without overwriting; see hdfsstore.FS.
func (m *FS) Rename(ctx context.Context, from, to string) error {
	return m.move(ctx, "rename", from, to, false)
}

// Replace moves over an existing file; see hdfsstore.FS.
func (m *FS) Replace(ctx context.Context, from, to string) error {
	return m.move(ctx, "replace", from, to, true)
}

func (m *FS) move(ctx context.Context, op, from, to string, overwrite bool) error {
	return m.locked(ctx, op, from+" to "+to, func() error {
		source, name, err := m.parent(from)
		if err != nil {
			return err
		}
		n := source.dir[name]
		if n == nil {
			return fs.ErrNotExist
		}
		target, newName, err := m.parent(to)
		if err != nil {
			return err
		}
		if old := target.dir[newName]; old != nil && (!overwrite || old.dir != nil || n.dir != nil) {
			return fs.ErrExist
		}
		if n.dir != nil && strings.HasPrefix(path.Clean(to)+"/", path.Clean(from)+"/") {
			return fs.ErrInvalid
		}
		delete(source.dir, name)
		target.dir[newName] = n
		return nil
	})
}

// Mkdir makes a folder and its parents; see hdfsstore.FS.
func (m *FS) Mkdir(ctx context.Context, p string, perm fs.FileMode) error {
	return m.locked(ctx, "mkdir", p, func() error { return m.makeAll(p, perm) })
}

// MkdirExclusive makes a folder that must not exist; see hdfsstore.FS.
func (m *FS) MkdirExclusive(ctx context.Context, p string, perm fs.FileMode) error {
	return m.locked(ctx, "mkdir", p, func() error {
		dir, name, err := m.parent(p)
		if err != nil {
			return err
		}
		if dir.dir[name] != nil {
			return fs.ErrExist
		}
		dir.dir[name] = folder(perm)
		return nil
	})
}

// Delete removes a path; see hdfsstore.FS.
func (m *FS) Delete(ctx context.Context, p string, recursive bool) error {
	return m.locked(ctx, "delete", p, func() error {
		if path.Clean(p) == "/" {
			return fs.ErrInvalid
		}
		dir, name, err := m.parent(p)
		if err != nil || dir.dir[name] == nil {
			return nil
		}
		if len(dir.dir[name].dir) > 0 && !recursive {
			return hdfsstore.ErrNotEmpty
		}
		delete(dir.dir, name)
		return nil
	})
}

// Touch sets the time of the last change.
func (m *FS) Touch(ctx context.Context, p string, t time.Time) error {
	return m.locked(ctx, "touch", p, func() error {
		n, err := m.find(p)
		if err == nil {
			n.mtime = t
		}
		return err
	})
}

// Dump lists all paths with the lengths of files, one a line, for test output.
func (m *FS) Dump() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out strings.Builder
	var walk func(p string, n *node)
	walk = func(p string, n *node) {
		if n.dir == nil {
			fmt.Fprintf(&out, "%s %d\n", p, len(n.data))
			return
		}
		fmt.Fprintf(&out, "%s/\n", p)
		for _, name := range slices.Sorted(maps.Keys(n.dir)) {
			walk(p+"/"+name, n.dir[name])
		}
	}
	walk("", m.mu.root)
	return out.String()
}
