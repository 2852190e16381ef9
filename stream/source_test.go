package stream_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"goflink/stream"
	"goflink/stream/streamtest"
)

// TestSplitsThatNobodyHad: a checkpoint may be older than a reader's first request,
// so that the enumerator still holds its splits. Restored readers get them beside
// their own, and their records are not late.
func TestSplitsThatNobodyHad(t *testing.T) {
	evs := events(300, 5, 10)
	var late bag[event]
	tag := stream.NewTag[event]("late")
	build := func(env *stream.Env) {
		ws := stream.ForGenerator(func() stream.WatermarkGenerator[event] { return &eager{} }).WithTimestamps(at)
		s := stream.From(env, stream.SliceSource(evs), ws, stream.Parallelism(env.Parallelism()), stream.UID("source"))
		w := stream.KeyBy(s, key).Window(stream.Tumbling(50 * time.Millisecond)).LateTo(tag)
		counts := stream.Count(w, stream.UID("count"))
		counts.Discard()
		stream.Side(counts, tag).Each(late.add)
	}
	for seed := range uint64(40) {
		build := func(parallelism int) *stream.Program {
			return program(t, func(env *stream.Env) { env.SetParallelism(parallelism); build(env) })
		}
		c, err := streamtest.New(build(3), streamtest.Options{Seed: seed, CheckpointEvery: 2, SingleRecords: 1,
			Kill: func(at streamtest.Moment) bool { return at == streamtest.Completed }})
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Run(); !errors.Is(err, streamtest.ErrKilled) {
			t.Fatalf("seed %d: %v", seed, err)
		}
		from := c.LastCheckpoint()
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		run(t, build(2), streamtest.Options{Seed: seed, Restore: from})
		if len(late.vs) > 0 {
			t.Fatalf("seed %d: %d records are late: %s", seed, len(late.vs), fmt.Sprint(late.vs[0]))
		}
	}
}

// eager makes a watermark of each record: nothing of a split is out of order.
type eager struct{}

func (eager) OnEvent(_ *event, ts int64, out *stream.WatermarkOutput) { out.Emit(ts - 1) }
func (eager) OnPeriodic(*stream.WatermarkOutput)                      {}
