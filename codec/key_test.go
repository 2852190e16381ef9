package codec

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"goflink/internal/seeds"
)

type compound struct {
	Tenant string
	N      int32
	Tags   [2]uint8
	F      float64
}

func mustKey[K any](t testing.TB) KeyCodec[K] {
	t.Helper()
	c, err := Key[K]()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// ordered checks that the encodings of vs, which are sorted and distinct, sort likewise, decode, and are prefix-free.
func ordered[K any](t *testing.T, same func(a, b K) bool, vs ...K) {
	t.Helper()
	c := mustKey[K](t)
	var last []byte
	for i, v := range vs {
		b := c.Append(nil, v)
		if i > 0 && (bytes.Compare(last, b) >= 0 || bytes.HasPrefix(b, last)) {
			t.Errorf("%v: % x is not above % x", v, b, last)
		}
		var got K
		if n, err := c.Decode(append(b, 0, 1), &got); err != nil || n != len(b) || !same(got, v) {
			t.Errorf("%v decodes to %v, %d of %d, %v", v, got, n, len(b), err)
		}
		for i := range b {
			if _, err := c.Decode(b[:i], &got); !errors.Is(err, ErrCorrupt) {
				t.Errorf("%v: %d of %d bytes decode: %v", v, i, len(b), err)
			}
		}
		last = b
	}
}

func eq[K comparable](a, b K) bool { return a == b }

func TestKeyOrder(t *testing.T) {
	ordered(t, eq, math.MinInt64, -256, -1, 0, 1, 255, 256, math.MaxInt64)
	ordered(t, eq, int8(-128), -1, 0, 127)
	ordered(t, eq, int16(-300), -1, 0, 300)
	ordered(t, eq, int32(-70000), -1, 0, 70000)
	ordered(t, eq, uint8(0), 1, 255)
	ordered(t, eq, uint16(0), 1, 256)
	ordered(t, eq, uint32(0), 1, 1<<31)
	ordered(t, eq, uint64(0), 1, 1<<63)
	ordered(t, eq, math.Inf(-1), -2.5, -math.SmallestNonzeroFloat64, 0, 1e-9, 3, math.Inf(1))
	ordered(t, eq, float32(-2), -0.5, 0, 0.25, 9)
	ordered(t, eq, false, true)
	ordered(t, eq, "", "\x00", "\x00\x00", "\x00a", "\x01", "a", "a\x00", "a\x00b", "aa", "b")
	ordered(t, bytes.Equal, []byte("a"), []byte("a\x00\xff"), []byte("ab"))
	ordered(t, eq, -time.Second, 0, time.Hour)
	ordered(t, eq, compound{"a", -1, [2]uint8{1, 2}, 0}, compound{"a", 5, [2]uint8{1, 2}, 0}, compound{"a", 5, [2]uint8{1, 3}, -1},
		compound{"a", 5, [2]uint8{1, 3}, 1}, compound{"ab", -9, [2]uint8{}, 0})
}

func TestKeyEqualIsEqual(t *testing.T) {
	c := mustKey[float64](t)
	if !bytes.Equal(c.Append(nil, 0), c.Append(nil, math.Copysign(0, -1))) {
		t.Error("the zeros differ")
	}
	if !bytes.Equal(c.Append(nil, math.NaN()), c.Append(nil, math.Float64frombits(0x7ff8000000000123))) {
		t.Error("NaNs differ")
	}
}

func TestKeyOrderRandom(t *testing.T) {
	seed := seeds.One(t)
	rng := rand.New(rand.NewPCG(seed, 0))
	type key struct {
		S string
		I int64
	}
	c := mustKey[key](t)
	draw := func() key {
		b := make([]byte, rng.IntN(4))
		for i := range b {
			b[i] = []byte{0, 1, 'a', 0xff}[rng.IntN(4)]
		}
		return key{string(b), rng.Int64N(5) - 2}
	}
	for range 20_000 {
		a, b := draw(), draw()
		want := cmp.Or(cmp.Compare(a.S, b.S), cmp.Compare(a.I, b.I))
		if got := bytes.Compare(c.Append(nil, a), c.Append(nil, b)); got != want {
			t.Fatalf("%+v and %+v compare %d, want %d", a, b, got, want)
		}
	}
}

// The key format decides key groups, which checkpoints rely on: it can never change.
func TestKeyGolden(t *testing.T) {
	goldenKey(t, "a\x00b", "61 00 ff 62 00 01")
	goldenKey(t, "", "00 01")
	goldenKey(t, 1, "80 00 00 00 00 00 00 01")
	goldenKey(t, int32(-1), "7f ff ff ff")
	goldenKey(t, uint16(258), "01 02")
	goldenKey(t, 1.5, "bf f8 00 00 00 00 00 00")
	goldenKey(t, -1.5, "40 07 ff ff ff ff ff ff")
	goldenKey(t, true, "01")
	goldenKey(t, compound{"x", 1, [2]uint8{2, 3}, 0}, "78 00 01 80 00 00 01 02 03 80 00 00 00 00 00 00 00")
}

func goldenKey[K any](t *testing.T, k K, want string) {
	t.Helper()
	if got := fmt.Sprintf("% x", mustKey[K](t).Append(nil, k)); got != want {
		t.Errorf("%v: %s, want %s", k, got, want)
	}
}

func TestKeyDoesNotAllocate(t *testing.T) {
	s, c, buf := mustKey[string](t), mustKey[compound](t), make([]byte, 0, 64)
	if n := testing.AllocsPerRun(100, func() {
		buf = s.Append(buf[:0], "some user")
		buf = c.Append(buf[:0], compound{Tenant: "some tenant"})
	}); n > 0 {
		t.Errorf("Append allocates %v times", n)
	}
}

func FuzzKeyDecode(f *testing.F) {
	c := mustKey[compound](f)
	f.Add(c.Append(nil, compound{"x", 1, [2]uint8{2, 3}, 0}))
	f.Fuzz(func(t *testing.T, b []byte) {
		var k compound
		if n, err := c.Decode(b, &k); err == nil && n > len(b) {
			t.Fatal("took more than there is")
		}
	})
}

func BenchmarkKeyString(b *testing.B) {
	c, buf := mustKey[string](b), make([]byte, 0, 64)
	b.ReportAllocs()
	for b.Loop() {
		buf = c.Append(buf[:0], "user-1234")
	}
}
