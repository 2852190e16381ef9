package state_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"flag"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"

	"goflink/codec"
	"goflink/state"
)

var update = flag.Bool("update", false, "rewrite the golden files of the current version")

// small fills a task with a little of everything, always the same.
func small(t testing.TB, backend int) (*written, *model) {
	x, m := openTask(t, env(t, backend, state.Range{Start: 0, End: maxPar})), newModel()
	rng := rand.New(rand.NewPCG(1, 1))
	for range 40 {
		x.step(m, rng, 6)
	}
	var wg sync.WaitGroup
	w := x.snapshot(m, 5, &wg)
	wg.Wait()
	x.close()
	if w.err != nil {
		t.Fatal(w.err)
	}
	return w, m
}

func restoreBytes(t testing.TB, b []byte, info state.SnapshotInfo) error {
	e := env(t, 0, state.Range{End: maxPar})
	e.Restore = []state.Handle{{Location: "chk-5/op", SnapshotInfo: info}}
	e.Open = openReader(func() io.Reader { return bytes.NewBuffer(b) })
	k, err := state.OpenKeyed(e, stringKey(t))
	if err != nil {
		return err
	}
	return k.Close()
}

// TestGoldenSnapshot reads the snapshots that every version wrote, and checks that this one still writes its own.
func TestGoldenSnapshot(t *testing.T) {
	w, m := small(t, 0)
	name := filepath.Join("testdata", "canonical-v1.hex")
	if *update {
		if err := os.WriteFile(name, []byte(hex.EncodeToString(w.bytes.Bytes())+"\n"), 0o644); err != nil {
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
	if !bytes.Equal(golden, w.bytes.Bytes()) {
		t.Error("the format changed: a new version is needed that still reads this one")
	}
	restoreAll(t, 1, 2, memory{golden}, []state.Handle{{Location: "0", SnapshotInfo: state.SnapshotInfo{Range: state.Range{End: maxPar}}}}, m, 6)
}

// TestTruncated: every beginning of a snapshot is refused by name.
func TestTruncated(t *testing.T) {
	w, _ := small(t, 0)
	b := w.bytes.Bytes()
	rows := w.info.Offsets[len(w.info.Offsets)-1]
	for n := range b[:rows] {
		err := restoreBytes(t, b[:n], w.info)
		if !errors.Is(err, state.ErrCorrupt) || !strings.Contains(err.Error(), `"chk-5/op"`) || !strings.Contains(err.Error(), "truncated") {
			t.Fatalf("%d of %d bytes: %v", n, len(b), err)
		}
	}
	if err := restoreBytes(t, b, w.info); err != nil {
		t.Fatal(err)
	}
}

// TestFlipped: every flipped bit in what is read is found.
func TestFlipped(t *testing.T) {
	w, _ := small(t, 0)
	rows := w.info.Offsets[len(w.info.Offsets)-1]
	for i := range rows {
		b := bytes.Clone(w.bytes.Bytes())
		b[i] ^= 1 << (i % 8)
		if i == 6 || i == 7 { // reserved
			continue
		}
		if err := restoreBytes(t, b, w.info); err == nil {
			t.Fatalf("a flipped bit at %d is not found", i)
		}
	}
}

func TestWrongOffsets(t *testing.T) {
	w, _ := small(t, 0)
	for name, change := range map[string]func(*state.SnapshotInfo){
		"range":    func(i *state.SnapshotInfo) { i.Range.End-- },
		"missing":  func(i *state.SnapshotInfo) { i.Offsets = i.Offsets[1:] },
		"negative": func(i *state.SnapshotInfo) { i.Offsets[0] = -1 },
		"inside":   func(i *state.SnapshotInfo) { i.Offsets[0] += 3 },
		"behind":   func(i *state.SnapshotInfo) { i.Offsets[maxPar] += 3 },
		"early":    func(i *state.SnapshotInfo) { i.Offsets[maxPar] -= 3 },
	} {
		info := w.info
		info.Offsets = append([]int64(nil), info.Offsets...)
		change(&info)
		if err := restoreBytes(t, w.bytes.Bytes(), info); !errors.Is(err, state.ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRefusedRestores(t *testing.T) {
	w, _ := small(t, 0)
	e := env(t, 0, state.Range{End: 12})
	e.MaxParallelism = 12
	e.Restore = []state.Handle{{SnapshotInfo: w.info}}
	e.Open = openReader(func() io.Reader { return bytes.NewBuffer(w.bytes.Bytes()) })
	if _, err := state.OpenKeyed(e, stringKey(t)); !errors.Is(err, state.ErrIncompatible) || !strings.Contains(err.Error(), "max parallelism") {
		t.Error(err)
	}
	e.Range.End, e.MaxParallelism = maxPar, maxPar
	ints, err := codec.Key[int64]()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := state.OpenKeyed(e, ints); !errors.Is(err, state.ErrIncompatible) || !strings.Contains(err.Error(), "string -> int64") {
		t.Error(err)
	}
	for name, b := range map[string]string{"nothing": "", "text": "hello, this is no snapshot", "later": "gfks\x02\x01\x00\x00", "kind": "gfks\x01\x07\x00\x00"} {
		if err := restoreBytes(t, []byte(b), w.info); err == nil {
			t.Errorf("%s is restored", name)
		}
	}
}

func TestDescribe(t *testing.T) {
	w, _ := small(t, 0)
	d, err := state.Describe(bytes.NewReader(w.bytes.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range d.States {
		got = append(got, strings.TrimSpace(s.Kind+" "+s.Name+" "+s.MapKey.String()+" "+s.Value.String()))
	}
	want := []string{
		"value value none state_test.rec{N int64, L []int64}", "value flat none int64", "list list none string", "map map int32 string",
		"event-time timers timers none none", "processing-time timers timers none none",
	}
	if !reflect.DeepEqual(got, want) || d.MaxParallelism != maxPar || d.Range.Len() != maxPar || d.CheckpointID != 5 || d.Key.String() != "string" {
		t.Errorf("%+v\n%q", d, got)
	}
}

func TestHandleEncoding(t *testing.T) {
	w, _ := small(t, 0)
	h := state.Handle{Location: "hdfs://nn/chk-5/op", SnapshotInfo: w.info}
	b := h.AppendBinary([]byte("x"))[1:]
	got, n, err := state.DecodeHandle(append(bytes.Clone(b), "more"...))
	if err != nil || n != len(b) || !reflect.DeepEqual(h, got) {
		t.Fatalf("%+v, %d, %v", got, n, err)
	}
	for i := range b {
		if _, _, err := state.DecodeHandle(b[:i]); !errors.Is(err, state.ErrCorrupt) {
			t.Fatalf("%d of %d bytes: %v", i, len(b), err)
		}
	}
}

func FuzzHandle(f *testing.F) {
	w, _ := small(f, 0)
	h := state.Handle{Location: "l", SnapshotInfo: w.info}
	f.Add(h.AppendBinary(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, _, err := state.DecodeHandle(b)
		if err != nil {
			return
		}
		again, _, err := state.DecodeHandle(h.AppendBinary(nil))
		if err != nil || !reflect.DeepEqual(h, again) {
			t.Fatalf("%+v %+v %v", h, again, err)
		}
	})
}

func FuzzSnapshot(f *testing.F) {
	w, _ := small(f, 0)
	f.Add(w.bytes.Bytes(), true)
	f.Add(w.bytes.Bytes(), false)
	f.Fuzz(func(t *testing.T, b []byte, offsets bool) {
		info := w.info
		if !offsets {
			info.Offsets = nil
		}
		e := state.Env{Range: state.Range{End: maxPar}, MaxParallelism: maxPar, Restore: []state.Handle{{SnapshotInfo: info}}}
		e.Open = openReader(func() io.Reader { return bytes.NewReader(b) })
		k, err := state.OpenKeyed(e, stringKey(t))
		if err != nil {
			return
		}
		_, _ = state.NewValue(k, state.Desc[rec]{Name: "value"})
		_, _ = state.NewTimers(k, "timers")
		if s, err := k.Snapshot(1); err == nil {
			if _, err := s.WriteTo(context.Background(), io.Discard); err != nil {
				t.Fatal(err)
			}
			s.Release()
		}
	})
}

// frame wraps a payload with a right checksum, so that the fuzzer gets behind it.
func frame(dst []byte, mark uint16, payload []byte) []byte {
	body := append(binary.BigEndian.AppendUint16(nil, mark), payload...)
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(body)))
	dst = binary.BigEndian.AppendUint32(dst, crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli)))
	return append(dst, body...)
}

func FuzzFrames(f *testing.F) {
	w, _ := small(f, 0)
	b := w.bytes.Bytes()
	n := binary.BigEndian.Uint32(b[8:])
	f.Add(b[18:16+n], b[26+n:26+n+uint32(binary.BigEndian.Uint32(b[16+n:]))-2], uint16(0))
	f.Fuzz(func(t *testing.T, header, rows []byte, group uint16) {
		b := frame([]byte("gfks\x01\x01\x00\x00"), 0xfffe, header)
		b = frame(frame(b, group, rows), 0xffff, nil)
		e := state.Env{Range: state.Range{End: maxPar}, MaxParallelism: maxPar, Restore: []state.Handle{{}}}
		e.Open = openReader(func() io.Reader { return bytes.NewBuffer(b) })
		k, err := state.OpenKeyed(e, stringKey(t))
		if err != nil {
			return
		}
		_, _ = state.NewValue(k, state.Desc[rec]{Name: "value"})
		_, _ = state.NewValue(k, state.Desc[int64]{Name: "flat"})
		_, _ = state.NewList(k, state.Desc[string]{Name: "list"})
		_, _ = state.NewMap(k, state.MapDesc[int32, string]{Name: "map"})
		if x, err := state.NewTimers(k, "timers"); err == nil {
			_ = x.AdvanceEvent(1<<62, func(int64) error { return nil })
		}
	})
}
