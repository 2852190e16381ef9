package stream_test

import (
	"fmt"
	"strings"
	"testing"

	"goflink/metrics"
	"goflink/stream"
	"goflink/stream/streamtest"
)

// tallying counts what it sees.
type tallying struct {
	seen  interface{ Add(int64) }
	least interface{ Add(int64) }
	mean  interface{ Add(float64) }
	sizes interface{ Add(int64) }
	names interface{ Add(string) }
}

func newTallying(s *stream.Setup[stream.NoKey]) *tallying {
	g := s.Metrics().Group("mine")
	g.Gauge("size", metrics.IntGauge(func() int64 { return 1 }))
	g.Meter("rate", g.Counter("n"))
	return &tallying{s.LongCounter("seen"), s.LongMinimum("least"), s.AverageAccumulator("mean"), s.HistogramAccumulator("sizes"), s.ListAccumulator("names")}
}

func (c *tallying) OnRecord(_ *stream.Ctx[stream.NoKey], n int64, out *stream.Out[int64]) error {
	c.seen.Add(1)
	c.least.Add(n)
	c.mean.Add(float64(n))
	c.sizes.Add(n % 2)
	if n == 7 {
		c.names.Add("seven")
	}
	out.Emit(n)
	return nil
}

func TestAccumulators(t *testing.T) {
	prog := program(t, func(env *stream.Env) {
		s := stream.Sequence(env, 1, 10, stream.Parallelism(1)).Rebalance()
		a := stream.Process(s, newTallying, stream.Parallelism(3), stream.UID("a"))
		stream.Process(a, newTallying, stream.Parallelism(3), stream.UID("b")).Discard(stream.Parallelism(3)) // chained: the same accumulators
	})
	c, err := streamtest.New(prog, streamtest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Run(); err != nil {
		t.Fatal(err)
	}
	got, err := c.Accumulators()
	if err != nil {
		t.Fatal(err)
	}
	if s := fmt.Sprint(got); s != "map[least:1 mean:5.5 names:[seven seven] seen:20 sizes:map[0:10 1:10]]" {
		t.Errorf("got %s", s)
	}
}

func TestAccumulatorConflict(t *testing.T) {
	env := stream.NewEnv(stream.Settings{Planning: true})
	s := stream.Process(stream.Sequence(env, 1, 2), newTallying)
	stream.Process(s, func(s *stream.Setup[stream.NoKey]) *tallying {
		s.DoubleCounter("seen")
		return newTallying(s)
	}, stream.Name("other"))
	err := env.Err()
	if err == nil || !strings.Contains(err.Error(), `operator "other": the accumulator "seen" is LongCounter, and now DoubleCounter`) || !strings.Contains(err.Error(), "accumulators_test.go:") {
		t.Errorf("got %v", err)
	}
}
