package stream_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"goflink/stream"
	"goflink/stream/streamtest"
)

// tick is a record, or a watermark of the script.
type tick struct {
	Key  string
	At   int64
	N    int64
	Mark bool
}

// scripted emits watermarks where the script has them, and only there.
type scripted struct{}

func (scripted) OnEvent(v *tick, ts int64, out *stream.WatermarkOutput) {
	if v.Mark {
		out.Emit(ts)
	}
}
func (scripted) OnPeriodic(*stream.WatermarkOutput) {}

type tickSum struct{}

func (tickSum) New() int64                  { return 0 }
func (tickSum) Add(acc int64, t tick) int64 { return acc + t.N }
func (tickSum) Merge(a, b int64) int64      { return a + b }
func (tickSum) Result(acc int64) int64      { return acc }

// TestWindowScripts runs testdata/windows: each case defines a window and lists
// records "KEY TIME VALUE" and watermarks "wm TIME"; the output is what the
// window emits, each line behind the event time of the emission, and late
// records. Output stands where it came among the input, which is repeated.
func TestWindowScripts(t *testing.T) {
	datadriven.RunTest(t, "testdata/windows", func(t *testing.T, d *datadriven.TestData) string {
		if d.Cmd != "window" {
			t.Fatalf("%s: unknown command %s", d.Pos, d.Cmd)
		}
		ticks, err := parseTicks(d.Input)
		if err != nil {
			t.Fatalf("%s: %v", d.Pos, err)
		}
		var out []string
		prog := program(t, func(env *stream.Env) { scriptJob(t, d, env, ticks, &out) })
		run(t, prog, streamtest.Options{Credit: 1 << 20})
		return strings.Join(out, "\n") + "\n"
	})
}

func parseTicks(input string) ([]tick, error) {
	var out []tick
	for line := range strings.Lines(input) {
		f := strings.Fields(line)
		if len(f) < 2 {
			return nil, fmt.Errorf("line %q", line)
		}
		ts, err := strconv.ParseInt(f[1], 10, 64)
		if err != nil {
			return nil, err
		}
		x := tick{Key: f[0], At: ts, Mark: f[0] == "wm"}
		if len(f) > 2 {
			if x.N, err = strconv.ParseInt(f[2], 10, 64); err != nil {
				return nil, err
			}
		}
		out = append(out, x)
	}
	return out, nil
}

func ms(t *testing.T, d *datadriven.TestData, key string) time.Duration {
	var n int
	d.MaybeScanArgs(t, key, &n)
	return time.Duration(n) * time.Millisecond
}

func scriptJob(t *testing.T, d *datadriven.TestData, env *stream.Env, ticks []tick, out *[]string) {
	ws := stream.ForGenerator(func() stream.WatermarkGenerator[tick] { return scripted{} }).
		WithTimestamps(func(t tick) int64 { return t.At })
	s := stream.From(env, stream.SliceSource(ticks), ws)
	s = s.Filter(func(t tick) bool {
		if t.Mark {
			*out = append(*out, fmt.Sprintf("wm %d", t.At))
		} else {
			*out = append(*out, fmt.Sprintf("%s %d %d", t.Key, t.At, t.N))
		}
		return !t.Mark
	})
	w := stream.KeyBy(s.Forward(), func(t tick) string { return t.Key }).Window(assigner(t, d)).AllowedLateness(ms(t, d, "lateness"))
	late := stream.NewTag[tick]("late")
	if d.HasArg("late") {
		w = w.LateTo(late)
	}
	w = triggered(t, d, w)
	var res stream.Stream[string]
	if d.HasArg("list") {
		res = stream.Apply(w, func(i stream.WindowInfo[string], vs []tick, out *stream.Out[string]) error {
			var ns []int64
			for _, v := range vs {
				ns = append(ns, v.N)
			}
			out.Emit(fmt.Sprintf("%s %s %v", i.Key, bounds(i.Start, i.End), ns))
			return nil
		})
	} else {
		agg := stream.Aggregate(w, tickSum{})
		res = stream.Map(agg, func(p stream.Pane[string, int64]) string {
			return fmt.Sprintf("%s %s %d", p.Key, bounds(p.Start, p.End), p.Value)
		})
		if d.HasArg("late") {
			stream.Side(agg, late).Each(func(r stream.Rec[tick]) error {
				*out = append(*out, fmt.Sprintf("    late %s %d %d", r.V.Key, r.V.At, r.V.N))
				return nil
			})
		}
	}
	res.Each(func(r stream.Rec[string]) error {
		*out = append(*out, fmt.Sprintf("    @%d %s", r.TS, r.V))
		return nil
	})
}

func bounds(start, end int64) string {
	if start == -1<<63 {
		return "global"
	}
	return fmt.Sprintf("[%d,%d)", start, end)
}

func assigner(t *testing.T, d *datadriven.TestData) stream.Assigner {
	var kind string
	d.ScanArgs(t, "kind", &kind)
	switch kind {
	case "tumbling":
		return stream.Tumbling(ms(t, d, "size")).Offset(ms(t, d, "offset"))
	case "sliding":
		return stream.Sliding(ms(t, d, "size"), ms(t, d, "slide"))
	case "session":
		return stream.Session(ms(t, d, "gap"))
	}
	return stream.Global()
}

func triggered(t *testing.T, d *datadriven.TestData, w stream.Windowed[string, tick]) stream.Windowed[string, tick] {
	if n := int64(ms(t, d, "count") / time.Millisecond); n > 0 {
		tr := stream.CountTrigger[tick](n)
		if d.HasArg("purge") {
			tr = stream.Purging(tr)
		}
		w = w.Trigger(tr)
	}
	if n := int64(ms(t, d, "delta") / time.Millisecond); n > 0 {
		w = w.Trigger(stream.DeltaTrigger(float64(n), func(a, b tick) float64 { return float64(b.N - a.N) }))
	}
	if step := ms(t, d, "continuous"); step > 0 {
		w = w.Trigger(stream.ContinuousEventTimeTrigger[tick](step))
	}
	if n := ms(t, d, "evict-time"); n > 0 {
		w = w.Evict(stream.TimeEvictor[tick](n))
	}
	if n := int64(ms(t, d, "evict-count") / time.Millisecond); n > 0 {
		w = w.Evict(stream.CountEvictor[tick](n))
	}
	return w
}
