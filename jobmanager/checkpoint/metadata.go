package checkpoint

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"path"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"goflink/control"
	"goflink/graph"
)

// MetadataName is the file that makes a folder a checkpoint or savepoint.
const MetadataName = "_metadata"

// The layout of _metadata: magic, version, three bytes 0, CRC-32C of the body,
// length of the body (all big-endian), body: a CheckpointMetadata. Version 2 has
// records in flight or native state (StateHandle.tables); without either, version
// 1 is written, which earlier releases read as well.
const (
	metadataMagic   = "GFLC"
	metadataVersion = 2
	headerSize      = 20
	// flinkMagic begins the metadata of Apache Flink itself.
	flinkMagic = 0x4960672d
)

// MetadataLimit bounds _metadata in bytes. State below the inline threshold
// (20 KB) lies in it: 256 MiB are ten thousand subtasks that all just stay
// below; more would not fit into a JobManager anyway.
const MetadataLimit = 256 << 20

// noSubtask marks the state of an operator's coordinator.
const noSubtask = -1

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Errors of DecodeMetadata, to be told apart by errors.Is.
var (
	ErrNotMetadata = errors.New("it is not the metadata of a checkpoint or savepoint of goflink")
	ErrTruncated   = errors.New("it is truncated")
	ErrCorrupt     = errors.New("it is damaged")
	ErrVersion     = errors.New("it has a format that this release does not read")
)

// EncodeMetadata renders the content of _metadata. Equal metadata is rendered
// to equal bytes.
func EncodeMetadata(m *control.CheckpointMetadata) ([]byte, error) {
	out := make([]byte, headerSize, headerSize+proto.Size(m))
	out, err := proto.MarshalOptions{Deterministic: true}.MarshalAppend(out, m)
	if err != nil {
		return nil, fmt.Errorf("checkpoint %d: encoding the metadata: %w", m.CheckpointId, err)
	}
	if len(out) > MetadataLimit {
		return nil, fmt.Errorf("checkpoint %d: the metadata has %d bytes, more than %d: lower execution.checkpointing.data-inline-threshold", m.CheckpointId, len(out), MetadataLimit)
	}
	copy(out, metadataMagic)
	out[4] = versionOf(m)
	binary.BigEndian.PutUint32(out[8:], crc32.Checksum(out[headerSize:], castagnoli))
	binary.BigEndian.PutUint64(out[12:], uint64(len(out)-headerSize))
	return out, nil
}

func versionOf(m *control.CheckpointMetadata) byte {
	native := func(h *control.StateHandle) bool { return len(h.Tables) > 0 }
	if len(m.Owned) > 0 || slices.ContainsFunc(m.States, func(st *control.OperatorState) bool {
		return len(st.Inflight) > 0 || slices.ContainsFunc(st.Keyed, native)
	}) {
		return metadataVersion
	}
	return 1
}

// DecodeMetadata reads the content of _metadata. What it returns is checked:
// ranges, indices and paths can be relied upon.
func DecodeMetadata(b []byte) (*control.CheckpointMetadata, error) {
	switch {
	case len(b) == 0:
		return nil, fmt.Errorf("%w: it is empty", ErrTruncated)
	case len(b) >= 4 && binary.BigEndian.Uint32(b) == flinkMagic:
		return nil, fmt.Errorf("%w: it was written by Apache Flink, whose state cannot be read", ErrNotMetadata)
	case len(b) < 4 && strings.HasPrefix(metadataMagic, string(b)):
		return nil, fmt.Errorf("%w: it has %d bytes", ErrTruncated, len(b))
	case len(b) < 4 || string(b[:4]) != metadataMagic:
		return nil, ErrNotMetadata
	case len(b) < headerSize:
		return nil, fmt.Errorf("%w: it has %d bytes", ErrTruncated, len(b))
	case b[4] < 1 || b[4] > metadataVersion:
		return nil, fmt.Errorf("%w: version %d, this release reads 1 to %d", ErrVersion, b[4], metadataVersion)
	}
	body := b[headerSize:]
	if want := binary.BigEndian.Uint64(b[12:]); uint64(len(body)) != want {
		if uint64(len(body)) < want && want <= MetadataLimit {
			return nil, fmt.Errorf("%w: it has %d bytes of %d", ErrTruncated, len(b), want+headerSize)
		}
		return nil, fmt.Errorf("%w: its length does not fit its header", ErrCorrupt)
	}
	if crc32.Checksum(body, castagnoli) != binary.BigEndian.Uint32(b[8:]) {
		return nil, fmt.Errorf("%w: its checksum is wrong", ErrCorrupt)
	}
	m := &control.CheckpointMetadata{}
	if err := proto.Unmarshal(body, m); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	if err := validate(m); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return m, nil
}

// maxParallelism bounds what metadata may claim; see state.MaxMaxParallelism.
const maxParallelism = 1 << 15

