package main

import (
	"encoding/hex"

	"goflink/stream"
)

// largeState fills a state of a value for each key, and then goes on to change a
// tenth of the keys.
func largeState(env *stream.Env) error {
	c, err := arguments(env.Params())
	if err != nil {
		return err
	}
	size, err := env.Params().Int64("bytes", 1000)
	if err != nil {
		return err
	}
	keys := stream.Generate(env, -1, c.speed, func(i int64) int64 {
		if uint64(i) < c.keys {
			return i
		}
		return int64(mix(uint64(i)) % (c.keys / 10) * 10)
	}, stream.UID("keys"))
	counts := stream.Run(stream.KeyBy(keys, func(k int64) int64 { return k }), func(s *stream.Setup[int64]) *filler {
		return &filler{state: stream.NewValue[filled](s, "filled"), size: int(size)}
	}, stream.UID("filler"))
	counts.Discard()
	return nil
}

// filled is the value of a key: a count, and text that does not compress to
// nothing.
type filled struct {
	N    int64
	Text string
}

type filler struct {
	state stream.Value[filled]
	size  int
}

// OnRecord counts.
func (f *filler) OnRecord(ctx *stream.Ctx[int64], _ int64, out *stream.Out[count]) error {
	v, ok := f.state.Get()
	if !ok {
		v.Text = text(uint64(ctx.Key), f.size)
	}
	v.N++
	f.state.Set(v)
	out.Emit(count{ctx.Key, v.N})
	return nil
}

// text is hexadecimal digits that follow from a key.
func text(key uint64, size int) string {
	var raw []byte
	for len(raw)*2 < size {
		key = mix(key)
		for i := range 8 {
			raw = append(raw, byte(key>>(8*i)))
		}
	}
	return hex.EncodeToString(raw)[:size]
}
