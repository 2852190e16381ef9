package worker

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"goflink/control"
	"goflink/state"
	"goflink/taskmanager/exchange"
)

// taskKey names a task within its attempt.
type taskKey struct {
	vertex  string
	subtask int32
}

// part is what one task has in a checkpoint.
type part struct {
	task  *task
	ack   *control.CheckpointAck
	keyed []keyedPart
}

// keyedPart is a keyed state that is still to be written, and where its handle
// goes.
type keyedPart struct {
	state    *control.OperatorState
	channel  *control.ChannelState // of records in flight: its handle goes here
	snapshot state.Snapshot
	linking  *linking // of a native snapshot
}

func (p *part) release() {
	for _, k := range p.keyed {
		if k.linking != nil {
			k.linking.release()
			continue
		}
		k.snapshot.Release()
	}
}

// segments gathers the parts of a worker's tasks by checkpoint and has them
// written together: one file a worker and checkpoint. A part with nothing to
// write is acknowledged at once.
//
// The state of a task stays frozen until the last task of the worker has
// joined and the file is durable: so a write that failed for a passing reason
// can be done again.
type segments struct {
	w    *worker
	jobs chan *segment // to the writers
	wg   sync.WaitGroup
	stop context.Context
	mu   struct {
		sync.Mutex
		open    map[segmentKey]*segment
		alive   map[taskKey]exchange.AttemptID // tasks that have not ended
		aborted map[int64]bool                 // checkpoints that late tasks may still join
		closed  bool
	}
}

// segmentKey names a checkpoint: ids do not repeat under one JobManager.
type segmentKey struct{ epoch, checkpoint int64 }

// segment is one checkpoint on this worker, of all regions.
type segment struct {
	key     segmentKey
	barrier exchange.Barrier
	waiting map[taskKey]bool // tasks that have not joined
	parts   []*part
	began   time.Time
	ctx     context.Context // ends when the checkpoint is aborted
	cancel  context.CancelCauseFunc
}

// segmentWriters is how many checkpoints are written at a time: one is usual,
// a savepoint may come beside it, a third waits.
const segmentWriters = 2

// openSegments bounds the checkpoints that wait for tasks; beyond it the
// oldest is given up. The JobManager allows far fewer at a time.
const openSegments = 64

func newSegments(ctx context.Context, w *worker) *segments {
	s := &segments{w: w, jobs: make(chan *segment, openSegments), stop: ctx}
	s.mu.open, s.mu.aborted, s.mu.alive = map[segmentKey]*segment{}, map[int64]bool{}, map[taskKey]exchange.AttemptID{}
	for range segmentWriters {
		s.wg.Go(s.work)
	}
	return s
}

func (s *segments) work() {
	for seg := range s.jobs {
		s.write(seg)
	}
}

// close waits for the writers; the context has ended.
func (s *segments) close() {
	s.mu.Lock()
	s.mu.closed = true
	s.mu.Unlock()
	s.abortAll()
	close(s.jobs)
	s.wg.Wait()
}

// join adds a task's part.
func (s *segments) join(a *attempt, b exchange.Barrier, p *part) {
	if len(p.keyed) == 0 {
		s.settle(a, b, p.task.key, nil)
		s.acknowledge(p, time.Now())
		return
	}
	s.link(p)
	s.settle(a, b, p.task.key, p)
}

// settle notes that a task has joined, with or without a part to write, and
// passes the segment on when it was the last one.
func (s *segments) settle(a *attempt, b exchange.Barrier, key taskKey, p *part) {
	id := segmentKey{a.id.Epoch, b.ID}
	s.mu.Lock()
	if s.mu.closed || s.mu.aborted[b.ID] {
		s.mu.Unlock()
		if p != nil {
			p.release()
		}
		return
	}
	seg := s.mu.open[id]
	if seg == nil {
		seg = &segment{key: id, barrier: b, waiting: s.aliveLocked(), began: time.Now()}
		seg.ctx, seg.cancel = context.WithCancelCause(s.stop)
		s.mu.open[id] = seg
	}
	delete(seg.waiting, key)
	if p != nil {
		seg.parts = append(seg.parts, p)
	}
	ready := s.takeReadyLocked(seg)
	drop := s.excessLocked()
	s.mu.Unlock()
	s.dispatch(ready)
	if drop != nil {
		s.drop(drop, fmt.Errorf("more than %d checkpoints at a time", openSegments))
	}
}

// enter makes the tasks of an attempt take part in the checkpoints that begin.
func (s *segments) enter(a *attempt) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key := range a.tasks {
		s.mu.alive[key] = a.id
	}
}

// aliveLocked is the set of tasks that have not ended.
func (s *segments) aliveLocked() map[taskKey]bool {
	alive := map[taskKey]bool{}
	for key := range s.mu.alive {
		alive[key] = true
	}
	return alive
}

