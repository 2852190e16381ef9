// ClickSessions counts clicks by session: a session ends after ten minutes without
// a click. A click that comes late may lie between two sessions that were told
// already; then they are one, which is told again.
//
//	ClickSessions [--lateness 45min]
package main

import (
	"fmt"
	"time"

	"goflink/stream"
)

const gap = 10 * time.Minute

// Click is a user's click at a minute of the day.
type Click struct {
	User   string
	Minute int64
}

var input = []Click{
	{"ann", 0}, {"ann", 4}, {"bob", 5},
	{"ann", 20}, {"bob", 35}, // the first sessions of both are over
	{"ann", 50}, // and their second ones
	{"ann", 12}, // late: from minute 0 to 30 ann's clicks are one session
	{"bob", 70},
	{"bob", 1}, // too late: bob's first session is forgotten
}

// Session is how many clicks a user made in which time.
type Session struct {
	User       string
	Start, End int64 // minutes
	Clicks     int64
}

// String is the line that is written.
func (s Session) String() string {
	return fmt.Sprintf("%s: %d clicks in minutes %d to %d", s.User, s.Clicks, s.Start, s.End)
}

func build(env *stream.Env) error {
	lateness, err := env.Params().Duration("lateness", 45*time.Minute)
	if err != nil {
		return err
	}
	order := stream.ForGenerator(func() stream.WatermarkGenerator[Click] { return eager{} }).
		WithTimestamps(func(c Click) int64 { return c.Minute * time.Minute.Milliseconds() })
	clicks := stream.From(env, stream.SliceSource(input), order, stream.Parallelism(1))
	tooLate := stream.NewTag[Click]("too-late")
	sessions := stream.Count(stream.KeyBy(clicks, func(c Click) string { return c.User }).
		Window(stream.Session(gap)).AllowedLateness(lateness).LateTo(tooLate), stream.UID("sessions"))
	stream.Map(sessions, func(p stream.Pane[string, int64]) Session {
		m := time.Minute.Milliseconds()
		return Session{p.Key, p.Start / m, p.End / m, p.Value}
	}).Print()
	stream.PrintAs(stream.Side(sessions, tooLate), "too late")
	return nil
}

// eager emits a watermark behind each click, so that the few of this example are
// late at once.
type eager struct{}

// OnEvent tells that nothing earlier is expected.
func (eager) OnEvent(_ *Click, ts int64, out *stream.WatermarkOutput) { out.Emit(ts - 1) }

// OnPeriodic has nothing to add.
func (eager) OnPeriodic(*stream.WatermarkOutput) {}

func main() { stream.Main("ClickSessions", build) }
