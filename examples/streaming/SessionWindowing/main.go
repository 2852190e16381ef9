// SessionWindowing sums up a few built-in events by sessions with a gap of three
// milliseconds.
//
//	SessionWindowing [--output PATH]
package main

import (
	"fmt"
	"time"

	"goflink/stream"
)

// Event is a key, its time and a number.
type Event struct {
	ID string
	At int64
	N  int
}

// String is the line that is written.
func (e Event) String() string { return fmt.Sprintf("(%s,%d,%d)", e.ID, e.At, e.N) }

var input = []Event{
	{"a", 1, 1},
	{"b", 1, 1},
	{"b", 3, 1},
	{"b", 5, 1},
	{"c", 6, 1},
	{"a", 10, 1}, // the first session of a is over
	{"c", 11, 1}, // those of b and c too
}

func build(env *stream.Env) error {
	env.SetName("Flink Streaming Job")
	p := env.Params()
	source := stream.From(env, stream.SliceSource(input),
		stream.Monotonous[Event]().WithTimestamps(func(e Event) int64 { return e.At }), stream.Name("Collection Source"))
	sessions := stream.KeyBy(source, func(e Event) string { return e.ID }).Window(stream.Session(3 * time.Millisecond))
	sums := stream.Sum(sessions, func(e *Event) *int { return &e.N }, stream.UID("sessions"))
	if !p.Has("output") {
		env.Printf("Printing result to stdout. Use --output to specify output path.\n")
		sums.Print()
		return nil
	}
	stream.ToFiles(sums, stream.FileSink[Event]{Path: p.Get("output", ""), RollSize: 1 << 20, RollInterval: 10 * time.Second},
		stream.Name("file-sink"), stream.UID("file-sink"))
	return nil
}

func main() { stream.Main("SessionWindowing", build) }
