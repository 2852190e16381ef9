package stream

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"goflink/codec"
	"goflink/dataflow"
)

// inFlightState is the list state with the records that have no result yet.
const inFlightState = "in-flight"

// asyncOp calls a function for many records at a time. Everything but the calls
// happens on the task's goroutine: a call that returned leaves its result in mu
// and a letter in the task's mailbox.
//
// Invariants:
//
//	bounded     at most capacity calls run; at most twice as many records are
//	            held (what is restored apart). A queue with capacity records
//	            asks for no more (Full); only what one input makes a chain emit,
//	            such as a window, comes all the same, and at twice the capacity
//	            Collect waits.
//	one-result  a record is done once; what a call returns after its record
//	            timed out is dropped.
//	held        a record is in the queue, and so in each snapshot, until its
//	            results are emitted.
type asyncOp[In, R, Res any] struct {
	base
	o     *op
	conf  asyncConf[In, R]
	codec codec.Codec[In]
	make  func(*Setup[NoKey]) asyncCall[In, R]
	emit  func(R, *Out[Res])
	fn    asyncCall[In, R]
	out   Out[Res]

	queue     asyncQueue[In, R]
	waiting   []*inflight[In, R] // for a place, in order
	pausing   []*inflight[In, R] // before another attempt, by retryAt
	deadlines []*inflight[In, R] // in order; done ones are dropped when they come first
	running   int                // calls that have not returned

	calls  sync.WaitGroup
	notify chan struct{} // capacity 1: something came into mu
	mu     struct {
		sync.Mutex
		returned []returned[In, R]
		mailed   bool // a letter is on its way
	}
	spare []returned[In, R]
}

// returned is the outcome of a call.
type returned[In, R any] struct {
	e   *inflight[In, R]
	res R
	err error
}

// Open makes the function and takes back what was in flight.
func (o *asyncOp[In, R, Res]) Open(ctx context.Context) error {
	o.notify = make(chan struct{}, 1)
	o.queue.ordered = o.conf.ordered
	s := &Setup[NoKey]{o: o.o, b: &o.base, now: &moment{}}
	o.fn = o.make(s)
	if s.err != nil {
		return s.err
	}
	o.watch(o.fn.user)
	if err := o.fail(openUser(ctx, o.fn.user)); err != nil {
		return err
	}
	return o.restore()
}

// Collect takes a record. With the queue full it asks for no more; at twice
// its capacity it waits (bounded).
func (o *asyncOp[In, R, Res]) Collect(r *dataflow.Rec[In]) error {
	o.accept(*r)
	if o.Full() {
		*o.t.env.Blocked = true
	}
	if o.queue.records < 2*o.conf.capacity {
		return nil
	}
	return o.await(func() bool { return o.queue.records < 2*o.conf.capacity })
}

func (o *asyncOp[In, R, Res]) accept(r dataflow.Rec[In]) {
	e := &inflight[In, R]{rec: r}
	if o.conf.timeout > 0 {
		e.deadline = o.now() + o.conf.timeout
		o.deadlines = append(o.deadlines, e)
		if len(o.deadlines) > 2*(o.queue.records+o.conf.capacity) { // behind one that takes long
			o.deadlines = slices.DeleteFunc(o.deadlines, func(x *inflight[In, R]) bool { return x.done })
		}
	}
	o.queue.add(e)
	if o.running < o.conf.capacity && len(o.waiting) == 0 {
		o.call(e)
	} else {
		o.waiting = append(o.waiting, e)
	}
}

// call begins an attempt.
func (o *asyncOp[In, R, Res]) call(e *inflight[In, R]) {
	e.attempts++
	o.running++
	ctx := o.t.env.Ctx
	if o.conf.timeout > 0 {
		ctx, e.cancel = context.WithCancelCause(ctx)
	}
	o.calls.Add(1)
	o.t.env.Go(o.name, func(context.Context) error {
		defer o.calls.Done()
		res, err := o.fn.call(ctx, e.rec.V)
		o.deliver(returned[In, R]{e, res, err})
		return nil
	})
}

