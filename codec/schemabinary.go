package codec

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// schemaVersion is the first byte of a marshalled schema. Version 1 is the version byte and then the tree in
// preorder: kind, then for a struct its name, the number of fields and each field's name and node; for an array
// its length and element; for a slice or pointer the element; for a map key and value; for proto and custom the
// name. Numbers are uvarints, strings have their length before them. Version 2 has, behind each field's name, the number
// of names that it had and these, and behind the name of a proto the number of its fields and for each the message's
// full name, the number, the name and the type; it is written only where a field had another name or there is a proto.
const (
	schemaVersion     = 1
	schemaVersionFull = 2
)

// treeForm says what of a schema is written.
type treeForm uint8

const (
	hashed   treeForm = iota // version 1 without the names of Go structs
	plain                    // version 1
	complete                 // version 2
)

// needsFull tells whether version 1 would lose something.
func (s *Schema) needsFull() bool {
	if s == nil {
		return false
	}
	if s.Proto != nil {
		return true
	}
	for _, f := range s.Fields {
		if len(f.Was) > 0 || f.Schema.needsFull() {
			return true
		}
	}
	return s.Key.needsFull() || s.Elem.needsFull()
}

const (
	// maxSchemaDepth and maxSchemaNodes bound what UnmarshalBinary builds. Types are written by people: the
	// deepest and widest that make sense are far below, and a recursive walk of a hundred levels costs no stack
	// to speak of.
	maxSchemaDepth = 100
	maxSchemaNodes = 100_000
)

// ErrSchema is wrapped by the errors of UnmarshalBinary.
var ErrSchema = errors.New("codec: malformed schema")

// MarshalBinary encodes the schema; it does not fail.
func (s *Schema) MarshalBinary() ([]byte, error) {
	if s.needsFull() {
		return s.appendTree([]byte{schemaVersionFull}, complete), nil
	}
	return s.appendTree([]byte{schemaVersion}, plain), nil
}

// appendTree appends the tree.
func (s *Schema) appendTree(dst []byte, form treeForm) []byte {
	if s == nil {
		return append(dst, byte(Invalid))
	}
	dst = append(dst, byte(s.Kind))
	switch s.Kind {
	case Struct:
		name := s.Name
		if form == hashed {
			name = ""
		}
		dst = appendString(dst, name)
		dst = binary.AppendUvarint(dst, uint64(len(s.Fields)))
		for _, f := range s.Fields {
			dst = appendString(dst, f.Name)
			if form == complete {
				dst = binary.AppendUvarint(dst, uint64(len(f.Was)))
				for _, was := range f.Was {
					dst = appendString(dst, was)
				}
			}
			dst = f.Schema.appendTree(dst, form)
		}
	case Array:
		dst = s.Elem.appendTree(binary.AppendUvarint(dst, uint64(s.Len)), form)
	case Slice, Pointer:
		dst = s.Elem.appendTree(dst, form)
	case Map:
		dst = s.Elem.appendTree(s.Key.appendTree(dst, form), form)
	case Proto, Custom:
		dst = appendString(dst, s.Name)
		if s.Kind == Proto && form == complete {
			dst = appendProto(dst, s.Proto)
		}
	}
	return dst
}

func appendProto(dst []byte, fields []ProtoField) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(fields)))
	for _, f := range fields {
		dst = binary.AppendUvarint(appendString(dst, f.Message), uint64(f.Number))
		dst = appendString(appendString(dst, f.Name), f.Type)
	}
	return dst
}

