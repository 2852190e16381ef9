package stream

import (
	"goflink/dataflow"
	"goflink/state"
)

// ahead is implemented by inputs that can ready themselves for records that come
// next, but do not process them.
type ahead[T any] interface {
	Ahead(recs []dataflow.Rec[T])
}

// aheadRows is how many records are looked at together: as many reads as a
// processor has under way at once, and no more than its first cache holds.
const aheadRows = 32

// lookahead are the keys and namespaces of records that come next.
type lookahead[K comparable] struct {
	keys [aheadRows]K
	ns   [aheadRows]state.Namespace
}

// aheadByKey readies states that have no namespaces.
func aheadByKey[K comparable, T any](o *keyedBase[K], key func(T) K, recs []dataflow.Rec[T]) {
	var l [aheadRows]K
	for i := range recs {
		l[i] = key(recs[i].V)
	}
	o.keyed.Ahead(l[:len(recs)], nil)
}

// Ahead readies the records' panes.
func (o *tumblingOp[K, T]) Ahead(recs []dataflow.Rec[T]) {
	if o.w.a.proc || !o.keyed.Wide() {
		return
	}
	var l lookahead[K]
	for i := range recs {
		w := o.window(recs[i].TS)
		l.keys[i], l.ns[i] = o.key(recs[i].V), state.Namespace{A: w.Start, B: w.End}
	}
	o.keyed.Ahead(l.keys[:len(recs)], l.ns[:len(recs)])
}

// Ahead readies the records' slices.
func (o *slidingOp[K, T]) Ahead(recs []dataflow.Rec[T]) {
	if o.w.a.proc || !o.keyed.Wide() {
		return
	}
	var l lookahead[K]
	for i := range recs {
		start := floorTo(recs[i].TS, o.w.a.offset, o.slice)
		l.keys[i], l.ns[i] = o.key(recs[i].V), state.Namespace{A: start, B: start + o.slice}
	}
	o.keyed.Ahead(l.keys[:len(recs)], l.ns[:len(recs)])
}

// Ahead readies the keys' states.
func (p *processOp[K, In, Res]) Ahead(recs []dataflow.Rec[In]) {
	if p.keyed.Wide() {
		aheadByKey(&p.keyedBase, p.key, recs)
	}
}

// Ahead readies the keys' states.
func (o *rollingOp[K, T, Acc, Res]) Ahead(recs []dataflow.Rec[T]) {
	if o.keyed.Wide() {
		aheadByKey(&o.keyedBase, o.key, recs)
	}
}

// Ahead readies the keys' sessions, and then what is in them.
func (o *sessionOp[K, T]) Ahead(recs []dataflow.Rec[T]) {
	if o.w.a.proc || !o.keyed.Wide() {
		return
	}
	var l lookahead[K]
	for i := range recs {
		l.keys[i] = o.key(recs[i].V)
	}
	o.keyed.Ahead(l.keys[:len(recs)], nil)
	o.keyed.SetNamespace(state.Namespace{})
	for i := range recs {
		o.keyed.SetKey(l.keys[i])
		if live, ok := o.live.Get(); ok {
			l.ns[i] = live.last.ns()
		}
	}
	o.keyed.Ahead(l.keys[:len(recs)], l.ns[:len(recs)])
}
