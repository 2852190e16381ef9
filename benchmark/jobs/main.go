// Command jobs holds the programs that benchmark/engine measures; -c picks one.
// Each has a twin in benchmark/flink/jobs that does the same on Flink: record i
// of all subtasks together has the key mix(i) mod keys and the event time
// i*1000/rate milliseconds, and what comes out is thrown away.
package main

import (
	"fmt"
	"time"

	"goflink/stream"
)

func main() {
	stream.Register("WindowedCount", windowed(func(c *settings) stream.Assigner { return stream.Tumbling(c.window) }))
	stream.Register("SlidingCount", windowed(func(c *settings) stream.Assigner { return stream.Sliding(c.window, c.slide) }))
	stream.Register("SessionCount", windowed(func(c *settings) stream.Assigner { return stream.Session(c.gap) }))
	stream.Register("IntervalJoin", intervalJoin)
	stream.Register("KeyedCount", keyedCount)
	stream.Register("LargeState", largeState)
	stream.Register("Latency", latency)
	stream.Register("Shuffle", shuffle)
	stream.Start()
}

// settings are the arguments that the programs share.
type settings struct {
	keys  uint64
	rate  int64   // events per second of event time
	speed float64 // events per second of processing time; 0: as fast as it goes
	// of windows
	window, slide, gap, within time.Duration
	report                     string // file for measured latencies
}

func arguments(p *stream.Params) (*settings, error) {
	keys, err1 := p.Int64("keys", 100_000)
	rate, err2 := p.Int64("rate", 1_000_000)
	speed, err3 := p.Float("speed", 0)
	window, err4 := p.Int64("window-ms", 1000)
	slide, err5 := p.Int64("slide-ms", 1000)
	gap, err6 := p.Int64("gap-ms", 200)
	within, err7 := p.Int64("within-ms", 50)
	for _, err := range []error{err1, err2, err3, err4, err5, err6, err7} {
		if err != nil {
			return nil, err
		}
	}
	if keys < 1 || rate < 1 {
		return nil, fmt.Errorf("--keys %d and --rate %d must be positive", keys, rate)
	}
	ms := func(n int64) time.Duration { return time.Duration(n) * time.Millisecond }
	return &settings{keys: uint64(keys), rate: rate, speed: speed, window: ms(window), slide: ms(slide), gap: ms(gap), within: ms(within), report: p.Get("report", "")}, nil
}

// mix is the finaliser of splitmix64: neighbours become unlike each other.
func mix(z uint64) uint64 {
	z += 0x9E3779B97F4A7C15
	z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9
	z = (z ^ (z >> 27)) * 0x94D049BB133111EB
	return z ^ (z >> 31)
}

type event struct {
	Key  int64
	Time int64
}

// drift is how far a source may be ahead of the slowest: without a bound, windows
// that wait for the other source would be what is measured.
const drift = 500 * time.Millisecond

func events(env *stream.Env, c *settings) stream.Stream[event] {
	src := stream.GeneratorSource(-1, c.speed, func(i int64) event {
		return event{Key: int64(mix(uint64(i)) % c.keys), Time: i * 1000 / c.rate}
	})
	ws := stream.BoundedOutOfOrderness[event](time.Second).WithTimestamps(func(e event) int64 { return e.Time }).
		WithAlignment("events", drift, drift/20)
	return stream.From(env, src, ws, stream.UID("events"))
}

func byKey(s stream.Stream[event]) stream.Keyed[int64, event] {
	return stream.KeyBy(s, func(e event) int64 { return e.Key })
}

// windowed counts by key in windows.
func windowed(assigner func(c *settings) stream.Assigner) func(env *stream.Env) error {
	return func(env *stream.Env) error {
		c, err := arguments(env.Params())
		if err != nil {
			return err
		}
		stream.Count(byKey(events(env, c)).Window(assigner(c)), stream.UID("counts")).Discard()
		return nil
	}
}

// intervalJoin pairs the events that have the same key and are close in time. Both
// inputs come of one source: two would drift apart, and the state would grow with
// that.
func intervalJoin(env *stream.Env) error {
	c, err := arguments(env.Params())
	if err != nil {
		return err
	}
	all := byKey(events(env, c))
	pairs := stream.IntervalJoin(stream.ConnectKeyed(all, all).Between(-c.within, c.within), func(p stream.Pair[int64], a, b event, out *stream.Out[event]) error {
		out.Emit(event{p.Key, a.Time - b.Time})
		return nil
	}, stream.UID("pairs"))
	pairs.Discard()
	return nil
}

// keyedCount emits the running count of each key.
func keyedCount(env *stream.Env) error {
	c, err := arguments(env.Params())
	if err != nil {
		return err
	}
	keys := stream.Generate(env, -1, c.speed, func(i int64) int64 { return int64(mix(uint64(i)) % c.keys) }, stream.UID("keys"))
	counts := stream.Run(stream.KeyBy(keys, func(k int64) int64 { return k }), newCounter, stream.UID("counter"))
	counts.Discard()
	return nil
}

type count struct{ Key, N int64 }

type counter struct{ n stream.Value[int64] }

func newCounter(s *stream.Setup[int64]) *counter { return &counter{stream.NewValue[int64](s, "count")} }

// OnRecord adds one to the key's count.
func (c *counter) OnRecord(ctx *stream.Ctx[int64], _ int64, out *stream.Out[count]) error {
	n, _ := c.n.Ptr()
	*n++
	out.Emit(count{ctx.Key, *n})
	return nil
}

type wide struct {
	A, B int64
	C    float64
	D    string
}

// shuffle sends records to other processes and drops them there.
func shuffle(env *stream.Env) error {
	if _, err := arguments(env.Params()); err != nil {
		return err
	}
	src := stream.Generate(env, -1, 0, func(i int64) wide { return wide{i, i * 31, float64(i) / 3, "sixteen bytes it"} }, stream.UID("records"))
	src.Rebalance().Discard()
	return nil
}
