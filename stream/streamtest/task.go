package streamtest

import (
	"fmt"
	"path/filepath"
	"time"

	"goflink/dataflow"
	"goflink/graph"
	"goflink/metrics/accumulator"
	"goflink/state"
)

// task is one subtask.
type task struct {
	c       *Cluster
	v       *graph.Vertex
	sub     int
	chain   *dataflow.Chain
	env     *dataflow.Env
	inputs  [][]*channel
	outs    []*channel
	outputs [][]dataflow.ChannelWriter
	blocked bool
	// waiting: the source had nothing; ended: its data is processed; finished:
	// committed too.
	waiting, ended, finished bool
	ending                   bool // the data has ended; the backlog is not empty
	barriers                 int  // channels that have the current barrier
}

func (t *task) name() string {
	return fmt.Sprintf("%s (%d/%d)", t.v.Name, t.sub+1, t.v.Parallelism)
}

func (t *task) open() error {
	t.env = t.newEnv()
	if t.finishedBefore() {
		t.chain, t.ended, t.finished = &dataflow.Chain{}, true, true
		return nil
	}
	chain, err := t.c.program.BuildChain(t.v.Id, t.env)
	if err != nil {
		return err
	}
	t.chain = chain
	for i := len(chain.Operators) - 1; i >= 0; i-- {
		if err := chain.Operators[i].Open(t.c.ctx); err != nil {
			return err
		}
	}
	return nil
}

// finishedBefore tells that the task had ended before the checkpoint, and that
// nothing of it is left: it does not run again, and has no channels.
func (t *task) finishedBefore() bool {
	cp := t.c.o.Restore
	if cp == nil {
		return false
	}
	for _, op := range t.v.Operators {
		r, ok := t.restoreOf(op.Id)
		if !ok || cp.states[op.Id] == nil || cp.live[op.Id] || len(r.Keyed) > 0 {
			return false
		}
		for _, l := range r.Lists {
			if len(l.Items) > 0 {
				return false
			}
		}
	}
	return true
}

// gone tells the receivers of a task that had finished that their channels have
// ended: without a watermark, which nobody kept.
func (t *task) gone() {
	for _, ch := range t.outs {
		if !ch.to.finished {
			ch.queue = append(ch.queue, item{event: endOfData})
		}
	}
}

func (t *task) newEnv() *dataflow.Env {
	c, p, m := t.c, int(t.v.Parallelism), int(t.v.MaxParallelism)
	var channels []int
	for _, in := range t.inputs {
		channels = append(channels, len(in))
	}
	groups := state.KeyGroupRange(m, p, t.sub)
	dir := ""
	if c.o.Dir != "" {
		dir = filepath.Join(c.o.Dir, fmt.Sprintf("%s-%d-%d", t.v.Id[:8], t.sub, c.nextID))
	}
	return &dataflow.Env{
		Ctx: c.ctx, JobID: "00000000000000000000000000000001", JobName: c.graph.Name, VertexID: t.v.Id, TaskName: t.name(),
		Subtask: t.sub, Parallelism: p, MaxParallelism: m, KeyGroups: groups, InputChannels: channels, Outputs: t.outputs,
		Blocked: &t.blocked, RestoreOf: t.restoreOf,
		State: state.Env{Kind: c.o.Backend, Dir: dir, Range: groups, MaxParallelism: m, MemoryBudget: c.o.MemoryBudget, Open: c.openHandle},
		Mailbox: func(f func() error) bool {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.mu.mail = append(c.mu.mail, f)
			return true
		},
		Go:           c.spawn,
		Now:          func() time.Time { return c.now },
		RequestSplit: func(op string) { c.enums[op].request(t.sub) },
		SendEvent:    func(op string, data []byte) { c.toEnumerator(op, t.sub, data) },
		Accumulators: accumulator.NewSet(), Scratch: c.o.Dir,
		Conf: c.o.Conf, Log: quiet(), Out: c, Files: c.o.Files, Host: "localhost",
	}
}

