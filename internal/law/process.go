package law

import (
	"fmt"
	"slices"

	"goflink/stream"
)

// processKinds are keyed functions, each for a kind of state; A is a time.
func processKinds() []*kind {
	timed := func(name, state string, classes ...Class) *kind {
		return &kind{name: name, state: state, keyed: true, timed: true, classes: classes,
			draw: func(g *gen, n *Node) { n.A = 20 + g.n(100) }, text: func(n *Node) string { return fmt.Sprintf("%dms", n.A) }}
	}
	buckets := timed("buckets", "map")
	buckets.build, buckets.eval = runKind(newBuckets[int64], newBuckets[string]), evalBuckets
	lists := timed("lists", "list")
	lists.build, lists.eval = runKind(newLists[int64], newLists[string]), evalLists
	totals := timed("totals", "value")
	totals.build, totals.eval = runKind(newTotals[int64], newTotals[string]), evalBuckets
	pauses := timed("pauses", "map")
	pauses.build, pauses.eval = runKind(newPauses[int64], newPauses[string]), evalPauses
	first := timed("first", "map", Free)
	first.build, first.eval = runKind(newFirst[int64], newFirst[string]), evalFirst
	first.side, first.timed, first.draw, first.text = func(*Node) bool { return true }, false, nil, nil
	running := timed("running", "value+list+map", Ordered)
	running.build, running.eval = runKind(newRunning[int64], newRunning[string]), evalRunning
	running.timed, running.draw, running.text = false, nil, nil
	seq := timed("numbered", "value", Ordered)
	seq.build, seq.eval = runKind(newNumbered[int64], newNumbered[string]), evalNumbered
	seq.timed, seq.draw, seq.text = false, nil, nil
	hold := timed("holding", "value")
	hold.build, hold.eval = runKind(newHolding[int64], newHolding[string]), evalHolding
	return []*kind{buckets, lists, totals, pauses, first, running, seq, hold}
}

// runKind builds a keyed function over either type of key.
func runKind[F stream.KeyedFunc[int64, Event, Event], G stream.KeyedFunc[string, Event, Event]](
	number func(n *Node, s *stream.Setup[int64]) F, text func(n *Node, s *stream.Setup[string]) G) func(*builder, *Node, stream.Stream[Event]) stream.Stream[Event] {
	return func(b *builder, n *Node, in stream.Stream[Event]) stream.Stream[Event] {
		if n.Text {
			return keepSide(b, n, stream.Run(stream.KeyBy(in, textKey), func(s *stream.Setup[string]) G { return text(n, s) }, b.options(n)...))
		}
		return keepSide(b, n, stream.Run(stream.KeyBy(in, numberKey), func(s *stream.Setup[int64]) F { return number(n, s) }, b.options(n)...))
	}
}

// keyOf is the number behind either type of key.
func keyOf[K comparable](k K) int64 {
	switch k := any(k).(type) {
	case int64:
		return k
	case string:
		return textKeyBack(k)
	}
	panic("keys are numbers or text")
}

// buckets adds up by intervals of event time, in a map; a timer ends each.
type buckets[K comparable] struct {
	n    *Node
	sums stream.MapState[int64, int64]
}

func newBuckets[K comparable](n *Node, s *stream.Setup[K]) *buckets[K] {
	return &buckets[K]{n, stream.NewMap[int64, int64](s, "sums")}
}

// OnRecord implements stream.KeyedFunc.
func (b *buckets[K]) OnRecord(ctx *stream.Ctx[K], e Event, _ *stream.Out[Event]) error {
	start := floor(ctx.Time, 0, b.n.A)
	sum, _ := b.sums.Get(start)
	b.sums.Put(start, sum+e.N+1)
	ctx.TimerAt(start + b.n.A - 1)
	return nil
}

