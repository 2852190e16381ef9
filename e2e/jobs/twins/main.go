// Command twins is the test job of two pipelines that have nothing to do with
// each other: numbers, counted by key, to files exactly once. The left one fails
// a number of times on its way; --marks is a folder that remembers how often, and
// where each task of the counts notes its starts.
package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"goflink/stream"
)

func main() { stream.Main("Twins", build) }

type result struct{ Key, Count int64 }

// counter counts by key and fails at some records.
type counter struct {
	n     stream.Value[int64]
	seen  int64
	fails func(seen int64) error
}

func (c *counter) OnRecord(ctx *stream.Ctx[int64], v int64, out *stream.Out[result]) error {
	c.seen++
	if err := c.fails(c.seen); err != nil {
		return err
	}
	n, _ := c.n.Get()
	n++
	c.n.Set(n)
	out.Emit(result{ctx.Key, n})
	return nil
}

func line(dst []byte, r result) []byte {
	dst = append(strconv.AppendInt(dst, r.Key, 10), ' ')
	return append(strconv.AppendInt(dst, r.Count, 10), '\n')
}

func build(env *stream.Env) error {
	p := env.Params()
	records, err := p.Int64("records", 20_000)
	if err != nil {
		return err
	}
	rate, err := p.Float("rate", 4000)
	if err != nil {
		return err
	}
	failures, err := p.Int64("failures", 3)
	if err != nil {
		return err
	}
	marks, output := p.Get("marks", "."), p.Get("output", "twins-out")
	for _, side := range []string{"left", "right"} {
		fails := func(int64) error { return nil }
		if side == "left" {
			fails = func(seen int64) error { return failAt(marks, seen, failures, records/20) }
		}
		numbers := stream.Generate(env, records, rate, func(i int64) int64 { return i }, stream.UID(side+"-numbers"))
		counts := stream.Run(stream.KeyBy(numbers, func(v int64) int64 { return v % 100 }), func(s *stream.Setup[int64]) *counter {
			if err := note(marks, fmt.Sprintf("%s-%d-started-%d", side, s.Subtask(), s.Attempt())); err != nil {
				panic(err)
			}
			return &counter{n: stream.NewValue[int64](s, "n"), fails: fails}
		}, stream.UID(side+"-counts"), stream.Name(side+" counts"))
		stream.ToFiles(counts, stream.FileSink[result]{Path: filepath.Join(output, side), Encode: line}, stream.UID(side+"-files"))
	}
	return nil
}

// failAt fails a task that has seen so many records since it started, unless it
// happened often enough before.
func failAt(marks string, seen, failures, every int64) error {
	if seen != every {
		return nil
	}
	for i := range failures {
		f, err := os.OpenFile(filepath.Join(marks, fmt.Sprintf("failure-%d", i)), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if err == nil {
			return errors.Join(fmt.Errorf("failure %d on purpose", i), f.Close())
		}
		if !errors.Is(err, os.ErrExist) {
			return err
		}
	}
	return nil
}

func note(dir, name string) error { return os.WriteFile(filepath.Join(dir, name), nil, 0o600) }
