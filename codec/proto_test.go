package codec

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"
)

// nested has messages at any depth.
type nested struct {
	List []*durationpb.Duration
	By   map[string]*durationpb.Duration
	In   struct{ P **durationpb.Duration }
	Any  [2]*structpb.Struct // a message that contains itself
}

func TestProtoNested(t *testing.T) {
	c := mustFor[nested](t)
	d := durationpb.New(time.Minute)
	st, err := structpb.NewStruct(map[string]any{"a": []any{1.0, "x"}})
	if err != nil {
		t.Fatal(err)
	}
	v := nested{List: []*durationpb.Duration{d, nil}, By: map[string]*durationpb.Duration{"k": d}, Any: [2]*structpb.Struct{nil, st}}
	v.In.P = &d
	b := c.Append(nil, &v)
	var got nested
	if n, err := c.Decode(b, &got); err != nil || n != len(b) {
		t.Fatal(n, err)
	}
	for _, x := range []nested{got, c.Copy(v)} {
		if !proto.Equal(x.List[0], d) || x.List[0] == d || x.List[1] != nil || !proto.Equal(x.By["k"], d) || !proto.Equal(*x.In.P, d) || x.Any[0] != nil || !proto.Equal(x.Any[1], st) {
			t.Errorf("%v", x)
		}
	}
	s, back := c.Schema(), Schema{}
	bin, _ := s.MarshalBinary()
	if err := back.UnmarshalBinary(bin); err != nil || !reflect.DeepEqual(*s, back) {
		t.Errorf("%v: %+v", err, back)
	}
	for i := range bin {
		if err := back.UnmarshalBinary(bin[:i]); !errors.Is(err, ErrSchema) {
			t.Fatalf("%d of %d bytes: %v", i, len(bin), err)
		}
	}
	if want := (ProtoField{"google.protobuf.Struct", 1, "fields", "repeated message google.protobuf.Struct.FieldsEntry"}); s.Fields[3].Schema.Elem.Proto[1] != want {
		t.Errorf("%+v", s.Fields[3].Schema.Elem.Proto)
	}
}

// TestProtoEvolves: fields are found by number and may be renamed, come and go and become wider; a number that means
// something else is refused by name.
func TestProtoEvolves(t *testing.T) {
	const name = "google.protobuf.Duration"
	old := func(fields ...ProtoField) *Schema {
		return &Schema{Kind: Slice, Elem: &Schema{Kind: Proto, Name: name, Proto: fields}}
	}
	data := mustFor[[]*durationpb.Duration](t).Append(nil, &[]*durationpb.Duration{{Seconds: 7, Nanos: 9}})
	for _, c := range []struct {
		what string
		old  *Schema
		bad  string
	}{
		{"described before fields were", &Schema{Kind: Slice, Elem: &Schema{Kind: Proto, Name: name}}, ""},
		{"renamed and widened", old(ProtoField{name, 1, "secs", "int32"}, ProtoField{name, 2, "nanos", "int32"}), ""},
		{"added and removed", old(ProtoField{name, 1, "seconds", "int64"}, ProtoField{name, 3, "gone", "string"}), ""},
		{"narrowed", old(ProtoField{name, 2, "nanos", "int64"}), "(google.protobuf.Duration.nanos = 2): int64 -> int32"},
		{"another meaning", old(ProtoField{name, 1, "id", "string"}), "(google.protobuf.Duration.id = 1): string -> int64"},
		{"no longer a list", old(ProtoField{name, 1, "ids", "repeated int64"}), "repeated int64 -> int64"},
		{"another message", &Schema{Kind: Slice, Elem: &Schema{Kind: Proto, Name: "shop.Order"}}, "shop.Order"},
	} {
		read, err := Resolve[[]*durationpb.Duration](c.old)
		if (err != nil) != (c.bad != "") || err != nil && (!errors.Is(err, ErrIncompatible) || !strings.Contains(err.Error(), c.bad)) {
			t.Errorf("%s: %v", c.what, err)
			continue
		}
		next := mustFor[[]*durationpb.Duration](t).Schema()
		if c.old.Elem.ProtoReadable(next.Elem) != (c.bad == "") {
			t.Errorf("%s: the schemas alone say otherwise", c.what)
		}
		if diff := c.old.Diff(next); c.bad != "" && !strings.Contains(diff, c.bad) {
			t.Errorf("%s: no %q in %s", c.what, c.bad, diff)
		}
		if err != nil {
			continue
		}
		var got []*durationpb.Duration
		if _, err := read(data, &got); err != nil || got[0].Seconds != 7 || got[0].Nanos != 9 {
			t.Errorf("%s: %v %v", c.what, got, err)
		}
	}
}
