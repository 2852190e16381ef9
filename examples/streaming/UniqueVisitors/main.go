// UniqueVisitors counts the views (PV) and the visitors (UV) of each page, by the
// hour. Whether a visitor was seen before is kept in a Bloom filter: its size is
// fixed however many come, at the price of a few who are not counted.
//
//	UniqueVisitors [--views 10000]
package main

import (
	"fmt"
	"hash/fnv"
	"time"

	"goflink/stream"
)

// View is a visit of a page.
type View struct {
	Page    string
	Visitor int64
	At      int64 // ms
}

// filterBits and filterHashes keep the share of visitors that are missed below
// 0.1 % for some thousands of visitors a page and hour (8 KiB of state).
const (
	filterBits   = 1 << 16
	filterHashes = 7
)

// Counts is what is kept of a page's hour.
type Counts struct {
	PV, UV int64
	Filter []uint64
}

// add takes a visit into account.
func (c *Counts) add(visitor int64) {
	c.PV++
	h := fnv.New64a()
	fmt.Fprint(h, visitor)
	sum := h.Sum64()
	step, known := sum>>33|1, true
	for range filterHashes { // double hashing
		bit := sum % filterBits
		known = known && c.Filter[bit/64]&(1<<(bit%64)) != 0
		c.Filter[bit/64] |= 1 << (bit % 64)
		sum += step
	}
	if !known {
		c.UV++
	}
}

// hours is the key: a page and an hour, in hours since the epoch.
type hours struct {
	Page string
	Hour int64
}

const hour = int64(time.Hour / time.Millisecond)

// Visitors counts by page and hour. The filter is changed in place.
type Visitors struct{ counts stream.Value[Counts] }

// NewVisitors declares the state.
func NewVisitors(s *stream.Setup[hours]) *Visitors {
	return &Visitors{stream.NewValue[Counts](s, "counts")}
}

// OnRecord counts a view and asks to be called at the end of its hour.
func (v *Visitors) OnRecord(ctx *stream.Ctx[hours], view View, _ *stream.Out[string]) error {
	end := (ctx.Key.Hour+1)*hour - 1
	if end <= ctx.Watermark() {
		return nil // too late: the hour was told
	}
	ctx.TimerAt(end)
	c, created := v.counts.Ptr()
	if created {
		c.Filter = make([]uint64, filterBits/64)
	}
	c.add(view.Visitor)
	return nil
}

// OnTimer tells an hour that is over.
func (v *Visitors) OnTimer(ctx *stream.Ctx[hours], out *stream.Out[string]) error {
	c, _ := v.counts.Get()
	out.Emit(fmt.Sprintf("%s hour %d: pv %d uv %d", ctx.Key.Page, ctx.Key.Hour, c.PV, c.UV))
	v.counts.Clear()
	return nil
}

// view makes up the i-th view: two pages, three hundred visitors, an hour for each
// thousand.
func view(i int64) View {
	return View{Page: []string{"/home", "/cart"}[i%2], Visitor: i / 2 % 300, At: i * hour / 1000}
}

func build(env *stream.Env) error {
	n, err := env.Params().Int64("views", 10_000)
	if err != nil {
		return err
	}
	order := stream.BoundedOutOfOrderness[View](time.Minute).WithTimestamps(func(v View) int64 { return v.At })
	views := stream.From(env, stream.GeneratorSource(n, 0, view), order, stream.Name("views"))
	stream.Run(stream.KeyBy(views, func(v View) hours { return hours{v.Page, v.At / hour} }), NewVisitors, stream.Name("visitors"), stream.UID("visitors")).Print()
	return nil
}

func main() { stream.Main("UniqueVisitors", build) }
