package exchange

import (
	"sync"
	"sync/atomic"
	"testing"
)

// TestStuckTaskHoldsUpNobody: two tasks of one worker read from two of another over
// one connection, and two of a region of its own over another one. One of them takes
// nothing. The others get all their records and an aligned barrier; the stuck one's
// unaligned barrier comes in though nobody takes the records before it, and what is
// queued for it stays within its credits.
func TestStuckTaskHoldsUpNobody(t *testing.T) {
	a, b := newNetwork(t, "a"), newNetwork(t, "b")
	var urgent atomic.Bool
	open := func(n *Network, id AttemptID) *Session {
		s, err := n.Open(id)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	sA, sB := open(a, AttemptID{}), open(b, AttemptID{})
	task := func(sub int) (from, to *testTask) {
		from, to = newTask(t), newTask(t)
		var err error
		to.gate, err = sB.NewGate(GateOptions{Task: "to", Subtask: sub, ExactlyOnce: true, Wake: to.signal, Urgent: &urgent,
			Inputs: []GateInput{{Sources: []GateSource{{Subtask: sub, Peer: a.asPeer()}}, Overtakes: true}}})
		if err != nil {
			t.Fatal(err)
		}
		from.out, err = sA.NewOutputs(from.ctx, OutputsOptions{Task: "from", Blocked: &from.blocked, Wake: from.signal,
			Edges: [][]TargetChannel{{{Channel: ChannelID{Source: sub, Target: sub}, Peer: b.asPeer(), Overtakes: true}}}})
		if err != nil {
			t.Fatal(err)
		}
		return from, to
	}
	stuckFrom, stuckTo := task(0)
	from, to := task(1)
	connectAll(t, sA, sB)
	other := connectPair(t, a, b, AttemptID{Region: 1})

	sent := 0
	for ; !stuckFrom.blocked; sent++ {
		if err := stuckFrom.send(stuckFrom.out.Writers()[0][0], int64(sent), int64(sent)+1); err != nil {
			t.Fatal(err)
		}
	}
	var wg sync.WaitGroup
	for _, p := range [][2]*testTask{{from, to}, {other.from, other.to}} {
		wg.Go(func() {
			w := p[0].out.Writers()[0][0]
			for i := range int64(2000) {
				if err := p[0].awaitSpace(); err != nil {
					t.Error(err)
				}
				if err := p[0].send(w, i*100, (i+1)*100); err != nil {
					t.Error(err)
				}
			}
			if _, _, err := p[0].out.SendBarrier(Barrier{ID: 1}); err != nil {
				t.Error(err)
			}
		})
		wg.Go(func() {
			rows := 0
			for {
				item, err := p[1].next()
				if err != nil {
					t.Error(err)
					return
				}
				if item.Kind == ItemBarrier {
					break
				}
				rows += len(item.values())
				p[1].gate.Done(item)
			}
			if rows != 200_000 {
				t.Errorf("%d rows came before the barrier", rows)
			}
		})
	}
	wg.Wait()
	over, _, err := stuckFrom.out.SendBarrier(Barrier{ID: 1, Unaligned: true})
	if err != nil {
		t.Fatal(err)
	}
	for !urgent.Load() {
		<-stuckTo.wake
	}
	item, ok := stuckTo.gate.Urgent()
	if !ok || item.Kind != ItemBarrier || item.Recording {
		t.Fatalf("%+v, %t", item, ok)
	}
	if len(item.Held)+len(over) != sent || sent > 2+8+1 {
		t.Errorf("of %d buffers %d are held at the receiver and %d at the sender", sent, len(item.Held), len(over))
	}
}
