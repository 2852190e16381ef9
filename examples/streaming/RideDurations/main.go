// RideDurations tells how long rides took, from their START and END events, and
// which ones take longer than two hours.
//
//	RideDurations [--input PATH]…
//
// Lines are "ride,START|END,time in ms". Events of a ride may come in any order; a
// ride may begin again, and the timer of an earlier START must neither report nor
// clear a later one.
package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"goflink/stream"
)

const limit = 2 * time.Hour

// Event is the start or the end of a ride.
type Event struct {
	Ride  string
	Start bool
	At    int64 // ms
}

var input = []Event{
	{"a", true, minutes(0)},
	{"b", true, minutes(5)},
	{"a", false, minutes(30)},
	{"a", true, minutes(60)},  // its second ride
	{"e", true, minutes(140)}, // now the timers of minute 120 (the first ride of a) and 125 (b) are due
	{"e", false, minutes(145)},
	{"b", false, minutes(150)},
	{"a", false, minutes(170)},
	{"c", false, minutes(171)}, // END before START
	{"c", true, minutes(165)},
	{"d", true, minutes(180)}, // never ends
}

func minutes(n int64) int64 { return n * time.Minute.Milliseconds() }

func parse(line string, out *stream.Out[Event]) error {
	f := strings.Split(line, ",")
	if len(f) != 3 || f[1] != "START" && f[1] != "END" {
		return fmt.Errorf("line %q: want ride,START|END,time", line)
	}
	at, err := strconv.ParseInt(f[2], 10, 64)
	if err != nil {
		return fmt.Errorf("line %q: %w", line, err)
	}
	out.Emit(Event{f[0], f[1] == "START", at})
	return nil
}

// Durations remembers the event of each ride that waits for its counterpart.
type Durations struct{ open stream.Value[Event] }

// NewDurations declares the state.
func NewDurations(s *stream.Setup[string]) *Durations {
	return &Durations{stream.NewValue[Event](s, "open")}
}

// OnRecord pairs an event with the one that waits.
func (d *Durations) OnRecord(ctx *stream.Ctx[string], e Event, out *stream.Out[string]) error {
	if other, ok := d.open.Get(); ok && other.Start != e.Start {
		took := time.Duration(max(e.At-other.At, other.At-e.At)) * time.Millisecond
		out.Emit(fmt.Sprintf("%s took %s", e.Ride, took))
		d.open.Clear() // its timer stays, and finds nothing or a later START
		return nil
	}
	d.open.Set(e)
	if e.Start {
		ctx.TimerAt(e.At + limit.Milliseconds())
	}
	return nil
}

// OnTimer reports a ride that is still open, if the timer is that of its START.
func (d *Durations) OnTimer(ctx *stream.Ctx[string], out *stream.Out[string]) error {
	if e, ok := d.open.Get(); ok && e.Start && e.At+limit.Milliseconds() == ctx.Time {
		out.Emit(fmt.Sprintf("%s takes longer than %s", ctx.Key, limit))
	}
	return nil
}

// order expects events up to ten minutes late, and tells so with each event rather
// than now and then: the few of the example come all at once.
type order struct{ latest int64 }

// OnEvent tells what is not expected any more.
func (o *order) OnEvent(_ *Event, ts int64, out *stream.WatermarkOutput) {
	o.latest = max(o.latest, ts)
	out.Emit(o.latest - minutes(10) - 1)
}

// OnPeriodic has nothing to add.
func (*order) OnPeriodic(*stream.WatermarkOutput) {}

func build(env *stream.Env) error {
	p := env.Params()
	disorder := stream.ForGenerator(func() stream.WatermarkGenerator[Event] { return &order{} }).WithTimestamps(func(e Event) int64 { return e.At })
	var events stream.Stream[Event]
	if p.Has("input") {
		lines := stream.TextFiles(env, p.All("input"))
		events = stream.AssignTimestamps(stream.FlatMap(lines, parse, stream.Name("parse")), disorder)
	} else {
		env.Printf("Executing example with default input data.\nUse --input to specify file input.\n")
		events = stream.From(env, stream.SliceSource(input), disorder)
	}
	rides := stream.KeyBy(events, func(e Event) string { return e.Ride })
	stream.Run(rides, NewDurations, stream.Name("durations"), stream.UID("durations")).Print()
	return nil
}

func main() { stream.Main("RideDurations", build) }
