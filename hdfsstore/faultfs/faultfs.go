// Package faultfs wraps an hdfsstore.FS and makes chosen operations fail, lose
// their answer, write short, wait, or block, for tests. What goes wrong is a
// script, one rule a line; the first rule that matches decides:
//
//	OPERATION[,OPERATION…] [path=GLOB] [nth=N | from=N] [chance=P] -> EFFECT
//
// Operations: create write close abort open read stat list rename replace mkdir
// delete, and the groups all, writes, reads, changes. GLOB is path.Match's, on
// the whole path when it begins with a slash, else on as many last parts as it
// has; a rename matches with either of its paths. nth counts the hits of
// operation and path from 1 on. Effects:
//
//	error E     the operation does nothing and fails
//	lost E      the operation happens, and fails: its answer was lost
//	short E     a write writes half, and fails
//	delay D     the operation happens after D
//	block       the operation waits for Release (or the end of its context)
//	pass        the operation happens; excepts it from later rules
//
// E is one of enospc, readonly, permission, notexist, exist, io, dead-node,
// transient; the last two are hdfsstore.IsTransient.
//
// One mutex guards rules and counters and is not held during operations. No
// goroutines.
package faultfs

import (
	"context"
	"io/fs"
	"math/rand/v2"
	"sync"
	"time"

	"goflink/hdfsstore"
)

// FS is a file system with faults.
type FS struct {
	inner hdfsstore.FS
	mu    struct {
		sync.Mutex
		rules    []*rule
		random   *rand.Rand
		counts   map[string]int
		injected int
		release  chan struct{}
		blocked  chan struct{} // closed and replaced when an operation blocks
	}
}

var _ hdfsstore.FS = (*FS)(nil)

// New wraps a file system. seed makes rules with a chance repeatable.
func New(inner hdfsstore.FS, seed uint64) *FS {
	f := &FS{inner: inner}
	f.mu.random = rand.New(rand.NewPCG(seed, 0))
	f.mu.counts = map[string]int{}
	f.mu.release = make(chan struct{})
	f.mu.blocked = make(chan struct{})
	return f
}

// Script replaces the rules, and their counters; empty removes all.
func (f *FS) Script(script string) error {
	rules, err := parse(script)
	if err != nil {
		return err
	}
	f.mu.Lock()
	f.mu.rules = rules
	f.mu.Unlock()
	return nil
}

// Injected is how many operations rules have changed.
func (f *FS) Injected() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.mu.injected
}

// Count is how often an operation was asked for.
func (f *FS) Count(op string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.mu.counts[op]
}

// Blocked is closed when an operation begins to block.
func (f *FS) Blocked() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.mu.blocked
}

// Release lets blocked operations go on.
func (f *FS) Release() {
	f.mu.Lock()
	close(f.mu.release)
	f.mu.release = make(chan struct{})
	f.mu.Unlock()
}

// choose counts an operation and returns the rule for it, if any.
func (f *FS) choose(op string, paths ...string) (effect, chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.mu.counts[op]++
	for _, r := range f.mu.rules {
		hit := false
		for _, p := range paths {
			hit = hit || r.matches(op, p, f.mu.random.Float64)
		}
		if !hit {
			continue
		}
		f.mu.injected++
		if r.effect.kind == "block" {
			close(f.mu.blocked)
			f.mu.blocked = make(chan struct{})
		}
		return r.effect, f.mu.release
	}
	return effect{}, nil
}

// do runs an operation under the rules.
func (f *FS) do(ctx context.Context, op string, run func() error, paths ...string) error {
	e, release := f.choose(op, paths...)
	injected := func() error {
		own := *e.err.(*hdfsstore.Error)
		own.Op, own.Path = op, paths[0]
		return &own
	}
	switch e.kind {
	case "error", "short":
		return injected()
	case "lost":
		if err := run(); err != nil {
			return err
		}
		return injected()
	case "delay":
		if err := wait(ctx, time.After(e.delay)); err != nil {
			return &hdfsstore.Error{Op: op, Path: paths[0], Err: err}
		}
	case "block":
		if err := wait(ctx, release); err != nil {
			return &hdfsstore.Error{Op: op, Path: paths[0], Err: err}
		}
	}
	return run()
}

