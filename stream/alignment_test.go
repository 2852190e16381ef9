package stream_test

import (
	"testing"
	"time"

	"goflink/internal/seeds"
	"goflink/stream"
	"goflink/stream/streamtest"
)

// TestAlignment runs a fast and a slow source: in event time the fast one is never
// further ahead than the drift and what it reads in an interval.
func TestAlignment(t *testing.T) {
	seed := seeds.One(t)
	for _, tc := range []struct {
		group   string
		maxLead int64
	}{{"both", 3000}, {"", 0}} {
		var lead, fast, slow int64
		prog := program(t, func(env *stream.Env) {
			see := func(perSecond float64, step int64, newest *int64) {
				ws := stream.Monotonous[int64]().WithTimestamps(func(v int64) int64 { return v })
				if tc.group != "" {
					ws = ws.WithAlignment(tc.group, time.Second, 100*time.Millisecond)
				}
				src := stream.GeneratorSource(1000, perSecond, func(i int64) int64 { return i * step })
				stream.From(env, src, ws, stream.Parallelism(2)).Each(func(r stream.Rec[int64]) error {
					*newest = max(*newest, r.V)
					if slow > 0 && slow < 999*10 { // it has begun and has not ended
						lead = max(lead, fast-slow)
					}
					return nil
				})
			}
			see(1000, 100, &fast) // 100 seconds of event time in one
			see(100, 10, &slow)   // one second in one
		})
		run(t, prog, streamtest.Options{Seed: seed})
		if fast != 999*100 || slow != 999*10 {
			t.Errorf("the sources came to %d and %d", fast, slow)
		}
		t.Logf("group %q: the fast source was up to %d ms ahead", tc.group, lead)
		if tc.group != "" && lead > 40_000 || tc.group == "" && lead < 80_000 {
			t.Errorf("group %q: the fast source was up to %d ms ahead", tc.group, lead)
		}
	}
}

// TestAlignmentSplits holds back single splits of one reader.
func TestAlignmentSplits(t *testing.T) {
	var lead int64
	var newest [2]int64
	prog := program(t, func(env *stream.Env) {
		ws := stream.Monotonous[int64]().WithTimestamps(func(v int64) int64 { return v }).WithAlignment("splits", time.Second, 100*time.Millisecond).
			WithIdleness(300 * time.Millisecond)
		// The splits of one reader: those of even numbers are far ahead of the others.
		src := stream.GeneratorSource(2000, 200, func(i int64) int64 {
			if i%2 == 0 {
				return i * 1000
			}
			return i
		})
		stream.From(env, src, ws, stream.Parallelism(1)).Each(func(r stream.Rec[int64]) error {
			which := int64(0)
			if r.V%1000 != 0 {
				which = 1
			}
			newest[which] = max(newest[which], r.V)
			if newest[1] > 0 && newest[1] < 1990 {
				lead = max(lead, newest[0]-newest[1])
			}
			return nil
		})
	})
	run(t, prog, streamtest.Options{})
	if newest[0] != 1998*1000 || newest[1] != 1999 {
		t.Errorf("came to %v", newest)
	}
	// 200 ms between watermarks and 100 ms between announcements, at 100 records
	// of a second of event time each.
	if lead > 60_000 {
		t.Errorf("a split was %d ms ahead", lead)
	}
}
