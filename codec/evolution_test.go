package codec

import (
	"encoding/hex"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the golden files of the current version")

// tradeV1 is what the first version of a program kept.
type tradeV1 struct {
	Sym    string
	Qty    int32
	Price  float32
	Lots   []lotV1
	ByDesk map[string]lotV1
	Gone   *string
}

type lotV1 struct {
	N  uint16
	At int32
}

// tradeV2 renames, widens, adds and removes fields, at any depth.
type tradeV2 struct {
	Note   string
	Symbol string  `codec:"symbol,was=Sym"`
	Price  float64 `codec:",was=Cost,was=Amount"`
	Size   int64   `codec:",was=Count,was=Qty"`
	Lots   []lotV2
	Desks  map[string]lotV2 `codec:",was=ByDesk"`
}

type lotV2 struct {
	When  float64 `codec:",was=At"`
	Count float32 `codec:",was=N"`
}

// TestEvolutionGolden reads what the first version wrote under the schema that it wrote beside it.
func TestEvolutionGolden(t *testing.T) {
	gone := "x"
	old := tradeV1{"ACME", -7, 0.5, []lotV1{{1, -2}, {65535, 1 << 30}}, map[string]lotV1{"d": {3, 4}}, &gone}
	c := mustFor[tradeV1](t)
	schema, _ := c.Schema().MarshalBinary()
	text := hex.EncodeToString(schema) + "\n" + hex.EncodeToString(c.Append(nil, &old)) + "\n"
	name := filepath.Join("testdata", "evolution-v1.hex")
	if *update {
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	golden, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if string(golden) != text {
		t.Error("the format changed: a new version is needed that still reads this one")
	}
	a, b, _ := strings.Cut(strings.TrimSpace(string(golden)), "\n")
	schema, _ = hex.DecodeString(a)
	data, _ := hex.DecodeString(b)
	var was Schema
	if err := was.UnmarshalBinary(schema); err != nil {
		t.Fatal(err)
	}
	read, err := Resolve[tradeV2](&was)
	if err != nil {
		t.Fatal(err)
	}
	want := tradeV2{Symbol: "ACME", Price: 0.5, Size: -7, Lots: []lotV2{{-2, 1}, {1 << 30, 65535}}, Desks: map[string]lotV2{"d": {4, 3}}}
	var got tradeV2
	if n, err := read(data, &got); err != nil || n != len(data) || !reflect.DeepEqual(got, want) {
		t.Fatalf("%d of %d, %v\n got %+v\nwant %+v", n, len(data), err, got, want)
	}
	diff := was.Diff(mustFor[tradeV2](t).Schema())
	for _, line := range []string{"~ .Sym is .symbol now", "~ .Qty is .Size now", "~ .Size: int32 -> int64", "- .Gone *string", "+ .Note string", "~ .Lots[].N is .Lots[].Count now"} {
		if !strings.Contains(diff, line) {
			t.Errorf("no %q in:\n%s", line, diff)
		}
	}
}

// TestFormerNames: they travel in a version of their own, count for nothing else, and must be one field's only.
func TestFormerNames(t *testing.T) {
	s := mustFor[tradeV2](t).Schema()
	b, _ := s.MarshalBinary()
	var got Schema
	if err := got.UnmarshalBinary(b); err != nil || b[0] != schemaVersionFull || !reflect.DeepEqual(*s, got) {
		t.Fatalf("%v\n got %s\nwant %s", err, &got, s)
	}
	for i := range b {
		if err := got.UnmarshalBinary(b[:i]); !errors.Is(err, ErrSchema) {
			t.Fatalf("%d of %d bytes: %v", i, len(b), err)
		}
	}
	type plain struct{ A, B int }
	type tagged struct {
		A int `codec:",was=X"`
		B int
	}
	x, y := mustFor[plain](t).Schema(), mustFor[tagged](t).Schema()
	if !x.Equal(y) || x.Hash() != y.Hash() || x.Diff(y) != "" {
		t.Error("a name that a field had makes another schema of it")
	}
	// An old field that still has the name keeps it; one that had the former name is then gone.
	type both struct{ A, X int }
	if f, ok := y.Successor(mustFor[both](t).Schema(), "X"); ok {
		t.Errorf("X is read into %s, which has a value of its own", f.Name)
	}
	for _, err := range []error{compileOf[struct {
		A int
		B int `codec:",was=A"`
	}](), compileOf[struct {
		A int `codec:",was=X"`
		B int `codec:",was=X"`
	}](), compileOf[struct {
		A int `codec:",was="`
	}]()} {
		if !errors.Is(err, ErrType) || !strings.Contains(err.Error(), "the tag was=") {
			t.Error(err)
		}
	}
}

func compileOf[T any]() error {
	_, err := For[T]()
	return err
}

// TestWidens: each number is read as what holds all of its values, and as nothing else.
func TestWidens(t *testing.T) {
	type wide struct {
		F64 float64
		F32 float32
	}
	type narrow struct {
		F64 uint32
		F32 int16
	}
	read, err := Resolve[wide](mustFor[narrow](t).Schema())
	if err != nil {
		t.Fatal(err)
	}
	var got wide
	if _, err := read(mustFor[narrow](t).Append(nil, &narrow{1<<32 - 1, -1 << 15}), &got); err != nil || got != (wide{1<<32 - 1, -1 << 15}) {
		t.Error(got, err)
	}
	for _, pair := range [][2]Kind{{Int64, Int32}, {Int64, Float64}, {Uint64, Float64}, {Int32, Float32}, {Float64, Float32}, {Float32, Int64},
		{Uint32, Int32}, {Int8, Uint64}, {Int64, Duration}, {Int32, String}, {Bool, Int8}, {Int32, Int32}} {
		if Widens(pair[0], pair[1]) {
			t.Errorf("%s widens to %s", pair[0], pair[1])
		}
	}
}
