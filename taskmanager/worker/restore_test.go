package worker

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"goflink/control"
	"goflink/hdfsstore"
	"goflink/state"
	"goflink/taskmanager/tmtest"
)

func sampleInfo() state.SnapshotInfo {
	return state.SnapshotInfo{Kind: state.Canonical, Version: 1, CheckpointID: 42, Range: state.Range{Start: 32, End: 35}, Bytes: 1000, Offsets: []int64{10, 10, 500, 990}}
}

func TestInfoRoundTrip(t *testing.T) {
	want := sampleInfo()
	got, err := decodeInfo(encodeInfo(want))
	if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Fatalf("%v %v", got, err)
	}
	// Version 1, as earlier releases wrote it.
	const old = "\x01\x01\x01T #\xe8\a\x04\n\x00\xea\x03\xea\x03"
	if s := string(encodeInfo(want)); s != old {
		t.Fatalf("the format changed: %q", s)
	}
}

func FuzzInfo(f *testing.F) {
	f.Add(encodeInfo(sampleInfo()))
	f.Add([]byte{infoVersion, 1, 1, 0, 0, 1, 0, 0xff, 0xff, 0x03})
	f.Fuzz(func(t *testing.T, b []byte) {
		info, err := decodeInfo(b)
		if err != nil {
			return
		}
		again, err := decodeInfo(encodeInfo(info))
		if err != nil || fmt.Sprint(again) != fmt.Sprint(info) {
			t.Fatalf("%v -> %v, %v", info, again, err)
		}
	})
}

// TestOpenLargeExtent reads a part of a file that is copied to local disk.
func TestOpenLargeExtent(t *testing.T) {
	dir := t.TempDir()
	body := bytes.Repeat([]byte("0123456789abcdef"), (maxInMemory+1000)/16+1)
	file := filepath.Join(dir, "segment")
	if err := os.WriteFile(file, append([]byte("before"), append(bytes.Clone(body), "after"...)...), 0o600); err != nil {
		t.Fatal(err)
	}
	handle := &control.StateHandle{Path: "segment", Offset: 6, Length: int64(len(body)), Crc32C: crc32.Checksum(body, castagnoli), Meta: encodeInfo(sampleInfo())}
	states := []*control.OperatorState{{OperatorId: "op", Keyed: []*control.StateHandle{handle}}}
	r, err := newRestored(states, 1, "file://"+dir+"/")
	if err != nil {
		t.Fatal(err)
	}
	op, ok := r.of("op")
	if !ok || len(op.Keyed) != 1 {
		t.Fatalf("%v %t", op, ok)
	}
	o := &opener{restored: r, files: hdfsstore.NewResolver(hdfsstore.Options{}), scratch: dir}
	rc, err := o.open(t.Context(), op.Keyed[0])
	if err != nil {
		t.Fatal(err)
	}
	part := make([]byte, 16)
	if _, err := rc.(io.ReaderAt).ReadAt(part, 32); err != nil || string(part) != "0123456789abcdef" {
		t.Fatalf("%q %v", part, err)
	}
	whole, err := io.ReadAll(rc)
	if err != nil || !bytes.Equal(whole, body) {
		t.Fatalf("%d bytes, %v", len(whole), err)
	}
	if err := rc.Close(); err != nil {
		t.Fatal(err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "restore-*")); len(left) != 0 {
		t.Fatalf("left behind: %v", left)
	}
	r.handles[0].Crc32C ^= 1
	if _, err := o.open(t.Context(), op.Keyed[0]); err == nil || !strings.Contains(err.Error(), "checksum") || retryOf(err) != retryNone {
		t.Fatalf("%v", err)
	}
}

// TestFinishedTasks: only a task that holds nothing more is skipped.
func TestFinishedTasks(t *testing.T) {
	done := func(id string, lists ...*control.ListState) *control.OperatorState {
		return &control.OperatorState{OperatorId: id, Finished: true, Lists: lists}
	}
	for _, c := range []struct {
		states []*control.OperatorState
		want   bool
	}{
		{nil, false},
		{[]*control.OperatorState{done("a"), done("b")}, true},
		{[]*control.OperatorState{done("a")}, false}, // b is new
		{[]*control.OperatorState{done("a"), {OperatorId: "b"}}, false},
		{[]*control.OperatorState{done("a"), done("b", &control.ListState{Name: "pending"})}, false},
	} {
		r, err := newRestored(c.states, 2, "")
		if err != nil || r.finished != c.want {
			t.Errorf("%v: %t %v", c.states, r.finished, err)
		}
	}
}

// TestRestoredFinishedSource: a job goes on although one of its sources had
// finished before the checkpoint; its channels have ended, once.
func TestRestoredFinishedSource(t *testing.T) {
	for _, order := range [][]string{{"a", "b"}, {"b", "a"}} { // who dials whom
		r := newRig(t, &tmtest.Job{Sources: 2, Counters: 2, Sinks: 1, Records: 3000, Keys: 31})
		workers := r.start("a", "b")
		if order[0] == "b" {
			workers[0], workers[1] = workers[1], workers[0]
		}
		restore := map[string][]*control.OperatorState{"source/0": {{OperatorId: tmtest.SourceID, Finished: true}}}
		d := r.Deploy(r.job.JobGraph(), workers, 1, restore)
		d.Start()
		r.Wait("the tasks that run being drained", func() bool { return len(r.Drained) == 4 })
		d.All(&control.WorkerCommand{Command: &control.WorkerCommand_FinalCommit{FinalCommit: &control.FinalCommit{}}})
		d.WaitAll("FINISHED")
		r.job.Committed.Lock()
		if n := len(r.job.Committed.Lines); n != 3000 {
			t.Errorf("%d records were committed", n)
		}
		r.job.Committed.Unlock()
		r.shutdown(workers)
	}
}
