package state_test

import (
	"context"
	"io"
	"runtime"
	"testing"
	"time"

	"goflink/codec"
	"goflink/state"
)

// block is a flat value that makes a gigabyte of four million of them.
type block struct{ Words [30]int64 }

func blocks(t testing.TB, n int) (*state.Keyed[int64], state.Value[block]) {
	t.Helper()
	key := must[codec.KeyCodec[int64]](t)(codec.Key[int64]())
	k := must[*state.Keyed[int64]](t)(state.OpenKeyed(state.Env{Range: state.Range{End: 128}, MaxParallelism: 128}, key))
	v := must[state.Value[block]](t)(state.NewValue(k, state.Desc[block]{Name: "block"}))
	for i := range n {
		k.SetKey(int64(i))
		v.Set(block{})
	}
	return k, v
}

// TestSnapshotIsByPage: the part of a snapshot that stops the task copies the list of pages, no entry.
func TestSnapshotIsByPage(t *testing.T) {
	const entries = 100_000 // 24 MB
	k, _ := blocks(t, entries)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	s, err := k.Snapshot(1)
	if err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	pages := uint64(entries/64 + 1)
	if got := after.TotalAlloc - before.TotalAlloc; got > 16*pages+64<<10 {
		t.Errorf("a snapshot of %d pages allocates %d bytes", pages, got)
	}
	s.Release()
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
}

// BenchmarkSnapshotPause measures how long a snapshot of a gigabyte on the heap stops the task (sync-ms), and the
// slowest of the next thousand changes while the snapshot is written (change-ms).
func BenchmarkSnapshotPause(b *testing.B) {
	const entries = 1 << 22
	k, v := blocks(b, entries)
	runtime.GC()
	var sync, change time.Duration
	for b.Loop() {
		began := time.Now()
		s, err := k.Snapshot(1)
		if err != nil {
			b.Fatal(err)
		}
		sync = max(sync, time.Since(began))
		done := make(chan error, 1)
		go func() {
			_, err := s.WriteTo(context.Background(), io.Discard)
			done <- err
		}()
		for i := range 100_000 {
			began := time.Now()
			k.SetKey(int64(i*7919) % entries)
			v.Update(func(v *block) { v.Words[0]++ })
			change = max(change, time.Since(began))
		}
		if err := <-done; err != nil {
			b.Fatal(err)
		}
		s.Release()
	}
	b.ReportMetric(float64(sync.Microseconds())/1000, "sync-ms")
	b.ReportMetric(float64(change.Microseconds())/1000, "change-ms")
	if err := k.Close(); err != nil {
		b.Fatal(err)
	}
}
