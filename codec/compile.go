package codec

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
)

// ErrType is wrapped by every error that says a type cannot be encoded.
var ErrType = errors.New("codec: type cannot be encoded")

var (
	typeTime     = reflect.TypeFor[time.Time]()
	typeDuration = reflect.TypeFor[time.Duration]()
	typeCoder    = reflect.TypeFor[Coder]()
	typeProto    = reflect.TypeFor[proto.Message]()
)

// compiler walks a type. path and stack say where it is, for messages and against types within themselves.
type compiler struct {
	path  []string
	stack []reflect.Type
}

func compile(t reflect.Type) (*plan, *Schema, error) {
	c := &compiler{path: []string{typeName(t)}}
	p := new(plan)
	schema, err := c.add(p, t, 0)
	if err != nil {
		return nil, nil, err
	}
	return p, schema, nil
}

// typeName is the name of t in schemas and messages; unnamed types have none in schemas.
func typeName(t reflect.Type) string { return t.String() }

func (c *compiler) errorf(format string, args ...any) error {
	return fmt.Errorf("%w: %s %s", ErrType, strings.Join(c.path, ""), fmt.Sprintf(format, args...))
}

var leaves = map[reflect.Kind]struct {
	op   opcode
	kind Kind
}{
	reflect.Bool: {opBool, Bool}, reflect.Int8: {opI8, Int8}, reflect.Int16: {opI16, Int16}, reflect.Int32: {opI32, Int32},
	reflect.Int64: {opI64, Int64}, reflect.Int: {opI64, Int64}, reflect.Uint8: {opU8, Uint8}, reflect.Uint16: {opU16, Uint16},
	reflect.Uint32: {opU32, Uint32}, reflect.Uint64: {opU64, Uint64}, reflect.Uint: {opU64, Uint64},
	reflect.Float32: {opF32, Float32}, reflect.Float64: {opF64, Float64}, reflect.String: {opString, String},
}

// add appends the instructions of a t at offset off to p.
func (c *compiler) add(p *plan, t reflect.Type, off uintptr) (*Schema, error) {
	if x := registration(t); x != nil {
		p.add(instr{op: opExt, off: off, sub: &sub{typ: t, ext: x}})
		return &Schema{Kind: Custom, Name: x.name}, nil
	}
	if slices.Contains(c.stack, t) {
		return nil, c.errorf("has the type %s, which contains itself; give it AppendTo and DecodeFrom methods (codec.Coder), or register a codec for it", t)
	}
	c.stack = append(c.stack, t)
	defer func() { c.stack = c.stack[:len(c.stack)-1] }()
	if schema, ok, err := c.addOwn(p, t, off); ok || err != nil {
		return schema, err
	}
	if leaf, ok := leaves[t.Kind()]; ok {
		p.add(instr{op: leaf.op, off: off})
		return &Schema{Kind: leaf.kind}, nil
	}
	switch t.Kind() {
	case reflect.Struct:
		return c.addStruct(p, t, off)
	case reflect.Slice:
		return c.addSlice(p, t, off)
	case reflect.Array:
		return c.addArray(p, t, off)
	case reflect.Map:
		return c.addMap(p, t, off)
	case reflect.Pointer:
		return c.addPointer(p, t, off)
	case reflect.Interface:
		return nil, c.errorf("is an interface (%s), whose values have no fixed type; use a concrete type, or a struct with codec.Coder methods", t)
	default:
		return nil, c.errorf("is a %s (%s), which has no encoding; leave it out with the tag `codec:\"-\"`", t.Kind(), t)
	}
}

// addOwn handles the types whose encoding does not follow from their structure.
func (c *compiler) addOwn(p *plan, t reflect.Type, off uintptr) (*Schema, bool, error) {
	switch {
	case t == typeTime:
		p.add(instr{op: opTime, off: off})
		return &Schema{Kind: Time}, true, nil
	case t == typeDuration:
		p.add(instr{op: opI64, off: off})
		return &Schema{Kind: Duration}, true, nil
	case t.Kind() != reflect.Pointer && t.Kind() != reflect.Interface && reflect.PointerTo(t).Implements(typeCoder):
		if err := c.refusePromoted(t, typeCoder); err != nil {
			return nil, false, err
		}
		p.add(instr{op: opExt, off: off, sub: &sub{typ: t, ext: newCoderExt(t)}})
		return &Schema{Kind: Custom, Name: typeName(t)}, true, nil
	case t.Kind() == reflect.Pointer && t.Implements(typeProto) && t.Elem().Kind() == reflect.Struct:
		x := newProtoExt(t)
		p.add(instr{op: opExt, off: off, sub: &sub{typ: t, ext: x}})
		return &Schema{Kind: Proto, Name: x.name, Proto: x.fields}, true, nil
	case t.Kind() == reflect.Struct && reflect.PointerTo(t).Implements(typeProto):
		return nil, false, c.errorf("is the protobuf message %s by value; use *%s", t, t)
	default:
		return nil, false, nil
	}
}

// refusePromoted refuses a struct that has the methods of iface from an embedded field: its other fields would be
// lost.
func (c *compiler) refusePromoted(t reflect.Type, iface reflect.Type) error {
	if t.Kind() != reflect.Struct {
		return nil
	}
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Anonymous && (f.Type.Implements(iface) || reflect.PointerTo(f.Type).Implements(iface)) {
			return c.errorf("embeds %s, which encodes itself, so that the other fields would be lost; give the field a name", f.Type)
		}
	}
	return nil
}