// restoreOf gives an operator its share of the checkpoint.
func (t *task) restoreOf(id string) (dataflow.OperatorRestore, bool) {
	cp := t.c.o.Restore
	if cp == nil || cp.states[id] == nil {
		return dataflow.OperatorRestore{}, cp != nil
	}
	r := dataflow.OperatorRestore{}
	for _, h := range cp.handles[id] {
		if !h.Range.Intersect(t.env.KeyGroups).Empty() {
			r.Keyed = append(r.Keyed, h)
		}
	}
	lists := map[string]*dataflow.ListState{}
	var order []string
	n := 0
	for i, s := range cp.states[id] {
		for _, l := range s.Lists {
			mine := lists[l.Name]
			if mine == nil {
				mine = &dataflow.ListState{Name: l.Name, Mode: l.Mode, Schema: l.Schema}
				lists[l.Name] = mine
				order = append(order, l.Name)
			}
			if l.Mode == dataflow.ListBroadcast { // one copy, of any subtask
				if i == t.sub%len(cp.states[id]) {
					mine.Items = l.Items
				}
				continue
			}
			for _, item := range l.Items {
				if l.Mode == dataflow.ListUnion || n%int(t.v.Parallelism) == t.sub {
					mine.Items = append(mine.Items, item)
				}
				n++
			}
		}
	}
	for _, name := range order {
		r.Lists = append(r.Lists, *lists[name])
	}
	return r, true
}

func (t *task) runnable() bool {
	if t.ended {
		return false
	}
	if t.full() {
		return false
	}
	if b := t.chain.Backlog; b != nil && (t.ending && !b.Empty() || !t.ending && b.Full()) {
		return t.ending && t.readable() != nil
	}
	if t.chain.Source != nil {
		if t.waiting {
			select {
			case <-t.chain.Source.Ready():
				t.waiting = false
			default:
			}
		}
		return !t.waiting
	}
	return t.readable() != nil || t.allEnded()
}

func (t *task) allEnded() bool {
	for _, in := range t.inputs {
		for _, ch := range in {
			if !ch.ended {
				return false
			}
		}
	}
	return true
}

// firstOpen tells that a channel has not ended that is read before the others.
func (t *task) firstOpen() bool {
	for _, in := range t.inputs {
		for _, ch := range in {
			if ch.first && !ch.ended {
				return true
			}
		}
	}
	return false
}

// readable is a channel with something to process, picked at random.
func (t *task) readable() *channel {
	var have []*channel
	waits := t.firstOpen()
	for _, in := range t.inputs {
		for _, ch := range in {
			if len(ch.queue) > 0 && !ch.blocked && (ch.first || !waits) {
				have = append(have, ch)
			}
		}
	}
	if len(have) == 0 {
		return nil
	}
	return have[t.c.rand.IntN(len(have))]
}

func (t *task) step() error {
	if err := t.fireTimers(); err != nil {
		return err
	}
	if share := t.c.o.SingleRecords; share > 0 && t.c.rand.Float64() < share {
		return t.single()
	}
	return t.work()
}

func (t *task) work() error {
	if t.ending && t.chain.Backlog.Empty() {
		return t.end()
	}
	if t.chain.Source != nil {
		return t.poll()
	}
	ch := t.readable()
	if ch == nil {
		return t.end()
	}
	return t.consume(ch)
}

// single handles one record and sends on what came of it: a task that is blocked
// stops after the record in work.
func (t *task) single() error {
	t.blocked = true
	if err := t.work(); err != nil {
		return err
	}
	for _, o := range t.chain.Outputs {
		if t.ended {
			break
		}
		if err := o.Flush(); err != nil {
			return err
		}
	}
	return nil
}

func (t *task) fireTimers() error {
	if t.ended || t.chain == nil {
		return nil
	}
	now := t.c.now.UnixMilli()
	if ms, ok := t.chain.NextTimer(); ok && ms <= now {
		return t.chain.FireTimers(now)
	}
	return nil
}

func (t *task) poll() error {
	status, err := t.chain.Source.Poll()
	if err != nil {
		return err
	}
	switch status {
	case dataflow.Waiting:
		t.waiting = true
	case dataflow.Finished:
		return t.end()
	}
	return nil
}

