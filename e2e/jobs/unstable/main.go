// Command unstable is the test job whose build is not reproducible: its graph
// depends on the clock, unless --once is given, which takes the clock's value
// through stream.Once.
package main

import (
	"fmt"
	"time"

	"goflink/stream"
)

func main() { stream.Main("Unstable", build) }

func build(env *stream.Env) error {
	now := func() (int64, error) { return time.Now().UnixNano(), nil }
	var stamp int64
	if env.Params().Has("once") {
		stamp = stream.Once(env, "stamp", now)
	} else {
		stamp, _ = now()
	}
	numbers := stream.Sequence(env, 1, 10, stream.UID(fmt.Sprintf("numbers-%d", stamp)))
	stream.PrintAs(numbers, "number")
	return nil
}
