package codec

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"goflink/internal/seeds"
)

type event struct {
	User string
	URL  string
	TS   int64
	Amt  float64
}

type inner struct {
	A int8
	B []string
}

type everything struct {
	Bo  bool
	I8  int8
	I16 int16
	I32 int32
	I64 int64
	I   int
	U8  uint8
	U16 uint16
	U32 uint32
	U64 uint64
	U   uint
	F32 float32
	F64 float64
	S   string
	B   []byte
	T   time.Time
	D   time.Duration
	Ar  [3]int16
	Ap  [2]*int64
	Sl  []int32
	Ss  []string
	Sn  []inner
	Se  []struct{}
	M   map[string]int64
	Mm  map[int32][]string
	P   *inner
	Pp  **int64
	N   inner
	Set map[string]struct{}
	inner
	Skip chan int `codec:"-"`
}

func ptr[T any](v T) *T { return &v }

func full() everything {
	return everything{
		Bo: true, I8: -8, I16: -1600, I32: 1 << 30, I64: math.MinInt64, I: -5, U8: 200, U16: 60000, U32: math.MaxUint32,
		U64: math.MaxUint64, U: 7, F32: 1.5, F64: -2.25, S: "héllo", B: []byte{1, 0, 2}, T: time.Unix(1700000000, 123).UTC(),
		D: time.Minute, Ar: [3]int16{1, -2, 3}, Ap: [2]*int64{nil, ptr(int64(4))}, Sl: []int32{1, 2, -3}, Ss: []string{"", "x"},
		Sn: []inner{{1, nil}, {2, []string{"q"}}}, Se: make([]struct{}, 5), M: map[string]int64{"a": 1, "b": -2},
		Mm: map[int32][]string{5: {"five"}, 6: nil}, P: &inner{3, []string{}}, Pp: ptr(ptr(int64(9))), N: inner{4, []string{"n"}},
		Set: map[string]struct{}{"s": {}}, inner: inner{5, []string{"e"}},
	}
}

