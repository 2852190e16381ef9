package stream

import (
	"time"

	"goflink/dataflow"
)

// EvictCtx is what an evictor is told.
type EvictCtx struct {
	// Start and End of the window in milliseconds.
	Start, End int64
	// Watermark and Now are the task's event time and processing time.
	Watermark, Now int64
}

// EvictFunc returns those of a window's records that stay, in their order. It may
// put them together in recs itself, but must not change a record.
type EvictFunc[T any] = func(c *EvictCtx, recs []Rec[T]) []Rec[T]

// Evictor drops records of a window when it is evaluated, for good.
type Evictor[T any] struct {
	name          string
	before, after EvictFunc[T]
}

// NewEvictor makes an evictor: before drops records ahead of the window's function,
// after when it has seen them (Flink's evictBefore and evictAfter). Either may be
// nil.
func NewEvictor[T any](name string, before, after EvictFunc[T]) Evictor[T] {
	return Evictor[T]{name, before, after}
}

// After lets the evictor drop its records when the window's function has seen them,
// in place of before (Flink's doEvictAfter).
func (e Evictor[T]) After() Evictor[T] {
	if e.after == nil {
		e.before, e.after = nil, e.before
	}
	return e
}

// CountEvictor keeps the last n records.
func CountEvictor[T any](n int64) Evictor[T] {
	return NewEvictor("CountEvictor", func(_ *EvictCtx, recs []Rec[T]) []Rec[T] {
		return recs[max(0, len(recs)-int(n)):]
	}, nil)
}

// DeltaEvictor drops the records that differ from the last one by threshold or
// more.
func DeltaEvictor[T any](threshold float64, delta func(old, last T) float64) Evictor[T] {
	return NewEvictor("DeltaEvictor", func(_ *EvictCtx, recs []Rec[T]) []Rec[T] {
		if len(recs) == 0 {
			return recs
		}
		last := recs[len(recs)-1].V
		kept := recs[:0]
		for _, r := range recs {
			if delta(r.V, last) < threshold {
				kept = append(kept, r)
			}
		}
		return kept
	}, nil)
}

// TimeEvictor keeps the records of the last d, counted back from the newest.
func TimeEvictor[T any](d time.Duration) Evictor[T] {
	ms := d.Milliseconds()
	return NewEvictor("TimeEvictor", func(_ *EvictCtx, recs []Rec[T]) []Rec[T] {
		newest := int64(dataflow.NoTimestamp)
		for i := range recs {
			newest = max(newest, recs[i].TS)
		}
		kept := recs[:0]
		for _, r := range recs {
			if r.TS == dataflow.NoTimestamp || r.TS > newest-ms {
				kept = append(kept, r)
			}
		}
		return kept
	}, nil)
}

// evictInto runs f over a window's records and, if any are dropped, leaves only the
// others in the window, which is the current namespace.
func (c *listContents[K, T, Res]) evictInto(f EvictFunc[T], s Span) {
	all := len(c.recs)
	kept := f(&EvictCtx{Start: s.Start, End: s.End, Watermark: c.o.wm, Now: c.o.now()}, c.recs)
	if len(kept) < all {
		c.list.Set(kept)
	}
	n := copy(c.recs, kept) // kept may lie anywhere in recs, or elsewhere
	clear(c.recs[n:])
	c.recs = c.recs[:n]
}
