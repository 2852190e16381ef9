package streamtest

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"time"

	"goflink/conf"
	"goflink/dataflow"
	"goflink/state"
)

// attempt is a checkpoint in progress.
type attempt struct {
	cp    *Checkpoint
	acked map[*task]bool
}

func (a *attempt) write(ctx context.Context, op string, sub int, s state.Snapshot) error {
	defer s.Release()
	var buf bytes.Buffer
	info, err := s.WriteTo(ctx, &buf)
	if err != nil {
		return err
	}
	at := fmt.Sprintf("%s/%d", op, sub)
	a.cp.bytes[at] = buf.Bytes()
	a.cp.handles[op] = append(a.cp.handles[op], state.Handle{Location: at, SnapshotInfo: info})
	return nil
}

// trigger begins a checkpoint: enumerators first, then the sources.
func (c *Cluster) trigger() error {
	c.nextID++
	a := &attempt{acked: map[*task]bool{}, cp: &Checkpoint{ID: c.nextID, states: map[string][]dataflow.OperatorSnapshot{},
		handles: map[string][]state.Handle{}, bytes: map[string][]byte{}, enumerators: map[string][]byte{}, live: map[string]bool{}}}
	for id, e := range c.enums {
		b, err := e.e.Snapshot(c.nextID)
		if err != nil {
			return err
		}
		a.cp.enumerators[id] = append([]byte(nil), b...)
	}
	c.current = a
	if err := c.kill(Triggered); err != nil {
		return err
	}
	for _, t := range c.tasks {
		if c.current != a {
			return nil
		}
		if t.ended {
			if err := t.ack(); err != nil {
				return err
			}
		} else if t.chain.Source != nil || t.ending {
			if err := t.snapshot(); err != nil {
				return err
			}
		}
	}
	return nil
}

// maybeAck lets a task that ended during a checkpoint take part in it.
func (c *Cluster) maybeAck(t *task) error {
	if c.current == nil || c.current.acked[t] {
		return nil
	}
	return t.ack()
}

// complete tells all tasks when all of them have taken part.
func (c *Cluster) complete() error {
	if len(c.current.acked) < len(c.tasks) {
		return nil
	}
	c.last = c.current.cp
	c.current = nil
	if err := c.kill(Completed); err != nil {
		return err
	}
	for _, t := range c.tasks {
		for _, op := range t.chain.Operators {
			if err := op.CheckpointComplete(c.last.ID); err != nil {
				return err
			}
		}
		if err := c.kill(Told); err != nil {
			return err
		}
	}
	for _, e := range c.enums {
		if err := e.e.CheckpointComplete(c.last.ID); err != nil {
			return err
		}
	}
	return nil
}

// Checkpoint takes a checkpoint and returns it once it is complete.
func (c *Cluster) Checkpoint() (*Checkpoint, error) {
	for c.current != nil {
		if _, err := c.step(); err != nil {
			return nil, err
		}
	}
	if err := c.trigger(); err != nil {
		return nil, err
	}
	for c.current != nil {
		if _, err := c.step(); err != nil {
			return nil, err
		}
	}
	return c.last, nil
}

// enumerator runs one split enumerator.
type enumerator struct {
	c     *Cluster
	id    string
	tasks []*task
	e     dataflow.Enumerator
	every []periodic
	align dataflow.Alignment
	// alignAt is when its readers are told next.
	alignAt time.Time
}

type periodic struct {
	next     time.Time
	interval time.Duration
	f        func() error
}

func (c *Cluster) startEnumerators() error {
	for _, v := range c.graph.Vertices {
		for _, op := range v.Operators {
			if !op.Enumerator {
				continue
			}
			e := &enumerator{c: c, id: op.Id}
			for _, t := range c.tasks {
				if t.v == v {
					e.tasks = append(e.tasks, t)
				}
			}
			var err error
			if e.e, err = c.program.NewEnumerator(op.Id); err != nil {
				return err
			}
			c.enums[op.Id] = e
			c.align(e)
			var restored []byte
			if c.o.Restore != nil {
				restored = c.o.Restore.enumerators[op.Id]
			}
			if err := e.e.Start(e, restored); err != nil {
				return err
			}
		}
	}
	return nil
}

func (e *enumerator) request(sub int) {
	if err := e.e.Request(sub, "localhost"); err != nil {
		e.fail(err)
	}
}

func (e *enumerator) fail(err error) {
	e.c.mu.Lock()
	defer e.c.mu.Unlock()
	if e.c.mu.err == nil {
		e.c.mu.err = err
	}
}

// Context ends with the cluster.
func (e *enumerator) Context() context.Context { return e.c.ctx }

// Parallelism is the source's.
func (e *enumerator) Parallelism() int { return len(e.tasks) }

// Assign hands splits to a reader at once.
func (e *enumerator) Assign(sub int, splits [][]byte) {
	if e.tasks[sub].finished {
		e.fail(fmt.Errorf("%d splits for subtask %d of %s, which had finished", len(splits), sub, e.id))
		return
	}
	if err := e.tasks[sub].chain.Source.AddSplits(splits); err != nil {
		e.fail(err)
	}
	e.tasks[sub].waiting = false
}

// NoMoreSplits tells a reader at once.
func (e *enumerator) NoMoreSplits(sub int) {
	if e.tasks[sub].finished {
		return
	}
	if err := e.tasks[sub].chain.Source.NoMoreSplits(); err != nil {
		e.fail(err)
	}
	e.tasks[sub].waiting = false
}

// Run runs f and done at once.
func (e *enumerator) Run(f func(ctx context.Context) error, done func(error) error) {
	if err := done(f(e.c.ctx)); err != nil {
		e.fail(err)
	}
}

// Every keeps f for Discover.
func (e *enumerator) Every(interval time.Duration, f func() error) {
	e.every = append(e.every, periodic{e.c.now.Add(interval), interval, f})
}

// Conf is the cluster's.
func (e *enumerator) Conf() *conf.Config { return e.c.o.Conf }

// Files are the cluster's.
func (e *enumerator) Files() dataflow.FileSystems { return e.c.o.Files }

// Log is quiet.
func (e *enumerator) Log() *slog.Logger { return quiet() }

// Discover runs what enumerators do periodically, if it is due.
func (c *Cluster) Discover() error {
	for _, e := range c.enums {
		for i := range e.every {
			if p := &e.every[i]; !c.now.Before(p.next) {
				p.next = c.now.Add(p.interval)
				if err := p.f(); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
