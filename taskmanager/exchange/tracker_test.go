package exchange

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// TestTrackerRandom sends barriers with gaps, ends and cancellations over some
// channels and compares with a plain model: a checkpoint is taken exactly when
// every channel that goes on had its barrier, unless it was cancelled or a newer
// one was taken before; whatever had begun and is not taken is reported.
func TestTrackerRandom(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 2))
	for range 500 {
		m := newTrackerModel(1 + r.IntN(4))
		for range 80 {
			if err := m.step(r); err != nil {
				t.Fatal(err)
			}
		}
	}
}

type trackerModel struct {
	k         *tracker
	next      []int64
	ended     []bool
	had       map[int64]map[int]bool // barriers by checkpoint
	cancelled map[int64]bool
	over      map[int64]bool // taken or reported as given up
	last      int64          // taken
}

func newTrackerModel(n int) *trackerModel {
	return &trackerModel{k: newTracker(n), next: make([]int64, n), ended: make([]bool, n), had: map[int64]map[int]bool{},
		cancelled: map[int64]bool{}, over: map[int64]bool{}}
}

func (m *trackerModel) step(r *rand.Rand) error {
	ch := r.IntN(len(m.next))
	if m.ended[ch] {
		return nil
	}
	var got alignment
	switch r.IntN(14) {
	case 0:
		m.ended[ch] = true
		got = m.k.end(ch)
	case 1:
		id := m.last + 1 + int64(r.IntN(4))
		if got = m.k.cancel(id); got.forward == m.cancelled[id] {
			return fmt.Errorf("cancel %d: forward is %t", id, got.forward)
		}
		m.cancelled[id] = true
		m.over[id] = true
	default:
		m.next[ch] += int64(1 + r.IntN(8)/7)
		id := m.next[ch]
		if m.had[id] == nil {
			m.had[id] = map[int]bool{}
		}
		m.had[id][ch] = true
		got = m.k.barrier(ch, id)
	}
	return m.check(got)
}

func (m *trackerModel) check(got alignment) error {
	if got.block || got.unblock {
		return fmt.Errorf("a channel is blocked or unblocked")
	}
	var want, taken []int64
	for id := range m.had {
		if id > m.last && !m.cancelled[id] && m.complete(id) {
			want = append(want, id)
		}
	}
	slices.Sort(want)
	for _, s := range got.then {
		switch {
		case s.aligned != 0:
			taken = append(taken, s.aligned)
			m.last = s.aligned
			m.over[s.aligned] = true
		case s.aborted == 0 || s.forward || m.over[s.aborted]:
			return fmt.Errorf("step %+v", s)
		default:
			m.over[s.aborted] = true
		}
	}
	if !slices.Equal(taken, want) {
		return fmt.Errorf("took %v, want %v", taken, want)
	}
	for id := range m.had {
		if id < m.last && !m.over[id] && len(m.had[id]) > 0 && m.beganBefore(id) {
			return fmt.Errorf("checkpoint %d began and was neither taken nor given up when %d was taken", id, m.last)
		}
	}
	return nil
}

func (m *trackerModel) complete(id int64) bool {
	for ch, ended := range m.ended {
		if !ended && !m.had[id][ch] {
			return false
		}
	}
	return true
}

// beganBefore tells whether the tracker still has a checkpoint open.
func (m *trackerModel) beganBefore(id int64) bool { return m.k.find(id) != nil }

// TestAtLeastOnceDoesNotBlock: what comes behind the barrier of one channel is
// processed before the barrier of the other has come.
func TestAtLeastOnceDoesNotBlock(t *testing.T) {
	for _, exactly := range []bool{true, false} {
		g := newGate(newNetwork(t, "a"), GateOptions{Inputs: []GateInput{{Sources: []GateSource{{}, {Subtask: 1}}}}, ExactlyOnce: exactly})
		first, second := g.channels[0], g.channels[1]
		g.pushLocked(first, queued{event: &Event{Barrier: &Barrier{ID: 1}}})
		g.pushLocked(first, queued{batch: &intBatch{v: []int64{7}}})
		item, ok, err := g.Next()
		if err != nil || ok == exactly {
			t.Fatalf("exactly once %t: behind the barrier came %v, %t, %v", exactly, item, ok, err)
		}
		g.pushLocked(second, queued{event: &Event{Barrier: &Barrier{ID: 1}}})
		if item, ok, _ = g.Next(); !ok || item.Kind != ItemBarrier || item.Barrier.ID != 1 {
			t.Fatalf("exactly once %t: %v, %t", exactly, item, ok)
		}
	}
}
