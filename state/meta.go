package state

import (
	"encoding/binary"
	"errors"
	"fmt"

	"goflink/codec"
)

// The errors that restoring and snapshots wrap.
var (
	// ErrCorrupt: bytes are not what was written (checksum, bounds, structure).
	ErrCorrupt = errors.New("state: corrupt snapshot")
	// ErrIncompatible: a state is declared with types that cannot read what was restored.
	ErrIncompatible = errors.New("state: incompatible with the restored state")

	errTrailing = fmt.Errorf("%w: bytes behind a value", ErrCorrupt)
)

// stateKind is the kind of a state. The numbers are part of the format.
type stateKind uint8

const (
	kindValue stateKind = iota + 1
	kindList
	kindMap
	kindEventTimers
	kindProcTimers
)

// kindTimed is set in the kind of a state with a time to live: a varint, the time of the last access in milliseconds,
// comes before each value. Releases that do not know it refuse the kind.
const kindTimed = 0x80

func (k stateKind) String() string {
	names := [...]string{kindValue: "value", kindList: "list", kindMap: "map", kindEventTimers: "event-time timers", kindProcTimers: "processing-time timers"}
	if int(k) < len(names) && k > 0 {
		return names[k]
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

// stateMeta describes a state, in memory and in snapshots.
type stateMeta struct {
	ID     uint16
	Kind   stateKind
	Name   string
	Value  *codec.Schema // of a value or element; nil for timers
	MapKey *codec.Schema // of maps
	Next   uint64        // of lists: a number above all chunk numbers used
	TTL    int64         // time to live in milliseconds; 0: values have no time
}

func (m *stateMeta) wrap(what string, err error) error {
	return fmt.Errorf("state: %s %s state %q: %w", what, m.Kind, m.Name, err)
}

func (m *stateMeta) append(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint16(dst, m.ID)
	kind := byte(m.Kind)
	if m.TTL > 0 {
		kind |= kindTimed
	}
	dst = append(dst, kind)
	dst = appendBytes(dst, []byte(m.Name))
	dst = appendSchema(dst, m.Value)
	dst = appendSchema(dst, m.MapKey)
	dst = binary.AppendUvarint(dst, m.Next)
	if m.TTL > 0 {
		dst = binary.AppendUvarint(dst, uint64(m.TTL))
	}
	return dst
}

func appendBytes(dst, b []byte) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(b))), b...)
}

// appendSchema writes an absent schema as no bytes.
func appendSchema(dst []byte, s *codec.Schema) []byte {
	if s == nil {
		return append(dst, 0)
	}
	b, _ := s.MarshalBinary() // never fails
	return appendBytes(dst, b)
}

// fields reads what the append functions wrote. After an error everything reads as zero.
type fields struct {
	src []byte
	err error
}

func (f *fields) failf(format string, args ...any) {
	if f.err == nil {
		f.err = fmt.Errorf("%w: "+format, append([]any{ErrCorrupt}, args...)...)
	}
	f.src = nil
}

func (f *fields) uvarint() uint64 {
	u, n := binary.Uvarint(f.src)
	if n <= 0 {
		f.failf("metadata ends early")
		return 0
	}
	f.src = f.src[n:]
	return u
}

func (f *fields) bytes() []byte {
	n := f.uvarint()
	if n > uint64(len(f.src)) {
		f.failf("a length exceeds the metadata")
		return nil
	}
	b := f.src[:n]
	f.src = f.src[n:]
	return b
}

func (f *fields) schema() *codec.Schema {
	b := f.bytes()
	if len(b) == 0 {
		return nil
	}
	s := new(codec.Schema)
	if err := s.UnmarshalBinary(b); err != nil {
		f.failf("%w", err)
		return nil
	}
	return s
}

func (f *fields) meta() *stateMeta {
	if len(f.src) < 3 {
		f.failf("metadata ends early")
		return &stateMeta{}
	}
	m := &stateMeta{ID: binary.BigEndian.Uint16(f.src), Kind: stateKind(f.src[2] &^ kindTimed)}
	hasTTL := f.src[2]&kindTimed != 0
	f.src = f.src[3:]
	m.Name = string(f.bytes())
	m.Value, m.MapKey, m.Next = f.schema(), f.schema(), f.uvarint()
	if hasTTL {
		if m.TTL = int64(f.uvarint()); f.err == nil && (m.TTL <= 0 || m.Kind > kindMap) {
			f.failf("state %q, a %s, with an impossible time to live", m.Name, m.Kind)
		}
	}
	if m.Kind < kindValue || m.Kind > kindProcTimers {
		f.failf("state %q is of unknown %s; was it written by a newer release?", m.Name, m.Kind)
	}
	timers := m.Kind == kindEventTimers || m.Kind == kindProcTimers
	if f.err == nil && ((m.Value == nil) != timers || (m.MapKey != nil) != (m.Kind == kindMap)) {
		f.failf("state %q lacks a schema or has one too many", m.Name)
	}
	return m
}