func appendString(dst []byte, s string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

// UnmarshalBinary decodes what MarshalBinary encoded, and nothing behind it.
func (s *Schema) UnmarshalBinary(b []byte) error {
	if len(b) == 0 || b[0] != schemaVersion && b[0] != schemaVersionFull {
		return fmt.Errorf("%w: version byte is missing or not %d or %d", ErrSchema, schemaVersion, schemaVersionFull)
	}
	r := schemaReader{src: b[1:], full: b[0] == schemaVersionFull}
	tree, err := r.node(0)
	if err != nil {
		return err
	}
	if len(r.src) > 0 {
		return fmt.Errorf("%w: %d bytes too many", ErrSchema, len(r.src))
	}
	*s = *tree
	return nil
}

type schemaReader struct {
	src   []byte
	nodes int
	full  bool // version 2
}

func (r *schemaReader) node(depth int) (*Schema, error) {
	r.nodes++
	if depth > maxSchemaDepth || r.nodes > maxSchemaNodes {
		return nil, fmt.Errorf("%w: deeper than %d or larger than %d nodes", ErrSchema, maxSchemaDepth, maxSchemaNodes)
	}
	if len(r.src) == 0 {
		return nil, fmt.Errorf("%w: it ends early", ErrSchema)
	}
	s := &Schema{Kind: Kind(r.src[0])}
	r.src = r.src[1:]
	var err error
	switch {
	case s.Kind == Invalid || s.Kind > Custom:
		return nil, fmt.Errorf("%w: unknown %s; was it written by a newer release?", ErrSchema, s.Kind)
	case s.Kind == Struct:
		return s, r.structure(s, depth)
	case s.Kind == Proto || s.Kind == Custom:
		if s.Name, err = r.str(); err == nil && s.Kind == Proto && r.full {
			err = r.proto(s)
		}
		return s, err
	case s.Kind < Array:
		return s, nil
	case s.Kind == Array:
		n, err := r.number()
		if err != nil || n > 1<<40 {
			return nil, fmt.Errorf("%w: array length", ErrSchema)
		}
		s.Len = int(n)
	case s.Kind == Map:
		if s.Key, err = r.node(depth + 1); err != nil {
			return nil, err
		}
	}
	s.Elem, err = r.node(depth + 1)
	return s, err
}

func (r *schemaReader) structure(s *Schema, depth int) (err error) {
	if s.Name, err = r.str(); err != nil {
		return err
	}
	n, err := r.number()
	if err != nil {
		return err
	}
	if n > uint64(len(r.src))/2 { // a field takes at least its name's length and a kind
		return fmt.Errorf("%w: number of fields exceeds the data", ErrSchema)
	}
	for range n {
		var f Field
		if f.Name, err = r.str(); err != nil {
			return err
		}
		if r.full {
			if f.Was, err = r.strs(); err != nil {
				return err
			}
		}
		if s.field(f.Name) != nil {
			return fmt.Errorf("%w: duplicate field %q", ErrSchema, f.Name)
		}
		if f.Schema, err = r.node(depth + 1); err != nil {
			return err
		}
		s.Fields = append(s.Fields, f)
	}
	return nil
}

// proto reads the fields of a message; none is an empty message and not nil.
func (r *schemaReader) proto(s *Schema) error {
	n, err := r.number()
	if err != nil {
		return err
	}
	if n > uint64(len(r.src))/4 { // three lengths and a number at least
		return fmt.Errorf("%w: number of protobuf fields exceeds the data", ErrSchema)
	}
	s.Proto = make([]ProtoField, 0, n)
	for range n {
		var f ProtoField
		if f.Message, err = r.str(); err != nil {
			return err
		}
		number, err := r.number()
		if err != nil || number > math.MaxInt32 {
			return fmt.Errorf("%w: number of a protobuf field", ErrSchema)
		}
		f.Number = int32(number)
		if f.Name, err = r.str(); err != nil {
			return err
		}
		if f.Type, err = r.str(); err != nil {
			return err
		}
		s.Proto = append(s.Proto, f)
	}
	return nil
}

// strs reads former names.
func (r *schemaReader) strs() (all []string, err error) {
	n, err := r.number()
	if err != nil {
		return nil, err
	}
	if n > uint64(len(r.src)) {
		return nil, fmt.Errorf("%w: number of former names exceeds the data", ErrSchema)
	}
	for range n {
		s, err := r.str()
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, nil
}

func (r *schemaReader) number() (uint64, error) {
	u, n, err := uvarint(r.src)
	if err != nil {
		return 0, fmt.Errorf("%w: %w", ErrSchema, err)
	}
	r.src = r.src[n:]
	return u, nil
}

func (r *schemaReader) str() (string, error) {
	l, n, err := length(r.src, 0)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrSchema, err)
	}
	s := string(r.src[n : n+l])
	r.src = r.src[n+l:]
	return s, nil
}
