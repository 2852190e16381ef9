package cli

import (
	"encoding/json"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"goflink/control"
	"goflink/graph"
	"goflink/jobmanager/checkpoint"
	"goflink/jobmanager/inspect"
)

var crc = crc32.MakeTable(crc32.Castagnoli)

// writeCheckpoint makes a checkpoint with canonical, native and operator state; change may alter its metadata.
func writeCheckpoint(t *testing.T, job, name string, change func(*control.CheckpointMetadata)) string {
	t.Helper()
	id := strings.Repeat("a", 32)
	states, err := proto.Marshal(&graph.Operator{KeySchema: "string", States: []*graph.State{{Name: "n", Kind: "value", Type: "int64"}, {Name: "seen", Kind: "operator-list", Type: "string"}}})
	if err != nil {
		t.Fatal(err)
	}
	extent := func(from, to int) (int64, int64, uint32) {
		return int64(from), int64(to - from), crc32.Checksum([]byte(shared)[from:to], crc)
	}
	h := &control.StateHandle{Kind: "native", Inline: []byte("description"), Length: 11, Crc32C: crc32.Checksum([]byte("description"), crc), KeyGroupEnd: 63}
	for i, n := range []string{"000004.sst", "000007.sst"} {
		f := &control.StateFile{Name: n, Path: "../shared/pack-e1-x", FileLength: int64(len(shared))}
		f.Offset, f.Length, f.Crc32C = extent(8*i, 8*i+8)
		h.Tables = append(h.Tables, f)
	}
	m := &control.CheckpointMetadata{CheckpointId: 7, JobId: "job", Kind: "checkpoint", TimestampMs: 1_700_000_000_000, Epoch: 1, Version: "0.9",
		Operators: []*control.OperatorInfo{{Id: id, Name: "count", Uid: "count", VertexName: "Count", Parallelism: 2, MaxParallelism: 128, States: states}},
		States: []*control.OperatorState{
			{OperatorId: id, Subtask: 0, Keyed: []*control.StateHandle{h}, Lists: []*control.ListState{{Name: "seen", Mode: "split", Items: [][]byte{[]byte("x"), []byte("yz")}}}},
			{OperatorId: id, Subtask: 1, Keyed: []*control.StateHandle{{Path: "state-e1", Length: 6, Crc32C: crc32.Checksum([]byte("states"), crc), Kind: "canonical", KeyGroupStart: 64, KeyGroupEnd: 127}}},
		}}
	if change != nil {
		change(m)
	}
	b, err := checkpoint.EncodeMetadata(m)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(job, name)
	put(t, filepath.Join(dir, "_metadata"), string(b))
	put(t, filepath.Join(dir, "state-e1"), "states")
	put(t, filepath.Join(job, "shared", "pack-e1-x"), shared)
	return dir
}

const shared = "table 1 table 2 "

