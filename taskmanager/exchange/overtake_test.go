package exchange

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"
	"time"
)

// TestUnalignedRandom drives a gate through random schedules of unaligned and
// aligned checkpoints with a slow task, strict channels, ends and cancellations,
// and holds each checkpoint against the law: on every channel, what the task
// had processed at its snapshot and what the checkpoint holds are together, in
// order, exactly what came before the barrier.
func TestUnalignedRandom(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	for round := range 400 {
		m := newGateModel(t, rand.New(rand.NewPCG(seed, uint64(round))))
		for range 150 {
			m.step()
		}
		m.finish()
	}
}

// gateModel is a gate between senders and a task, on one goroutine.
type gateModel struct {
	t       *testing.T
	r       *rand.Rand
	g       *Gate
	urgent  atomic.Bool
	strict  []bool
	sent    []int64 // records, by channel
	next    []int64 // checkpoint that the channel's next barrier has
	ended   []bool
	before  []map[int64]int64 // records before a barrier, by channel and checkpoint
	done    []int64           // records processed
	newest  int64             // triggered
	kind    map[int64]Barrier
	given   map[int64]bool // cancelled
	taken   map[int64][]int64
	held    map[int64][][]int64 // of checkpoints that hold records
	open    int64               // being recorded
	checked map[int64]bool
	last    int64
}

func newGateModel(t *testing.T, r *rand.Rand) *gateModel {
	n := 1 + r.IntN(4)
	m := &gateModel{t: t, r: r, strict: make([]bool, n), sent: make([]int64, n), next: make([]int64, n), ended: make([]bool, n),
		before: make([]map[int64]int64, n), done: make([]int64, n), kind: map[int64]Barrier{}, given: map[int64]bool{},
		taken: map[int64][]int64{}, held: map[int64][][]int64{}, checked: map[int64]bool{}}
	var inputs []GateInput
	for i := range n {
		m.strict[i] = r.IntN(4) == 0
		m.before[i] = map[int64]int64{}
		m.next[i] = 1
		inputs = append(inputs, GateInput{Edge: i, Sources: []GateSource{{}}, Overtakes: !m.strict[i]})
	}
	m.g = newGate(&Network{}, GateOptions{Inputs: inputs, ExactlyOnce: true, Urgent: &m.urgent, Wake: func() {}})
	return m
}

func (m *gateModel) push(ch int, q queued) {
	m.g.mu.Lock()
	defer m.g.mu.Unlock()
	m.g.pushLocked(m.g.channels[ch], q)
}

func (m *gateModel) step() {
	ch := m.r.IntN(len(m.sent))
	switch n := m.r.IntN(20); {
	case n < 8 && !m.ended[ch]:
		m.sent[ch]++
		m.push(ch, queued{batch: &intBatch{v: []int64{m.sent[ch]}}, units: 0})
	case n < 11 && !m.ended[ch]:
		m.barrier(ch)
	case n == 11 && m.r.IntN(10) == 0 && !m.ended[ch]:
		m.end(ch)
	case n == 12:
		m.g.Expire(m.newest)
	case n == 13 && m.newest > 0 && m.r.IntN(3) == 0:
		m.g.Cancel(m.newest)
		m.given[m.newest] = true
		if m.open == m.newest {
			m.open = 0
		}
	default:
		m.task()
	}
	m.alive()
}

// alive: once all barriers of a checkpoint have come in, the task is told.
func (m *gateModel) alive() {
	if m.open == 0 || m.urgent.Load() {
		return
	}
	for ch := range m.sent {
		if _, ok := m.before[ch][m.open]; !ok && !m.ended[ch] {
			return
		}
	}
	if m.g.out.len() == 0 { // else it was given up, and the task has yet to hear of it
		m.t.Fatalf("checkpoint %d is whole, and the task does not hear of it", m.open)
	}
}

// barrier sends the next barrier on a channel; some were lost at their sender.
func (m *gateModel) barrier(ch int) {
	id := m.next[ch]
	if m.r.IntN(12) == 0 {
		id++
	}
	m.next[ch] = id + 1
	if id > m.newest {
		m.newest = id
	}
	b, ok := m.kind[id]
	if !ok {
		b = Barrier{ID: id}
		switch m.r.IntN(3) {
		case 0:
			b.Unaligned = true
		case 1:
			b.AlignedTimeout = time.Hour
		}
		m.kind[id] = b
	}
	if b.AlignedTimeout > 0 && m.r.IntN(4) == 0 { // its sender's time-out has come
		b.Unaligned, b.AlignedTimeout = true, 0
	}
	m.before[ch][id] = m.sent[ch]
	m.push(ch, queued{event: &Event{Barrier: &b}})
}