// takeReadyLocked removes a segment that nobody is awaited for from those that
// gather; it stays abortable through its context only if parts are written.
func (s *segments) takeReadyLocked(seg *segment) *segment {
	if len(seg.waiting) > 0 {
		return nil
	}
	if len(seg.parts) == 0 {
		delete(s.mu.open, seg.key)
		seg.cancel(nil)
		return nil
	}
	return seg
}

func (s *segments) excessLocked() *segment {
	if len(s.mu.open) <= openSegments {
		return nil
	}
	var oldest *segment
	for _, seg := range s.mu.open {
		if oldest == nil || seg.began.Before(oldest.began) {
			oldest = seg
		}
	}
	delete(s.mu.open, oldest.key)
	return oldest
}

func (s *segments) dispatch(seg *segment) {
	if seg == nil {
		return
	}
	select {
	case s.jobs <- seg:
	default:
		s.remove(seg)
		s.drop(seg, fmt.Errorf("%d checkpoints are being written already", openSegments))
	}
}

func (s *segments) remove(seg *segment) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.open[seg.key] == seg {
		delete(s.mu.open, seg.key)
	}
}

// drop declines a segment's parts.
func (s *segments) drop(seg *segment, err error) {
	seg.cancel(err)
	for _, p := range seg.parts {
		p.release()
		s.w.reportDeclined(p.task.id, seg.key.checkpoint, err.Error(), false)
	}
}

// decline takes a task out of a checkpoint that it cannot take.
func (s *segments) decline(t *task, b exchange.Barrier, err error) {
	s.w.reportDeclined(t.id, b.ID, err.Error(), false)
	s.settle(t.attempt, b, t.key, nil)
}

// leave takes a task that has ended out of all checkpoints.
func (s *segments) leave(attempt exchange.AttemptID, key taskKey) {
	var ready []*segment
	s.mu.Lock()
	if s.mu.alive[key] != attempt {
		s.mu.Unlock()
		return
	}
	delete(s.mu.alive, key)
	for _, seg := range s.mu.open {
		if seg.waiting[key] {
			delete(seg.waiting, key)
			if r := s.takeReadyLocked(seg); r != nil {
				ready = append(ready, r)
			}
		}
	}
	s.mu.Unlock()
	for _, seg := range ready {
		s.dispatch(seg)
	}
}

// abort gives up a checkpoint: what gathers is dropped, what is being written
// is cancelled and its file deleted.
func (s *segments) abort(id int64, reason string) {
	s.mu.Lock()
	s.mu.aborted[id] = true
	for len(s.mu.aborted) > openSegments { // the oldest are past joining
		oldest := id
		for other := range s.mu.aborted {
			oldest = min(oldest, other)
		}
		delete(s.mu.aborted, oldest)
	}
	s.mu.Unlock()
	s.abortWhere(func(seg *segment) bool { return seg.key.checkpoint == id }, fmt.Errorf("checkpoint %d was aborted: %s", id, reason))
}

// abortAttempt gives up the checkpoints that hold state of an attempt that is
// over: they will not complete.
func (s *segments) abortAttempt(id exchange.AttemptID) {
	s.abortWhere(func(seg *segment) bool {
		return slices.ContainsFunc(seg.parts, func(p *part) bool { return p.task.attempt.id == id })
	}, errCancelled)
}

func (s *segments) abortAll() {
	s.abortWhere(func(*segment) bool { return true }, errCancelled)
}

func (s *segments) abortWhere(match func(*segment) bool, err error) {
	var drop []*segment
	s.mu.Lock()
	for key, seg := range s.mu.open {
		if !match(seg) {
			continue
		}
		seg.cancel(err)
		if len(seg.waiting) > 0 { // else it is with a writer, which sees the context
			delete(s.mu.open, key)
			drop = append(drop, seg)
		}
	}
	s.mu.Unlock()
	for _, seg := range drop {
		for _, p := range seg.parts {
			p.release()
		}
	}
}

// acknowledge reports a part that is durable.
func (s *segments) acknowledge(p *part, began time.Time) {
	p.ack.AsyncMs = time.Since(began).Milliseconds()
	for _, k := range p.keyed {
		if k.linking != nil {
			p.ack.UploadedBytes += k.linking.uploaded
		}
	}
	for _, st := range p.ack.States {
		for _, h := range st.Keyed {
			p.ack.StateBytes += h.Length
			for _, t := range h.Tables {
				p.ack.StateBytes += t.Length
			}
			if h.Path != "" {
				p.ack.UploadedBytes += h.Length
			}
		}
		for _, c := range st.Inflight {
			p.ack.StateBytes += c.Data.GetLength()
			if c.Data.GetPath() != "" {
				p.ack.UploadedBytes += c.Data.GetLength()
			}
		}
		for _, l := range st.Lists {
			for _, item := range l.Items {
				p.ack.StateBytes += int64(len(item))
			}
		}
	}
	s.w.reportAck(p.task, p.ack)
}