// deliver hands over an outcome, from the call's goroutine.
func (o *asyncOp[In, R, Res]) deliver(r returned[In, R]) {
	o.mu.Lock()
	o.mu.returned = append(o.mu.returned, r)
	first := !o.mu.mailed
	o.mu.mailed = true
	o.mu.Unlock()
	select {
	case o.notify <- struct{}{}:
	default:
	}
	if first {
		o.t.env.Mailbox(o.take)
	}
}

// take works off the calls that have returned, and begins others in their
// places.
func (o *asyncOp[In, R, Res]) take() error {
	o.mu.Lock()
	list := o.mu.returned
	o.mu.returned, o.mu.mailed = o.spare[:0], false
	o.mu.Unlock()
	var err error
	for i := range list {
		if err == nil {
			err = o.settle(&list[i])
		}
		list[i] = returned[In, R]{}
	}
	o.spare = list[:0]
	o.fill()
	return err
}

func (o *asyncOp[In, R, Res]) settle(r *returned[In, R]) error {
	o.running--
	e := r.e
	if e.done { // one-result
		return nil
	}
	o.release(e, nil)
	if o.conf.retry.again(e.attempts, r.res, r.err) {
		e.retryAt = o.now() + o.conf.retry.delay(e.attempts)
		at, _ := slices.BinarySearchFunc(o.pausing, e.retryAt+1, func(x *inflight[In, R], at int64) int { return int(x.retryAt - at) })
		o.pausing = slices.Insert(o.pausing, at, e)
		return nil
	}
	if r.err != nil {
		return o.fail(attempted(e.attempts, r.err))
	}
	o.done(e, r.res)
	return nil
}

func attempted(n int, err error) error {
	if n == 1 {
		return err
	}
	return fmt.Errorf("after %d attempts: %w", n, err)
}

func (o *asyncOp[In, R, Res]) done(e *inflight[In, R], res R) {
	e.res = res
	o.queue.complete(e)
}

// release ends the context of the attempt that ran last.
func (o *asyncOp[In, R, Res]) release(e *inflight[In, R], cause error) {
	if e.cancel != nil {
		e.cancel(cause)
		e.cancel = nil
	}
}

// fill begins calls while there are places, records before repetitions.
func (o *asyncOp[In, R, Res]) fill() {
	for o.running < o.conf.capacity && len(o.waiting) > 0 {
		e := o.waiting[0]
		o.waiting[0] = nil
		if o.waiting = o.waiting[1:]; !e.done {
			o.call(e)
		}
	}
	if len(o.waiting) == 0 {
		o.waiting = nil
	}
}

// errTimedOut is the cause of the context of a call whose record timed out.
var errTimedOut = fmt.Errorf("no result in time: %w", context.DeadlineExceeded)

// expire ends the records whose time is up, by the handler's result or by an
// error.
func (o *asyncOp[In, R, Res]) expire(now int64) error {
	for e := o.firstDeadline(); e != nil && e.deadline <= now; e = o.firstDeadline() {
		o.release(e, errTimedOut)
		if o.conf.onTimeout == nil {
			return o.fail(fmt.Errorf("no result within %s, after %d attempts begun: raise AsyncOptions.Timeout, or give a result with OnTimeout", o.conf.text, e.attempts))
		}
		res, err := o.conf.onTimeout(e.rec.V)
		if err != nil {
			return o.fail(err)
		}
		o.done(e, res)
	}
	return nil
}

func (o *asyncOp[In, R, Res]) firstDeadline() *inflight[In, R] {
	for len(o.deadlines) > 0 {
		if e := o.deadlines[0]; !e.done {
			return e
		}
		o.deadlines[0] = nil
		o.deadlines = o.deadlines[1:]
	}
	o.deadlines = nil
	return nil
}

