package codec

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
	Name   string  // Go type name for Struct and Custom, full message name for Proto, else empty
	Fields []Field // of a Struct, in encoding order
	Elem   *Schema // of Array, Slice, Map (the value) and Pointer
	Key    *Schema // of Map
	Len    int     // of Array
}

// Field is a named field of a Struct.
type Field struct {
	Name   string
	Schema *Schema
}
