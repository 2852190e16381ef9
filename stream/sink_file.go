package stream

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"path"
	"time"

	"github.com/google/uuid"

	"goflink/codec"
	"goflink/dataflow"
	"goflink/hdfsstore"
)

// DefaultRollSize is the size at which a file sink begins a new part, Flink's:
// one HDFS block.
const DefaultRollSize = 128 << 20

// FileSink writes records to the files of a folder, each exactly once: a part is
// visible under its final name only after a checkpoint that holds its records.
// Without checkpointing that is when the job ends.
type FileSink[T any] struct {
	// Path is the folder, local or on HDFS.
	Path string
	// Encode appends a record; nil means the record as fmt prints it and a line
	// end.
	Encode func(dst []byte, v T) []byte
	// RollSize begins a new part at so many bytes; 0 means DefaultRollSize. A
	// checkpoint begins one in any case.
	RollSize int64
	// RollInterval begins a new part after this time; 0 sets no limit.
	RollInterval time.Duration
	// Prefix and Suffix of part names; an empty prefix means "part".
	Prefix, Suffix string
}

// ToFiles writes the stream to files.
func ToFiles[T any](s Stream[T], f FileSink[T], opts ...Option) {
	o := addSink(s, "File Sink", opts)
	o.node.Commits = true
	c, err := codec.For[pendingFile]()
	if err != nil {
		o.env.fail(err)
	}
	if err := f.settle(); err != nil {
		o.env.failf("operator %q: %w", o.node.Name, err)
	}
	o.build = func(t *task) error {
		x := &fileSinkOp[T]{base: newBase(t), f: f, codec: c, uid: uuid.NewString()}
		t.install(x, x)
		return nil
	}
}

// WriteText writes the records of a stream as lines to files of a folder.
func (s Stream[T]) WriteText(path string, opts ...Option) {
	ToFiles(s, FileSink[T]{Path: path}, opts...)
}

func (f *FileSink[T]) settle() error {
	if f.Path == "" {
		return errors.New("no path to write to")
	}
	if f.RollSize < 0 || f.RollInterval < 0 {
		return fmt.Errorf("roll size %d and interval %s must not be negative", f.RollSize, f.RollInterval)
	}
	if f.RollSize == 0 {
		f.RollSize = DefaultRollSize
	}
	if f.Prefix == "" {
		f.Prefix = "part"
	}
	if f.Encode == nil {
		f.Encode = func(dst []byte, v T) []byte { return append(fmt.Append(dst, v), '\n') }
	}
	return checkScheme(f.Path)
}

// pendingFile is a closed part that waits for its checkpoint. It is kept in state
// until it has its final name.
type pendingFile struct {
	URI        string // of the folder, as the program gave it
	Tmp, Final string // paths on its file system
	Length     int64
	CRC        uint32 // CRC-32C of the content
}

// pendingState is the list state that holds pendingFiles.
const pendingState = "pending"

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

type fileSinkOp[T any] struct {
	base
	f     FileSink[T]
	codec codec.Codec[pendingFile]
	uid   string // makes names unique over attempts and subtasks
	count int
	dir   string
	fs    hdfsstore.FS

	w      hdfsstore.Writer // the part being written, or nil
	part   pendingFile
	opened int64 // processing time
	buf    []byte
	// pending are the closed parts; checkpoint is the first checkpoint that holds
	// each, 0 while there is none.
	pending []waitingFile
}

type waitingFile struct {
	pendingFile
	checkpoint int64
}

// Open finds the folder and commits what the restored checkpoint holds: it is
// complete, so its records must become visible. Nothing is removed: files of
// other attempts are not ours to judge.
func (o *fileSinkOp[T]) Open(ctx context.Context) error {
	fsys, dir, err := o.t.env.Files.For(o.f.Path)
	if err != nil {
		return o.fail(err)
	}
	o.fs, o.dir = fsys, dir
	if o.t.env.RestoreOf == nil {
		return nil
	}
	r, ok := o.t.env.RestoreOf(o.id)
	if !ok {
		return nil
	}
	for _, l := range r.Lists {
		if l.Name != pendingState {
			continue
		}
		for _, item := range l.Items {
			p, err := decodeSplit(o.codec, item)
			if err != nil {
				return fmt.Errorf("operator %q: pending file: %w", o.name, err)
			}
			if err := o.commit(ctx, p); err != nil {
				return err
			}
		}
	}
	return nil
}

// bufferedBytes is how much a part gathers before it is written.
const bufferedBytes = 64 << 10

func (o *fileSinkOp[T]) Collect(r *dataflow.Rec[T]) error {
	if o.w == nil {
		if err := o.begin(); err != nil {
			return err
		}
	}
	o.buf = o.f.Encode(o.buf, r.V)
	if len(o.buf) < bufferedBytes && o.part.Length+int64(len(o.buf)) < o.f.RollSize {
		return nil
	}
	if err := o.write(); err != nil {
		return err
	}
	if o.part.Length >= o.f.RollSize {
		return o.roll()
	}
	return nil
}

func (o *fileSinkOp[T]) begin() error {
	name := fmt.Sprintf("%s-%s-%d%s", o.f.Prefix, o.uid, o.count, o.f.Suffix)
	o.part = pendingFile{URI: o.f.Path, Final: path.Join(o.dir, name), Tmp: path.Join(o.dir, "."+name+".inprogress."+uuid.NewString())}
	w, err := o.fs.Create(o.t.env.Ctx, o.part.Tmp, hdfsstore.CreateOptions{})
	if err != nil {
		return o.ioError("create", o.part.Tmp, err)
	}
	o.count++
	o.w, o.opened = w, o.now()
	return nil
}