func validate(m *control.CheckpointMetadata) error {
	if m.CheckpointId < 1 {
		return fmt.Errorf("checkpoint id %d", m.CheckpointId)
	}
	seen := map[string]*control.OperatorInfo{}
	for _, op := range m.Operators {
		if !graph.IsID(op.GetId()) || seen[op.Id] != nil {
			return fmt.Errorf("operator id %q", op.GetId())
		}
		if op.Parallelism < 1 || op.MaxParallelism < op.Parallelism || op.MaxParallelism > maxParallelism {
			return fmt.Errorf("operator %q: parallelism %d of %d", op.Name, op.Parallelism, op.MaxParallelism)
		}
		seen[op.Id] = op
	}
	for _, st := range m.States {
		op := seen[st.GetOperatorId()]
		if op == nil {
			return fmt.Errorf("state of operator %q, which is not listed", st.GetOperatorId())
		}
		if err := validateState(op, st); err != nil {
			return fmt.Errorf("operator %q: %w", op.Name, err)
		}
	}
	return nil
}

func validateState(op *control.OperatorInfo, st *control.OperatorState) error {
	if st.Subtask < noSubtask || st.Subtask >= op.Parallelism {
		return fmt.Errorf("subtask %d of %d", st.Subtask, op.Parallelism)
	}
	for _, h := range st.Keyed {
		if h.GetKeyGroupStart() < 0 || h.GetKeyGroupEnd() < h.GetKeyGroupStart() || h.GetKeyGroupEnd() >= op.MaxParallelism {
			return fmt.Errorf("key groups %d to %d of %d", h.GetKeyGroupStart(), h.GetKeyGroupEnd(), op.MaxParallelism)
		}
		if err := validateHandle(h); err != nil {
			return err
		}
	}
	for _, c := range st.Inflight {
		if c.GetSource() < 0 || c.GetTarget() < 0 || c.InputIndex < 0 || !graph.IsID(c.SourceOperator) || !graph.IsID(c.TargetOperator) {
			return fmt.Errorf("records in flight from %q %d to %q %d", c.GetSourceOperator(), c.GetSource(), c.GetTargetOperator(), c.GetTarget())
		}
		if c.Data == nil {
			return fmt.Errorf("records in flight without data")
		}
		if err := validateHandle(c.Data); err != nil {
			return err
		}
	}
	for _, l := range st.Lists {
		switch l.GetMode() {
		case "split", "union", "broadcast":
		default:
			return fmt.Errorf("list state %q is divided by mode %q", l.GetName(), l.GetMode())
		}
	}
	return nil
}

// validateHandle checks where a state and its tables lie.
func validateHandle(h *control.StateHandle) error {
	if err := validateExtent(h.Path, h.Offset, h.Length); err != nil {
		return err
	}
	for _, t := range h.Tables {
		if t.GetPath() == "" || t.Name == "" || strings.ContainsAny(t.Name, "/\\\x00") {
			return fmt.Errorf("table %q in %q", t.GetName(), t.GetPath())
		}
		if err := validateExtent(t.Path, t.Offset, t.Length); err != nil {
			return err
		}
	}
	return nil
}

func validateExtent(path string, offset, length int64) error {
	if offset < 0 || length < 0 || offset > math.MaxInt64-length || len(path) > 8000 || strings.ContainsRune(path, 0) {
		return fmt.Errorf("extent %d+%d of %q", offset, length, path)
	}
	return nil
}

// metadata is the content of the _metadata of p.
func (c *Coordinator) metadata(p *pending) *control.CheckpointMetadata {
	m := &control.CheckpointMetadata{CheckpointId: p.id, JobId: c.cfg.JobID, Kind: string(p.kind), TimestampMs: p.at.UnixMilli(),
		Epoch: c.cfg.Epoch, Fingerprint: c.cfg.Graph.GetFingerprint(), Version: c.cfg.Version}
	infos := map[string]*control.OperatorInfo{}
	for _, v := range c.cfg.Graph.GetVertices() {
		for _, op := range v.Operators {
			infos[op.Id] = operatorInfo(v, op)
			m.Operators = append(m.Operators, infos[op.Id])
			if st, ok := p.states[op.Id]; ok {
				m.States = append(m.States, &control.OperatorState{OperatorId: op.Id, Subtask: noSubtask, Coordinator: st,
					Parallelism: v.Parallelism, MaxParallelism: v.MaxParallelism})
			}
		}
	}
	for _, t := range c.tasks {
		if a := p.acks[t.Task]; a != nil {
			m.States = append(m.States, taskStates(t, a, infos)...)
			continue
		}
		for _, op := range t.vertex.Operators { // it had finished
			m.States = append(m.States, &control.OperatorState{OperatorId: op.Id, Subtask: int32(t.Subtask), Finished: true,
				Parallelism: t.vertex.Parallelism, MaxParallelism: t.vertex.MaxParallelism, Lists: c.keptLists(t, op)})
		}
	}
	for _, st := range m.States {
		for _, h := range handlesOf(st) {
			if h.GetPath() != "" {
				m.Files = append(m.Files, h.Path)
			}
			for _, t := range h.Tables {
				m.Files = append(m.Files, t.Path)
			}
		}
	}
	slices.Sort(m.Files)
	m.Files = slices.Compact(m.Files)
	m.Owned = c.ownedOf(filesOf(p.dir, m.States))
	return m
}