func mustFor[T any](t testing.TB) Codec[T] {
	t.Helper()
	c, err := For[T]()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func roundTrip[T any](t *testing.T, v T) {
	t.Helper()
	c := mustFor[T](t)
	b := c.Append([]byte("x"), &v)[1:]
	var got T
	n, err := c.Decode(append(b, "tail"...), &got)
	if err != nil || n != len(b) {
		t.Fatalf("%T: decode: %d of %d bytes, %v", v, n, len(b), err)
	}
	if !reflect.DeepEqual(v, got) {
		t.Fatalf("%T:\n got %+v\nwant %+v", v, got, v)
	}
	for i := range b {
		if _, err := c.Decode(b[:i], &got); !errors.Is(err, ErrCorrupt) {
			t.Fatalf("%T: %d of %d bytes decode: %v", v, i, len(b), err)
		}
	}
	if cp := c.Copy(v); !reflect.DeepEqual(v, cp) {
		t.Fatalf("%T: copy is %+v", v, cp)
	}
	skipper, err := skip(c.Schema())
	if err != nil {
		t.Fatal(err)
	}
	if n, err := skipper(b, nil); err != nil || n != len(b) {
		t.Fatalf("%T: skip: %d of %d bytes, %v", v, n, len(b), err)
	}
}

func TestRoundTrip(t *testing.T) {
	roundTrip(t, full())
	roundTrip(t, everything{})
	roundTrip(t, 42)
	roundTrip(t, "")
	roundTrip(t, []byte{})
	roundTrip(t, []byte(nil))
	roundTrip(t, struct{}{})
	roundTrip(t, time.Time{})
	roundTrip(t, map[string]int{})
	roundTrip(t, map[event]event{{User: "k"}: {User: "v"}})
	roundTrip(t, [][]string{nil, {}, {"a"}})
	roundTrip(t, netip.MustParseAddr("10.1.2.3"))
	roundTrip(t, own{7})
	roundTrip(t, struct{ O []ownRef }{[]ownRef{{strings.Repeat("long", 100), []int{}}}})
}

func TestTimeKeepsOffset(t *testing.T) {
	c := mustFor[time.Time](t)
	want := time.Date(2024, 2, 29, 23, 1, 2, 3, time.FixedZone("X", -5400))
	var got time.Time
	if _, err := c.Decode(c.Append(nil, &want), &got); err != nil || !got.Equal(want) || got.String()[:35] != want.String()[:35] {
		t.Fatalf("%v, %v; want %v", got, err, want)
	}
}

// own is flat, ownRef is not.
type own struct{ n uint8 }

func (o *own) AppendTo(dst []byte) []byte { return append(dst, o.n) }

func (o *own) DecodeFrom(src []byte) error {
	if len(src) != 1 {
		return errors.New("want one byte")
	}
	o.n = src[0]
	return nil
}

type ownRef struct {
	s string
	r []int
}

func (o *ownRef) AppendTo(dst []byte) []byte { return append(dst, o.s...) }

func (o *ownRef) DecodeFrom(src []byte) error {
	o.s, o.r = string(src), []int{}
	return nil
}

func TestProto(t *testing.T) {
	type rec struct{ D *durationpb.Duration }
	c := mustFor[rec](t)
	for _, v := range []rec{{durationpb.New(time.Hour)}, {nil}, {&durationpb.Duration{}}} {
		b := c.Append(nil, &v)
		var got rec
		if n, err := c.Decode(b, &got); err != nil || n != len(b) || !proto.Equal(v.D, got.D) || (v.D == nil) != (got.D == nil) {
			t.Fatalf("%v: %v, %v", v, got, err)
		}
		if cp := c.Copy(v); !proto.Equal(cp.D, v.D) || v.D != nil && cp.D == v.D {
			t.Fatal("copy shares or differs")
		}
	}
	if got := c.Schema().String(); got != "codec.rec{D proto google.protobuf.Duration}" {
		t.Fatal(got)
	}
}

func TestFlat(t *testing.T) {
	check := func(got, want bool, what string) {
		t.Helper()
		if got != want {
			t.Errorf("%s: flat is %v", what, got)
		}
	}
	check(mustFor[event](t).Flat(), true, "event")
	check(mustFor[time.Time](t).Flat(), true, "time")
	check(mustFor[[4]event](t).Flat(), true, "array")
	check(mustFor[own](t).Flat(), true, "own")
	check(mustFor[ownRef](t).Flat(), false, "ownRef")
	check(mustFor[[]byte](t).Flat(), false, "bytes")
	check(mustFor[*int](t).Flat(), false, "pointer")
	check(mustFor[everything](t).Flat(), false, "everything")
}

func TestCopySharesNothing(t *testing.T) {
	c := mustFor[everything](t)
	v, want := full(), full()
	cp := c.Copy(v)
	cp.B[0], cp.Sl[0], cp.Ss[0], cp.Sn[1].B[0], cp.M["a"], cp.Mm[5][0] = 99, 99, "!", "!", 99, "!"
	*cp.Ap[1], cp.P.A, **cp.Pp, cp.N.B[0], cp.inner.B[0] = 99, 99, 99, "!", "!"
	cp.Set["!"] = struct{}{}
	if !reflect.DeepEqual(v, want) {
		t.Fatalf("the original changed:\n got %+v\nwant %+v", v, want)
	}
}

func TestRefusedTypes(t *testing.T) {
	type rec struct{ Next []*rec }
	type promoted struct {
		own
		X int
	}
	type hidden struct{ a int }
	_ = hidden{}.a
	type empty struct {
		A int `codec:"-"`
	}
	for _, c := range []struct {
		err  func() error
		want string
	}{
		{tryFor[struct{ In struct{ C []chan int } }], ".In.C[] is a chan"},
		{tryFor[struct{ F map[string]func() }], ".F[] is a func"},
		{tryFor[struct{ E error }], ".E is an interface"},
		{tryFor[any], "is an interface"},
		{tryFor[rec], "contains itself"},
		{tryFor[struct{ H hidden }], ".H has the unexported field a"},
		{tryFor[promoted], "embeds codec.own"},
		{tryFor[[]empty], "without any encoded field"},
		{tryFor[map[struct{}]int], "without any encoded field"},
		{tryFor[complex128], "complex128"},
		{tryFor[uintptr], "uintptr"},
		{tryFor[struct{ D durationpb.Duration }], "use *durationpb.Duration"},
		{tryKey[*int], "is a ptr"},
		{tryKey[struct{ S []string }], ".S is a slice"},
		{tryKey[time.Time], "UnixNano"},
		{tryKey[empty], "leaves fields out"},
		{tryKey[hidden], "unexported field a"},
	} {
		if err := c.err(); !errors.Is(err, ErrType) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want %q", err, c.want)
		}
	}
}

func tryFor[T any]() error { _, err := For[T](); return err }
func tryKey[T any]() error { _, err := Key[T](); return err }