// OnTimer implements stream.TimerFunc.
func (b *buckets[K]) OnTimer(ctx *stream.Ctx[K], out *stream.Out[Event]) error {
	start := ctx.Time - b.n.A + 1
	sum, ok := b.sums.Get(start)
	if !ok {
		return fmt.Errorf("timer %d of %v has no state", ctx.Time, ctx.Key)
	}
	b.sums.Delete(start)
	if _, still := b.sums.Get(start); still {
		return fmt.Errorf("what was deleted at timer %d of %v is there", ctx.Time, ctx.Key)
	}
	left := int64(-1)
	b.sums.Each(func(s, _ int64) bool {
		if s <= start {
			left = s
		}
		return true
	})
	if left >= 0 {
		return fmt.Errorf("at timer %d of %v the interval %d is still there", ctx.Time, ctx.Key, left)
	}
	out.Emit(bucketResult(keyOf(ctx.Key), start, sum))
	return nil
}

func bucketResult(key, start, sum int64) Event {
	return Event{ID: small(key, start, sum), Key: key, At: start, N: sum}
}

func evalBuckets(n *Node, in []Timed) (out, side []Timed) {
	keys, of := groups(in)
	for _, k := range keys {
		for _, b := range bucketed(of[k], n.A) {
			sum := int64(0)
			for _, e := range b {
				sum += e.N + 1
			}
			start := floor(b[0].TS, 0, n.A)
			out = append(out, Timed{bucketResult(k, start, sum), start + n.A - 1})
		}
	}
	return out, nil
}

// bucketed splits events of a key by intervals, earliest first.
func bucketed(in []Timed, size int64) [][]Timed {
	of := map[int64][]Timed{}
	var starts []int64
	for _, e := range in {
		s := floor(e.TS, 0, size)
		if of[s] == nil {
			starts = append(starts, s)
		}
		of[s] = append(of[s], e)
	}
	slices.Sort(starts)
	var out [][]Timed
	for _, s := range starts {
		out = append(out, of[s])
	}
	return out
}

// lists keeps the records of intervals in one list, and takes them out when a
// timer ends the interval.
type lists[K comparable] struct {
	n    *Node
	list stream.List[Timed]
}

func newLists[K comparable](n *Node, s *stream.Setup[K]) *lists[K] {
	return &lists[K]{n, stream.NewList[Timed](s, "records")}
}

// OnRecord implements stream.KeyedFunc.
func (l *lists[K]) OnRecord(ctx *stream.Ctx[K], e Event, _ *stream.Out[Event]) error {
	l.list.Add(Timed{e, ctx.Time})
	ctx.TimerAt(floor(ctx.Time, 0, l.n.A) + l.n.A - 1)
	return nil
}

// OnTimer implements stream.TimerFunc.
func (l *lists[K]) OnTimer(ctx *stream.Ctx[K], out *stream.Out[Event]) error {
	var mine, rest []Timed
	l.list.Each(func(t Timed) bool {
		if t.TS <= ctx.Time {
			mine = append(mine, t)
		} else {
			rest = append(rest, t)
		}
		return true
	})
	if len(rest) == 0 {
		l.list.Clear()
	} else {
		l.list.Set(rest)
	}
	out.Emit(listResult(keyOf(ctx.Key), events(mine), l.n.Ordered))
	return nil
}

func listResult(key int64, vs []Event, ordered bool) Event {
	return Event{ID: digest(vs, ordered), Key: key, N: int64(len(vs))}
}

func evalLists(n *Node, in []Timed) (out, side []Timed) {
	keys, of := groups(in)
	for _, k := range keys {
		for _, b := range bucketed(of[k], n.A) {
			out = append(out, Timed{listResult(k, events(b), n.Ordered), floor(b[0].TS, 0, n.A) + n.A - 1})
		}
	}
	return out, nil
}

// cell is the sum of an interval.
type cell struct{ Start, Sum int64 }

// totals is buckets with its sums in one value.
type totals[K comparable] struct {
	n     *Node
	cells stream.Value[[]cell]
}

func newTotals[K comparable](n *Node, s *stream.Setup[K]) *totals[K] {
	return &totals[K]{n, stream.NewValue[[]cell](s, "cells")}
}

