package law

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Event is the record of all graphs. Path makes its type one that the engine must
// copy where it keeps or hands out a record twice.
type Event struct {
	ID, Key, At, N int64
	Path           []int64
}

// Timed is a record with its event time, as the interpreter sees it.
type Timed struct {
	Event
	TS int64
}

// line is a record as sinks write it.
func (e Event) line(ts int64) string {
	return fmt.Sprintf("%d k%d at%d n%d %v @%d", e.ID, e.Key, e.At, e.N, e.Path, ts)
}

// noTime is the event time that is written for records whose own depends on the
// order of arrival.
const noTime = -1

func compareTimed(a, b Timed) int {
	return cmp.Or(cmp.Compare(a.TS, b.TS), cmp.Compare(a.ID, b.ID), cmp.Compare(a.N, b.N), cmp.Compare(a.At, b.At),
		cmp.Compare(a.Key, b.Key), slices.Compare(a.Path, b.Path))
}

// sorted is the canonical order of events.
func sorted(in []Timed) []Timed {
	out := slices.Clone(in)
	slices.SortFunc(out, compareTimed)
	return out
}

// mix is a hash of a few numbers: what the graphs' functions and sources are made
// of.
func mix(vs ...int64) int64 {
	h := uint64(0x9E3779B97F4A7C15)
	for _, v := range vs {
		h = (h ^ uint64(v)) * 0xBF58476D1CE4E5B9
		h ^= h >> 29
		h *= 0x94D049BB133111EB
		h ^= h >> 32
	}
	return int64(h >> 2)
}

// small is mix, short enough to be read.
func small(vs ...int64) int64 { return mix(vs...) % 1_000_000_007 }

// digest is a number for a list of events: their order counts only in ordered
// graphs.
func digest(vs []Event, ordered bool) int64 {
	ids := make([]int64, len(vs))
	for i, v := range vs {
		ids[i] = small(append([]int64{v.ID, v.Key, v.N}, v.Path...)...)
	}
	if !ordered {
		slices.Sort(ids)
	}
	return small(ids...)
}

// groups splits events by key; each key's are in the order given.
func groups(in []Timed) (keys []int64, of map[int64][]Timed) {
	of = map[int64][]Timed{}
	for _, e := range in {
		if of[e.Key] == nil {
			keys = append(keys, e.Key)
		}
		of[e.Key] = append(of[e.Key], e)
	}
	slices.Sort(keys)
	return keys, of
}

func events(in []Timed) []Event {
	out := make([]Event, len(in))
	for i := range in {
		out[i] = in[i].Event
	}
	return out
}

// textKey and numberKey are the two types of keys that graphs partition by.
func textKey(e Event) string { return strings.Repeat("k", int(e.Key%3)) + fmt.Sprint(e.Key) }

func textKeyBack(s string) (n int64) {
	_, _ = fmt.Sscan(strings.TrimLeft(s, "k"), &n) // what textKey wrote
	return n
}

func numberKey(e Event) int64         { return e.Key }
func floor(ts, offset, n int64) int64 { return ts - ((ts-offset)%n+n)%n }
