package worker

import (
	"encoding/binary"
	"hash/crc32"
	"testing"

	"goflink/control"
	"goflink/dataflow"
	"goflink/taskmanager/tmtest"
)

// TestPreloadOnce: records in flight of two former channels that come to lie on
// one, of which the first has none for this subtask, are counted once.
func TestPreloadOnce(t *testing.T) {
	r := newRig(t, &tmtest.Job{Sources: 2, Counters: 2, Sinks: 1, Records: 1, Keys: 128})
	inflight := func(source int32, values ...int64) *control.ChannelState {
		var b dataflow.Buffer
		for _, v := range values {
			b.Data = binary.BigEndian.AppendUint64(b.Data, uint64(v))
			b.Rows++
		}
		f := &flight{byKey: map[channelKey]*channelData{}}
		if err := f.add(channelKey{}, []dataflow.Buffer{b}); err != nil {
			t.Fatal(err)
		}
		data := f.channels[0].data
		return &control.ChannelState{SourceOperator: tmtest.SourceID, TargetOperator: tmtest.KeyedID, Source: source, Rows: int64(b.Rows), Sift: true,
			Data: &control.StateHandle{Inline: data, Length: int64(len(data)), Crc32C: crc32.Checksum(data, castagnoli)}}
	}
	restored := map[string][]*control.OperatorState{}
	for id, n := range map[string]int32{tmtest.SourceID: 2, tmtest.KeyedID: 2, tmtest.SinkID: 1} {
		for s := range n {
			key := tmtest.Key(&control.Task{VertexId: id, Subtask: s})
			restored[key] = []*control.OperatorState{{OperatorId: id, Subtask: s, Parallelism: n, MaxParallelism: 128}}
		}
	}
	// Key 3 belongs to the first counter, 100 and 101 to the second; of three
	// sources there are two now.
	restored["keyed/1"][0].Inflight = []*control.ChannelState{inflight(0, 3), inflight(2, 100, 101)}
	workers := r.start("x")
	d := r.Deploy(r.job.JobGraph(), workers, 0, restored)
	d.Start()
	r.Wait("all tasks being drained", d.AllDrained)
	if !d.Checkpoint(r.trigger(1, "final")) {
		t.Fatalf("declined: %v", r.Declines)
	}
	d.WaitAll("FINISHED")
	r.job.Committed.Lock()
	if got := r.job.Committed.Lines; len(got) != 2 || got[0] != "100 1" || got[1] != "101 1" {
		t.Errorf("committed %q", got)
	}
	r.job.Committed.Unlock()
	r.shutdown(workers)
}