func (m *gateModel) end(ch int) {
	m.ended[ch] = true
	m.push(ch, queued{event: &Event{EndOfData: &EndOfData{Drain: true}}})
	m.push(ch, queued{event: &Event{EndOfPartition: true}})
}

// task takes what the gate gives, as the task's loop does.
func (m *gateModel) task() bool {
	if m.urgent.Load() {
		if item, ok := m.g.Urgent(); ok {
			m.take(item)
			return true
		}
	}
	if m.r.IntN(3) == 0 {
		return true // slow
	}
	item, ok, err := m.g.Next()
	if err != nil {
		m.t.Fatal(err)
	}
	if ok {
		m.take(item)
	}
	return ok
}

func (m *gateModel) take(item Item) {
	switch item.Kind {
	case ItemData:
		v := item.values()[0]
		if item.Record {
			m.keep(m.open, item)
		}
		if m.done[item.Input]++; m.done[item.Input] != v {
			m.t.Fatalf("channel %d: record %d after %d", item.Input, v, m.done[item.Input]-1)
		}
	case ItemBarrier:
		m.snapshot(item)
	case ItemRecorded:
		if m.open != item.Checkpoint {
			m.t.Fatalf("recorded %d while %d is open", item.Checkpoint, m.open)
		}
		for _, h := range item.Held {
			m.keep(m.open, h)
		}
		m.check(m.open)
		m.open = 0
	case ItemCancelled:
		m.given[item.Checkpoint] = true
		if m.open == item.Checkpoint {
			m.open = 0
		}
	}
}

func (m *gateModel) snapshot(item Item) {
	id := item.Barrier.ID
	if id <= m.last {
		m.t.Fatalf("checkpoint %d after %d", id, m.last)
	}
	m.last = id
	m.taken[id] = slices.Clone(m.done)
	m.held[id] = make([][]int64, len(m.sent))
	for _, h := range item.Held {
		m.keep(id, h)
	}
	if item.Recording {
		m.open = id
		return
	}
	m.check(id)
}

func (m *gateModel) keep(id int64, item Item) {
	m.held[id][item.Input] = append(m.held[id][item.Input], item.values()...)
}

// check holds a whole checkpoint against the law.
func (m *gateModel) check(id int64) {
	m.checked[id] = true
	for ch := range m.sent {
		want, ok := m.before[ch][id]
		if !ok {
			if !m.ended[ch] {
				m.t.Fatalf("checkpoint %d is whole without the barrier of channel %d", id, ch)
			}
			want = m.sent[ch]
		}
		at := m.taken[id][ch]
		if m.strict[ch] && len(m.held[id][ch]) > 0 {
			m.t.Fatalf("checkpoint %d holds records of channel %d, where nothing overtakes", id, ch)
		}
		for _, v := range m.held[id][ch] {
			if at++; v != at {
				m.t.Fatalf("checkpoint %d, channel %d: holds %v behind record %d", id, ch, m.held[id][ch], m.taken[id][ch])
			}
		}
		if at != want {
			m.t.Fatalf("checkpoint %d, channel %d: %d records processed and %v held, %d came before the barrier (kind %+v)",
				id, ch, m.taken[id][ch], m.held[id][ch], want, m.kind[id])
		}
	}
}

// finish sends a last checkpoint everywhere and lets the task come to its end:
// nothing stays blocked and no record is lost.
func (m *gateModel) finish() {
	id := m.newest + 2
	m.kind[id] = Barrier{ID: id, Unaligned: m.r.IntN(2) == 0}
	b := m.kind[id]
	for ch := range m.sent {
		if !m.ended[ch] {
			m.before[ch][id] = m.sent[ch]
			m.push(ch, queued{event: &Event{Barrier: &b}})
			m.end(ch)
		}
	}
	for range 100000 {
		if m.urgent.Load() || m.g.Queued() > 0 {
			m.task()
			continue
		}
		break
	}
	if !slices.Equal(m.done, m.sent) {
		m.t.Fatalf("processed %v of %v", m.done, m.sent)
	}
	if m.open != 0 {
		m.t.Fatalf("checkpoint %d is recorded for ever", m.open)
	}
	if len(m.checked) == 0 && slices.Contains(m.ended, false) {
		m.t.Fatal(fmt.Errorf("no checkpoint was taken"))
	}
}
