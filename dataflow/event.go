package dataflow

import (
	"encoding/binary"
	"fmt"
)

// Events between the readers of a source and the coordinator: a byte that says
// what it is, then its content. A kind that a receiver does not know is skipped.
//
//	event = 0x00 bytes     what the program sends, either way
//	      | 0x01 varint    up: the reader's watermark; down: the greatest one that
//	                       the group allows (zigzag, milliseconds)
//	      | 0x02 host      up: the reader has started, on that host
type EventKind uint8

// The kinds of events.
const (
	EventUser      EventKind = 0
	EventWatermark EventKind = 1
	EventRegister  EventKind = 2
)

// Event is one of them, decoded.
type Event struct {
	Kind      EventKind
	Watermark int64
	Data      []byte // of the program, or the host
}

// UserEvent encodes an event of the program.
func UserEvent(data []byte) []byte { return append([]byte{byte(EventUser)}, data...) }

// WatermarkEvent encodes a watermark.
func WatermarkEvent(ms int64) []byte {
	return binary.AppendVarint([]byte{byte(EventWatermark)}, ms)
}

// RegisterEvent encodes that a reader has started.
func RegisterEvent(host string) []byte { return append([]byte{byte(EventRegister)}, host...) }

// ParseEvent decodes an event.
func ParseEvent(data []byte) (Event, error) {
	if len(data) == 0 {
		return Event{}, fmt.Errorf("damaged source event: it is empty")
	}
	e := Event{Kind: EventKind(data[0]), Data: data[1:]}
	if e.Kind == EventWatermark {
		ms, n := binary.Varint(e.Data)
		if n <= 0 || n != len(e.Data) {
			return e, fmt.Errorf("damaged source event: a watermark of %d bytes", len(e.Data))
		}
		e.Watermark = ms
	}
	return e, nil
}

// EventSource is a Source that takes events of the coordinator.
type EventSource interface {
	OnEvent(data []byte) error
}

// ReaderEnumerator is an Enumerator that wants to know its readers and hears from
// them.
type ReaderEnumerator interface {
	AddReader(subtask int, host string) error
	OnEvent(subtask int, data []byte) error
}

// AlignedEnumerator is an Enumerator of a source whose readers wait for those of
// its group.
type AlignedEnumerator interface {
	Alignment() Alignment
}
