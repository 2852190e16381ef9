package stream

import (
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"goflink/hdfsstore"
)

// pendingFile is a closed part that waits for its checkpoint. It is kept in state
// until it has its final name.
type pendingFile struct {
	URI        string // of the sink's folder, as the program gave it
	Tmp, Final string // paths on its file system
	Length     int64
	CRC        uint32 // CRC-32C of the content
}

// folder is where the part will be seen.
func (p pendingFile) folder() string { return path.Dir(p.Final) }

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

const (
	// bufferedBytes is how much a part gathers before it is written.
	bufferedBytes = 64 << 10
	// maxOpenParts bounds the files and buffers of a subtask (16 MiB); the oldest
	// part is closed before another bucket's is begun.
	maxOpenParts = 256
)

// fileWriter writes the parts of one subtask, one for each bucket.
type fileWriter[T any] struct {
	f       FileSink[T]
	ctx     *SinkContext
	uid     string // makes names unique over attempts and subtasks
	count   int
	dir     string
	fs      hdfsstore.FS
	parts   map[string]*filePart
	bucket  func(r Rec[T], now time.Time) string // or nil
	last    *filePart                            // the bucket of the last record: often that of the next
	closed  []pendingFile
	checkAt int64 // when a part may have become too old, in milliseconds
}

// filePart is a part being written.
type filePart struct {
	pendingFile
	bucket string
	w      hdfsstore.Writer
	buf    []byte
	opened int64 // processing time
	// At seenAt the part had seen bytes; since then it may have been idle.
	seen, seenAt int64
}

func (p *filePart) size() int64 { return p.Length + int64(len(p.buf)) }

func newFileWriter[T any](ctx *SinkContext, f FileSink[T]) (*fileWriter[T], error) {
	fsys, dir, err := ctx.Files().For(f.Path)
	if err != nil {
		return nil, err
	}
	o := &fileWriter[T]{f: f, ctx: ctx, uid: uuid.NewString(), dir: dir, fs: fsys, parts: map[string]*filePart{}, checkAt: math.MaxInt64}
	if f.Bucket.make != nil {
		o.bucket = f.Bucket.make()
	}
	return o, nil
}

// Write appends a record to its bucket's part.
func (o *fileWriter[T]) Write(r Rec[T]) error {
	p, err := o.partOf(r)
	if err != nil {
		return err
	}
	p.buf = o.f.Encode(p.buf, r.V)
	if len(p.buf) < bufferedBytes && p.size() < o.f.RollSize {
		return nil
	}
	if err := o.write(p); err != nil {
		return err
	}
	if p.Length >= o.f.RollSize {
		return o.roll(p)
	}
	return nil
}

func (o *fileWriter[T]) partOf(r Rec[T]) (*filePart, error) {
	bucket := ""
	if o.bucket != nil {
		bucket = o.bucket(r, o.ctx.Now())
	}
	if o.last != nil && o.last.bucket == bucket {
		return o.last, nil
	}
	p := o.parts[bucket]
	if p == nil {
		var err error
		if p, err = o.begin(bucket); err != nil {
			return nil, err
		}
	}
	o.last = p
	return p, nil
}

func (o *fileWriter[T]) begin(bucket string) (*filePart, error) {
	if err := checkBucket(bucket); err != nil {
		return nil, err
	}
	if len(o.parts) >= maxOpenParts {
		if err := o.roll(slices.MinFunc(o.open(), func(a, b *filePart) int { return int(a.opened - b.opened) })); err != nil {
			return nil, err
		}
	}
	name := fmt.Sprintf("%s-%s-%d%s", o.f.Prefix, o.uid, o.count, o.f.Suffix)
	dir, now := path.Join(o.dir, bucket), o.ctx.Now().UnixMilli()
	p := &filePart{bucket: bucket, opened: now, seenAt: now,
		pendingFile: pendingFile{URI: o.f.Path, Final: path.Join(dir, name), Tmp: path.Join(dir, "."+name+".inprogress."+uuid.NewString())}}
	w, err := o.fs.Create(o.ctx.Context(), p.Tmp, hdfsstore.CreateOptions{})
	if err != nil {
		return nil, fmt.Errorf("create %s: %w", p.Tmp, err)
	}
	o.count++
	p.w = w
	o.parts[bucket] = p
	o.checkAt = min(o.checkAt, o.due(p))
	return p, nil
}