func TestGolden(t *testing.T) {
	golden(t, event{"u", "/", -3, 1.5}, "01 75 01 2f 05 00 00 00 00 00 00 f8 3f")
	golden(t, int64(300), "d8 04")
	golden(t, uint64(300), "ac 02")
	golden(t, []string{"a", ""}, "03 01 61 00")
	golden(t, []string(nil), "00")
	golden(t, []byte{9}, "02 09")
	golden(t, map[string]bool{"k": true}, "02 01 6b 01")
	golden(t, ptr(float32(1)), "01 00 00 80 3f")
	golden(t, time.Unix(1, 2).UTC(), "02 02 00")
	golden(t, own{7}, "02 07")
	golden(t, [2]int16{1, -1}, "02 01")
}

func golden[T any](t *testing.T, v T, want string) {
	t.Helper()
	if got := fmt.Sprintf("% x", mustFor[T](t).Append(nil, &v)); got != want {
		t.Errorf("%T %v: %s, want %s", v, v, got, want)
	}
}

func TestAppendDoesNotAllocate(t *testing.T) {
	c, v, buf := mustFor[everything](t), full(), make([]byte, 0, 4096)
	c.Append(buf, &v) // fills the pools of the maps
	if n := testing.AllocsPerRun(100, func() { buf = c.Append(buf[:0], &v) }); n > 0 && !raceEnabled {
		t.Errorf("Append allocates %v times", n)
	}
}

func TestDecodeBounds(t *testing.T) {
	huge := []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1}
	var (
		s  string
		b  []byte
		sl []int64
		se []struct{}
		m  map[string]int
	)
	for i, err := range []error{
		second(mustFor[string](t).Decode(huge, &s)), second(mustFor[[]byte](t).Decode(huge, &b)),
		second(mustFor[[]int64](t).Decode(huge, &sl)), second(mustFor[[]struct{}](t).Decode(huge, &se)),
		second(mustFor[map[string]int](t).Decode(huge, &m)),
		second(mustFor[map[string]int](t).Decode([]byte{3, 1, 'a', 2, 1, 'a', 2}, &m)),
	} {
		if !errors.Is(err, ErrCorrupt) {
			t.Errorf("case %d: %v", i, err)
		}
	}
	var small int16
	if _, err := mustFor[int16](t).Decode([]byte{0xff, 0xff, 0x7f}, &small); !errors.Is(err, errRange) {
		t.Error(err)
	}
}

func second(_ int, err error) error { return err }

func FuzzDecode(f *testing.F) {
	c, err := For[everything]()
	if err != nil {
		f.Fatal(err)
	}
	seed := full()
	f.Add(c.Append(nil, &seed))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		var v, again everything
		n, err := c.Decode(b, &v)
		if err != nil {
			return
		}
		if n > len(b) {
			t.Fatal("took more than there is")
		}
		if _, err := c.Decode(c.Append(nil, &v), &again); err != nil {
			t.Fatal(err)
		}
	})
}

func TestDecodeGarbage(t *testing.T) {
	seed := seeds.One(t)
	rng := rand.New(rand.NewPCG(seed, 0))
	c, v := mustFor[everything](t), full()
	good := c.Append(nil, &v)
	for range 20_000 {
		b := append([]byte(nil), good...)
		for range 1 + rng.IntN(4) {
			b[rng.IntN(len(b))] = byte(rng.Uint32())
		}
		var got everything
		if n, err := c.Decode(b, &got); err == nil && n > len(b) {
			t.Fatal("took more than there is")
		}
	}
}

func BenchmarkAppend(b *testing.B) {
	c, v, buf := mustFor[event](b), event{"user-1234", "/products/1234567", 1700000000123, 12.5}, make([]byte, 0, 256)
	b.ReportAllocs()
	for b.Loop() {
		buf = c.Append(buf[:0], &v)
	}
}

func BenchmarkDecode(b *testing.B) {
	c, v := mustFor[event](b), event{"user-1234", "/products/1234567", 1700000000123, 12.5}
	src := c.Append(nil, &v)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Decode(src, &v); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendMap(b *testing.B) {
	type rec struct{ M map[string]int64 }
	c, v, buf := mustFor[rec](b), rec{map[string]int64{"a": 1, "b": 2, "c": 3}}, make([]byte, 0, 256)
	b.ReportAllocs()
	for b.Loop() {
		buf = c.Append(buf[:0], &v)
	}
}

func BenchmarkCompile(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := For[everything](); err != nil {
			b.Fatal(err)
		}
	}
}
