package law

import (
	"fmt"
	"slices"
	"time"

	"goflink/stream"
)

// stateKinds fold the records of a key into one state of each kind. In ordered
// graphs each record tells what the states are now, in others the end does.
//
// A time to live goes by processing time, which a restored job of streamtest begins
// anew and workers take from the machine. So it is either so long that nothing
// expires (living), or of a graph whose clock is known and that is not killed
// (expiring, in idle graphs).
func stateKinds() []*kind {
	return []*kind{
		foldingKind("folding", "reducing+aggregating", nil),
		foldingKind("living", "value with TTL+list with TTL+map with TTL+reducing with TTL+aggregating with TTL", []stream.StateOption{
			stream.WithTTL(stream.TTL{Time: forever, Cleanup: stream.TTLCleanup{FullSnapshot: true, Incremental: 3, InCompaction: 1}})}),
		foldingKind("reading", "value with TTL+list with TTL+map with TTL+reducing with TTL+aggregating with TTL", []stream.StateOption{
			stream.WithTTL(stream.TTL{Time: forever, Update: stream.OnReadAndWrite, Visibility: stream.ReturnExpiredIfNotCleanedUp})}),
		{name: "expiring", keyed: true, classes: []Class{Idle}, state: "value with TTL+list with TTL+map with TTL",
			text: func(n *Node) string { return fmt.Sprintf("no background clean-up=%t", n.A == 1) },
			build: func(b *builder, n *Node, in stream.Stream[Event]) stream.Stream[Event] {
				return stream.Run(stream.KeyBy(in, numberKey), func(s *stream.Setup[int64]) *expiring {
					ttl := stream.WithTTL(stream.TTL{Time: silence / 2, Cleanup: stream.TTLCleanup{NoBackground: n.A == 1}})
					return &expiring{stream.NewValue[int64](s, "count", ttl), stream.NewList[int64](s, "list", ttl), stream.NewMap[int64, int64](s, "by", ttl)}
				}, b.options(n)...)
			},
			eval: evalExpiring},
	}
}

// forever is longer than all graphs take, by any clock.
const forever = 10_000 * time.Hour

func foldingKind(name, state string, opts []stream.StateOption) *kind {
	return &kind{name: name, state: state, keyed: true, timed: true, classes: []Class{Free, Ordered},
		grows: func(_ *Node, count int) int { return count/4 + 1 },
		build: runKind(
			func(n *Node, s *stream.Setup[int64]) *folding[int64] { return newFolding(n, s, opts) },
			func(n *Node, s *stream.Setup[string]) *folding[string] { return newFolding(n, s, opts) }),
		eval: evalFolding}
}

// folding holds the same records in states of all kinds.
type folding[K comparable] struct {
	n     *Node
	count stream.Value[int64]
	list  stream.List[int64]
	by    stream.MapState[int64, int64]
	sum   stream.Reducing[Event]
	agg   stream.Aggregating[Event, digestAcc, Event]
}

func newFolding[K comparable](n *Node, s *stream.Setup[K], opts []stream.StateOption) *folding[K] {
	return &folding[K]{n, stream.NewValue[int64](s, "count", opts...), stream.NewList[int64](s, "list", opts...),
		stream.NewMap[int64, int64](s, "by", opts...), stream.NewReducing(s, "sum", combine, opts...),
		stream.NewAggregating(s, "agg", digester{}, opts...)}
}

// OnRecord implements stream.KeyedFunc.
func (f *folding[K]) OnRecord(ctx *stream.Ctx[K], e Event, out *stream.Out[Event]) error {
	f.count.Set(f.count.Or(0) + 1)
	f.list.Add(e.N)
	by, _ := f.by.Get(e.N % 5)
	f.by.Put(e.N%5, by+e.N)
	f.sum.Add(e)
	f.agg.Add(e)
	if !f.n.Ordered {
		ctx.TimerAt(theEnd)
		return nil
	}
	f.emit(ctx, out)
	if f.count.Or(0)%foldedEach == 0 {
		f.clear()
	}
	return nil
}

