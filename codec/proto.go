package codec

import (
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// ProtoField is a field of a protobuf message, or of a message within it. Protobuf finds fields by their numbers:
// they may be renamed, come and go, but a number must not get another meaning.
type ProtoField struct {
	Message string // full name
	Number  int32
	Name    string
	Type    string // such as "int64", "repeated string", "message shop.Order"
}

// protoFields lists the fields of a message and of all messages within it, by message and number.
func protoFields(d protoreflect.MessageDescriptor) []ProtoField {
	out := []ProtoField{} // not nil: that an empty message has no fields is known
	seen := map[protoreflect.FullName]bool{}
	var walk func(d protoreflect.MessageDescriptor)
	walk = func(d protoreflect.MessageDescriptor) {
		if seen[d.FullName()] {
			return
		}
		seen[d.FullName()] = true
		for i := range d.Fields().Len() {
			f := d.Fields().Get(i)
			out = append(out, ProtoField{string(d.FullName()), int32(f.Number()), string(f.Name()), protoType(f)})
			if f.Message() != nil {
				walk(f.Message())
			}
		}
	}
	walk(d)
	slices.SortFunc(out, func(a, b ProtoField) int {
		if c := strings.Compare(a.Message, b.Message); c != 0 {
			return c
		}
		return int(a.Number - b.Number)
	})
	return out
}

func protoType(f protoreflect.FieldDescriptor) string {
	t := f.Kind().String()
	switch {
	case f.Message() != nil:
		t += " " + string(f.Message().FullName())
	case f.Enum() != nil:
		t += " " + string(f.Enum().FullName())
	}
	if f.Cardinality() == protoreflect.Repeated {
		t = "repeated " + t
	}
	return t
}

// protoWidens are the changes of a field's type under which protobuf reads each old value as itself.
var protoWidens = map[string][]string{
	"bool": {"int32", "int64", "uint32", "uint64"}, "int32": {"int64"}, "uint32": {"int64", "uint64"}, "sint32": {"sint64"},
	"string": {"bytes"}, "enum": {"int32", "int64"},
}

// protoReads tells whether a field of one type can be read as another one. The names of messages do not count, their
// fields do; nor do those of enums, whose values are numbers.
func protoReads(old, next string) bool {
	a, repeated := strings.CutPrefix(old, "repeated ")
	b, repeatedToo := strings.CutPrefix(next, "repeated ")
	a, _, _ = strings.Cut(a, " ")
	b, _, _ = strings.Cut(b, " ")
	return repeated == repeatedToo && (a == b || slices.Contains(protoWidens[a], b))
}

// protoChanges compares two descriptions of a message line by line, as Diff does; broken says that data written under
// the first cannot be read under the second.
func protoChanges(old, next *Schema, path string) (lines []string, broken bool) {
	if old.Name != next.Name {
		return []string{fmt.Sprintf("~ %s: %s -> %s", path, old, next)}, true
	}
	find := func(in []ProtoField, f ProtoField) *ProtoField {
		i := slices.IndexFunc(in, func(g ProtoField) bool { return g.Message == f.Message && g.Number == f.Number })
		if i < 0 {
			return nil
		}
		return &in[i]
	}
	for _, f := range old.Proto {
		at := fmt.Sprintf("%s(%s.%s = %d)", path, f.Message, f.Name, f.Number)
		g := find(next.Proto, f)
		switch {
		case g == nil:
			lines = append(lines, "- "+at+" "+f.Type)
		case g.Type != f.Type:
			lines = append(lines, "~ "+at+": "+f.Type+" -> "+g.Type)
			broken = broken || !protoReads(f.Type, g.Type)
		case g.Name != f.Name:
			lines = append(lines, "~ "+at+" is "+g.Name+" now")
		}
	}
	for _, g := range next.Proto {
		if find(old.Proto, g) == nil {
			lines = append(lines, fmt.Sprintf("+ %s(%s.%s = %d) %s", path, g.Message, g.Name, g.Number, g.Type))
		}
	}
	return lines, broken
}

// ProtoReadable tells whether messages written under s can be read under next. What was written before descriptions
// had fields can, if the message is the same.
func (s *Schema) ProtoReadable(next *Schema) bool {
	if s.Kind != Proto || next.Kind != Proto || s.Name != next.Name {
		return false
	}
	_, broken := protoChanges(s, next, "")
	return !broken || s.Proto == nil || next.Proto == nil
}
