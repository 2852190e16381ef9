// Command misbehave is the test job that harms itself: with --how panic it
// panics, with --how allocate it takes memory without end, with --how fail it
// returns an error, after --after records.
package main

import (
	"errors"
	"time"

	"goflink/stream"
)

func main() { stream.Main("Misbehave", build) }

// hoard keeps what was allocated reachable.
var hoard [][]byte

func build(env *stream.Env) error {
	p := env.Params()
	how := p.Get("how", "panic")
	after, err := p.Int64("after", 100)
	if err != nil {
		return err
	}
	numbers := stream.Generate(env, 1<<40, 1000, func(i int64) int64 { return i }, stream.UID("numbers"))
	harmed := stream.TryMap(numbers, func(i int64) (int64, error) {
		if i < after {
			return i, nil
		}
		switch how {
		case "panic":
			panic("the job misbehaves as told")
		case "fail":
			return 0, errors.New("the job fails as told")
		}
		for begin := time.Now(); how == "allocate" && time.Since(begin) < time.Minute; {
			block := make([]byte, 8<<20)
			for i := range block {
				block[i] = 1
			}
			hoard = append(hoard, block)
		}
		return i, nil
	}, stream.Name("Harm"))
	harmed.Discard()
	return nil
}
