// SkewedCounts counts words by the minute where nearly all are the same one. In a
// single step that word would keep one subtask busy and leave the others idle, so
// it counts in two: by word and salt, spread over all subtasks, then by word.
//
//	SkewedCounts [--words 100000] [--salts 8]
package main

import (
	"fmt"
	"time"

	"goflink/stream"
)

// Word is a word, the share of its occurrences it belongs to, and when it came.
type Word struct {
	Text string
	Salt int
	At   int64 // ms
}

// salted is the key of the first step.
type salted struct {
	Text string
	Salt int
}

// word makes up the i-th word: nine of ten are "the", a minute for each thousand.
func word(i int64) Word {
	text := "the"
	if i%10 == 0 {
		text = []string{"quick", "brown", "fox"}[i/10%3]
	}
	return Word{Text: text, At: i * time.Minute.Milliseconds() / 1000}
}

func build(env *stream.Env) error {
	p := env.Params()
	n, err := p.Int64("words", 100_000)
	if err != nil {
		return err
	}
	salts, err := p.Int("salts", 8)
	if err != nil {
		return err
	}
	if salts < 1 {
		return fmt.Errorf("argument --salts: %d is below 1", salts)
	}
	order := stream.Monotonous[Word]().WithTimestamps(func(w Word) int64 { return w.At })
	words := stream.From(env, stream.GeneratorSource(n, 0, func(i int64) Word {
		w := word(i)
		w.Salt = int(i) % salts // round robin: no chance, so that a replay salts the same
		return w
	}), order, stream.Name("words"))
	minute := stream.Tumbling(time.Minute)
	parts := stream.Count(stream.KeyBy(words, func(w Word) salted { return salted{w.Text, w.Salt} }).Window(minute), stream.UID("parts"))
	// The parts have the time of their window's end, and fall into the same window again.
	totals := stream.Aggregate(stream.KeyBy(parts, func(c stream.Pane[salted, int64]) string { return c.Key.Text }).Window(minute), sum{}, stream.UID("totals"))
	stream.Map(totals, func(c stream.Pane[string, int64]) string {
		return fmt.Sprintf("minute %d: %s %d", c.Start/time.Minute.Milliseconds(), c.Key, c.Value)
	}).Print()
	return nil
}

// sum adds up the parts.
type sum struct{}

func (sum) New() int64                                        { return 0 }
func (sum) Add(acc int64, c stream.Pane[salted, int64]) int64 { return acc + c.Value }
func (sum) Merge(a, b int64) int64                            { return a + b }
func (sum) Result(acc int64) int64                            { return acc }

func main() { stream.Main("SkewedCounts", build) }