func wait[T any](ctx context.Context, c <-chan T) error {
	select {
	case <-c:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Scheme is that of the file system below.
func (f *FS) Scheme() string { return f.inner.Scheme() }

// Close closes the file system below.
func (f *FS) Close() error { return f.inner.Close() }

// URI is that of the file system below.
func (f *FS) URI(p string) string { return hdfsstore.URI(f.inner, p) }

// Create opens a new file; see hdfsstore.FS.
func (f *FS) Create(ctx context.Context, p string, o hdfsstore.CreateOptions) (hdfsstore.Writer, error) {
	var w hdfsstore.Writer
	err := f.do(ctx, "create", func() (err error) {
		w, err = f.inner.Create(ctx, p, o)
		return err
	}, p)
	if err != nil {
		return nil, err
	}
	return &writer{f: f, ctx: ctx, w: w, path: p}, nil
}

type writer struct {
	f    *FS
	ctx  context.Context
	w    hdfsstore.Writer
	path string
}

func (w *writer) Write(p []byte) (n int, err error) {
	e, _ := w.f.peek("write", w.path)
	if e.kind == "short" {
		if n, err = w.w.Write(p[:len(p)/2]); err != nil {
			return n, err
		}
	}
	err = w.f.do(w.ctx, "write", func() (err error) {
		n, err = w.w.Write(p)
		return err
	}, w.path)
	return n, err
}

func (w *writer) Close() error { return w.f.do(w.ctx, "close", w.w.Close, w.path) }
func (w *writer) Abort() error {
	return w.f.do(context.WithoutCancel(w.ctx), "abort", w.w.Abort, w.path)
}

// peek tells which effect the next such operation will have, without counting.
func (f *FS) peek(op, p string) (effect, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, r := range f.mu.rules {
		copied := *r
		if r.chance == 0 && copied.matches(op, p, f.mu.random.Float64) {
			return r.effect, true
		}
	}
	return effect{}, false
}

// Open opens a file; see hdfsstore.FS.
func (f *FS) Open(ctx context.Context, p string) (hdfsstore.File, error) {
	var in hdfsstore.File
	err := f.do(ctx, "open", func() (err error) {
		in, err = f.inner.Open(ctx, p)
		return err
	}, p)
	if err != nil {
		return nil, err
	}
	return &file{File: in, f: f, ctx: ctx, path: p}, nil
}

type file struct {
	hdfsstore.File
	f    *FS
	ctx  context.Context
	path string
}

func (r *file) Read(p []byte) (n int, err error) {
	err = r.f.do(r.ctx, "read", func() (err error) {
		n, err = r.File.Read(p)
		return err
	}, r.path)
	return n, err
}

func (r *file) ReadAt(p []byte, off int64) (n int, err error) {
	err = r.f.do(r.ctx, "read", func() (err error) {
		n, err = r.File.ReadAt(p, off)
		return err
	}, r.path)
	return n, err
}

// Stat describes a path; see hdfsstore.FS.
func (f *FS) Stat(ctx context.Context, p string) (info hdfsstore.Info, err error) {
	err = f.do(ctx, "stat", func() (err error) {
		info, err = f.inner.Stat(ctx, p)
		return err
	}, p)
	return info, err
}

// List describes a folder's children; see hdfsstore.FS.
func (f *FS) List(ctx context.Context, p string) (infos []hdfsstore.Info, err error) {
	err = f.do(ctx, "list", func() (err error) {
		infos, err = f.inner.List(ctx, p)
		return err
	}, p)
	return infos, err
}

// Rename moves without overwriting; see hdfsstore.FS.
func (f *FS) Rename(ctx context.Context, from, to string) error {
	return f.do(ctx, "rename", func() error { return f.inner.Rename(ctx, from, to) }, from, to)
}

// Replace moves over an existing file; see hdfsstore.FS.
func (f *FS) Replace(ctx context.Context, from, to string) error {
	return f.do(ctx, "replace", func() error { return f.inner.Replace(ctx, from, to) }, from, to)
}

// Mkdir makes a folder and its parents; see hdfsstore.FS.
func (f *FS) Mkdir(ctx context.Context, p string, perm fs.FileMode) error {
	return f.do(ctx, "mkdir", func() error { return f.inner.Mkdir(ctx, p, perm) }, p)
}

// MkdirExclusive makes a folder that must not exist; see hdfsstore.FS.
func (f *FS) MkdirExclusive(ctx context.Context, p string, perm fs.FileMode) error {
	return f.do(ctx, "mkdir", func() error { return f.inner.MkdirExclusive(ctx, p, perm) }, p)
}

// Delete removes a path; see hdfsstore.FS.
func (f *FS) Delete(ctx context.Context, p string, recursive bool) error {
	return f.do(ctx, "delete", func() error { return f.inner.Delete(ctx, p, recursive) }, p)
}

// Touch sets the time of the last change.
func (f *FS) Touch(ctx context.Context, p string, t time.Time) error {
	return hdfsstore.Touch(ctx, f.inner, p, t)
}
