package ha

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"time"

	"google.golang.org/protobuf/proto"

	"goflink/jobmanager/ha/hapb"
)

// A record file is magic, version, CRC-32C of the body, length of the body, body.
const (
	magic      = "GFHA"
	version    = 1
	headerSize = len(magic) + 1 + 4 + 4
)

// Bounds on files. A job graph has some hundred kilobytes at most; a session's
// snapshot those of all its jobs.
const (
	maxRecord   = 64 << 20
	maxSnapshot = 1 << 30
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// ErrCorrupt marks a record that is not what was written.
var ErrCorrupt = errors.New("record is corrupt")

func encode(r *hapb.Record) ([]byte, error) {
	body, err := proto.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("encode a recovery record: %w", err)
	}
	if len(body) > maxSnapshot {
		return nil, fmt.Errorf("recovery record of %d bytes is larger than %d", len(body), maxSnapshot)
	}
	out := make([]byte, 0, headerSize+len(body))
	out = append(out, magic...)
	out = append(out, version)
	out = binary.BigEndian.AppendUint32(out, crc32.Checksum(body, castagnoli))
	out = binary.BigEndian.AppendUint32(out, uint32(len(body)))
	return append(out, body...), nil
}

func decode(data []byte) (*hapb.Record, error) {
	if len(data) < headerSize || string(data[:len(magic)]) != magic {
		return nil, fmt.Errorf("%w: it does not begin with %s", ErrCorrupt, magic)
	}
	if v := data[len(magic)]; v != version {
		return nil, fmt.Errorf("recovery record has format version %d, this release reads version %d", v, version)
	}
	sum := binary.BigEndian.Uint32(data[len(magic)+1:])
	size := binary.BigEndian.Uint32(data[len(magic)+5:])
	body := data[headerSize:]
	if uint64(size) != uint64(len(body)) {
		return nil, fmt.Errorf("%w: %d bytes where %d were written", ErrCorrupt, len(body), size)
	}
	if crc32.Checksum(body, castagnoli) != sum {
		return nil, fmt.Errorf("%w: wrong checksum", ErrCorrupt)
	}
	r := &hapb.Record{}
	if err := proto.Unmarshal(body, r); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	if r.GetBody() == nil {
		return nil, fmt.Errorf("recovery record is of a kind that this release does not know")
	}
	return r, nil
}

func pointerToProto(p CheckpointPointer) *hapb.Pointer {
	return &hapb.Pointer{
		Id: p.ID, Path: p.Path, Savepoint: p.Savepoint, TimeMs: p.Time.UnixMilli(), Epoch: p.Epoch, Extra: p.Extra,
	}
}

func pointerFromProto(p *hapb.Pointer) *CheckpointPointer {
	if p == nil {
		return nil
	}
	return &CheckpointPointer{
		ID: p.GetId(), Path: p.GetPath(), Savepoint: p.GetSavepoint(), Time: time.UnixMilli(p.GetTimeMs()),
		Epoch: p.GetEpoch(), Extra: p.GetExtra(),
	}
}

// fold is the state that records come to, as a snapshot holds it.
type fold struct {
	seq  int64
	jobs []*hapb.Job
}

func (f *fold) find(id string) *hapb.Job {
	for _, j := range f.jobs {
		if j.GetJobId() == id {
			return j
		}
	}
	return nil
}

// apply replays one record. What refers to an unknown job is left over from one
// that was removed.
func (f *fold) apply(seq int64, r *hapb.Record) {
	f.seq = max(f.seq, seq)
	switch body := r.GetBody().(type) {
	case *hapb.Record_Snapshot:
		f.jobs = body.Snapshot.GetJobs()
	case *hapb.Record_PutJob:
		if id := body.PutJob.GetJobId(); f.find(id) == nil {
			f.jobs = append(f.jobs, &hapb.Job{JobId: id, Graph: body.PutJob.GetGraph()})
		}
	case *hapb.Record_UpdateJob:
		if j := f.find(body.UpdateJob.GetJobId()); j != nil && !j.GetEnded() {
			j.Graph = body.UpdateJob.GetGraph()
		}
	case *hapb.Record_PutCheckpoint:
		p := body.PutCheckpoint.GetPointer()
		if j := f.find(body.PutCheckpoint.GetJobId()); j != nil && !j.GetEnded() {
			j.Checkpoint = p
			j.HighestCheckpointId = max(j.GetHighestCheckpointId(), p.GetId())
		}
	case *hapb.Record_PutResult:
		id := body.PutResult.GetJobId()
		j := f.find(id)
		if j == nil {
			// The job's own record was removed as superseded by this one.
			j = &hapb.Job{JobId: id}
			f.jobs = append(f.jobs, j)
		}
		j.Ended, j.Result, j.Graph, j.Checkpoint = true, body.PutResult.GetResult(), nil, nil
	case *hapb.Record_RemoveJob:
		for i, j := range f.jobs {
			if j.GetJobId() == body.RemoveJob.GetJobId() {
				f.jobs = append(f.jobs[:i], f.jobs[i+1:]...)
				break
			}
		}
	}
}

func (f *fold) snapshot(seq int64) *hapb.Record {
	return &hapb.Record{Body: &hapb.Record_Snapshot{Snapshot: &hapb.Snapshot{Seq: seq, Jobs: f.jobs}}}
}

func (f *fold) recovered(from int64) *Recovered {
	out := &Recovered{From: from}
	for _, j := range f.jobs {
		if j.GetEnded() {
			out.Results = append(out.Results, Result{JobID: j.GetJobId(), Result: j.GetResult()})
			continue
		}
		out.Jobs = append(out.Jobs, Job{
			ID: j.GetJobId(), Graph: j.GetGraph(), Checkpoint: pointerFromProto(j.GetCheckpoint()),
			HighestCheckpointID: j.GetHighestCheckpointId(),
		})
	}
	return out
}
