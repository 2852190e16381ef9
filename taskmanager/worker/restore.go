package worker

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"os"
	"path"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"

	"goflink/control"
	"goflink/dataflow"
	"goflink/hdfsstore"
	"goflink/state"
)

// restored is what a task gets back from a checkpoint.
type restored struct {
	byOperator map[string]dataflow.OperatorRestore
	handles    []*control.StateHandle // Location is the index
	inflight   []*control.ChannelState
	operators  []string // of the handles
	// finished: the task had finished before the checkpoint, with nothing left
	// to commit. It has no channels, as its peers know (TaskLocation.finished).
	// One that had processed its data and still holds state runs again: its sinks
	// may have to commit.
	finished bool
}

// newRestored sorts a deployment's states by operator, of which the task has n.
// dir is where relative paths lie.
func newRestored(states []*control.OperatorState, n int, dir string) (*restored, error) {
	r := &restored{byOperator: map[string]dataflow.OperatorRestore{}, finished: control.FinishedBefore(states, n)}
	for _, st := range states {
		op := r.byOperator[st.OperatorId]
		for _, l := range st.Lists {
			op.Lists = append(op.Lists, dataflow.ListState{Name: l.Name, Mode: dataflow.ListMode(l.Mode), Items: l.Items, Schema: l.Schema})
		}
		for _, h := range st.Keyed {
			info, err := decodeInfo(h.Meta)
			if err != nil {
				return nil, &fatalRestore{fmt.Errorf("state of operator %s: %w", st.OperatorId, err)}
			}
			if h, err = located(h, dir); err != nil {
				return nil, &fatalRestore{fmt.Errorf("state of operator %s %w", st.OperatorId, err)}
			}
			op.Keyed = append(op.Keyed, state.Handle{Location: strconv.Itoa(len(r.handles)), SnapshotInfo: info})
			r.handles, r.operators = append(r.handles, h), append(r.operators, st.OperatorId)
		}
		for _, c := range st.Inflight {
			h, err := located(c.Data, dir)
			if err != nil {
				return nil, &fatalRestore{fmt.Errorf("records in flight of operator %s %w", st.OperatorId, err)}
			}
			c = proto.CloneOf(c)
			c.Data = h
			r.inflight = append(r.inflight, c)
		}
		r.byOperator[st.OperatorId] = op
	}
	return r, nil
}

// located is a handle whose paths are full ones.
func located(h *control.StateHandle, dir string) (*control.StateHandle, error) {
	h = proto.CloneOf(h)
	var err error
	if h.Path != "" {
		if h.Path, err = within(dir, h.Path); err != nil {
			return nil, err
		}
	}
	for _, t := range h.Tables {
		if t.Path, err = within(dir, t.Path); err != nil {
			return nil, err
		}
	}
	return h, nil
}

// within is the full name of a file that is named relative to a folder.
func within(dir, file string) (string, error) {
	if strings.Contains(file, "://") || path.IsAbs(file) {
		return file, nil
	}
	if dir == "" {
		return "", fmt.Errorf("lies in %s, and the deployment names no folder", file)
	}
	dir = strings.TrimSuffix(dir, "/")
	if up, ok := strings.CutPrefix(file, "../"); ok {
		return dir[:max(0, strings.LastIndexByte(dir, '/'))] + "/" + up, nil
	}
	return dir + "/" + file, nil
}

// of is Env.RestoreOf.
func (r *restored) of(operatorID string) (dataflow.OperatorRestore, bool) {
	op, ok := r.byOperator[operatorID]
	return op, ok
}

// opener reads handles: state.Env.Open.
type opener struct {
	restored *restored
	files    dataflow.FileSystems
	scratch  string
	tables   *tables
}

// maxInMemory is up to which length a state is checked in memory; longer ones
// are checked while they are copied to local disk, so that they are read from
// the remote file system once.
const maxInMemory = 4 << 20

// open returns the bytes of a handle after their checksum was verified; the
// result is an io.ReaderAt.
func (o *opener) open(ctx context.Context, h state.Handle) (io.ReadCloser, error) {
	i, err := strconv.Atoi(h.Location)
	if err != nil || i < 0 || i >= len(o.restored.handles) {
		return nil, internalf("unknown state handle %q", h.Location)
	}
	return o.handle(ctx, o.restored.handles[i])
}

func (o *opener) handle(ctx context.Context, handle *control.StateHandle) (io.ReadCloser, error) {
	if handle.Path == "" {
		if crc32.Checksum(handle.Inline, castagnoli) != handle.Crc32C || int64(len(handle.Inline)) != handle.Length {
			return nil, &fatalRestore{errors.New("inline state: its checksum does not match: take an older checkpoint")}
		}
		return &memoryFile{bytes.NewReader(handle.Inline)}, nil
	}
	r, err := o.openFile(ctx, handle)
	if err != nil {
		return nil, fmt.Errorf("state in %s: %w", handle.Path, err)
	}
	return r, nil
}