// OnRecord implements stream.KeyedFunc.
func (t *totals[K]) OnRecord(ctx *stream.Ctx[K], e Event, _ *stream.Out[Event]) error {
	start := floor(ctx.Time, 0, t.n.A)
	cells, _ := t.cells.Ptr()
	i := slices.IndexFunc(*cells, func(c cell) bool { return c.Start == start })
	if i < 0 {
		i = len(*cells)
		*cells = append(*cells, cell{Start: start})
	}
	(*cells)[i].Sum += e.N + 1
	ctx.TimerAt(start + t.n.A - 1)
	return nil
}

// OnTimer implements stream.TimerFunc.
func (t *totals[K]) OnTimer(ctx *stream.Ctx[K], out *stream.Out[Event]) error {
	start := ctx.Time - t.n.A + 1
	cells, _ := t.cells.Get()
	i := slices.IndexFunc(cells, func(c cell) bool { return c.Start == start })
	if i < 0 {
		return fmt.Errorf("timer %d of %v has no state", ctx.Time, ctx.Key)
	}
	out.Emit(bucketResult(keyOf(ctx.Key), start, cells[i].Sum))
	rest := slices.Concat(cells[:i], cells[i+1:])
	if len(rest) == 0 {
		t.cells.Clear()
	} else {
		t.cells.Set(rest)
	}
	return nil
}

// pauses tells when a key was silent for A milliseconds. A timer waits behind each
// record; a later one within that time deletes it.
type pauses[K comparable] struct {
	n    *Node
	seen stream.MapState[int64, int64]
}

func newPauses[K comparable](n *Node, s *stream.Setup[K]) *pauses[K] {
	return &pauses[K]{n, stream.NewMap[int64, int64](s, "seen")}
}

// OnRecord implements stream.KeyedFunc.
func (p *pauses[K]) OnRecord(ctx *stream.Ctx[K], e Event, _ *stream.Out[Event]) error {
	last := true
	p.seen.Each(func(ts, _ int64) bool {
		if ts < ctx.Time && ctx.Time <= ts+p.n.A {
			ctx.DeleteTimer(ts + p.n.A)
		}
		last = last && (ts <= ctx.Time || ts > ctx.Time+p.n.A)
		return true
	})
	if last {
		ctx.TimerAt(ctx.Time + p.n.A)
	}
	n, _ := p.seen.Get(ctx.Time)
	p.seen.Put(ctx.Time, n+1)
	return nil
}

// OnTimer implements stream.TimerFunc.
func (p *pauses[K]) OnTimer(ctx *stream.Ctx[K], out *stream.Out[Event]) error {
	at := ctx.Time - p.n.A
	n, ok := p.seen.Get(at)
	if !ok {
		return fmt.Errorf("timer %d of %v has no state", ctx.Time, ctx.Key)
	}
	var old []int64
	p.seen.Each(func(ts, _ int64) bool {
		if ts <= at {
			old = append(old, ts)
		}
		return true
	})
	for _, ts := range old {
		p.seen.Delete(ts)
	}
	out.Emit(bucketResult(keyOf(ctx.Key), at, n))
	return nil
}

func evalPauses(n *Node, in []Timed) (out, side []Timed) {
	keys, of := groups(in)
	for _, k := range keys {
		list := sorted(of[k])
		for i, e := range list {
			if i+1 < len(list) && list[i+1].TS <= e.TS+n.A {
				continue
			}
			same := int64(0)
			for _, x := range list {
				if x.TS == e.TS {
					same++
				}
			}
			out = append(out, Timed{bucketResult(k, e.TS, same), e.TS + n.A})
		}
	}
	return out, nil
}

// first lets the first of equal records through; the others go to the side.
type first[K comparable] struct {
	seen stream.MapState[int64, bool]
	side *stream.SideOut[Event]
	n    *Node
}

func newFirst[K comparable](n *Node, s *stream.Setup[K]) *first[K] {
	return &first[K]{stream.NewMap[int64, bool](s, "seen"), stream.SideOutput(s, sideTag), n}
}