// checkBucket refuses names that lead out of the sink's folder, or that readers of
// the folder would not see.
func checkBucket(bucket string) error {
	if bucket == "" {
		return nil
	}
	for piece := range strings.SplitSeq(bucket, "/") {
		if piece == "" || strings.HasPrefix(piece, ".") || strings.ContainsRune(piece, 0) {
			return fmt.Errorf("bucket %q is not a relative folder: its parts must not be empty or begin with a dot", bucket)
		}
	}
	return nil
}

// open are the parts being written, in the order of their buckets.
func (o *fileWriter[T]) open() []*filePart {
	list := make([]*filePart, 0, len(o.parts))
	for _, p := range o.parts {
		list = append(list, p)
	}
	slices.SortFunc(list, func(a, b *filePart) int { return strings.Compare(a.bucket, b.bucket) })
	return list
}

func (o *fileWriter[T]) write(p *filePart) error {
	if len(p.buf) == 0 {
		return nil
	}
	if _, err := p.w.Write(p.buf); err != nil {
		return fmt.Errorf("write %s: %w", p.Tmp, err)
	}
	p.Length += int64(len(p.buf))
	p.CRC = crc32.Update(p.CRC, castagnoli, p.buf)
	p.buf = p.buf[:0]
	return nil
}

// roll closes a part; it waits for a checkpoint then.
func (o *fileWriter[T]) roll(p *filePart) error {
	if err := o.write(p); err != nil {
		return err
	}
	if err := p.w.Close(); err != nil {
		return fmt.Errorf("close %s: %w", p.Tmp, err)
	}
	delete(o.parts, p.bucket)
	o.last = nil
	o.closed = append(o.closed, p.pendingFile)
	return nil
}

// Flush closes all parts.
func (o *fileWriter[T]) Flush(bool) error {
	for _, p := range o.open() {
		if err := o.roll(p); err != nil {
			return err
		}
	}
	o.checkAt = math.MaxInt64
	return nil
}

// PrepareCommit gives the closed parts.
func (o *fileWriter[T]) PrepareCommit() ([]pendingFile, error) {
	list := o.closed
	o.closed = nil
	return list, nil
}

// Snapshot has nothing: no part is open across a checkpoint.
func (o *fileWriter[T]) Snapshot(int64) ([]NoState, error) { return nil, nil }

// due is when the part is to be looked at for its age.
func (o *fileWriter[T]) due(p *filePart) int64 {
	at := int64(math.MaxInt64)
	if o.f.RollInterval > 0 {
		at = p.opened + o.f.RollInterval.Milliseconds()
	}
	if o.f.RollInactivity > 0 {
		at = min(at, p.seenAt+o.f.RollInactivity.Milliseconds(), o.ctx.Now().UnixMilli()+max(1, o.f.RollInactivity.Milliseconds()/4))
	}
	return at
}

// NextTimer is when a part may be old enough.
func (o *fileWriter[T]) NextTimer() (int64, bool) { return o.checkAt, o.checkAt != math.MaxInt64 }

// OnTimer closes the parts that are old enough, or idle for long enough.
func (o *fileWriter[T]) OnTimer(now int64) error {
	o.checkAt = math.MaxInt64
	for _, p := range o.open() {
		if n := p.size(); n != p.seen {
			p.seen, p.seenAt = n, now
		}
		old := o.f.RollInterval > 0 && now-p.opened >= o.f.RollInterval.Milliseconds()
		idle := o.f.RollInactivity > 0 && now-p.seenAt >= o.f.RollInactivity.Milliseconds()
		if old || idle {
			if err := o.roll(p); err != nil {
				return err
			}
			continue
		}
		o.checkAt = min(o.checkAt, o.due(p))
	}
	return nil
}

// Close removes the parts that are being written: no checkpoint holds them. Parts
// that wait stay, because a checkpoint that holds them may have completed.
func (o *fileWriter[T]) Close() error {
	var errs []error
	for _, p := range o.open() {
		if err := p.w.Abort(); err != nil {
			errs = append(errs, fmt.Errorf("abort %s: %w", p.Tmp, err))
		}
	}
	clear(o.parts)
	return errors.Join(errs...)
}

var _ SinkTimer = (*fileWriter[int])(nil)