// repeat begins the attempts whose pause is over.
func (o *asyncOp[In, R, Res]) repeat(now int64) {
	n := 0
	for _, e := range o.pausing {
		if e.retryAt > now {
			break
		}
		n++
		if !e.done {
			o.waiting = append(o.waiting, e)
		}
	}
	o.pausing = slices.Delete(o.pausing, 0, n)
	o.fill()
}

// nextProc is the next time-out or repetition.
func (o *asyncOp[In, R, Res]) nextProc() (int64, bool) {
	at, ok := int64(0), false
	if e := o.firstDeadline(); e != nil {
		at, ok = e.deadline, true
	}
	if len(o.pausing) > 0 && (!ok || o.pausing[0].retryAt < at) {
		at, ok = o.pausing[0].retryAt, true
	}
	return at, ok
}

func (o *asyncOp[In, R, Res]) fireProc(now int64) error {
	if err := o.expire(now); err != nil {
		return err
	}
	o.repeat(now)
	return nil
}

// Full is true while the queue holds its capacity.
func (o *asyncOp[In, R, Res]) Full() bool { return o.queue.records >= o.conf.capacity }

// Empty is true when nothing is held.
func (o *asyncOp[In, R, Res]) Empty() bool { return o.queue.empty() }

// Emit sends what is ready until the output is blocked.
func (o *asyncOp[In, R, Res]) Emit() error {
	for !*o.t.env.Blocked {
		e := o.queue.next()
		if e == nil {
			return nil
		}
		if err := o.send(e); err != nil {
			return err
		}
	}
	return nil
}

func (o *asyncOp[In, R, Res]) send(e *inflight[In, R]) error {
	if e.mark != nil {
		return o.sendMark(e.mark)
	}
	o.out.rec.TS = e.rec.TS
	o.emit(e.res, &o.out)
	return o.out.err
}

// sendMark tells what came between two records: an input that woke up says so
// before its watermark, one that fell idle after it.
func (o *asyncOp[In, R, Res]) sendMark(m *gapMark) error {
	if m.status && !m.idle {
		if err := o.sendStatus(false); err != nil {
			return err
		}
	}
	if m.marked {
		if err := o.sendWatermark(m.wm); err != nil {
			return err
		}
	}
	if m.status && m.idle {
		return o.sendStatus(true)
	}
	return nil
}

// Watermark queues the watermark behind the records that came before it.
func (o *asyncOp[In, R, Res]) Watermark(ts int64) error {
	if o.queue.empty() {
		return o.sendWatermark(ts)
	}
	o.queue.mark(func(m *gapMark) { m.wm, m.marked = ts, true })
	return nil
}

// Status queues the status behind the records that came before it.
func (o *asyncOp[In, R, Res]) Status(idle bool) error {
	if o.queue.empty() {
		return o.sendStatus(idle)
	}
	o.queue.mark(func(m *gapMark) { m.idle, m.status = idle, true })
	return nil
}

// await emits results until a condition holds, without returning to the
// runtime. It heeds the end of the task.
func (o *asyncOp[In, R, Res]) await(until func() bool) error {
	for {
		if err := o.take(); err != nil {
			return err
		}
		if err := o.fireProc(o.now()); err != nil {
			return err
		}
		for e := o.queue.next(); e != nil; e = o.queue.next() {
			if err := o.send(e); err != nil {
				return err
			}
		}
		if until() {
			return nil
		}
		if err := o.pause(); err != nil {
			return err
		}
	}
}

// pause waits for a call that returns or for the next time-out or repetition.
func (o *asyncOp[In, R, Res]) pause() error {
	var due <-chan time.Time
	if at, ok := o.nextProc(); ok {
		timer := time.NewTimer(time.Duration(max(1, at-o.now())) * time.Millisecond)
		defer timer.Stop()
		due = timer.C
	}
	select {
	case <-o.notify:
	case <-due:
	case <-o.t.env.Ctx.Done():
		return context.Cause(o.t.env.Ctx)
	}
	return nil
}

