// TopSpeedWindowing tells, whenever a car has driven 50 m, its highest speed of
// the last ten seconds.
//
//	TopSpeedWindowing [--input PATH]… [--output PATH] [--discovery-interval 10s] [--execution-mode STREAMING]
//
// Input files have lines "(car,speed,distance,time)"; without --input two cars are
// made up, ten records a second, without end.
package main

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"goflink/stream"
)

const (
	evictAfter    = 10 * time.Second
	triggerMeters = 50
	cars          = 2
	perSecond     = 10
)

// Car is what a car reports.
type Car struct {
	ID       int
	Speed    int     // km/h
	Distance float64 // m
	Time     int64   // ms
}

// String is the line that is written.
func (c Car) String() string {
	d := strconv.FormatFloat(c.Distance, 'f', -1, 64)
	if !strings.Contains(d, ".") {
		d += ".0"
	}
	return fmt.Sprintf("(%d,%d,%s,%d)", c.ID, c.Speed, d, c.Time)
}

// parse reads a line as String writes it.
func parse(line string) (Car, error) {
	f := strings.Split(strings.Trim(strings.TrimSpace(line), "()"), ",")
	if len(f) != 4 {
		return Car{}, fmt.Errorf("line %q: want (car,speed,distance,time)", line)
	}
	var c Car
	if _, err := fmt.Sscan(strings.Join(f, " "), &c.ID, &c.Speed, &c.Distance, &c.Time); err != nil {
		return Car{}, fmt.Errorf("line %q: %w", line, err)
	}
	return c, nil
}

// newGenerator makes up the drive of some cars, one after the other.
func newGenerator() func(i int64) Car {
	speeds, distances := [cars]int{}, [cars]float64{}
	for i := range speeds {
		speeds[i] = 50
	}
	return func(i int64) Car {
		id := int(i % cars)
		if rand.IntN(2) == 0 {
			speeds[id] = min(100, speeds[id]+5)
		} else {
			speeds[id] = max(0, speeds[id]-5)
		}
		distances[id] += float64(speeds[id]) / 3.6
		return Car{id, speeds[id], distances[id], time.Now().UnixMilli()}
	}
}

func read(env *stream.Env, p *stream.Params) (stream.Stream[Car], error) {
	if !p.Has("input") {
		env.Printf("Executing example with default input data.\nUse --input to specify file input.\n")
		src := stream.StatefulGeneratorSource(-1, perSecond, newGenerator)
		return stream.From(env, src, stream.NoWatermarks[Car](), stream.Name("Car data generator source")), nil
	}
	every, err := p.Duration("discovery-interval", 0)
	src := stream.TextSource(stream.FileOptions{Paths: p.All("input"), Discover: every})
	lines := stream.From(env, src, stream.NoWatermarks[string](), stream.Name("file-input"))
	return stream.TryMap(lines, parse, stream.Name("parse-input")), err
}

func build(env *stream.Env) error {
	env.SetName("CarTopSpeedWindowingExample")
	p := env.Params()
	if mode := p.Get("execution-mode", ""); mode != "" {
		env.Configure("execution.runtime-mode", strings.ToUpper(mode))
	}
	data, err := read(env, p)
	if err != nil {
		return err
	}
	timed := stream.AssignTimestamps(data, stream.Monotonous[Car]().WithTimestamps(func(c Car) int64 { return c.Time }))
	window := stream.KeyBy(timed, func(c Car) int { return c.ID }).Window(stream.Global()).
		Evict(stream.TimeEvictor[Car](evictAfter)).
		Trigger(stream.DeltaTrigger(triggerMeters, func(old, next Car) float64 { return next.Distance - old.Distance }))
	top := stream.MaxBy(window, func(c *Car) *int { return &c.Speed }, stream.UID("top-speed"))
	if !p.Has("output") {
		env.Printf("Printing result to stdout. Use --output to specify output path.\n")
		top.Print()
		return nil
	}
	stream.ToFiles(top, stream.FileSink[Car]{Path: p.Get("output", ""), RollSize: 1 << 20, RollInterval: 10 * time.Second},
		stream.Name("file-sink"), stream.UID("file-sink"))
	return nil
}

func main() { stream.Main("TopSpeedWindowing", build) }