// fingerprint is what makes two records equal; their event times count where they
// are determined.
func fingerprint(e Event, ts int64, timed bool) int64 {
	if !timed {
		ts = 0
	}
	return mix(append([]int64{e.ID, e.Key, e.At, e.N, ts}, e.Path...)...)
}

// OnRecord implements stream.KeyedFunc.
func (f *first[K]) OnRecord(ctx *stream.Ctx[K], e Event, out *stream.Out[Event]) error {
	h := fingerprint(e, ctx.Time, f.n.Timed)
	if seen, _ := f.seen.Get(h); seen {
		f.side.Emit(e)
		return nil
	}
	f.seen.Put(h, true)
	out.Emit(e)
	return nil
}

func evalFirst(n *Node, in []Timed) (out, side []Timed) {
	seen := map[int64]bool{}
	for _, e := range in {
		if h := fingerprint(e.Event, e.TS, n.Timed); seen[h] {
			side = append(side, e)
		} else {
			seen[h] = true
			out = append(out, e)
		}
	}
	return out, side
}

// clearEach is after how many records of a key its map is cleared: few, since keys
// of ordered graphs have about ten.
const clearEach = 4

// running emits for each record what it makes of all before it.
type running[K comparable] struct {
	count stream.Value[int64]
	last  stream.List[int64]
	by    stream.MapState[int64, int64]
}

func newRunning[K comparable](_ *Node, s *stream.Setup[K]) *running[K] {
	return &running[K]{stream.NewValue[int64](s, "count"), stream.NewList[int64](s, "last"), stream.NewMap[int64, int64](s, "by")}
}

// OnRecord implements stream.KeyedFunc.
func (r *running[K]) OnRecord(_ *stream.Ctx[K], e Event, out *stream.Out[Event]) error {
	n := r.count.Or(0) + 1
	r.count.Set(n)
	r.last.Add(e.N)
	if n%5 == 0 {
		r.last.Set([]int64{n})
	}
	by, _ := r.by.Get(e.N % 4)
	if r.by.Put(e.N%4, by+1); n%7 == 0 {
		r.by.Delete(e.N % 4)
	}
	if n%clearEach == 0 {
		r.by.Clear()
	}
	entries := int64(0)
	r.by.Each(func(k, v int64) bool { entries += mix(k, v) % 1000; return true })
	out.Emit(runningResult(e, n, r.last.Get(), entries))
	return nil
}

func runningResult(e Event, n int64, last []int64, entries int64) Event {
	e.N, e.Path = small(append([]int64{e.N, n, entries}, last...)...), nil
	return e
}

func evalRunning(_ *Node, in []Timed) (out, side []Timed) {
	keys, of := groups(in)
	for _, k := range keys {
		var last []int64
		by := map[int64]int64{}
		for i, e := range of[k] {
			n := int64(i) + 1
			if last = append(last, e.N); n%5 == 0 {
				last = []int64{n}
			}
			if by[e.N%4]++; n%7 == 0 {
				delete(by, e.N%4)
			}
			if n%clearEach == 0 {
				clear(by)
			}
			entries := int64(0)
			for k, v := range by {
				entries += mix(k, v) % 1000
			}
			out = append(out, Timed{runningResult(e.Event, n, last, entries), e.TS})
		}
	}
	return out, nil
}

// numbered ends ordered graphs: a record's number shows its place among its key's.
type numbered[K comparable] struct{ count stream.Value[int64] }

func newNumbered[K comparable](_ *Node, s *stream.Setup[K]) *numbered[K] {
	return &numbered[K]{stream.NewValue[int64](s, "count")}
}

// OnRecord implements stream.KeyedFunc.
func (s *numbered[K]) OnRecord(_ *stream.Ctx[K], e Event, out *stream.Out[Event]) error {
	n, _ := s.count.Ptr()
	*n++
	e.Path = []int64{*n}
	out.Emit(e)
	return nil
}

func evalNumbered(_ *Node, in []Timed) (out, side []Timed) {
	keys, of := groups(in)
	for _, k := range keys {
		for i, e := range of[k] {
			e.Path = []int64{int64(i) + 1}
			out = append(out, e)
		}
	}
	return out, nil
}
