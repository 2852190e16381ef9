package hdfsstore

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"sync"

	"github.com/colinmarc/hdfs/v2"
	"google.golang.org/protobuf/proto"

	"goflink/hadooprpc/proto/hdfsproto"
)

// readTries is how often a read is tried with block locations asked for anew,
// each time on all replicas. One repetition helps when blocks have moved or
// their tokens expired; a second one when a node was lost just then.
const readTries = 3

// idleReaders is how many connections for ReadAt a file keeps. Restoring state
// reads with a few goroutines; more would hold DataNode threads for nothing.
const idleReaders = 4

// locations caches where the blocks of an open file are.
type locations struct {
	mu struct {
		sync.Mutex
		answer []byte
	}
}

func (l *locations) get(b *bridge, request []byte) ([]byte, error) {
	l.mu.Lock()
	answer := l.mu.answer
	l.mu.Unlock()
	if answer != nil {
		return answer, nil
	}
	answer, err := b.forward("getBlockLocations", request)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	l.mu.answer = answer
	l.mu.Unlock()
	return answer, nil
}

func (l *locations) forget() {
	l.mu.Lock()
	l.mu.answer = nil
	l.mu.Unlock()
}

// Open opens a file for reading; see FS.
func (h *HDFS) Open(ctx context.Context, p string) (File, error) {
	st, err := h.status(ctx, "open", p)
	if err != nil {
		return nil, err
	}
	fail := func(kind error, reason string) (File, error) {
		return nil, &Error{Op: "open", Path: h.URI(p), Err: kind, Reason: reason}
	}
	switch {
	case st.GetFileType() == hdfsproto.HdfsFileStatusProto_IS_DIR:
		return fail(ErrIsDir, "")
	case st.GetFileType() == hdfsproto.HdfsFileStatusProto_IS_SYMLINK:
		return fail(errors.ErrUnsupported, "is a symbolic link, which goflink does not follow in HDFS")
	case st.GetFileEncryptionInfo() != nil:
		return fail(errors.ErrUnsupported, "lies in an HDFS encryption zone, which goflink cannot read")
	case isStriped(st):
		return fail(errors.ErrUnsupported, "is erasure coded, which goflink cannot read: copy it to a folder with replication")
	}
	raw, err := proto.Marshal(&hdfsproto.GetFileInfoResponseProto{Fs: st})
	if err != nil {
		return nil, wrap("open", h.URI(p), err)
	}
	return &hdfsFile{h: h, ctx: ctx, path: p, size: int64(st.GetLength()), status: raw, locations: &locations{}}, nil
}

// hdfsFile reads a file through instances of the library: one for Read, and one
// for each ReadAt that runs at the same time.
type hdfsFile struct {
	h         *HDFS
	ctx       context.Context
	path      string
	size      int64
	status    []byte
	locations *locations

	front *hdfsReader // of Read
	pos   int64       // of Read

	mu struct {
		sync.Mutex
		idle   []*hdfsReader
		closed bool
	}
}

// hdfsReader is one instance of the library with the file open at pos.
type hdfsReader struct {
	b    *bridge
	c    *hdfs.Client
	f    *hdfs.FileReader
	pos  int64
	stop func() bool
}

func (f *hdfsFile) Size() int64 { return f.size }

func (f *hdfsFile) newReader() (*hdfsReader, error) {
	if err := f.ctx.Err(); err != nil {
		return nil, err
	}
	b := newBridge(f.ctx, f.h)
	b.file.status, b.file.locations = f.status, f.locations
	c, err := f.h.client(b)
	if err != nil {
		return nil, f.h.explainClient("open", f.path, b, err)
	}
	r, err := c.Open(f.path)
	if err != nil {
		return nil, errors.Join(f.h.explainClient("open", f.path, b, err), c.Close())
	}
	out := &hdfsReader{b: b, c: c, f: r}
	out.stop = context.AfterFunc(f.ctx, b.abandon)
	return out, nil
}

func (r *hdfsReader) close() error {
	r.stop()
	r.b.abandon()
	_ = r.f.Close() // only its connection, which abandon has closed
	return r.c.Close()
}

// readAt fills p from off on, all of it unless the file ends or an error comes.
func (r *hdfsReader) readAt(p []byte, off int64) (int, error) {
	if off != r.pos {
		if _, err := r.f.Seek(off, io.SeekStart); err != nil {
			return 0, err
		}
		r.pos = off
	}
	n, err := io.ReadFull(r.f, p)
	r.pos += int64(n)
	return n, err
}

