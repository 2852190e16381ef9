package hdfsstore

import (
	"errors"
	"io/fs"
	"strings"
	"syscall"
)

// Error is what the methods of an FS return: the operation, the path, one plain
// reason. It unwraps to the cause, among them fs.ErrNotExist, fs.ErrExist and
// fs.ErrPermission.
type Error struct {
	// Op is the operation in one word: open, create, write, rename, …
	Op string
	// Path is the path with its scheme (and host) where it is not local.
	Path string
	// Reason says in plain words what went wrong; empty means the text of Err.
	Reason string
	// Err is the cause; never nil.
	Err error
	// Transient tells that the same operation, or the same file written anew,
	// may well succeed: a lost connection, a failed DataNode, a NameNode that is
	// starting.
	Transient bool
}

// Error is "op path: reason", on one line.
func (e *Error) Error() string {
	reason := e.Reason
	if reason == "" {
		reason = e.Err.Error()
	}
	return e.Op + " " + e.Path + ": " + reason
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// ErrNoSpace marks a write that failed because disk, quota or cluster is full.
var ErrNoSpace = errors.New("no space left")

// ErrReadOnly marks a change that a read-only file system or a NameNode in safe
// mode refused.
var ErrReadOnly = errors.New("file system is read-only")

// ErrIsDir marks a folder where a file was wanted.
var ErrIsDir = errors.New("is a folder")

// ErrNotDir marks a file where a folder was wanted.
var ErrNotDir = errors.New("is not a folder")

// ErrNotEmpty marks a folder that is not empty.
var ErrNotEmpty = errors.New("folder is not empty")

// IsTransient tells whether err may go away by trying again. The end of the
// caller's context is not transient.
func IsTransient(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Transient
}

// wrap gives err its operation and path; nil stays nil, and what is an *Error
// already is not wrapped again.
func wrap(op, path string, err error) error {
	if err == nil {
		return nil
	}
	var e *Error
	if errors.As(err, &e) {
		return err
	}
	return &Error{Op: op, Path: path, Err: err}
}

// localError turns an error of package os into ours.
func localError(op, path string, err error) error {
	var e *Error
	if err == nil || errors.As(err, &e) {
		return err
	}
	e = &Error{Op: op, Path: path, Err: err}
	var pe *fs.PathError
	var le *linkError
	switch {
	case errors.As(err, &pe):
		e.Reason = pe.Err.Error()
	case errors.As(err, &le):
		e.Reason = le.Err.Error()
	}
	for _, k := range localKinds {
		if errors.Is(err, k.errno) {
			e.Err = errors.Join(k.kind, err)
			e.Reason = k.errno.Error()
			break
		}
	}
	e.Reason = strings.ReplaceAll(e.Reason, "\n", "; ")
	return e
}

var localKinds = []struct {
	errno syscall.Errno
	kind  error
}{
	{syscall.ENOSPC, ErrNoSpace},
	{syscall.EDQUOT, ErrNoSpace},
	{syscall.EROFS, ErrReadOnly},
	{syscall.EISDIR, ErrIsDir},
	{syscall.ENOTDIR, ErrNotDir},
	{syscall.ENOTEMPTY, ErrNotEmpty},
}