// Finish waits for what is in flight. The runtime has waited for the records of
// the input already (dataflow.Backlog); what is left are those that the
// operators before this one emitted at their own end.
func (o *asyncOp[In, R, Res]) Finish() error { return o.await(o.queue.empty) }

// asyncFormat is the first byte of a record in the list state; the record
// follows as in a buffer (wire.go), its event time being whole.
const asyncFormat = 1

// Snapshot lists the records whose results are not emitted, in their order.
func (o *asyncOp[In, R, Res]) Snapshot(c dataflow.Checkpoint) (dataflow.OperatorSnapshot, error) {
	out, err := o.base.Snapshot(c)
	if err != nil || o.queue.records == 0 { // a finished task must hold nothing (control.FinishedBefore)
		return out, err
	}
	schema, err := o.codec.Schema().MarshalBinary()
	if err != nil {
		return dataflow.OperatorSnapshot{}, fmt.Errorf("operator %q: %w", o.name, err)
	}
	l := dataflow.ListState{Name: inFlightState, Mode: dataflow.ListSplit, Schema: schema}
	for e := o.queue.head; e != nil; e = e.next {
		if e.mark == nil {
			zero := int64(0)
			l.Items = append(l.Items, appendRecord([]byte{asyncFormat}, o.codec, &e.rec, &zero))
		}
	}
	out.Lists = append(out.Lists, l)
	return out, nil
}

// restore takes the records of the checkpoint, whatever their number, and calls
// the function for them. Watermarks are not kept: they come again behind the
// records, and none of these may be late.
func (o *asyncOp[In, R, Res]) restore() error {
	if o.t.env.RestoreOf == nil {
		return nil
	}
	r, _ := o.t.env.RestoreOf(o.id)
	for _, l := range r.Lists {
		if l.Name != inFlightState || len(l.Items) == 0 {
			continue
		}
		read, err := inFlightReader(o.codec, l.Schema)
		if err != nil {
			return fmt.Errorf("operator %q: records in flight: %w", o.name, err)
		}
		for _, item := range l.Items {
			rec, err := restoredRecord(item, read)
			if err != nil {
				return fmt.Errorf("operator %q: records in flight: %w", o.name, err)
			}
			o.accept(rec)
		}
	}
	return nil
}

// inFlightReader reads values that were written with an older schema of the type.
func inFlightReader[T any](c codec.Codec[T], schema []byte) (func([]byte, *T) (int, error), error) {
	var old codec.Schema
	if err := old.UnmarshalBinary(schema); err != nil {
		return nil, fmt.Errorf("schema: %w", err)
	}
	if old.Equal(c.Schema()) {
		return c.Decode, nil
	}
	return codec.Resolve[T](&old)
}

func restoredRecord[T any](item []byte, read func([]byte, *T) (int, error)) (rec dataflow.Rec[T], err error) {
	if len(item) < 2 || item[0] != asyncFormat || item[1] > tagTimed {
		return rec, fmt.Errorf("damaged record: it begins with %x", item[:min(2, len(item))])
	}
	rec.TS = dataflow.NoTimestamp
	at := 2
	if item[1] == tagTimed {
		ts, n := binary.Varint(item[at:])
		if n <= 0 {
			return rec, errors.New("damaged record: no event time")
		}
		rec.TS, at = ts, at+n
	}
	n, err := read(item[at:], &rec.V)
	if err == nil && at+n != len(item) {
		err = fmt.Errorf("damaged record: %d bytes too many", len(item)-at-n)
	}
	return rec, err
}

// Close waits for the calls, whose contexts have ended, and closes the function.
func (o *asyncOp[In, R, Res]) Close() error {
	o.calls.Wait()
	return o.fail(closeUser(o.fn.user))
}
