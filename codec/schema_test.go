package codec

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestSchemaGolden(t *testing.T) {
	c := mustFor[struct {
		A int
		B []event
		C map[string]*time.Time
		D [2]own
		E string `codec:"ee"`
	}](t)
	want := "{A int64, B []codec.event{User string, URL string, TS int64, Amt float64}, C map[string]*time, D [2]custom codec.own, ee string}"
	if got := c.Schema().String(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	b, _ := mustFor[struct {
		A int
		D [2]own
	}](t).Schema().MarshalBinary()
	if got := fmt.Sprintf("% x", b); got != "01 13 00 02 01 41 05 01 44 10 02 16 09 63 6f 64 65 63 2e 6f 77 6e" {
		t.Error(got)
	}
	if got := mustFor[event](t).Schema().Hash(); got != 0x5382508519bf2b39 {
		t.Errorf("hash %#x", got)
	}
}

func TestSchemaRoundTrip(t *testing.T) {
	s := mustFor[everything](t).Schema()
	b, err := s.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	var got Schema
	if err := got.UnmarshalBinary(b); err != nil || !reflect.DeepEqual(*s, got) || got.Hash() != s.Hash() {
		t.Fatalf("%v\n got %s\nwant %s", err, &got, s)
	}
	for i := range b {
		if err := got.UnmarshalBinary(b[:i]); !errors.Is(err, ErrSchema) {
			t.Fatalf("%d of %d bytes: %v", i, len(b), err)
		}
	}
	if err := got.UnmarshalBinary(append(b, 0)); !errors.Is(err, ErrSchema) {
		t.Fatal(err)
	}
	if err := got.UnmarshalBinary([]byte{1, byte(Slice)}); !errors.Is(err, ErrSchema) {
		t.Fatal(err)
	}
	deep := []byte(strings.Repeat(string(rune(Slice)), 1000))
	if err := got.UnmarshalBinary(append([]byte{1}, deep...)); !errors.Is(err, ErrSchema) {
		t.Fatal(err)
	}
}

func FuzzSchema(f *testing.F) {
	b, _ := mustFor[everything](f).Schema().MarshalBinary()
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		var s, again Schema
		if s.UnmarshalBinary(b) != nil {
			return
		}
		b, _ = s.MarshalBinary()
		if err := again.UnmarshalBinary(b); err != nil || !s.Equal(&again) || s.Diff(&again) != "" {
			t.Fatal(err)
		}
		if read, err := Resolve[everything](&s); err == nil {
			var v everything
			_, _ = read(b, &v)
		}
	})
}

type v1 struct {
	Gone  map[string][]time.Time
	ID    int32
	Name  string
	Small uint16
	Rate  float32
	In    struct{ X int8 }
	List  []struct{ A, B int16 }
	By    map[int32]struct{ A string }
	Ptr   *struct{ A uint8 }
	Arr   [2]int8
	Own   own
}

type v2 struct {
	New   string
	Name  string
	ID    int64
	Small int32
	Rate  float64
	In    struct {
		Y string
		X int16
	}
	List []struct{ B, A int64 }
	By   map[int64]struct{ A, B string }
	Ptr  *struct{ A int }
	Arr  [2]int64
}

func TestResolve(t *testing.T) {
	old := mustFor[v1](t)
	a := v1{Gone: map[string][]time.Time{"x": {time.Now(), {}}}, ID: -7, Name: "n", Small: 65535, Rate: 0.5, Arr: [2]int8{-1, 5}}
	a.In.X = -3
	a.List = []struct{ A, B int16 }{{1, -2}, {3, 4}}
	a.By = map[int32]struct{ A string }{9: {"nine"}}
	a.Ptr = &struct{ A uint8 }{200}
	want := v2{Name: "n", ID: -7, Small: 65535, Rate: 0.5, Arr: [2]int64{-1, 5}}
	want.In.X = -3
	want.List = []struct{ B, A int64 }{{-2, 1}, {4, 3}}
	want.By = map[int64]struct{ A, B string }{9: {"nine", ""}}
	want.Ptr = &struct{ A int }{200}

	read, err := Resolve[v2](old.Schema())
	if err != nil {
		t.Fatal(err)
	}
	b, got := old.Append(nil, &a), v2{New: "stale"}
	if n, err := read(b, &got); err != nil || n != len(b) || !reflect.DeepEqual(got, want) {
		t.Fatalf("%d of %d, %v\n got %+v\nwant %+v", n, len(b), err, got, want)
	}
	for i := range b {
		if _, err := read(b[:i], &got); !errors.Is(err, ErrCorrupt) {
			t.Fatalf("%d of %d bytes: %v", i, len(b), err)
		}
	}
}

func TestResolveRefuses(t *testing.T) {
	type a struct{ In struct{ X string } }
	type b struct{ In struct{ X int64 } }
	if _, err := Resolve[b](mustFor[a](t).Schema()); !errors.Is(err, ErrIncompatible) || !strings.Contains(err.Error(), "codec.b.In.X was string and is int64 now") {
		t.Error(err)
	}
	if _, err := Resolve[int32](mustFor[int64](t).Schema()); !errors.Is(err, ErrIncompatible) {
		t.Error(err)
	}
	if _, err := Resolve[[3]int](mustFor[[2]int](t).Schema()); !errors.Is(err, ErrIncompatible) {
		t.Error(err)
	}
	if _, err := Resolve[int](nil); !errors.Is(err, ErrIncompatible) {
		t.Error(err)
	}
}

func TestDiff(t *testing.T) {
	got := mustFor[v1](t).Schema().Diff(mustFor[v2](t).Schema())
	want := strings.Join([]string{
		"- .Gone map[string][]time", "~ .ID: int32 -> int64", "~ .Small: uint16 -> int32", "~ .Rate: float32 -> float64",
		"~ .In.X: int8 -> int16", "+ .In.Y string", "~ .List[].A: int16 -> int64", "~ .List[].B: int16 -> int64",
		"~ .By[key]: int32 -> int64", "+ .By[].B string", "~ .Ptr[].A: uint8 -> int64", "~ .Arr[]: int8 -> int64",
		"- .Own custom codec.own", "+ .New string",
	}, "\n")
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
