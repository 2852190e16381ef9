package main

import (
	"encoding/json"
	"fmt"
	"math/bits"
	"os"
	"time"

	"goflink/stream"
)

// born is a record that knows when it was made, in nanoseconds of the process's
// clock: source and sink run in one process.
type born struct {
	Key int64
	At  int64
}

var start = time.Now()

// latency measures the way from the source through an exchange by key to the
// sink.
func latency(env *stream.Env) error {
	c, err := arguments(env.Params())
	if err != nil {
		return err
	}
	if c.report == "" {
		return fmt.Errorf("--report FILE is missing")
	}
	src := stream.Generate(env, -1, c.speed, func(i int64) born {
		return born{int64(mix(uint64(i)) % c.keys), int64(time.Since(start))}
	}, stream.UID("records"))
	counts := stream.Run(stream.KeyBy(src, func(b born) int64 { return b.Key }), newPass, stream.UID("pass"))
	stream.SinkTo(counts, func(s *stream.Setup[stream.NoKey]) *latencies {
		return &latencies{file: fmt.Sprintf("%s.%d", c.report, s.Subtask())}
	}, stream.UID("latencies"))
	return nil
}

// pass touches state for each record, as a job would.
type pass struct{ n stream.Value[int64] }

func newPass(s *stream.Setup[int64]) *pass { return &pass{stream.NewValue[int64](s, "count")} }

// OnRecord counts and hands on.
func (p *pass) OnRecord(_ *stream.Ctx[int64], v born, out *stream.Out[born]) error {
	n, _ := p.n.Ptr()
	*n++
	out.Emit(v)
	return nil
}

// subBits is how many buckets a power of two has: 32, so 3 % wide.
const subBits = 5

// latencies is a histogram with buckets of equal relative width, written to a
// file each second: the count of each bucket, by its lower bound in nanoseconds.
type latencies struct {
	file    string
	buckets [64 << subBits]int64
	next    time.Duration
}

// Write counts a record.
func (l *latencies) Write(r stream.Rec[born]) error {
	now := time.Since(start)
	l.buckets[bucket(uint64(max(1, int64(now)-r.V.At)))]++
	if now < l.next {
		return nil
	}
	l.next = now + time.Second
	return l.save()
}

func bucket(ns uint64) int {
	e := bits.Len64(ns) - 1
	if e < subBits {
		return int(ns)
	}
	return (e-subBits+1)<<subBits | int(ns>>(e-subBits))&(1<<subBits-1)
}

func lowerBound(b int) uint64 {
	e := b >> subBits
	if e == 0 {
		return uint64(b)
	}
	return (1<<subBits | uint64(b)&(1<<subBits-1)) << (e - 1)
}

func (l *latencies) save() error {
	counts := map[uint64]int64{}
	for b, n := range l.buckets {
		if n > 0 {
			counts[lowerBound(b)] = n
		}
	}
	data, err := json.Marshal(counts)
	if err == nil {
		err = os.WriteFile(l.file+".tmp", data, 0o644)
	}
	if err == nil {
		err = os.Rename(l.file+".tmp", l.file)
	}
	return err
}