// userLists are the kinds of lists that functions declare (see package stream).
var userLists = []string{"operator list", "union list"}

// keptLists are the lists of an operator of a task that finished, as they were in
// the last checkpoint. The task ended with that checkpoint, but its elements are
// still of use to the others once the job is restored: of a union they are a
// part, and of a split list nobody else has them. What sources and sinks keep is
// used up when they end.
func (c *Coordinator) keptLists(t *task, op *graph.Operator) []*control.ListState {
	declared := func(name string) bool {
		return slices.ContainsFunc(op.States, func(s *graph.State) bool { return s.Name == name && slices.Contains(userLists, s.Kind) })
	}
	if len(c.completed) == 0 || !slices.ContainsFunc(op.States, func(s *graph.State) bool { return declared(s.Name) }) {
		return nil
	}
	states := c.completed[len(c.completed)-1].Metadata.GetStates()
	if lists, changed := redivided(t, op.Id, states); changed {
		return slices.DeleteFunc(lists, func(l *control.ListState) bool { return !declared(l.Name) })
	}
	var kept []*control.ListState
	for _, st := range states {
		if st.OperatorId != op.Id || int(st.Subtask) != t.Subtask {
			continue
		}
		for _, l := range st.Lists {
			if declared(l.Name) {
				kept = append(kept, l)
			}
		}
	}
	return kept
}

func operatorInfo(v *graph.Vertex, op *graph.Operator) *control.OperatorInfo {
	encoded, err := proto.MarshalOptions{Deterministic: true}.Marshal(op)
	if err != nil { // a graph that was decoded can be encoded; without it the schemas cannot be compared
		encoded = nil
	}
	return &control.OperatorInfo{Id: op.Id, Uid: op.Uid, Name: op.Name, VertexName: v.Name, Parallelism: v.Parallelism,
		MaxParallelism: v.MaxParallelism, States: encoded}
}

// taskStates are the states that a task acknowledged, with what it need not
// know filled in. None of them is marked finished, even if the task has
// processed all of its data: it still has to commit what the checkpoint makes
// durable, so whoever restores it must give it its state.
func taskStates(t *task, a *control.CheckpointAck, infos map[string]*control.OperatorInfo) []*control.OperatorState {
	var out []*control.OperatorState
	has := map[string]bool{}
	for _, st := range a.GetStates() {
		if infos[st.GetOperatorId()] == nil || has[st.OperatorId] {
			continue
		}
		has[st.OperatorId] = true
		st.Subtask, st.Coordinator, st.Finished = int32(t.Subtask), nil, false
		st.Parallelism, st.MaxParallelism = t.vertex.Parallelism, t.vertex.MaxParallelism
		out = append(out, st)
	}
	return out
}

// Resolve makes a path of a StateHandle a full one: relative ones begin at the
// checkpoint's folder.
func Resolve(dir, file string) string {
	if strings.HasPrefix(file, "/") || strings.Contains(file, "://") || strings.HasPrefix(file, "file:/") {
		return file
	}
	head, rest := "", dir
	if i := strings.Index(dir, "://"); i >= 0 {
		head = dir[:i+3]
		host, p, _ := strings.Cut(dir[i+3:], "/")
		head, rest = head+host, "/"+p
	} else if strings.HasPrefix(dir, "file:/") {
		head, rest = "file:", dir[len("file:"):]
	}
	return head + path.Join(rest, file)
}

// redivided are the lists that a task of an operator has of what subtasks of
// another parallelism wrote; false when the parallelism is the same.
func redivided(t *task, operator string, states []*control.OperatorState) ([]*control.ListState, bool) {
	var old []*control.OperatorState
	for _, st := range states {
		if st.OperatorId == operator && st.Subtask != noSubtask {
			old = append(old, st)
		}
	}
	if len(old) == 0 || old[0].Parallelism == t.vertex.Parallelism {
		return nil, false
	}
	slices.SortFunc(old, func(x, y *control.OperatorState) int { return int(x.Subtask - y.Subtask) })
	out := make([]*control.OperatorState, t.vertex.Parallelism)
	for s := range out {
		out[s] = &control.OperatorState{}
	}
	assignLists(old, out)
	lists := out[t.Subtask].Lists
	for _, l := range lists {
		if l.Mode == "union" { // together they have each element once
			n, p := len(l.Items), len(out)
			l.Items = l.Items[t.Subtask*n/p : (t.Subtask+1)*n/p]
		}
	}
	return lists, true
}
