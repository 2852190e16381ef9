package stream

import (
	"fmt"
	"math"
	"time"

	"github.com/cockroachdb/datadriven"
)

// scriptCoGroup groups the inputs by key and window, or joins them ("join"):
// kind=tumbling, sliding, session or global, with size, slide, gap, lateness and
// count (a trigger) and evict (an evictor).
func scriptCoGroup(d *datadriven.TestData, r *twoRig, a, b Stream[token]) {
	num := func(key string) int64 {
		for _, arg := range d.CmdArgs {
			if arg.Key == key {
				n, _ := time.ParseDuration(arg.Vals[0] + "ms")
				return n.Milliseconds()
			}
		}
		return 0
	}
	ms := func(key string) time.Duration { return time.Duration(num(key)) * time.Millisecond }
	var as Assigner
	switch d.CmdArgs[0].Vals[0] {
	case "tumbling":
		as = Tumbling(ms("size"))
	case "sliding":
		as = Sliding(ms("size"), ms("slide"))
	case "session":
		as = Session(ms("gap"))
	default:
		as = Global()
	}
	if d.HasArg("clock") {
		as = as.ProcessingTime()
	}
	w := ConnectKeyed(KeyBy(a, tokenKey), KeyBy(b, tokenKey)).Window(as).AllowedLateness(ms("lateness"))
	if n := num("count"); n > 0 {
		w = w.Trigger(CountTrigger[Either[token, token]](n))
	}
	if n := num("evict"); n > 0 {
		w = w.Evict(CountEvictor[Either[token, token]](n))
	}
	late := NewTag[Either[token, token]]("late")
	if d.HasArg("late") {
		w = w.LateTo(late)
	}
	var s Stream[string]
	if d.HasArg("join") {
		s = Join(w, func(a, b token) string { return fmt.Sprintf("%s %d/%d", a.Key, a.N, b.N) })
	} else {
		s = CoGroup(w, func(i WindowInfo[string], as, bs []token, out *Out[string]) error {
			out.Emit(fmt.Sprintf("%s %s %v %v", i.Key, spanText(i.Start, i.End), numbers(as), numbers(bs)))
			return nil
		})
	}
	show(r, s, "")
	if d.HasArg("late") {
		show(r, Side(s, late), "late ")
	}
}

func spanText(start, end int64) string {
	if start == math.MinInt64 {
		return "global"
	}
	return fmt.Sprintf("[%d,%d)", start, end)
}

func numbers(ts []token) (ns []int64) {
	for _, t := range ts {
		ns = append(ns, t.N)
	}
	return ns
}