func (o *opener) openFile(ctx context.Context, h *control.StateHandle) (io.ReadCloser, error) {
	fsys, name, err := o.files.For(h.Path)
	if err != nil {
		return nil, err
	}
	f, err := fsys.Open(ctx, name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if h.Offset < 0 || h.Length < 0 || h.Offset > f.Size() || h.Length > f.Size()-h.Offset {
		return nil, &fatalRestore{fmt.Errorf("the file has %d bytes, the state ends at %d: it is truncated; take an older checkpoint", f.Size(), h.Offset+h.Length)}
	}
	from := io.NewSectionReader(f, h.Offset, h.Length)
	if h.Length <= maxInMemory {
		data := make([]byte, h.Length)
		if _, err := io.ReadFull(from, data); err != nil {
			return nil, err
		}
		return &memoryFile{bytes.NewReader(data)}, verify(crc32.Checksum(data, castagnoli), h)
	}
	return o.spool(from, h)
}

// spool copies a state to a local file without a name.
func (o *opener) spool(from io.Reader, h *control.StateHandle) (io.ReadCloser, error) {
	local, err := os.CreateTemp(o.scratch, "restore-*")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(local.Name()); err != nil {
		local.Close()
		return nil, err
	}
	sum := crc32.New(castagnoli)
	_, err = io.CopyBuffer(io.MultiWriter(local, sum), struct{ io.Reader }{from}, make([]byte, 1<<20))
	if err == nil {
		err = verify(sum.Sum32(), h)
	}
	if err == nil {
		_, err = local.Seek(0, io.SeekStart)
	}
	if err != nil {
		local.Close()
		return nil, err
	}
	return local, nil
}

func verify(sum uint32, h *control.StateHandle) error {
	if sum != h.Crc32C {
		return &fatalRestore{fmt.Errorf("bytes %d to %d have checksum %08x, expected %08x: the file is damaged; take an older checkpoint",
			h.Offset, h.Offset+h.Length, sum, h.Crc32C)}
	}
	return nil
}

// memoryFile is verified state in memory.
type memoryFile struct{ *bytes.Reader }

// Close does nothing.
func (memoryFile) Close() error { return nil }

// infoVersion is the version of the encoding of a state.SnapshotInfo in a
// StateHandle: version, kind, format version, checkpoint, range, bytes, then
// the offsets as differences, all but the first three as varints.
const infoVersion = 1

// maxOffsets bounds the offsets of a handle: one a key group and one more.
const maxOffsets = state.MaxMaxParallelism + 1

func encodeInfo(info state.SnapshotInfo) []byte {
	b := []byte{infoVersion, byte(info.Kind), info.Version}
	b = binary.AppendVarint(b, info.CheckpointID)
	b = binary.AppendUvarint(b, uint64(info.Range.Start))
	b = binary.AppendUvarint(b, uint64(info.Range.End))
	b = binary.AppendUvarint(b, uint64(info.Bytes))
	b = binary.AppendUvarint(b, uint64(len(info.Offsets)))
	last := int64(0)
	for _, o := range info.Offsets {
		b = binary.AppendUvarint(b, uint64(o-last))
		last = o
	}
	return b
}

var errInfo = errors.New("the description of a state is damaged: take an older checkpoint")

func decodeInfo(b []byte) (state.SnapshotInfo, error) {
	var info state.SnapshotInfo
	if len(b) < 3 {
		return info, errInfo
	}
	if b[0] != infoVersion {
		return info, fmt.Errorf("the description of a state has version %d, this release reads %d", b[0], infoVersion)
	}
	info.Kind, info.Version = state.SnapshotKind(b[1]), b[2]
	id, n := binary.Varint(b[3:])
	if n <= 0 {
		return info, errInfo
	}
	info.CheckpointID, b = id, b[3+n:]
	var fixed [4]uint64
	for i := range fixed {
		v, n := binary.Uvarint(b)
		if n <= 0 || v > math.MaxInt64 {
			return info, errInfo
		}
		fixed[i], b = v, b[n:]
	}
	if fixed[0] > fixed[1] || fixed[1] > state.MaxMaxParallelism || fixed[3] > maxOffsets || fixed[3] > uint64(len(b)) {
		return info, errInfo
	}
	info.Range, info.Bytes = state.Range{Start: int(fixed[0]), End: int(fixed[1])}, int64(fixed[2])
	last := int64(0)
	for range fixed[3] {
		v, n := binary.Uvarint(b)
		if n <= 0 || v > uint64(info.Bytes) || last+int64(v) > info.Bytes {
			return info, errInfo
		}
		last, b = last+int64(v), b[n:]
		info.Offsets = append(info.Offsets, last)
	}
	if len(b) != 0 {
		return info, errInfo
	}
	return info, nil
}

var _ dataflow.FileSystems = (*hdfsstore.Resolver)(nil)
