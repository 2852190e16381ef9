package stream

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"goflink/codec"
	"goflink/dataflow"
	"goflink/hdfsstore"
)

const (
	// maxSplitSize is a compromise: larger splits leave readers idle at the end,
	// smaller ones cost a file opened for each.
	maxSplitSize = 64 << 20
	// minSplitSize keeps small inputs in few splits.
	minSplitSize = 1 << 20
	// maxFiles bounds a listing; a coordinator holds the names.
	maxFiles = 10_000_000
	// maxDepth bounds folders in folders, as links could make circles.
	maxDepth = 64
)

// fileEnumerator lists files, cuts them into splits and hands one out for each
// request.
type fileEnumerator struct {
	o       FileOptions
	codec   codec.Codec[fileSplit]
	ctx     dataflow.EnumeratorContext
	listed  bool // a first listing is done
	listing bool
	pending [][]byte
	seen    map[string]bool // with Discover: files that were cut already
	waiting []int           // subtasks that asked and got nothing yet
}

// Start lists the paths; what cannot be read fails the job with the path's name.
func (e *fileEnumerator) Start(ctx dataflow.EnumeratorContext, restored []byte) error {
	e.ctx, e.seen = ctx, map[string]bool{}
	if restored != nil {
		if err := e.restore(restored); err != nil {
			return err
		}
	}
	if !e.listed {
		e.list()
	}
	if e.o.Discover > 0 {
		ctx.Every(e.o.Discover, func() error {
			e.list()
			return nil
		})
	}
	return nil
}

// list lists in the background, one listing at a time.
func (e *fileEnumerator) list() {
	if e.listing {
		return
	}
	e.listing = true
	var found []foundFile
	e.ctx.Run(func(ctx context.Context) (err error) {
		found, err = listFiles(ctx, e.ctx.Files(), e.o.Paths)
		return err
	}, func(err error) error {
		e.listing = false
		if err != nil {
			return err
		}
		e.listed = true
		e.add(found)
		return e.serve()
	})
}

type foundFile struct {
	uri  string
	size int64
}

// add cuts files that are new into splits.
func (e *fileEnumerator) add(found []foundFile) {
	var total int64
	fresh := found[:0]
	for _, f := range found {
		if e.seen[f.uri] {
			continue
		}
		if e.o.Discover > 0 {
			e.seen[f.uri] = true
		}
		fresh = append(fresh, f)
		total += f.size
	}
	size := e.o.SplitSize
	if size == 0 {
		size = min(maxSplitSize, max(minSplitSize, total/int64(4*e.ctx.Parallelism())+1))
	}
	for _, f := range fresh {
		for at := int64(0); at < f.size; at += size {
			s := fileSplit{URI: f.uri, Start: at, End: min(at+size, f.size), At: at}
			e.pending = append(e.pending, e.codec.Append(nil, &s))
		}
	}
}

// Request gives the subtask a split, or makes it wait for one.
func (e *fileEnumerator) Request(subtask int, _ string) error {
	if !slices.Contains(e.waiting, subtask) {
		e.waiting = append(e.waiting, subtask)
	}
	return e.serve()
}

func (e *fileEnumerator) serve() error {
	for len(e.waiting) > 0 {
		sub := e.waiting[0]
		switch {
		case len(e.pending) > 0:
			e.ctx.Assign(sub, e.pending[:1:1])
			e.pending = e.pending[1:]
		case e.listed && e.o.Discover == 0:
			e.ctx.NoMoreSplits(sub)
		default:
			return nil
		}
		e.waiting = e.waiting[1:]
	}
	return nil
}

// Snapshot keeps the splits that were not handed out, and with Discover the files
// that were seen. The first blob is the state's head.
func (e *fileEnumerator) Snapshot(int64) ([]byte, error) {
	head := []byte{0, byte(0)}
	if e.listed {
		head[0] = 1
	}
	names := make([][]byte, 0, len(e.seen))
	for uri := range e.seen {
		names = append(names, []byte(uri))
	}
	slices.SortFunc(names, slices.Compare)
	return encodeBlobs([][]byte{head, encodeBlobs(e.pending), encodeBlobs(names)}), nil
}

func (e *fileEnumerator) restore(data []byte) error {
	parts, err := decodeBlobs(data)
	if err != nil {
		return err
	}
	if len(parts) != 3 || len(parts[0]) != 2 {
		return fmt.Errorf("damaged state of a file source: %d parts", len(parts))
	}
	e.listed = parts[0][0] == 1
	if e.pending, err = decodeBlobs(parts[1]); err != nil {
		return err
	}
	names, err := decodeBlobs(parts[2])
	for _, n := range names {
		e.seen[string(n)] = true
	}
	return err
}

// CheckpointComplete has nothing to do.
func (e *fileEnumerator) CheckpointComplete(int64) error { return nil }

// Close has nothing to do.
func (e *fileEnumerator) Close() error { return nil }

// listFiles lists all files under the paths, sorted.
func listFiles(ctx context.Context, files dataflow.FileSystems, paths []string) ([]foundFile, error) {
	var out []foundFile
	for _, uri := range paths {
		fsys, path, err := files.For(uri)
		if err != nil {
			return nil, fmt.Errorf("input path %s: %w", uri, err)
		}
		info, err := fsys.Stat(ctx, path)
		if err != nil {
			return nil, pathError(uri, err)
		}
		w := walker{ctx: ctx, fs: fsys, root: rootOf(uri), uri: uri}
		if err := w.visit(info, 0); err != nil {
			return nil, err
		}
		out = append(out, w.out...)
	}
	slices.SortFunc(out, func(a, b foundFile) int { return strings.Compare(a.uri, b.uri) })
	return slices.CompactFunc(out, func(a, b foundFile) bool { return a.uri == b.uri }), nil
}

func pathError(uri string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("input path %s does not exist: %w", uri, err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("no permission to read input path %s: %w", uri, err)
	}
	return fmt.Errorf("input path %s: %w", uri, err)
}

// rootOf is the part of a URI before the path: "hdfs://host:port", "file://" or
// nothing.
func rootOf(uri string) string {
	scheme, rest, ok := strings.Cut(uri, "://")
	if !ok {
		return ""
	}
	authority, _, _ := strings.Cut(rest, "/")
	return scheme + "://" + authority
}

type walker struct {
	ctx  context.Context
	fs   hdfsstore.FS
	root string
	uri  string // as the user gave it, for messages
	out  []foundFile
}

func (w *walker) visit(info hdfsstore.Info, depth int) error {
	if depth > maxDepth || len(w.out) > maxFiles {
		return fmt.Errorf("input path %s: folders deeper than %d or more than %d files", w.uri, maxDepth, maxFiles)
	}
	if !info.IsDir {
		w.out = append(w.out, foundFile{w.root + w.escape(info.Path), info.Size})
		return nil
	}
	children, err := w.fs.List(w.ctx, info.Path)
	if err != nil {
		return pathError(w.root+info.Path, err)
	}
	for _, c := range children {
		if strings.HasPrefix(c.Name, ".") || strings.HasPrefix(c.Name, "_") {
			continue
		}
		if err := w.visit(c, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// escape undoes what resolving a file: URI does to a path.
func (w *walker) escape(path string) string {
	if strings.HasPrefix(w.root, "file:") {
		return strings.ReplaceAll(path, "%", "%25")
	}
	return path
}
