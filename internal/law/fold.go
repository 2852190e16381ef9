package law

import (
	"slices"

	"goflink/stream"
)

// freeFns are the functions of windows whose results do not depend on the order
// of records; allFns are of graphs whose order is determined as well.
var (
	freeFns  = []string{"reduce", "sum", "min", "max", "minby", "maxby", "count", "aggregate", "apply"}
	countFns = []string{"count"}
)

// combine joins two records; it changes and returns a, as a reduce function may.
func combine(a, b Event) Event {
	a.ID = (a.ID + b.ID) % 1_000_000_007
	a.At = max(a.At, b.At)
	a.N += b.N
	for i := range min(len(a.Path), len(b.Path)) {
		a.Path[i] += b.Path[i]
	}
	if len(b.Path) > len(a.Path) {
		a.Path = append(a.Path, b.Path[len(a.Path):]...)
	}
	return a
}

// digester is an aggregate whose accumulator is not flat.
type digester struct{}

type digestAcc struct {
	Sum int64
	IDs []int64
}

func (digester) New() digestAcc { return digestAcc{} }
func (digester) Add(a digestAcc, e Event) digestAcc {
	return digestAcc{a.Sum + e.N, append(a.IDs, e.ID)}
}
func (digester) Merge(a, b digestAcc) digestAcc {
	return digestAcc{a.Sum + b.Sum, append(a.IDs, b.IDs...)}
}
func (digester) Result(a digestAcc) Event {
	ids := slices.Sorted(slices.Values(a.IDs))
	return Event{ID: small(ids...), N: int64(len(ids)), Path: []int64{a.Sum}}
}

// fold applies the node's function to a keyed stream or to its windows.
func fold[K comparable](b *builder, n *Node, g stream.Grouped[K, Event]) stream.Stream[Event] {
	o := b.options(n)
	number := func(e *Event) *int64 { return &e.N }
	id := func(e *Event) *int64 { return &e.ID }
	switch n.Fn {
	case "reduce":
		return keepSide(b, n, stream.Reduce(g, combine, o...))
	case "sum":
		return b.plain(n, keepSide(b, n, stream.Sum(g, number, o...)))
	case "min":
		return b.plain(n, keepSide(b, n, stream.Min(g, number, o...)))
	case "max":
		return b.plain(n, keepSide(b, n, stream.Max(g, number, o...)))
	case "minby":
		return b.plain(n, keepSide(b, n, stream.MinBy(g, id, o...)))
	case "maxby":
		return b.plain(n, keepSide(b, n, stream.MaxBy(g, id, o...)))
	case "count":
		return stream.Map(keepSide(b, n, stream.Count(g, o...)), func(p stream.Pane[K, int64]) Event {
			return Event{Key: keyOf(p.Key), At: startOf(p.Start), N: p.Value}
		}, b.uid(n, "pane"), stream.Parallelism(n.parallelism(b.p)))
	case "aggregate":
		return stream.Map(keepSide(b, n, stream.Aggregate(g, digester{}, o...)), func(p stream.Pane[K, Event]) Event {
			e := p.Value
			e.Key, e.At = keyOf(p.Key), startOf(p.Start)
			return e
		}, b.uid(n, "pane"), stream.Parallelism(n.parallelism(b.p)))
	}
	panic("no function " + n.Fn)
}

// apply hands the whole window to a function.
func apply[K comparable](b *builder, n *Node, w stream.Windowed[K, Event]) stream.Stream[Event] {
	return keepSide(b, n, stream.Apply(w, func(i stream.WindowInfo[K], vs []Event, out *stream.Out[Event]) error {
		out.Emit(applied(keyOf(i.Key), startOf(i.Start), vs, n.Ordered && !n.unorderedPanes()))
		return nil
	}, b.options(n)...))
}

func applied(key, start int64, vs []Event, ordered bool) Event {
	return Event{ID: digest(vs, ordered), Key: key, At: start, N: int64(len(vs))}
}

// unorderedPanes: sliding windows put their records together by slices of time,
// sessions by the order in which they merged.
func (n *Node) unorderedPanes() bool { return n.Kind == "sliding" || n.meets() }

// meets tells whether the node's windows become one with those that they touch.
func (n *Node) meets() bool {
	k := kindOf(n.Kind)
	return k.meets != nil && k.meets(n)
}

// plain keeps what does not depend on which record of a window came first.
func (b *builder) plain(n *Node, s stream.Stream[Event]) stream.Stream[Event] {
	return stream.Map(s, n.plainOf, b.uid(n, "plain"), stream.Parallelism(n.parallelism(b.p)))
}

func (n *Node) plainOf(e Event) Event {
	switch {
	case n.Ordered && !n.unorderedPanes():
		return e
	case n.Fn == "minby" || n.Fn == "maxby":
		return Event{ID: e.ID, Key: e.Key}
	}
	return Event{Key: e.Key, N: e.N}
}

// startOf is a window's start, or 0 where it has none.
func startOf(start int64) int64 {
	if start < 0 && start < -1<<60 {
		return 0
	}
	return start
}

// folded is the result of fold and apply for some records of a key, in the order
// in which they came.
func folded(n *Node, key, start int64, in []Timed) Event {
	vs := events(in)
	switch n.Fn {
	case "count":
		return Event{Key: key, At: start, N: int64(len(vs))}
	case "apply":
		return applied(key, start, vs, n.Ordered && !n.unorderedPanes())
	case "aggregate":
		a := digester{}.New()
		for _, v := range vs {
			a = digester{}.Add(a, v)
		}
		e := digester{}.Result(a)
		e.Key, e.At = key, start
		return e
	case "reduce":
		acc := vs[0]
		acc.Path = slices.Clone(acc.Path)
		for _, v := range vs[1:] {
			acc = combine(acc, v)
		}
		return acc
	}
	return n.plainOf(foldField(n.Fn, vs))
}

func foldField(fn string, vs []Event) Event {
	acc := vs[0]
	for _, v := range vs[1:] {
		switch fn {
		case "sum":
			acc.N += v.N
		case "min":
			acc.N = min(acc.N, v.N)
		case "max":
			acc.N = max(acc.N, v.N)
		case "minby":
			if v.ID < acc.ID {
				acc = v
			}
		case "maxby":
			if v.ID > acc.ID {
				acc = v
			}
		}
	}
	return acc
}