// Read reads on from where the last Read ended.
func (f *hdfsFile) Read(p []byte) (int, error) {
	if f.isClosed() {
		return 0, wrap("read", f.h.URI(f.path), fs.ErrClosed)
	}
	if len(p) == 0 {
		return 0, nil
	}
	if f.pos >= f.size {
		return 0, io.EOF
	}
	p = p[:min(int64(len(p)), f.size-f.pos)]
	for try := 1; ; try++ {
		n, err := f.readFront(p)
		f.pos += int64(n)
		if n > 0 || err == nil {
			// What remains of the error shows at the next call.
			return n, nil
		}
		if f.ctx.Err() != nil || !IsTransient(err) || try == readTries {
			return 0, f.readError(err)
		}
	}
}

func (f *hdfsFile) readFront(p []byte) (int, error) {
	if f.front == nil {
		r, err := f.newReader()
		if err != nil {
			return 0, err
		}
		f.front = r
	}
	r := f.front
	if r.pos != f.pos {
		if _, err := r.f.Seek(f.pos, io.SeekStart); err != nil {
			return 0, f.discard(r, err)
		}
		r.pos = f.pos
	}
	n, err := r.f.Read(p)
	r.pos += int64(n)
	if err != nil {
		f.front = nil
		return n, f.discard(r, err)
	}
	return n, nil
}

// discard gives a reader up after err, and the locations it had.
func (f *hdfsFile) discard(r *hdfsReader, err error) error {
	err = f.h.explainClient("read", f.path, r.b, err)
	f.locations.forget()
	_ = r.close() // what counts is why it is closed
	return err
}

func (f *hdfsFile) readError(err error) error {
	if f.ctx.Err() != nil {
		return &Error{Op: "read", Path: f.h.URI(f.path), Err: context.Cause(f.ctx)}
	}
	return wrap("read", f.h.URI(f.path), err)
}

// ReadAt reads at an offset, beside other reads.
func (f *hdfsFile) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, wrap("read", f.h.URI(f.path), fs.ErrInvalid)
	}
	if f.isClosed() {
		return 0, wrap("read", f.h.URI(f.path), fs.ErrClosed)
	}
	if len(p) == 0 {
		return 0, nil
	}
	if off >= f.size {
		return 0, io.EOF
	}
	want := min(int64(len(p)), f.size-off)
	done := 0
	for try := 1; ; try++ {
		n, err := f.readAtOnce(p[done:want], off+int64(done))
		done += n
		if int64(done) == want {
			break
		}
		if f.ctx.Err() != nil || !IsTransient(err) || try == readTries {
			return done, f.readError(err)
		}
	}
	if done < len(p) {
		return done, io.EOF
	}
	return done, nil
}

func (f *hdfsFile) readAtOnce(p []byte, off int64) (int, error) {
	r, err := f.take(off)
	if err != nil {
		return 0, err
	}
	n, err := r.readAt(p, off)
	if n < len(p) {
		if err == nil || errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return n, f.discard(r, err)
	}
	return n, f.give(r)
}

// take chooses an idle reader, at best one that stands at the offset: another
// one has to connect anew.
func (f *hdfsFile) take(off int64) (*hdfsReader, error) {
	f.mu.Lock()
	best := -1
	for i, r := range f.mu.idle {
		if best < 0 || r.pos == off {
			best = i
		}
	}
	if best < 0 {
		f.mu.Unlock()
		return f.newReader()
	}
	r := f.mu.idle[best]
	f.mu.idle = append(f.mu.idle[:best], f.mu.idle[best+1:]...)
	f.mu.Unlock()
	return r, nil
}

func (f *hdfsFile) give(r *hdfsReader) error {
	f.mu.Lock()
	keep := !f.mu.closed && len(f.mu.idle) < idleReaders
	if keep {
		f.mu.idle = append(f.mu.idle, r)
	}
	f.mu.Unlock()
	if keep {
		return nil
	}
	_ = r.close() // what was read is read
	return nil
}

func (f *hdfsFile) isClosed() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.mu.closed
}

// Close ends all readers.
func (f *hdfsFile) Close() error {
	f.mu.Lock()
	idle := f.mu.idle
	f.mu.idle, f.mu.closed = nil, true
	f.mu.Unlock()
	if f.front != nil {
		idle = append(idle, f.front)
		f.front = nil
	}
	var errs []error
	for _, r := range idle {
		errs = append(errs, r.close())
	}
	return wrap("close", f.h.URI(f.path), errors.Join(errs...))
}