func (t *task) consume(ch *channel) error {
	it := ch.queue[0]
	pop := func() { ch.queue, ch.at = ch.queue[1:], 0 }
	port := t.chain.Inputs[ch.in]
	switch {
	case it.event == barrier:
		pop()
		ch.blocked = true
		t.barriers++
		return t.aligned()
	case it.event == endOfData:
		pop()
		ch.ended = true
		if err := port.ChannelEnded(ch.ch); err != nil {
			return err
		}
		return t.aligned()
	case it.batch != nil:
		next, done, err := port.ProcessBatch(ch.ch, it.batch, ch.at)
		if ch.at = next; err == nil && done {
			it.batch.Release()
			pop()
		}
		return err
	}
	next, done, err := port.ProcessBytes(ch.ch, it.buf.Data, ch.at)
	if ch.at = next; err == nil && done {
		for i := range it.buf.Data { // nothing decoded may point into it
			it.buf.Data[i] = 0xAA
		}
		pop()
	}
	return err
}

// end finishes the chain after its data.
func (t *task) end() error {
	if b := t.chain.Backlog; b != nil && !b.Empty() {
		t.ending = true
		if t.c.current != nil && !t.c.current.acked[t] {
			return t.snapshot()
		}
		return nil
	}
	for _, op := range t.chain.Operators {
		if err := op.Finish(); err != nil {
			return err
		}
	}
	if err := t.send(item{event: endOfData}); err != nil {
		return err
	}
	t.ended = true
	if t.c.current != nil {
		return t.c.maybeAck(t)
	}
	return nil
}

func (t *task) send(it item) error {
	for _, o := range t.chain.Outputs {
		if err := o.Flush(); err != nil {
			return err
		}
	}
	for _, ch := range t.outs {
		ch.queue = append(ch.queue, it)
	}
	return nil
}

// aligned takes the checkpoint once all channels that go on brought the barrier.
func (t *task) aligned() error {
	if t.c.current == nil || t.barriers == 0 || t.ended {
		return nil
	}
	for _, in := range t.inputs {
		for _, ch := range in {
			if !ch.ended && !ch.blocked {
				return nil
			}
		}
	}
	if err := t.snapshot(); err != nil {
		return err
	}
	t.barriers = 0
	for _, in := range t.inputs {
		for _, ch := range in {
			ch.blocked = false
		}
	}
	return nil
}

func (t *task) snapshot() error {
	a := t.c.current
	for _, op := range t.chain.Operators {
		if err := op.PrepareBarrier(a.cp.ID); err != nil {
			return err
		}
	}
	if !t.ended {
		if err := t.send(item{event: barrier, ckpt: a.cp.ID}); err != nil {
			return err
		}
	}
	return t.ack()
}

// ack takes the state of all operators and writes it out at once.
func (t *task) ack() error {
	a := t.c.current
	for _, op := range t.v.Operators {
		if !t.ended {
			a.cp.live[op.Id] = true
		}
		if t.finished { // it is not built
			a.cp.states[op.Id] = append(a.cp.states[op.Id], dataflow.OperatorSnapshot{})
		}
	}
	for _, op := range t.chain.Operators {
		s, err := op.Snapshot(dataflow.Checkpoint{ID: a.cp.ID, Timestamp: t.c.now, Kind: "checkpoint", Format: "canonical"})
		if err != nil {
			return err
		}
		if s.Keyed != nil {
			if err := a.write(t.c.ctx, op.ID(), t.sub, s.Keyed); err != nil {
				return err
			}
		}
		a.cp.states[op.ID()] = append(a.cp.states[op.ID()], s)
	}
	a.acked[t] = true
	if err := t.c.kill(Acked); err != nil {
		return err
	}
	return t.c.complete()
}

// full tells whether a channel has no credit; else the task goes on.
func (t *task) full() bool {
	if !t.blocked {
		return false
	}
	for _, ch := range t.outs {
		if len(ch.queue) >= ch.credit {
			return true
		}
	}
	t.blocked = false
	return false
}

// emit lets operators emit what they held back.
func (t *task) emit() error {
	if t.chain.Backlog == nil || t.ended || t.full() {
		return nil
	}
	if err := t.chain.Backlog.Emit(); err != nil {
		return fmt.Errorf("%s: %w", t.name(), err)
	}
	return nil
}