func put(t *testing.T, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// says runs a command and looks for words in what it prints.
func (b *bench) says(t *testing.T, code int, line string, words ...string) {
	t.Helper()
	got := b.main(line)
	text := b.out.String() + b.err.String()
	if got != code {
		t.Errorf("%s: exit code %d, want %d:\n%s", line, got, code, text)
	}
	for _, w := range words {
		if !strings.Contains(text, w) {
			t.Errorf("%s: %q is not in:\n%s", line, w, text)
		}
	}
}

func TestState(t *testing.T) {
	b := newBench(t, "")
	root := t.TempDir()
	job := filepath.Join(root, "job")
	one := writeCheckpoint(t, job, "chk-7", nil)
	two := writeCheckpoint(t, job, "chk-8", func(m *control.CheckpointMetadata) {
		m.CheckpointId = 8
		m.Operators = append(m.Operators, &control.OperatorInfo{Id: strings.Repeat("b", 32), Name: "late", Parallelism: 1, MaxParallelism: 128})
		m.Operators[0].Parallelism = 4
		m.States[0].Lists[0].Name = "other"
	})
	put(t, filepath.Join(root, "savepoint-x", "_metadata"), "no metadata")

	b.says(t, 0, "state list "+root, one+" : checkpoint 7 of job job : ", two+" : checkpoint 8", "savepoint-x : damaged : ")
	b.says(t, 0, "state list "+filepath.Join(job, "shared"), "No checkpoints")
	b.says(t, 0, "state show file://"+one, "checkpoint 7 of job job", "version 0.9", `operator "count"`, "uid count", "parallelism 2 of 128", "key: string",
		`state "n": value int64`, `state "seen": operator-list string, 2 items, 3 bytes`, "subtask 1: key groups 0-63, native, 27 bytes in 2 tables, 16 bytes in shared files", "subtask 2: key groups 64-127, canonical, 6 bytes")
	b.says(t, 0, "state verify "+one+"/_metadata", one+" is whole: 2 files, 22 bytes read")
	b.says(t, 0, "state diff "+one+" "+one, "The same")
	b.says(t, 0, "state diff "+one+" "+two, `+ operator "late" (id bbbb`, `~ operator "count" (uid count, id aaaa`, "parallelism 2 -> 4", `~ state "seen"`, `+ state "other"`)
	b.says(t, 0, "state --help", "list <folder>", "verify", "--json")
	for line, want := range map[string]string{"state": "Missing what to do", "state look x": `"look" is not something`, "state verify": "takes 1 argument", "state diff a": "takes 2 argument",
		"state show " + root: "cannot find meta data", "state show /no/such": "cannot find checkpoint or savepoint", "state list /no/such": "no such file", "state list s3://x": "s3"} {
		b.says(t, 1, line, want)
	}
}

// TestStateVerifyDamage: whatever happens to a file is found and named.
func TestStateVerifyDamage(t *testing.T) {
	for name, c := range map[string]struct {
		harm func(t *testing.T, job string)
		want []string
	}{
		"flipped":   {func(t *testing.T, job string) { put(t, job+"/shared/pack-e1-x", "table 1 table 3 ") }, []string{"/shared/pack-e1-x, bytes 8 to 16: checksum", "count (1)"}},
		"truncated": {func(t *testing.T, job string) { put(t, job+"/shared/pack-e1-x", "table 1 table") }, []string{"bytes 8 to 16: the file has 13 bytes", "count (1)"}},
		"gone":      {func(t *testing.T, job string) { os.Remove(job + "/chk-7/state-e1") }, []string{"/chk-7/state-e1, bytes 0 to 6", "no such file", "count (2)"}},
		"inline": {func(t *testing.T, job string) {
			writeCheckpoint(t, job, "chk-7", func(m *control.CheckpointMetadata) { m.States[0].Keyed[0].Inline[0] = 'D' })
		}, []string{"/chk-7/_metadata", "inside the metadata", "count (1)"}},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, "")
			job := t.TempDir()
			dir := writeCheckpoint(t, job, "chk-7", nil)
			c.harm(t, job)
			b.says(t, 1, "state verify "+dir, append(c.want, "DAMAGED", "is damaged: 1 of 3 parts")...)
			b.says(t, 1, "state verify --json "+dir)
			var r inspect.Report
			if err := json.Unmarshal(b.out.Bytes(), &r); err != nil || len(r.Damages) != 1 {
				t.Errorf("%v %+v", err, r)
			}
		})
	}
}

func TestStateJSON(t *testing.T) {
	b := newBench(t, "")
	job := t.TempDir()
	dir := writeCheckpoint(t, job, "chk-7", nil)
	for line, into := range map[string]any{"list " + job: &[]inspect.Entry{}, "show " + dir: &inspect.Snapshot{}, "verify " + dir: &inspect.Report{}, "diff " + dir + " " + dir: &[]inspect.Change{}} {
		b.says(t, 0, "state "+line+" --json")
		if err := json.Unmarshal(b.out.Bytes(), into); err != nil {
			t.Errorf("%s: %v in %s", line, err, b.out)
		}
	}
}
