// Command windowed is the test job whose output does not depend on what
// happens to it: a generator of numbered events, counted and summed by key in
// windows of one second of event time, written to files exactly once.
package main

import (
	"strconv"
	"time"

	"goflink/stream"
)

func main() { stream.Main("Windowed", build) }

// event is record i: its key and time follow from i.
type event struct {
	Key  int64
	Time int64
	N    int64
}

type total struct {
	Count, Sum int64
}

type totals struct{}

func (totals) New() total                 { return total{} }
func (totals) Add(a total, e event) total { return total{a.Count + 1, a.Sum + e.N} }
func (totals) Merge(a, b total) total     { return total{a.Count + b.Count, a.Sum + b.Sum} }
func (totals) Result(a total) total       { return a }
func line(dst []byte, p stream.Pane[int64, total]) []byte {
	for _, n := range []int64{p.Key, p.Start, p.Value.Count} {
		dst = append(strconv.AppendInt(dst, n, 10), ' ')
	}
	return append(strconv.AppendInt(dst, p.Value.Sum, 10), '\n')
}

func build(env *stream.Env) error {
	p := env.Params()
	records, err := p.Int64("records", 100_000)
	if err != nil {
		return err
	}
	rate, err := p.Float("rate", 0)
	if err != nil {
		return err
	}
	keys, err := p.Int64("keys", 100)
	if err != nil {
		return err
	}
	source := stream.GeneratorSource(records, rate, func(i int64) event {
		return event{Key: i * 7919 % keys, Time: i * 2, N: i}
	})
	events := stream.From(env, source, stream.Monotonous[event]().WithTimestamps(func(e event) int64 { return e.Time }), stream.UID("events"))
	byKey := stream.KeyBy(events, func(e event) int64 { return e.Key })
	panes := stream.Aggregate(byKey.Window(stream.Tumbling(time.Second)), totals{}, stream.UID("totals"))
	stream.ToFiles(panes, stream.FileSink[stream.Pane[int64, total]]{Path: p.Get("output", "windowed-out"), Encode: line}, stream.UID("files"))
	return nil
}
