package worker

import (
	"sync"
	"sync/atomic"
	"time"

	"goflink/dataflow"
)

// flushing is the output ports of a task whose records wait equally long.
type flushing struct {
	every time.Duration // 0: flushed after each step, negative: never by time
	due   atomic.Bool   // the time has come
	ports []dataflow.OutputPort
}

// group divides a task's ports by how long their records wait. The first group is
// the job's, also where it is empty: its time is when the task shows its figures.
func group(ports []dataflow.OutputPort, jobs time.Duration) []*flushing {
	groups := []*flushing{{every: jobs}}
	for _, p := range ports {
		every := jobs
		if own, ok := p.(dataflow.TimedPort); ok {
			if d, set := own.FlushAfter(); set {
				every = d
			}
		}
		at := 0
		for at < len(groups) && groups[at].every != every {
			at++
		}
		if at == len(groups) {
			groups = append(groups, &flushing{every: every})
		}
		groups[at].ports = append(groups[at].ports, p)
	}
	return groups
}

// setFlushing begins to mark the task's outputs by their times.
func (t *task) setFlushing() {
	t.flushes = group(t.chain.Outputs, t.w.flushEvery)
	t.shownFlushes.Store(&t.flushes)
	for _, f := range t.flushes {
		t.w.flushBy(f.every)
	}
}

// flushDue sends what has waited long enough.
func (t *task) flushDue() error {
	for i, f := range t.flushes {
		if f.every != 0 {
			if !f.due.Load() {
				continue
			}
			f.due.Store(false)
		}
		if i == 0 {
			t.publish()
		}
		for _, out := range f.ports {
			if err := out.Flush(); err != nil {
				return err
			}
		}
	}
	return nil
}

// toFlush tells whether something waits for a time to come, and whether it came
// meanwhile.
func (t *task) toFlush() (pending, due bool) {
	for _, f := range t.flushes {
		if f.every <= 0 {
			continue
		}
		for _, out := range f.ports {
			if out.Pending() {
				pending = true
				due = due || f.due.Load()
			}
		}
	}
	return pending, due
}

// flushers are the times that ports have of their own, each with a goroutine that
// lives as long as the worker: a program has few.
type flushers struct {
	mu      sync.Mutex
	running map[time.Duration]bool
}

// flushBy has ports be marked each time; the job's own time is the ticker's.
func (w *worker) flushBy(every time.Duration) {
	if every <= 0 || every == w.flushEvery {
		return
	}
	w.flushers.mu.Lock()
	defer w.flushers.mu.Unlock()
	if w.flushers.running[every] {
		return
	}
	if w.flushers.running == nil {
		w.flushers.running = map[time.Duration]bool{}
	}
	w.flushers.running[every] = true
	w.wg.Go(func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-w.ctx.Done():
				return
			case <-tick.C:
				w.markFlush(every)
			}
		}
	})
}

// markFlush tells each task that a buffer time-out has come; one that waits is
// woken only when it has something to send.
func (w *worker) markFlush(every time.Duration) {
	for _, t := range w.tasks() {
		groups := t.shownFlushes.Load()
		if groups == nil {
			continue
		}
		for _, f := range *groups {
			if f.every == every {
				f.due.Store(true)
				if t.hasFlush.Load() {
					t.signal()
				}
			}
		}
	}
}
