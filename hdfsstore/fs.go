package hdfsstore

import (
	"context"
	"io"
	"io/fs"
	"time"
)

// FS is one file system. Paths are absolute, slash-separated and without
// scheme or host; Resolver.For splits a URI into an FS and such a path. All
// methods may be called concurrently.
type FS interface {
	// Create opens a new file for writing and makes its parent folders, unless
	// o.NoParents. Without o.Overwrite an existing path is fs.ErrExist. When ctx ends, the writer's
	// methods fail. The file may be seen by others before Close; use Publish for
	// what must appear whole.
	Create(ctx context.Context, path string, o CreateOptions) (Writer, error)
	// Open opens a file for reading. Opening a folder is an error. When ctx
	// ends, reads fail.
	Open(ctx context.Context, path string) (File, error)
	// Stat describes a path; an absent one is fs.ErrNotExist.
	Stat(ctx context.Context, path string) (Info, error)
	// List describes the children of a folder, sorted by name. A file is an
	// error, an absent folder fs.ErrNotExist.
	List(ctx context.Context, path string) ([]Info, error)
	// Rename moves a file or folder, atomically, and never overwrites:
	// fs.ErrExist if to exists in whatever form, fs.ErrNotExist if from or the
	// folder that to lies in is gone.
	Rename(ctx context.Context, from, to string) error
	// Replace moves a file over another one, or over nothing, atomically.
	Replace(ctx context.Context, from, to string) error
	// Mkdir makes a folder and its parents; an existing folder is no error.
	Mkdir(ctx context.Context, path string, perm fs.FileMode) error
	// MkdirExclusive makes a folder that must not exist yet (fs.ErrExist when it
	// does) in one that must (fs.ErrNotExist when it does not, so that what was
	// removed meanwhile does not come back). Of several callers exactly one
	// succeeds.
	MkdirExclusive(ctx context.Context, path string, perm fs.FileMode) error
	// Delete removes a file or, with recursive, a folder and all in it. An
	// absent path is no error; a folder that is not empty is one without
	// recursive.
	Delete(ctx context.Context, path string, recursive bool) error
	// Scheme is "file" or "hdfs".
	Scheme() string
	// Close lets go of connections. Files that are open become unusable.
	Close() error
}

// CreateOptions say how Create makes a file. The zero value is a new file with
// the defaults of the file system.
type CreateOptions struct {
	// Overwrite empties an existing file instead of failing.
	Overwrite bool
	// NoParents makes it an error (fs.ErrNotExist) that the folder of the file is
	// missing: what somebody removed does not come back.
	NoParents bool
	// Perm are the permission bits; 0 means 0644.
	Perm fs.FileMode
	// Replication is the number of copies (HDFS only); 0 means the default of
	// the cluster.
	Replication int
	// BlockSize in bytes (HDFS only); 0 means the default of the cluster. A file
	// that fits into one block costs the NameNode least.
	BlockSize int64
}

// DefaultPerm are the permission bits of a file whose CreateOptions name none.
const DefaultPerm fs.FileMode = 0o644

func (o CreateOptions) perm() fs.FileMode {
	if o.Perm == 0 {
		return DefaultPerm
	}
	return o.Perm.Perm()
}

// Writer writes one file, front to back. It is used by one goroutine.
type Writer interface {
	io.Writer
	// Close makes the file durable and checks its length. After an error the
	// file must be taken as broken: Abort it and write another one. Close after
	// Close or Abort does nothing.
	Close() error
	// Abort gives the file up and removes it. After Close it does nothing, so
	// that it can be deferred.
	Abort() error
}

// File reads one file. Read is for one goroutine; ReadAt may be called by
// several at once, also beside Read.
type File interface {
	io.Reader
	io.ReaderAt
	io.Closer
	// Size is the length in bytes when the file was opened.
	Size() int64
}

// Info describes a file or folder.
type Info struct {
	// Path is the absolute path, without scheme and host; Name its last part.
	Path string
	Name string
	// Size in bytes; 0 for folders.
	Size int64
	// ModTime is the time of the last change, to the millisecond on HDFS.
	ModTime time.Time
	IsDir   bool
	// Perm are the permission bits.
	Perm fs.FileMode
	// Owner and Group are names; on the local file system they are numbers where
	// the system's lists know no name.
	Owner string
	Group string
	// BlockSize and Replication are 0 on the local file system.
	BlockSize   int64
	Replication int
}
