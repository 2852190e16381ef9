package exchange

import (
	"encoding/binary"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"goflink/control"
)

// Barrier separates the records of a checkpoint from those after it. It
// carries what a task must know to take part.
type Barrier struct {
	ID          int64
	TimestampMS int64
	Kind        string // checkpoint, savepoint, stop, final
	Drain       bool
	Dir         string
	Format      string
	Epoch       int32
	// Unaligned: the barrier overtakes records. With AlignedTimeout it does so
	// once the checkpoint is older than that; then it is Unaligned.
	Unaligned      bool
	AlignedTimeout time.Duration
	Base           int64 // completed checkpoint whose tables native snapshots may refer to; 0: none
}

// overtakes tells whether the barrier may overtake records, now or later.
func (b *Barrier) overtakes() bool { return b.Unaligned || b.AlignedTimeout > 0 }

// BarrierOf is the barrier that a trigger asks for.
func BarrierOf(t *control.TriggerCheckpoint) Barrier {
	b := Barrier{ID: t.GetCheckpointId(), TimestampMS: t.GetTimestampMs(), Kind: t.GetKind(), Drain: t.GetDrain(),
		Dir: t.GetDir(), Format: t.GetFormat(), Epoch: t.GetEpoch(), Base: t.GetBase()}
	if wait := t.GetAlignedTimeoutMs(); t.GetUnaligned() && wait > 0 {
		b.AlignedTimeout = time.Duration(wait) * time.Millisecond
	} else {
		b.Unaligned = t.GetUnaligned()
	}
	return b
}

// EndOfData tells that no record follows on a channel; barriers still do.
type EndOfData struct {
	// Drain is false when the job was stopped with its state kept as it is:
	// operators are not finished then, and watermarks stay.
	Drain bool
	// Stop is true when a stop with savepoint ended the source.
	Stop bool
}

// Event travels on a channel between data. Exactly one field is set.
type Event struct {
	Barrier        *Barrier
	EndOfData      *EndOfData
	EndOfPartition bool
	// Cancel is a checkpoint that will not get its barrier from here.
	Cancel int64
}

// eventLimit bounds the body of an event frame: a barrier with the longest
// path that HDFS takes (8000 bytes) fits.
const eventLimit = 16 << 10

func (e Event) frameType() byte {
	switch {
	case e.Barrier != nil:
		return frameBarrier
	case e.EndOfData != nil:
		return frameEndOfData
	case e.EndOfPartition:
		return frameEndOfPartition
	}
	return frameCancel
}

func (e Event) body() ([]byte, error) {
	switch e.frameType() {
	case frameBarrier:
		b := e.Barrier
		body, err := proto.Marshal(&control.TriggerCheckpoint{CheckpointId: b.ID, TimestampMs: b.TimestampMS, Kind: b.Kind,
			Drain: b.Drain, Dir: b.Dir, Format: b.Format, Epoch: b.Epoch, Base: b.Base, Unaligned: b.overtakes(), AlignedTimeoutMs: b.AlignedTimeout.Milliseconds()})
		if err != nil {
			return nil, fmt.Errorf("exchange: encoding barrier %d: %w", b.ID, err)
		}
		if len(body) > eventLimit {
			return nil, fmt.Errorf("exchange: barrier of checkpoint %d has %d bytes, more than %d: use a shorter checkpoint folder",
				b.ID, len(body), eventLimit)
		}
		return body, nil
	case frameEndOfData:
		return []byte{flag(e.EndOfData.Drain) | flag(e.EndOfData.Stop)<<1}, nil
	case frameCancel:
		return binary.BigEndian.AppendUint64(nil, uint64(e.Cancel)), nil
	}
	return nil, nil
}

func flag(b bool) byte {
	if b {
		return 1
	}
	return 0
}

func decodeEvent(kind byte, body []byte) (Event, error) {
	switch kind {
	case frameBarrier:
		var t control.TriggerCheckpoint
		if err := proto.Unmarshal(body, &t); err != nil {
			return Event{}, fmt.Errorf("exchange: malformed barrier: %w", err)
		}
		if t.CheckpointId <= 0 {
			return Event{}, fmt.Errorf("exchange: barrier with checkpoint id %d", t.CheckpointId)
		}
		b := BarrierOf(&t)
		return Event{Barrier: &b}, nil
	case frameEndOfData:
		if len(body) != 1 || body[0] > 3 {
			return Event{}, fmt.Errorf("exchange: malformed end of data")
		}
		return Event{EndOfData: &EndOfData{Drain: body[0]&1 != 0, Stop: body[0]&2 != 0}}, nil
	case frameEndOfPartition:
		if len(body) != 0 {
			return Event{}, fmt.Errorf("exchange: malformed end of partition")
		}
		return Event{EndOfPartition: true}, nil
	case frameCancel:
		if len(body) != 8 {
			return Event{}, fmt.Errorf("exchange: malformed cancel marker")
		}
		id := int64(binary.BigEndian.Uint64(body))
		if id <= 0 {
			return Event{}, fmt.Errorf("exchange: cancel marker with checkpoint id %d", id)
		}
		return Event{Cancel: id}, nil
	}
	return Event{}, fmt.Errorf("exchange: unknown event %d", kind)
}