// field is a struct field that is encoded.
type field struct {
	name string
	was  []string // names that it had
	typ  reflect.Type
	off  uintptr
}

// structFields lists the encoded fields of t; partial says that some are left out by tag.
func (c *compiler) structFields(t reflect.Type) (fields []field, partial bool, err error) {
	seen := map[string]bool{}
	for i := range t.NumField() {
		f := t.Field(i)
		tag, was := c.tag(f)
		if f.Name == "_" || tag == "-" {
			partial = partial || f.Name != "_"
			continue
		}
		if !f.IsExported() && !(f.Anonymous && f.Type.Kind() == reflect.Struct) {
			return nil, false, c.errorf("has the unexported field %s, whose content would be lost; export it, or leave it out with the tag `codec:\"-\"`", f.Name)
		}
		name := f.Name
		if tag != "" {
			name = tag
		}
		if seen[name] {
			return nil, false, c.errorf("has two fields named %s", name)
		}
		seen[name] = true
		fields = append(fields, field{name, was, f.Type, f.Offset})
	}
	for _, f := range fields {
		for _, old := range f.was {
			if old == "" || seen[old] {
				return nil, false, c.errorf("has the tag was=%s at the field %s, but another field has that name, now or before", old, f.name)
			}
			seen[old] = true
		}
	}
	return fields, partial, nil
}

// tag splits the tag of a field: its name, and after was= those that it had.
func (c *compiler) tag(f reflect.StructField) (name string, was []string) {
	name, rest, more := strings.Cut(f.Tag.Get("codec"), ",")
	for more {
		var part string
		part, rest, more = strings.Cut(rest, ",")
		was = append(was, strings.TrimPrefix(part, "was="))
	}
	return name, was
}

func (c *compiler) addStruct(p *plan, t reflect.Type, off uintptr) (*Schema, error) {
	if x := newBinaryExt(t); x != nil {
		if err := c.refusePromoted(t, typeUnmarshaler); err != nil {
			return nil, err
		}
		p.add(instr{op: opExt, off: off, sub: &sub{typ: t, ext: x}})
		return &Schema{Kind: Custom, Name: typeName(t)}, nil
	}
	fields, partial, err := c.structFields(t)
	if err != nil {
		return nil, err
	}
	p.partial = p.partial || partial
	schema := &Schema{Kind: Struct, Name: typeName(t)}
	if t.Name() == "" {
		schema.Name = ""
	}
	for _, f := range fields {
		fs, err := c.within("."+f.name, p, f.typ, off+f.off)
		if err != nil {
			return nil, err
		}
		schema.Fields = append(schema.Fields, Field{f.name, fs, f.was})
	}
	return schema, nil
}

// within adds a part of the current type, which is called name.
func (c *compiler) within(name string, p *plan, t reflect.Type, off uintptr) (*Schema, error) {
	c.path = append(c.path, name)
	defer func() { c.path = c.path[:len(c.path)-1] }()
	return c.add(p, t, off)
}

func (c *compiler) addSlice(p *plan, t reflect.Type, off uintptr) (*Schema, error) {
	if t.Elem().Kind() == reflect.Uint8 && registration(t.Elem()) == nil && !reflect.PointerTo(t.Elem()).Implements(typeCoder) {
		p.add(instr{op: opBytes, off: off})
		return &Schema{Kind: Bytes}, nil
	}
	s := &sub{typ: t, size: t.Elem().Size(), noscan: !hasPointers(t.Elem())}
	elem, err := c.within("[]", &s.elem, t.Elem(), 0)
	if err != nil {
		return nil, err
	}
	if s.elem.min == 0 && s.size > 0 { // min-one
		return nil, c.errorf("has elements (%s) without any encoded field", t.Elem())
	}
	p.add(instr{op: opSlice, off: off, sub: s})
	return &Schema{Kind: Slice, Elem: elem}, nil
}

func (c *compiler) addArray(p *plan, t reflect.Type, off uintptr) (*Schema, error) {
	s := &sub{typ: t, size: t.Elem().Size(), n: t.Len()}
	elem, err := c.within("[]", &s.elem, t.Elem(), 0)
	if err != nil {
		return nil, err
	}
	p.partial = p.partial || s.elem.partial
	if s.n > 0 && len(s.elem.ins) > 0 {
		p.add(instr{op: opArray, off: off, sub: s})
	}
	return &Schema{Kind: Array, Elem: elem, Len: t.Len()}, nil
}

func (c *compiler) addPointer(p *plan, t reflect.Type, off uintptr) (*Schema, error) {
	s := &sub{typ: t, size: t.Elem().Size()}
	elem, err := c.within("", &s.elem, t.Elem(), 0)
	if err != nil {
		return nil, err
	}
	p.add(instr{op: opPtr, off: off, sub: s})
	return &Schema{Kind: Pointer, Elem: elem}, nil
}

func (c *compiler) addMap(p *plan, t reflect.Type, off uintptr) (*Schema, error) {
	m := &mapPlan{typ: t}
	key, err := c.within("[key]", &m.key, t.Key(), 0)
	if err != nil {
		return nil, err
	}
	if m.key.min == 0 { // min-one
		return nil, c.errorf("has keys (%s) without any encoded field", t.Key())
	}
	val, err := c.within("[]", &m.val, t.Elem(), 0)
	if err != nil {
		return nil, err
	}
	p.add(instr{op: opMap, off: off, sub: &sub{typ: t, mapOf: m}})
	return &Schema{Kind: Map, Key: key, Elem: val}, nil
}
