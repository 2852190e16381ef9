package hdfsstore

import (
	"context"
	"errors"
	"io/fs"
	"sync"
	"time"

	"github.com/colinmarc/hdfs/v2"
	"google.golang.org/protobuf/proto"

	"goflink/hadooprpc/proto/hdfsproto"
)

// serverDefaults caches the NameNode's answer to getServerDefaults.
type serverDefaults struct {
	mu struct {
		sync.Mutex
		value *hdfsproto.FsServerDefaultsProto
		until time.Time
	}
}

// defaultsFor is as in Java's client (SERVER_DEFAULTS_VALIDITY_PERIOD).
const defaultsFor = time.Hour

func (d *serverDefaults) get(b *bridge) (*hdfsproto.FsServerDefaultsProto, error) {
	d.mu.Lock()
	value := d.mu.value
	fresh := time.Now().Before(d.mu.until)
	d.mu.Unlock()
	if fresh {
		return value, nil
	}
	resp := &hdfsproto.GetServerDefaultsResponseProto{}
	if err := b.exchange("getServerDefaults", &hdfsproto.GetServerDefaultsRequestProto{}, resp); err != nil {
		return nil, err
	}
	d.mu.Lock()
	d.mu.value, d.mu.until = resp.GetServerDefaults(), time.Now().Add(defaultsFor)
	d.mu.Unlock()
	return resp.GetServerDefaults(), nil
}

// raw is the answer as the library reads it.
func (d *serverDefaults) raw(b *bridge) ([]byte, error) {
	value, err := d.get(b)
	if err != nil {
		return nil, err
	}
	return proto.Marshal(&hdfsproto.GetServerDefaultsResponseProto{ServerDefaults: value})
}

// client makes an instance of the library for one file.
func (h *HDFS) client(b *bridge) (*hdfs.Client, error) {
	return hdfs.NewClient(hdfs.ClientOptions{
		Addresses:           []string{"namenode"},
		User:                h.user,
		UseDatanodeHostname: h.nodes.hostname,
		NamenodeDialFunc:    b.dial,
		DatanodeDialFunc:    b.dialNode,

		DataTransferProtection: h.protection,
	})
}

// Create opens a new file; see FS.
func (h *HDFS) Create(ctx context.Context, p string, o CreateOptions) (Writer, error) {
	b := newBridge(ctx, h)
	b.file.write, b.file.create = true, o
	defaults, err := h.defaults.get(b)
	if err != nil {
		return nil, h.explain("create", p, err)
	}
	if o.Replication == 0 {
		o.Replication = int(defaults.GetReplication())
	}
	if o.BlockSize == 0 {
		o.BlockSize = int64(defaults.GetBlockSize())
	}
	c, err := h.client(b)
	if err != nil {
		return nil, h.explainClient("create", p, b, err)
	}
	f, err := c.CreateFile(p, o.Replication, o.BlockSize, o.perm())
	if err != nil {
		err = h.explainClient("create", p, b, err)
		return nil, errors.Join(err, c.Close())
	}
	w := &hdfsWriter{h: h, b: b, c: c, f: f, path: p}
	w.stop = context.AfterFunc(ctx, b.abandon)
	return w, nil
}

// hdfsWriter writes one file through its own instance of the library.
type hdfsWriter struct {
	h    *HDFS
	b    *bridge
	c    *hdfs.Client
	f    *hdfs.FileWriter
	path string
	n    int64
	err  error       // the first; the file is broken
	stop func() bool // nil after release
	done bool        // closed or aborted
	kept bool        // closed without error, or aborted
}

// writePiece bounds what one call hands to the library, which otherwise copies
// all of it before it sends any, and lets errors of the DataNode be seen early.
const writePiece = 1 << 20

func (w *hdfsWriter) Write(p []byte) (int, error) {
	if w.done {
		return 0, wrap("write", w.h.URI(w.path), fs.ErrClosed)
	}
	written := 0
	for len(p) > 0 && w.err == nil {
		k, err := w.f.Write(p[:min(len(p), writePiece)])
		written += k
		p = p[k:]
		w.check("write", err)
	}
	w.n += int64(written)
	return written, w.err
}

// check keeps the first error: of the call, of the connection to the DataNode
// (which does not show in the call), or of the context.
func (w *hdfsWriter) check(op string, err error) {
	if err == nil {
		err = w.b.nodeError()
	}
	if err == nil {
		return
	}
	if ctx := w.b.ctx; ctx.Err() != nil {
		w.err = &Error{Op: op, Path: w.h.URI(w.path), Err: context.Cause(ctx)}
		return
	}
	w.err = w.h.explainClient(op, w.path, w.b, err)
	w.h.nodes.suspect(w.b.ctx, w.b.file.pipeline)
}

// Close waits for the acknowledgements, completes the file at the NameNode and
// checks its length.
func (w *hdfsWriter) Close() error {
	if w.done {
		return nil
	}
	if w.err != nil {
		return w.err // Abort ends the rest
	}
	w.done = true
	err := w.f.Close()
	if err != nil {
		w.check("close", err)
	} else if werr := w.verify(); werr != nil {
		w.err = werr
	}
	w.kept = w.err == nil
	return errors.Join(w.err, w.release())
}

// verify asks the NameNode for the length of the completed file.
func (w *hdfsWriter) verify() error {
	info, err := w.h.Stat(w.b.ctx, w.path)
	if err != nil {
		return err
	}
	if info.Size != w.n {
		return sizeMismatch(w.h.URI(w.path), info.Size, w.n)
	}
	return nil
}

// release ends the instance of the library.
func (w *hdfsWriter) release() error {
	if w.stop == nil {
		return nil
	}
	w.stop()
	w.stop = nil
	w.b.abandon()
	return wrap("close", w.h.URI(w.path), w.c.Close())
}

// Abort removes the file.
func (w *hdfsWriter) Abort() error {
	if w.kept {
		return nil
	}
	w.b.abandon()
	if !w.done {
		// Without its connection the library's Close only ends its goroutines; its
		// error is that of the connection.
		_ = w.f.Close()
	}
	w.done, w.kept = true, true
	err := w.release()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(w.b.ctx), w.h.o.CallTimeout)
	defer cancel()
	return errors.Join(err, w.h.Delete(ctx, w.path, false))
}
