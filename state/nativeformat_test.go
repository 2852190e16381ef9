package state

import (
	"bytes"
	"encoding/hex"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"goflink/codec"
)

var updateNative = flag.Bool("update-native", false, "rewrite the golden file of the current version of native descriptions")

func sampleDescription(t testing.TB) *description {
	key, err := codec.Key[string]()
	if err != nil {
		t.Fatal(err)
	}
	val, err := codec.For[int64]()
	if err != nil {
		t.Fatal(err)
	}
	return &description{
		head: &header{checkpointID: 7, maxPar: 128, groups: Range{32, 64}, key: key.Schema(), states: []*stateMeta{
			{ID: 0, Kind: kindValue, Name: "count", Value: val.Schema()}, {ID: 1, Kind: kindList, Name: "all", Value: val.Schema(), Next: 9}, {ID: 2, Kind: kindEventTimers, Name: "timers"}}},
		small:  []storeFile{{"MANIFEST-000001", []byte("manifest")}, {"OPTIONS-000003", nil}},
		tables: []TableFile{{Name: "000005.sst", Size: 4096}},
	}
}

// TestNativeFormat reads the descriptions that every version wrote.
func TestNativeFormat(t *testing.T) {
	want := sampleDescription(t)
	b := encodeNative(want.head, want.small, want.tables)
	name := filepath.Join("testdata", "native-v1.hex")
	if *updateNative {
		if err := os.WriteFile(name, []byte(hex.EncodeToString(b)+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	golden, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(golden, b) {
		t.Error("the format changed: a new version is needed that still reads this one")
	}
	got, err := decodeNative(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.head.append(nil), want.head.append(nil)) || len(got.small) != 2 || got.small[0].name != "MANIFEST-000001" || string(got.small[0].data) != "manifest" ||
		!reflect.DeepEqual(got.tables, want.tables) {
		t.Errorf("%+v", got)
	}
	for n := range golden {
		if _, err := decodeNative(golden[:n]); !errors.Is(err, ErrCorrupt) {
			t.Fatalf("cut at %d: %v", n, err)
		}
		flipped := bytes.Clone(golden)
		flipped[n] ^= 4
		if _, err := decodeNative(flipped); err == nil && (n < 5 || n > 7) { // reserved
			t.Fatalf("a flipped bit at %d is not found", n)
		}
	}
}

func FuzzNativeBody(f *testing.F) {
	d := sampleDescription(f)
	f.Add(encodeNative(d.head, d.small, d.tables)[nativePrefix:])
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := decodeBody(b)
		if err != nil {
			return
		}
		for _, s := range d.small {
			if strings.ContainsAny(s.name, "/\\") || s.name == ".." || s.name == "" {
				t.Fatalf("a file named %q", s.name)
			}
		}
	})
}
