package worker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"path"
	"time"

	"github.com/google/uuid"

	"goflink/conf"
	"goflink/control"
	"goflink/hdfsstore"
	"goflink/state"
)

// maxInline is how much state an acknowledgement takes when there is no folder
// for checkpoints, as Flink's JobManager storage does.
const maxInline = 5 << 20

// uploadAttempts is how often a segment is written when the file system fails
// in a way that may pass, as often as hdfsstore.Publish writes its file and for
// the same reason: a DataNode that died unnoticed fails one file after another.
const uploadAttempts = 7

// uploadPause is the first pause between tries; it doubles up to 2 s.
const uploadPause = 200 * time.Millisecond

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// write makes a segment durable and acknowledges its parts, or declines them.
func (s *segments) write(seg *segment) {
	defer s.remove(seg)
	defer seg.cancel(nil)
	began := time.Now()
	up := newUpload(s, seg)
	err := guard(func() error { return s.writeRetrying(seg, up) })
	aborted := context.Cause(seg.ctx)
	for _, p := range seg.parts {
		p.release()
	}
	switch {
	case aborted != nil: // nobody waits for an answer
		if err == nil { // what lies in the checkpoint's own folder goes with it
			up.giveBack()
		}
		s.w.Log.Info("checkpoint given up while being written", "checkpoint", seg.key.checkpoint, "reason", aborted)
	case err != nil:
		s.w.Log.Warn("writing a checkpoint failed", "checkpoint", seg.key.checkpoint, "dir", seg.barrier.Dir, "error", err)
		for _, p := range seg.parts {
			s.w.reportDeclined(p.task.id, seg.key.checkpoint, err.Error(), false)
		}
	default:
		for _, p := range seg.parts {
			p.remember(seg.key.checkpoint)
			s.acknowledge(p, began)
		}
	}
}

func (s *segments) writeRetrying(seg *segment, up *upload) error {
	wait := s.w.uploadPause
	if err := up.prepare(); err != nil {
		return err
	}
	for try := 1; ; try++ {
		err := s.writeOnce(seg, up)
		if err == nil {
			up.tidy()
			return nil
		}
		if try == uploadAttempts || !hdfsstore.IsTransient(err) || seg.ctx.Err() != nil {
			return errors.Join(err, up.abort())
		}
		pause(seg.ctx, wait)
		wait = min(2*wait, 2*time.Second)
	}
}

// writeOnce writes all parts into one file. States below the inline limit go
// into their acknowledgements; a file is made only when one is above it.
func (s *segments) writeOnce(seg *segment, up *upload) error {
	if err := up.run(); err != nil {
		return err
	}
	f := &segmentFile{ctx: seg.ctx, files: s.w.Files, dir: seg.barrier.Dir, inline: int(conf.CheckpointingDataInlineThreshold.Get(s.w.conf)),
		name: fmt.Sprintf("state-e%d-%s", seg.barrier.Epoch, uuid.NewString())}
	if f.dir == "" {
		f.inline = maxInline
	}
	err := s.writeParts(seg, f, up)
	if err == nil {
		err = f.close()
	}
	if err == nil {
		err = context.Cause(seg.ctx) // given up meanwhile: nobody will delete the file if we leave it
	}
	if err != nil {
		return errors.Join(err, f.abort())
	}
	return nil
}

func (s *segments) writeParts(seg *segment, f *segmentFile, up *upload) error {
	for _, p := range seg.parts {
		for _, k := range p.keyed {
			k.state.Keyed = nil
		}
	}
	for _, p := range seg.parts {
		for _, k := range p.keyed {
			h, err := f.addPart(p, k)
			if err != nil {
				return fmt.Errorf("%s, operator %s: %w", p.task.name, p.task.operatorName(k.state.OperatorId), err)
			}
			if k.channel != nil {
				h.Kind, h.Meta, h.KeyGroupStart, h.KeyGroupEnd = "channel", nil, 0, 0
				k.channel.Data = h
				continue
			}
			if h == nil {
				continue
			}
			if k.linking != nil {
				if h.Tables, err = up.files(k.linking); err != nil {
					return err
				}
			}
			k.state.Keyed = append(k.state.Keyed, h)
		}
	}
	return nil
}