// foldedEach is after how many records states of ordered graphs begin anew.
const foldedEach = 5

// OnTimer implements stream.TimerFunc.
func (f *folding[K]) OnTimer(ctx *stream.Ctx[K], out *stream.Out[Event]) error {
	f.emit(ctx, out)
	f.clear()
	if _, ok := f.sum.Get(); ok || !f.list.Empty() || !f.by.Empty() {
		return fmt.Errorf("what was cleared for key %v is there", ctx.Key)
	}
	return nil
}

func (f *folding[K]) clear() {
	f.count.Clear()
	f.list.Clear()
	f.by.Clear()
	f.sum.Clear()
	f.agg.Clear()
}

func (f *folding[K]) emit(ctx *stream.Ctx[K], out *stream.Out[Event]) {
	by := map[int64]int64{}
	f.by.Each(func(k, v int64) bool { by[k] = v; return true })
	sum, _ := f.sum.Get()
	agg, _ := f.agg.Get()
	out.Emit(foldingResult(keyOf(ctx.Key), f.count.Or(0), f.list.Get(), by, sum, agg))
}

func foldingResult(key, count int64, list []int64, by map[int64]int64, sum, agg Event) Event {
	entries := int64(0)
	for k, v := range by {
		entries += mix(k, v) % 1000
	}
	slices.Sort(list)
	id := small(append([]int64{count, sum.ID, sum.N, sum.At, agg.ID, agg.N, entries}, append(slices.Clone(sum.Path), append(list, agg.Path...)...)...)...)
	return Event{ID: id, Key: key, At: sum.At, N: count, Path: slices.Clone(sum.Path)}
}

func evalFolding(n *Node, in []Timed) (out, side []Timed) {
	keys, of := groups(in)
	for _, k := range keys {
		list := of[k]
		if !n.Ordered {
			out = append(out, Timed{foldedAll(k, list), theEnd})
			continue
		}
		for i, e := range list {
			out = append(out, Timed{foldedAll(k, list[i/foldedEach*foldedEach:i+1]), e.TS})
		}
	}
	return out, nil
}

func foldedAll(key int64, in []Timed) Event {
	var list []int64
	by := map[int64]int64{}
	acc := digester{}.New()
	var sum Event
	for i, e := range in {
		list = append(list, e.N)
		by[e.N%5] += e.N
		acc = digester{}.Add(acc, e.Event)
		if i == 0 {
			sum = e.Event
			sum.Path = slices.Clone(sum.Path)
		} else {
			sum = combine(sum, e.Event)
		}
	}
	return foldingResult(key, int64(len(in)), list, by, sum, digester{}.Result(acc))
}

// expiring counts a key's records, in states of three kinds; one that comes after a
// long silence is the first again.
type expiring struct {
	count stream.Value[int64]
	list  stream.List[int64]
	by    stream.MapState[int64, int64]
}

// OnRecord implements stream.KeyedFunc.
func (x *expiring) OnRecord(_ *stream.Ctx[int64], e Event, out *stream.Out[Event]) error {
	n := x.count.Or(0) + 1
	x.count.Set(n)
	x.list.Set(append(x.list.Get(), n)) // all of it is as young as the value
	inMap, _ := x.by.Get(0)
	x.by.Put(0, inMap+1)
	if list := int64(len(x.list.Get())); list != n || inMap+1 != n {
		return fmt.Errorf("key %d has %d in its value, %d in its list and %d in its map", e.Key, n, list, inMap+1)
	}
	out.Emit(Event{Key: e.Key, N: n})
	return nil
}

func evalExpiring(_ *Node, in []Timed) (out, side []Timed) {
	keys, of := groups(in)
	for _, k := range keys {
		for i := range of[k] {
			n := int64(i) + 1
			if k == silentKey {
				n = 1
			}
			out = append(out, Timed{Event{Key: k, N: n}, 0})
		}
	}
	return out, nil
}
