package stream

import (
	"fmt"
	"time"

	"goflink/dataflow"
)

// Either is a record of one of two inputs, as triggers and evictors of windows over
// both see it (Flink's TaggedUnion).
type Either[A, B any] struct {
	// IsSecond tells which input the record came from, and which field is set.
	IsSecond bool
	First    A
	Second   B
}

// CoWindowed is two keyed streams cut into the same windows (Flink's
// CoGroupedStreams and JoinedStreams). Its methods return changed copies.
type CoWindowed[K comparable, A, B any] struct {
	in ConnectedKeyed[K, A, B]
	w  windowing[Either[A, B]]
}

// Window cuts both streams into windows, for CoGroup and Join.
func (c ConnectedKeyed[K, A, B]) Window(a Assigner) CoWindowed[K, A, B] {
	return CoWindowed[K, A, B]{c, windowing[Either[A, B]]{a: a}}
}

// AllowedLateness keeps event-time windows for d after they fired; a record that
// comes in that time makes its window fire again, whole.
func (w CoWindowed[K, A, B]) AllowedLateness(d time.Duration) CoWindowed[K, A, B] {
	w.w.lateness = d.Milliseconds()
	return w
}

// LateTo sends records of both inputs that belong to no window any more to a side
// output of the window operator, in place of dropping them.
func (w CoWindowed[K, A, B]) LateTo(tag Tag[Either[A, B]]) CoWindowed[K, A, B] {
	w.w.late = &tag
	return w
}

// Trigger fires windows otherwise than at their end.
func (w CoWindowed[K, A, B]) Trigger(t Trigger[Either[A, B]]) CoWindowed[K, A, B] {
	w.w.trigger = &t
	return w
}

// Evict drops records of a window, of both inputs, before it is evaluated.
func (w CoWindowed[K, A, B]) Evict(e Evictor[Either[A, B]]) CoWindowed[K, A, B] {
	w.w.evictor = &e
	return w
}

// coGrouped is the function of windows over two inputs, which Flink's descriptions
// call so.
const coGrouped = "CoGroupWindowFunction"

// CoGroup calls f for each key and window that has records in either input, with
// all records of both, each in the order in which they came; as may be empty, or
// bs. So it makes outer joins. The slices are f's during the call only.
func CoGroup[K comparable, A, B, Res any](w CoWindowed[K, A, B], f func(info WindowInfo[K], as []A, bs []B, out *Out[Res]) error, opts ...Option) Stream[Res] {
	first, second := w.in.first, w.in.second
	both := Keyed[K, Either[A, B]]{in: Stream[Either[A, B]]{env: first.in.env}, codec: first.codec,
		key: func(e Either[A, B]) K {
			if e.IsSecond {
				return second.key(e.Second)
			}
			return first.key(e.First)
		}}
	o := addKeyedOpOfTwo(first, second.in, "window", w.w.a.name(), opts)
	w.w.declare(o, coGrouped)
	emits[Res](o)
	c, _ := declareAcc[dataflow.Rec[Either[A, B]]](o, "window-list")
	window := w.w
	o.build = func(t *task) error {
		x, err := newWindow(t, both, &window, func(x *windowOp[K, Either[A, B]]) (contents[Either[A, B]], error) {
			divide := &divider[K, A, B, Res]{f: f}
			return newListContents(x, c, divide.call)
		})
		if err != nil {
			return err
		}
		t2 := &joiner[A, B]{to: x}
		installTwo(t, x, t2.collectFirst, t2.collectSecond)
		return nil
	}
	return streamOf[Res](o)
}

// joiner puts the records of two inputs into one.
type joiner[A, B any] struct {
	to  dataflow.Input[Either[A, B]]
	rec dataflow.Rec[Either[A, B]]
}

func (j *joiner[A, B]) collectFirst(r *dataflow.Rec[A]) error {
	j.rec = dataflow.Rec[Either[A, B]]{V: Either[A, B]{First: r.V}, TS: r.TS}
	return j.to.Collect(&j.rec)
}

func (j *joiner[A, B]) collectSecond(r *dataflow.Rec[B]) error {
	j.rec = dataflow.Rec[Either[A, B]]{V: Either[A, B]{IsSecond: true, Second: r.V}, TS: r.TS}
	return j.to.Collect(&j.rec)
}

// divider divides the records of a window by their inputs, for one subtask.
type divider[K comparable, A, B, Res any] struct {
	f  func(info WindowInfo[K], as []A, bs []B, out *Out[Res]) error
	as []A
	bs []B
}

func (d *divider[K, A, B, Res]) call(info WindowInfo[K], vs []Either[A, B], out *Out[Res]) error {
	d.as, d.bs = d.as[:0], d.bs[:0]
	for i := range vs {
		if vs[i].IsSecond {
			d.bs = append(d.bs, vs[i].Second)
		} else {
			d.as = append(d.as, vs[i].First)
		}
	}
	err := d.f(info, d.as, d.bs, out)
	clear(d.as)
	clear(d.bs)
	return err
}

// Join calls f for every pair of records, one of each input, that have the same
// key and lie in the same window: an inner join. It emits what f returns.
func Join[K comparable, A, B, Res any](w CoWindowed[K, A, B], f func(a A, b B) Res, opts ...Option) Stream[Res] {
	return FlatJoin(w, func(a A, b B, out *Out[Res]) error {
		out.Emit(f(a, b))
		return nil
	}, opts...)
}

// FlatJoin is Join with a function that emits any number of results; an error
// fails the job.
func FlatJoin[K comparable, A, B, Res any](w CoWindowed[K, A, B], f func(a A, b B, out *Out[Res]) error, opts ...Option) Stream[Res] {
	return CoGroup(w, func(_ WindowInfo[K], as []A, bs []B, out *Out[Res]) error {
		for _, a := range as {
			for _, b := range bs {
				if err := f(a, b, out); err != nil {
					return err
				}
			}
		}
		return nil
	}, opts...)
}

// String is "first(…)" or "second(…)".
func (e Either[A, B]) String() string {
	if e.IsSecond {
		return fmt.Sprintf("second(%v)", e.Second)
	}
	return fmt.Sprintf("first(%v)", e.First)
}
