package jobmanager

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"goflink/control"
	"goflink/hdfsstore"
	"goflink/jobmanager/checkpoint"
)

// sharing makes a folder of checkpoints and their shared files.
func sharing(t *testing.T, checkpoints map[int64][]string, files ...string) (*hdfsstore.Resolver, string) {
	t.Helper()
	dir := t.TempDir()
	id := strings.Repeat("a", 32)
	for n, refs := range checkpoints {
		m := &control.CheckpointMetadata{CheckpointId: n, JobId: "job", Kind: "checkpoint",
			Operators: []*control.OperatorInfo{{Id: id, Name: "op", Parallelism: 1, MaxParallelism: 128}}}
		h := &control.StateHandle{Kind: "native"}
		for i, r := range refs {
			h.Tables = append(h.Tables, &control.StateFile{Name: fmt.Sprintf("%d.sst", i), Path: "../shared/" + r, Length: 1})
		}
		m.States = []*control.OperatorState{{OperatorId: id, Keyed: []*control.StateHandle{h}}}
		b, err := checkpoint.EncodeMetadata(m)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, fmt.Sprintf("chk-%d/_metadata", n))
		makeFile(t, filepath.Join(dir, files[len(files)-1]), b)
	}
	for _, f := range files {
		if !strings.HasPrefix(f, "chk-") {
			makeFile(t, filepath.Join(dir, "shared", f), []byte("x"))
		}
	}
	r := hdfsstore.NewResolver(hdfsstore.Options{})
	t.Cleanup(func() { r.Close() })
	return r, "file://" + dir
}

func makeFile(t *testing.T, file string, data []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func sharedIn(t *testing.T, uri string) []string {
	t.Helper()
	list, err := os.ReadDir(strings.TrimPrefix(uri, "file://") + "/shared")
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range list {
		out = append(out, e.Name())
	}
	return out
}

// TestSweepShared: what earlier attempts left goes, unless a checkpoint that is there refers to it; what is of this
// attempt, or has a name of somebody else's, stays.
func TestSweepShared(t *testing.T) {
	r, dir := sharing(t, map[int64][]string{3: {"table-e1-used"}}, "table-e1-used", "table-e1-left", "pack-e2-left", "pack-e3-new", "notes", "table-eX-y")
	sweepShared(t.Context(), r, slog.New(slog.DiscardHandler), dir, 3, nil)
	if got := sharedIn(t, dir); !slices.Equal(got, []string{"notes", "pack-e3-new", "table-e1-used", "table-eX-y"}) {
		t.Error(got)
	}
	// With a checkpoint that cannot be read nothing is sure.
	makeFile(t, strings.TrimPrefix(dir, "file://")+"/chk-4/_metadata", []byte("GFLC damaged and more than a header"))
	sweepShared(t.Context(), r, slog.New(slog.DiscardHandler), dir, 9, nil)
	if got := sharedIn(t, dir); len(got) != 4 {
		t.Error(got)
	}
}

// TestClaimKeeps: files that a checkpoint beside the claimed one refers to are not the claimer's to delete.
func TestClaimKeeps(t *testing.T) {
	r, dir := sharing(t, map[int64][]string{3: {"table-e1-a", "table-e1-b"}, 4: {"table-e1-b", "table-e1-c"}}, "table-e1-a", "table-e1-b", "table-e1-c")
	c, err := loadCheckpoint(t.Context(), r, dir+"/chk-4")
	if err != nil {
		t.Fatal(err)
	}
	keep, err := referredElsewhere(t.Context(), r, c)
	if err != nil || !keep[dir+"/shared/table-e1-b"] || keep[dir+"/shared/table-e1-c"] {
		t.Fatal(keep, err)
	}
	makeFile(t, strings.TrimPrefix(dir, "file://")+"/chk-5/_metadata", []byte("GFLC damaged and more than a header"))
	if keep, err = referredElsewhere(t.Context(), r, c); err != nil || !keep[dir+"/shared/table-e1-c"] {
		t.Fatal(keep, err)
	}
	if err := dispose(t.Context(), r, dir+"/chk-4"); err == nil || !strings.Contains(err.Error(), "shares files") {
		t.Error(err)
	}
}
