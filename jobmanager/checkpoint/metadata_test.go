package checkpoint

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"goflink/control"
)

var update = flag.Bool("update", false, "write testdata of the current format")

func sample() *control.CheckpointMetadata {
	id := strings.Repeat("a", 32)
	return &control.CheckpointMetadata{CheckpointId: 7, JobId: "job", Kind: "checkpoint", TimestampMs: 1, Epoch: 2, Version: "1",
		Operators: []*control.OperatorInfo{{Id: id, Name: "count", Uid: "count", Parallelism: 2, MaxParallelism: 128}},
		Files:     []string{"data"},
		States: []*control.OperatorState{
			{OperatorId: id, Subtask: -1, Coordinator: []byte("splits"), Parallelism: 2, MaxParallelism: 128},
			{OperatorId: id, Parallelism: 2, MaxParallelism: 128, Keyed: []*control.StateHandle{{Path: "data", Offset: 3, Length: 5, KeyGroupEnd: 63, Crc32C: 9}},
				Lists: []*control.ListState{{Name: "l", Mode: "split", Items: [][]byte{[]byte("x")}}}},
		}}
}

func TestMetadata(t *testing.T) {
	want := sample()
	b, err := EncodeMetadata(want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := DecodeMetadata(b)
	if err != nil || !proto.Equal(got, want) {
		t.Fatalf("%v, %v", got, err)
	}
	for n := range b {
		if _, err := DecodeMetadata(b[:n]); !errors.Is(err, ErrTruncated) {
			t.Fatalf("cut at %d: %v", n, err)
		}
	}
	for i := range b {
		damaged := bytes.Clone(b)
		damaged[i] ^= 0x40
		if _, err := DecodeMetadata(damaged); err == nil && (i < 5 || i > 7) { // bytes 5 to 7 are not used
			t.Fatalf("a damaged byte %d is not noticed", i)
		}
	}
	if _, err := DecodeMetadata([]byte{0x49, 0x60, 0x67, 0x2d, 0, 0, 0, 4}); !errors.Is(err, ErrNotMetadata) || !strings.Contains(err.Error(), "Apache Flink") {
		t.Fatal(err)
	}
	if _, err := DecodeMetadata([]byte("hello, world")); !errors.Is(err, ErrNotMetadata) {
		t.Fatal(err)
	}
}

// newest has what version 2 added: records in flight, and native state with what
// belongs to it.
func newest() *control.CheckpointMetadata {
	m := sample()
	id := m.Operators[0].Id
	m.States[1].Inflight = []*control.ChannelState{{SourceOperator: id, TargetOperator: id, Source: 1, Target: 0, InputIndex: 1, Side: "late", Rows: 4, SchemaHash: 5,
		Output: true, Data: &control.StateHandle{Path: "data", Offset: 8, Length: 9, Crc32C: 7, Kind: "channel"}}}
	m.States[1].Keyed = append(m.States[1].Keyed, &control.StateHandle{Kind: "native", Inline: []byte("description"), Length: 11, KeyGroupStart: 64, KeyGroupEnd: 127,
		Tables: []*control.StateFile{{Name: "000004.sst", Path: "../shared/pack", Offset: 5, Length: 7, Crc32C: 3, FileLength: 20}}})
	m.Files = append(m.Files, "../shared/pack")
	m.Owned = []string{"/old/shared/table"}
	return m
}

// TestFormats reads a file of every version of the format. Only the newest one
// is ever written anew, before its release.
func TestFormats(t *testing.T) {
	for version, want := range []*control.CheckpointMetadata{1: sample(), 2: newest()} {
		if want == nil {
			continue
		}
		file := fmt.Sprintf("formats/metadata-v%d", version)
		encoded, err := EncodeMetadata(want)
		if err != nil {
			t.Fatal(err)
		}
		if *update && version == metadataVersion {
			if err := os.WriteFile(file, encoded, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		got, err := DecodeMetadata(b)
		if err != nil || !proto.Equal(got, want) || b[4] != byte(version) || encoded[4] != byte(version) {
			t.Fatalf("version %d: %v, %v", version, got, err)
		}
	}
}

func TestMetadataIsChecked(t *testing.T) {
	for name, change := range map[string]func(*control.CheckpointMetadata){
		"no id":          func(m *control.CheckpointMetadata) { m.CheckpointId = 0 },
		"operator id":    func(m *control.CheckpointMetadata) { m.Operators[0].Id = "../x" },
		"unknown":        func(m *control.CheckpointMetadata) { m.States[0].OperatorId = strings.Repeat("b", 32) },
		"parallelism":    func(m *control.CheckpointMetadata) { m.Operators[0].Parallelism = 1 << 30 },
		"subtask":        func(m *control.CheckpointMetadata) { m.States[1].Subtask = 2 },
		"key groups":     func(m *control.CheckpointMetadata) { m.States[1].Keyed[0].KeyGroupEnd = 128 },
		"key group turn": func(m *control.CheckpointMetadata) { m.States[1].Keyed[0].KeyGroupStart = 100 },
		"offset":         func(m *control.CheckpointMetadata) { m.States[1].Keyed[0].Offset = -1 },
		"in flight":      func(m *control.CheckpointMetadata) { m.States[1].Inflight[0].Data = nil },
		"sender":         func(m *control.CheckpointMetadata) { m.States[1].Inflight[0].SourceOperator = "" },
		"channel extent": func(m *control.CheckpointMetadata) { m.States[1].Inflight[0].Data.Length = -1 },
		"table name":     func(m *control.CheckpointMetadata) { m.States[1].Keyed[1].Tables[0].Name = "../x" },
		"table path":     func(m *control.CheckpointMetadata) { m.States[1].Keyed[1].Tables[0].Path = "" },
		"table extent":   func(m *control.CheckpointMetadata) { m.States[1].Keyed[1].Tables[0].Offset = math.MaxInt64 },
		"mode":           func(m *control.CheckpointMetadata) { m.States[1].Lists[0].Mode = "all" },
	} {
		m := newest()
		change(m)
		b, err := EncodeMetadata(m)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := DecodeMetadata(b); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzDecodeMetadata(f *testing.F) {
	b, err := EncodeMetadata(newest())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add(b[headerSize:])
	f.Add([]byte(metadataMagic))
	f.Fuzz(func(t *testing.T, b []byte) {
		if m, err := DecodeMetadata(b); err == nil {
			if _, err := EncodeMetadata(m); err != nil {
				t.Fatal(err)
			}
		}
		m := &control.CheckpointMetadata{} // past the checksum, which no fuzzer guesses
		if proto.Unmarshal(b, m) == nil && validate(m) == nil {
			Assign(testGraph(2, 3), &Completed{ID: 1, Dir: "/cp/chk-1", Metadata: m})
			_, _ = Compatible(testGraph(2, 3), &Completed{ID: 1, Metadata: m}, true)
		}
	})
}

func TestResolve(t *testing.T) {
	for _, c := range [][3]string{
		{"/cp/chk-1", "a", "/cp/chk-1/a"},
		{"/cp/chk-1", "../shared/a", "/cp/shared/a"},
		{"hdfs://nn:8020/cp/chk-1", "../shared/a", "hdfs://nn:8020/cp/shared/a"},
		{"hdfs:///cp/chk-1", "a", "hdfs:///cp/chk-1/a"},
		{"hdfs://nn:8020/cp", "../../../../a", "hdfs://nn:8020/a"},
		{"file:/cp/chk-1", "a", "file:/cp/chk-1/a"},
		{"/cp", "/elsewhere", "/elsewhere"},
		{"/cp", "hdfs:///elsewhere", "hdfs:///elsewhere"},
	} {
		if got := Resolve(c[0], c[1]); got != c[2] {
			t.Errorf("Resolve(%q, %q) = %q, not %q", c[0], c[1], got, c[2])
		}
	}
}