// segmentFile is the file of one segment; it is made when the first state that
// does not fit inline is written.
type segmentFile struct {
	ctx   context.Context
	files interface {
		For(uri string) (fs hdfsstore.FS, path string, err error)
	}
	dir    string
	name   string
	inline int
	w      hdfsstore.Writer
	tried  bool // the file may be there, even if its creation failed
	offset int64
}

// add writes one snapshot and returns its handle.
func (f *segmentFile) add(s state.Snapshot) (*control.StateHandle, error) {
	x := &extent{file: f, start: f.offset, sum: crc32.New(castagnoli)}
	info, err := s.WriteTo(f.ctx, x)
	if err != nil {
		return nil, err
	}
	if info.Bytes != x.length {
		return nil, internalf("a snapshot of %d bytes says it has %d", x.length, info.Bytes)
	}
	if x.length == 0 {
		return nil, nil
	}
	h := &control.StateHandle{Length: x.length, Crc32C: x.sum.Sum32(), Kind: info.Kind.String(), Meta: encodeInfo(info),
		KeyGroupStart: int32(info.Range.Start), KeyGroupEnd: int32(info.Range.End - 1)}
	if x.spilled {
		h.Path, h.Offset = f.name, x.start
	} else {
		h.Inline = bytes.Clone(x.small.Bytes())
	}
	return h, nil
}

// addPart is add. Records in flight go inline only if those of all channels of
// the task are below the limit together: a task may have thousands of channels.
func (f *segmentFile) addPart(p *part, k keyedPart) (*control.StateHandle, error) {
	if k.channel == nil || f.dir == "" || p.ack.PersistedBytes <= int64(f.inline) {
		return f.add(k.snapshot)
	}
	inline := f.inline
	f.inline = 0
	defer func() { f.inline = inline }()
	return f.add(k.snapshot)
}

func (f *segmentFile) write(p []byte) (int, error) {
	if f.w == nil {
		if f.dir == "" {
			return 0, fmt.Errorf("the state is larger than the %d bytes that fit into the JobManager's memory: set execution.checkpointing.dir", f.inline)
		}
		fsys, dir, err := f.files.For(f.dir)
		if err != nil {
			return 0, err
		}
		f.tried = true
		if f.w, err = fsys.Create(f.ctx, path.Join(dir, f.name), hdfsstore.CreateOptions{}); err != nil {
			return 0, err
		}
	}
	n, err := f.w.Write(p)
	f.offset += int64(n)
	return n, err
}

func (f *segmentFile) close() error {
	if f.w == nil {
		return nil
	}
	return f.w.Close()
}

// abort removes the file. The context of an aborted checkpoint has ended, so
// the removal goes its own way.
func (f *segmentFile) abort() error {
	if !f.tried {
		return nil
	}
	var err error
	if f.w != nil {
		err = f.w.Abort()
	}
	fsys, dir, ferr := f.files.For(f.dir)
	if ferr != nil {
		return errors.Join(err, ferr)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(f.ctx), 10*time.Second)
	defer cancel()
	if derr := fsys.Delete(ctx, path.Join(dir, f.name), false); derr != nil {
		return errors.Join(err, derr)
	}
	return nil
}

// extent is the io.Writer of one snapshot: it gathers up to the inline limit
// in memory and spills into the file beyond.
type extent struct {
	file    *segmentFile
	small   bytes.Buffer
	spilled bool
	start   int64
	length  int64
	sum     hash.Hash32
}

var _ io.Writer = (*extent)(nil)

func (x *extent) Write(p []byte) (int, error) {
	if err := x.file.ctx.Err(); err != nil {
		return 0, context.Cause(x.file.ctx)
	}
	x.sum.Write(p)
	x.length += int64(len(p))
	if !x.spilled && x.small.Len()+len(p) <= x.file.inline {
		return x.small.Write(p)
	}
	if !x.spilled {
		x.spilled = true
		if _, err := x.file.write(x.small.Bytes()); err != nil {
			return 0, err
		}
		x.small = bytes.Buffer{}
	}
	return x.file.write(p)
}