func (o *fileSinkOp[T]) write() error {
	if len(o.buf) == 0 {
		return nil
	}
	if _, err := o.w.Write(o.buf); err != nil {
		return o.ioError("write", o.part.Tmp, err)
	}
	o.part.Length += int64(len(o.buf))
	o.part.CRC = crc32.Update(o.part.CRC, castagnoli, o.buf)
	o.buf = o.buf[:0]
	return nil
}

// roll closes the part; it waits for a checkpoint then.
func (o *fileSinkOp[T]) roll() error {
	if o.w == nil {
		return nil
	}
	if err := o.write(); err != nil {
		return err
	}
	if err := o.w.Close(); err != nil {
		return o.ioError("close", o.part.Tmp, err)
	}
	o.w = nil
	o.pending = append(o.pending, waitingFile{pendingFile: o.part})
	return nil
}

func (o *fileSinkOp[T]) ioError(what, path string, err error) error {
	return fmt.Errorf("operator %q: %s %s: %w", o.name, what, path, err)
}

// Snapshot closes the part and keeps all that wait.
func (o *fileSinkOp[T]) Snapshot(c dataflow.Checkpoint) (dataflow.OperatorSnapshot, error) {
	if err := o.roll(); err != nil {
		return dataflow.OperatorSnapshot{}, err
	}
	l := dataflow.ListState{Name: pendingState, Mode: dataflow.ListSplit}
	for i := range o.pending {
		p := &o.pending[i]
		if p.checkpoint == 0 {
			p.checkpoint = c.ID
		}
		l.Items = append(l.Items, o.codec.Append(nil, &p.pendingFile))
	}
	return dataflow.OperatorSnapshot{Lists: []dataflow.ListState{l}}, nil
}

// CheckpointComplete gives parts their final names: those that this checkpoint or
// an earlier one holds.
func (o *fileSinkOp[T]) CheckpointComplete(id int64) error {
	return o.commitAll(func(p waitingFile) bool { return p.checkpoint != 0 && p.checkpoint <= id })
}

// Finish closes the last part.
func (o *fileSinkOp[T]) Finish() error { return o.roll() }

// CommitFinal commits everything; there are no checkpoints to wait for.
func (o *fileSinkOp[T]) CommitFinal() error {
	if err := o.roll(); err != nil {
		return err
	}
	return o.commitAll(func(waitingFile) bool { return true })
}

func (o *fileSinkOp[T]) commitAll(ready func(waitingFile) bool) error {
	for len(o.pending) > 0 && ready(o.pending[0]) {
		if err := o.commit(o.t.env.Ctx, o.pending[0].pendingFile); err != nil {
			return err
		}
		o.pending = o.pending[1:]
	}
	return nil
}

// commit renames a part, never over another file. It may have been renamed
// before, by an attempt that died before it could tell: then the destination has
// the same length and checksum. Anything else means that records would be lost
// or doubled, and fails the job.
func (o *fileSinkOp[T]) commit(ctx context.Context, p pendingFile) error {
	fsys, _, err := o.t.env.Files.For(p.URI)
	if err != nil {
		return o.fail(err)
	}
	err = fsys.Rename(ctx, p.Tmp, p.Final)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrExist), errors.Is(err, fs.ErrNotExist):
	default:
		return o.ioError("commit", p.Final, err)
	}
	same, verr := sameContent(ctx, fsys, p)
	switch {
	case errors.Is(verr, fs.ErrNotExist):
		return fmt.Errorf("operator %q: commit: both %s and %s are missing: their records are lost; were files removed from the output folder?", o.name, p.Tmp, p.Final)
	case verr != nil:
		return o.ioError("verify", p.Final, verr)
	case !same:
		return fmt.Errorf("operator %q: commit: %s exists and is not the part of %d bytes that was written to %s", o.name, p.Final, p.Length, p.Tmp)
	case errors.Is(err, fs.ErrExist):
		if derr := fsys.Delete(ctx, p.Tmp, false); derr != nil { // our own part, of which the final one is a copy
			return o.ioError("remove", p.Tmp, derr)
		}
	}
	return nil
}

// sameContent compares length and checksum of the destination.
func sameContent(ctx context.Context, fsys hdfsstore.FS, p pendingFile) (bool, error) {
	f, err := fsys.Open(ctx, p.Final)
	if err != nil {
		return false, err
	}
	defer f.Close()
	if f.Size() != p.Length {
		return false, nil
	}
	h := crc32.New(castagnoli)
	if _, err := io.Copy(h, io.LimitReader(f, p.Length+1)); err != nil {
		return false, err
	}
	return h.Sum32() == p.CRC, nil
}

// nextProc is when the part is old enough.
func (o *fileSinkOp[T]) nextProc() (int64, bool) {
	if o.w == nil || o.f.RollInterval == 0 {
		return 0, false
	}
	return o.opened + o.f.RollInterval.Milliseconds(), true
}

func (o *fileSinkOp[T]) fireProc(int64) error { return o.roll() }

// Close removes the part that is being written: no checkpoint holds it. Parts that
// wait stay, because a checkpoint that holds them may have completed.
func (o *fileSinkOp[T]) Close() error {
	if o.w == nil {
		return nil
	}
	w := o.w
	o.w = nil
	if err := w.Abort(); err != nil {
		return o.ioError("abort", o.part.Tmp, err)
	}
	return nil
}
