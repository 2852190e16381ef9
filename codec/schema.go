package codec

import (
	"hash/fnv"
	"slices"
	"strconv"
	"strings"
)

// Kind is the kind of a schema node. The numbers are part of the format.
type Kind uint8

// The kinds of schema nodes.
const (
	Invalid Kind = iota
	Bool
	Int8
	Int16
	Int32
	Int64 // also Go's int
	Uint8
	Uint16
	Uint32
	Uint64 // also Go's uint
	Float32
	Float64
	String
	Bytes
	Time
	Duration
	Array
	Slice
	Map
	Struct
	Pointer
	Proto  // a protobuf message, by its full name
	Custom // a type that encodes itself (Coder), by its Go name
)

// Schema is a node of the tree that describes an encoding.
type Schema struct {
	Kind   Kind
	Name   string       // Go type name for Struct and Custom, full message name for Proto, else empty
	Fields []Field      // of a Struct, in encoding order
	Elem   *Schema      // of Array, Slice, Map (the value) and Pointer
	Key    *Schema      // of Map
	Len    int          // of Array
	Proto  []ProtoField // of Proto; nil where it was not written down
}

// Field is a named field of a Struct.
type Field struct {
	Name   string
	Schema *Schema
	Was    []string // names that it had; they say how older data is read and do not count for Equal
}

var kindNames = [...]string{
	Invalid: "invalid", Bool: "bool", Int8: "int8", Int16: "int16", Int32: "int32", Int64: "int64",
	Uint8: "uint8", Uint16: "uint16", Uint32: "uint32", Uint64: "uint64", Float32: "float32", Float64: "float64",
	String: "string", Bytes: "bytes", Time: "time", Duration: "duration", Array: "array", Slice: "slice", Map: "map",
	Struct: "struct", Pointer: "pointer", Proto: "proto", Custom: "custom",
}

// String is the name of the kind.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "kind " + strconv.Itoa(int(k))
}

// String renders the schema on one line, such as
//
//	main.Click{User string, At time, Tags []string}
func (s *Schema) String() string {
	var b strings.Builder
	s.render(&b)
	return b.String()
}

func (s *Schema) render(b *strings.Builder) {
	if s == nil {
		b.WriteString("none")
		return
	}
	switch s.Kind {
	case Array:
		b.WriteString("[" + strconv.Itoa(s.Len) + "]")
		s.Elem.render(b)
	case Slice:
		b.WriteString("[]")
		s.Elem.render(b)
	case Pointer:
		b.WriteString("*")
		s.Elem.render(b)
	case Map:
		b.WriteString("map[")
		s.Key.render(b)
		b.WriteString("]")
		s.Elem.render(b)
	case Proto, Custom:
		b.WriteString(s.Kind.String() + " " + s.Name)
	case Struct:
		b.WriteString(s.Name + "{")
		for i, f := range s.Fields {
			if i > 0 {
				b.WriteString(", ")
			}
			b.WriteString(f.Name + " ")
			f.Schema.render(b)
		}
		b.WriteString("}")
	default:
		b.WriteString(s.Kind.String())
	}
}

// Equal says that both schemas describe the same encoding with the same field names, and of protobuf messages the same
// fields as far as both know them. Go type names of structs do
// not count: a type may move or be renamed.
func (s *Schema) Equal(o *Schema) bool {
	if s == nil || o == nil {
		return s == o
	}
	if s.Kind != o.Kind || s.Len != o.Len || len(s.Fields) != len(o.Fields) {
		return false
	}
	if s.Kind != Struct && s.Name != o.Name {
		return false
	}
	if s.Proto != nil && o.Proto != nil && !slices.Equal(s.Proto, o.Proto) {
		return false
	}
	for i, f := range s.Fields {
		if f.Name != o.Fields[i].Name || !f.Schema.Equal(o.Fields[i].Schema) {
			return false
		}
	}
	return s.Key.Equal(o.Key) && s.Elem.Equal(o.Elem)
}

// Hash is a stable 64-bit hash (FNV-1a) of what Equal compares, without the fields of protobuf messages.
func (s *Schema) Hash() uint64 {
	h := fnv.New64a()
	_, _ = h.Write(s.appendTree(nil, hashed)) // never fails
	return h.Sum64()
}

// Diff describes line by line what changed from s to next; it is empty when they are Equal.
func (s *Schema) Diff(next *Schema) string {
	var lines []string
	diff(s, next, "", &lines)
	return strings.Join(lines, "\n")
}

func diff(a, b *Schema, path string, lines *[]string) {
	if a.Equal(b) {
		return
	}
	if a != nil && b != nil && a.Kind == Proto && b.Kind == Proto {
		changes, _ := protoChanges(a, b, path)
		*lines = append(*lines, changes...)
		return
	}
	if a == nil || b == nil || a.Kind != b.Kind || a.Kind != Struct && !sameShape(a, b) {
		*lines = append(*lines, "~ "+strings.TrimPrefix(path+": ", ": ")+a.String()+" -> "+b.String())
		return
	}
	if a.Kind != Struct {
		diff(a.Key, b.Key, path+"[key]", lines)
		diff(a.Elem, b.Elem, path+"[]", lines)
		return
	}
	before := len(*lines)
	taken := map[string]bool{}
	for _, f := range a.Fields {
		g, kept := b.Successor(a, f.Name)
		taken[g.Name] = kept
		switch {
		case !kept:
			*lines = append(*lines, "- "+path+"."+f.Name+" "+f.Schema.String())
			continue
		case g.Name != f.Name:
			*lines = append(*lines, "~ "+path+"."+f.Name+" is "+path+"."+g.Name+" now")
		}
		diff(f.Schema, g.Schema, path+"."+g.Name, lines)
	}
	for _, g := range b.Fields {
		if !taken[g.Name] {
			*lines = append(*lines, "+ "+path+"."+g.Name+" "+g.Schema.String())
		}
	}
	if len(*lines) == before {
		*lines = append(*lines, "~ "+strings.TrimPrefix(path+": ", ": ")+"the order of the fields changed: "+a.String()+" -> "+b.String())
	}
}

// sameShape says that only the parts of two composites of one kind can differ.
func sameShape(a, b *Schema) bool { return a.Elem != nil && b.Elem != nil && a.Len == b.Len }

// Successor returns the field of s into which the field of an older schema is read: that of the same name, or else
// the one that had the name, if its own is not taken by another old field.
func (s *Schema) Successor(old *Schema, name string) (f Field, ok bool) {
	for _, f := range s.Fields {
		if f.Name == name {
			return f, true
		}
	}
	for _, f := range s.Fields {
		for _, was := range f.Was {
			if was == name && old.field(f.Name) == nil && old.firstOf(f.Was) == name {
				return f, true
			}
		}
	}
	return Field{}, false
}

// firstOf returns the first of some names that s has a field of.
func (s *Schema) firstOf(names []string) string {
	for _, n := range names {
		if s.field(n) != nil {
			return n
		}
	}
	return ""
}

func (s *Schema) field(name string) *Schema {
	for _, f := range s.Fields {
		if f.Name == name {
			return f.Schema
		}
	}
	return nil
}
